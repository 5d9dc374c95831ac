#include "plan/forecast.h"

#include "aws/acm.h"
#include "base/clock.h"
#include "config/name_table.h"
#include "plan/imports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YEAR_DAYS 365
#define KEY_MAX   512
/* newOrder, finalize, the order's status, the certificate; and for each name that is validated its
 * authorization, the challenge, the authorization's status. */
#define ORDER_REQUESTS 4
#define NAME_REQUESTS  3

struct counting {
    const struct manifest *manifest;
    const struct plan *plan;
    struct aws_profiles *profiles;
    struct forecast *forecast;
    struct name_table targets; /* "profile region account" to a lane's index */
    struct name_table lanes;   /* "account region" likewise */
    size_t capacity;
    bool after_order; /* of the item that is counted now */
    bool no_memory;
};

static const char *account_of(const struct plan *plan, const char *profile)
{
    size_t low = 0;
    size_t high = plan->profile_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(plan->profiles[middle].profile, profile);
        if (order == 0)
            return plan->profiles[middle].account;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return "";
}

static const char *region_of(const struct counting *counting, const struct deploy_acm *target)
{
    const char *region = "";
    struct error error;
    if (target->region != NULL)
        return target->region;
    if (counting->profiles == NULL ||
        !aws_profile_region(counting->profiles, target->profile, &region, &error))
        return "";
    return region;
}

/* The account's digits in the target's ARN, else what the state knows of the profile. */
static struct span target_account(const struct counting *counting, const struct deploy_acm *target)
{
    struct acm_arn arn;
    struct error error;
    if (target->arn != NULL && acm_arn_parse(span_of(target->arn), &arn, &error))
        return arn.account;
    return span_of(account_of(counting->plan, target->profile != NULL ? target->profile : ""));
}

static bool lane_add(struct counting *counting, const struct forecast_lane *lane)
{
    struct forecast *forecast = counting->forecast;
    if (forecast->lane_count == counting->capacity) {
        size_t capacity = counting->capacity > 0 ? counting->capacity * 2 : 16;
        struct forecast_lane *grown =
            reallocarray(forecast->lanes, capacity, sizeof *forecast->lanes);
        TRY(grown != NULL);
        forecast->lanes = grown;
        counting->capacity = capacity;
    }
    forecast->lanes[forecast->lane_count++] = *lane;
    return true;
}

/* The lane of an account, or of a profile whose account is not known, in a region. */
static bool lane_find(struct counting *counting, const struct deploy_acm *target,
                      struct span account, uint32_t *ret_lane)
{
    struct arena *arena = &counting->forecast->arena;
    const char *profile = target->profile != NULL ? target->profile : "";
    const char *region = region_of(counting, target);
    char key[KEY_MAX];
    int length = account.len > 0
                     ? snprintf(key, sizeof key, "%.*s\t%s", SPAN_PRINTF(account), region)
                     : snprintf(key, sizeof key, "@%s\t%s", profile, region);
    TRY(length > 0 && (size_t)length < sizeof key);
    const struct name_slot *known = name_table_find(&counting->lanes, span_of(key));
    if (known != NULL) {
        *ret_lane = known->value;
        return true;
    }
    const struct forecast_lane lane = {.profile = arena_text(arena, span_of(profile)),
                                       .account = arena_text(arena, account),
                                       .region = arena_text(arena, span_of(region))};
    const char *kept = arena_text(arena, span_of(key));
    *ret_lane = (uint32_t)counting->forecast->lane_count;
    return lane.profile != NULL && lane.account != NULL && lane.region != NULL && kept != NULL &&
           name_table_put(&counting->lanes, kept, *ret_lane) && lane_add(counting, &lane);
}

/* By the manifest's texts first: most targets have been seen already. */
static bool target_lane(struct counting *counting, const struct deploy_acm *target,
                        uint32_t *ret_lane)
{
    struct span account = {0};
    char key[KEY_MAX];
    if (target->arn != NULL)
        account = target_account(counting, target);
    int length =
        snprintf(key, sizeof key, "%s\t%s\t%.*s", target->profile != NULL ? target->profile : "",
                 target->region != NULL ? target->region : "", SPAN_PRINTF(account));
    TRY(length > 0 && (size_t)length < sizeof key);
    const struct name_slot *known = name_table_find(&counting->targets, span_of(key));
    if (known != NULL) {
        *ret_lane = known->value;
        return true;
    }
    TRY(lane_find(counting, target, target_account(counting, target), ret_lane));
    const char *kept = arena_text(&counting->forecast->arena, span_of(key));
    return kept != NULL && name_table_put(&counting->targets, kept, *ret_lane);
}

