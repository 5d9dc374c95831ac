/* Changes of a zone: one is out at a time, with all that differs there. */
#include "solver/route53_internal.h"

#include "base/printable.h"
#include "test/point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_TIMEOUT_MS 30000
#define AGAIN_MS          20 /* what failed before it was sent is looked at again */
/* A CREATE is refused when there is a set, and once more when somebody makes one meanwhile; then
 * UPSERT, which is not refused for what is there. */
#define REFUSALS_BEFORE_UPSERT 2
#define REFUSALS_MAX           3

void route53_change_free(struct change *change)
{
    for (size_t i = 0; i < change->count; i++)
        route53_record_set_free(&change->items[i].target);
    free(change->items);
    free(change);
}

static struct change *change_new(struct zone *zone)
{
    struct change *change = calloc(1, sizeof *change);
    if (change == NULL)
        return NULL;
    change->items = calloc(zone->queued, sizeof *change->items);
    if (change->items == NULL) {
        free(change);
        return NULL;
    }
    change->room = zone->queued;
    change->zone = zone;
    route53_tasks_init(&change->tasks);
    return change;
}

void route53_zone_later(struct route53_work *work, struct zone *zone)
{
    zone->tries++;
    zone->retry_ms = work->now_ms + route53_work_backoff_ms(work, zone->tries);
}

static bool has_present(const struct tasks *tasks)
{
    for (const struct task *task = tasks->first; task != NULL; task = task->next)
        if (task->step == SOLVER_PRESENT)
            return true;
    return false;
}

struct plan {
    struct record_set target;
    enum route53_action actions[2];
    const struct record_set *sets[2];
    size_t count; /* of the actions; 0: nothing is to be changed */
};

static void plan_add(struct plan *plan, enum route53_action action, const struct record_set *set)
{
    plan->actions[plan->count] = action;
    plan->sets[plan->count++] = set;
}

/* A value that a list has shown may be of a change of ours whose answer was lost, and may not be on
 * all servers yet: it is put there again, so that there is a change to wait for. */
static bool plan_make(const struct name *name, struct plan *plan)
{
    *plan = (struct plan){.count = 0};
    if (!route53_name_target(name, &plan->target)) {
        route53_record_set_free(&plan->target);
        return false;
    }
    const struct record_set *base = &name->base;
    if (route53_record_set_equal(base, &plan->target)) {
        if (name->foreign && has_present(&name->waiting))
            plan_add(plan, ROUTE53_UPSERT, &plan->target);
    } else if (plan->target.count == 0) {
        plan_add(plan, ROUTE53_DELETE, base);
    } else if (name->refusals >= REFUSALS_BEFORE_UPSERT) {
        plan_add(plan, ROUTE53_UPSERT, &plan->target);
    } else {
        if (base->count > 0)
            plan_add(plan, ROUTE53_DELETE, base);
        plan_add(plan, ROUTE53_CREATE, &plan->target);
    }
    return true;
}

static void plan_size(const struct plan *plan, const struct name *name, size_t *records,
                      size_t *characters)
{
    *records = *characters = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct route53_set set = route53_record_set_view(plan->sets[i], name->fqdn);
        route53_change_size(plan->actions[i], &set, records, characters);
    }
}

static bool plan_put(const struct plan *plan, const struct name *name, struct route53_batch *batch)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct route53_set set = route53_record_set_view(plan->sets[i], name->fqdn);
        TRY(route53_batch_add(batch, plan->actions[i], &set));
    }
    return true;
}

static void name_fail(struct route53_work *work, struct name *name, const struct error *error)
{
    struct tasks tasks;
    route53_tasks_init(&tasks);
    route53_tasks_move(&name->waiting, &tasks);
    for (struct task *task; (task = route53_tasks_take(&tasks)) != NULL;) {
        if (task->step == SOLVER_CLEANUP || task->unclear || !name->known)
            route53_task_abandon(work, task, error);
        else
            route53_task_undo(work, task, error);
    }
}

