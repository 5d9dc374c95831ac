/* A file is a chain of three requests: open into a slot of the ring's own descriptor table, read,
 * close. A chain is put in whole or not at all. The read is shorter than its buffer, which would
 * break a plain link, so the link to the close is a hard one; a failed open cancels both. */
#include "file/bulk_read.h"

#include "ring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#define CHAIN_STEPS  3
#define CHAINS_MAX   256
#define BUFFERS_MAX  ((size_t)16 << 20) /* bytes of all chains together */
#define CHAINS_MIN   8
#define READ_WORKERS 32 /* of the kernel's threads, for files that are not in memory */

enum chain_step { STEP_OPEN, STEP_READ, STEP_CLOSE };

struct chain {
    size_t index;     /* the caller's, of the file */
    unsigned waiting; /* completions that are to come */
    int64_t got;
    char *data;
    char path[PATH_MAX];
};

struct bulk_ring {
    const struct bulk_read *request;
    struct ring ring;
    struct chain *chains;
    unsigned *free_chains;
    unsigned free_count;
    unsigned chain_count;
    char *data;
    size_t next; /* the file to be asked for next */
};

static unsigned chains_wanted(const struct bulk_read *request)
{
    size_t fit = BUFFERS_MAX / (request->file_limit + 1);
    size_t count = fit < CHAINS_MIN ? CHAINS_MIN : fit < CHAINS_MAX ? fit : CHAINS_MAX;
    return (unsigned)count;
}

static bool ring_start(struct bulk_ring *self, struct error *error)
{
    static const int operations[] = {IORING_OP_OPENAT, IORING_OP_READ, IORING_OP_CLOSE};
    TRY(ring_open(&self->ring, self->chain_count * CHAIN_STEPS, operations, CHAIN_STEPS,
                  READ_WORKERS, error));
    /* Without the feature (before Linux 5.17) a chain looks its slot up before it is opened. */
    int failed = (self->ring.uring.features & IORING_FEAT_LINKED_FILE) != 0
                     ? -io_uring_register_files_sparse(&self->ring.uring, self->chain_count)
                     : EOPNOTSUPP;
    if (failed == 0)
        return true;
    ring_close(&self->ring);
    return error_system(error, failed, "io_uring of this kernel cannot chain open and read");
}

static bool bulk_start(struct bulk_ring *self, struct error *error)
{
    size_t size = self->request->file_limit + 1;
    self->chain_count = chains_wanted(self->request);
    self->chains = calloc(self->chain_count, sizeof *self->chains);
    self->free_chains = calloc(self->chain_count, sizeof *self->free_chains);
    self->data = malloc(self->chain_count * size);
    if (self->chains == NULL || self->free_chains == NULL || self->data == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to read files");
    for (unsigned i = 0; i < self->chain_count; i++) {
        self->chains[i].data = self->data + i * size;
        self->free_chains[self->free_count++] = i;
    }
    return ring_start(self, error);
}

static void bulk_end(struct bulk_ring *self)
{
    free(self->chains);
    free(self->free_chains);
    free(self->data);
}

static void step_mark(struct io_uring_sqe *sqe, unsigned chain, enum chain_step step)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)chain * CHAIN_STEPS + (uint64_t)step);
}

static void chain_prepare(struct bulk_ring *self, unsigned slot, struct io_uring_sqe **sqes)
{
    struct chain *chain = &self->chains[slot];
    unsigned size = (unsigned)self->request->file_limit + 1;
    io_uring_prep_openat_direct(sqes[STEP_OPEN], AT_FDCWD, chain->path,
                                BULK_OPEN_FLAGS & ~O_CLOEXEC, 0, slot);
    io_uring_sqe_set_flags(sqes[STEP_OPEN], IOSQE_IO_LINK);
    step_mark(sqes[STEP_OPEN], slot, STEP_OPEN);
    io_uring_prep_read(sqes[STEP_READ], (int)slot, chain->data, size, 0);
    io_uring_sqe_set_flags(sqes[STEP_READ], IOSQE_IO_HARDLINK | IOSQE_FIXED_FILE);
    step_mark(sqes[STEP_READ], slot, STEP_READ);
    io_uring_prep_close_direct(sqes[STEP_CLOSE], slot);
    step_mark(sqes[STEP_CLOSE], slot, STEP_CLOSE);
    chain->waiting = CHAIN_STEPS;
    chain->got = -EIO;
}

/* Puts chains in until there is no room or no file left. */
static void chains_fill(struct bulk_ring *self)
{
    const struct bulk_read *request = self->request;
    struct io_uring_sqe *sqes[CHAIN_STEPS];
    while (self->next < request->count && self->free_count > 0) {
        struct chain *chain = &self->chains[self->free_chains[self->free_count - 1]];
        if (!request->path(request->context, self->next, chain->path, sizeof chain->path)) {
            self->next++;
            continue;
        }
        if (!ring_reserve(&self->ring, CHAIN_STEPS, sqes))
            return;
        chain->index = self->next++;
        chain_prepare(self, self->free_chains[--self->free_count], sqes);
    }
}

static void step_complete(struct bulk_ring *self, uint64_t mark, int result)
{
    unsigned slot = (unsigned)(mark / CHAIN_STEPS);
    struct chain *chain = &self->chains[slot];
    enum chain_step step = (enum chain_step)(mark % CHAIN_STEPS);
    bool is_answer = step == STEP_OPEN ? result < 0 : step == STEP_READ && result != -ECANCELED;
    if (is_answer)
        chain->got = result;
    if (--chain->waiting > 0)
        return;
    bulk_deliver(self->request, chain->index, chain->data, chain->got);
    self->free_chains[self->free_count++] = slot;
}

static bool chains_run(struct bulk_ring *self, struct error *error)
{
    for (;;) {
        chains_fill(self);
        if (self->ring.in_flight == 0)
            return true;
        int failed = ring_submit(&self->ring, 1);
        if (failed != 0)
            return error_system(error, failed, "reading files through io_uring");
        uint64_t mark;
        int result;
        while (ring_take(&self->ring, &mark, &result))
            step_complete(self, mark, result);
    }
}

bool bulk_read_ring(const struct bulk_read *request, bool *ret_started, struct error *error)
{
    struct bulk_ring self = {.request = request};
    bool ok = bulk_start(&self, error);
    if (ok) {
        ok = chains_run(&self, error);
        *ret_started = self.ring.submitted;
        ring_close(&self.ring);
    }
    /* After a failure the kernel may still write into the buffers: they are given up. */
    if (!self.ring.submitted || self.ring.in_flight == 0)
        bulk_end(&self);
    return ok;
}
