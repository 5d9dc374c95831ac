/* The end of a run, and what an earlier one left. */
#include "solver/route53_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The run waits for them before it begins; what is not removed by then the next one tries. */
#define LEFTOVER_MS ((int64_t)30000)

static void presents_undo(struct route53_work *work, struct tasks *tasks, const struct error *error)
{
    struct tasks all;
    route53_tasks_init(&all);
    route53_tasks_move(tasks, &all);
    for (struct task *task; (task = route53_tasks_take(&all)) != NULL;) {
        if (task->step == SOLVER_PRESENT)
            route53_task_undo(work, task, error);
        else
            route53_tasks_add(tasks, task);
    }
}

/* Changes that are out are waited for: they may have been made. */
void route53_work_stop(struct route53_work *work, int64_t now_ms)
{
    struct error error = {0};
    error_set(&error, ERROR_CANCELLED, "the run is ending");
    work->now_ms = now_ms;
    work->stopping = true;
    work->stop_deadline_ms = now_ms + work->options.timeout_ms;
    presents_undo(work, &work->presents.tasks, &error);
    for (size_t i = 0; i < NAME_BUCKETS; i++) {
        for (struct alias *alias = work->aliases[i]; alias != NULL; alias = alias->next)
            presents_undo(work, &alias->waiting, &error);
        for (struct name *name = work->names[i]; name != NULL; name = name->next)
            presents_undo(work, &name->waiting, &error);
    }
    for (struct route53_account *account = work->accounts; account != NULL; account = account->next)
        route53_waits_give_up(work, account, &error);
}

static void tasks_abandon(struct route53_work *work, struct tasks *tasks, const struct error *error)
{
    for (struct task *task; (task = route53_tasks_take(tasks)) != NULL;)
        route53_task_abandon(work, task, error);
}

void route53_work_abandon(struct route53_work *work)
{
    struct error error = {0};
    error_set(&error, ERROR_NETWORK,
              "Route 53 did not remove the record in time; the next run will");
    tasks_abandon(work, &work->cleanups.tasks, &error);
    for (size_t i = 0; i < NAME_BUCKETS; i++)
        for (struct name *name = work->names[i]; name != NULL; name = name->next)
            tasks_abandon(work, &name->waiting, &error);
    for (uint32_t i = 0; i < work->requests.count; i++) {
        struct request *request = work->requests.slots[i].object;
        if (request != NULL && request->kind == REQUEST_CHANGE)
            tasks_abandon(work, &request->change->tasks, &error);
    }
}

/* "route53/ID/PROFILE" */
static struct zone *row_zone(struct route53_work *work, const char *solver)
{
    struct span rest = span_from(span_of(solver), strlen(ROUTE53_SOLVER));
    struct span id = span_split(&rest, '/');
    char text[ROUTE53_ZONE_ID_MAX];
    if (id.len == 0 || id.len >= sizeof text)
        return NULL;
    for (size_t i = 0; i < id.len; i++)
        if (!isalnum((unsigned char)id.data[i]))
            return NULL;
    memcpy(text, id.data, id.len);
    text[id.len] = '\0';
    struct route53_account *account = route53_account_of(work, rest.len > 0 ? rest.data : NULL);
    return account != NULL ? route53_zone_add(work, text, "", account, ZONE_LEFTOVER) : NULL;
}

/* The set is thought to be as the earlier run made it. */
static bool base_guess(struct name *name, const struct route53_value *value)
{
    if (!name->known || name->foreign || name->change != 0 || name->in_flight ||
        route53_record_set_has(&name->base, value->text))
        return true;
    name->base.ttl = ROUTE53_TTL;
    return route53_record_set_add(&name->base, value->text);
}

void route53_work_remove(struct route53_work *work, struct dns_record *record, int64_t now_ms)
{
    work->now_ms = now_ms;
    struct zone *zone = row_zone(work, record->solver);
    struct name *name = zone != NULL ? route53_name_of(work, zone, record->fqdn, true) : NULL;
    struct route53_value *value =
        name != NULL ? route53_name_value(name, record->value, true) : NULL;
    struct task *task = value != NULL && base_guess(name, value) ? calloc(1, sizeof *task) : NULL;
    if (task == NULL) {
        record->ok = error_set(&record->error, ERROR_STATE,
                               "the record %s of an earlier run cannot be removed", record->fqdn);
        return;
    }
    *task = (struct task){.leftover = record,
                          .step = SOLVER_CLEANUP,
                          .certificate = record->certificate,
                          .value = record->value,
                          .name = name,
                          .deadline_ms = now_ms + LEFTOVER_MS};
    name->users++;
    work->live++;
    route53_tasks_add(&name->waiting, task);
    route53_name_queue(name);
}
