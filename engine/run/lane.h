/* Certificate authorities and lanes: what a run's workers share.
 *
 * A CA is one directory URL; a lane is one account at a CA, with the due certificates that use it
 * in the order in which they shall be done. A worker takes the next certificate off a lane by one
 * atomic addition; one that the CA does not answer hands back what it has taken. Directory and
 * account are written by the CA's home worker before the lane is published as ready, and are
 * read-only from then on. */
#ifndef CERTMILL_RUN_LANE_H
#define CERTMILL_RUN_LANE_H

#include "acme/objects.h"
#include "crypto/jws.h"
#include "plan/planner.h"
#include "run/pace.h"

#include <pthread.h>
#include <stdatomic.h>

enum lane_status {
    LANE_WAITING, /* directory and account are not there yet */
    LANE_READY,
    LANE_REFUSED, /* nothing can be had with this account: `refusal` says why */
};

struct ca {
    const char *url; /* the directory's, as the accounts file gives it */
    char host[256];  /* for folders and messages; with ":port" when the URL has one */
    unsigned index;
    unsigned home; /* the worker that fetches the directory and registers the accounts */
    struct directory directory; /* from the moment a lane is ready */
    atomic_uint active;         /* orders that hold a place in flight, over all workers */
    atomic_uint silent;         /* workers to which it does not answer (session.h) */
    struct pace pace;           /* of all workers together */
};

/* A certificate that a worker took and could do nothing for: for another worker. */
struct handed {
    struct handed *next, *next_made;
    struct plan_item item;
    struct state_order order;
    char *url;
    int64_t deadline_ms; /* that it keeps; 0: it begins anew */
};

struct lane {
    const struct account *account;
    struct ca *ca;
    const struct plan_item **items;
    size_t count;
    atomic_size_t next; /* the first item that no worker has taken */
    atomic_size_t handed_count;
    struct handed *handed, **handed_last; /* handed back and not yet taken again */
    struct handed *handed_made;           /* all there ever were: news may point at their items */
    _Atomic enum lane_status status;

    struct jws_signer *signer;
    char *account_url; /* the JWS "kid" */
    char *orders_url;  /* NULL when the CA has no list of orders */
    struct {
        struct error error;
        struct problem problem; /* type "" when the CA said nothing */
    } refusal;

    /* How many new orders the account may place, learned; under the lock of the CA's pace. */
    struct limiter place_limiter;
    /* How often in a row newOrder was rate-limited, over all workers, and until when (monotonic ms)
     * nobody places a new order because of it. */
    atomic_uint limited_in_row;
    _Atomic int64_t orders_wait_until_ms; /* only grows */
    atomic_bool limited;                  /* it was, at least once */

    /* URLs of orders whose certificate is known: the finder leaves them alone. */
    pthread_mutex_t lock; /* over the table, what was handed back, and becoming refused */
    uint64_t *known;      /* XXH3 of the URL; open addressing, 0 is free */
    size_t known_count, known_capacity;
};

struct lanes {
    struct ca *cas;
    size_t ca_count;
    struct lane *list;
    size_t count;
    /* Certificates of all lanes that have not ended: any of them may yet be handed back. */
    atomic_size_t left;
};

/* "https://HOST[:PORT]/..." to "HOST[:PORT]", cut to fit. */
void endpoint_host(const char *url, char *host, size_t size);

/* Sorts the due items of the plan (deploy-only ones left out) into lanes. `wanted` (a flag
 * an account) says which accounts get a lane, NULL: those that are used. Free with lanes_free. */
bool lanes_make(const struct manifest *manifest, const struct accounts *accounts,
                const struct plan *plan, const bool *wanted, unsigned workers,
                struct lanes *ret_lanes, struct error *error) MUST_USE;
void lanes_free(struct lanes *lanes);

/* What is left to be taken, and the next of it, first what was handed back, whose
 * deadline then is the one that it had; NULL: none. */
bool lane_has_more(const struct lane *lane);
const struct plan_item *lane_take(struct lane *lane, int64_t *deadline_ms);
/* Hands a certificate back. `order` is what its next worker finds, as after a crash; NULL: nothing.
 * Copied. False without memory. */
bool lane_hand_back(struct lane *lane, const struct plan_item *item,
                    const struct state_order *order, int64_t deadline_ms) MUST_USE;

/* Remembers that the order at this URL belongs to a certificate; false without memory. */
bool lane_know(struct lane *lane, const char *url) MUST_USE;
bool lane_knows(struct lane *lane, const char *url);

/* Moves the moment before which no new order is placed; never back. */
void lane_wait_until(struct lane *lane, int64_t until_ms);

/* Marks the lane as refused, once: the first reason stays. `problem` may be NULL. */
void lane_refuse(struct lane *lane, const struct error *error, const struct problem *problem);

#endif
