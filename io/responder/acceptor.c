/* One thread, one loop. Every connection has one deadline, however busy it is with sending single
 * bytes; all deadlines are equally long, so that the list of connections in the order in which they
 * began to wait is also the order of their deadlines. */
#include "responder/acceptor.h"

#include "base/clock.h"
#include "io/loop.h"
#include "responder/listen.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Without a free descriptor there is nothing to do but to wait. */
#define ACCEPT_PAUSE_MS 100
#define DRAIN_BYTES     4096

struct acceptor {
    const struct acceptor_protocol *protocol;
    void *context;
    struct responder_limits limits;
    struct loop *loop;
    pthread_t thread;
    int port;
    int listen_fd;
    int stop_fd;
    /* The thread's own. */
    struct link waiting; /* its next waits longest */
    struct link *spare;  /* closed connections, for the next ones; linked by next */
    unsigned count;
    int64_t resume_at_ms; /* when to accept again; -1: accepting */
    bool stopping;
};

static void list_remove(struct connection *connection)
{
    connection->link.previous->next = connection->link.next;
    connection->link.next->previous = connection->link.previous;
}

static void list_append(struct connection *connection)
{
    struct link *start = &connection->acceptor->waiting;
    connection->waiting_since_ms = clock_monotonic_ms();
    connection->link = (struct link){.next = start, .previous = start->previous};
    start->previous->next = &connection->link;
    start->previous = &connection->link;
}

/* The one that waits longest; NULL when there is none. */
static struct connection *list_first(struct acceptor *acceptor)
{
    struct link *first = acceptor->waiting.next;
    return first != &acceptor->waiting ? (struct connection *)first : NULL;
}

void connection_renew(struct connection *connection)
{
    list_remove(connection);
    list_append(connection);
}

static void connection_close(struct connection *connection)
{
    struct acceptor *acceptor = connection->acceptor;
    if (acceptor->protocol->close != NULL)
        acceptor->protocol->close(connection);
    list_remove(connection);
    acceptor->count--;
    loop_forget(acceptor->loop, connection->fd);
    close(connection->fd);
    connection->link.next = acceptor->spare;
    acceptor->spare = &connection->link;
}

/* NULL without memory. */
static struct connection *connection_take(struct acceptor *acceptor)
{
    struct link *spare = acceptor->spare;
    if (spare == NULL)
        return malloc(acceptor->protocol->connection_size);
    acceptor->spare = spare->next;
    return (struct connection *)spare;
}

static enum step drain_read(struct connection *connection)
{
    char dropped[DRAIN_BYTES];
    ssize_t count;
    do {
        count = recv(connection->fd, dropped, sizeof dropped, 0);
    } while (count < 0 && errno == EINTR);
    if (count > 0 || (count < 0 && errno == EAGAIN))
        return STEP_WAIT_READ;
    return STEP_CLOSE;
}

enum step connection_drain(struct connection *connection)
{
    connection->draining = shutdown(connection->fd, SHUT_WR) == 0;
    return connection->draining ? STEP_WAIT_READ : STEP_CLOSE;
}

static void connection_is_ready(void *context, uint32_t events)
{
    (void)events;
    struct connection *connection = context;
    struct acceptor *acceptor = connection->acceptor;
    enum step step =
        connection->draining ? drain_read(connection) : acceptor->protocol->ready(connection);
    uint32_t wanted = step == STEP_WAIT_WRITE ? EPOLLOUT : EPOLLIN;
    if (step == STEP_CLOSE ||
        !loop_watch(acceptor->loop, connection->fd, wanted, connection_is_ready, connection, NULL))
        connection_close(connection);
}

static void connection_open(struct acceptor *acceptor, int fd)
{
    if (acceptor->count >= acceptor->limits.connections)
        connection_close(list_first(acceptor));
    struct connection *connection = connection_take(acceptor);
    if (connection == NULL) {
        close(fd);
        return;
    }
    *connection = (struct connection){.acceptor = acceptor, .context = acceptor->context, .fd = fd};
    if (!acceptor->protocol->open(connection)) {
        close(fd);
        connection->link.next = acceptor->spare;
        acceptor->spare = &connection->link;
        return;
    }
    list_append(connection);
    acceptor->count++;
    if (!loop_watch(acceptor->loop, fd, EPOLLIN, connection_is_ready, connection, NULL))
        connection_close(connection);
}

static void listener_is_ready(void *context, uint32_t events)
{
    (void)events;
    struct acceptor *acceptor = context;
    int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        connection_open(acceptor, fd);
        return;
    }
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
        return;
    if (acceptor->count > 0) {
        connection_close(list_first(acceptor));
        return;
    }
    loop_forget(acceptor->loop, acceptor->listen_fd);
    acceptor->resume_at_ms = clock_monotonic_ms() + ACCEPT_PAUSE_MS;
}

