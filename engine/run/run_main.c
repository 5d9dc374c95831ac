#include "run/run_main.h"

#include "base/clock.h"
#include "run/figures.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* After the first signal, orders under way have so long to end; then they are parked. */
#define DRAIN_MS 30000

struct deployed_message {
    struct message message;
    const struct manifest_entry *entry;
    unsigned sequence;
    bool ok;
    struct error error;
};

struct change_message {
    struct message message;
    struct state_change change;
    struct run *run;
};

static void tell(struct run *run, struct news *news)
{
    news->in_flight = atomic_load(&run->orders_now);
    report_news(run->report, news, clock_unix(), clock_monotonic_ms());
}

static void warn(struct run *run, const char *name, const char *text)
{
    struct news news = {.kind = NEWS_WARNING, .name = name, .text = text};
    tell(run, &news);
}

void run_deployed(void *context, const struct manifest_entry *entry, unsigned sequence, bool ok,
                  const struct error *error)
{
    struct run *run = context;
    struct deployed_message *message = calloc(1, sizeof *message);
    /* Without memory the next run finds the certificate undeployed, and deploys it again. */
    if (message == NULL)
        return;
    message->message.kind = MAIN_DEPLOYED;
    message->entry = entry;
    message->sequence = sequence;
    message->ok = ok;
    if (!ok)
        message->error = *error;
    mailbox_post(&run->box, &message->message);
}

static void change_done(struct state_change *change)
{
    struct change_message *message = change->owner;
    mailbox_post(&message->run->box, &message->message);
}

static void deployed_record(struct run *run, const char *name, unsigned sequence)
{
    struct change_message *message = calloc(1, sizeof *message);
    if (message == NULL)
        return;
    message->message.kind = MAIN_STATE;
    message->run = run;
    message->change.kind = STATE_DEPLOYED;
    message->change.certificate =
        (struct state_certificate){.name = name, .deployed_sequence = sequence};
    message->change.owner = message;
    message->change.done = change_done;
    run->away++;
    state_post(run->state, &message->change);
}

static void deployed_handle(struct run *run, struct deployed_message *message)
{
    struct news news = {.kind = message->ok ? NEWS_DEPLOYED : NEWS_DEPLOY_FAILED,
                        .name = message->entry->name,
                        .sequence = message->sequence};
    if (message->ok) {
        deployed_record(run, message->entry->name, message->sequence);
    } else {
        news.text = message->error.text;
        news.type = "deploy";
        news.advice = "the certificate is live; the next run tries the hook again";
    }
    tell(run, &news);
}

static void news_handle(struct run *run, const struct news_message *message)
{
    struct news news = {
        .kind = (enum news_kind)message->kind,
        .name = message->name,
        .text = message->text,
        .advice = message->advice,
        .type = message->type,
        .sequence = message->sequence,
        .not_after = message->not_after,
        .seconds = message->seconds,
    };
    tell(run, &news);
    if (message->kind != NEWS_ISSUED)
        return;
    const struct manifest_entry *entry = &run->manifest->entries[message->item->entry];
    if (entry->deploy != NULL)
        deployer_add(run->deployer, entry, message->sequence);
}

static void news_free(struct news_message *message)
{
    free(message->name);
    free(message->text);
    free(message->advice);
    free(message->type);
    free(message);
}

static void *deploy_finish(void *context)
{
    struct run *run = context;
    deployer_finish(run->deployer);
    run->deploy_end_message.kind = MAIN_DEPLOYER_END;
    mailbox_post(&run->box, &run->deploy_end_message);
    return NULL;
}

/* Hooks may take minutes: the main thread goes on listening to signals meanwhile. */
static void deploy_finish_start(struct run *run)
{
    if (pthread_create(&run->deploy_thread, NULL, deploy_finish, run) == 0)
        return;
    deployer_finish(run->deployer);
    run->deploy_ended = true;
}

static void workers_drain(struct run *run)
{
    if (run->drained)
        return;
    run->drained = true;
    run->park_at_ms = clock_monotonic_ms() + DRAIN_MS;
    for (unsigned i = 0; i < run->workers_started; i++)
        worker_drain(&run->workers[i]);
    crypto_stage_stop(run->stage);
}

/* The others cannot go on for long when one had to give up, and would wait for its lanes. */
static void worker_gave_up(struct run *run, const struct worker *worker)
{
    run->broken = true;
    warn(run, NULL, worker->broken_error.text);
    workers_drain(run);
}

static void worker_ended(struct run *run, const struct message *message)
{
    for (unsigned i = 0; i < run->workers_started; i++)
        if (message == &run->workers[i].end_message && run->workers[i].broken)
            worker_gave_up(run, &run->workers[i]);
    if (++run->workers_ended == run->workers_started)
        deploy_finish_start(run);
}

static void mail_handle(struct run *run, struct message *message)
{
    switch ((enum main_message)message->kind) {
    case MAIN_NEWS:
        news_handle(run, (struct news_message *)message);
        news_free((struct news_message *)message);
        return;
    case MAIN_DEPLOYED:
        deployed_handle(run, (struct deployed_message *)message);
        free(message);
        return;
    case MAIN_STATE: {
        struct change_message *change = (struct change_message *)message;
        run->away--;
        if (!change->change.ok)
            warn(run, change->change.certificate.name, change->change.error.text);
        free(change);
        return;
    }
    case MAIN_WORKER_END:
        worker_ended(run, message);
        return;
    case MAIN_DEPLOYER_END:
        pthread_join(run->deploy_thread, NULL);
        run->deploy_ended = true;
        return;
    }
}

