/* dns-01 by Route 53: the thread that calls AWS and DNS for route53_work. */
#ifndef CERTMILL_SOLVER_ROUTE53_SOLVER_H
#define CERTMILL_SOLVER_ROUTE53_SOLVER_H

#include "aws/profile.h"
#include "solver/dns_journal.h"
#include "solver/job_list.h"

struct route53_solver;

struct route53_solver_options {
    const struct manifest_solvers *manifest; /* outlives the solver */
    struct state *state;                     /* may be NULL */
    struct aws_profiles *profiles;           /* outlive the solver; NULL: it makes its own */
    size_t names_expected;                   /* presents of the run; 0: not known */
};

/* ERROR_CONFIG when a profile cannot be used or the resolver's address is wrong; nothing is sent
 * before the first job. */
bool route53_solver_new(const struct route53_solver_options *options,
                        struct route53_solver **ret_solver, struct error *error) MUST_USE;
void route53_solver_submit(struct route53_solver *solver, struct solver_job *job);
void route53_solver_hurry(struct route53_solver *solver); /* no more jobs will come */
/* Removes records of earlier runs, by their rows, and sets each one's outcome. Returns when that is
 * done; before the first submit. */
void route53_solver_clean(struct route53_solver *solver, struct dns_record *records, size_t count);
/* As solvers_free. */
void route53_solver_free(struct route53_solver *solver);

#endif
