/* Jobs in, batches, jobs out. */
#include "solver/route53_internal.h"
#include "test/point.h"

#include <stdlib.h>
#include <string.h>

/* Every batch costs each of its zones a change, a wait and a removal. Orders trickle in as fast as
 * the CA lets them, for seconds. */
#define PRESENT_REST_MS ((int64_t)1000)
#define PRESENT_MAX_MS  ((int64_t)30000)
/* Nobody waits for what is removed. */
#define CLEANUP_REST_MS ((int64_t)5000)
#define CLEANUP_MAX_MS  ((int64_t)60000)
#define GATHER_MAX      20000

void route53_tasks_init(struct tasks *tasks)
{
    tasks->first = NULL;
    tasks->last = &tasks->first;
    tasks->count = 0;
}

void route53_tasks_add(struct tasks *tasks, struct task *task)
{
    task->next = NULL;
    *tasks->last = task;
    tasks->last = &task->next;
    tasks->count++;
}

struct task *route53_tasks_take(struct tasks *tasks)
{
    struct task *task = tasks->first;
    if (task == NULL)
        return NULL;
    tasks->first = task->next;
    if (tasks->first == NULL)
        tasks->last = &tasks->first;
    tasks->count--;
    task->next = NULL;
    return task;
}

void route53_tasks_move(struct tasks *from, struct tasks *to)
{
    for (struct task *task; (task = route53_tasks_take(from)) != NULL;)
        route53_tasks_add(to, task);
}

void route53_wake_at(struct route53_work *work, int64_t at_ms)
{
    if (at_ms < work->wake_ms)
        work->wake_ms = at_ms;
}

bool route53_work_new(const struct route53_work_options *options, struct route53_work **ret_work,
                      struct error *error)
{
    struct route53_work *work = calloc(1, sizeof *work);
    if (work == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the Route 53 solver");
    work->options = *options;
    work->wake_ms = ROUTE53_NEVER;
    work->pending_end = &work->pending;
    route53_tasks_init(&work->presents.tasks);
    route53_tasks_init(&work->cleanups.tasks);
    route53_tasks_init(&work->settled);
    slots_init(&work->requests);
    slots_init(&work->alias_ids);
    if (!route53_zones_begin(work, error)) {
        route53_work_free(work);
        return false;
    }
    *ret_work = work;
    return true;
}

static void requests_free(struct route53_work *work)
{
    for (uint32_t i = 0; i < work->requests.count; i++) {
        struct request *request = work->requests.slots[i].object;
        if (request != NULL && request->kind == REQUEST_CHANGE)
            route53_change_free(request->change);
        free(request);
    }
    slots_free(&work->requests);
}

static void zones_free(struct route53_work *work)
{
    while (work->zones != NULL) {
        struct zone *zone = work->zones;
        work->zones = zone->next;
        free(zone->id);
        free(zone->name);
        free(zone->row_solver);
        free(zone);
    }
    for (size_t i = 0; i < work->loader_count; i++)
        free(work->loaders[i].marker);
    free(work->loaders);
}

void route53_work_free(struct route53_work *work)
{
    if (work == NULL)
        return;
    requests_free(work);
    route53_names_free(work);
    for (size_t i = 0; i < NAME_BUCKETS; i++) {
        while (work->aliases[i] != NULL) {
            work->aliases[i]->users = 0;
            route53_alias_drop(work, work->aliases[i]);
        }
    }
    slots_free(&work->alias_ids);
    while (work->accounts != NULL) {
        struct route53_account *account = work->accounts;
        work->accounts = account->next;
        while (account->waits != NULL) {
            struct change *change = account->waits;
            account->waits = change->next;
            route53_change_free(change);
        }
        free(account->profile);
        free(account);
    }
    zones_free(work);
    free(work);
}

static void gather(struct route53_work *work, struct gathering *gathering, struct task *task)
{
    if (gathering->tasks.count == 0)
        gathering->first_ms = work->now_ms;
    gathering->last_ms = work->now_ms;
    route53_tasks_add(&gathering->tasks, task);
}

static void job_refuse(struct solver_job *job, enum error_kind kind, const char *text)
{
    struct error error = {0};
    error_set(&error, kind, "%s", text);
    job_fail(job, &error);
    job->done(job);
}

void route53_work_submit(struct route53_work *work, struct solver_job *job, int64_t now_ms)
{
    work->now_ms = now_ms;
    bool present = job->step == SOLVER_PRESENT;
    if (present && work->stopping) {
        job_refuse(job, ERROR_CANCELLED, "the run is ending");
        return;
    }
    struct alias *alias = route53_alias_of(work, job->identifier, present);
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL || (alias == NULL && present) || job->dns_value == NULL) {
        free(task);
        job_refuse(job, ERROR_MEMORY, "no memory for a DNS record");
        return;
    }
    *task = (struct task){.job = job,
                          .step = job->step,
                          .certificate = job->certificate,
                          .value = job->dns_value,
                          .alias = alias};
    work->live++;
    if (!present) {
        gather(work, &work->cleanups, task);
        return;
    }
    work->presents_seen++;
    route53_loaders_want(work);
    alias->users++;
    route53_alias_wait(work, alias, task);
}

