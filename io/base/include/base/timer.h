/* Timers: a binary heap of (deadline, cookie). Time is an argument. A timer is not cancelled: the
 * cookie names its owner with a generation, and an owner that is gone or moved on ignores it. */
#ifndef CERTMILL_BASE_TIMER_H
#define CERTMILL_BASE_TIMER_H

#include "base/result.h"

#include <stdint.h>

struct timer {
    int64_t at_ms;
    uint64_t cookie;
};

struct timers {
    struct timer *heap;
    size_t count;
    size_t capacity;
};

void timers_init(struct timers *timers);
void timers_free(struct timers *timers);

/* False only without memory. */
bool timers_add(struct timers *timers, int64_t at_ms, uint64_t cookie) MUST_USE;

/* Takes the earliest timer that is due at `now_ms`; false when none is. */
bool timers_take_due(struct timers *timers, int64_t now_ms, uint64_t *ret_cookie) MUST_USE;

/* Milliseconds until the earliest, 0 when one is due, -1 when there is none. */
int64_t timers_wait_ms(const struct timers *timers, int64_t now_ms);

#endif
