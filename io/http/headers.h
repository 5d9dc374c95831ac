/* The header lines of an answer: only the wanted ones are kept, each below a ceiling. */
#ifndef CERTMILL_HTTP_HEADERS_H
#define CERTMILL_HTTP_HEADERS_H

#include "io/http.h"

#define HTTP_HEADER_LINE_MAX ((size_t)8 * 1024)
#define HTTP_HEADERS_MAX     ((size_t)64 * 1024)

enum header_field {
    HEADER_CONTENT_TYPE,
    HEADER_LOCATION,
    HEADER_RETRY_AFTER,
    HEADER_REPLAY_NONCE,
    HEADER_DATE,
    HEADER_ETAG,
    HEADER_AMZN_REQUEST_ID,
    HEADER_AMZ_REQUEST_ID,
    HEADER_AMZN_ERROR_TYPE,
    HEADER_AMZ_BUCKET_REGION,
    HEADER_FIELDS,
};

struct header_value {
    size_t offset; /* into `text`, which moves as it grows */
    size_t len;
    bool there;
};

struct headers {
    struct buf text;
    struct header_value values[HEADER_FIELDS];
    struct header_value links[HTTP_LINKS_MAX]; /* whole Link lines */
    size_t link_count;
    struct header_value *last; /* for folded lines; NULL: the last line was not wanted */
    size_t total;              /* bytes of all header lines, interim answers and trailers too */
    bool ended;                /* the blank line came: what follows is a new answer or trailers */
    bool http2;
};

void headers_init(struct headers *headers);
void headers_free(struct headers *headers);
void headers_reset(struct headers *headers); /* for the next answer; keeps the memory */

/* Takes one line as it came, line end included. False when a ceiling is passed. Of a header that
 * comes twice the first counts; one with control characters or a folded one counts as absent. */
bool headers_take(struct headers *headers, struct span line) MUST_USE;

/* Fills the response's header fields; they live as long as the headers are not changed. */
void headers_give(const struct headers *headers, struct http_response *response);

#endif