void route53_queue_fail(struct route53_work *work, struct zone *zone, const struct error *error)
{
    for (size_t left = zone->queued; left > 0; left--) {
        struct name *name = route53_queue_take(zone);
        name_fail(work, name, error);
        if (name->waiting.count > 0)
            route53_name_queue(name);
    }
}

/* Route 53 has what is needed. */
static void name_rest(struct route53_work *work, struct name *name)
{
    struct change *change = route53_wait_find(work, name);
    for (struct task *task; (task = route53_tasks_take(&name->waiting)) != NULL;) {
        task->forget = task->step == SOLVER_CLEANUP;
        if (task->step == SOLVER_PRESENT && change != NULL)
            route53_tasks_add(&change->tasks, task);
        else
            route53_task_settle(work, task);
    }
}

enum put { PUT_DONE, PUT_FULL, PUT_NOTHING };

static enum put name_put(struct route53_work *work, struct name *name, struct change *change,
                         struct route53_batch *batch)
{
    struct plan plan;
    size_t records;
    size_t characters;
    struct error error = {0};
    if (!plan_make(name, &plan)) {
        error_set(&error, ERROR_MEMORY, "no memory for a DNS record");
        name_fail(work, name, &error);
        return PUT_NOTHING;
    }
    plan_size(&plan, name, &records, &characters);
    enum put put = PUT_NOTHING;
    if (plan.count == 0) {
        name_rest(work, name);
    } else if (!route53_batch_has_room(batch, records, characters) && batch->changes > 0) {
        put = PUT_FULL;
    } else if (!route53_batch_has_room(batch, records, characters) ||
               !plan_put(&plan, name, batch)) {
        error_set(&error, ERROR_LIMIT, "Route 53: %s has too many TXT values (%zu) to change it",
                  name->fqdn, name->base.count);
        name_fail(work, name, &error);
    } else {
        change->items[change->count++] = (struct change_item){name, plan.target};
        plan.target = (struct record_set){0};
        route53_tasks_move(&name->waiting, &change->tasks);
        name->in_flight = true;
        put = PUT_DONE;
    }
    route53_record_set_free(&plan.target);
    return put;
}

static void change_fill(struct route53_work *work, struct zone *zone, struct change *change,
                        struct route53_batch *batch)
{
    for (size_t left = zone->queued; left > 0 && change->count < zone->most; left--) {
        struct name *name = route53_queue_take(zone);
        enum put put = name_put(work, name, change, batch);
        if (name->waiting.count > 0)
            route53_name_queue(name);
        if (put == PUT_FULL)
            return;
    }
}

static void change_fail(struct route53_work *work, struct change *change, const struct error *error)
{
    for (size_t i = 0; i < change->count; i++)
        change->items[i].name->in_flight = false;
    for (struct task *task; (task = route53_tasks_take(&change->tasks)) != NULL;) {
        if (task->step == SOLVER_CLEANUP || task->unclear)
            route53_task_abandon(work, task, error);
        else
            route53_task_undo(work, task, error);
    }
    for (size_t i = 0; i < change->count; i++)
        if (change->items[i].name->waiting.count > 0)
            route53_name_queue(change->items[i].name);
    route53_change_free(change);
}

static void change_send(struct route53_work *work, struct change *change,
                        struct route53_batch *batch)
{
    char path[ROUTE53_ZONE_ID_MAX + 64];
    struct error error = {0};
    snprintf(path, sizeof path, "/2013-04-01/hostedzone/%s/rrset/", change->zone->id);
    struct aws_request call = {
        .profile = change->zone->account->profile,
        .method = HTTP_POST,
        .path = span_of(path),
        .content_type = "application/xml",
        .body = buf_span(&batch->body),
        .action = "route53:ChangeResourceRecordSets",
        .timeout_ms = CHANGE_TIMEOUT_MS,
    };
    const struct request request = {.kind = REQUEST_CHANGE, .change = change};
    if (!route53_batch_end(batch))
        error_set(&error, ERROR_MEMORY, "no memory for a change of DNS records");
    else
        call.body = buf_span(&batch->body);
    if (error.kind == ERROR_NONE && route53_request_send(work, &request, &call, &error))
        change->zone->busy = true;
    else
        change_fail(work, change, &error);
}

