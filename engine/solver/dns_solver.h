/* dns-01 (RFC 8555 section 8.4) by the operator's hook, in batches on a thread. */
#ifndef CERTMILL_SOLVER_DNS_SOLVER_H
#define CERTMILL_SOLVER_DNS_SOLVER_H

#include "solver/job_list.h"

struct dns_solver;

/* ERROR_CONFIG when there is no hook or it cannot be run. */
bool dns_solver_new(const struct manifest_solvers *manifest, struct state *state,
                    struct dns_solver **ret_solver, struct error *error) MUST_USE;
void dns_solver_submit(struct dns_solver *solver, struct solver_job *job);
void dns_solver_free(struct dns_solver *solver);

#endif
