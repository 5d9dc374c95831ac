#include "ca/weather/settings.h"

#include "base/clock.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MICROSECONDS    1e6
#define DURATION_MAX_S  (30.0 * 86400)

const char *fault_name(size_t kind)
{
    static const char *const names[FAULT_KINDS] = {
        [FAULT_NONE] = "none",
        [FAULT_BAD_NONCE] = "bad-nonce",
        [FAULT_429] = "429",
        [FAULT_500] = "500",
        [FAULT_503] = "503",
        [FAULT_RESET] = "reset",
        [FAULT_RESET_UNHEARD] = "reset-unheard",
        [FAULT_TRUNCATE] = "truncate",
        [FAULT_SILENCE] = "silence",
        [FAULT_GOAWAY] = "goaway",
        [FAULT_OVERSIZED] = "oversized",
        [FAULT_BROKEN_JSON] = "broken-json",
        [FAULT_WRONG_TYPE] = "wrong-type",
        [FAULT_NOT_UTF8] = "not-utf8",
        [FAULT_EMPTY] = "empty",
    };
    return names[kind];
}

/* The names that a place by endpoint knows: the endpoints', then "default". */
static const char *endpoint_or_default(size_t index)
{
    return index < CA_ENDPOINTS ? ca_endpoint_name((enum ca_endpoint)index) : "default";
}

bool endpoints_read(const struct place *place, const json_t *object, field_read *read, void *array,
                    size_t size, struct error *error)
{
    if (!json_is_object(object))
        return place_error(place, error, "not an object of endpoints");
    for (int pass = 0; pass < 2; pass++) {
        for (void *at = json_object_iter((json_t *)object); at != NULL;
             at = json_object_iter_next((json_t *)object, at)) {
            const struct place here = {.above = place, .name = json_object_iter_key(at)};
            size_t index;
            TRY(name_find(place, here.name, endpoint_or_default, CA_ENDPOINTS + 1, &index, error));
            const json_t *value = json_object_iter_value(at);
            bool is_default = index == CA_ENDPOINTS;
            if (json_is_null(value) || is_default != (pass == 0))
                continue;
            size_t begin = is_default ? 0 : index;
            size_t end = is_default ? CA_ENDPOINTS : index + 1;
            for (size_t i = begin; i < end; i++)
                TRY(read(&here, value, (char *)array + i * size, error));
        }
    }
    return true;
}

/* Durations: {"fixed-s": 2}, {"lognormal-ms": {"median": 15000, "sigma": 0.5, "max": 60000}}. */

static const struct {
    const char *suffix;
    double seconds;
} units[] = {{"-ms", 0.001}, {"-s", 1}, {"-min", 60}, {"-h", 3600}};

struct lognormal {
    double median, sigma, max;
};

static bool read_positive(const struct place *place, const json_t *value, void *into,
                          struct error *error)
{
    return number_read(place, value, 1e-6, 1e12, into, error);
}

static bool read_sigma(const struct place *place, const json_t *value, void *into,
                       struct error *error)
{
    return number_read(place, value, 0, 10, into, error);
}

static const struct field lognormal_fields[] = {
    {"median", read_positive, offsetof(struct lognormal, median), false},
    {"sigma", read_sigma, offsetof(struct lognormal, sigma), false},
    {"max", read_positive, offsetof(struct lognormal, max), false},
};

static bool duration_within(const struct place *place, double seconds, struct error *error)
{
    if (seconds <= DURATION_MAX_S)
        return true;
    return place_error(place, error, "longer than 30 days");
}

static bool lognormal_read(const struct place *place, const json_t *value, double unit_s,
                           struct duration *ret_duration, struct error *error)
{
    struct lognormal found = {0};
    TRY(object_read(place, value, lognormal_fields, COUNT_OF(lognormal_fields), &found, error));
    if (!(found.median > 0))
        return place_error(place, error, "has no median");
    TRY(duration_within(place, found.median * unit_s, error));
    TRY(duration_within(place, found.max * unit_s, error));
    /* Without a maximum of its own: nothing here waits for longer than that. */
    double max_s = found.max > 0 ? found.max * unit_s : DURATION_MAX_S;
    *ret_duration = (struct duration){.median_us = found.median * unit_s * MICROSECONDS,
                                      .sigma = found.sigma,
                                      .max_us = max_s * MICROSECONDS};
    return true;
}

static bool duration_read_form(const struct place *place, const char *form, double unit_s,
                               const json_t *value, struct duration *ret_duration,
                               struct error *error)
{
    if (strcmp(form, "lognormal") == 0)
        return lognormal_read(place, value, unit_s, ret_duration, error);
    double number;
    TRY(number_read(place, value, 0, 1e12, &number, error));
    TRY(duration_within(place, number * unit_s, error));
    *ret_duration = (struct duration){.median_us = number * unit_s * MICROSECONDS};
    return true;
}

static bool read_duration(const struct place *place, const json_t *value, void *into,
                          struct error *error)
{
    if (!json_is_object(value) || json_object_size(value) != 1)
        return place_error(place, error,
                           "not a duration such as {\"fixed-ms\": 50} or "
                           "{\"lognormal-s\": {\"median\": 2, \"sigma\": 0.5, \"max\": 60}}");
    void *first = json_object_iter((json_t *)value);
    const struct place here = {.above = place, .name = json_object_iter_key(first)};
    static const char *const forms[] = {"fixed", "lognormal"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        size_t len = strlen(forms[i]);
        for (size_t u = 0; u < COUNT_OF(units); u++) {
            if (strncmp(here.name, forms[i], len) == 0 &&
                strcmp(here.name + len, units[u].suffix) == 0)
                return duration_read_form(&here, forms[i], units[u].seconds,
                                          json_object_iter_value(first), into, error);
        }
    }
    return place_error(&here, error,
                       "unknown, not \"fixed\" or \"lognormal\" and one of -ms, -s, -min, -h");
}

