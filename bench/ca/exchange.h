/* What passes between the load CA's server and its protocol: one request in, one answer out. Pure
 * data, so that the protocol is tested without a socket. */
#ifndef CERTMILL_CA_EXCHANGE_H
#define CERTMILL_CA_EXCHANGE_H

#include "base/buf.h"

#include <netinet/in.h>

/* What a path asks for; weather is set for each of them apart. */
enum ca_endpoint {
    CA_DIRECTORY,
    CA_NEW_NONCE,
    CA_NEW_ACCOUNT,
    CA_ACCOUNT,
    CA_ORDERS, /* an account's list of orders, RFC 8555 section 7.1.2.1 */
    CA_NEW_ORDER,
    CA_ORDER,
    CA_AUTHORIZATION,
    CA_CHALLENGE,
    CA_FINALIZE,
    CA_CERTIFICATE,
    CA_REVOKE,
    CA_KEY_CHANGE,
    CA_RENEWAL_INFO, /* RFC 9773 */
    CA_OTHER,        /* issuers' certificates, CRL, anything unknown */
    CA_ENDPOINTS,
};

/* Its name in documents and figures: "new-order"; a static string. */
const char *ca_endpoint_name(enum ca_endpoint endpoint);

enum ca_method { CA_GET, CA_HEAD, CA_POST, CA_METHOD_UNKNOWN };

/* All spans are valid until the handler returns. */
struct ca_request {
    enum ca_method method;
    struct span path;         /* with the query, as it came; begins with '/' */
    struct span host;         /* Host or :authority, for the URLs in answers */
    struct span content_type; /* without parameters */
    struct span user_agent;
    struct span body;
    char address[INET6_ADDRSTRLEN]; /* the client's */
    bool tls;                       /* answers' URLs are https */
    unsigned thread;                /* the server thread's number, from 0 */
    int64_t now_us;                 /* microseconds since 1970 */
};

/* What the server does to an answer that is otherwise good. */
enum wire_fault {
    WIRE_GOOD,
    WIRE_RESET,    /* the connection is reset (TCP RST) in place of the answer */
    WIRE_TRUNCATE, /* the full Content-Length is told, half the body is sent, then the end: HTTP/1
                      closes, HTTP/2 resets the stream */
    WIRE_GOAWAY,   /* the answer is whole; then HTTP/2 GOAWAY, HTTP/1 "Connection: close" */
    WIRE_SILENCE,  /* no answer, until the client gives up */
};

struct ca_wire {
    int64_t delay_us; /* before the answer goes out; the connection serves others meanwhile */
    enum wire_fault fault;
};

#define CA_HEADERS_MAX 12
#define CA_BODY_MAX    ((size_t)64 << 20) /* an oversized body is a fault to be had */

struct ca_header {
    const char *name; /* static, lower case */
    size_t offset;    /* of the value in header_text */
    size_t len;
};

struct ca_response {
    int status;
    const char *content_type; /* static; NULL: none */
    struct buf body;          /* not sent to HEAD, but counted */
    struct ca_header headers[CA_HEADERS_MAX];
    size_t header_count;
    struct buf header_text;
    struct ca_wire wire;
};

void ca_response_init(struct ca_response *response);
void ca_response_free(struct ca_response *response);
void ca_response_reset(struct ca_response *response); /* for the next request; keeps the memory */

/* Adds a header; `name` is static and in lower case. A header that does not fit is left out: the
 * formats here are the CA's own, so that would be a bug and is asserted. */
void ca_header_add(struct ca_response *response, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The value of a header, or {NULL, 0}. */
struct span ca_header_find(const struct ca_response *response, const char *name);

/* Answers a request; on any of the server's threads, several at once. Never waits. */
typedef void ca_handle(void *context, const struct ca_request *request,
                       struct ca_response *response);

#endif
