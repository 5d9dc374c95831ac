/* A session: one worker's dealings with one CA. It has an HTTP client of its own, so that a CA that
 * does not answer cannot hold up another, keeps the nonces and the queue of calls, signs a call
 * when it can go out, and tries again what may be tried again; a call's handler hears only of
 * conclusive answers.
 *
 * What is tried again here, by the problem's reaction (acme/problem.c): a bad nonce at once;
 * trouble of the server, rate limits and unreachable hosts later, until the call's deadline. A call
 * marked `once` (newOrder, finalize) is not sent again when the CA may have acted on it: its
 * handler looks first. */
#ifndef CERTMILL_RUN_SESSION_H
#define CERTMILL_RUN_SESSION_H

#include "run/worker.h"

enum call_kind {
    CALL_NONCE,
    CALL_DIRECTORY,
    CALL_ACCOUNT,
    CALL_NEW_ORDER,
    CALL_ORDER,
    CALL_AUTHORIZATION,
    CALL_CHALLENGE,
    CALL_FINALIZE,
    CALL_CERTIFICATE,
    CALL_ORDER_LIST,
    CALL_CANDIDATE,
    CALL_REVOKE,
};
const char *call_kind_name(enum call_kind kind); /* "newOrder", for messages */

struct call;

/* A conclusive answer, valid during the handler. */
struct reply {
    bool ok;        /* answered with 2xx */
    bool uncertain; /* the CA may have acted on it, but what it said is not known */
    bool late;      /* it was tried until the deadline, or must wait beyond it */
    const struct http_response *http; /* never NULL; its failure tells whether there is an answer */
    int64_t retry_after_s;            /* -1: none */
    struct problem problem;           /* when not ok */
    struct error error;               /* when not ok: the whole story in one sentence */
};

typedef void call_handler(struct worker *worker, struct call *call, const struct reply *reply);

struct call {
    struct call *next;
    uint64_t id;
    enum call_kind kind;
    struct session *session;
    struct lane *lane; /* signs; NULL: an unsigned GET or HEAD */
    uint64_t order_id; /* whose it is; 0: not an order's */
    uint32_t part;     /* which authorization */
    char *url;
    struct buf payload; /* empty: POST-as-GET */
    bool with_jwk;      /* newAccount: the key itself in place of its URL */
    bool once;
    bool out;   /* the HTTP client has it */
    bool again; /* its order has waited its turn before: goes before the others */
    unsigned attempts;
    unsigned nonce_attempts;
    int64_t sent_ms;
    int64_t deadline_ms;
    call_handler *handler;
};

/* Calls that wait for their turn. */
struct call_queue {
    struct call *first, **last;
};

struct session {
    struct worker *worker;
    struct ca *ca;
    struct http_client *http;
    struct nonce_pool *nonces;
    /* A queue for each of what the pace tells apart; new orders have one a lane, so that an account
     * that has reached its limit keeps nobody waiting. */
    struct call_queue nonce_queue, other_queue;
    struct call_queue *place_queues; /* by lane */
    size_t queued, placing;          /* in all queues; in those of the lanes */
    size_t next_lane;
    int64_t turn_at_ms;     /* when the pace lets the next call out; 0: no call waits for that */
    unsigned nonce_calls;   /* newNonce requests out */
    unsigned active_orders; /* orders that hold a place of the in-flight limit */
    unsigned committing_orders; /* of these: nothing of them can go out yet */
    unsigned active_max;
    struct timers returning; /* cookie: an order's id; its wait is over, and it has no place */
    unsigned unanswered_in_row;
    unsigned unreached_in_row; /* the last of these for which there was no connection */
    int64_t unanswered_since_ms;
    struct error unanswered; /* the last of them */
    bool silent;             /* the CA does not answer this worker: counted in ca->silent */
};

/* So many calls in a row without any answer: no new orders until the CA answers again. Without an
 * answer to any worker the lane is refused. */
#define UNANSWERED_MAX 8

/* To be freed also when it fails. */
bool session_init(struct worker *worker, struct ca *ca, struct session *session,
                  struct error *error) MUST_USE;
void session_free(struct session *session);

/* Makes a call; NULL without memory (the worker is then broken). The URL is copied. The payload is
 * filled by the caller before call_submit, which takes the call over. */
struct call *call_new(struct worker *worker, struct ca *ca, struct lane *lane, enum call_kind kind,
                      const char *url, call_handler *handler);
void call_submit(struct call *call);

/* Sends what can go out now: nonces, the pace and room in the HTTP client allowing. */
void session_pump(struct session *session);
/* Notes whether the CA has become silent to this worker (a few calls in a row and some seconds
 * without any answer), or answers again. */
void session_listen(struct session *session);
/* Silent, and without a connection: an order that loses its own connections is no other's to do. */
bool session_is_cut_off(const struct session *session);
/* To hear of it when a silent CA answers again though no order is there to ask for. */
void session_probe(struct session *session);
/* Milliseconds until session_pump or session_listen can do more by the clock alone; -1: not by the
 * clock. */
int64_t session_wait_ms(struct session *session, int64_t now_ms);

/* The HTTP client's callback (the context is the worker), and the end of a wait before another try.
 */
void session_answer(void *context, const struct http_response *response);
void session_retry(struct worker *worker, uint64_t call_id);

/* Drops every queued and waiting call of this worker (its orders are gone). */
void sessions_drop(struct worker *worker);

#endif