/* Faults. */

/* FAULT_NONE has no rate: the kinds a document may name begin behind it. */
static const char *fault_name_known(size_t index)
{
    return fault_name(index + 1);
}

static bool read_faults(const struct place *place, const json_t *value, void *into,
                        struct error *error)
{
    if (!json_is_object(value))
        return place_error(place, error, "not an object of faults and their rates");
    double rates[FAULT_KINDS] = {0};
    for (void *at = json_object_iter((json_t *)value); at != NULL;
         at = json_object_iter_next((json_t *)value, at)) {
        const struct place here = {.above = place, .name = json_object_iter_key(at)};
        size_t index;
        TRY(name_find(place, here.name, fault_name_known, FAULT_KINDS - 1, &index, error));
        if (!json_is_null(json_object_iter_value(at)))
            TRY(number_read(&here, json_object_iter_value(at), 0, 1, &rates[index + 1], error));
    }
    struct faults faults = {{0}};
    for (size_t kind = 1; kind < FAULT_KINDS; kind++)
        faults.until[kind] = faults.until[kind - 1] + rates[kind];
    /* Ten times 0.1 is a little more than 1. */
    if (faults.until[FAULT_KINDS - 1] > 1.0 + 1e-9)
        return place_error(place, error, "the rates are %g together, more than 1",
                           faults.until[FAULT_KINDS - 1]);
    memcpy(into, &faults, sizeof faults);
    return true;
}

/* Retry-After. */

static bool read_hint_seconds(const struct place *place, const json_t *value, void *into,
                              struct error *error)
{
    return number_read_whole(place, value, 0, INT64_C(30) * SECONDS_PER_DAY, into, error);
}

static const char *form_name(size_t index)
{
    static const char *const names[] = {"seconds", "date", "mixed"};
    return names[index];
}

static bool read_form(const struct place *place, const json_t *value, void *into,
                      struct error *error)
{
    for (size_t i = 0; i <= HINT_MIXED; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), form_name(i)) == 0) {
            *(enum hint_form *)into = (enum hint_form)i;
            return true;
        }
    }
    return place_error(place, error, "not \"seconds\", \"date\" or \"mixed\"");
}

static const struct field hint_fields[] = {
    {"seconds", read_hint_seconds, offsetof(struct hint, seconds), false},
    {"form", read_form, offsetof(struct hint, form), false},
};

static bool read_hint(const struct place *place, const json_t *value, void *into,
                      struct error *error)
{
    struct hint hint = {.seconds = 1};
    TRY(object_read(place, value, hint_fields, COUNT_OF(hint_fields), &hint, error));
    *(struct hint *)into = hint;
    return true;
}

/* The server's limits. */

static bool read_count(const struct place *place, const json_t *value, void *into,
                       struct error *error)
{
    int64_t count;
    TRY(number_read_whole(place, value, 0, INT32_MAX, &count, error));
    *(unsigned *)into = (unsigned)count;
    return true;
}

static const struct field server_fields[] = {
    {"connections", read_count, offsetof(struct server_limits, connections), false},
    {"connections-per-address", read_count, offsetof(struct server_limits, connections_per_address),
     false},
    {"streams", read_count, offsetof(struct server_limits, streams), false},
    {"requests-per-connection", read_count, offsetof(struct server_limits, requests_per_connection),
     false},
};

static bool read_server(const struct place *place, const json_t *value, void *into,
                        struct error *error)
{
    return object_read(place, value, server_fields, COUNT_OF(server_fields), into, error);
}

/* The document. */

static bool read_latency(const struct place *place, const json_t *value, void *into,
                         struct error *error)
{
    return endpoints_read(place, value, read_duration, into, sizeof(struct duration), error);
}

static bool read_faults_by_endpoint(const struct place *place, const json_t *value, void *into,
                                    struct error *error)
{
    return endpoints_read(place, value, read_faults, into, sizeof(struct faults), error);
}

static bool read_seed(const struct place *place, const json_t *value, void *into,
                      struct error *error)
{
    return number_read_whole(place, value, 0, INT64_MAX, into, error);
}

static const struct field document_fields[] = {
    {"seed", read_seed, offsetof(struct settings, seed), false},
    {"latency", read_latency, offsetof(struct settings, latency), false},
    {"processing", read_duration, offsetof(struct settings, processing), false},
    {"validation", read_duration, offsetof(struct settings, validation), false},
    {"faults", read_faults_by_endpoint, offsetof(struct settings, faults), false},
    {"retry-after", read_hint, offsetof(struct settings, retry_after), false},
    {"poll-after", read_hint, offsetof(struct settings, poll_after), false},
    {"limits", settings_read_limits, 0, false},
    {"server", read_server, offsetof(struct settings, server), false},
};

bool settings_read(const json_t *document, struct settings *ret_settings, struct error *error)
{
    const struct place root = {0};
    struct settings settings = {.retry_after = {.seconds = 1}};
    TRY(object_read(&root, document, document_fields, COUNT_OF(document_fields), &settings, error));
    *ret_settings = settings;
    return true;
}
