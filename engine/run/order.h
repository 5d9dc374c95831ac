/* One certificate's way through ACME (RFC 8555 section 7.4), as a table of steps.
 *
 * The strategy, and how it survives a crash:
 *
 *   begin     which archive folder, which key; ask the crypto stage for key and CSR
 *   intend    commit "newOrder may be sent" to the state
 *   find      only after a crash or a lost answer: look for the order in the CA's list of orders
 *   place     newOrder
 *   commit    commit the order's URL to the state: a restart then asks the CA for this order
 *   resume    only after a crash: what does the CA say of the order?
 *   authorize every authorization: valid, or made valid by a challenge
 *   key       wait until the private key is durable and the CSR is there
 *   finalize  send the CSR
 *   poll      wait until the order is valid; it holds no place in flight meanwhile
 *   download  fetch the chain, check it
 *   store     files, then one atomic switch of live/NAME, all durable
 *   record    commit "issued" to the state
 *
 * The key is made while the steps up to `authorize` go on. An order ends as issued, failed, or
 * parked (the next run goes on with it). */
#ifndef CERTMILL_RUN_ORDER_H
#define CERTMILL_RUN_ORDER_H

#include "crypto/certificate.h"
#include "run/session.h"

enum order_step {
    STEP_BEGIN,
    STEP_INTEND,
    STEP_FIND,
    STEP_PLACE,
    STEP_COMMIT,
    STEP_RESUME,
    STEP_AUTHORIZE,
    STEP_KEY,
    STEP_FINALIZE,
    STEP_POLL,
    STEP_DOWNLOAD,
    STEP_STORE,
    STEP_RECORD,
    STEP_COUNT,
};

/* What may happen to an order besides answers to its calls. */
struct order_handlers {
    const char *name;
    void (*enter)(struct order *order);
    void (*wake)(struct order *order);      /* its timer has come; NULL: ignore */
    void (*committed)(struct order *order); /* its change is in the state; NULL: ignore */
    void (*stored)(struct order *order);    /* its files are durable; NULL: ignore */
    void (*key_ready)(struct order *order); /* key durable, CSR made; NULL: only noted */
};

struct reply_text {
    struct error error;
    struct problem problem;
};

struct authorization {
    char *url;
    bool done;
    bool presented; /* a solver has made what the CA looks for: clean up */
    bool responded;
    unsigned polls;
    int64_t poll_at_ms; /* 0: not waiting */
    char *identifier, *challenge_url, *token, *key_authorization, *dns_value;
    struct reply_text *refused; /* what the CA said to the challenge's answer, if it was an error */
};

struct order {
    uint64_t id;
    struct worker *worker;
    struct session *session;
    struct lane *lane;
    const struct plan_item *item;
    const struct manifest_entry *entry;
    struct order *older, *newer; /* the worker's list */
    struct order *next_waiting;  /* for the crypto stage, or for the finder */
    enum order_step step;
    bool active;     /* holds a place of the in-flight limit */
    bool committing; /* waits for the state before it goes on */
    bool called;     /* orders_hand_back: the HTTP client has a call of it */
    bool placed;     /* the state holds its URL */
    bool intended;   /* the state holds its intent */
    bool queued;     /* newOrder waits for its turn: it was not sent, or refused */
    bool resumed;    /* an earlier run placed it, and the CA has not been asked about it yet */
    int64_t started_ms, deadline_ms, wake_at_ms;
    unsigned sequence;

    char *url, *finalize_url, *certificate_url;
    struct authorization *authorizations;
    size_t authorization_count, authorizations_open;
    unsigned polls, tries;    /* of the step at hand */
    int64_t retry_after_s;    /* what the CA asked for before the next poll; -1: nothing */
    bool csr_sent;            /* by this run: the certificate will be for its key */
    bool replaced;            /* a certificate for another key made this run order anew */
    bool finalized;           /* the CA has taken the CSR */
    bool explaining;          /* the order is invalid: the authorizations are asked why */
    enum order_status status; /* as the CA last told it */

