#include "ca/http/peer.h"

#include "responder/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 256, BACKLOG = 4096, IDLE_TIMEOUT_MS = 180 * 1000, BODY_LIMIT = 256 * 1024 };

static void options_fill(struct server_options *options)
{
    if (options->threads == 0)
        options->threads = 1;
    if (options->backlog == 0)
        options->backlog = BACKLOG;
    if (options->idle_timeout_ms == 0)
        options->idle_timeout_ms = IDLE_TIMEOUT_MS;
    if (options->body_limit == 0)
        options->body_limit = BODY_LIMIT;
}

static bool listener_open(struct server *server, struct error *error)
{
    TRY(listen_open(server->options.listen, "give the server another", &server->listen_fd,
                    &server->port, error));
    /* Listening again changes the backlog. */
    int backlog = server->options.backlog < INT32_MAX ? (int)server->options.backlog : INT32_MAX;
    if (listen(server->listen_fd, backlog) < 0)
        return error_system(error, errno, "listening with a backlog of %d", backlog);
    return true;
}

static bool server_open(struct server *server, struct error *error)
{
    if (server->options.threads > THREADS_MAX)
        return error_set(error, ERROR_CONFIG, "a server has %d threads at most", THREADS_MAX);
    TRY(http2_prepare(server) ||
        error_set(error, ERROR_MEMORY, "no memory for the server's HTTP/2"));
    if (server->options.tls) {
        server->tls = socket_tls_new(&server->options, error);
        TRY(server->tls != NULL);
    }
    TRY(listener_open(server, error));
    server->threads = calloc(server->options.threads, sizeof *server->threads);
    if (server->threads == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the server's threads");
    for (unsigned i = 0; i < server->options.threads; i++)
        server->threads[i].mailbox.event_fd = -1;
    for (unsigned i = 0; i < server->options.threads; i++)
        TRY(thread_open(&server->threads[i], server, i, error));
    for (unsigned i = 0; i < server->options.threads; i++)
        TRY(thread_start(&server->threads[i], error));
    return true;
}

bool server_new(const struct server_options *options, ca_handle *handle, void *context,
                struct server **ret_server, struct error *error)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a server");
    server->options = *options;
    options_fill(&server->options);
    server->handle = handle;
    server->context = context;
    server->listen_fd = -1;
    addresses_init(&server->addresses);
    if (!server_open(server, error)) {
        server_free(server);
        return false;
    }
    *ret_server = server;
    return true;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    unsigned threads = server->threads != NULL ? server->options.threads : 0;
    for (unsigned i = 0; i < threads; i++)
        thread_stop(&server->threads[i]);
    for (unsigned i = 0; i < threads; i++)
        thread_close(&server->threads[i]);
    free(server->threads);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    SSL_CTX_free(server->tls);
    nghttp2_option_del(server->http2_option);
    nghttp2_session_callbacks_del(server->http2_callbacks);
    addresses_free(&server->addresses);
    free(server);
}

int server_port(const struct server *server)
{
    return server->port;
}

void server_limit(struct server *server, const struct server_limits *limits)
{
    atomic_store(&server->limit_connections, limits->connections);
    atomic_store(&server->limit_per_address, limits->connections_per_address);
    atomic_store(&server->limit_streams, limits->streams);
    atomic_store(&server->limit_requests, limits->requests_per_connection);
}

void most_raise(atomic_uint *most, unsigned now)
{
    unsigned before = atomic_load_explicit(most, memory_order_relaxed);
    while (now > before && !atomic_compare_exchange_weak(most, &before, now))
        ;
}

void server_forget_most(struct server *server)
{
    atomic_store(&server->connections_most, atomic_load(&server->connections_now));
    atomic_store(&server->requests_most, atomic_load(&server->requests_now));
}

void server_count(struct server *server, struct server_counts *ret_counts)
{
    struct server_counts counts = {
        .connections = atomic_load(&server->connections),
        .refused = atomic_load(&server->refused),
        .connections_now = atomic_load(&server->connections_now),
        .connections_most = atomic_load(&server->connections_most),
        .requests_now = atomic_load(&server->requests_now),
        .requests_most = atomic_load(&server->requests_most),
    };
    for (unsigned i = 0; i < server->options.threads; i++) {
        struct thread_counts *thread = &server->threads[i].counts;
        counts.handshakes_full += atomic_load(&thread->handshakes_full);
        counts.handshakes_resumed += atomic_load(&thread->handshakes_resumed);
        counts.requests_http1 += atomic_load(&thread->requests_http1);
        counts.requests_http2 += atomic_load(&thread->requests_http2);
        counts.bytes_in += atomic_load(&thread->bytes_in);
        counts.bytes_out += atomic_load(&thread->bytes_out);
    }
    *ret_counts = counts;
}
