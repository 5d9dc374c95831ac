#include "io/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 128

struct watch {
    loop_ready *ready; /* NULL: not watched */
    void *context;
};

struct loop {
    int epoll_fd;
    struct watch *watches; /* by descriptor */
    size_t watch_count;
    struct epoll_event events[EVENTS_MAX];
    int event_count;
};

bool loop_new(struct loop **ret_loop, struct error *error)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an event loop");
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        free(loop);
        return error_system(error, errno, "epoll_create1");
    }
    *ret_loop = loop;
    return true;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    close(loop->epoll_fd);
    free(loop->watches);
    free(loop);
}

static bool watches_grow(struct loop *loop, size_t count)
{
    if (count <= loop->watch_count)
        return true;
    size_t want = loop->watch_count * 2 > count ? loop->watch_count * 2 : count;
    struct watch *watches = reallocarray(loop->watches, want, sizeof *watches);
    if (watches == NULL)
        return false;
    for (size_t i = loop->watch_count; i < want; i++)
        watches[i] = (struct watch){0};
    loop->watches = watches;
    loop->watch_count = want;
    return true;
}

bool loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready *ready, void *context,
                struct error *error)
{
    if (fd < 0)
        return error_system(error, EBADF, "epoll_ctl");
    if (!watches_grow(loop, (size_t)fd + 1))
        return error_set(error, ERROR_MEMORY, "no memory for an event loop");
    struct epoll_event event = {.events = events, .data.fd = fd};
    int operation = loop->watches[fd].ready != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(loop->epoll_fd, operation, fd, &event);
    /* The descriptor was closed without loop_forget and its number given out again: the kernel has
     * dropped the old registration by itself. */
    if (failed < 0 && errno == ENOENT)
        failed = epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    if (failed < 0)
        return error_system(error, errno, "epoll_ctl");
    loop->watches[fd] = (struct watch){.ready = ready, .context = context};
    return true;
}

void loop_forget(struct loop *loop, int fd)
{
    if (fd < 0 || (size_t)fd >= loop->watch_count || loop->watches[fd].ready == NULL)
        return;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    loop->watches[fd] = (struct watch){0};
    /* An event of this round may still wait in the list, and the number may be used again. */
    for (int i = 0; i < loop->event_count; i++)
        if (loop->events[i].data.fd == fd)
            loop->events[i].data.fd = -1;
}

bool loop_run_once(struct loop *loop, int64_t timeout_ms, struct error *error)
{
    int timeout = timeout_ms < 0 ? -1 : timeout_ms > 60000 ? 60000 : (int)timeout_ms;
    int count = epoll_wait(loop->epoll_fd, loop->events, EVENTS_MAX, timeout);
    if (count < 0) {
        if (errno == EINTR)
            return true;
        return error_system(error, errno, "epoll_wait");
    }
    loop->event_count = count;
    for (int i = 0; i < loop->event_count; i++) {
        int fd = loop->events[i].data.fd;
        if (fd < 0)
            continue;
        struct watch watch = loop->watches[fd];
        if (watch.ready != NULL)
            watch.ready(watch.context, loop->events[i].events);
    }
    loop->event_count = 0;
    return true;
}
