#include "run/run.h"

#include "base/clock.h"
#include "io/file.h"
#include "run/run_main.h"
#include "test/point.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define WORKERS_DEFAULT_MAX 4
#define CRYPTO_NICENESS     5
#define BODY_MAX            ((size_t)1024 * 1024)
#define GATHER_ORDERS_MIN   32
#define GATHER_MS           5

/* Signals come through a descriptor, to the main thread only: blocked before any thread starts. */
static bool signals_open(struct run *run, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (pthread_sigmask(SIG_BLOCK, &set, &run->old_signals) != 0)
        return error_set(error, ERROR_SYSTEM, "signals cannot be blocked");
    run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signal_fd < 0)
        return error_set(error, ERROR_SYSTEM, "signalfd: %m");
    return true;
}

static bool lock_take(struct run *run, struct error *error)
{
    char path[PATH_MAX];
    if (!folder_make(run->options->state_folder, 0700, error))
        return error_prefix(error, "the state folder: ");
    snprintf(path, sizeof path, "%s/lock", run->options->state_folder);
    return file_lock(path, &run->lock_fd, error) ||
           error_prefix(error, error->kind == ERROR_BUSY ? "another run is under way: "
                                                         : "the state folder: ");
}

static bool plan_run(struct run *run, struct error *error)
{
    const struct crl_check_options crl = {
        .state_folder = run->options->state_folder,
        .crypto = run->options->crypto,
        .ca_file = run->options->ca_file,
        .now = clock_unix(),
        .fetch = true,
    };
    struct plan_options options = {
        .state_folder = run->options->state_folder,
        .mode = run->options->io,
        .now = clock_unix(),
        .only = run->options->only,
        .force = run->options->force,
        .want_later = run->manifest->has_acm && run->manifest->aws.drift,
    };
    if (run->options->register_only == NULL && run->manifest->crl)
        TRY(crl_check_new(&crl, &run->crl, error));
    options.crl = run->crl;
    if (run->options->register_only == NULL)
        TRY(plan_make(run->manifest, run->state, &options, &run->plan, error));
    TRY(lanes_make(run->manifest, run->accounts, &run->plan, run->options->register_only,
                   run->context.worker_count, &run->lanes, error));
    for (size_t i = 0; i < run->lanes.ca_count; i++)
        pace_allow(&run->lanes.cas[i].pace, run->manifest->limits.requests_per_second,
                   clock_monotonic_ms());
    return true;
}

static bool solvers_open(struct run *run, struct error *error)
{
    struct solvers_options options = {
        .manifest = &run->manifest->solvers,
        .state = run->state,
        .profiles = run->options->profiles,
        .crypto = run->options->crypto,
    };
    for (size_t i = 0; i < run->plan.due_count; i++) {
        const struct plan_item *item = &run->plan.due[i];
        if (item->deploy_only)
            continue;
        const struct manifest_entry *entry = &run->manifest->entries[item->entry];
        enum challenge_type type = entry->challenge;
        options.need_http = options.need_http || type == CHALLENGE_HTTP_01;
        options.need_dns = options.need_dns || type == CHALLENGE_DNS_01;
        options.dns_names += type == CHALLENGE_DNS_01 ? entry->domain_count : 0;
        options.need_tls_alpn = options.need_tls_alpn || type == CHALLENGE_TLS_ALPN_01;
    }
    if (!options.need_http && !options.need_dns && !options.need_tls_alpn)
        return true;
    return solvers_new(&options, &run->solvers, error);
}

static void point_of_store(const char *name)
{
    test_point(name);
}

/* With few orders in flight each waits for its own commits, with many for the CA. */
static unsigned gather_ms(const struct run *run)
{
    size_t at_once = run->manifest->limits.in_flight;
    if (run->plan.due_count < at_once)
        at_once = run->plan.due_count;
    return at_once >= GATHER_ORDERS_MIN ? GATHER_MS : 0;
}

static bool stages_open(struct run *run, struct error *error)
{
    const struct run_options *options = run->options;
    const struct store_options store = {
        .mode = options->io,
        .root = options->state_folder,
        .point = point_of_store,
        .done = store_job_done,
    };
    const struct crypto_stage_options stage = {
        .threads = options->crypto_threads,
        .niceness = CRYPTO_NICENESS,
        .done = crypto_job_done,
    };
    TRY(state_start(run->state, gather_ms(run), error));
    TRY(store_new(&store, &run->store, error));
    TRY(crypto_stage_new(options->crypto, &stage, &run->stage, error));
    return deploying_open(run, error);
}

