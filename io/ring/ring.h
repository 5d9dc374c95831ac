/* A thin cover over liburing for rings that one thread uses: what the kernel must offer is probed
 * when the ring is opened, places are reserved for a whole chain or not at all, and no more is in
 * flight than the completion queue holds. */
#ifndef CERTMILL_IO_RING_H
#define CERTMILL_IO_RING_H

#include "base/result.h"

#include <liburing.h>

struct ring {
    struct io_uring uring;
    unsigned in_flight; /* reserved or submitted, and not yet completed */
    bool submitted;     /* the kernel ever took a request */
};

/* `operations` (IORING_OP_...) must all be known to the kernel. `workers` is how many of the
 * kernel's threads may block at once on files (0: the kernel's choice, four a core). The error says
 * whether io_uring is missing, forbidden or too old. */
bool ring_open(struct ring *ring, unsigned entries, const int *operations, size_t operation_count,
               unsigned workers, struct error *error) MUST_USE;
void ring_close(struct ring *ring);

/* Places for `count` requests that follow one another, for the caller to prepare: NULL in all of
 * them, and false, when there is not room for all. */
bool ring_reserve(struct ring *ring, unsigned count, struct io_uring_sqe **sqes) MUST_USE;

/* Submits what was reserved, and waits until so many are complete (at most those in flight). Gives
 * 0 or an errno, after which the ring is of no more use. */
int ring_submit(struct ring *ring, unsigned wait) MUST_USE;

/* The next completion; false when none is there. */
bool ring_take(struct ring *ring, uint64_t *ret_user_data, int *ret_result) MUST_USE;

#endif
