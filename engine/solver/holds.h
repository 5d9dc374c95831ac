/* How many jobs need the same answer or record. A CA may give two orders the same pending
 * authorization: what the first to end would remove, the other still needs. No lock of its own. */
#ifndef CERTMILL_SOLVER_HOLDS_H
#define CERTMILL_SOLVER_HOLDS_H

#include "base/span.h"

struct hold;

struct holds {
    struct hold **buckets;
    size_t bucket_count;
    size_t key_count;
};

void holds_init(struct holds *holds);
void holds_free(struct holds *holds);

/* One more job needs `key`; gives how many do now. False only without memory. */
bool holds_add(struct holds *holds, struct span key, size_t *ret_count) MUST_USE;
/* One job less; returns how many are left, 0 also when none ever did. */
size_t holds_drop(struct holds *holds, struct span key);
/* Calls `each` for every key that is still needed. */
void holds_walk(const struct holds *holds, void (*each)(void *context, struct span key),
                void *context);

#endif
