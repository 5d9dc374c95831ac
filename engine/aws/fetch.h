/* One HTTP request whose answer is waited for: how credentials are got, before any client of AWS
 * can be. */
#ifndef CERTMILL_AWS_FETCH_H
#define CERTMILL_AWS_FETCH_H

#include "io/http.h"

#define FETCH_BODY_MAX ((size_t)256 * 1024)

struct fetch_reply;

struct fetch_request {
    enum http_method method;
    const char *url;
    struct span body;
    const char *content_type;   /* NULL: none */
    const char *const *headers; /* as struct http_request's */
    const char *ca_file;        /* NULL: the system's */
    bool direct;                /* never by a proxy of the environment */
    unsigned timeout_ms;        /* an attempt */
    unsigned attempts;          /* while there is no answer, or one that passes */
    unsigned pause_ms;          /* before the second; doubled before each one more, with jitter; the
                                   answer's Retry-After first */
    bool (*passes)(const struct fetch_reply *reply); /* NULL: 429, and 500 and more */
};

struct fetch_reply {
    long status;
    struct buf body;       /* wiped when it is freed */
    int64_t date;          /* the answer's, unix seconds; 0: none */
    int64_t retry_after_s; /* -1: none */
};

/* True when an answer came, whatever its status; the caller frees it then. ERROR_NETWORK when none
 * came, with libcurl's words. */
bool fetch(const struct fetch_request *request, struct fetch_reply *ret_reply,
           struct error *error) MUST_USE;
void fetch_reply_free(struct fetch_reply *reply);

/* The host (without brackets and port) of an http or https URL; empty when it has none or is no
 * plain one (user and password, backslash, blanks). */
struct span url_host(const char *url);

#endif
