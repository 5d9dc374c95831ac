/* io/loop: what is watched, changed and forgotten, also inside callbacks. */
#include "check.h"

#include "io/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct probe {
    struct loop *loop;
    int fd;
    unsigned calls;
    uint32_t events;
    struct probe *forgets; /* inside the callback */
};

static void probe_ready(void *context, uint32_t events)
{
    struct probe *probe = context;
    probe->calls++;
    probe->events = events;
    if (probe->forgets != NULL)
        loop_forget(probe->loop, probe->forgets->fd);
}

static void probe_open(struct probe *probe, struct loop *loop, unsigned value, uint32_t events)
{
    struct error error;
    *probe = (struct probe){.loop = loop, .fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK)};
    CHECK(probe->fd >= 0);
    CHECK_OK(loop_watch(loop, probe->fd, events, probe_ready, probe, &error), error);
}

static void turn(struct loop *loop, int64_t timeout_ms)
{
    struct error error;
    CHECK_OK(loop_run_once(loop, timeout_ms, &error), error);
}

static void descriptors_are_watched_and_forgotten(void)
{
    struct error error;
    struct loop *loop;
    struct probe probe;
    CHECK_OK(loop_new(&loop, &error), error);
    probe_open(&probe, loop, 0, EPOLLIN);
    turn(loop, 0);
    CHECK_INT(probe.calls, 0);
    CHECK(eventfd_write(probe.fd, 1) == 0);
    turn(loop, -1);
    CHECK_INT(probe.calls, 1);
    CHECK_INT(probe.events, EPOLLIN);
    CHECK_OK(loop_watch(loop, probe.fd, EPOLLOUT, probe_ready, &probe, &error), error);
    turn(loop, -1);
    CHECK_INT(probe.events, EPOLLOUT);
    loop_forget(loop, probe.fd);
    turn(loop, 0);
    CHECK_INT(probe.calls, 2);
    loop_forget(loop, probe.fd);
    loop_forget(loop, -1);
    loop_forget(loop, 1000000);
    CHECK(!loop_watch(loop, -1, EPOLLIN, probe_ready, &probe, &error));
    CHECK_INT(error.sys, EBADF);
    close(probe.fd);
    CHECK(!loop_watch(loop, probe.fd, EPOLLIN, probe_ready, &probe, &error));
    CHECK_INT(error.sys, EBADF);
    loop_free(loop);
    loop_free(NULL);
}

/* Both are ready in one round; the first that runs forgets the other. */
static void a_forgotten_one_is_not_called(void)
{
    struct error error;
    struct loop *loop;
    struct probe first;
    struct probe second;
    CHECK_OK(loop_new(&loop, &error), error);
    probe_open(&first, loop, 1, EPOLLIN);
    probe_open(&second, loop, 1, EPOLLIN);
    first.forgets = &second;
    second.forgets = &first;
    turn(loop, -1);
    CHECK_INT(first.calls + second.calls, 1);
    turn(loop, -1);
    CHECK_INT(first.calls + second.calls, 2);
    close(first.fd);
    close(second.fd);
    loop_free(loop);
}

/* A descriptor closed without being forgotten, and its number given out again. */
static void a_reused_number_is_watched(void)
{
    struct error error;
    struct loop *loop;
    struct probe old;
    struct probe new;
    CHECK_OK(loop_new(&loop, &error), error);
    probe_open(&old, loop, 0, EPOLLIN);
    close(old.fd);
    probe_open(&new, loop, 1, EPOLLIN);
    CHECK_INT(new.fd, old.fd);
    turn(loop, -1);
    CHECK_INT(new.calls, 1);
    CHECK_INT(old.calls, 0);
    close(new.fd);
    loop_free(loop);
}

static void many_descriptors_all_get_their_turn(void)
{
    struct error error;
    struct loop *loop;
    enum { COUNT = 400 };
    static struct probe probes[COUNT];
    CHECK_OK(loop_new(&loop, &error), error);
    for (size_t i = 0; i < COUNT; i++)
        probe_open(&probes[i], loop, 1, EPOLLIN | EPOLLONESHOT);
    for (size_t i = 0; i < COUNT; i++)
        turn(loop, 0);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_INT(probes[i].calls, 1);
        close(probes[i].fd);
    }
    loop_free(loop);
}

static const struct test tests[] = {
    TEST(descriptors_are_watched_and_forgotten),
    TEST(a_forgotten_one_is_not_called),
    TEST(a_reused_number_is_watched),
    TEST(many_descriptors_all_get_their_turn),
};
TESTS_MAIN(tests)
