#include "deploy/acm_pace.h"

#include <math.h>

#define SLOWEST    64 /* times slower than configured */
#define STEPS_BACK 16 /* answers from nothing to the full rate */

static const struct backoff pauses = {.first_ms = 1000, .cap_ms = 60000};

void acm_pace_init(struct acm_pace *pace, double rate, double burst, int64_t now_ms)
{
    *pace = (struct acm_pace){.full_rate = rate, .throttled_since_ms = -1};
    bucket_init(&pace->bucket, rate, burst, now_ms);
}

int64_t acm_pace_wait_ms(struct acm_pace *pace, int64_t now_ms)
{
    int64_t wait_ms = bucket_wait_ms(&pace->bucket, now_ms);
    int64_t pause_ms = pace->paused_until_ms - now_ms;
    return pause_ms > wait_ms ? pause_ms : wait_ms;
}

void acm_pace_take(struct acm_pace *pace)
{
    bucket_take(&pace->bucket);
}

void acm_pace_answered(struct acm_pace *pace)
{
    pace->throttled_since_ms = -1;
    pace->pauses = 0;
    pace->bucket.rate = fmin(pace->full_rate, pace->bucket.rate + pace->full_rate / STEPS_BACK);
}

void acm_pace_throttled(struct acm_pace *pace, int64_t now_ms, uint64_t random)
{
    if (pace->throttled_since_ms < 0)
        pace->throttled_since_ms = now_ms;
    if (now_ms < pace->paused_until_ms)
        return;
    /* What was saved up would go out in one burst after the pause. */
    (void)bucket_wait_ms(&pace->bucket, now_ms);
    pace->bucket.tokens = fmin(pace->bucket.tokens, 0);
    pace->bucket.rate = fmax(pace->bucket.rate / 2, pace->full_rate / SLOWEST);
    pace->paused_until_ms = now_ms + backoff_ms(&pauses, pace->pauses, -1, 0, random);
    pace->pauses++;
}

bool acm_pace_is_stuck(const struct acm_pace *pace, int64_t now_ms)
{
    return pace->throttled_since_ms >= 0 &&
           now_ms - pace->throttled_since_ms >= ACM_THROTTLED_MAX_MS;
}