void route53_task_gather(struct route53_work *work, struct task *task)
{
    if (work->stopping) {
        struct error error = {0};
        error_set(&error, ERROR_CANCELLED, "the run is ending");
        route53_task_undo(work, task, &error);
        return;
    }
    gather(work, &work->presents, task);
}

void route53_task_settle(struct route53_work *work, struct task *task)
{
    route53_tasks_add(&work->settled, task);
}

static void name_needs(struct route53_work *work, struct task *task)
{
    task->deadline_ms = work->now_ms + work->options.timeout_ms;
    route53_tasks_add(&task->name->waiting, task);
    route53_name_queue(task->name);
}

static void task_let_go(struct task *task)
{
    if (task->entry != NULL && task->entry->holds > 0)
        task->entry->holds--;
    task->entry = NULL;
}

void route53_task_undo(struct route53_work *work, struct task *task, const struct error *error)
{
    if (task->outcome.kind == ERROR_NONE)
        task->outcome = *error;
    if (task->step == SOLVER_CLEANUP) { /* what could not be removed stays noted */
        route53_task_settle(work, task);
        return;
    }
    task->step = SOLVER_CLEANUP;
    task_let_go(task);
    if (task->name != NULL)
        name_needs(work, task);
    else
        route53_task_settle(work, task);
}

void route53_task_abandon(struct route53_work *work, struct task *task, const struct error *error)
{
    if (task->outcome.kind == ERROR_NONE)
        task->outcome = *error;
    if (task->step == SOLVER_PRESENT)
        task_let_go(task);
    task->step = SOLVER_CLEANUP;
    task->forget = false;
    route53_task_settle(work, task);
}

static void record_fill(struct dns_record *record, const struct task *task)
{
    *record = (struct dns_record){.solver = task->name->zone->row_solver,
                                  .certificate = task->certificate,
                                  .fqdn = task->name->fqdn,
                                  .value = task->value,
                                  .ok = true};
}

