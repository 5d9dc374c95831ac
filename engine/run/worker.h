/* A network worker: one thread with an event loop, the orders that belong to it for life, and a
 * session a CA. Only this thread touches what is in here, but for the mailbox. */
#ifndef CERTMILL_RUN_WORKER_H
#define CERTMILL_RUN_WORKER_H

#include "acme/backoff.h"
#include "acme/nonce.h"
#include "base/mailbox.h"
#include "base/slots.h"
#include "base/timer.h"
#include "crypto/stage.h"
#include "io/http.h"
#include "run/lane.h"
#include "solver/solver.h"

struct order;
struct session;
struct finder;
struct registrar;
struct revocation;

/* What all workers of a run share, and never change while it runs. */
struct run_context {
    const struct crypto_context *crypto;
    const struct manifest *manifest;
    struct lanes *lanes;
    struct state *state;
    struct store *store;
    struct crypto_stage *stage;
    struct solvers *solvers; /* NULL when no due certificate needs one */
    const char *state_folder;
    struct mailbox *main_box; /* the main thread's: struct news_message */
    struct worker *workers;
    unsigned worker_count;
    struct http_options http;
    struct key_spec account_key;
    bool report_states; /* send an order's every step, for the event stream */
    unsigned in_flight; /* orders a CA, over all workers */
    int64_t order_timeout_ms;
    struct revocation *revocations; /* each touched by the home worker of its CA only */
    size_t revocation_count;
    atomic_uint *orders_now; /* orders that workers have, for the progress line */
};

/* What goes through a worker's mailbox; each message embeds `struct message` first. */
enum worker_message {
    WORKER_CRYPTO,
    WORKER_STORE,
    WORKER_STATE,
    WORKER_SOLVER,
    WORKER_LANE,  /* some lane has become ready or refused */
    WORKER_DRAIN, /* take nothing new; finish or park what is there */
    WORKER_PARK,  /* the time for finishing is over: park everything now */
};

struct worker {
    const struct run_context *run;
    unsigned index;
    pthread_t thread;
    struct mailbox box;
    struct message lane_message, drain_message, park_message, end_message;
    atomic_bool lane_posted; /* lane_message is in the box */

    struct loop *loop;
    struct session *sessions;    /* by CA */
    struct finder *finders;      /* by lane */
    struct registrar *registrar; /* of the CAs whose home this is */

    struct slots orders;
    struct slots calls;
    struct timers order_timers;                    /* cookie: an order's id */
    struct timers call_timers;                     /* cookie: a call's id */
    struct order *oldest, *newest;                 /* all orders by their deadlines */
    struct order *key_waiting, **key_waiting_last; /* the crypto stage was full for these */
    int64_t key_again_ms; /* when these ask again, if no result comes before */
    size_t order_count;
    size_t next_lane;
    unsigned away; /* messages out with other threads: the worker ends when they are back */
    uint64_t random;
    int64_t now_ms;            /* of this turn of the loop */
    struct http_counts counts; /* once the thread has ended */
    bool draining;
    bool broken; /* the loop or the state failed: everything is parked */
    struct error broken_error;
};

/* Starts the thread. The worker must stay where it is until worker_join. */
bool worker_start(const struct run_context *run, struct worker *worker, unsigned index,
                  struct error *error) MUST_USE;
/* Waits until the worker has no more to do, then frees what it holds. */
void worker_join(struct worker *worker);
void worker_drain(struct worker *worker); /* main thread; once */
void worker_park(struct worker *worker);  /* main thread; once, after worker_drain */

/* Tells every worker that a lane was published. Any thread. */
void workers_wake(const struct run_context *run);

/* Wall clock for certificates' validity and HTTP-dates. */
int64_t worker_now_unix(const struct worker *worker);

/* The worker cannot go on (no memory, state database broken): ends everything it holds. */
void worker_break(struct worker *worker, const struct error *error);

#endif
