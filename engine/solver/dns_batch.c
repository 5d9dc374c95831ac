#include "solver/dns_batch.h"

#include "solver/dns_journal.h"
#include "test/point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_CALL SIZE_MAX

/* A job's part of the batch. */
struct item {
    struct solver_job *job;
    size_t call; /* index into `calls`, NO_CALL when the hook need not be asked */
    char fqdn[DNS_FQDN_MAX];
};

struct batch {
    size_t count;
    struct item *items;
    struct dns_record *records; /* one a job, for the state */
    struct dns_record *calls;   /* those that the hook is asked for */
    size_t call_count;
};

static void batch_free(struct batch *batch)
{
    free(batch->items);
    free(batch->records);
    free(batch->calls);
}

static void item_fill(struct item *item, struct dns_record *record, struct solver_job *job)
{
    item->job = job;
    item->call = NO_CALL;
    int len = snprintf(item->fqdn, sizeof item->fqdn, "_acme-challenge.%s", job->identifier);
    *record = (struct dns_record){.solver = DNS_HOOK_SOLVER,
                                  .certificate = job->certificate,
                                  .domain = job->identifier,
                                  .fqdn = item->fqdn,
                                  .value = job->dns_value,
                                  .ok = true};
    if (len < 0 || len >= DNS_FQDN_MAX || job->dns_value == NULL)
        record->ok = error_set(&record->error, ERROR_CONFIG, "no DNS record can be made for it");
}

static bool batch_init(struct batch *batch, const struct job_list *jobs)
{
    size_t room = jobs->count > 0 ? jobs->count : 1;
    *batch = (struct batch){.count = jobs->count,
                            .items = calloc(room, sizeof *batch->items),
                            .records = calloc(room, sizeof *batch->records),
                            .calls = calloc(room, sizeof *batch->calls)};
    if (batch->items == NULL || batch->records == NULL || batch->calls == NULL) {
        batch_free(batch);
        return false;
    }
    struct solver_job *job = jobs->first;
    for (size_t i = 0; i < batch->count; i++, job = job->next)
        item_fill(&batch->items[i], &batch->records[i], job);
    return true;
}

static void call_add(struct batch *batch, size_t index)
{
    batch->items[index].call = batch->call_count;
    batch->calls[batch->call_count++] = batch->records[index];
}

/* "fqdn value": neither holds a blank. */
static struct span record_key(const struct dns_record *record, struct buf *key)
{
    buf_clear(key);
    /* A key cut by lack of memory could only make two records share a hold. */
    (void)!buf_printf(key, "%s %s", record->fqdn, record->value);
    return buf_span(key);
}

static bool holds_add_record(struct dns_worker *worker, const struct dns_record *record,
                             size_t *ret_count)
{
    struct buf key;
    buf_init(&key, (size_t)DNS_FQDN_MAX * 4);
    bool ok = holds_add(&worker->holds, record_key(record, &key), ret_count);
    buf_free(&key);
    return ok;
}

static size_t holds_drop_record(struct dns_worker *worker, const struct dns_record *record)
{
    struct buf key;
    buf_init(&key, (size_t)DNS_FQDN_MAX * 4);
    size_t left = holds_drop(&worker->holds, record_key(record, &key));
    buf_free(&key);
    return left;
}

/* The call of this batch for the same record, if there is one: it is made once for both. */
static size_t call_find(const struct batch *batch, const struct dns_record *record)
{
    for (size_t i = 0; i < batch->call_count; i++)
        if (strcmp(batch->calls[i].fqdn, record->fqdn) == 0 &&
            strcmp(batch->calls[i].value, record->value) == 0)
            return i;
    return NO_CALL;
}

static void records_hold(struct dns_worker *worker, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct dns_record *record = &batch->records[i];
        size_t count;
        if (!record->ok)
            continue;
        if (!holds_add_record(worker, record, &count))
            record->ok = error_set(&record->error, ERROR_MEMORY, "no memory for a DNS record");
        else if (count == 1)
            call_add(batch, i);
        else
            batch->items[i].call = call_find(batch, record);
    }
}

static void record_give_up(struct dns_worker *worker, struct dns_record *record,
                           const struct error *error)
{
    holds_drop_record(worker, record);
    record->ok = false;
    record->error = *error;
}

static void jobs_settle(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->records[i].ok)
            job_succeed(batch->items[i].job);
        else
            job_fail(batch->items[i].job, &batch->records[i].error);
    }
}

static void records_make(struct dns_worker *worker, struct batch *batch)
{
    records_hold(worker, batch);
    struct error error = {0};
    if (!dns_journal(worker->state, STATE_RECORD_MADE, batch->records, batch->count, &error)) {
        for (size_t i = 0; i < batch->count; i++)
            if (batch->records[i].ok)
                record_give_up(worker, &batch->records[i], &error);
        return;
    }
    test_point("dns-record-noted");
    if (batch->call_count > 0)
        dns_hook_run(worker->hook, SOLVER_PRESENT, worker->timeout_ms, worker->cancel_fd,
                     batch->calls, batch->call_count);
    test_point("dns-record-made");
    for (size_t i = 0; i < batch->count; i++) {
        const struct item *item = &batch->items[i];
        if (batch->records[i].ok && item->call != NO_CALL && !batch->calls[item->call].ok)
            record_give_up(worker, &batch->records[i], &batch->calls[item->call].error);
    }
}

static void jobs_fail(struct job_list *jobs, enum error_kind kind, const char *text)
{
    struct error error = {0};
    error_set(&error, kind, "%s", text);
    for (struct solver_job *job = jobs->first; job != NULL; job = job->next)
        job_fail(job, &error);
}

void dns_batch_present(struct dns_worker *worker, struct job_list *jobs, struct job_list *made,
                       struct job_list *failed)
{
    struct batch batch;
    if (batch_init(&batch, jobs)) {
        records_make(worker, &batch);
        jobs_settle(&batch);
        batch_free(&batch);
    } else {
        jobs_fail(jobs, ERROR_MEMORY, "no memory for DNS records");
    }
    for (struct solver_job *job; (job = job_list_take(jobs)) != NULL;)
        job_list_add(job->ok ? made : failed, job);
}

static void records_remove(struct dns_worker *worker, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->records[i].ok && holds_drop_record(worker, &batch->records[i]) == 0)
            call_add(batch, i);
    if (batch->call_count > 0)
        dns_hook_run(worker->hook, SOLVER_CLEANUP, worker->timeout_ms, -1, batch->calls,
                     batch->call_count);
    test_point("dns-record-removed");
    for (size_t i = 0; i < batch->count; i++) {
        size_t call = batch->items[i].call;
        if (call != NO_CALL && !batch->calls[call].ok) {
            batch->records[i].ok = false;
            batch->records[i].error = batch->calls[call].error;
        }
    }
    struct error error = {0};
    if (dns_journal(worker->state, STATE_RECORD_REMOVED, batch->records, batch->count, &error))
        return;
    for (size_t i = 0; i < batch->count; i++) {
        batch->records[i].ok = false;
        batch->records[i].error = error;
    }
}

void dns_batch_cleanup(struct dns_worker *worker, struct job_list *jobs)
{
    struct batch batch;
    if (!batch_init(&batch, jobs)) {
        jobs_fail(jobs, ERROR_MEMORY, "no memory to remove DNS records");
        return;
    }
    records_remove(worker, &batch);
    jobs_settle(&batch);
    batch_free(&batch);
}
