/* DNS records that an earlier run made and did not remove. */
#ifndef CERTMILL_SOLVER_DNS_LEFTOVERS_H
#define CERTMILL_SOLVER_DNS_LEFTOVERS_H

#include "solver/route53_solver.h"

struct leftovers_options {
    struct state *state;
    const struct manifest_solvers *manifest;
    struct aws_profiles *profiles;  /* NULL: that one makes its own */
    struct route53_solver *route53; /* NULL: one is started when there are records for it */
    void (*warn)(void *context, const char *text);
    void *context;
};

/* See solvers_clean_leftovers. */
void dns_leftovers_clean(const struct leftovers_options *options);

#endif
