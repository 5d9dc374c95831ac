#include "responder/tokens.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct token_entry {
    struct token_entry *next;
    uint64_t hash;
    unsigned puts;
    unsigned short token_len;
    unsigned short answer_len;
    char text[]; /* the token, then the answer */
};

void tokens_init(struct tokens *tokens)
{
    *tokens = (struct tokens){0};
    pthread_mutex_init(&tokens->lock, NULL);
}

void tokens_free(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->bucket_count; i++) {
        while (tokens->buckets[i].first != NULL) {
            struct token_entry *entry = tokens->buckets[i].first;
            tokens->buckets[i].first = entry->next;
            free(entry);
        }
    }
    free(tokens->buckets);
    pthread_mutex_destroy(&tokens->lock);
}

static bool has_length(struct span token)
{
    return token.len > 0 && token.len <= RESPONDER_TOKEN_MAX;
}

static bool buckets_grow(struct tokens *tokens)
{
    if (tokens->count < tokens->bucket_count)
        return true;
    size_t count = tokens->bucket_count == 0 ? 64 : tokens->bucket_count * 2;
    struct token_bucket *buckets = calloc(count, sizeof *buckets);
    if (buckets == NULL)
        return false;
    for (size_t i = 0; i < tokens->bucket_count; i++) {
        while (tokens->buckets[i].first != NULL) {
            struct token_entry *entry = tokens->buckets[i].first;
            tokens->buckets[i].first = entry->next;
            entry->next = buckets[entry->hash & (count - 1)].first;
            buckets[entry->hash & (count - 1)].first = entry;
        }
    }
    free(tokens->buckets);
    tokens->buckets = buckets;
    tokens->bucket_count = count;
    return true;
}

/* Where the pointer to the entry stands, or where a new one's would; NULL before any was put. */
static struct token_entry **entry_find(const struct tokens *tokens, struct span token,
                                       uint64_t hash)
{
    if (tokens->bucket_count == 0)
        return NULL;
    struct token_entry **at = &tokens->buckets[hash & (tokens->bucket_count - 1)].first;
    while (*at != NULL &&
           ((*at)->hash != hash || !span_equal(span_make((*at)->text, (*at)->token_len), token)))
        at = &(*at)->next;
    return at;
}

static struct token_entry *entry_new(struct span token, struct span answer, uint64_t hash)
{
    struct token_entry *entry = malloc(sizeof *entry + token.len + answer.len);
    if (entry == NULL)
        return NULL;
    *entry = (struct token_entry){
        .hash = hash,
        .puts = 1,
        .token_len = (unsigned short)token.len,
        .answer_len = (unsigned short)answer.len,
    };
    memcpy(entry->text, token.data, token.len);
    if (answer.len > 0)
        memcpy(entry->text + token.len, answer.data, answer.len);
    return entry;
}

static bool put_locked(struct tokens *tokens, struct token_entry *entry)
{
    if (!buckets_grow(tokens))
        return false;
    struct token_entry **at =
        entry_find(tokens, span_make(entry->text, entry->token_len), entry->hash);
    struct token_entry *old = *at;
    if (old == NULL && tokens->count == RESPONDER_TOKENS_MAX)
        return false;
    if (old != NULL) {
        entry->next = old->next;
        entry->puts = old->puts + 1;
        free(old);
    } else {
        tokens->count++;
    }
    *at = entry;
    return true;
}

bool tokens_put(struct tokens *tokens, struct span token, struct span answer)
{
    if (!has_length(token) || answer.len > RESPONDER_ANSWER_MAX)
        return false;
    struct token_entry *entry = entry_new(token, answer, XXH3_64bits(token.data, token.len));
    if (entry == NULL)
        return false;
    pthread_mutex_lock(&tokens->lock);
    bool ok = put_locked(tokens, entry);
    pthread_mutex_unlock(&tokens->lock);
    if (!ok)
        free(entry);
    return ok;
}

void tokens_remove(struct tokens *tokens, struct span token)
{
    if (!has_length(token))
        return;
    uint64_t hash = XXH3_64bits(token.data, token.len);
    struct token_entry *gone = NULL;
    pthread_mutex_lock(&tokens->lock);
    struct token_entry **at = entry_find(tokens, token, hash);
    if (at != NULL && *at != NULL && --(*at)->puts == 0) {
        gone = *at;
        *at = gone->next;
        tokens->count--;
    }
    pthread_mutex_unlock(&tokens->lock);
    free(gone);
}

bool tokens_find(struct tokens *tokens, struct span token, char *answer, size_t *ret_len)
{
    if (!has_length(token))
        return false;
    uint64_t hash = XXH3_64bits(token.data, token.len);
    pthread_mutex_lock(&tokens->lock);
    struct token_entry **at = entry_find(tokens, token, hash);
    const struct token_entry *entry = at != NULL ? *at : NULL;
    if (entry != NULL) {
        memcpy(answer, entry->text + entry->token_len, entry->answer_len);
        *ret_len = entry->answer_len;
    }
    pthread_mutex_unlock(&tokens->lock);
    return entry != NULL;
}
