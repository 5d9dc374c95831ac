/* The main thread of a run, inside run/: what it holds, and its loop. */
#ifndef CERTMILL_RUN_RUN_MAIN_H
#define CERTMILL_RUN_RUN_MAIN_H

#include "run/deploying.h"
#include "run/message.h"
#include "run/run.h"

#include <signal.h>

struct run {
    const struct manifest *manifest;
    const struct accounts *accounts;
    const struct run_options *options;
    struct run_context context;
    struct crl_check *crl; /* NULL: revocation lists are not looked at */
    struct plan plan;
    struct lanes lanes;
    struct state *state;
    struct store *store;
    struct crypto_stage *stage;
    struct solvers *solvers;
    struct deploying deploying;
    struct report *report;
    struct mailbox box;
    bool box_open;
    struct worker *workers;
    unsigned workers_started, workers_ended, boxes;
    atomic_uint orders_now;
    int signal_fd, lock_fd;
    sigset_t old_signals;
    unsigned signals;   /* SIGINT and SIGTERM seen */
    bool drained;       /* the workers take nothing new */
    int64_t park_at_ms; /* when they were drained: then everything is parked */
    bool parked;
    unsigned away; /* state changes of the main thread under way */
    bool broken;   /* a worker had to give up */
};

/* What was in the way of looking at revocation lists. */
void run_tell_crl_warnings(struct run *run);
/* Tells what the run is about, and removes what earlier ones left: before any worker starts. */
void run_begin(struct run *run);
/* Runs until every worker and the deploy hooks have ended. */
void run_listen(struct run *run);
/* Prints the summary and gives the exit code. */
int run_finish(struct run *run);
/* When not all workers could be started: ends those that were. */
void run_stop_workers(struct run *run);
/* Frees what is left in the main thread's mailbox. */
void run_mail_drop(struct run *run);

/* To the report. `name` may be NULL. */
void run_tell(struct run *run, struct news *news);
void run_warn(struct run *run, const char *name, const char *text);

/* Puts a certificate's change into the state, whose name must outlive the run. A failure is a
 * warning. Without memory the next run finds out again. */
void run_record(struct run *run, enum state_change_kind kind,
                const struct state_certificate *certificate);

#endif
