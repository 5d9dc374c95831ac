/* The thread of the dns-01 solver.
 *
 *   submit -> gathering (presents, cleanups) -> one call of the hook -> wave -> done
 *
 * A wave is a batch whose records are made and which waits for their propagation. The thread never
 * sleeps for one wave: it takes the next batch meanwhile, and wakes for whatever is due first. */
#include "solver/dns_solver.h"

#include "base/clock.h"
#include "solver/dns_batch.h"
#include "solver/dns_hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define GATHER_REST_MS ((int64_t)100)  /* a batch is taken after this long without a new job */
#define GATHER_MAX_MS  ((int64_t)1000) /* or this long after its first, when jobs trickle in */
#define BATCH_MAX      1000

struct gathering {
    struct job_list jobs;
    int64_t first_ms, last_ms; /* when the oldest and the newest came */
};

struct wave {
    struct wave *next;
    struct job_list jobs;
    int64_t due_ms;
};

struct dns_solver {
    struct dns_worker worker; /* the thread's */
    int64_t propagation_ms;
    struct wave *waves, **waves_end; /* the thread's; by due_ms, for every wait is as long */
    pthread_t thread;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    struct gathering presents, cleanups;
    bool stopping;
};

static int64_t gathering_ripe_ms(const struct gathering *gathering)
{
    if (gathering->jobs.count == 0)
        return INT64_MAX;
    if (gathering->jobs.count >= BATCH_MAX)
        return INT64_MIN;
    int64_t at_rest = gathering->last_ms + GATHER_REST_MS;
    int64_t at_most = gathering->first_ms + GATHER_MAX_MS;
    return at_rest < at_most ? at_rest : at_most;
}

static void gathering_take(struct gathering *gathering, struct job_list *batch, int64_t now_ms)
{
    job_list_move(&gathering->jobs, batch, BATCH_MAX);
    gathering->first_ms = now_ms;
}

static void wait_until(struct dns_solver *solver, int64_t at_ms)
{
    if (at_ms == INT64_MAX) {
        pthread_cond_wait(&solver->changed, &solver->lock);
        return;
    }
    struct timespec until = {.tv_sec = at_ms / 1000, .tv_nsec = (at_ms % 1000) * 1000000};
    pthread_cond_timedwait(&solver->changed, &solver->lock, &until);
}

enum work { WORK_WAVE, WORK_PRESENT, WORK_CLEANUP, WORK_STOP };

/* Waits for something to do; a batch to run goes to *batch. The older of two ripe batches comes
 * first, so that neither step starves the other. */
static enum work work_next(struct dns_solver *solver, struct job_list *batch)
{
    enum work work;
    pthread_mutex_lock(&solver->lock);
    for (;;) {
        int64_t now = clock_monotonic_ms();
        int64_t wave_ms = solver->waves != NULL ? solver->waves->due_ms : INT64_MAX;
        int64_t present_ms = gathering_ripe_ms(&solver->presents);
        int64_t cleanup_ms = gathering_ripe_ms(&solver->cleanups);
        if (solver->stopping) {
            work = WORK_STOP;
        } else if (wave_ms <= now) {
            work = WORK_WAVE;
        } else if (present_ms <= now &&
                   (cleanup_ms > now || solver->presents.first_ms <= solver->cleanups.first_ms)) {
            work = WORK_PRESENT;
            gathering_take(&solver->presents, batch, now);
        } else if (cleanup_ms <= now) {
            work = WORK_CLEANUP;
            gathering_take(&solver->cleanups, batch, now);
        } else {
            int64_t next = present_ms < cleanup_ms ? present_ms : cleanup_ms;
            wait_until(solver, wave_ms < next ? wave_ms : next);
            continue;
        }
        break;
    }
    pthread_mutex_unlock(&solver->lock);
    return work;
}

static struct wave *wave_take(struct dns_solver *solver)
{
    struct wave *wave = solver->waves;
    solver->waves = wave->next;
    if (solver->waves == NULL)
        solver->waves_end = &solver->waves;
    return wave;
}

static void wave_finish(struct dns_solver *solver)
{
    struct wave *wave = wave_take(solver);
    job_list_return(&wave->jobs);
    free(wave);
}

/* Removes the records of jobs that the end of the run overtook, and hands the jobs back. */
static void give_up(struct dns_solver *solver, struct job_list *jobs)
{
    struct job_list batch;
    job_list_init(&batch);
    while (jobs->count > 0) {
        job_list_move(jobs, &batch, BATCH_MAX);
        dns_batch_cleanup(&solver->worker, &batch);
        job_list_cancel(&batch);
        job_list_return(&batch);
    }
}

/* A hook that was ended may have made some of its records. */
static void failures_return(struct dns_solver *solver, struct job_list *failed)
{
    struct job_list others;
    struct job_list ended;
    job_list_init(&others);
    job_list_init(&ended);
    for (struct solver_job *job; (job = job_list_take(failed)) != NULL;)
        job_list_add(job->error.kind == ERROR_CANCELLED ? &ended : &others, job);
    job_list_return(&others);
    give_up(solver, &ended);
}

