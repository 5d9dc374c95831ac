/* Only the fsyncs go through the ring. Measured on ext4 with 256 certificates a batch: making,
 * opening, writing and renaming by plain calls with 32 fsyncs at once stores 6,000 to 6,700
 * certificates a second (three files each); linked chains of open, write, fsync, close and rename
 * through the ring 4,000 to 5,300, with twice the CPU time, since the kernel hands each of these to
 * one of its threads; one fsync after the other 1,100 to 2,300. Besides, a write by plain call
 * before any fsync begins lets the first commit of the journal take all files.
 *
 * The kernel wakes a thread of its own for each request, which when it blocks asks for another
 * thread as long as more requests wait. So there are no more requests than threads: each is the
 * first of a chain of fsyncs, which one thread does one after the other. And the store waits for
 * all, not for one after the other: it can do nothing before. */
#include "store/syncer.h"

#include "file/bytes.h"
#include "ring/ring.h"

#include <errno.h>
#include <stdlib.h>

/* A blocked fsync holds a thread of the kernel; more than this brings no more speed. */
#define SYNC_WORKERS 32

struct ring_syncer {
    struct syncer syncer;
    struct ring ring;
    bool broken; /* the ring failed: plain calls from then on */
};

/* Puts as many as there is room for into the ring; gives how many of them. */
static size_t ring_fill(struct ring *ring, const struct sync_target *targets, size_t first,
                        size_t count)
{
    size_t next = first;
    size_t chain = (count + SYNC_WORKERS - 1) / SYNC_WORKERS;
    struct io_uring_sqe *sqe;
    while (next < count && ring_reserve(ring, 1, &sqe)) {
        io_uring_prep_fsync(sqe, targets[next].fd, 0);
        io_uring_sqe_set_data64(sqe, next);
        /* One that fails does not end a hard link; the end of a submission does. */
        if (++next % chain != 0 && next < count)
            sqe->flags |= IOSQE_IO_HARDLINK;
    }
    return next;
}

static void ring_sync(struct syncer *syncer, struct sync_target *targets, size_t count)
{
    struct ring_syncer *self = (struct ring_syncer *)syncer;
    size_t submitted = 0;
    size_t done = 0;
    for (size_t i = 0; i < count; i++)
        targets[i].error = -1; /* not known yet */
    /* One alone is done sooner without a thread of the kernel in between. */
    while (count > 1 && done < count && !self->broken) {
        submitted = ring_fill(&self->ring, targets, submitted, count);
        if (ring_submit(&self->ring, self->ring.in_flight) != 0)
            self->broken = true;
        uint64_t index;
        int result;
        while (ring_take(&self->ring, &index, &result)) {
            done++;
            if (result != -EINTR && result != -EAGAIN && result != -ECANCELED)
                targets[index].error = result < 0 ? -result : 0;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (targets[i].error < 0)
            targets[i].error = bytes_sync(targets[i].fd);
}

static void ring_free(struct syncer *syncer)
{
    struct ring_syncer *self = (struct ring_syncer *)syncer;
    ring_close(&self->ring);
    free(self);
}

bool syncer_ring_new(unsigned depth, struct syncer **ret_syncer, struct error *error)
{
    static const int operations[] = {IORING_OP_FSYNC};
    struct ring_syncer *self = calloc(1, sizeof *self);
    if (self == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the store");
    if (!ring_open(&self->ring, depth, operations, 1, SYNC_WORKERS, error)) {
        free(self);
        return false;
    }
    self->syncer = (struct syncer){.mode = STORE_RING, .sync = ring_sync, .free = ring_free};
    *ret_syncer = &self->syncer;
    return true;
}