/* Names whose tasks have ended meanwhile. */
static void queue_trim(struct route53_work *work, struct zone *zone)
{
    for (size_t left = zone->queued; left > 0; left--) {
        struct name *name = route53_queue_take(zone);
        if (name->waiting.count > 0)
            route53_name_queue(name);
        else
            route53_name_release(work, name);
    }
}

static bool zone_differs(struct route53_work *work, struct zone *zone)
{
    for (size_t left = zone->queued; left > 0; left--) {
        struct plan plan;
        if (!plan_make(zone->queue, &plan))
            return true;
        bool differs = plan.count > 0;
        route53_record_set_free(&plan.target);
        if (differs)
            return true;
        name_rest(work, route53_queue_take(zone));
    }
    return false;
}

void route53_zone_pump(struct route53_work *work, struct zone *zone)
{
    struct route53_batch batch;
    if (zone->busy || zone->queue == NULL)
        return;
    if (zone->retry_ms > work->now_ms) {
        route53_wake_at(work, zone->retry_ms);
        return;
    }
    queue_trim(work, zone);
    if (route53_zone_list(work, zone) || !zone_differs(work, zone) ||
        !route53_account_may_send(work, zone->account))
        return;
    struct change *change = change_new(zone);
    if (change == NULL) {
        struct error error = {0};
        error_set(&error, ERROR_MEMORY, "no memory for a change of DNS records");
        route53_queue_fail(work, zone, &error);
        return;
    }
    route53_batch_init(&batch);
    change_fill(work, zone, change, &batch);
    if (change->count > 0)
        change_send(work, change, &batch);
    else
        route53_change_free(change);
    route53_batch_free(&batch);
    if (!zone->busy && zone->queue != NULL)
        route53_wake_at(work, work->now_ms + AGAIN_MS);
}

static void values_prune(struct name *name)
{
    for (struct route53_value **at = &name->values; *at != NULL;) {
        struct route53_value *value = *at;
        if (value->holds > 0) {
            at = &value->next;
            continue;
        }
        *at = value->next;
        free(value);
    }
}

static void change_made(struct route53_work *work, struct change *change)
{
    struct tasks waiting;
    struct error ending = {0};
    route53_tasks_init(&waiting);
    error_set(&ending, ERROR_CANCELLED, "the run is ending");
    test_point(has_present(&change->tasks) ? "dns-record-made" : "dns-record-removed");
    change->number = ++work->change_number;
    change->zone->tries = 0;
    if (change->zone->most < SIZE_MAX / 2)
        change->zone->most *= 2;
    for (size_t i = 0; i < change->count; i++) {
        struct name *name = change->items[i].name;
        route53_record_set_free(&name->base);
        name->base = change->items[i].target;
        change->items[i].target = (struct record_set){0};
        name->in_flight = name->foreign = false;
        name->known = true;
        name->refusals = 0;
        name->change = change->number;
        values_prune(name);
        if (name->waiting.count > 0)
            route53_name_queue(name);
    }
    for (struct task *task; (task = route53_tasks_take(&change->tasks)) != NULL;) {
        task->unclear = false;
        if (task->step == SOLVER_PRESENT && !work->stopping) {
            route53_tasks_add(&waiting, task);
        } else if (task->step == SOLVER_PRESENT) {
            route53_task_undo(work, task, &ending);
        } else {
            task->forget = true;
            route53_task_settle(work, task);
        }
    }
    route53_tasks_move(&waiting, &change->tasks);
    if (change->tasks.count > 0)
        route53_wait_add(work, change);
    else
        route53_change_free(change);
}

