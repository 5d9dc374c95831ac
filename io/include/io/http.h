/* An HTTP client for one thread: libcurl's multi interface on a loop, HTTP/2 multiplexed, few
 * connections a host. It queues nothing of its own: libcurl slows when it is handed more transfers
 * than its connections have streams, so the caller asks http_room first and keeps the rest. */
#ifndef CERTMILL_IO_HTTP_H
#define CERTMILL_IO_HTTP_H

#include "base/buf.h"
#include "io/loop.h"

struct http_client;

struct http_options {
    const char *ca_file;         /* trust for the servers' certificates; NULL: the system's */
    const char *user_agent;      /* RFC 8555 section 6.1 wants one */
    unsigned connections;        /* to one host at most; 0: 8 */
    unsigned streams;            /* on one HTTP/2 connection at most; 0: 100 */
    unsigned connect_timeout_ms; /* 0: 30 s */
    unsigned request_timeout_ms; /* whole request; 0: 90 s (slow CAs answer after 45 s) */
    size_t body_limit;           /* 0: 1 MiB */
    bool http1_only;
    bool secret_answers; /* bodies of answers hold secrets: they are wiped */
    bool direct;         /* never by a proxy of the environment */
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT };

/* Why there is no answer. */
enum http_failure {
    HTTP_ANSWERED = 0,
    HTTP_UNREACHABLE, /* name, route or connection refused, or too slow: nothing was sent */
    HTTP_UNTRUSTED,   /* TLS certificate or handshake: nothing was sent */
    HTTP_TIMEOUT,     /* may or may not have been received */
    HTTP_LOST,        /* connection broke or the body was cut: may or may not have been received */
    HTTP_TOO_LARGE,   /* the answer passed a ceiling */
    HTTP_CANCELLED,   /* the client was freed */
    HTTP_BAD_URL,
};

#define HTTP_LINKS_MAX 16

struct http_link {
    struct span url; /* absolute or relative, as sent */
    struct span relation;
};

/* Valid during the callback only. Header values are trimmed; an absent one is {NULL, 0}. Of a
 * header that came twice the first counts. With a failure there is no status and no body, but the
 * headers that came before it are there (a nonce in them is good). */
struct http_response {
    uint64_t id; /* the request's */
    enum http_failure failure;
    char reason[256]; /* with a failure: libcurl's words, with host and port; else "" */
    long status;
    struct span body;
    struct span content_type; /* without parameters */
    struct span location;
    struct span retry_after;
    struct span replay_nonce;
    struct span date;
    struct span etag;                       /* with its quotes */
    struct span amazon_request_id;          /* x-amzn-RequestId or x-amz-request-id */
    struct span amazon_error_type;          /* x-amzn-ErrorType */
    struct span amazon_region;              /* x-amz-bucket-region */
    struct http_link links[HTTP_LINKS_MAX]; /* RFC 8288; rel="a b" gives two */
    size_t link_count;
    const char *url;   /* the request's */
    uint64_t total_us; /* from the call of http_send to the last byte */
};

typedef void http_done(void *context, const struct http_response *response);

struct http_request {
    uint64_t id; /* the caller's, an id with a generation */
    enum http_method method;
    const char *url;            /* http or https only; copied */
    struct span body;           /* copied */
    const char *content_type;   /* NULL: none; copied */
    const char *const *headers; /* more "Name: value" lines, NULL-terminated, or NULL; copied */
    unsigned timeout_ms;        /* 0: the client's */
    /* Never sent a second time on its own: libcurl repeats a request on a new connection when a
     * kept one ends without an answer, though the server may have acted on it. */
    bool once;
};

/* `done` is called from loop_run_once, http_tick or http_client_free, never from http_send. It may
 * call http_room and http_send, but not http_tick or http_client_free. The loop stays the caller's
 * and must outlive the client. Redirects are never followed, nothing is decompressed, proxies are
 * those of the environment. ERROR_CONFIG when the CA file cannot be read. */
bool http_client_new(struct loop *loop, const struct http_options *options, http_done *done,
                     void *context, struct http_client **ret_client, struct error *error) MUST_USE;
void http_client_free(struct http_client *client); /* open requests end as HTTP_CANCELLED */

/* How many requests may be handed over now: `streams` (25 while answers come within 250 ms in the
 * mean, if that is less) x `connections` when a host of this client was last seen to speak HTTP/2,
 * else `connections` (also before the first answer), less those out.
 * The room is one for all hosts: a host that does not answer can hold all of it until its requests
 * time out, so give hosts that must not starve each other a client each. */
size_t http_room(const struct http_client *client);

/* Hands a request to libcurl. False when there is no memory, when a header holds a line end or
 * there are more than 30 (ERROR_LIMIT), or inside http_client_free (ERROR_CANCELLED); then `done`
 * is not called. A GET or HEAD has no body. */
bool http_send(struct http_client *client, const struct http_request *request,
               struct error *error) MUST_USE;

/* Milliseconds until libcurl wants to be called again (-1: never): the loop's timeout must not be
 * longer. Then http_tick runs what is due. */
int64_t http_wait_ms(const struct http_client *client, int64_t now_ms);
void http_tick(struct http_client *client, int64_t now_ms);

struct http_counts {
    uint64_t requests, connections, http2, bytes_in, bytes_out, out_now;
};
void http_count(const struct http_client *client, struct http_counts *ret_counts);

#endif