static void count_target(void *context, const struct deploy_acm *target)
{
    struct counting *counting = context;
    uint32_t at;
    if (!target_lane(counting, target, &at)) {
        counting->no_memory = true;
        return;
    }
    struct forecast_lane *lane = &counting->forecast->lanes[at];
    lane->imports++;
    lane->after_orders += counting->after_order;
    counting->forecast->imports++;
}

static bool count_imports(struct counting *counting, struct error *error)
{
    const struct plan *plan = counting->plan;
    for (size_t i = 0; i < plan->due_count && !counting->no_memory; i++) {
        const struct plan_item *item = &plan->due[i];
        counting->after_order = !item->deploy_only;
        imports_each(&counting->manifest->entries[item->entry], item, count_target, counting);
    }
    return !counting->no_memory || error_set(error, ERROR_MEMORY, "no memory for a forecast");
}

struct days {
    const struct counting *counting;
    int64_t since;
};

static bool take_day(void *context, const struct state_import_day *row)
{
    const struct days *days = context;
    char key[KEY_MAX];
    if (row->day < days->since)
        return true;
    snprintf(key, sizeof key, "%s\t%s", row->account, row->region);
    const struct name_slot *lane = name_table_find(&days->counting->lanes, span_of(key));
    if (lane != NULL)
        days->counting->forecast->lanes[lane->value].year += row->imports;
    return true;
}

/* Orders of one CA, whose limits are its own. */
struct ca_load {
    const char *endpoint;
    size_t orders;
    double requests, seconds_each;
};

static void ca_count(const struct manifest_entry *entry, struct ca_load *load)
{
    double requests = ORDER_REQUESTS;
    double steps = 1;
    if (entry->challenge != CHALLENGE_NONE) {
        requests += (double)NAME_REQUESTS * entry->domain_count;
        steps = 2;
    }
    double seconds = requests * FORECAST_REQUEST_S + steps * FORECAST_STEP_S;
    load->orders++;
    load->requests += requests;
    if (seconds > load->seconds_each)
        load->seconds_each = seconds;
}

/* The CA's own work on an order takes none of the places in flight (run/session.h). */
static double ca_seconds(const struct ca_load *load, const struct manifest_limits *limits)
{
    double by_places = load->requests * FORECAST_REQUEST_S / limits->in_flight;
    double by_rate =
        limits->requests_per_second > 0 ? load->requests / limits->requests_per_second : 0;
    return (by_rate > by_places ? by_rate : by_places) + load->seconds_each;
}

static struct ca_load *ca_load_of(struct ca_load *loads, size_t *count, const char *endpoint)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(loads[i].endpoint, endpoint) == 0)
            return &loads[i];
    loads[*count].endpoint = endpoint;
    return &loads[(*count)++];
}

