/* One call of the dns-01 hook for many jobs: notes the records in the state, shares one record
 * between jobs that need the same, and spreads the outcomes over the jobs. Used by one thread. */
#ifndef CERTMILL_SOLVER_DNS_BATCH_H
#define CERTMILL_SOLVER_DNS_BATCH_H

#include "solver/holds.h"
#include "solver/job_list.h"

struct dns_worker {
    const char *hook;
    int64_t timeout_ms;
    int cancel_fd;
    struct state *state; /* may be NULL */
    struct holds holds;  /* by "fqdn value" */
};

/* Makes the records of the jobs, which move to `made` or, with their error, to `failed`. */
void dns_batch_present(struct dns_worker *worker, struct job_list *jobs, struct job_list *made,
                       struct job_list *failed);

/* Removes the records that no other job needs, and sets each job's outcome. Is not cancelled: what
 * it leaves would stay in the zone until the next run. */
void dns_batch_cleanup(struct dns_worker *worker, struct job_list *jobs);

#endif
