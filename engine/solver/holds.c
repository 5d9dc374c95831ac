#include "solver/holds.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BUCKETS_FIRST 64

struct hold {
    struct hold *next;
    uint64_t digest;
    size_t count;
    size_t key_len;
    char key[];
};

void holds_init(struct holds *holds)
{
    *holds = (struct holds){0};
}

void holds_free(struct holds *holds)
{
    for (size_t i = 0; i < holds->bucket_count; i++) {
        while (holds->buckets[i] != NULL) {
            struct hold *hold = holds->buckets[i];
            holds->buckets[i] = hold->next;
            free(hold);
        }
    }
    free(holds->buckets);
    *holds = (struct holds){0};
}

/* Bucket counts are powers of two. */
static struct hold **bucket_of(const struct holds *holds, uint64_t digest)
{
    return &holds->buckets[digest & (holds->bucket_count - 1)];
}

static struct hold **hold_find(const struct holds *holds, uint64_t digest, struct span key)
{
    if (holds->bucket_count == 0)
        return NULL;
    for (struct hold **at = bucket_of(holds, digest); *at != NULL; at = &(*at)->next)
        if ((*at)->digest == digest && span_equal(span_make((*at)->key, (*at)->key_len), key))
            return at;
    return NULL;
}

static bool holds_grow(struct holds *holds)
{
    size_t count = holds->bucket_count > 0 ? holds->bucket_count * 2 : BUCKETS_FIRST;
    struct holds grown = {.bucket_count = count, .key_count = holds->key_count};
    grown.buckets = calloc(count, sizeof(struct hold *));
    if (grown.buckets == NULL)
        return false;
    for (size_t i = 0; i < holds->bucket_count; i++) {
        for (struct hold *hold = holds->buckets[i], *next; hold != NULL; hold = next) {
            next = hold->next;
            struct hold **bucket = bucket_of(&grown, hold->digest);
            hold->next = *bucket;
            *bucket = hold;
        }
    }
    free(holds->buckets);
    *holds = grown;
    return true;
}

bool holds_add(struct holds *holds, struct span key, size_t *ret_count)
{
    uint64_t digest = XXH3_64bits(key.data, key.len);
    struct hold **found = hold_find(holds, digest, key);
    if (found != NULL) {
        *ret_count = ++(*found)->count;
        return true;
    }
    if (holds->key_count >= holds->bucket_count)
        TRY(holds_grow(holds));
    struct hold *hold = malloc(sizeof *hold + key.len);
    if (hold == NULL)
        return false;
    struct hold **bucket = bucket_of(holds, digest);
    *hold = (struct hold){.next = *bucket, .digest = digest, .count = 1, .key_len = key.len};
    memcpy(hold->key, key.data, key.len);
    *bucket = hold;
    holds->key_count++;
    *ret_count = 1;
    return true;
}

size_t holds_drop(struct holds *holds, struct span key)
{
    struct hold **found = hold_find(holds, XXH3_64bits(key.data, key.len), key);
    if (found == NULL)
        return 0;
    struct hold *hold = *found;
    if (--hold->count > 0)
        return hold->count;
    *found = hold->next;
    free(hold);
    holds->key_count--;
    return 0;
}

void holds_walk(const struct holds *holds, void (*each)(void *context, struct span key),
                void *context)
{
    for (size_t i = 0; i < holds->bucket_count; i++)
        for (const struct hold *hold = holds->buckets[i]; hold != NULL; hold = hold->next)
            each(context, span_make(hold->key, hold->key_len));
}