static void mail_run(struct run *run)
{
    struct message *message = mailbox_take(&run->box);
    while (message != NULL) {
        struct message *next = message->next;
        mail_handle(run, message);
        message = next;
    }
}

void run_mail_drop(struct run *run)
{
    if (!run->box_open)
        return;
    struct message *message = mailbox_take(&run->box);
    while (message != NULL) {
        struct message *next = message->next;
        if (message->kind == MAIN_NEWS)
            news_free((struct news_message *)message);
        else if (message->kind == MAIN_DEPLOYED || message->kind == MAIN_STATE)
            free(message);
        message = next;
    }
}

/* The first signal: take nothing new, make no more keys, finish or park what is under way. The
 * second: stop at once; everything that matters is in the state already, as after a crash. */
static void signal_run(struct run *run)
{
    struct signalfd_siginfo info;
    while (read(run->signal_fd, &info, sizeof info) == sizeof info) {
        if (++run->signals > 1) {
            warn(run, NULL, "stopped at once; the next run goes on with what was under way");
            _exit(ENDING_RESUME);
        }
        warn(run, NULL,
             "interrupted: finishing or parking the orders under way; once more to stop at once");
        workers_drain(run);
        deployer_interrupt(run->deployer);
    }
}

static void park_when_late(struct run *run)
{
    if (run->park_at_ms == 0 || run->parked || clock_monotonic_ms() < run->park_at_ms)
        return;
    run->parked = true;
    for (unsigned i = 0; i < run->workers_started; i++)
        worker_park(&run->workers[i]);
}

static void leftover_warning(void *context, const char *text)
{
    warn(context, NULL, text);
}

static void swap_warning(struct run *run)
{
    struct crypto_secure_heap heap;
    crypto_secure_heap(&heap);
    if (heap.locked)
        return;
    warn(run, NULL,
         "private keys on their way to the disk cannot be kept out of the swap: raise the limit of "
         "locked memory (ulimit -l, LimitMEMLOCK=) to 8 MiB");
}

void run_begin(struct run *run)
{
    struct news started = {.kind = NEWS_RUN_STARTED};
    if (run->options->register_only != NULL)
        started.total = run->lanes.count;
    for (size_t i = 0; i < run->plan.due_count; i++)
        started.total += !run->plan.due[i].deploy_only;
    tell(run, &started);
    swap_warning(run);
    if (run->solvers != NULL)
        solvers_clean_leftovers(run->solvers, leftover_warning, run);
}

static void deploy_begin(struct run *run)
{
    for (size_t i = 0; i < run->plan.due_count; i++) {
        const struct plan_item *item = &run->plan.due[i];
        if (item->deploy_only)
            deployer_add(run->deployer, &run->manifest->entries[item->entry], item->sequence);
    }
}

void run_listen(struct run *run)
{
    deploy_begin(run);
    while (run->workers_ended < run->workers_started || !run->deploy_ended || run->away > 0) {
        int64_t wait_ms = report_tick(run->report, clock_monotonic_ms());
        struct pollfd fds[] = {{.fd = run->box.event_fd, .events = POLLIN},
                               {.fd = run->signal_fd, .events = POLLIN}};
        if (wait_ms < 0 || wait_ms > 1000)
            wait_ms = 1000;
        if (poll(fds, 2, (int)wait_ms) < 0 && errno != EINTR)
            warn(run, NULL, "poll failed");
        mail_run(run);
        signal_run(run);
        park_when_late(run);
    }
    for (unsigned i = 0; i < run->workers_started; i++)
        worker_join(&run->workers[i]);
    run->workers_ended = 0;
    mail_run(run);
}

void run_stop_workers(struct run *run)
{
    for (unsigned i = 0; i < run->workers_started; i++)
        worker_drain(&run->workers[i]);
    crypto_stage_stop(run->stage);
    for (unsigned i = 0; i < run->workers_started; i++)
        worker_join(&run->workers[i]);
}

/* Accounts that were refused have no certificate in this run to tell it. */
static void registrations_report(struct run *run)
{
    for (size_t i = 0; i < run->lanes.count; i++) {
        struct lane *lane = &run->lanes.list[i];
        if (atomic_load(&lane->status) != LANE_REFUSED)
            continue;
        struct news news = {.kind = NEWS_FAILED,
                            .name = lane->account->alias,
                            .text = lane->refusal.error.text,
                            .advice = problem_advice(&lane->refusal.problem),
                            .type = lane->refusal.problem.type};
        tell(run, &news);
    }
}

int run_finish(struct run *run)
{
    struct figures figures;
    if (run->options->register_only != NULL)
        registrations_report(run);
    figures_make(run, &figures);
    report_summary(run->report, run->signals > 0, figures.list, figures.count, clock_unix(),
                   clock_monotonic_ms());
    figures_free(&figures);
    struct report_totals totals;
    report_total(run->report, &totals);
    if (run->signals > 0)
        return ENDING_RESUME;
    if (totals.failed > 0 || totals.deploy_failed > 0 || run->broken || totals.output_lost)
        return ENDING_SOME_FAILED;
    return totals.parked > 0 ? ENDING_RESUME : ENDING_DONE;
}
