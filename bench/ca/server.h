/* HTTP/1.1 and HTTP/2 over TLS, or HTTP/1.1 in the clear: threads with an event loop each, which
 * share the listening port. The handler is called on them. */
#ifndef CERTMILL_CA_SERVER_H
#define CERTMILL_CA_SERVER_H

#include "ca/exchange.h"

struct server;

struct server_options {
    const char *listen; /* "ADDRESS:PORT"; port 0: any free one, see server_port */
    unsigned threads;   /* 0: 1 */
    bool tls;
    struct span certificate_pem; /* with its chain; tls only */
    struct span key_pem;
    bool http1_only;          /* no HTTP/2 offered by ALPN */
    unsigned backlog;         /* 0: 4096 */
    unsigned idle_timeout_ms; /* 0: 180 s */
    size_t body_limit;        /* of a request; over it 413. 0: 256 KiB */
};

/* What weather may change while the server runs; 0: no limit. */
struct server_limits {
    unsigned connections;             /* of all clients; more are closed when accepted */
    unsigned connections_per_address; /* of one client */
    unsigned streams;                 /* HTTP/2 concurrent streams a connection; 0: 100 */
    unsigned requests_per_connection; /* then GOAWAY or "Connection: close" */
};

struct server_counts {
    uint64_t connections, refused, handshakes_full, handshakes_resumed, requests_http1,
        requests_http2, connections_now, connections_most, bytes_in, bytes_out;
    uint64_t requests_now, requests_most; /* read, and not yet answered */
};

/* Starts the threads. The handler and its context must outlive the server. */
bool server_new(const struct server_options *options, ca_handle *handle, void *context,
                struct server **ret_server, struct error *error) MUST_USE;
void server_free(struct server *server); /* closes all, joins the threads */
int server_port(const struct server *server);
void server_limit(struct server *server, const struct server_limits *limits); /* any thread */
void server_count(struct server *server, struct server_counts *ret_counts);   /* any thread */
void server_forget_most(struct server *server); /* connections_most, requests_most; any thread */

#endif
