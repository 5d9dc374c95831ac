/* The parts of the HTTP client that its own files share. */
#ifndef CERTMILL_HTTP_CLIENT_H
#define CERTMILL_HTTP_CLIENT_H

#include "http/headers.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#define HTTP_REQUEST_HEADERS_MAX 32
#define HTTP_HOSTS_MAX           16
#define HTTP_AUTHORITY_MAX       300 /* a DNS name has 253 bytes, a port 5 */

enum http_spoken { SPOKEN_UNKNOWN, SPOKEN_HTTP1, SPOKEN_HTTP2 };

/* What is known of a host, so that its next request opens no needless connection. */
struct http_host {
    char authority[HTTP_AUTHORITY_MAX]; /* "host:port" */
    enum http_spoken spoken;
};

/* One request on its way, with its easy handle; pooled, because an easy handle is dear to make. */
struct transfer {
    struct transfer *next, *previous; /* among the open ones; `next` alone in the pool */
    struct http_client *client;
    CURL *easy;
    uint64_t id;
    int64_t started_us;
    /* The request. Bodies and headers may hold keys and session tokens. */
    struct buf url;
    struct buf body_out;
    size_t body_sent;       /* of a request that goes out once */
    struct buf header_text; /* NUL-terminated lines */
    struct curl_slist header_list[HTTP_REQUEST_HEADERS_MAX];
    char authority[HTTP_AUTHORITY_MAX];
    /* The answer. */
    struct headers headers;
    struct buf body;
    bool too_large;
    bool no_memory;
    bool learned; /* the host's protocol was noted from this answer */
    char error_text[CURL_ERROR_SIZE];
};

/* What a socket's event needs to find its way to libcurl. */
struct socket_watch {
    struct socket_watch *next, *previous;
    struct http_client *client;
    curl_socket_t fd;
};

struct http_client {
    struct loop *loop;
    CURLM *multi;
    CURLSH *share; /* TLS sessions, which 7.88 otherwise keeps a handle */
    bool openssl;
    int (*session_keep)(SSL *ssl, SSL_SESSION *session); /* libcurl's own, for tls.c */
    bool session_failed; /* a handshake ended over the session that it was to resume; none since */
    http_done *done;
    void *context;
    struct http_options options; /* defaults filled in; texts owned */
    char *ca_file;
    char *user_agent;
    struct transfer *open;
    struct transfer *pool;
    struct socket_watch *watches;
    struct http_host hosts[HTTP_HOSTS_MAX];
    unsigned host_count;
    unsigned host_next; /* the one to forget when there are too many */
    unsigned hosts_http2;
    int64_t timer_at_ms; /* -1: libcurl wants no timer */
    bool closing;
    /* Streams a connection now: few while answers come quickly, since libcurl looks at all
     * transfers of a connection for each of its events. */
    unsigned streams_now;
    uint64_t latency_us; /* of the last answers, in the mean */
    struct http_counts counts;
};

/* transfer.c: easy handles. */
struct transfer *transfer_new(struct http_client *client, struct error *error) MUST_USE;
void transfer_free(struct transfer *transfer);
bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
                      struct error *error) MUST_USE;
void transfer_clear(struct transfer *transfer); /* for the pool */

/* failure.c: why there is no answer. `sent`: a byte of the request went out. */
enum http_failure failure_of(CURLcode code, bool sent, const char *curl_text);
/* libcurl's words for it, or ours where it has none; valid as long as `curl_text`. */
const char *failure_text(CURLcode code, const char *curl_text);
/* "host:port: text", made printable. */
void failure_reason(char reason[static 256], const char *authority, const char *text);

/* tls.c */
bool tls_is_openssl(void); /* what libcurl was built with */
CURLcode tls_sessions_keep(CURL *easy, struct http_client *client);

/* host.c */
/* Writes "host:port" of an http or https URL, without user and password; "" when there is none. */
void authority_of(struct span url, char authority[static HTTP_AUTHORITY_MAX]);
enum http_spoken host_spoken(const struct http_client *client, const char *authority);
void host_learn(struct http_client *client, const char *authority, enum http_spoken spoken);

#endif
