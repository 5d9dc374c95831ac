/* What a weather document says, as typed values: read from the document as a whole, then never
 * changed. Every duration in microseconds. */
#ifndef CERTMILL_CA_WEATHER_SETTINGS_H
#define CERTMILL_CA_WEATHER_SETTINGS_H

#include "ca/weather.h"
#include "ca/weather/fields.h"

/* All zero: takes no time. */
struct duration {
    double median_us; /* of a lognormal distribution, or the fixed value when sigma is 0 */
    double sigma;     /* of the logarithm */
    double max_us;    /* longer ones are cut; 0: not */
};

enum fault_kind {
    FAULT_NONE,
    FAULT_BAD_NONCE,
    FAULT_429,
    FAULT_500,
    FAULT_503,
    FAULT_RESET,
    FAULT_RESET_UNHEARD,
    FAULT_TRUNCATE,
    FAULT_SILENCE,
    FAULT_GOAWAY,
    FAULT_OVERSIZED,
    FAULT_BROKEN_JSON,
    FAULT_WRONG_TYPE,
    FAULT_NOT_UTF8,
    FAULT_EMPTY,
    FAULT_KINDS,
};
const char *fault_name(size_t kind);

/* The share of requests that meet this kind or one before it. */
struct faults {
    double until[FAULT_KINDS];
};

enum hint_form { HINT_SECONDS, HINT_DATE, HINT_MIXED };
struct hint {
    int64_t seconds; /* 0: none */
    enum hint_form form;
};

/* A token bucket. */
struct bucket_rule {
    int64_t count; /* it holds, and is refilled with in period_us; 0: no limit */
    int64_t period_us;
    double hours; /* as the document says it, before its time-scale */
};

struct settings {
    int64_t seed;
    struct duration latency[CA_ENDPOINTS];
    struct duration processing, validation;
    struct faults faults[CA_ENDPOINTS];
    struct hint retry_after, poll_after;
    struct bucket_rule new_orders, certificates_per_domain, certificates_per_names;
    /* Endpoints without a rule of their own share one bucket. */
    struct bucket_rule requests[CA_ENDPOINTS];
    bool requests_shared[CA_ENDPOINTS];
    struct server_limits server;
};

/* Reads a whole document, without "reset". */
bool settings_read(const json_t *document, struct settings *ret_settings,
                   struct error *error) MUST_USE;

/* Reads an object by endpoints into an array with an element of `size` for each of them: "default"
 * into all, then each that is named into its own. Null is as if it were not there. */
bool endpoints_read(const struct place *place, const json_t *object, field_read *read, void *array,
                    size_t size, struct error *error) MUST_USE;

field_read settings_read_limits; /* into a struct settings */

#endif
