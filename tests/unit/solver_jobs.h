/* Jobs for the solvers, and waiting for them to come back. */
#ifndef CERTMILL_TEST_SOLVER_JOBS_H
#define CERTMILL_TEST_SOLVER_JOBS_H

#include "hook_folder.h"

#include "solver/solver.h"

#include <errno.h>
#include <pthread.h>

#define CERTIFICATE "www"

/* Jobs that came back. */
static struct returned {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
} returned = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static inline void job_done(struct solver_job *job)
{
    CHECK(job->owner == &returned);
    pthread_mutex_lock(&returned.lock);
    returned.count++;
    pthread_cond_broadcast(&returned.changed);
    pthread_mutex_unlock(&returned.lock);
}

static inline void jobs_wait(size_t count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    pthread_mutex_lock(&returned.lock);
    while (returned.count < count)
        CHECK(pthread_cond_timedwait(&returned.changed, &returned.lock, &until) != ETIMEDOUT);
    CHECK_INT(returned.count, count);
    returned.count = 0;
    pthread_mutex_unlock(&returned.lock);
}

static inline size_t jobs_returned(void)
{
    pthread_mutex_lock(&returned.lock);
    size_t count = returned.count;
    pthread_mutex_unlock(&returned.lock);
    return count;
}

static inline struct solver_job dns_job(enum solver_step step, const char *identifier,
                                        const char *value)
{
    return (struct solver_job){.owner = &returned,
                               .step = step,
                               .type = CHALLENGE_DNS_01,
                               .certificate = CERTIFICATE,
                               .identifier = identifier,
                               .token = "token",
                               .key_authorization = "token.thumb",
                               .dns_value = value,
                               .done = job_done};
}

static inline struct solver_job http_job(enum solver_step step, const char *token,
                                         const char *answer)
{
    return (struct solver_job){.owner = &returned,
                               .step = step,
                               .type = CHALLENGE_HTTP_01,
                               .certificate = CERTIFICATE,
                               .identifier = "example.com",
                               .token = token,
                               .key_authorization = answer,
                               .done = job_done};
}

static inline struct solvers *solvers_of(const struct manifest_solvers *manifest,
                                         struct state *state, bool http, bool dns)
{
    struct solvers_options options = {
        .manifest = manifest, .state = state, .need_http = http, .need_dns = dns};
    struct solvers *solvers;
    struct error error;
    CHECK_OK(solvers_new(&options, &solvers, &error), error);
    return solvers;
}

#endif
