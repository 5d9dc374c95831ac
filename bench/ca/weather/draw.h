/* Chance without a state: what comes out depends on nothing but the numbers that go in, so that
 * threads may ask in any order and a run can be repeated. */
#ifndef CERTMILL_CA_WEATHER_DRAW_H
#define CERTMILL_CA_WEATHER_DRAW_H

#include "ca/weather/settings.h"

/* Which decision about a request is drawn: each is independent of the others. */
enum draw_of { DRAW_FAULT, DRAW_LATENCY, DRAW_WORK, DRAW_RETRY_FORM, DRAW_POLL_FORM };

struct draw {
    uint64_t seed, endpoint, number; /* of the request among the endpoint's */
};

double draw_uniform(const struct draw *draw, enum draw_of of); /* [0, 1) */
int64_t draw_duration(const struct draw *draw, enum draw_of of, const struct duration *duration);
enum fault_kind draw_fault(const struct draw *draw, const struct faults *faults);

#endif
