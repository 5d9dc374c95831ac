/* Hosted zones: found once a run, and chosen by the longest suffix. */
#include "solver/route53_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONES_SHOWN     10
#define LOADER_TRIES    6
#define LIST_PATH       "/2013-04-01/hostedzone"
#define LIST_NAMED_PATH "/2013-04-01/hostedzonesbyname"

static bool text_equal(const char *a, const char *b)
{
    return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

static bool zone_fill(struct zone *zone, const char *id, const char *name,
                      const struct route53_account *account)
{
    char row_solver[ROUTE53_SOLVER_MAX];
    int len = snprintf(row_solver, sizeof row_solver, ROUTE53_SOLVER "%s/%s", id,
                       account->profile != NULL ? account->profile : "");
    zone->id = strdup(id);
    zone->name = strdup(name);
    zone->row_solver = strdup(row_solver);
    return len > 0 && (size_t)len < sizeof row_solver && zone->id != NULL && zone->name != NULL &&
           zone->row_solver != NULL;
}

/* One that is there already gets its name, and the nearer source. */
static struct zone *zone_again(struct zone *zone, const char *name, enum zone_source source)
{
    if (zone->source == ZONE_LEFTOVER) {
        char *copy = strdup(name);
        if (copy == NULL)
            return NULL;
        free(zone->name);
        zone->name = copy;
        zone->source = source;
    } else if (source != ZONE_LEFTOVER && source > zone->source) {
        zone->source = source;
    }
    return zone;
}

struct zone *route53_zone_add(struct route53_work *work, const char *id, const char *name,
                              struct route53_account *account, enum zone_source source)
{
    for (struct zone *zone = work->zones; zone != NULL; zone = zone->next)
        if (zone->account == account && strcmp(zone->id, id) == 0)
            return zone_again(zone, name, source);
    struct zone *zone = calloc(1, sizeof *zone);
    if (zone == NULL || !zone_fill(zone, id, name, account)) {
        if (zone != NULL) {
            free(zone->id);
            free(zone->name);
            free(zone->row_solver);
        }
        free(zone);
        return NULL;
    }
    zone->account = account;
    zone->source = source;
    zone->queue_end = &zone->queue;
    zone->most = SIZE_MAX;
    zone->next = work->zones;
    work->zones = zone;
    return zone;
}

static bool covers(const struct zone *zone, const char *fqdn)
{
    size_t len = strlen(zone->name);
    size_t whole = strlen(fqdn);
    if (zone->source == ZONE_LEFTOVER || whole < len || strcmp(fqdn + whole - len, zone->name) != 0)
        return false;
    return whole == len || fqdn[whole - len - 1] == '.';
}

static bool no_zone(const struct route53_work *work, const struct alias *alias, struct error *error)
{
    struct buf list;
    size_t count = 0;
    buf_init(&list, ERROR_TEXT_MAX);
    for (const struct zone *zone = work->zones; zone != NULL; zone = zone->next)
        if (zone->source != ZONE_LEFTOVER && count++ < ZONES_SHOWN)
            (void)!buf_printf(&list, "%s%s", list.len > 0 ? ", " : "", zone->name);
    const char *profile = work->options.manifest->profile;
    const char *has = count == 0 ? " has none" : count > ZONES_SHOWN ? " has many: " : " has ";
    error_set(error, ERROR_CONFIG, "no public hosted zone for %s%s%s%s in Route 53, %s%s%s%s%s%s",
              route53_alias_target(alias), alias->hop_count > 0 ? ", where CNAMEs lead from " : "",
              alias->hop_count > 0 ? alias->fqdn : "",
              alias->problem[0] != '\0' ? " (and whether it has a CNAME is not known)" : "",
              profile != NULL ? "profile " : "AWS's default profile",
              profile != NULL ? profile : "", has, buf_text(&list),
              count > ZONES_SHOWN ? ", ..." : "", alias->problem[0] != '\0' ? "; DNS: " : "");
    if (alias->problem[0] != '\0') {
        struct error whole = *error;
        error_set(error, ERROR_CONFIG, "%s%s", whole.text, alias->problem);
    }
    buf_free(&list);
    return false;
}

static void ambiguous(const struct route53_work *work, const struct zone *best, struct error *error)
{
    struct buf ids;
    buf_init(&ids, ERROR_TEXT_MAX);
    for (const struct zone *zone = work->zones; zone != NULL; zone = zone->next)
        if (zone->source == best->source && strcmp(zone->name, best->name) == 0)
            (void)!buf_printf(&ids, "%s%s", ids.len > 0 ? ", " : "", zone->id);
    error_set(error, ERROR_CONFIG,
              "Route 53 has several public hosted zones named %s (%s): say which one in "
              "solvers.dns-01.route53.zones, by name and id",
              best->name, buf_text(&ids));
    buf_free(&ids);
}

struct zone *route53_zone_choose(const struct route53_work *work, const struct alias *alias,
                                 struct error *error)
{
    struct zone *best = NULL;
    unsigned as_good = 0;
    for (struct zone *zone = work->zones; zone != NULL; zone = zone->next) {
        if (!covers(zone, route53_alias_target(alias)))
            continue;
        size_t len = strlen(zone->name);
        size_t best_len = best != NULL ? strlen(best->name) : 0;
        if (best == NULL || len > best_len || (len == best_len && zone->source > best->source)) {
            best = zone;
            as_good = 1;
        } else if (len == best_len && zone->source == best->source) {
            as_good++;
        }
    }
    if (best == NULL)
        no_zone(work, alias, error);
    else if (as_good > 1)
        ambiguous(work, best, error);
    return as_good == 1 ? best : NULL;
}

/* A zone that the manifest gives by its id needs no permission to list others. */
struct zone *route53_task_zone(struct route53_work *work, const struct task *task,
                               struct error *error)
{
    struct alias *alias = task->alias;
    if (alias->error.kind != ERROR_NONE) {
        *error = alias->error;
        return NULL;
    }
    if (alias->zone != NULL)
        return alias->zone;
    struct zone *zone = route53_zone_choose(work, alias, error);
    for (size_t i = 0; i < work->loader_count; i++) {
        const struct loader *loader = &work->loaders[i];
        bool may_pass = zone != NULL && zone->source == ZONE_BY_ID && loader->outcome == AWS_DENIED;
        if (loader->state == LOADER_FAILED && !may_pass) {
            *error = loader->error;
            return NULL;
        }
    }
    alias->zone = zone;
    return zone;
}

static bool loader_needed(const struct route53_work *work, const struct route53_zone *zone)
{
    return zone->id == NULL && !text_equal(zone->profile, work->options.manifest->profile) &&
           zone->profile != NULL;
}

bool route53_zones_begin(struct route53_work *work, struct error *error)
{
    const struct manifest_route53 *manifest = work->options.manifest;
    size_t count = 1;
    for (const struct route53_zone *zone = manifest->zones; zone != NULL; zone = zone->next)
        count++;
    work->loaders = calloc(count, sizeof *work->loaders);
    struct route53_account *own = route53_account_of(work, manifest->profile);
    if (work->loaders == NULL || own == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the Route 53 solver");
    work->loaders[work->loader_count++].account = own;
    for (const struct route53_zone *zone = manifest->zones; zone != NULL; zone = zone->next) {
        struct route53_account *account =
            zone->profile != NULL ? route53_account_of(work, zone->profile) : own;
        bool ok = account != NULL;
        if (ok && zone->id != NULL)
            ok = route53_zone_add(work, zone->id, zone->name, account, ZONE_BY_ID) != NULL;
        if (ok && loader_needed(work, zone))
            work->loaders[work->loader_count++] =
                (struct loader){.account = account, .zone_name = zone->name};
        if (!ok)
            return error_set(error, ERROR_MEMORY, "no memory for the Route 53 solver");
    }
    return true;
}

void route53_loaders_want(struct route53_work *work)
{
    for (size_t i = 0; i < work->loader_count; i++) {
        struct loader *loader = &work->loaders[i];
        if (loader->state != LOADER_IDLE)
            continue;
        loader->state = LOADER_WANTED;
        loader->tries = 0;
        loader->retry_ms = 0;
    }
}

bool route53_loaders_are_done(const struct route53_work *work)
{
    for (size_t i = 0; i < work->loader_count; i++)
        if (work->loaders[i].state != LOADER_READY && work->loaders[i].state != LOADER_FAILED)
            return false;
    return true;
}

void route53_loaders_reset(struct route53_work *work)
{
    for (size_t i = 0; i < work->loader_count; i++)
        if (work->loaders[i].state == LOADER_FAILED)
            work->loaders[i].state = LOADER_IDLE;
}

static void loader_fail(struct loader *loader, enum aws_outcome outcome, const struct error *error)
{
    loader->state = LOADER_FAILED;
    loader->outcome = outcome;
    loader->error = *error;
    error_prefix(&loader->error, "finding the hosted zones in Route 53: ");
}

static void loader_send(struct route53_work *work, struct loader *loader)
{
    char most[8];
    struct aws_parameter query[2] = {{.name = "maxitems"}};
    struct error error = {0};
    snprintf(most, sizeof most, "%d", ROUTE53_ZONES_PAGE);
    query[0].value = span_of(most);
    query[1].name = loader->zone_name != NULL ? "dnsname" : "marker";
    query[1].value = span_of(loader->zone_name != NULL ? loader->zone_name : loader->marker);
    struct aws_request call = {
        .profile = loader->account->profile,
        .method = HTTP_GET,
        .path = span_of(loader->zone_name != NULL ? LIST_NAMED_PATH : LIST_PATH),
        .query = query,
        .query_count = query[1].value.len > 0 ? 2 : 1,
        .action =
            loader->zone_name != NULL ? "route53:ListHostedZonesByName" : "route53:ListHostedZones",
    };
    const struct request request = {.kind = REQUEST_ZONES, .loader = loader};
    if (route53_request_send(work, &request, &call, &error))
        loader->state = LOADER_ASKING;
    else
        loader_fail(loader, AWS_FAILED, &error);
}

void route53_loaders_pump(struct route53_work *work)
{
    for (size_t i = 0; i < work->loader_count; i++) {
        struct loader *loader = &work->loaders[i];
        if (loader->state != LOADER_WANTED)
            continue;
        if (loader->retry_ms > work->now_ms)
            route53_wake_at(work, loader->retry_ms);
        else if (route53_account_may_send(work, loader->account))
            loader_send(work, loader);
    }
}

static bool loader_take(struct route53_work *work, struct loader *loader, struct span body,
                        const char **ret_marker, struct arena *arena, struct error *error)
{
    struct route53_zone_row *rows;
    size_t count;
    enum zone_source source = loader->zone_name != NULL ? ZONE_OF_PROFILE : ZONE_LISTED;
    TRY(route53_zones_read(body, arena, &rows, &count, ret_marker, error));
    for (size_t i = 0; i < count; i++) {
        if (rows[i].is_private ||
            (loader->zone_name != NULL && strcmp(rows[i].name, loader->zone_name) != 0))
            continue;
        if (route53_zone_add(work, rows[i].id, rows[i].name, loader->account, source) == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for the hosted zones");
    }
    return true;
}

static void loader_page(struct route53_work *work, struct loader *loader, struct span body)
{
    struct arena arena;
    struct error error = {0};
    const char *marker = NULL;
    arena_init(&arena);
    char *copy = NULL;
    bool ok = loader_take(work, loader, body, &marker, &arena, &error);
    bool more = ok && marker != NULL && loader->zone_name == NULL;
    if (more) {
        copy = strdup(marker);
        if (copy == NULL)
            ok = error_set(&error, ERROR_MEMORY, "no memory for the hosted zones");
        else if (text_equal(copy, loader->marker))
            ok = error_set(&error, ERROR_PROTOCOL, "the list of hosted zones does not end");
    }
    free(loader->marker);
    loader->marker = ok ? copy : NULL;
    if (!ok)
        free(copy);
    if (!ok)
        loader_fail(loader, AWS_UNCLEAR, &error);
    else
        loader->state = more ? LOADER_WANTED : LOADER_READY;
    arena_free(&arena);
}

void route53_loader_reply(struct route53_work *work, struct loader *loader,
                          const struct aws_reply *reply)
{
    bool passes = reply->outcome == AWS_THROTTLED || reply->outcome == AWS_BUSY ||
                  reply->outcome == AWS_FAILED || reply->outcome == AWS_UNREACHABLE ||
                  reply->outcome == AWS_UNCLEAR;
    if (reply->outcome == AWS_OK) {
        loader->tries = 0;
        loader_page(work, loader, reply->body);
    } else if (passes && !work->stopping && ++loader->tries < LOADER_TRIES) {
        loader->state = LOADER_WANTED;
        loader->retry_ms = work->now_ms + route53_work_backoff_ms(work, loader->tries);
    } else {
        loader_fail(loader, reply->outcome, &reply->error);
    }
}
