#include "base/timer.h"

#include <stdlib.h>

void timers_init(struct timers *timers)
{
    *timers = (struct timers){0};
}

void timers_free(struct timers *timers)
{
    free(timers->heap);
    timers_init(timers);
}

bool timers_add(struct timers *timers, int64_t at_ms, uint64_t cookie)
{
    if (timers->count == timers->capacity) {
        size_t capacity = timers->capacity > 0 ? timers->capacity * 2 : 64;
        struct timer *heap = reallocarray(timers->heap, capacity, sizeof *heap);
        if (heap == NULL)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    size_t at = timers->count++;
    while (at > 0 && timers->heap[(at - 1) / 2].at_ms > at_ms) {
        timers->heap[at] = timers->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    timers->heap[at] = (struct timer){.at_ms = at_ms, .cookie = cookie};
    return true;
}

bool timers_take_due(struct timers *timers, int64_t now_ms, uint64_t *ret_cookie)
{
    if (timers->count == 0 || timers->heap[0].at_ms > now_ms)
        return false;
    *ret_cookie = timers->heap[0].cookie;
    struct timer last = timers->heap[--timers->count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->heap[child + 1].at_ms < timers->heap[child].at_ms)
            child++;
        if (timers->heap[child].at_ms >= last.at_ms)
            break;
        timers->heap[at] = timers->heap[child];
        at = child;
    }
    timers->heap[at] = last;
    return true;
}

int64_t timers_wait_ms(const struct timers *timers, int64_t now_ms)
{
    if (timers->count == 0)
        return -1;
    int64_t wait = timers->heap[0].at_ms - now_ms;
    return wait > 0 ? wait : 0;
}