static void stop_is_ready(void *context, uint32_t events)
{
    (void)events;
    struct acceptor *acceptor = context;
    acceptor->stopping = true;
}

/* Does what is due and returns the time until the next thing is; -1: nothing is. */
static int64_t deadlines_run(struct acceptor *acceptor, int64_t now_ms)
{
    int64_t idle_ms = acceptor->limits.idle_timeout_ms;
    struct connection *first = list_first(acceptor);
    while (first != NULL && now_ms - first->waiting_since_ms >= idle_ms) {
        connection_close(first);
        first = list_first(acceptor);
    }
    if (acceptor->resume_at_ms >= 0 && now_ms >= acceptor->resume_at_ms)
        acceptor->resume_at_ms = loop_watch(acceptor->loop, acceptor->listen_fd, EPOLLIN,
                                            listener_is_ready, acceptor, NULL)
                                     ? -1
                                     : now_ms + ACCEPT_PAUSE_MS;
    int64_t wait_ms = first != NULL ? first->waiting_since_ms + idle_ms - now_ms : -1;
    if (acceptor->resume_at_ms >= 0) {
        int64_t resume_ms = acceptor->resume_at_ms - now_ms;
        wait_ms = wait_ms < 0 || resume_ms < wait_ms ? resume_ms : wait_ms;
    }
    return wait_ms;
}

static void *acceptor_thread(void *context)
{
    struct acceptor *acceptor = context;
    while (!acceptor->stopping) {
        int64_t wait_ms = deadlines_run(acceptor, clock_monotonic_ms());
        if (!loop_run_once(acceptor->loop, wait_ms, NULL))
            break;
    }
    while (acceptor->count > 0)
        connection_close(list_first(acceptor));
    while (acceptor->spare != NULL)
        free(connection_take(acceptor));
    return NULL;
}

/* Signals are the main thread's. */
static int thread_start(struct acceptor *acceptor)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&acceptor->thread, NULL, acceptor_thread, acceptor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void acceptor_close(struct acceptor *acceptor)
{
    loop_free(acceptor->loop);
    if (acceptor->listen_fd >= 0)
        close(acceptor->listen_fd);
    if (acceptor->stop_fd >= 0)
        close(acceptor->stop_fd);
    free(acceptor);
}

static bool acceptor_start(struct acceptor *acceptor, const char *listen, struct error *error)
{
    TRY(listen_open(listen, acceptor->protocol->hint, &acceptor->listen_fd, &acceptor->port,
                    error));
    acceptor->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (acceptor->stop_fd < 0)
        return error_system(error, errno, "eventfd");
    TRY(loop_new(&acceptor->loop, error));
    TRY(loop_watch(acceptor->loop, acceptor->listen_fd, EPOLLIN, listener_is_ready, acceptor,
                   error));
    TRY(loop_watch(acceptor->loop, acceptor->stop_fd, EPOLLIN, stop_is_ready, acceptor, error));
    int failed = thread_start(acceptor);
    if (failed != 0)
        return error_system(error, failed, "starting the %s responder's thread",
                            acceptor->protocol->name);
    return true;
}

bool acceptor_new(const char *listen, const struct acceptor_protocol *protocol, void *context,
                  const struct responder_limits *limits, struct acceptor **ret_acceptor,
                  struct error *error)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (acceptor == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the %s responder", protocol->name);
    acceptor->protocol = protocol;
    acceptor->context = context;
    acceptor->limits = *limits;
    if (acceptor->limits.connections == 0)
        acceptor->limits.connections = 1024;
    if (acceptor->limits.idle_timeout_ms == 0)
        acceptor->limits.idle_timeout_ms = 10 * 1000;
    acceptor->listen_fd = acceptor->stop_fd = -1;
    acceptor->resume_at_ms = -1;
    acceptor->waiting = (struct link){&acceptor->waiting, &acceptor->waiting};
    if (!acceptor_start(acceptor, listen, error)) {
        acceptor_close(acceptor);
        return false;
    }
    *ret_acceptor = acceptor;
    return true;
}

void acceptor_free(struct acceptor *acceptor)
{
    if (acceptor == NULL)
        return;
    /* An eventfd at 0 always takes a 1. */
    uint64_t one = 1;
    (void)!write(acceptor->stop_fd, &one, sizeof one);
    pthread_join(acceptor->thread, NULL);
    acceptor_close(acceptor);
}

int acceptor_port(const struct acceptor *acceptor)
{
    return acceptor->port;
}
