#include "solver/alpn_solver.h"

#include "base/clock.h"
#include "crypto/alpn_certificate.h"
#include "io/alpn_responder.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Whose certificate a server name shows now, and who waits for it. */
struct turn {
    char server_name[ALPN_SERVER_NAME_MAX]; /* first: turns are compared as texts */
    char *key_authorization;                /* of those that hold it */
    size_t holders;
    struct job_list waiting;
};

struct alpn_solver {
    const struct crypto_context *crypto;
    EVP_PKEY *key; /* of this run, for all its validation certificates */
    struct alpn_responder *responder;
    pthread_mutex_t lock;
    void *turns; /* tsearch's tree */
};

static int turn_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct turn *turn_find(struct alpn_solver *solver, const char *server_name)
{
    struct turn **found = tfind(server_name, &solver->turns, turn_compare);
    return found != NULL ? *found : NULL;
}

/* Finds or makes; NULL without memory. */
static struct turn *turn_take(struct alpn_solver *solver, const char *server_name)
{
    struct turn *turn = turn_find(solver, server_name);
    if (turn != NULL)
        return turn;
    turn = calloc(1, sizeof *turn);
    if (turn == NULL)
        return NULL;
    memcpy(turn->server_name, server_name, strlen(server_name) + 1);
    job_list_init(&turn->waiting);
    if (tsearch(turn, &solver->turns, turn_compare) != NULL)
        return turn;
    free(turn);
    return NULL;
}

static void turn_drop(struct alpn_solver *solver, struct turn *turn)
{
    tdelete(turn, &solver->turns, turn_compare);
    free(turn->key_authorization);
    free(turn);
}

/* Shows the job's certificate under a server name that nobody holds. */
static bool turn_begin(struct alpn_solver *solver, struct turn *turn, const struct solver_job *job,
                       struct error *error)
{
    struct buf der;
    char *authorization = strdup(job->key_authorization);
    buf_init(&der, ALPN_CERTIFICATE_MAX);
    bool ok = authorization != NULL ||
              error_set(error, ERROR_MEMORY, "no memory for a challenge's answer");
    ok = ok && alpn_certificate_make(solver->crypto, solver->key, job->identifier,
                                     span_of(job->key_authorization), clock_unix(), &der, error);
    if (ok && !alpn_responder_put(solver->responder, span_of(turn->server_name), buf_span(&der)))
        ok = error_set(error, ERROR_LIMIT,
                       "the tls-alpn-01 responder has no room for another answer");
    buf_free(&der);
    if (!ok) {
        free(authorization);
        return false;
    }
    free(turn->key_authorization);
    turn->key_authorization = authorization;
    turn->holders = 1;
    return true;
}

static bool turn_is_for(const struct turn *turn, const struct solver_job *job)
{
    return turn->holders > 0 && strcmp(turn->key_authorization, job->key_authorization) == 0;
}

/* Lets the job have its certificate shown, unless another is: false when it has to wait. */
static bool turn_join(struct alpn_solver *solver, struct turn *turn, struct solver_job *job)
{
    struct error error = {0};
    if (turn->holders > 0 && !turn_is_for(turn, job))
        return false;
    if (turn->holders > 0) {
        turn->holders++;
        job_succeed(job);
    } else if (turn_begin(solver, turn, job, &error)) {
        job_succeed(job);
    } else {
        job_fail(job, &error);
    }
    return true;
}

/* The server name is free: the first that waits is next, with all that have the same answer. Jobs
 * that need not wait any more go to *ended. */
static void turn_pass(struct alpn_solver *solver, struct turn *turn, struct job_list *ended)
{
    struct job_list still;
    struct solver_job *job;
    job_list_init(&still);
    while ((job = job_list_take(&turn->waiting)) != NULL)
        job_list_add(turn_join(solver, turn, job) ? ended : &still, job);
    job_list_move(&still, &turn->waiting, still.count);
}

static void present(struct alpn_solver *solver, struct solver_job *job, struct job_list *ended)
{
    char server_name[ALPN_SERVER_NAME_MAX];
    struct error error = {0};
    struct turn *turn = NULL;
    if (alpn_server_name(job->identifier, server_name, &error)) {
        turn = turn_take(solver, server_name);
        if (turn == NULL)
            error_set(&error, ERROR_MEMORY, "no memory for a challenge's answer");
    }
    if (turn == NULL) {
        job_fail(job, &error);
        job_list_add(ended, job);
        return;
    }
    job_list_add(turn_join(solver, turn, job) ? ended : &turn->waiting, job);
    if (turn->holders == 0)
        turn_drop(solver, turn);
}

static void clean_up(struct alpn_solver *solver, struct solver_job *job, struct job_list *ended)
{
    char server_name[ALPN_SERVER_NAME_MAX];
    struct error error;
    struct turn *turn = alpn_server_name(job->identifier, server_name, &error)
                            ? turn_find(solver, server_name)
                            : NULL;
    job_succeed(job);
    job_list_add(ended, job);
    if (turn == NULL || !turn_is_for(turn, job) || --turn->holders > 0)
        return;
    alpn_responder_remove(solver->responder, span_of(turn->server_name));
    turn_pass(solver, turn, ended);
    if (turn->holders == 0)
        turn_drop(solver, turn);
}

void alpn_solver_submit(struct alpn_solver *solver, struct solver_job *job)
{
    struct job_list ended;
    job_list_init(&ended);
    pthread_mutex_lock(&solver->lock);
    if (job->step == SOLVER_PRESENT)
        present(solver, job, &ended);
    else
        clean_up(solver, job, &ended);
    pthread_mutex_unlock(&solver->lock);
    job_list_return(&ended);
}

static bool solver_fill(struct alpn_solver *solver, const char *listen, struct error *error)
{
    TRY(key_generate(solver->crypto, (struct key_spec){KEY_ECDSA, 256}, &solver->key, error));
    const struct alpn_responder_options options = {
        .listen = listen,
        .key = solver->key,
        .library = crypto_library(solver->crypto),
        .properties = crypto_properties(solver->crypto),
    };
    if (alpn_responder_new(&options, &solver->responder, error))
        return true;
    if (error->kind == ERROR_SYSTEM)
        error->kind = ERROR_CONFIG;
    return error_prefix(error, "the tls-alpn-01 responder: ");
}

bool alpn_solver_new(const char *listen, const struct crypto_context *crypto,
                     struct alpn_solver **ret_solver, struct error *error)
{
    struct alpn_solver *solver = calloc(1, sizeof *solver);
    if (solver == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the tls-alpn-01 solver");
    solver->crypto = crypto;
    pthread_mutex_init(&solver->lock, NULL);
    if (!solver_fill(solver, listen, error)) {
        alpn_solver_free(solver);
        return false;
    }
    *ret_solver = solver;
    return true;
}

int alpn_solver_port(const struct alpn_solver *solver)
{
    return alpn_responder_port(solver->responder);
}

static void turn_end(void *node)
{
    struct turn *turn = node;
    job_list_cancel(&turn->waiting);
    job_list_return(&turn->waiting);
    free(turn->key_authorization);
    free(turn);
}

void alpn_solver_free(struct alpn_solver *solver)
{
    if (solver == NULL)
        return;
    alpn_responder_free(solver->responder);
    tdestroy(solver->turns, turn_end);
    EVP_PKEY_free(solver->key);
    pthread_mutex_destroy(&solver->lock);
    free(solver);
}
