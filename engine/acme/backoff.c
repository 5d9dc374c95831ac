#include "acme/backoff.h"

#define RETRY_AFTER_MAX_S    ((int64_t)365 * 86400) /* keeps the arithmetic far from overflow */
#define BUCKET_WAIT_MAX_MS   ((int64_t)24 * 3600 * 1000)
#define TOKEN_ROUNDING_ERROR 1e-9

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* first x 2^attempt, at most the cap; at least 1, so that a retry never follows without a wait. */
static int64_t exponential_ms(const struct backoff *backoff, unsigned attempt)
{
    int64_t cap = backoff->cap_ms > 0 ? backoff->cap_ms : 1;
    int64_t wait = backoff->first_ms > 0 ? smaller(backoff->first_ms, cap) : 1;
    for (unsigned i = 0; i < attempt && wait < cap; i++)
        wait = wait > cap / 2 ? cap : wait * 2;
    return wait;
}

static int64_t below(uint64_t random, int64_t limit)
{
    return (int64_t)(random % ((uint64_t)limit + 1));
}

int64_t backoff_ms(const struct backoff *backoff, unsigned attempt, int64_t retry_after_s,
                   int64_t retry_after_cap_s, uint64_t random)
{
    /* A Retry-After of 0, or of a date that is past, must not make a loop without a wait. */
    if (retry_after_s <= 0) {
        int64_t wait = exponential_ms(backoff, attempt);
        return wait - wait / 2 + below(random, wait / 2);
    }
    int64_t cap_ms =
        smaller(retry_after_cap_s < 0 ? 0 : retry_after_cap_s, RETRY_AFTER_MAX_S) * 1000;
    int64_t asked_ms = smaller(retry_after_s, RETRY_AFTER_MAX_S) * 1000;
    /* Past the cap the moment is ours to choose: spread below it. */
    if (asked_ms > cap_ms)
        return cap_ms - below(random, cap_ms / 8);
    return smaller(asked_ms + below(random, asked_ms / 8), cap_ms);
}

void bucket_init(struct bucket *bucket, double rate, double burst, int64_t now_ms)
{
    bucket->rate = rate > 0 ? rate : 0;
    bucket->burst = burst > 1 ? burst : 1;
    bucket->tokens = bucket->burst;
    bucket->filled_ms = now_ms;
}

int64_t bucket_wait_ms(struct bucket *bucket, int64_t now_ms)
{
    if (!(bucket->rate > 0))
        return 0;
    if (now_ms > bucket->filled_ms) {
        bucket->tokens += (double)(now_ms - bucket->filled_ms) * bucket->rate / 1000;
        if (bucket->tokens > bucket->burst)
            bucket->tokens = bucket->burst;
        bucket->filled_ms = now_ms;
    }
    double missing = 1 - bucket->tokens;
    if (missing <= TOKEN_ROUNDING_ERROR)
        return 0;
    double wait = missing / bucket->rate * 1000;
    if (!(wait < (double)BUCKET_WAIT_MAX_MS))
        return BUCKET_WAIT_MAX_MS;
    int64_t whole = (int64_t)wait;
    return (double)whole < wait ? whole + 1 : whole;
}

void bucket_take(struct bucket *bucket)
{
    if (bucket->rate > 0)
        bucket->tokens -= 1;
}

uint64_t jitter_next(uint64_t *state)
{
    uint64_t x = *state != 0 ? *state : 0x9e3779b97f4a7c15U; /* 0 would give 0 for ever */
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dU;
}
