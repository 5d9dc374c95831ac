/* An HTTP/1.1 server for tests that misbehaves on purpose: a route says byte for byte what is sent,
 * in what pieces, and what happens to the connection then. Plain or TLS. A thread a connection. */
#ifndef CERTMILL_TEST_SCRIPTED_SERVER_H
#define CERTMILL_TEST_SCRIPTED_SERVER_H

#include "base/buf.h"
#include "check.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum then { THEN_KEEP, THEN_CLOSE, THEN_RESET, THEN_HANG };

struct route {
    const char *path;  /* of the request, exact */
    const char *reply; /* raw bytes; NULL: echo method, path and body as the body */
    enum then then;
    size_t piece; /* bytes a write, with 1 ms in between for them to arrive apart; 0: all at once */
};

#define SERVER_CONNECTIONS_MAX 256

/* Writes a whole raw reply; false breaks the connection without one. Called on the connection's
 * thread. */
typedef bool server_handler(void *context, struct span head, struct span body, struct buf *reply);

struct server {
    const struct route *routes;
    size_t route_count;
    server_handler *handler; /* instead of routes, unless NULL */
    void *handler_context;
    SSL_CTX *tls; /* NULL: plain */
    int listen_fd;
    int port;
    pthread_t thread;
    atomic_uint connections;
    atomic_uint requests;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_t threads[SERVER_CONNECTIONS_MAX];
    int fds[SERVER_CONNECTIONS_MAX]; /* -1: closed */
    size_t count;
    char last_head[4096]; /* of the last request; under the lock */
};

struct server_connection {
    struct server *server;
    size_t index;
    int fd;
    SSL *ssl;
};

static inline ssize_t server_read(struct server_connection *connection, char *data, size_t size)
{
    if (connection->ssl != NULL)
        return SSL_read(connection->ssl, data, (int)size);
    return recv(connection->fd, data, size, 0);
}

static inline bool server_write(struct server_connection *connection, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = connection->ssl != NULL
                           ? SSL_write(connection->ssl, bytes.data, (int)bytes.len)
                           : send(connection->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = span_from(bytes, (size_t)sent);
    }
    return true;
}

static inline bool server_write_pieces(struct server_connection *connection, struct span bytes,
                                       size_t piece)
{
    while (piece > 0 && bytes.len > piece) {
        TRY(server_write(connection, span_make(bytes.data, piece)));
        bytes = span_from(bytes, piece);
        usleep(1000);
    }
    return server_write(connection, bytes);
}

/* Reads until `in` holds a whole request; gives the lengths of its head and body. */
static inline bool server_request(struct server_connection *connection, struct buf *in,
                                  size_t *ret_head, size_t *ret_body)
{
    for (;;) {
        const char *end = strstr(buf_text(in), "\r\n\r\n");
        if (end != NULL) {
            size_t head = (size_t)(end - buf_text(in)) + 4;
            const char *length = strcasestr(buf_text(in), "\r\ncontent-length:");
            size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
            if (in->len >= head + body) {
                *ret_head = head;
                *ret_body = body;
                return true;
            }
        }
        char data[4096];
        ssize_t count = server_read(connection, data, sizeof data);
        if (count <= 0 || !buf_append(in, data, (size_t)count))
            return false;
    }
}

static inline const struct route *server_route(const struct server *server, struct span path)
{
    for (size_t i = 0; i < server->route_count; i++)
        if (span_is(path, server->routes[i].path))
            return &server->routes[i];
    return NULL;
}

static inline bool server_echo(struct server_connection *connection, struct span method,
                               struct span path, struct span body)
{
    struct buf reply;
    buf_init(&reply, (size_t)4 * 1024 * 1024);
    bool ok = buf_printf(&reply,
                         "HTTP/1.1 200 OK\r\nReplay-Nonce: nonce%.*s\r\nContent-Length: %zu\r\n"
                         "\r\n",
                         SPAN_PRINTF(path), method.len + path.len + body.len + 2);
    if (!span_is(method, "HEAD"))
        ok = ok && buf_printf(&reply, "%.*s %.*s ", SPAN_PRINTF(method), SPAN_PRINTF(path)) &&
             buf_append_span(&reply, body);
    ok = ok && server_write(connection, buf_span(&reply));
    buf_free(&reply);
    return ok;
}

