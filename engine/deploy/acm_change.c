/* Changes of the state that the deployer posts, with the texts that they need until they are
 * durable. */
#include "deploy/acm_internal.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct change {
    struct message message; /* the deployer's mailbox's, on the way back */
    struct state_change change;
    struct acm_deployer *deployer;
    uint64_t work; /* the id of who waits; 0: nobody */
    char texts[];
};

/* On the writer's thread. */
static void change_back(struct state_change *state_change)
{
    struct change *change = state_change->owner;
    mailbox_post(&change->deployer->mailbox, &change->message);
}

#define TEXTS 8

static size_t texts_of(struct state_import *row, const char **texts[TEXTS])
{
    const char **all[TEXTS] = {&row->name,    &row->profile, &row->region, &row->given_arn,
                               &row->account, &row->arn,     &row->serial, &row->last_error};
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] = all[i];
        if (*all[i] == NULL)
            *all[i] = "";
        size += strlen(*all[i]) + 1;
    }
    return size;
}

void acm_change_post(struct acm_deployer *deployer, enum state_change_kind kind,
                     const struct state_import *row, struct acm_work *work)
{
    struct state_import copy = *row;
    const char **texts[TEXTS];
    size_t size = texts_of(&copy, texts);
    struct change *change = malloc(sizeof *change + size);
    if (change == NULL) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory to note what ACM holds");
        if (work != NULL)
            acm_work_committed(work, false, &error);
        return;
    }
    char *at = change->texts;
    for (size_t i = 0; i < TEXTS; i++) {
        size_t len = strlen(*texts[i]) + 1;
        memcpy(at, *texts[i], len);
        *texts[i] = at;
        at += len;
    }
    change->message = (struct message){.kind = ACM_MESSAGE_CHANGE};
    change->change =
        (struct state_change){.kind = kind, .import = copy, .owner = change, .done = change_back};
    change->deployer = deployer;
    change->work = work != NULL ? work->id : 0;
    deployer->changes_out++;
    state_post(deployer->options.state, &change->change);
}

static struct state_import row_key(const struct acm_work *work)
{
    const struct deploy_acm *target = work->job->target;
    return (struct state_import){.name = acm_work_entry(work)->name,
                                 .profile = target->profile,
                                 .region = target->region,
                                 .given_arn = target->arn,
                                 .account = work->lane->account,
                                 .attempted_at = clock_unix()};
}

void acm_change_work(struct acm_work *work, enum state_change_kind kind)
{
    struct state_import row = row_key(work);
    if (kind == STATE_IMPORT_FAILED) {
        row.last_error = work->error.text;
    } else if (kind != STATE_IMPORT_INTENDED) {
        row.arn = work->arn;
        row.sequence = work->job->item->sequence;
        row.digest = work->digest;
        row.serial = work->serial;
        row.not_after = work->not_after;
        row.imported_at = work->imported_at;
    }
    acm_change_post(work->lane->deployer, kind, &row, work);
}

void acm_change_gone(struct acm_deployer *deployer, const struct acm_row *row)
{
    struct state_import key = {.name = row->name,
                               .profile = row->profile,
                               .region = row->region,
                               .given_arn = row->given_arn};
    acm_change_post(deployer, STATE_IMPORT_GONE, &key, NULL);
}

void acm_change_done(struct acm_deployer *deployer, struct message *message)
{
    struct change *change = (struct change *)message;
    deployer->changes_out--;
    const struct acm_waiter *waiter = slots_get(&deployer->waiters, change->work);
    if (waiter != NULL && waiter->work != NULL)
        acm_work_committed(waiter->work, change->change.ok, &change->change.error);
    free(change);
}
