#include "ca/weather/weather.h"

#include <stdlib.h>
#include <string.h>

bool weather_new(uint64_t seed, struct weather **ret_weather, struct error *error)
{
    struct weather *weather = calloc(1, sizeof *weather);
    if (weather == NULL)
        return error_set(error, ERROR_MEMORY, "no memory");
    pthread_mutex_init(&weather->reading, NULL);
    pthread_rwlock_init(&weather->lock, NULL);
    weather->first_seed = seed & INT64_MAX;
    CLEANUP(json_release)
    json_t *document = json_pack("{s:b}", "reset", 1);
    if (!buckets_new(&weather->buckets, error) || !weather_read(weather, document, error)) {
        weather_free(weather);
        return false;
    }
    *ret_weather = weather;
    return true;
}

void weather_free(struct weather *weather)
{
    if (weather == NULL)
        return;
    pthread_mutex_destroy(&weather->reading);
    pthread_rwlock_destroy(&weather->lock);
    json_decref(weather->document);
    buckets_free(weather->buckets);
    free(weather);
}

/* These keep members that a later document does not name; all else is replaced as a whole. */
static bool is_merged(const char *name)
{
    static const char *const merged[] = {"latency", "faults", "limits", "server"};
    for (size_t i = 0; i < sizeof merged / sizeof merged[0]; i++) {
        if (strcmp(name, merged[i]) == 0)
            return true;
    }
    return false;
}

/* Both are the caller's own copies. */
static bool document_merge(json_t *into, json_t *from)
{
    const char *name;
    json_t *value;
    json_object_foreach(from, name, value)
    {
        json_t *before = json_object_get(into, name);
        bool merge = is_merged(name) && json_is_object(before) && json_is_object(value);
        if ((merge ? json_object_update(before, value) : json_object_set(into, name, value)) != 0)
            return false;
    }
    return true;
}

/* The document as it shall hold, from what held and what came; NULL without memory. */
static json_t *document_make(const struct weather *weather, const json_t *came, bool reset)
{
    CLEANUP(json_release) json_t *part = json_deep_copy(came);
    CLEANUP(json_release)
    json_t *whole = reset ? json_pack("{s:I}", "seed", (json_int_t)weather->first_seed)
                          : json_deep_copy(weather->document);
    if (part == NULL || whole == NULL)
        return NULL;
    json_object_del(part, "reset");
    return document_merge(whole, part) ? json_incref(whole) : NULL;
}

static void count_from_first(struct weather *weather)
{
    for (size_t i = 0; i < CA_ENDPOINTS; i++)
        atomic_store_explicit(&weather->asked[i], 0, memory_order_relaxed);
}

/* Takes over the document when it can be read. */
static bool document_take(struct weather *weather, json_t *document, struct error *error)
{
    struct settings settings;
    TRY(settings_read(document, &settings, error));
    json_decref(weather->document);
    weather->document = json_incref(document);
    pthread_rwlock_wrlock(&weather->lock);
    weather->settings = settings;
    pthread_rwlock_unlock(&weather->lock);
    return true;
}

bool weather_read(struct weather *weather, const json_t *document, struct error *error)
{
    if (!json_is_object(document))
        return error_set(error, ERROR_CONFIG, "the weather is not a JSON object");
    const json_t *wish = json_object_get(document, "reset");
    if (wish != NULL && !json_is_boolean(wish))
        return error_set(error, ERROR_CONFIG, "reset: not true or false");
    bool reset = json_is_true(wish);
    pthread_mutex_lock(&weather->reading);
    CLEANUP(json_release) json_t *whole = document_make(weather, document, reset);
    bool taken = whole != NULL ? document_take(weather, whole, error)
                               : error_set(error, ERROR_MEMORY, "no memory");
    pthread_mutex_unlock(&weather->reading);
    TRY(taken);
    if (reset)
        buckets_forget(weather->buckets);
    if (reset || json_is_integer(json_object_get(document, "seed")))
        count_from_first(weather);
    return true;
}

json_t *weather_write(struct weather *weather)
{
    pthread_mutex_lock(&weather->reading);
    json_t *document = json_deep_copy(weather->document);
    pthread_mutex_unlock(&weather->reading);
    return document;
}

void weather_server_limits(struct weather *weather, struct server_limits *ret_limits)
{
    pthread_rwlock_rdlock(&weather->lock);
    *ret_limits = weather->settings.server;
    pthread_rwlock_unlock(&weather->lock);
}

static const char *limit_name(size_t kind)
{
    static const char *const names[LIMIT_KINDS] = {
        [LIMIT_REQUESTS] = "requests-per-second",
        [LIMIT_NEW_ORDERS] = "new-orders-per-account",
        [LIMIT_DOMAIN] = "certificates-per-domain",
        [LIMIT_NAMES] = "certificates-per-names",
    };
    return names[kind];
}

/* Those that are not zero; NULL without memory. */
static json_t *counts_write(atomic_uint_least64_t *counts, size_t count, const char *name(size_t))
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        uint64_t value = atomic_load_explicit(&counts[i], memory_order_relaxed);
        if (value > 0)
            json_object_set_new(object, name(i), json_integer((json_int_t)value));
    }
    return object;
}

json_t *weather_figures(struct weather *weather)
{
    json_t *faults = json_object();
    for (size_t i = 0; i < CA_ENDPOINTS; i++) {
        json_t *dealt = counts_write(weather->dealt[i], FAULT_KINDS, fault_name);
        if (json_object_size(dealt) > 0)
            json_object_set(faults, ca_endpoint_name((enum ca_endpoint)i), dealt);
        json_decref(dealt);
    }
    json_t *limited = counts_write(weather->limited, LIMIT_KINDS, limit_name);
    return json_pack("{s:o, s:o}", "faults", faults, "limited", limited);
}

void weather_figures_reset(struct weather *weather)
{
    for (size_t i = 0; i < CA_ENDPOINTS; i++)
        for (size_t kind = 0; kind < FAULT_KINDS; kind++)
            atomic_store_explicit(&weather->dealt[i][kind], 0, memory_order_relaxed);
    for (size_t kind = 0; kind < LIMIT_KINDS; kind++)
        atomic_store_explicit(&weather->limited[kind], 0, memory_order_relaxed);
}
