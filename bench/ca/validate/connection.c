#include "connection.h"

#include "check.h"
#include "io/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE ((size_t)2048)
#define OUT_MAX   ((size_t)8192)

/* What a step of a connection came to. */
enum step { STEP_ON, STEP_WAIT_READ, STEP_WAIT_WRITE, STEP_GONE };

static void connection_ready(void *context, uint32_t events);

static bool connection_wait(struct connection *connection, uint32_t events)
{
    if (connection->events == events)
        return true;
    connection->events = events;
    return loop_watch(connection->validator->loop, connection->fd, events, connection_ready,
                      connection, NULL);
}

void connection_close(struct connection *connection)
{
    struct validator *validator = connection->validator;
    for (size_t i = 0; connection->phase == CONNECTION_IDLE && i < validator->idle_count; i++)
        if (validator->idle[i] == connection) {
            validator->idle[i] = validator->idle[--validator->idle_count];
            break;
        }
    if (connection->check != NULL)
        connection->check->connection = NULL;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        validator->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    SSL_free(connection->ssl);
    loop_forget(validator->loop, connection->fd);
    close(connection->fd);
    buf_free(&connection->out);
    buf_free(&connection->in);
    free(connection);
}

void connection_release(struct connection *connection, bool keep)
{
    struct validator *validator = connection->validator;
    if (!keep || connection->ssl != NULL || validator->idle_count == IDLE_MAX ||
        !connection_wait(connection, EPOLLIN)) {
        connection_close(connection);
        return;
    }
    connection->check->connection = NULL;
    connection->check = NULL;
    connection->phase = CONNECTION_IDLE;
    buf_clear(&connection->in);
    buf_clear(&connection->out);
    connection->sent = 0;
    validator->idle[validator->idle_count++] = connection;
}

/* A failure of the way, by errno. */
static enum step broke(struct connection *connection, const char *why)
{
    struct check *check = connection->check;
    if (connection->reused) {
        /* The server ended it while it was idle, as it may: a fresh one tells. */
        connection_close(connection);
        check->place_next--;
        check_connect(check);
        return STEP_GONE;
    }
    connection_close(connection);
    check_disconnected(check, "connection", why);
    return STEP_GONE;
}

static enum step tls_broke(struct connection *connection)
{
    struct check *check = connection->check;
    unsigned long code = ERR_peek_last_error();
    const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;
    const char *problem = why != NULL ? "tls" : "connection";
    int system_error = errno;
    if (why == NULL)
        why = system_error != 0 ? strerror(system_error) : "Server closed the connection";
    ERR_clear_error();
    connection_close(connection);
    check_disconnected(check, problem, why);
    return STEP_GONE;
}

/* After a call of OpenSSL's that did not succeed. */
static enum step tls_wait(struct connection *connection, int result)
{
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return STEP_WAIT_READ;
    case SSL_ERROR_WANT_WRITE:
        return STEP_WAIT_WRITE;
    default:
        return tls_broke(connection);
    }
}

static enum step connected(struct connection *connection)
{
    int failure = 0;
    socklen_t len = sizeof failure;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
        failure = errno;
    if (failure != 0)
        return broke(connection, strerror(failure));
    connection->phase = connection->ssl != NULL ? CONNECTION_SHAKING : CONNECTION_SENDING;
    return STEP_ON;
}

static enum step shake(struct connection *connection)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_connect(connection->ssl);
    if (result != 1)
        return tls_wait(connection, result);
    connection->phase = CONNECTION_SENDING;
    if (connection->check->method != VALIDATE_TLS_ALPN_01)
        return STEP_ON;
    alpn_shaken(connection->check, connection->ssl);
    return STEP_GONE;
}

