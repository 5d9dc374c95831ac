/* HTTP/1.1 requests, read strictly (RFC 9112): where two readers could differ about where a request
 * ends, it is refused. Pure: bytes in, facts out; fuzzed. */
#ifndef CERTMILL_CA_HTTP_HEAD_H
#define CERTMILL_CA_HTTP_HEAD_H

#include "ca/exchange.h"

#define HTTP1_HEAD_MAX ((size_t)16 * 1024)

enum http1_found { HTTP1_MORE, HTTP1_WHOLE, HTTP1_BROKEN, HTTP1_TOO_LARGE };

/* Looks for the end of the head. `at` is 0 at first, and then what the call before left in it, so
 * that a head that comes byte by byte is not searched again from its start. Gives its length with
 * the blank line. */
enum http1_found http1_head_find(struct span bytes, size_t *at, size_t *ret_len) MUST_USE;

struct http1_head {
    enum ca_method method;
    struct span path; /* begins with '/' */
    struct span host;
    struct span content_type; /* without parameters */
    struct span user_agent;
    bool http11;
    bool keep;             /* the connection may take another request */
    bool expects_continue; /* waits for "100 Continue" before it sends the body */
    bool chunked;
    uint64_t length; /* of the body, unless chunked */
};

/* Reads a whole head; the spans point into it. Gives 0, or the status to refuse the request with,
 * after which the connection cannot be kept. */
int http1_head_parse(struct span bytes, struct http1_head *ret_head) MUST_USE;

/* A chunked body (RFC 9112 section 7.1) as it comes in. All zero at first. */
struct http1_chunks {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILERS } state;
    uint64_t left;       /* of the chunk's data */
    size_t trailers_len; /* so far; they are dropped */
};

/* Moves what it can from `input` to `body`; HTTP1_WHOLE when the last chunk is through. */
enum http1_found http1_chunks_take(struct http1_chunks *chunks, struct span *input,
                                   struct buf *body, size_t body_limit) MUST_USE;

#endif