/* Rows of all tasks that have a name and, for removals, are to be forgotten. */
static bool journal(struct route53_work *work, enum state_change_kind kind,
                    const struct tasks *tasks, struct error *error)
{
    size_t count = 0;
    if (work->options.state == NULL || tasks->count == 0)
        return true;
    struct dns_record *records = calloc(tasks->count, sizeof *records);
    if (records == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to note DNS records");
    for (const struct task *task = tasks->first; task != NULL; task = task->next)
        if (task->name != NULL && task->job != NULL && (kind == STATE_RECORD_MADE || task->forget))
            record_fill(&records[count++], task);
    bool ok = dns_journal(work->options.state, kind, records, count, error);
    free(records);
    return ok;
}

static void task_return(struct route53_work *work, struct task *task)
{
    struct solver_job *job = task->job;
    bool ok = task->outcome.kind == ERROR_NONE;
    bool stays = ok && task->step == SOLVER_PRESENT; /* the value is in the zone */
    if (task->name != NULL) {
        task->name->users--;
        route53_name_release(work, task->name);
    }
    if (task->alias != NULL && !stays)
        route53_alias_drop(work, task->alias);
    work->live--;
    if (task->leftover != NULL) {
        task->leftover->ok = ok;
        task->leftover->error = task->outcome;
    } else if (ok) {
        job_succeed(job);
    } else {
        job_fail(job, &task->outcome);
    }
    free(task);
    if (job != NULL)
        job->done(job);
}

/* A row goes away after its record. */
static void settled_return(struct route53_work *work)
{
    struct error error = {0};
    bool noted = journal(work, STATE_RECORD_REMOVED, &work->settled, &error);
    for (struct task *task; (task = route53_tasks_take(&work->settled)) != NULL;) {
        if (!noted && task->forget && task->outcome.kind == ERROR_NONE)
            task->outcome = error;
        task_return(work, task);
    }
}

static bool is_ripe(struct route53_work *work, const struct gathering *gathering, int64_t rest_ms,
                    int64_t most_ms)
{
    int64_t at_most = gathering->first_ms + most_ms;
    int64_t at_rest = gathering->last_ms + rest_ms;
    bool presents = gathering == &work->presents;
    if (gathering->tasks.count == 0)
        return false;
    if (gathering->tasks.count >= GATHER_MAX || work->now_ms >= at_most)
        return true;
    if (presents && work->unknown > 0) {
        route53_wake_at(work, at_most);
        return false;
    }
    if (work->now_ms >= at_rest || (presents && work->options.names_expected > 0 &&
                                    work->presents_seen >= work->options.names_expected))
        return true;
    route53_wake_at(work, at_rest < at_most ? at_rest : at_most);
    return false;
}

/* The zone of each; what has none fails. */
static void batch_place(struct route53_work *work, struct tasks *batch, struct tasks *placed)
{
    for (struct task *task; (task = route53_tasks_take(batch)) != NULL;) {
        struct error error = {0};
        struct zone *zone = route53_task_zone(work, task, &error);
        if (zone != NULL) {
            task->name = route53_name_of(work, zone, route53_alias_target(task->alias), true);
            if (task->name != NULL) {
                task->name->users++;
                task->entry = route53_name_value(task->name, task->value, true);
            }
            if (task->entry == NULL)
                error_set(&error, ERROR_MEMORY, "no memory for a DNS record");
        }
        if (task->entry != NULL) {
            task->entry->holds++;
            route53_tasks_add(placed, task);
        } else {
            route53_task_undo(work, task, &error);
        }
    }
}

static void batch_present(struct route53_work *work)
{
    struct tasks placed;
    struct error error = {0};
    route53_tasks_init(&placed);
    batch_place(work, &work->presents.tasks, &placed);
    route53_loaders_reset(work);
    bool noted = journal(work, STATE_RECORD_MADE, &placed, &error);
    if (placed.count > 0)
        test_point("dns-record-noted");
    for (struct task *task; (task = route53_tasks_take(&placed)) != NULL;) {
        if (noted)
            name_needs(work, task);
        else
            route53_task_undo(work, task, &error);
    }
}

static void cleanup_place(struct route53_work *work, struct task *task)
{
    struct error error = {0};
    struct zone *zone = task->alias != NULL ? route53_task_zone(work, task, &error) : NULL;
    struct name *name =
        zone != NULL ? route53_name_of(work, zone, route53_alias_target(task->alias), false) : NULL;
    struct route53_value *value =
        name != NULL ? route53_name_value(name, task->value, false) : NULL;
    if (value == NULL || value->holds == 0) { /* nothing of it is there */
        task->alias = NULL;
        route53_task_settle(work, task);
        return;
    }
    task->name = name;
    name->users++;
    task->entry = value;
    task_let_go(task);
    name_needs(work, task);
}

static void batch_cleanup(struct route53_work *work)
{
    struct tasks batch;
    route53_tasks_init(&batch);
    route53_tasks_move(&work->cleanups.tasks, &batch);
    for (struct task *task; (task = route53_tasks_take(&batch)) != NULL;)
        cleanup_place(work, task);
}

static void batches_take(struct route53_work *work)
{
    bool hurry = work->hurry || work->stopping;
    if (is_ripe(work, &work->presents, PRESENT_REST_MS, PRESENT_MAX_MS)) {
        route53_loaders_want(work);
        if (route53_loaders_are_done(work))
            batch_present(work);
    }
    if (is_ripe(work, &work->cleanups, hurry ? 0 : CLEANUP_REST_MS, CLEANUP_MAX_MS))
        batch_cleanup(work);
}

void route53_work_tick(struct route53_work *work, int64_t now_ms)
{
    work->now_ms = now_ms;
    work->wake_ms = ROUTE53_NEVER;
    if (work->stopping && now_ms >= work->stop_deadline_ms)
        route53_work_abandon(work);
    route53_aliases_pump(work);
    route53_loaders_pump(work);
    batches_take(work);
    for (struct route53_account *account = work->accounts; account != NULL; account = account->next)
        route53_waits_pump(work, account);
    for (struct zone *zone = work->zones; zone != NULL; zone = zone->next)
        route53_zone_pump(work, zone);
    settled_return(work);
    if (work->stopping)
        route53_wake_at(work, work->stop_deadline_ms);
}

int64_t route53_work_wait_ms(const struct route53_work *work, int64_t now_ms)
{
    if (work->wake_ms == ROUTE53_NEVER || route53_work_is_idle(work))
        return -1;
    return work->wake_ms > now_ms ? work->wake_ms - now_ms : 0;
}

bool route53_work_is_idle(const struct route53_work *work)
{
    return work->live == 0;
}

void route53_work_hurry(struct route53_work *work)
{
    work->hurry = true;
}
