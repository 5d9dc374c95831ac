#include "acme/nonce.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct nonce {
    uint64_t digest; /* to find a repeated one without touching the texts */
    int64_t put_ms;
    char *text;
};

/* A ring whose end is the newest: taken from the end, and when it is full the oldest makes room. */
struct nonce_pool {
    struct nonce *ring;
    char *texts; /* NONCE_MAX + 1 bytes for each place of the ring */
    size_t limit;
    size_t first;
    size_t count;
};

struct nonce_pool *nonce_pool_new(size_t limit)
{
    if (limit == 0)
        limit = 1;
    struct nonce_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->limit = limit;
    pool->ring = calloc(limit, sizeof *pool->ring);
    pool->texts = calloc(limit, NONCE_MAX + 1);
    if (pool->ring == NULL || pool->texts == NULL) {
        nonce_pool_free(pool);
        return NULL;
    }
    for (size_t i = 0; i < limit; i++)
        pool->ring[i].text = pool->texts + i * (NONCE_MAX + 1);
    return pool;
}

void nonce_pool_free(struct nonce_pool *pool)
{
    if (pool == NULL)
        return;
    free(pool->ring);
    free(pool->texts);
    free(pool);
}

static bool is_nonce(struct span text)
{
    if (text.len == 0 || text.len > NONCE_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static struct nonce *nonce_at(const struct nonce_pool *pool, size_t index)
{
    size_t place = pool->first + index;
    return &pool->ring[place < pool->limit ? place : place - pool->limit];
}

static bool pool_has(const struct nonce_pool *pool, uint64_t digest, struct span text)
{
    for (size_t i = 0; i < pool->count; i++) {
        const struct nonce *nonce = nonce_at(pool, i);
        if (nonce->digest == digest && span_is(text, nonce->text))
            return true;
    }
    return false;
}

void nonce_put(struct nonce_pool *pool, struct span nonce, int64_t now_ms)
{
    if (!is_nonce(nonce))
        return;
    uint64_t digest = XXH3_64bits(nonce.data, nonce.len);
    if (pool_has(pool, digest, nonce))
        return;
    if (pool->count == pool->limit) {
        pool->first = pool->first + 1 < pool->limit ? pool->first + 1 : 0;
        pool->count--;
    }
    struct nonce *place = nonce_at(pool, pool->count++);
    place->digest = digest;
    place->put_ms = now_ms;
    memcpy(place->text, nonce.data, nonce.len);
    place->text[nonce.len] = '\0';
}

bool nonce_take(struct nonce_pool *pool, int64_t now_ms, char *text)
{
    if (pool->count == 0)
        return false;
    const struct nonce *newest = nonce_at(pool, pool->count - 1);
    if (now_ms - newest->put_ms > NONCE_AGE_MAX_MS) {
        pool->count = 0; /* the others are older still */
        return false;
    }
    pool->count--;
    memcpy(text, newest->text, strlen(newest->text) + 1);
    return true;
}

size_t nonce_count(const struct nonce_pool *pool)
{
    return pool->count;
}
