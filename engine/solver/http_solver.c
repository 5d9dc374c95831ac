#include "solver/http_solver.h"

#include "acme/objects.h"
#include "io/responder.h"
#include "solver/holds.h"

#include <pthread.h>
#include <stdlib.h>

struct http_solver {
    struct responder *responder; /* or, when NULL, the webroot and its thread */
    struct webroot webroot;
    pthread_t thread;
    struct holds holds;   /* tokens whose files somebody needs; the thread's */
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    struct job_list waiting;
    bool stopping;
};

/* The responder counts how many jobs need a token; a folder cannot. */
static bool responder_run(struct http_solver *solver, const struct solver_job *job,
                          struct error *error)
{
    struct span token = span_of(job->token);
    if (job->step == SOLVER_CLEANUP) {
        responder_remove(solver->responder, token);
        return true;
    }
    return responder_put(solver->responder, token, span_of(job->key_authorization)) ||
           error_set(error, ERROR_LIMIT, "the http-01 responder has no room for another answer");
}

/* Called on the webroot's thread only, which alone has the holds. */
static bool webroot_run(struct http_solver *solver, const struct solver_job *job,
                        struct error *error)
{
    struct span token = span_of(job->token);
    if (job->step == SOLVER_CLEANUP)
        return holds_drop(&solver->holds, token) > 0 ||
               webroot_remove(&solver->webroot, token, error);
    size_t count;
    if (!holds_add(&solver->holds, token, &count))
        return error_set(error, ERROR_MEMORY, "no memory for a challenge's answer");
    /* Also when another order shares the token: the answer is the same. */
    if (webroot_put(&solver->webroot, token, span_of(job->key_authorization), error))
        return true;
    holds_drop(&solver->holds, token);
    return false;
}

static void job_run(struct http_solver *solver, struct solver_job *job)
{
    struct error error = {0};
    bool ok = acme_token_check(span_of(job->token), &error) &&
              (solver->responder != NULL ? responder_run(solver, job, &error)
                                         : webroot_run(solver, job, &error));
    if (ok)
        job_succeed(job);
    else
        job_fail(job, &error);
    job->done(job);
}

static void *webroot_thread(void *context)
{
    struct http_solver *solver = context;
    for (;;) {
        pthread_mutex_lock(&solver->lock);
        while (solver->waiting.first == NULL && !solver->stopping)
            pthread_cond_wait(&solver->changed, &solver->lock);
        struct solver_job *job = job_list_take(&solver->waiting);
        bool stopping = solver->stopping;
        pthread_mutex_unlock(&solver->lock);
        if (job == NULL)
            return NULL;
        if (stopping && job->step == SOLVER_PRESENT) {
            struct job_list cancelled;
            job_list_init(&cancelled);
            job_list_add(&cancelled, job);
            job_list_cancel(&cancelled);
            job_list_return(&cancelled);
        } else {
            job_run(solver, job);
        }
    }
}

static bool webroot_start(struct http_solver *solver, const char *path, struct error *error)
{
    TRY(webroot_open(path, &solver->webroot, error));
    int failure = pthread_create(&solver->thread, NULL, webroot_thread, solver);
    if (failure == 0)
        return true;
    webroot_close(&solver->webroot);
    return error_system(error, failure, "starting the webroot's thread");
}

static bool responder_start(struct http_solver *solver, const char *listen, struct error *error)
{
    if (responder_new(listen, &solver->responder, error))
        return true;
    if (error->kind == ERROR_SYSTEM)
        error->kind = ERROR_CONFIG;
    return error_prefix(error, "the http-01 responder: ");
}

bool http_solver_new(const struct manifest_solvers *manifest, struct http_solver **ret_solver,
                     struct error *error)
{
    struct http_solver *solver = calloc(1, sizeof *solver);
    if (solver == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the http-01 solver");
    solver->webroot.folder_fd = -1;
    pthread_mutex_init(&solver->lock, NULL);
    pthread_cond_init(&solver->changed, NULL);
    holds_init(&solver->holds);
    job_list_init(&solver->waiting);
    bool ok = manifest->http_webroot != NULL
                  ? webroot_start(solver, manifest->http_webroot, error)
                  : responder_start(solver, manifest->http_listen, error);
    if (!ok) {
        pthread_cond_destroy(&solver->changed);
        pthread_mutex_destroy(&solver->lock);
        free(solver);
        return false;
    }
    *ret_solver = solver;
    return true;
}

void http_solver_submit(struct http_solver *solver, struct solver_job *job)
{
    if (solver->responder != NULL) {
        job_run(solver, job);
        return;
    }
    pthread_mutex_lock(&solver->lock);
    job_list_add(&solver->waiting, job);
    pthread_cond_signal(&solver->changed);
    pthread_mutex_unlock(&solver->lock);
}

int http_solver_port(const struct http_solver *solver)
{
    return solver->responder != NULL ? responder_port(solver->responder) : 0;
}

/* A run that ends early leaves answers that no order asks for any more. */
static void leftover_remove(void *context, struct span token)
{
    struct http_solver *solver = context;
    (void)!webroot_remove(&solver->webroot, token, NULL);
}

void http_solver_free(struct http_solver *solver)
{
    if (solver == NULL)
        return;
    if (solver->responder != NULL) {
        responder_free(solver->responder);
    } else {
        pthread_mutex_lock(&solver->lock);
        solver->stopping = true;
        pthread_cond_signal(&solver->changed);
        pthread_mutex_unlock(&solver->lock);
        pthread_join(solver->thread, NULL);
        holds_walk(&solver->holds, leftover_remove, solver);
        webroot_close(&solver->webroot);
    }
    holds_free(&solver->holds);
    pthread_cond_destroy(&solver->changed);
    pthread_mutex_destroy(&solver->lock);
    free(solver);
}
