/* Answers of HTTP/1.1 servers (RFC 9112), as far as http-01 needs them: a status, a place to go on,
 * a short body. Pure. */
#ifndef CERTMILL_CA_VALIDATE_HTTP_ANSWER_H
#define CERTMILL_CA_VALIDATE_HTTP_ANSWER_H

#include "base/span.h"

#define HTTP_ANSWER_MAX ((size_t)16 * 1024) /* head and body */

enum http_answer_state {
    HTTP_ANSWER_MORE, /* not whole yet */
    HTTP_ANSWER_WHOLE,
    HTTP_ANSWER_BROKEN,
};

struct http_answer {
    int status;
    struct span location; /* {NULL, 0}: none */
    struct span body;
    bool keep; /* the connection serves another request */
};

/* Reads the answer at the start of the data. `ended`: the server has closed the connection. Moves
 * the chunks of a whole body together in place, so it is called no more once it gave
 * HTTP_ANSWER_WHOLE. */
enum http_answer_state http_answer_read(char *data, size_t len, bool ended,
                                        struct http_answer *ret_answer);

#endif
