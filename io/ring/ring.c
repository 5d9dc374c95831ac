#include "ring/ring.h"

#include <errno.h>
#include <string.h>

/* Of a submission that a signal or a shortage of memory in the kernel turns back. */
#define SUBMIT_TRIES 1000

static bool open_failed(int failed, struct error *error)
{
    switch (failed) {
    case ENOSYS:
        return error_system(error, failed, "io_uring is missing in this kernel");
    case EPERM:
    case EACCES:
        return error_system(error, failed,
                            "io_uring is forbidden here (kernel.io_uring_disabled, or a "
                            "seccomp filter such as a container's)");
    case ENOMEM:
        return error_system(error, failed, "no memory for io_uring (ulimit -l may be too low)");
    default:
        return error_system(error, failed, "io_uring cannot be set up");
    }
}

static bool operations_check(struct ring *ring, const int *operations, size_t count,
                             struct error *error)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
    if (probe == NULL)
        return error_set(error, ERROR_SYSTEM, "io_uring of this kernel is too old to be probed");
    size_t known = 0;
    while (known < count && io_uring_opcode_supported(probe, operations[known]))
        known++;
    io_uring_free_probe(probe);
    if (known == count)
        return true;
    error_set(error, ERROR_SYSTEM, "io_uring of this kernel lacks operation %d", operations[known]);
    if (error != NULL)
        error->sys = EOPNOTSUPP;
    return false;
}

bool ring_open(struct ring *ring, unsigned entries, const int *operations, size_t operation_count,
               unsigned workers, struct error *error)
{
    memset(ring, 0, sizeof *ring);
    int result = io_uring_queue_init(entries, &ring->uring, IORING_SETUP_CLAMP);
    if (result < 0)
        return open_failed(-result, error);
    if (!operations_check(ring, operations, operation_count, error)) {
        io_uring_queue_exit(&ring->uring);
        return false;
    }
    /* Bounded workers (files), unbounded ones (sockets) as they are. Kernels before 5.15 do not
     * know it and go on with their own number. */
    unsigned limits[2] = {workers, 0};
    if (workers > 0)
        (void)io_uring_register_iowq_max_workers(&ring->uring, limits);
    return true;
}

void ring_close(struct ring *ring)
{
    io_uring_queue_exit(&ring->uring);
}

bool ring_reserve(struct ring *ring, unsigned count, struct io_uring_sqe **sqes)
{
    if (ring->in_flight + count > ring->uring.cq.ring_entries ||
        io_uring_sq_space_left(&ring->uring) < count) {
        for (unsigned i = 0; i < count; i++)
            sqes[i] = NULL;
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        sqes[i] = io_uring_get_sqe(&ring->uring);
    ring->in_flight += count;
    return true;
}

int ring_submit(struct ring *ring, unsigned wait)
{
    int result = 0;
    for (int tries = 0; tries < SUBMIT_TRIES; tries++) {
        result =
            wait > 0 ? io_uring_submit_and_wait(&ring->uring, wait) : io_uring_submit(&ring->uring);
        if (result >= 0) {
            ring->submitted = true;
            return 0;
        }
        /* EAGAIN and EBUSY: the kernel wants completions taken first. */
        if ((result == -EAGAIN || result == -EBUSY) && io_uring_cq_ready(&ring->uring) > 0)
            return 0;
        if (result != -EINTR && result != -EAGAIN && result != -EBUSY)
            break;
    }
    return -result;
}

bool ring_take(struct ring *ring, uint64_t *ret_user_data, int *ret_result)
{
    struct io_uring_cqe *cqe;
    if (io_uring_peek_cqe(&ring->uring, &cqe) != 0)
        return false;
    *ret_user_data = cqe->user_data;
    *ret_result = cqe->res;
    io_uring_cqe_seen(&ring->uring, cqe);
    ring->in_flight--;
    return true;
}
