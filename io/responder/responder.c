/* One thread, one loop. Every connection has one deadline for its next whole request, however busy
 * it is with sending single bytes; all deadlines are equally long, so that the list of connections
 * in the order in which they began to wait is also the order of their deadlines. */
#include "io/responder.h"

#include "base/clock.h"
#include "io/loop.h"
#include "responder/answer.h"
#include "responder/listen.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Without a free descriptor there is nothing to do but to wait. */
#define ACCEPT_PAUSE_MS 100

/* A ring whose start is in the responder. */
struct link {
    struct link *next, *previous;
};

struct connection {
    struct link link; /* first, so that a link is its connection */
    struct responder *responder;
    int fd;
    int64_t waiting_since_ms;
    size_t in_len;
    size_t out_len;
    size_t out_sent;
    bool closing;  /* once the answer is sent */
    bool draining; /* the answer is sent; what still comes is dropped */
    char in[REQUEST_HEAD_MAX];
    char out[ANSWER_MAX];
};

struct responder {
    struct tokens tokens;
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
    struct link *start = &connection->responder->waiting;
    connection->waiting_since_ms = clock_monotonic_ms();
    connection->link = (struct link){.next = start, .previous = start->previous};
    start->previous->next = &connection->link;
    start->previous = &connection->link;
}

/* The one that waits longest; NULL when there is none. */
static struct connection *list_first(struct responder *responder)
{
    struct link *first = responder->waiting.next;
    return first != &responder->waiting ? (struct connection *)first : NULL;
}

static void connection_close(struct connection *connection)
{
    struct responder *responder = connection->responder;
    list_remove(connection);
    responder->count--;
    loop_forget(responder->loop, connection->fd);
    close(connection->fd);
    connection->link.next = responder->spare;
    responder->spare = &connection->link;
}

/* NULL without memory. */
static struct connection *connection_take(struct responder *responder)
{
    struct link *spare = responder->spare;
    if (spare == NULL)
        return malloc(sizeof(struct connection));
    responder->spare = spare->next;
    return (struct connection *)spare;
}

enum step { STEP_ON, STEP_WAIT_READ, STEP_WAIT_WRITE, STEP_CLOSE };