static enum step send_plain(struct connection *connection, const char *data, size_t len)
{
    ssize_t sent;
    do {
        sent = send(connection->fd, data, len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN ? STEP_WAIT_WRITE : broke(connection, strerror(errno));
    connection->sent += (size_t)sent;
    return STEP_ON;
}

static enum step send_tls(struct connection *connection, const char *data, size_t len)
{
    size_t sent = 0;
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(connection->ssl, data, len, &sent);
    if (result != 1)
        return tls_wait(connection, result);
    connection->sent += sent;
    return STEP_ON;
}

static enum step request_send(struct connection *connection)
{
    const char *data = connection->out.data + connection->sent;
    size_t len = connection->out.len - connection->sent;
    if (len == 0) {
        connection->phase = CONNECTION_READING;
        return STEP_ON;
    }
    return connection->ssl != NULL ? send_tls(connection, data, len)
                                   : send_plain(connection, data, len);
}

static enum step read_plain(struct connection *connection, char *data, size_t size)
{
    ssize_t count;
    do {
        count = recv(connection->fd, data, size, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN ? STEP_WAIT_READ : broke(connection, strerror(errno));
    connection->in.len += (size_t)count;
    connection->ended = count == 0;
    return STEP_ON;
}

static enum step read_tls(struct connection *connection, char *data, size_t size)
{
    size_t count = 0;
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(connection->ssl, data, size, &count);
    if (result != 1) {
        if (SSL_get_error(connection->ssl, result) != SSL_ERROR_ZERO_RETURN)
            return tls_wait(connection, result);
        connection->ended = true;
    }
    connection->in.len += count;
    return STEP_ON;
}

/* Reads once, and looks whether the answer is whole. */
static enum step answer_read(struct connection *connection)
{
    struct http_answer answer;
    struct check *check = connection->check;
    char *room = buf_reserve(&connection->in, READ_SIZE);
    if (room == NULL)
        return broke(connection, "The answer is too large");
    enum step step = connection->ssl != NULL ? read_tls(connection, room, READ_SIZE)
                                             : read_plain(connection, room, READ_SIZE);
    if (step != STEP_ON)
        return step;
    if (connection->ended && connection->in.len == 0)
        return broke(connection, "Server closed the connection without an answer");
    switch (http_answer_read(connection->in.data, connection->in.len, connection->ended, &answer)) {
    case HTTP_ANSWER_WHOLE:
        http_answered(check, &answer);
        return STEP_GONE;
    case HTTP_ANSWER_BROKEN:
        connection->reused = false;
        return broke(connection, "The answer is not one of HTTP/1.1, or is too large");
    default:
        return STEP_ON;
    }
}

static enum step connection_step(struct connection *connection)
{
    switch (connection->phase) {
    case CONNECTION_CONNECTING:
        return connected(connection);
    case CONNECTION_SHAKING:
        return shake(connection);
    case CONNECTION_SENDING:
        return request_send(connection);
    default:
        return answer_read(connection);
    }
}

static void wait_or_break(struct connection *connection, enum step step)
{
    if (step != STEP_GONE &&
        !connection_wait(connection, step == STEP_WAIT_READ ? EPOLLIN : EPOLLOUT))
        broke(connection, "No memory to wait for it");
}

void connection_start(struct connection *connection)
{
    enum step step = STEP_ON;
    if (connection->phase == CONNECTION_CONNECTING)
        step = STEP_WAIT_WRITE;
    /* An answer takes its time: the kernel tells when there is something to read. */
    while (step == STEP_ON)
        step =
            connection->phase == CONNECTION_READING ? STEP_WAIT_READ : connection_step(connection);
    wait_or_break(connection, step);
}

static void connection_ready(void *context, uint32_t events)
{
    struct connection *connection = context;
    (void)events;
    if (connection->phase == CONNECTION_IDLE) { /* closed, or unasked for */
        connection_close(connection);
        return;
    }
    enum step step = STEP_ON;
    while (step == STEP_ON)
        step = connection_step(connection);
    wait_or_break(connection, step);
}

static struct connection *idle_take(struct validator *validator, const struct place *place)
{
    for (size_t i = validator->idle_count; i-- > 0;) {
        struct connection *connection = validator->idle[i];
        if (!place_equal(&connection->place, place))
            continue;
        validator->idle[i] = validator->idle[--validator->idle_count];
        connection->phase = CONNECTION_SENDING;
        connection->reused = true;
        return connection;
    }
    return NULL;
}

static bool tls_prepare(struct connection *connection, SSL_CTX *tls, const char *server_name)
{
    connection->ssl = SSL_new(tls);
    bool ok = connection->ssl != NULL && SSL_set_fd(connection->ssl, connection->fd) == 1 &&
              SSL_set_tlsext_host_name(connection->ssl, server_name) == 1;
    ERR_clear_error();
    return ok;
}

bool connection_open(struct check *check, const struct place *place, SSL_CTX *tls,
                     const char *server_name, struct connection **ret_connection,
                     struct error *error)
{
    struct validator *validator = check->validator;
    struct connection *connection = tls == NULL ? idle_take(validator, place) : NULL;
    if (connection != NULL) {
        connection->check = check;
        *ret_connection = connection;
        return true;
    }
    int fd = socket(place->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_system(error, errno, "socket");
    static const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, &place->address.any, place->len) < 0 && errno != EINPROGRESS) {
        error_set(error, ERROR_NETWORK, "%s", strerror(errno));
        close(fd);
        return false;
    }
    connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        return error_set(error, ERROR_MEMORY, "no memory for a connection");
    }
    connection->validator = validator;
    connection->check = check;
    connection->place = *place;
    connection->fd = fd;
    buf_init(&connection->out, OUT_MAX);
    buf_init(&connection->in, HTTP_ANSWER_MAX + READ_SIZE);
    connection->next = validator->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    validator->connections = connection;
    if (tls != NULL && !tls_prepare(connection, tls, server_name)) {
        connection->check = NULL;
        connection_close(connection);
        return error_set(error, ERROR_CRYPTO, "no TLS connection could be prepared");
    }
    *ret_connection = connection;
    return true;
}
