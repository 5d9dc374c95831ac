/* The load CA's server with a handler that does as the path says, and raw sockets to it. */
#ifndef CERTMILL_TEST_CA_SERVER_H
#define CERTMILL_TEST_CA_SERVER_H

#include "check.h"

#include "base/clock.h"
#include "ca/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 30000

struct ca {
    struct server *server;
    int port;
    atomic_uint handled;
    atomic_uint handled_by[8]; /* thread */
};

static inline void ca_echo(const struct ca_request *request, struct ca_response *response)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "unknown"};
    unsigned sum = 0;
    for (size_t i = 0; i < request->body.len; i++)
        sum = sum * 31 + (unsigned char)request->body.data[i];
    CHECK(buf_printf(&response->body, "%s %.*s host=%.*s type=%.*s agent=%.*s from=%s%s len=%zu %u",
                     methods[request->method], SPAN_PRINTF(request->path),
                     SPAN_PRINTF(request->host), SPAN_PRINTF(request->content_type),
                     SPAN_PRINTF(request->user_agent), request->address, request->tls ? " tls" : "",
                     request->body.len, sum));
}

/* "/SIZE/DELAY_MS/FAULT" gets a body of SIZE bytes so late and so spoilt; "/status/N" an empty one;
 * all else an echo of the request. */
static inline void ca_handler(void *context, const struct ca_request *request,
                              struct ca_response *response)
{
    struct ca *ca = context;
    atomic_fetch_add(&ca->handled, 1);
    atomic_fetch_add(&ca->handled_by[request->thread], 1);
    CHECK(request->now_us > 1500000000000000);
    char path[128];
    snprintf(path, sizeof path, "%.*s", SPAN_PRINTF(request->path));
    size_t size;
    long long delay_ms;
    int fault;
    response->status = 200;
    response->content_type = "text/plain";
    ca_header_add(response, "replay-nonce", "nonce-%s", "1");
    if (sscanf(path, "/status/%d", &response->status) == 1) /* NOLINT(cert-err34-c) */
        return;
    /* NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(path, "/%zu/%lld/%d", &size, &delay_ms, &fault) != 3) {
        ca_echo(request, response);
        return;
    }
    char *data = buf_reserve(&response->body, size);
    CHECK(data != NULL);
    memset(data, 'x', size);
    response->body.len += size;
    response->wire = (struct ca_wire){.delay_us = delay_ms * 1000, .fault = (enum wire_fault)fault};
}

static inline void ca_open(struct ca *ca, const struct server_options *options)
{
    struct error error;
    struct server_options copy = *options;
    copy.listen = "127.0.0.1:0";
    *ca = (struct ca){0};
    CHECK_OK(server_new(&copy, ca_handler, ca, &ca->server, &error), error);
    ca->port = server_port(ca->server);
    CHECK(ca->port > 0);
}

static inline void ca_close(struct ca *ca)
{
    server_free(ca->server);
}

static inline struct server_counts ca_counts(const struct ca *ca)
{
    struct server_counts counts;
    server_count(ca->server, &counts);
    return counts;
}

/* Waits until the server has noticed that its clients are gone. */
static inline void ca_await_connections(const struct ca *ca, uint64_t count)
{
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (ca_counts(ca).connections_now != count) {
        CHECK(clock_monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 1);
    }
}

static inline void ca_await_handled(struct ca *ca, unsigned count)
{
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (atomic_load(&ca->handled) < count) {
        CHECK(clock_monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 1);
    }
}

static inline int raw_open(const struct ca *ca)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)ca->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval timeout = {.tv_sec = DEADLINE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static inline void raw_send(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        CHECK(sent > 0);
        bytes = span_from(bytes, (size_t)sent);
    }
}

/* Reads until `text` holds `part` so many times. */
static inline void raw_read_until(int fd, struct buf *text, const char *part, unsigned times)
{
    for (;;) {
        unsigned found = 0;
        for (const char *at = buf_text(text); (at = strstr(at, part)) != NULL; at++)
            found++;
        if (found >= times)
            return;
        char data[4096];
        ssize_t count = recv(fd, data, sizeof data, 0);
        if (count <= 0)
            fprintf(stderr, "no \"%s\" in \"%s\"\n", part, buf_text(text));
        CHECK(count > 0 && buf_append(text, data, (size_t)count));
    }
}

/* Reads to the end; gives 0 for an orderly one, else errno. */
static inline int raw_read_all(int fd, struct buf *text)
{
    for (;;) {
        char data[4096];
        ssize_t count = recv(fd, data, sizeof data, 0);
        if (count == 0)
            return 0;
        if (count < 0)
            return errno;
        CHECK(buf_append(text, data, (size_t)count));
    }
}

#endif