static unsigned worker_count(const struct run_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->workers > 0)
        return options->workers;
    if (cores < 1)
        return 1;
    return cores < WORKERS_DEFAULT_MAX ? (unsigned)cores : WORKERS_DEFAULT_MAX;
}

static void context_fill(struct run *run)
{
    const struct manifest_limits *limits = &run->manifest->limits;
    struct run_context *context = &run->context;
    context->crypto = run->options->crypto;
    context->manifest = run->manifest;
    context->lanes = &run->lanes;
    context->state = run->state;
    context->store = run->store;
    context->stage = run->stage;
    context->solvers = run->solvers;
    context->state_folder = run->options->state_folder;
    context->main_box = &run->box;
    context->workers = run->workers;
    context->http = (struct http_options){
        .ca_file = run->options->ca_file,
        .user_agent = "certmill/" CERTMILL_VERSION,
        .body_limit = BODY_MAX,
    };
    context->account_key = run->options->account_key;
    context->report_states = report_wants_states(run->report);
    context->in_flight = limits->in_flight;
    context->order_timeout_ms = (int64_t)limits->order_timeout_s * 1000;
    context->orders_now = &run->orders_now;
    context->revocations = run->options->revocations;
    context->revocation_count = run->options->revocation_count;
}

static bool workers_open(struct run *run, struct error *error)
{
    run->workers = calloc(run->context.worker_count, sizeof *run->workers);
    if (run->workers == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the workers");
    context_fill(run);
    for (unsigned i = 0; i < run->context.worker_count; i++) {
        TRY(mailbox_init(&run->workers[i].box, error));
        run->boxes++;
    }
    for (unsigned i = 0; i < run->context.worker_count; i++) {
        TRY(worker_start(&run->context, &run->workers[i], i, error));
        run->workers_started++;
    }
    return true;
}

static bool nothing_to_do(const struct run *run)
{
    return run->plan.due_count == 0 && run->options->register_only == NULL &&
           !deploying_watches(run);
}

/* Everything that can be wrong on this side, before anything is sent. */
static bool run_open(struct run *run, struct error *error)
{
    if (run->manifest->has_acm && run->options->register_only == NULL)
        TRY(acm_targets_check(run->manifest, run->options->profiles, error));
    TRY(mailbox_init(&run->box, error));
    run->box_open = true;
    TRY(lock_take(run, error));
    TRY(state_open(run->options->state_folder, false, &run->state, error));
    run->context.worker_count = worker_count(run->options);
    TRY(plan_run(run, error));
    TRY(report_new(&run->options->report, &run->report, error));
    if (nothing_to_do(run))
        return true;
    TRY(signals_open(run, error));
    TRY(solvers_open(run, error));
    return stages_open(run, error);
}

/* In the order in which they depend on each other: who may still call whom. */
static void run_close(struct run *run)
{
    for (unsigned i = 0; i < run->boxes; i++)
        mailbox_free(&run->workers[i].box);
    free(run->workers);
    deploying_free(run);
    if (run->solvers != NULL)
        solvers_free(run->solvers);
    if (run->stage != NULL)
        crypto_stage_free(run->stage);
    if (run->store != NULL)
        store_free(run->store);
    if (run->state != NULL)
        state_close(run->state);
    run_mail_drop(run);
    if (run->box_open)
        mailbox_free(&run->box);
    lanes_free(&run->lanes);
    plan_free(&run->plan);
    crl_check_free(run->crl);
    report_free(run->report);
    if (run->signal_fd >= 0) {
        close(run->signal_fd);
        pthread_sigmask(SIG_SETMASK, &run->old_signals, NULL);
    }
    if (run->lock_fd >= 0)
        close(run->lock_fd);
}

static int run_do(struct run *run, struct error *error)
{
    if (nothing_to_do(run)) {
        run_tell_crl_warnings(run);
        return run_finish(run);
    }
    run_begin(run);
    if (!workers_open(run, error)) {
        run_stop_workers(run);
        return ENDING_USAGE;
    }
    run_listen(run);
    return run_finish(run);
}

int run_execute(const struct manifest *manifest, const struct accounts *accounts,
                const struct run_options *options, struct error *error)
{
    struct run run = {
        .manifest = manifest,
        .accounts = accounts,
        .options = options,
        .signal_fd = -1,
        .lock_fd = -1,
    };
    int code = ENDING_USAGE;
    error->kind = ERROR_NONE;
    if (run_open(&run, error))
        code = run_do(&run, error);
    run_close(&run);
    return code;
}