static enum step answer_send(struct connection *connection)
{
    while (connection->out_sent < connection->out_len) {
        ssize_t sent = send(connection->fd, connection->out + connection->out_sent,
                            connection->out_len - connection->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? STEP_WAIT_WRITE : STEP_CLOSE;
        connection->out_sent += (size_t)sent;
    }
    connection->out_len = connection->out_sent = 0;
    if (connection->closing) {
        /* Closing with bytes unread would make the kernel reset the connection, and the answer be
         * lost with it: so the other side closes first, or the deadline comes. */
        connection->draining = shutdown(connection->fd, SHUT_WR) == 0;
        return connection->draining ? STEP_WAIT_READ : STEP_CLOSE;
    }
    return STEP_ON;
}

/* Answers the request at the front of what was read, if it is complete. */
static enum step request_answer(struct connection *connection)
{
    struct tokens *tokens = &connection->responder->tokens;
    size_t len = request_head_len(span_make(connection->in, connection->in_len));
    struct answer answer;
    if (len > 0)
        answer = answer_write(span_make(connection->in, len), tokens, connection->out);
    else if (connection->in_len == sizeof connection->in)
        answer = answer_too_large(connection->out);
    else
        return STEP_WAIT_READ;
    connection->out_len = answer.len;
    connection->closing = !answer.keep;
    memmove(connection->in, connection->in + len, connection->in_len - len);
    connection->in_len -= len;
    list_remove(connection);
    list_append(connection);
    return answer_send(connection);
}

static enum step request_read(struct connection *connection)
{
    if (connection->draining)
        connection->in_len = 0;
    ssize_t count;
    do {
        count = recv(connection->fd, connection->in + connection->in_len,
                     sizeof connection->in - connection->in_len, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN ? STEP_WAIT_READ : STEP_CLOSE;
    if (count == 0)
        return STEP_CLOSE;
    connection->in_len += (size_t)count;
    return connection->draining ? STEP_WAIT_READ : STEP_ON;
}

static void connection_is_ready(void *context, uint32_t events)
{
    (void)events;
    struct connection *connection = context;
    enum step step = connection->out_len > 0 ? answer_send(connection) : request_read(connection);
    while (step == STEP_ON)
        step = request_answer(connection);
    uint32_t wanted = step == STEP_WAIT_WRITE ? EPOLLOUT : EPOLLIN;
    if (step == STEP_CLOSE || !loop_watch(connection->responder->loop, connection->fd, wanted,
                                          connection_is_ready, connection, NULL))
        connection_close(connection);
}

static void connection_open(struct responder *responder, int fd)
{
    if (responder->count >= responder->limits.connections)
        connection_close(list_first(responder));
    struct connection *connection = connection_take(responder);
    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->responder = responder;
    connection->fd = fd;
    connection->in_len = connection->out_len = connection->out_sent = 0;
    connection->closing = connection->draining = false;
    list_append(connection);
    responder->count++;
    if (!loop_watch(responder->loop, fd, EPOLLIN, connection_is_ready, connection, NULL))
        connection_close(connection);
}

static void listener_is_ready(void *context, uint32_t events)
{
    (void)events;
    struct responder *responder = context;
    int fd = accept4(responder->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        connection_open(responder, fd);
        return;
    }
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
        return;
    if (responder->count > 0) {
        connection_close(list_first(responder));
        return;
    }
    loop_forget(responder->loop, responder->listen_fd);
    responder->resume_at_ms = clock_monotonic_ms() + ACCEPT_PAUSE_MS;
}

static void stop_is_ready(void *context, uint32_t events)
{
    (void)events;
    struct responder *responder = context;
    responder->stopping = true;
}

/* Does what is due and returns the time until the next thing is; -1: nothing is. */
static int64_t deadlines_run(struct responder *responder, int64_t now_ms)
{
    int64_t idle_ms = responder->limits.idle_timeout_ms;
    struct connection *first = list_first(responder);
    while (first != NULL && now_ms - first->waiting_since_ms >= idle_ms) {
        connection_close(first);
        first = list_first(responder);
    }
    if (responder->resume_at_ms >= 0 && now_ms >= responder->resume_at_ms)
        responder->resume_at_ms = loop_watch(responder->loop, responder->listen_fd, EPOLLIN,
                                             listener_is_ready, responder, NULL)
                                      ? -1
                                      : now_ms + ACCEPT_PAUSE_MS;
    int64_t wait_ms = first != NULL ? first->waiting_since_ms + idle_ms - now_ms : -1;
    if (responder->resume_at_ms >= 0) {
        int64_t resume_ms = responder->resume_at_ms - now_ms;
        wait_ms = wait_ms < 0 || resume_ms < wait_ms ? resume_ms : wait_ms;
    }
    return wait_ms;
}

static void *responder_thread(void *context)
{
    struct responder *responder = context;
    while (!responder->stopping) {
        int64_t wait_ms = deadlines_run(responder, clock_monotonic_ms());
        if (!loop_run_once(responder->loop, wait_ms, NULL))
            break;
    }
    while (responder->count > 0)
        connection_close(list_first(responder));
    while (responder->spare != NULL)
        free(connection_take(responder));
    return NULL;
}

/* Signals are the main thread's. */
static int thread_start(struct responder *responder)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&responder->thread, NULL, responder_thread, responder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void responder_close(struct responder *responder)
{
    loop_free(responder->loop);
    if (responder->listen_fd >= 0)
        close(responder->listen_fd);
    if (responder->stop_fd >= 0)
        close(responder->stop_fd);
    tokens_free(&responder->tokens);
    free(responder);
}

static bool responder_start(struct responder *responder, const char *listen, struct error *error)
{
    TRY(listen_open(listen, &responder->listen_fd, &responder->port, error));
    responder->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (responder->stop_fd < 0)
        return error_system(error, errno, "eventfd");
    TRY(loop_new(&responder->loop, error));
    TRY(loop_watch(responder->loop, responder->listen_fd, EPOLLIN, listener_is_ready, responder,
                   error));
    TRY(loop_watch(responder->loop, responder->stop_fd, EPOLLIN, stop_is_ready, responder, error));
    int failed = thread_start(responder);
    if (failed != 0)
        return error_system(error, failed, "starting the http-01 responder's thread");
    return true;
}

bool responder_new_limited(const char *listen, const struct responder_limits *limits,
                           struct responder **ret_responder, struct error *error)
{
    struct responder *responder = calloc(1, sizeof *responder);
    if (responder == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the http-01 responder");
    responder->limits = *limits;
    if (responder->limits.connections == 0)
        responder->limits.connections = 1024;
    if (responder->limits.idle_timeout_ms == 0)
        responder->limits.idle_timeout_ms = 10 * 1000;
    responder->listen_fd = responder->stop_fd = -1;
    responder->resume_at_ms = -1;
    responder->waiting = (struct link){&responder->waiting, &responder->waiting};
    tokens_init(&responder->tokens);
    if (!responder_start(responder, listen, error)) {
        responder_close(responder);
        return false;
    }
    *ret_responder = responder;
    return true;
}

bool responder_new(const char *listen, struct responder **ret_responder, struct error *error)
{
    return responder_new_limited(listen, &(struct responder_limits){0}, ret_responder, error);
}

void responder_free(struct responder *responder)
{
    if (responder == NULL)
        return;
    /* An eventfd at 0 always takes a 1. */
    uint64_t one = 1;
    (void)!write(responder->stop_fd, &one, sizeof one);
    pthread_join(responder->thread, NULL);
    responder_close(responder);
}

int responder_port(const struct responder *responder)
{
    return responder->port;
}

bool responder_put(struct responder *responder, struct span token, struct span answer)
{
    return tokens_put(&responder->tokens, token, answer);
}

void responder_remove(struct responder *responder, struct span token)
{
    tokens_remove(&responder->tokens, token);
}
