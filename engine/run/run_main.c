#include "run/run_main.h"

#include "base/clock.h"
#include "report/format.h"
#include "run/figures.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* After the first signal, orders under way have so long to end; then they are parked. */
#define DRAIN_MS         30000
#define CHANGES_AWAY_MAX 256

struct change_message {
    struct message message;
    struct state_change change;
    struct run *run;
};

void run_tell(struct run *run, struct news *news)
{
    news->in_flight = atomic_load(&run->orders_now);
    report_news(run->report, news, clock_unix(), clock_monotonic_ms());
}

void run_warn(struct run *run, const char *name, const char *text)
{
    struct news news = {.kind = NEWS_WARNING, .name = name, .text = text};
    run_tell(run, &news);
}

static void change_done(struct state_change *change)
{
    struct change_message *message = change->owner;
    mailbox_post(&message->run->box, &message->message);
}

void run_record(struct run *run, enum state_change_kind kind,
                const struct state_certificate *certificate)
{
    struct change_message *message = calloc(1, sizeof *message);
    if (message == NULL)
        return;
    message->message.kind = MAIN_STATE;
    message->run = run;
    message->change.kind = kind;
    message->change.certificate = *certificate;
    message->change.owner = message;
    message->change.done = change_done;
    run->away++;
    state_post(run->state, &message->change);
}

static void recorded_handle(struct run *run, const struct change_message *message)
{
    run->away--;
    if (!message->change.ok)
        run_warn(run, message->change.certificate.name, message->change.error.text);
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
    run_tell(run, &news);
    if (message->kind != NEWS_ISSUED)
        return;
    const struct manifest_entry *entry = &run->manifest->entries[message->item->entry];
    deploying_add(run, entry, message->sequence);
}

static void news_free(struct news_message *message)
{
    free(message->name);
    free(message->text);
    free(message->advice);
    free(message->type);
    free(message);
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
    run_warn(run, NULL, worker->broken_error.text);
    workers_drain(run);
}

static void worker_ended(struct run *run, const struct message *message)
{
    for (unsigned i = 0; i < run->workers_started; i++)
        if (message == &run->workers[i].end_message && run->workers[i].broken)
            worker_gave_up(run, &run->workers[i]);
    if (++run->workers_ended == run->workers_started)
        deploying_close(run);
}

static void mail_handle(struct run *run, struct message *message)
{
    switch ((enum main_message)message->kind) {
    case MAIN_NEWS:
        news_handle(run, (struct news_message *)message);
        news_free((struct news_message *)message);
        return;
    case MAIN_DEPLOYED:
        deploying_handle(run, (struct deployed_message *)message);
        free(message);
        return;
    case MAIN_STATE:
        recorded_handle(run, (struct change_message *)message);
        free(message);
        return;
    case MAIN_WORKER_END:
        worker_ended(run, message);
        return;
    case MAIN_DEPLOYER_END:
        deploying_join(run);
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
            run_warn(run, NULL, "stopped at once; the next run goes on with what was under way");
            _exit(ENDING_RESUME);
        }
        run_warn(
            run, NULL,
            "interrupted: finishing or parking the orders under way; once more to stop at once");
        workers_drain(run);
        deploying_interrupt(run);
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
    run_warn(context, NULL, text);
}

static void swap_warning(struct run *run)
{
    struct crypto_secure_heap heap;
    crypto_secure_heap(&heap);
    if (heap.locked)
        return;
    run_warn(
        run, NULL,
        "private keys on their way to the disk cannot be kept out of the swap: raise the limit of "
        "locked memory (ulimit -l, LimitMEMLOCK=) to 8 MiB");
}

void run_tell_crl_warnings(struct run *run)
{
    size_t count = 0;
    const char *const *warnings = NULL;
    if (run->crl != NULL)
        warnings = crl_check_warnings(run->crl, &count);
    for (size_t i = 0; i < count; i++)
        run_warn(run, NULL, warnings[i]);
}

/* A CA may revoke them all at once: the state takes them by the hundred. */
static void revocations_begin(struct run *run)
{
    for (size_t i = 0; i < run->plan.revoked_count; i++) {
        const struct plan_revocation *revoked = &run->plan.revoked[i];
        const char *name = run->manifest->entries[revoked->entry].name;
        struct news news = {.kind = NEWS_REVOKED,
                            .name = name,
                            .text = revoked->reason,
                            .at = revoked->at,
                            .url = revoked->url};
        run_tell(run, &news);
        run_record(run, STATE_REVOKED,
                   &(struct state_certificate){.name = name, .revoked_at = revoked->at});
        while (run->away >= CHANGES_AWAY_MAX) {
            struct pollfd fd = {.fd = run->box.event_fd, .events = POLLIN};
            (void)poll(&fd, 1, -1);
            mail_run(run);
        }
    }
}

void run_begin(struct run *run)
{
    struct news started = {.kind = NEWS_RUN_STARTED};
    if (run->options->register_only != NULL)
        started.total = run->lanes.count;
    for (size_t i = 0; i < run->plan.due_count; i++)
        started.total += !run->plan.due[i].deploy_only;
    run_tell(run, &started);
    run_tell_crl_warnings(run);
    revocations_begin(run);
    swap_warning(run);
    if (run->solvers != NULL)
        solvers_clean_leftovers(run->solvers, leftover_warning, run);
}

void run_listen(struct run *run)
{
    deploying_begin(run);
    while (run->workers_ended < run->workers_started || !run->deploying.ended || run->away > 0) {
        int64_t wait_ms = report_tick(run->report, clock_monotonic_ms());
        struct pollfd fds[] = {{.fd = run->box.event_fd, .events = POLLIN},
                               {.fd = run->signal_fd, .events = POLLIN}};
        if (wait_ms < 0 || wait_ms > 1000)
            wait_ms = 1000;
        if (poll(fds, 2, (int)wait_ms) < 0 && errno != EINTR)
            run_warn(run, NULL, "poll failed");
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
        run_tell(run, &news);
    }
}

static void left_tell(struct run *run, size_t left)
{
    char certificates[FORMAT_MAX];
    char text[2 * FORMAT_MAX + 64];
    snprintf(text, sizeof text, "%s not deployed everywhere yet: the next run goes on",
             format_certificates(left, certificates));
    run_warn(run, NULL, text);
}

int run_finish(struct run *run)
{
    struct figures figures;
    if (run->options->register_only != NULL)
        registrations_report(run);
    size_t left = deploying_left(run);
    if (left > 0)
        left_tell(run, left);
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
    return totals.parked > 0 || left > 0 ? ENDING_RESUME : ENDING_DONE;
}
