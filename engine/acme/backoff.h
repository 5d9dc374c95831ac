/* When to try again, and how fast to go: pure arithmetic over time and randomness given as
 * arguments. */
#ifndef CERTMILL_ACME_BACKOFF_H
#define CERTMILL_ACME_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff {
    int64_t first_ms; /* the first wait */
    int64_t cap_ms;   /* the longest */
};

/* Wait before attempt number `attempt` (0 is the first retry): exponential with full jitter in its
 * upper half. A Retry-After (seconds; negative: none) comes first, plus up to 1/8 of jitter so that
 * thousands of orders do not come back in one moment, but no more than `retry_after_cap_s`. */
int64_t backoff_ms(const struct backoff *backoff, unsigned attempt, int64_t retry_after_s,
                   int64_t retry_after_cap_s, uint64_t random);

/* A token bucket: `rate` a second, bursts of up to `burst`. rate 0: no limit. */
struct bucket {
    double rate, burst, tokens;
    int64_t filled_ms;
};
void bucket_init(struct bucket *bucket, double rate, double burst, int64_t now_ms);
/* How long to wait until one token is there; 0: now. Taking is apart from asking. */
int64_t bucket_wait_ms(struct bucket *bucket, int64_t now_ms);
void bucket_take(struct bucket *bucket);

/* xorshift64*: jitter only, never for secrets. */
uint64_t jitter_next(uint64_t *state);

#endif
