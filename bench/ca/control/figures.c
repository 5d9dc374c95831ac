#include "ca/control/control.h"

#include "base/clock.h"

#include <string.h>
#include <sys/resource.h>

struct count {
    const char *name;
    size_t offset;
    bool is_level; /* not counted on: told as it is */
};

#define COUNT(type, member, text, level)           \
    {                                              \
        text, offsetof(struct type, member), level \
    }
static const struct count server_table[] = {
    COUNT(server_counts, connections, "connections", false),
    COUNT(server_counts, connections_now, "connections-now", true),
    COUNT(server_counts, connections_most, "connections-most", true),
    COUNT(server_counts, refused, "connections-refused", false),
    COUNT(server_counts, handshakes_full, "handshakes-full", false),
    COUNT(server_counts, handshakes_resumed, "handshakes-resumed", false),
    COUNT(server_counts, requests_http1, "requests-http1", false),
    COUNT(server_counts, requests_http2, "requests-http2", false),
    COUNT(server_counts, requests_now, "requests-now", true),
    COUNT(server_counts, requests_most, "requests-most", true),
    COUNT(server_counts, bytes_in, "bytes-in", false),
    COUNT(server_counts, bytes_out, "bytes-out", false),
};
static const struct count acme_table[] = {
    COUNT(acme_counts, accounts, "accounts", false),
    COUNT(acme_counts, orders, "orders", false),
    COUNT(acme_counts, authorizations, "authorizations", false),
    COUNT(acme_counts, issued, "issued", false),
    COUNT(acme_counts, revoked, "revoked", false),
    COUNT(acme_counts, nonces_given, "nonces-given", false),
    COUNT(acme_counts, nonces_refused, "nonces-refused", false),
    COUNT(acme_counts, problems, "problems", false),
};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static json_t *counts_write(const struct count *table, size_t size, const void *now,
                            const void *base)
{
    json_t *object = json_object();
    for (size_t i = 0; i < size; i++) {
        uint64_t value, before;
        memcpy(&value, (const char *)now + table[i].offset, sizeof value);
        memcpy(&before, (const char *)base + table[i].offset, sizeof before);
        json_object_set_new(object, table[i].name,
                            json_integer((json_int_t)(table[i].is_level ? value : value - before)));
    }
    return object;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static void now_take(struct control *control, struct figures_base *ret_now, long *ret_memory_kib)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    memset(ret_now, 0, sizeof *ret_now);
    ret_now->at_ms = clock_monotonic_ms();
    ret_now->cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    server_count(control->parts.server, &ret_now->server);
    acme_count(control->parts.acme, &ret_now->acme);
    *ret_memory_kib = usage.ru_maxrss;
}

json_t *figures_write(struct control *control)
{
    struct figures_base now;
    long memory_kib;
    pthread_mutex_lock(&control->lock);
    struct figures_base base = control->base;
    pthread_mutex_unlock(&control->lock);
    now_take(control, &now, &memory_kib);
    json_t *figures = json_pack(
        "{s:f, s:f, s:I, s:o, s:o, s:o}", "seconds", (double)(now.at_ms - base.at_ms) / 1000,
        "cpu-seconds", now.cpu_seconds - base.cpu_seconds, "memory-most-kib",
        (json_int_t)memory_kib, "requests", handler_figures(control->parts.handler), "acme",
        counts_write(acme_table, COUNT_OF(acme_table), &now.acme, &base.acme), "server",
        counts_write(server_table, COUNT_OF(server_table), &now.server, &base.server));
    json_t *weather = weather_figures(control->parts.weather);
    bool whole = figures != NULL && weather != NULL && json_object_update(figures, weather) == 0;
    json_decref(weather);
    if (whole)
        return figures;
    json_decref(figures);
    return NULL;
}

void figures_reset(struct control *control)
{
    struct figures_base now;
    long memory_kib;
    server_forget_most(control->parts.server);
    now_take(control, &now, &memory_kib);
    pthread_mutex_lock(&control->lock);
    control->base = now;
    pthread_mutex_unlock(&control->lock);
    handler_figures_reset(control->parts.handler);
    weather_figures_reset(control->parts.weather);
}
