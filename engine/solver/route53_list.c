/* What record sets there are, for names whose change was refused or whose fate is not known. A page
 * tells of all names between its first and its last. */
#include "solver/route53_internal.h"

#include <stdio.h>
#include <string.h>

static bool comes_before(const char *a, const char *b)
{
    char reversed_a[ROUTE53_NAME_MAX + 1];
    char reversed_b[ROUTE53_NAME_MAX + 1];
    route53_name_reverse(a, reversed_a);
    route53_name_reverse(b, reversed_b);
    return strcmp(reversed_a, reversed_b) < 0;
}

static struct name *first_unknown(const struct zone *zone, size_t *ret_count)
{
    struct name *first = NULL;
    *ret_count = 0;
    for (struct name *name = zone->queue; name != NULL; name = name->queue_next) {
        if (name->known)
            continue;
        ++*ret_count;
        if (first == NULL || comes_before(name->fqdn, first->fqdn))
            first = name;
    }
    return first;
}

bool route53_zone_list(struct route53_work *work, struct zone *zone)
{
    char path[ROUTE53_ZONE_ID_MAX + 64];
    char most[8];
    size_t count;
    struct error error = {0};
    struct name *first = first_unknown(zone, &count);
    if (first == NULL)
        return false;
    if (!route53_account_may_send(work, zone->account))
        return true;
    snprintf(path, sizeof path, "/2013-04-01/hostedzone/%s/rrset", zone->id);
    snprintf(most, sizeof most, "%d", count == 1 ? 1 : ROUTE53_PAGE);
    const struct aws_parameter query[] = {
        {"maxitems", span_of(most)}, {"name", span_of(first->fqdn)}, {"type", SPAN_LITERAL("TXT")}};
    struct aws_request call = {
        .profile = zone->account->profile,
        .method = HTTP_GET,
        .path = span_of(path),
        .query = query,
        .query_count = 3,
        .action = "route53:ListResourceRecordSets",
    };
    const struct request request = {.kind = REQUEST_SETS, .zone = zone, .name = first};
    if (route53_request_send(work, &request, &call, &error))
        zone->busy = true;
    else
        route53_queue_fail(work, zone, &error);
    return true;
}

static bool base_take(struct name *name, const struct route53_set_row *row, struct error *error)
{
    route53_record_set_free(&name->base);
    name->foreign = row != NULL;
    if (row != NULL && !row->is_plain)
        return error_set(error, ERROR_CONFIG,
                         "Route 53: %s has TXT records with a routing policy or an alias, which "
                         "certmill does not change",
                         name->fqdn);
    for (size_t i = 0; row != NULL && i < row->set.value_count; i++)
        if (!route53_record_set_add(&name->base, row->set.values[i]))
            return error_set(error, ERROR_MEMORY, "no memory for DNS records");
    name->base.ttl = row != NULL ? row->set.ttl : 0;
    name->known = true;
    return true;
}

static const struct route53_set_row *row_of(const struct route53_set_row *rows, size_t count,
                                            const char *fqdn)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].is_txt && strcmp(rows[i].set.name, fqdn) == 0)
            return &rows[i];
    return NULL;
}

static void waiting_abandon(struct route53_work *work, struct name *name, const struct error *error)
{
    for (struct task *task; (task = route53_tasks_take(&name->waiting)) != NULL;)
        route53_task_abandon(work, task, error);
}

static void page_take(struct route53_work *work, const struct request *request,
                      const struct route53_set_row *rows, size_t count, bool more)
{
    const char *last = more && count > 0 ? rows[count - 1].set.name : NULL;
    struct name *next;
    for (struct name *name = request->zone->queue; name != NULL; name = next) {
        struct error error = {0};
        next = name->queue_next;
        const struct route53_set_row *row = row_of(rows, count, name->fqdn);
        bool told = row != NULL || !more || name == request->name ||
                    (last != NULL && comes_before(name->fqdn, last) &&
                     comes_before(request->name->fqdn, name->fqdn));
        if (name->known || !told || base_take(name, row, &error))
            continue;
        name->known = true;
        waiting_abandon(work, name, &error);
    }
}

static void unknown_fail(struct route53_work *work, struct zone *zone, const struct error *error,
                         bool all)
{
    for (struct name *name = zone->queue; name != NULL; name = name->queue_next) {
        if (name->known || name->waiting.count == 0)
            continue;
        if (!all && work->now_ms < name->waiting.first->deadline_ms)
            continue;
        waiting_abandon(work, name, error);
        name->known = true; /* nothing is to be known of it any more */
    }
}

void route53_sets_reply(struct route53_work *work, const struct request *request,
                        const struct aws_reply *reply)
{
    struct zone *zone = request->zone;
    struct arena arena;
    struct error error = {0};
    struct route53_set_row *rows;
    size_t count;
    bool more;
    zone->busy = false;
    arena_init(&arena);
    switch (reply->outcome) {
    case AWS_OK:
        if (route53_sets_read(reply->body, &arena, &rows, &count, &more, &error))
            page_take(work, request, rows, count, more);
        else
            unknown_fail(work, zone, &error, true);
        break;
    case AWS_THROTTLED:
    case AWS_BUSY:
    case AWS_FAILED:
    case AWS_UNCLEAR:
    case AWS_UNREACHABLE:
        route53_zone_later(work, zone);
        unknown_fail(work, zone, &reply->error, false);
        break;
    default:
        unknown_fail(work, zone, &reply->error, true);
    }
    arena_free(&arena);
}
