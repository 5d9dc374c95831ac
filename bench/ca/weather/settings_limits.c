#include "ca/weather/settings.h"

#include <string.h>

#define COUNT_OF(array)       (sizeof(array) / sizeof((array)[0]))
#define MICROSECONDS_PER_HOUR 3600e6
#define HOURS_MAX             (366.0 * 24)

/* Let's Encrypt's, as its documentation has them in 2026; requests by address and second, with the
 * bursts that its load balancers allow. */
static const struct bucket_rule orders_there = {.count = 300, .hours = 3};
static const struct bucket_rule domain_there = {.count = 50, .hours = 168};
static const struct bucket_rule names_there = {.count = 5, .hours = 168};
static const struct {
    enum ca_endpoint endpoint; /* CA_ENDPOINTS: all others, in one bucket */
    double rate, burst;
} requests_there[] = {
    {CA_ENDPOINTS, 250, 125},     {CA_DIRECTORY, 40, 40},   {CA_NEW_NONCE, 20, 10},
    {CA_NEW_ACCOUNT, 5, 15},      {CA_NEW_ORDER, 300, 200}, {CA_REVOKE, 10, 100},
    {CA_RENEWAL_INFO, 1000, 100},
};

struct limits {
    struct settings *settings;
    bool lets_encrypt;
    double time_scale;
};

static struct bucket_rule rule_by_second(double rate, double burst)
{
    int64_t count = (int64_t)burst;
    return (struct bucket_rule){.count = count, .period_us = (int64_t)((double)count / rate * 1e6)};
}

static void requests_as_there(struct settings *settings)
{
    for (size_t i = 0; i < COUNT_OF(requests_there); i++) {
        struct bucket_rule rule = rule_by_second(requests_there[i].rate, requests_there[i].burst);
        bool all = requests_there[i].endpoint == CA_ENDPOINTS;
        for (size_t endpoint = 0; endpoint < CA_ENDPOINTS; endpoint++) {
            if (!all && endpoint != requests_there[i].endpoint)
                continue;
            settings->requests[endpoint] = rule;
            settings->requests_shared[endpoint] = all;
        }
    }
}

static bool read_bucket_count(const struct place *place, const json_t *value, void *into,
                              struct error *error)
{
    return number_read_whole(place, value, 1, 1000000000, into, error);
}

static bool read_hours(const struct place *place, const json_t *value, void *into,
                       struct error *error)
{
    return number_read(place, value, 1e-6, HOURS_MAX, into, error);
}

static const struct field rule_fields[] = {
    {"count", read_bucket_count, offsetof(struct bucket_rule, count), false},
    {"hours", read_hours, offsetof(struct bucket_rule, hours), false},
};

static bool rule_read(const struct place *place, const json_t *value, void *into,
                      struct error *error)
{
    struct bucket_rule rule = {0};
    if (!json_is_null(value)) {
        TRY(object_read(place, value, rule_fields, COUNT_OF(rule_fields), &rule, error));
        if (rule.count == 0 || !(rule.hours > 0))
            return place_error(place, error, "needs \"count\" and \"hours\"");
    }
    *(struct bucket_rule *)into = rule;
    return true;
}

struct rate {
    double rate, burst;
};

static bool read_rate_number(const struct place *place, const json_t *value, void *into,
                             struct error *error)
{
    return number_read(place, value, 0.001, 1e6, into, error);
}

static bool read_burst(const struct place *place, const json_t *value, void *into,
                       struct error *error)
{
    return number_read(place, value, 1, 1e6, into, error);
}

static const struct field rate_fields[] = {
    {"rate", read_rate_number, offsetof(struct rate, rate), false},
    {"burst", read_burst, offsetof(struct rate, burst), false},
};

/* 20, or {"rate": 20, "burst": 10}. */
static bool read_rate(const struct place *place, const json_t *value, void *into,
                      struct error *error)
{
    struct rate found = {0};
    if (json_is_object(value))
        TRY(object_read(place, value, rate_fields, COUNT_OF(rate_fields), &found, error));
    else
        TRY(read_rate_number(place, value, &found.rate, error));
    if (!(found.rate > 0))
        return place_error(place, error, "has no rate");
    if (!(found.burst > 0))
        found.burst = found.rate > 1 ? found.rate : 1;
    *(struct bucket_rule *)into = rule_by_second(found.rate, found.burst);
    return true;
}

static bool read_requests(const struct place *place, const json_t *value, void *into,
                          struct error *error)
{
    struct settings *settings = ((struct limits *)into)->settings;
    memset(settings->requests, 0, sizeof settings->requests);
    for (size_t i = 0; i < CA_ENDPOINTS; i++)
        settings->requests_shared[i] = true;
    if (json_is_null(value))
        return true;
    TRY(endpoints_read(place, value, read_rate, settings->requests, sizeof settings->requests[0],
                       error));
    for (size_t i = 0; i < CA_ENDPOINTS; i++) {
        const json_t *own = json_object_get(value, ca_endpoint_name((enum ca_endpoint)i));
        settings->requests_shared[i] = own == NULL || json_is_null(own);
    }
    return true;
}

static bool read_new_orders(const struct place *place, const json_t *value, void *into,
                            struct error *error)
{
    return rule_read(place, value, &((struct limits *)into)->settings->new_orders, error);
}

static bool read_domain(const struct place *place, const json_t *value, void *into,
                        struct error *error)
{
    struct settings *settings = ((struct limits *)into)->settings;
    return rule_read(place, value, &settings->certificates_per_domain, error);
}

static bool read_names(const struct place *place, const json_t *value, void *into,
                       struct error *error)
{
    struct settings *settings = ((struct limits *)into)->settings;
    return rule_read(place, value, &settings->certificates_per_names, error);
}

static bool read_lets_encrypt(const struct place *place, const json_t *value, void *into,
                              struct error *error)
{
    (void)into; /* taken before the others, which may override it */
    return json_is_boolean(value) || place_error(place, error, "not true or false");
}

static bool read_time_scale(const struct place *place, const json_t *value, void *into,
                            struct error *error)
{
    return number_read(place, value, 1e-3, 1e9, &((struct limits *)into)->time_scale, error);
}

static const struct field limits_fields[] = {
    {"lets-encrypt", read_lets_encrypt, 0, false},
    {"new-orders-per-account", read_new_orders, 0, true},
    {"certificates-per-domain", read_domain, 0, true},
    {"certificates-per-names", read_names, 0, true},
    {"requests-per-second", read_requests, 0, true},
    {"time-scale", read_time_scale, 0, false},
};

static void rule_scale(struct bucket_rule *rule, double time_scale)
{
    double period_us = rule->hours * MICROSECONDS_PER_HOUR / time_scale;
    rule->period_us = period_us >= 1 ? (int64_t)period_us : 1;
}

bool settings_read_limits(const struct place *place, const json_t *value, void *into,
                          struct error *error)
{
    struct settings *settings = into;
    struct limits limits = {.settings = settings, .time_scale = 1};
    if (json_flag(value, "lets-encrypt", false)) {
        settings->new_orders = orders_there;
        settings->certificates_per_domain = domain_there;
        settings->certificates_per_names = names_there;
        requests_as_there(settings);
    }
    TRY(object_read(place, value, limits_fields, COUNT_OF(limits_fields), &limits, error));
    rule_scale(&settings->new_orders, limits.time_scale);
    rule_scale(&settings->certificates_per_domain, limits.time_scale);
    rule_scale(&settings->certificates_per_names, limits.time_scale);
    return true;
}