/* *ret_first: when the first certificate can be there. */
static bool orders_forecast(const struct counting *counting, const struct accounts *accounts,
                            double *ret_first, struct error *error)
{
    const struct plan *plan = counting->plan;
    struct forecast *forecast = counting->forecast;
    struct ca_load *loads = calloc(accounts->count + 1, sizeof *loads);
    if (loads == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a forecast");
    size_t count = 0;
    uint32_t last_account = UINT32_MAX;
    struct ca_load *load = ca_load_of(loads, &count, "");
    for (size_t i = 0; i < plan->due_count; i++) {
        const struct manifest_entry *entry = &counting->manifest->entries[plan->due[i].entry];
        if (plan->due[i].deploy_only)
            continue;
        if (entry->account != last_account)
            load = ca_load_of(
                loads, &count,
                entry->account < accounts->count ? accounts->list[entry->account].endpoint : "");
        last_account = entry->account;
        ca_count(entry, load);
        forecast->orders++;
    }
    *ret_first = 0;
    for (size_t i = 0; i < count; i++) {
        if (loads[i].orders == 0)
            continue;
        double seconds = ca_seconds(&loads[i], &counting->manifest->limits);
        if (seconds > forecast->order_seconds)
            forecast->order_seconds = seconds;
        if (loads[i].seconds_each > *ret_first)
            *ret_first = loads[i].seconds_each;
    }
    free(loads);
    return true;
}

/* A lane begins at once with certificates that are there, else with the first that comes; it ends
 * when it has done all, or with the last certificate. */
static void lane_forecast(struct forecast *forecast, struct forecast_lane *lane, double first)
{
    double each = 1 / forecast->imports_per_second;
    bool waits = lane->after_orders == lane->imports;
    double busy = (waits ? first : 0) + (double)(lane->imports - 1) * each;
    double last = lane->after_orders > 0 ? forecast->order_seconds : 0;
    lane->seconds = busy > last ? busy : last;
    if (lane->seconds > forecast->import_seconds)
        forecast->import_seconds = lane->seconds;
}

static int lane_compare(const void *a, const void *b)
{
    const struct forecast_lane *left = a;
    const struct forecast_lane *right = b;
    if (left->seconds != right->seconds)
        return left->seconds > right->seconds ? -1 : 1;
    if (left->imports != right->imports)
        return left->imports > right->imports ? -1 : 1;
    int order = strcmp(left->profile, right->profile);
    return order != 0 ? order : strcmp(left->region, right->region);
}

/* Different values of a member over the lanes. There are few lanes. */
static size_t count_different(const struct forecast *forecast,
                              const char *(*value)(const struct forecast_lane *lane))
{
    size_t count = 0;
    for (size_t i = 0; i < forecast->lane_count; i++) {
        size_t j = 0;
        while (j < i && strcmp(value(&forecast->lanes[j]), value(&forecast->lanes[i])) != 0)
            j++;
        count += j == i;
    }
    return count;
}

static const char *lane_account(const struct forecast_lane *lane)
{
    return lane->account[0] != '\0' ? lane->account : lane->profile;
}

static const char *lane_region(const struct forecast_lane *lane)
{
    return lane->region;
}

static bool forecast_fill(struct counting *counting, const struct accounts *accounts,
                          struct state *state, int64_t now, struct error *error)
{
    struct forecast *forecast = counting->forecast;
    struct days days = {.counting = counting, .since = now / SECONDS_PER_DAY - YEAR_DAYS + 1};
    double first = 0;
    TRY(count_imports(counting, error));
    TRY(orders_forecast(counting, accounts, &first, error));
    if (state != NULL && forecast->lane_count > 0)
        TRY(state_import_days(state, take_day, &days, error));
    for (size_t i = 0; i < forecast->lane_count; i++)
        lane_forecast(forecast, &forecast->lanes[i], first);
    if (forecast->lane_count > 1)
        qsort(forecast->lanes, forecast->lane_count, sizeof forecast->lanes[0], lane_compare);
    forecast->account_count = count_different(forecast, lane_account);
    forecast->region_count = count_different(forecast, lane_region);
    return true;
}

bool forecast_make(const struct manifest *manifest, const struct accounts *accounts,
                   const struct plan *plan, struct state *state, struct aws_profiles *profiles,
                   int64_t now, struct forecast *ret_forecast, struct error *error)
{
    struct forecast forecast = {.imports_per_second = manifest->aws.imports_per_second,
                                .imports_per_year = manifest->aws.imports_per_year};
    struct counting counting = {
        .manifest = manifest, .plan = plan, .profiles = profiles, .forecast = &forecast};
    arena_init(&forecast.arena);
    name_table_init(&counting.targets);
    name_table_init(&counting.lanes);
    bool ok = forecast_fill(&counting, accounts, state, now, error);
    name_table_free(&counting.targets);
    name_table_free(&counting.lanes);
    if (ok)
        *ret_forecast = forecast;
    else
        forecast_free(&forecast);
    return ok;
}

void forecast_free(struct forecast *forecast)
{
    free(forecast->lanes);
    arena_free(&forecast->arena);
    *forecast = (struct forecast){0};
}