static void present_run(struct dns_solver *solver, struct job_list *batch)
{
    struct job_list failed;
    job_list_init(&failed);
    struct wave *wave = calloc(1, sizeof *wave);
    if (wave == NULL) {
        job_list_cancel(batch);
        job_list_return(batch);
        return;
    }
    job_list_init(&wave->jobs);
    dns_batch_present(&solver->worker, batch, &wave->jobs, &failed);
    failures_return(solver, &failed);
    if (solver->propagation_ms == 0 || wave->jobs.count == 0) {
        job_list_return(&wave->jobs);
        free(wave);
        return;
    }
    wave->due_ms = clock_monotonic_ms() + solver->propagation_ms;
    *solver->waves_end = wave;
    solver->waves_end = &wave->next;
}

static void cleanup_run(struct dns_solver *solver, struct job_list *batch)
{
    dns_batch_cleanup(&solver->worker, batch);
    job_list_return(batch);
}

/* The end of the run: what waits for propagation is given up, its records go away with those of the
 * waiting cleanups, in as few calls as can be. */
static void drain(struct dns_solver *solver)
{
    struct job_list given_up;
    job_list_init(&given_up);
    while (solver->waves != NULL) {
        struct wave *wave = wave_take(solver);
        job_list_move(&wave->jobs, &given_up, SIZE_MAX);
        free(wave);
    }
    give_up(solver, &given_up);
    job_list_cancel(&solver->presents.jobs);
    job_list_return(&solver->presents.jobs);
    struct job_list batch;
    job_list_init(&batch);
    while (solver->cleanups.jobs.count > 0) {
        job_list_move(&solver->cleanups.jobs, &batch, BATCH_MAX);
        cleanup_run(solver, &batch);
    }
}

static void *dns_thread(void *context)
{
    struct dns_solver *solver = context;
    for (;;) {
        struct job_list batch;
        job_list_init(&batch);
        switch (work_next(solver, &batch)) {
        case WORK_WAVE:
            wave_finish(solver);
            break;
        case WORK_PRESENT:
            present_run(solver, &batch);
            break;
        case WORK_CLEANUP:
            cleanup_run(solver, &batch);
            break;
        case WORK_STOP:
            drain(solver);
            return NULL;
        }
    }
}

static void solver_release(struct dns_solver *solver)
{
    if (solver->worker.cancel_fd >= 0)
        close(solver->worker.cancel_fd);
    holds_free(&solver->worker.holds);
    pthread_cond_destroy(&solver->changed);
    pthread_mutex_destroy(&solver->lock);
    free(solver);
}

static void sync_init(struct dns_solver *solver)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&solver->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&solver->lock, NULL);
}

bool dns_solver_new(const struct manifest_solvers *manifest, struct state *state,
                    struct dns_solver **ret_solver, struct error *error)
{
    if (manifest->dns_hook == NULL)
        return error_set(error, ERROR_CONFIG,
                         "challenge dns-01 needs a hook: set solvers.dns-01.hook in the manifest");
    TRY(dns_hook_check(manifest->dns_hook, error));
    struct dns_solver *solver = calloc(1, sizeof *solver);
    if (solver == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the dns-01 solver");
    solver->worker.hook = manifest->dns_hook;
    solver->worker.timeout_ms = (int64_t)manifest->dns_timeout_s * 1000;
    solver->worker.state = state;
    holds_init(&solver->worker.holds);
    solver->propagation_ms = (int64_t)manifest->dns_propagation_s * 1000;
    solver->waves_end = &solver->waves;
    job_list_init(&solver->presents.jobs);
    job_list_init(&solver->cleanups.jobs);
    sync_init(solver);
    solver->worker.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = solver->worker.cancel_fd < 0
                      ? errno
                      : pthread_create(&solver->thread, NULL, dns_thread, solver);
    if (failure != 0) {
        solver_release(solver);
        return error_system(error, failure, "starting the dns-01 solver");
    }
    *ret_solver = solver;
    return true;
}

void dns_solver_submit(struct dns_solver *solver, struct solver_job *job)
{
    pthread_mutex_lock(&solver->lock);
    struct gathering *gathering =
        job->step == SOLVER_PRESENT ? &solver->presents : &solver->cleanups;
    int64_t now = clock_monotonic_ms();
    if (gathering->jobs.count == 0)
        gathering->first_ms = now;
    gathering->last_ms = now;
    job_list_add(&gathering->jobs, job);
    pthread_cond_signal(&solver->changed);
    pthread_mutex_unlock(&solver->lock);
}

void dns_solver_free(struct dns_solver *solver)
{
    if (solver == NULL)
        return;
    pthread_mutex_lock(&solver->lock);
    solver->stopping = true;
    (void)!eventfd_write(solver->worker.cancel_fd, 1);
    pthread_cond_signal(&solver->changed);
    pthread_mutex_unlock(&solver->lock);
    pthread_join(solver->thread, NULL);
    solver_release(solver);
}
