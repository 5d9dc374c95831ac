/* What comes back to a worker from other threads: one structure that owns everything the other
 * thread was given, and the id of the order that it is for. */
#ifndef CERTMILL_RUN_MESSAGE_H
#define CERTMILL_RUN_MESSAGE_H

#include "crypto/certificate.h"
#include "io/store.h"
#include "run/order.h"

struct crypto_message {
    struct message message;
    struct crypto_job job;
    struct worker *worker;
    uint64_t order_id;
    unsigned sequence; /* the folder that the key is for: the order may have chosen another since */
};

struct store_message {
    struct message message;
    struct store_job job;
    struct worker *worker;
    uint64_t order_id;
    struct secret key;              /* STORE_KEY */
    struct crypto_message *crypto;  /* STORE_KEY: the key's result, passed on once it is durable */
    struct certificate_chain chain; /* STORE_CERTIFICATE */
};

struct state_message {
    struct message message;
    struct state_change change;
    struct worker *worker;
    uint64_t order_id; /* 0: nobody waits */
    char *texts[4];    /* freed with it */
};

struct solver_message {
    struct message message;
    struct solver_job job;
    struct worker *worker;
    uint64_t order_id;
    uint32_t part;
    char *texts[4];
};

/* News on the way to the main thread, which frees it. */
struct news_message {
    struct message message;
    const struct plan_item *item; /* with issued: deploy this; NULL: no certificate's news */
    int kind;                     /* enum news_kind */
    char *name, *text, *advice, *type;
    unsigned sequence;
    int64_t not_after;
    double seconds;
};

enum main_message {
    MAIN_NEWS,
    MAIN_DEPLOYED,
    MAIN_STATE, /* a state change of the main thread is done */
    MAIN_DEPLOYER_END,
    MAIN_WORKER_END,
};

/* Posts a change on behalf of the order (0: nobody waits). The texts the change points to must be
 * in `texts` (owned, freed after the commit) or live as long as the run. False without memory. */
struct state_message *state_message_new(struct worker *worker, uint64_t order_id,
                                        enum state_change_kind kind);
void state_message_post(struct state_message *message);

/* The crypto stage's and the store's callbacks: post the result to the worker that asked. */
void crypto_job_done(struct crypto_job *job);
void store_job_done(struct store_job *job);

/* Results for an order, from order_key.c and order_keep.c; each takes the message over. */
void key_made(struct worker *worker, struct crypto_message *message);
void key_stored(struct worker *worker, struct store_message *message);
void chain_stored(struct worker *worker, struct store_message *message);
/* A solver's result, also when the order is gone: then what was made is removed again. */
void challenge_solved(struct worker *worker, struct solver_message *message);

/* Sends news to the main thread; texts are copied. Never fails (without memory it is dropped). */
void news_send(struct worker *worker, int kind, const struct order *order, const char *name,
               const char *text, const char *advice, const char *type);
/* The CA asks for a pause. */
void news_send_waiting(struct worker *worker, const char *host, const char *text, int64_t seconds);

#endif
