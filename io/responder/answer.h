/* HTTP/1 as far as http-01 needs it: one request head in, one answer out. Pure. */
#ifndef CERTMILL_RESPONDER_ANSWER_H
#define CERTMILL_RESPONDER_ANSWER_H

#include "responder/tokens.h"

#define REQUEST_HEAD_MAX ((size_t)8 * 1024)
#define ANSWER_MAX       ((size_t)2 * 1024)

/* The length of the request head at the front, blank line included; 0 when it is not complete. */
size_t request_head_len(struct span bytes);

/* Writes the whole answer to the request head into `answer` of ANSWER_MAX bytes. */
struct answer {
    size_t len;
    bool keep; /* the connection may take another request */
};
struct answer answer_write(struct span head, struct tokens *tokens, char *answer);

/* The answer to a head that is larger than REQUEST_HEAD_MAX. */
struct answer answer_too_large(char *answer);

#endif
