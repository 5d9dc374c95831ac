/* tls-alpn-01 (RFC 8737): validation certificates, shown by the embedded TLS server. */
#ifndef CERTMILL_SOLVER_ALPN_SOLVER_H
#define CERTMILL_SOLVER_ALPN_SOLVER_H

#include "crypto/context.h"
#include "solver/job_list.h"

struct alpn_solver;

/* ERROR_CONFIG when the port cannot be had. The context outlives the solver. */
bool alpn_solver_new(const char *listen, const struct crypto_context *crypto,
                     struct alpn_solver **ret_solver, struct error *error) MUST_USE;
/* A server name has one certificate at a time: a job for another authorization of the same
 * identifier (of another account, or of an order beside) waits until the first is cleaned up. */
void alpn_solver_submit(struct alpn_solver *solver, struct solver_job *job);
int alpn_solver_port(const struct alpn_solver *solver);
/* Cancels what waits. */
void alpn_solver_free(struct alpn_solver *solver);

#endif
