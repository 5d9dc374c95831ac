/* How fast requests go to one CA, over all workers: what limits.requests-per-second allows, and
 * what the CA was seen to take. CAs limit by address and endpoint, and the endpoints differ most
 * where it matters: newNonce, newOrder, and all others; so each of the three has a limiter of its
 * own. New orders are limited by account as well, which a lane's own limiter learns.
 *
 * Any thread; the lock is held for some arithmetic. */
#ifndef CERTMILL_RUN_PACE_H
#define CERTMILL_RUN_PACE_H

#include "acme/backoff.h"
#include "acme/limiter.h"

#include <pthread.h>

enum pace_kind { PACE_NONCE, PACE_NEW_ORDER, PACE_OTHER, PACE_KINDS };

struct pace {
    pthread_mutex_t lock; /* over the limiters of the CA's lanes too */
    struct bucket allowed;
    struct limiter kinds[PACE_KINDS];
};

/* What an answer says of the pace. */
enum pace_verdict {
    PACE_SERVED,
    PACE_REFUSED,      /* the address sends too fast */
    PACE_LANE_REFUSED, /* the account places too many orders */
    PACE_UNKNOWN,
};

void pace_init(struct pace *pace, int64_t now_ms);
/* At most so many requests a second; 0: no limit. Before there are workers. */
void pace_allow(struct pace *pace, double requests_per_second, int64_t now_ms);
void pace_free(struct pace *pace);

/* Takes a request's turn; else gives the wait until the next look. `lane`: the account's limiter,
 * for a new order; else NULL. */
int64_t pace_take(struct pace *pace, enum pace_kind kind, struct limiter *lane, int64_t now_ms);
/* The turn that was taken is not used. */
void pace_return(struct pace *pace, enum pace_kind kind, struct limiter *lane);
/* One call for each turn. `retry_after_s`: negative: none. */
void pace_answer(struct pace *pace, enum pace_kind kind, struct limiter *lane,
                 enum pace_verdict verdict, int64_t sent_ms, int64_t retry_after_s, int64_t now_ms);

#endif
