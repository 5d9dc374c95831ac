/* Finding an order whose newOrder was sent and whose answer is not known: after a crash between the
 * two, or a lost reply. The CA's list of the account's orders (RFC 8555 section 7.1.2.1) is read,
 * the orders on it that belong to no certificate yet are looked at, and one that asks for exactly
 * the names wanted and was never finalized is the one (finalize is only sent when the URL is in the
 * state). A CA without such a list gives the same order again for the same names (Let's Encrypt),
 * or cannot be asked; then newOrder is sent. */
#ifndef CERTMILL_RUN_FINDER_H
#define CERTMILL_RUN_FINDER_H

#include "run/order.h"

/* One worker's finder for one lane; all zero is ready for use. */
struct finder {
    struct worker *worker;
    struct lane *lane;
    bool looking;
    bool again;       /* somebody asked after the list had been fetched */
    bool incomplete;  /* a part of the list, or an order on it, could not be read */
    unsigned tries;   /* of the whole */
    unsigned rereads; /* of pages and orders that came spoilt */
    char **urls;      /* candidates, the newest last */
    size_t count;
    unsigned out; /* calls under way */
    unsigned pages;
    struct found *found;
    size_t found_count, found_capacity;
    uint64_t *waiting; /* ids of the orders that want to know */
    size_t waiting_count, waiting_capacity;
};

/* The order (in STEP_FIND) goes on to STEP_COMMIT with the URL found, or to STEP_PLACE. */
void finder_ask(struct order *order);
void finders_free(struct worker *worker);

#endif
