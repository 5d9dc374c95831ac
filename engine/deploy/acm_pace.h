/* The pace of calls to one AWS account and region: a token bucket whose rate is halved when AWS
 * throttles and grows back with each answer (additive increase, multiplicative decrease). Time is
 * an argument, in milliseconds. */
#ifndef CERTMILL_DEPLOY_ACM_PACE_H
#define CERTMILL_DEPLOY_ACM_PACE_H

#include "acme/backoff.h"

/* Without any success for so long, throttling is an error. */
#define ACM_THROTTLED_MAX_MS ((int64_t)10 * 60 * 1000)

struct acm_pace {
    struct bucket bucket;
    double full_rate; /* calls a second, as configured */
    int64_t paused_until_ms;
    int64_t throttled_since_ms; /* -1: not since the last success */
    unsigned pauses;            /* in a row */
};

void acm_pace_init(struct acm_pace *pace, double rate, double burst, int64_t now_ms);
/* Milliseconds until the next call may go; 0: now. */
int64_t acm_pace_wait_ms(struct acm_pace *pace, int64_t now_ms);
void acm_pace_take(struct acm_pace *pace);
/* AWS took a call, or refused it for another reason than its rate. */
void acm_pace_answered(struct acm_pace *pace);
/* `random` spreads the pause. Calls that were out together count as one. */
void acm_pace_throttled(struct acm_pace *pace, int64_t now_ms, uint64_t random);
bool acm_pace_is_stuck(const struct acm_pace *pace, int64_t now_ms);

#endif
