#include "solver/solver.h"

#include "solver/alpn_solver.h"
#include "solver/dns_leftovers.h"
#include "solver/dns_solver.h"
#include "solver/http_solver.h"

#include <stdlib.h>

struct solvers {
    struct manifest_solvers manifest;
    struct state *state;
    struct aws_profiles *profiles;
    struct http_solver *http; /* NULL: not needed */
    struct alpn_solver *alpn;
    struct dns_solver *dns;
    struct route53_solver *route53;
};

static bool solvers_start(struct solvers *solvers, const struct solvers_options *options,
                          struct error *error)
{
    if (options->need_http)
        TRY(http_solver_new(&solvers->manifest, &solvers->http, error));
    if (options->need_tls_alpn)
        TRY(alpn_solver_new(solvers->manifest.alpn_listen, options->crypto, &solvers->alpn, error));
    const struct route53_solver_options route53 = {.manifest = &solvers->manifest,
                                                   .state = solvers->state,
                                                   .profiles = solvers->profiles,
                                                   .names_expected = options->dns_names};
    if (!options->need_dns)
        return true;
    return solvers->manifest.route53.given
               ? route53_solver_new(&route53, &solvers->route53, error)
               : dns_solver_new(&solvers->manifest, solvers->state, &solvers->dns, error);
}

bool solvers_new(const struct solvers_options *options, struct solvers **ret_solvers,
                 struct error *error)
{
    struct solvers *solvers = calloc(1, sizeof *solvers);
    if (solvers == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the solvers");
    solvers->manifest = *options->manifest;
    solvers->state = options->state;
    solvers->profiles = options->profiles;
    if (!solvers_start(solvers, options, error)) {
        solvers_free(solvers);
        return false;
    }
    *ret_solvers = solvers;
    return true;
}

static void job_refuse(struct solver_job *job)
{
    struct error error = {0};
    error_set(&error, ERROR_CONFIG, "no solver was started for this challenge");
    job_fail(job, &error);
    job->done(job);
}

void solver_submit(struct solvers *solvers, struct solver_job *job)
{
    if (job->type == CHALLENGE_HTTP_01 && solvers->http != NULL)
        http_solver_submit(solvers->http, job);
    else if (job->type == CHALLENGE_TLS_ALPN_01 && solvers->alpn != NULL)
        alpn_solver_submit(solvers->alpn, job);
    else if (job->type == CHALLENGE_DNS_01 && solvers->dns != NULL)
        dns_solver_submit(solvers->dns, job);
    else if (job->type == CHALLENGE_DNS_01 && solvers->route53 != NULL)
        route53_solver_submit(solvers->route53, job);
    else
        job_refuse(job);
}

void solvers_hurry(struct solvers *solvers)
{
    if (solvers != NULL && solvers->route53 != NULL)
        route53_solver_hurry(solvers->route53);
}

int solvers_http_port(const struct solvers *solvers)
{
    return solvers->http != NULL ? http_solver_port(solvers->http) : 0;
}

int solvers_alpn_port(const struct solvers *solvers)
{
    return solvers->alpn != NULL ? alpn_solver_port(solvers->alpn) : 0;
}

void solvers_clean_leftovers(struct solvers *solvers, void (*warn)(void *context, const char *text),
                             void *context)
{
    const struct leftovers_options options = {.state = solvers->state,
                                              .profiles = solvers->profiles,
                                              .manifest = &solvers->manifest,
                                              .route53 = solvers->route53,
                                              .warn = warn,
                                              .context = context};
    if (solvers->state != NULL)
        dns_leftovers_clean(&options);
}

void solvers_free(struct solvers *solvers)
{
    if (solvers == NULL)
        return;
    dns_solver_free(solvers->dns);
    route53_solver_free(solvers->route53);
    http_solver_free(solvers->http);
    alpn_solver_free(solvers->alpn);
    free(solvers);
}
