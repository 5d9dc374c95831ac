/* What the files of the weather share. */
#ifndef CERTMILL_CA_WEATHER_WEATHER_H
#define CERTMILL_CA_WEATHER_WEATHER_H

#include "ca/weather/buckets.h"
#include "ca/weather/draw.h"

#include <pthread.h>
#include <stdatomic.h>

enum limit_kind {
    LIMIT_REQUESTS,
    LIMIT_NEW_ORDERS,
    LIMIT_DOMAIN,
    LIMIT_NAMES,
    LIMIT_KINDS,
};

struct weather {
    uint64_t first_seed;
    pthread_mutex_t reading; /* one document after the other; guards `document` */
    json_t *document;        /* all that was read, merged */
    pthread_rwlock_t lock;   /* guards the settings */
    struct settings settings;
    struct buckets *buckets;
    atomic_uint_least64_t asked[CA_ENDPOINTS];
    atomic_uint_least64_t dealt[CA_ENDPOINTS][FAULT_KINDS];
    atomic_uint_least64_t limited[LIMIT_KINDS];
};

/* Writes a Retry-After value of so many seconds from now, or "" for none. */
void hint_write(const struct hint *hint, int64_t seconds, const struct draw *draw, enum draw_of of,
                int64_t now_us, char text[WEATHER_RETRY_AFTER_MAX]);

#endif
