/* Rate limits of new orders: of the account, of registered domains, of sets of names. */
#include "ca/weather/names.h"

#include "ca/weather/weather.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MICROSECONDS 1000000

struct span registered_domain(const char *name)
{
    static const char *const second[] = {"ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"};
    unsigned char address[sizeof(struct in6_addr)];
    struct span rest = span_of(strncmp(name, "*.", 2) == 0 ? name + 2 : name);
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return rest;
    /* Where the last three labels begin, the last first. */
    size_t begins[3] = {0};
    size_t labels = 1;
    for (size_t i = rest.len; i > 0 && labels < 4; i--) {
        if (rest.data[i - 1] == '.')
            begins[labels++ - 1] = i;
    }
    if (labels < 4)
        begins[labels - 1] = 0;
    if (labels < 3)
        return rest;
    struct span top = span_from(rest, begins[0]);
    struct span below = span_make(rest.data + begins[1], begins[0] - 1 - begins[1]);
    bool by_country = false;
    for (size_t i = 0; top.len == 2 && i < sizeof second / sizeof second[0]; i++)
        by_country |= span_is(below, second[i]);
    return span_from(rest, begins[by_country ? 2 : 1]);
}

/* The same for every order of the names. */
static uint64_t names_key(const struct acme_wish *wish)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < wish->name_count; i++)
        sum += XXH3_64bits_withSeed(wish->names[i], strlen(wish->names[i]), LIMIT_NAMES);
    return XXH3_64bits_withSeed(&sum, sizeof sum, LIMIT_NAMES);
}

static uint64_t account_key(uint64_t account)
{
    return XXH3_64bits_withSeed(&account, sizeof account, LIMIT_NEW_ORDERS);
}

static uint64_t domain_key(struct span domain)
{
    return XXH3_64bits_withSeed(domain.data, domain.len, LIMIT_DOMAIN);
}

typedef bool bucket_call(struct buckets *buckets, uint64_t key, const struct bucket_rule *rule,
                         int64_t now_us, int64_t *ret_wait_us);

/* What stands against the order: a limit, or LIMIT_KINDS. */
struct finding {
    enum limit_kind limit;
    int64_t wait_us;
    struct span domain;
};

/* A name whose registered domain an earlier name of the order has already. */
static bool domain_is_counted(const struct acme_wish *wish, size_t at, struct span domain)
{
    for (size_t i = 0; i < at; i++) {
        if (span_equal(registered_domain(wish->names[i]), domain))
            return true;
    }
    return false;
}

static struct finding limits_walk(struct weather *weather, const struct acme_wish *wish,
                                  bucket_call *call)
{
    const struct settings *settings = &weather->settings;
    struct buckets *buckets = weather->buckets;
    struct finding found = {.limit = LIMIT_NEW_ORDERS};
    if (!call(buckets, account_key(wish->account), &settings->new_orders, wish->now_us,
              &found.wait_us))
        return found;
    found.limit = LIMIT_DOMAIN;
    const struct bucket_rule *rule = &settings->certificates_per_domain;
    for (size_t i = 0; rule->count > 0 && i < wish->name_count; i++) {
        found.domain = registered_domain(wish->names[i]);
        if (!domain_is_counted(wish, i, found.domain) &&
            !call(buckets, domain_key(found.domain), rule, wish->now_us, &found.wait_us))
            return found;
    }
    found.limit = LIMIT_NAMES;
    if (settings->certificates_per_names.count > 0 &&
        !call(buckets, names_key(wish), &settings->certificates_per_names, wish->now_us,
              &found.wait_us))
        return found;
    return (struct finding){.limit = LIMIT_KINDS};
}

static void refusal_write(const struct settings *settings, const struct acme_wish *wish,
                          const struct finding *found, struct acme_refusal *ret_refusal)
{
    char *text = ret_refusal->detail;
    size_t size = sizeof ret_refusal->detail;
    if (found->limit == LIMIT_NEW_ORDERS)
        snprintf(text, size, "too many new orders (%lld) from this account in the last %g hours",
                 (long long)settings->new_orders.count, settings->new_orders.hours);
    else if (found->limit == LIMIT_DOMAIN)
        snprintf(text, size,
                 "too many certificates (%lld) already issued for \"%.*s\" in the last %g hours",
                 (long long)settings->certificates_per_domain.count,
                 (int)(found->domain.len < 64 ? found->domain.len : 64), found->domain.data,
                 settings->certificates_per_domain.hours);
    else
        snprintf(text, size,
                 "too many certificates (%lld) already issued for this exact set of names in the "
                 "last %g hours",
                 (long long)settings->certificates_per_names.count,
                 settings->certificates_per_names.hours);
    /* Drawn by the account: such refusals have no number of their own. */
    const struct draw draw = {.seed = (uint64_t)settings->seed, .number = wish->account};
    char hint[WEATHER_RETRY_AFTER_MAX];
    hint_write(&settings->retry_after, (found->wait_us + MICROSECONDS - 1) / MICROSECONDS, &draw,
               DRAW_RETRY_FORM, wish->now_us, hint);
    _Static_assert(sizeof hint <= sizeof ret_refusal->retry_after, "the hint fits");
    memcpy(ret_refusal->retry_after, hint, sizeof hint);
}

/* First a look at all, so that an order refused by one limit takes nothing from the others; then
 * the taking, which may still find that another thread took the last. */
bool weather_may_order(void *context, const struct acme_wish *wish,
                       struct acme_refusal *ret_refusal)
{
    struct weather *weather = context;
    if (wish->renewal)
        return true;
    pthread_rwlock_rdlock(&weather->lock);
    struct finding found = limits_walk(weather, wish, buckets_have);
    if (found.limit == LIMIT_KINDS)
        found = limits_walk(weather, wish, buckets_take);
    bool may = found.limit == LIMIT_KINDS;
    if (!may) {
        atomic_fetch_add_explicit(&weather->limited[found.limit], 1, memory_order_relaxed);
        refusal_write(&weather->settings, wish, &found, ret_refusal);
    }
    pthread_rwlock_unlock(&weather->lock);
    return may;
}