/* Back to their names, to be sent again; those past their time fail. */
static void tasks_again(struct route53_work *work, struct change *change, const struct error *error,
                        bool unclear)
{
    struct error ending = {0};
    error_set(&ending, ERROR_CANCELLED, "the run is ending");
    for (size_t i = 0; i < change->count; i++) {
        change->items[i].name->in_flight = false;
        if (unclear)
            change->items[i].name->known = false;
    }
    for (struct task *task; (task = route53_tasks_take(&change->tasks)) != NULL;) {
        task->unclear = task->unclear || unclear;
        if (error != NULL && work->now_ms >= task->deadline_ms)
            route53_task_abandon(work, task, error);
        else if (task->step == SOLVER_PRESENT && work->stopping)
            route53_task_undo(work, task, &ending);
        else
            route53_tasks_add(&task->name->waiting, task);
    }
    for (size_t i = 0; i < change->count; i++)
        if (change->items[i].name->waiting.count > 0)
            route53_name_queue(change->items[i].name);
}

void route53_change_again(struct route53_work *work, struct change *change,
                          const struct aws_reply *reply, bool unclear)
{
    if (reply->outcome != AWS_THROTTLED)
        route53_zone_later(work, change->zone);
    tasks_again(work, change, &reply->error, unclear);
    route53_change_free(change);
}

static bool says(struct span sentence, const char *words)
{
    return memmem(sentence.data, sentence.len, words, strlen(words)) != NULL;
}

/* What is refused once may be mended by knowing what there is. */
static void name_refused(struct route53_work *work, struct name *name, struct span sentence)
{
    char words[ERROR_TEXT_MAX / 2];
    struct error error = {0};
    if (says(sentence, "was not found")) {
        route53_record_set_free(&name->base);
        return;
    }
    if (++name->refusals <= REFUSALS_MAX) {
        name->known = false;
        return;
    }
    printable_copy(sentence, words, sizeof words);
    error_set(&error, ERROR_CONFIG, "Route 53 refuses %s: %s", name->fqdn, words);
    name_fail(work, name, &error);
    name->refusals = 0;
}

static void change_refused(struct route53_work *work, struct change *change,
                           const struct aws_reply *reply)
{
    struct arena arena;
    struct route53_refusals refusals = {0};
    struct error error = {0};
    struct zone *zone = change->zone;
    size_t named = 0;
    arena_init(&arena);
    (void)!route53_refusals_read(reply->body, &arena, &refusals, &error);
    tasks_again(work, change, NULL, false);
    for (size_t i = 0; i < change->count; i++) {
        struct span sentence = route53_refusal_of(&refusals, change->items[i].name->fqdn);
        if (sentence.len == 0)
            continue;
        named++;
        name_refused(work, change->items[i].name, sentence);
    }
    if (named == 0 && change->count == 1)
        name_refused(work, change->items[0].name, span_of(reply->error.text));
    else if (named == 0)
        zone->most = change->count / 2;
    arena_free(&arena);
    route53_change_free(change);
}

void route53_change_reply(struct route53_work *work, const struct request *request,
                          const struct aws_reply *reply)
{
    struct change *change = request->change;
    struct error error = {0};
    bool in_sync;
    change->zone->busy = false;
    switch (reply->outcome) {
    case AWS_OK:
        if (route53_change_read(reply->body, change->id, &in_sync, &error)) {
            change_made(work, change);
            return;
        }
        __attribute__((fallthrough));
    case AWS_FAILED:
    case AWS_UNCLEAR:
        route53_change_again(work, change, reply, true);
        return;
    case AWS_THROTTLED:
    case AWS_BUSY:
    case AWS_UNREACHABLE:
        route53_change_again(work, change, reply, false);
        return;
    case AWS_INVALID:
        change_refused(work, change, reply);
        return;
    default:
        change_fail(work, change, &reply->error);
    }
}
