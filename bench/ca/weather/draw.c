#include "ca/weather/draw.h"

#include <math.h>
#include <xxhash.h>

static double uniform(const struct draw *draw, uint64_t of)
{
    const uint64_t input[4] = {draw->seed, draw->endpoint, draw->number, of};
    /* The upper 53 bits are what a double holds. */
    return (double)(XXH3_64bits(input, sizeof input) >> 11) * 0x1p-53;
}

double draw_uniform(const struct draw *draw, enum draw_of of)
{
    return uniform(draw, 2 * (uint64_t)of);
}

int64_t draw_duration(const struct draw *draw, enum draw_of of, const struct duration *duration)
{
    if (!(duration->sigma > 0))
        return (int64_t)duration->median_us;
    /* Box and Muller: a normal number of two uniform ones. 1 - u is never 0. */
    double radius = sqrt(-2 * log(1 - uniform(draw, 2 * (uint64_t)of)));
    double normal = radius * cos(2 * M_PI * uniform(draw, 2 * (uint64_t)of + 1));
    double us = duration->median_us * exp(duration->sigma * normal);
    return (int64_t)(us < duration->max_us ? us : duration->max_us);
}

enum fault_kind draw_fault(const struct draw *draw, const struct faults *faults)
{
    if (!(faults->until[FAULT_KINDS - 1] > 0))
        return FAULT_NONE;
    double at = draw_uniform(draw, DRAW_FAULT);
    for (int kind = 1; kind < FAULT_KINDS; kind++) {
        if (at < faults->until[kind])
            return (enum fault_kind)kind;
    }
    return FAULT_NONE;
}