    bool key_ready;               /* durable, and the CSR is there */
    bool key_waiting;             /* for room in the crypto stage */
    struct buf public_key, csr;   /* DER */
    struct certificate_info info; /* of what was stored; its names are not kept */
    char *names;                  /* comma-separated, of what was stored */
};

/* Starts an order for the item. False without memory. */
bool order_start(struct worker *worker, struct lane *lane, const struct plan_item *item,
                 int64_t deadline_ms) MUST_USE;

/* The one function that changes an order's step: tells the event stream, then enters the step. */
void order_move(struct order *order, enum order_step step);

/* The three ends. After them the order is gone. `problem` may be NULL. */
void order_end_issued(struct order *order);
void order_end_failed(struct order *order, const struct error *error,
                      const struct problem *problem);
void order_end_parked(struct order *order, const char *why);
/* Failed or parked by what the reply says. */
void order_end_refused(struct order *order, const struct reply *reply);

/* A call on behalf of the order; NULL without memory. */
struct call *order_call(struct order *order, enum call_kind kind, const char *url,
                        call_handler *handler);
/* The order of a call or a message; NULL when it is gone. */
struct order *order_find(struct worker *worker, uint64_t id);
/* The order's status as the CA tells it decides the next step. Takes the object's URLs over. */
void order_follow(struct order *order, struct order_object *object, int64_t retry_after_s);
/* Takes what the object says of the order (URLs, status) over. */
void order_take(struct order *order, struct order_object *object);
/* What an earlier run left at the CA is of no use (any more): goes on with a new order. */
void order_replace(struct order *order);
const struct order_handlers *order_handlers_of(const struct order *order);

/* Wakes the order's step after `wait_ms`. */
void order_sleep(struct order *order, int64_t wait_ms);
void order_no_memory(struct worker *worker);

/* order_in_flight.c: gives the place in flight back while the order only waits, and takes it again.
 */
void order_set_active(struct order *order, bool active);
/* While it waits for the state it keeps its place, but a few more orders may begin. */
void order_set_committing(struct order *order, bool committing);
/* Whether an order may begin, or come back. */
bool session_has_place(const struct session *session);
void order_wake(struct worker *worker, uint64_t id); /* a timer of the worker */
/* Orders whose wait is over, and that have found no place since. */
void orders_return(struct session *session);

void orders_expire(struct worker *worker);          /* those past their deadline */
void orders_drain(struct worker *worker, bool now); /* park what only waits; `now`: all */
void orders_fail_all(struct worker *worker, const struct error *error);

/* order_hand.c: hands to other workers what this one can do nothing for, because the CA does not
 * answer it. What is half done by another thread stays. */
void orders_hand_back(struct session *session);
void order_free(struct order *order);

/* Steps, by file. order_place.c: */
void begin_enter(struct order *order);
void intend_enter(struct order *order);
void intend_committed(struct order *order);
void find_enter(struct order *order);
void find_wake(struct order *order);
void place_enter(struct order *order);
void place_wake(struct order *order);
void place_too_late(struct order *order); /* its newOrder has to wait for longer than it may */
void commit_enter(struct order *order);
void commit_committed(struct order *order);
void resume_enter(struct order *order);
/* order_authorize.c: */
void authorize_enter(struct order *order);
void authorize_wake(struct order *order);
void authorize_presented(struct order *order, uint32_t part, bool ok, const struct error *error);
void authorizations_free(struct order *order);
/* order_key.c: */
bool key_ask(struct order *order); /* false when the order has ended because of it */
/* The order cannot go on without its key: goes on when it comes, or parks the order when the run is
 * ending, for then no key is made. */
void key_wait(struct order *order);
bool key_is_waited_for(const struct order *order);
void key_ask_again(struct worker *worker);
void key_enter(struct order *order);
void key_came(struct order *order);
/* order_finalize.c: */
void finalize_enter(struct order *order);
void poll_enter(struct order *order);
void poll_wake(struct order *order);
/* order_keep.c: */
void download_enter(struct order *order);
void store_enter(struct order *order);
void store_stored(struct order *order);
void record_enter(struct order *order);
void record_committed(struct order *order);

#endif
