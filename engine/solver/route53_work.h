/* dns-01 by Route 53 without the network: gathers jobs, makes batches of them, and says what to ask
 * AWS and DNS, through an interface that is told the answers. Of one thread; time is an argument.
 *
 * Requests a zone: one change for all values that are needed by then, one wait for it, one removal.
 * Values of others at the same name stay. */
#ifndef CERTMILL_SOLVER_ROUTE53_WORK_H
#define CERTMILL_SOLVER_ROUTE53_WORK_H

#include "aws/client.h"
#include "solver/dns_journal.h"

/* The `solver` of the state's rows: "route53/ZONE ID/PROFILE", an empty profile for AWS's default
 * one. */
#define ROUTE53_SOLVER "route53/"

struct route53_work;

struct route53_caller {
    /* As aws_send; the reply goes to route53_work_reply, not before this returns. */
    bool (*send)(void *context, const struct aws_request *request, struct error *error);
    /* Looks for the name's CNAME; the answer goes to route53_work_alias, also at once. */
    void (*look_up)(void *context, const char *name, uint64_t id);
    double (*random)(void *context); /* in [0, 1) */
    void *context;
};

struct route53_work_options {
    const struct manifest_route53 *manifest; /* outlives the work */
    struct route53_caller caller;
    struct state *state;    /* may be NULL */
    int64_t propagation_ms; /* to wait when a change is in sync */
    int64_t timeout_ms;     /* for a change and for its wait, tries included */
    size_t names_expected;  /* presents of the run; 0: not known. When so many came, none is waited
                              for */
};

bool route53_work_new(const struct route53_work_options *options, struct route53_work **ret_work,
                      struct error *error) MUST_USE;
/* All jobs must be done. */
void route53_work_free(struct route53_work *work);

void route53_work_submit(struct route53_work *work, struct solver_job *job, int64_t now_ms);
/* A row of an earlier run, which `record` (with its `solver`) is filled from; its outcome goes
 * there, and route53_work_is_idle tells when. */
void route53_work_remove(struct route53_work *work, struct dns_record *record, int64_t now_ms);

/* `target` NULL: the name has no CNAME, or it is not known, for the `problem` (NULL: none). */
void route53_work_alias(struct route53_work *work, uint64_t id, const char *target,
                        const char *problem, int64_t now_ms);
void route53_work_reply(struct route53_work *work, const struct aws_reply *reply, int64_t now_ms);

/* Does what is due; the jobs that are done by then go back. To be called after each of the above
 * and when the wait is over: milliseconds, -1 for none. */
void route53_work_tick(struct route53_work *work, int64_t now_ms);
int64_t route53_work_wait_ms(const struct route53_work *work, int64_t now_ms);

/* Nothing more is worth waiting for: cleanups are not gathered any longer. */
void route53_work_hurry(struct route53_work *work);
/* Fails what is to be presented, and removes it again where it was made. What is not removed after
 * the timeout stays in the state. */
void route53_work_stop(struct route53_work *work, int64_t now_ms);
bool route53_work_is_idle(const struct route53_work *work); /* no job and no row is left */

#endif
