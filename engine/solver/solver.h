/* Solvers make what the CA looks for: an http-01 answer, a tls-alpn-01 certificate, a dns-01
 * record. All of a run's solvers behind one interface; a job comes back through `done`. */
#ifndef CERTMILL_SOLVER_SOLVER_H
#define CERTMILL_SOLVER_SOLVER_H

#include "config/manifest.h"
#include "state/state.h"

struct aws_profiles;
struct solvers;

enum solver_step { SOLVER_PRESENT, SOLVER_CLEANUP };

/* One challenge of one authorization. The caller owns it and its texts until solver_submit, and
 * again when `done` is called (on any thread, perhaps before solver_submit returns). */
struct solver_job {
    struct solver_job *next; /* the solvers' */
    uint64_t id;             /* the caller's */
    void *owner;             /* the caller's */
    enum solver_step step;
    enum challenge_type type;
    const char *certificate; /* the manifest entry's name, for messages and the state */
    const char *identifier;  /* the domain, without "*." */
    const char *token;
    const char *key_authorization;
    const char *dns_value; /* dns-01: the TXT value */
    bool ok;
    struct error error;
    void (*done)(struct solver_job *job);
};

struct solvers_options {
    const struct manifest_solvers *manifest;
    struct state *state; /* remembers dns records, so that a later run can remove them */
    struct aws_profiles
        *profiles; /* for Route 53; outlive the solvers; NULL: they make their own */
    const struct crypto_context *crypto;     /* for tls-alpn-01; outlives the solvers */
    bool need_http, need_dns, need_tls_alpn; /* what the due certificates ask for */
    size_t dns_names; /* of due certificates, that dns-01 may be asked for; 0: not known */
};

/* Starts what is needed: binds the ports of http-01 and tls-alpn-01, checks that the webroot is
 * writable and the hook executable, so that a mistake shows before anything is sent (ERROR_CONFIG).
 */
bool solvers_new(const struct solvers_options *options, struct solvers **ret_solvers,
                 struct error *error) MUST_USE;

/* The port that the http-01 responder listens on (with ":0" a free one was taken); 0: none. */
int solvers_http_port(const struct solvers *solvers);
int solvers_alpn_port(const struct solvers *solvers); /* likewise of the tls-alpn-01 responder */

/* dns-01 jobs are gathered. By a hook: while one call of it runs, the next batch grows; at rest a
 * batch is taken after 100 ms without a new job. By Route 53, whose calls are few: until a second
 * has brought no new job (30 s at most, or all names came), and cleanups until five seconds have,
 * or solvers_hurry. One call, then one wait for propagation, for the whole batch; other batches go
 * on meanwhile. A job of a type that solvers_new was not asked for fails.
 *
 * Submit one cleanup for each present that succeeded, and none for one that failed: an answer that
 * two orders share goes away with the last of them. Not after solvers_free has begun. */
void solver_submit(struct solvers *solvers, struct solver_job *job);
/* Nothing more is worth waiting for. NULL is allowed; any thread. */
void solvers_hurry(struct solvers *solvers);

/* Removes what earlier runs left (the state's records), also without dns-01 being needed now, as
 * long as there is a hook, or Route 53 has them. Returns when that is done; after state_start and
 * before the first solver_submit. Warnings go to `warn`. */
void solvers_clean_leftovers(struct solvers *solvers, void (*warn)(void *context, const char *text),
                             void *context);

/* Ends a running hook that makes records, fails waiting jobs as ERROR_CANCELLED, runs waiting
 * cleanups, removes the records of the jobs it failed, stops threads. A cleanup that runs or waits
 * is given its time (dns_timeout_s a call). `done` has been called for every job when it returns.
 */
void solvers_free(struct solvers *solvers);

#endif