static inline bool server_handle(struct server_connection *connection, struct span head,
                                 struct span body)
{
    struct server *server = connection->server;
    struct buf reply;
    buf_init(&reply, (size_t)4 * 1024 * 1024);
    bool ok = server->handler(server->handler_context, head, body, &reply) &&
              server_write(connection, buf_span(&reply));
    buf_free(&reply);
    return ok;
}

/* False when the connection is over. */
static inline bool server_answer(struct server_connection *connection, struct span head,
                                 struct span body)
{
    struct server *server = connection->server;
    struct span rest = head;
    struct span method = span_split(&rest, ' ');
    struct span path = span_split(&rest, ' ');
    pthread_mutex_lock(&server->lock);
    snprintf(server->last_head, sizeof server->last_head, "%.*s", SPAN_PRINTF(head));
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->requests, 1);
    if (server->handler != NULL)
        return server_handle(connection, head, body);
    const struct route *route = server_route(server, path);
    if (route == NULL || route->reply == NULL)
        TRY(server_echo(connection, method, path, body));
    else
        TRY(server_write_pieces(connection, span_of(route->reply), route->piece));
    if (route == NULL || route->then == THEN_KEEP)
        return true;
    if (route->then == THEN_RESET) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    if (route->then == THEN_HANG) {
        char data[64];
        while (server_read(connection, data, sizeof data) > 0)
            ;
    }
    return false;
}

static inline void server_serve(struct server_connection *connection)
{
    struct buf in;
    buf_init(&in, (size_t)4 * 1024 * 1024);
    size_t head;
    size_t body;
    while (server_request(connection, &in, &head, &body)) {
        if (!server_answer(connection, span_make(in.data, head), span_make(in.data + head, body)))
            break;
        memmove(in.data, in.data + head + body, in.len - head - body + 1);
        in.len -= head + body;
    }
    buf_free(&in);
}

static inline void *server_connection_thread(void *context)
{
    struct server_connection *connection = context;
    struct server *server = connection->server;
    bool ready = true;
    if (server->tls != NULL) {
        connection->ssl = SSL_new(server->tls);
        ready = connection->ssl != NULL && SSL_set_fd(connection->ssl, connection->fd) == 1 &&
                SSL_accept(connection->ssl) == 1;
    }
    if (ready)
        server_serve(connection);
    if (ready && connection->ssl != NULL)
        SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    pthread_mutex_lock(&server->lock);
    server->fds[connection->index] = -1;
    close(connection->fd);
    pthread_mutex_unlock(&server->lock);
    free(connection);
    return NULL;
}

static inline void *server_thread(void *context)
{
    struct server *server = context;
    for (;;) {
        int fd = accept(server->listen_fd, NULL, NULL);
        if (atomic_load(&server->stopping) || fd < 0) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        atomic_fetch_add(&server->connections, 1);
        struct server_connection *connection = calloc(1, sizeof *connection);
        CHECK(connection != NULL && server->count < SERVER_CONNECTIONS_MAX);
        *connection =
            (struct server_connection){.server = server, .index = server->count, .fd = fd};
        pthread_mutex_lock(&server->lock);
        server->fds[server->count] = fd;
        CHECK(pthread_create(&server->threads[server->count], NULL, server_connection_thread,
                             connection) == 0);
        server->count++;
        pthread_mutex_unlock(&server->lock);
    }
}

static inline int listen_any(int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(fd, 256) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline struct server *server_begin(struct server *server)
{
    server->listen_fd = listen_any(&server->port);
    pthread_mutex_init(&server->lock, NULL);
    CHECK(pthread_create(&server->thread, NULL, server_thread, server) == 0);
    return server;
}

static inline struct server *server_start(const struct route *routes, size_t count, SSL_CTX *tls)
{
    struct server *server = calloc(1, sizeof *server);
    CHECK(server != NULL);
    server->routes = routes;
    server->route_count = count;
    server->tls = tls;
    return server_begin(server);
}

static inline struct server *server_start_handler(server_handler *handler, void *context)
{
    struct server *server = calloc(1, sizeof *server);
    CHECK(server != NULL);
    server->handler = handler;
    server->handler_context = context;
    return server_begin(server);
}

static inline void server_stop(struct server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->count; i++)
        if (server->fds[i] >= 0)
            shutdown(server->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; i < server->count; i++)
        pthread_join(server->threads[i], NULL);
    close(server->listen_fd);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

#endif
