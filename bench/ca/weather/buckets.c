#include "ca/weather/buckets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Keys are hashes already: the upper bits choose the shard, the lower the cell. */
#define SHARD_BITS      6
#define SHARDS          (1u << SHARD_BITS)
#define CELLS_FIRST     64
#define CELLS_SHARD_MAX (1u << 17) /* 2 MiB a shard, four million buckets of all */

struct cell {
    uint64_t key; /* 0: free */
    int64_t full_at_us;
};

struct shard {
    pthread_mutex_t lock;
    struct cell *cells;
    size_t capacity; /* a power of two */
    size_t used;
};

struct buckets {
    struct shard shards[SHARDS];
};

bool buckets_new(struct buckets **ret_buckets, struct error *error)
{
    struct buckets *buckets = calloc(1, sizeof *buckets);
    if (buckets == NULL)
        return error_set(error, ERROR_MEMORY, "no memory");
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&buckets->shards[i].lock, NULL);
    *ret_buckets = buckets;
    return true;
}

void buckets_free(struct buckets *buckets)
{
    if (buckets == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&buckets->shards[i].lock);
        free(buckets->shards[i].cells);
    }
    free(buckets);
}

static void shard_forget(struct shard *shard)
{
    if (shard->cells != NULL)
        memset(shard->cells, 0, shard->capacity * sizeof *shard->cells);
    shard->used = 0;
}

void buckets_forget(struct buckets *buckets)
{
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&buckets->shards[i].lock);
        shard_forget(&buckets->shards[i]);
        pthread_mutex_unlock(&buckets->shards[i].lock);
    }
}

static struct cell *cell_find(struct cell *cells, size_t capacity, uint64_t key)
{
    size_t at = key & (capacity - 1);
    while (cells[at].key != 0 && cells[at].key != key)
        at = (at + 1) & (capacity - 1);
    return &cells[at];
}

/* Makes room: a bucket that is full is the same as none, and goes first. */
static bool shard_grow(struct shard *shard, int64_t now_us)
{
    size_t needed = 0;
    for (size_t i = 0; i < shard->capacity; i++)
        needed += shard->cells[i].key != 0 && shard->cells[i].full_at_us > now_us;
    size_t capacity = CELLS_FIRST;
    while (capacity < 2 * (needed + 1))
        capacity *= 2;
    if (capacity > CELLS_SHARD_MAX) {
        shard_forget(shard);
        return true;
    }
    struct cell *cells = calloc(capacity, sizeof *cells);
    if (cells == NULL)
        return false;
    for (size_t i = 0; i < shard->capacity; i++) {
        if (shard->cells[i].key != 0 && shard->cells[i].full_at_us > now_us)
            *cell_find(cells, capacity, shard->cells[i].key) = shard->cells[i];
    }
    free(shard->cells);
    shard->cells = cells;
    shard->capacity = capacity;
    shard->used = needed;
    return true;
}

static bool shard_take(struct shard *shard, uint64_t key, const struct bucket_rule *rule,
                       int64_t now_us, bool spend, int64_t *ret_wait_us)
{
    if (4 * (shard->used + 1) > 3 * shard->capacity && !shard_grow(shard, now_us))
        return true;
    struct cell *cell = cell_find(shard->cells, shard->capacity, key);
    int64_t full_at_us = cell->key != 0 && cell->full_at_us > now_us ? cell->full_at_us : now_us;
    /* No bucket is more than empty; one that a longer rule has left behind would be. */
    if (full_at_us > now_us + rule->period_us)
        full_at_us = now_us + rule->period_us;
    int64_t after_us = full_at_us + rule->period_us / rule->count;
    if (after_us > now_us + rule->period_us) {
        *ret_wait_us = after_us - (now_us + rule->period_us);
        return false;
    }
    if (spend) {
        shard->used += cell->key == 0;
        *cell = (struct cell){.key = key, .full_at_us = after_us};
    }
    return true;
}

static bool bucket_ask(struct buckets *buckets, uint64_t key, const struct bucket_rule *rule,
                       int64_t now_us, bool spend, int64_t *ret_wait_us)
{
    if (rule->count == 0)
        return true;
    key += key == 0;
    struct shard *shard = &buckets->shards[key >> (64 - SHARD_BITS)];
    pthread_mutex_lock(&shard->lock);
    bool has = shard_take(shard, key, rule, now_us, spend, ret_wait_us);
    pthread_mutex_unlock(&shard->lock);
    return has;
}

bool buckets_take(struct buckets *buckets, uint64_t key, const struct bucket_rule *rule,
                  int64_t now_us, int64_t *ret_wait_us)
{
    return bucket_ask(buckets, key, rule, now_us, true, ret_wait_us);
}

bool buckets_have(struct buckets *buckets, uint64_t key, const struct bucket_rule *rule,
                  int64_t now_us, int64_t *ret_wait_us)
{
    return bucket_ask(buckets, key, rule, now_us, false, ret_wait_us);
}
