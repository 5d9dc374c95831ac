#include "run/pace.h"

void pace_allow(struct pace *pace, double requests_per_second, int64_t now_ms)
{
    double burst = requests_per_second > 10 ? requests_per_second / 10 : 1;
    bucket_init(&pace->allowed, requests_per_second, burst, now_ms);
}

void pace_init(struct pace *pace, int64_t now_ms)
{
    pthread_mutex_init(&pace->lock, NULL);
    pace_allow(pace, 0, now_ms);
    for (size_t i = 0; i < PACE_KINDS; i++)
        limiter_init(&pace->kinds[i], now_ms);
}

void pace_free(struct pace *pace)
{
    pthread_mutex_destroy(&pace->lock);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t pace_take(struct pace *pace, enum pace_kind kind, struct limiter *lane, int64_t now_ms)
{
    pthread_mutex_lock(&pace->lock);
    int64_t wait_ms =
        later(bucket_wait_ms(&pace->allowed, now_ms), limiter_wait_ms(&pace->kinds[kind], now_ms));
    if (lane != NULL)
        wait_ms = later(wait_ms, limiter_wait_ms(lane, now_ms));
    if (wait_ms == 0) {
        bucket_take(&pace->allowed);
        limiter_take(&pace->kinds[kind]);
        if (lane != NULL)
            limiter_take(lane);
    }
    pthread_mutex_unlock(&pace->lock);
    return wait_ms;
}

void pace_return(struct pace *pace, enum pace_kind kind, struct limiter *lane)
{
    pthread_mutex_lock(&pace->lock);
    pace->allowed.tokens += 1;
    limiter_return(&pace->kinds[kind]);
    if (lane != NULL)
        limiter_return(lane);
    pthread_mutex_unlock(&pace->lock);
}

static void tell(struct limiter *limiter, enum pace_verdict verdict, int64_t sent_ms,
                 int64_t retry_after_s, int64_t now_ms)
{
    if (verdict == PACE_SERVED)
        limiter_served(limiter, sent_ms, now_ms);
    else if (verdict == PACE_REFUSED)
        limiter_refused(limiter, sent_ms, retry_after_s, now_ms);
    else
        limiter_unknown(limiter);
}

void pace_answer(struct pace *pace, enum pace_kind kind, struct limiter *lane,
                 enum pace_verdict verdict, int64_t sent_ms, int64_t retry_after_s, int64_t now_ms)
{
    bool by_lane = verdict == PACE_LANE_REFUSED;
    pthread_mutex_lock(&pace->lock);
    /* What the account's limit refuses the address's has let pass, and the other way round nothing
     * is known. */
    tell(&pace->kinds[kind], by_lane ? PACE_SERVED : verdict, sent_ms, retry_after_s, now_ms);
    if (lane != NULL) {
        if (by_lane)
            verdict = PACE_REFUSED;
        else if (verdict == PACE_REFUSED)
            verdict = PACE_UNKNOWN;
        tell(lane, verdict, sent_ms, retry_after_s, now_ms);
    }
    pthread_mutex_unlock(&pace->lock);
}
