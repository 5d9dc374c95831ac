/* A small HTTP server on its own thread that answers http-01 challenges (RFC 8555 section 8.3):
 * GET /.well-known/acme-challenge/TOKEN with the key authorization, 404 for everything else. */
#ifndef CERTMILL_IO_RESPONDER_H
#define CERTMILL_IO_RESPONDER_H

#include "base/span.h"

struct responder;

#define RESPONDER_TOKEN_MAX  256
#define RESPONDER_ANSWER_MAX 1024
#define RESPONDER_TOKENS_MAX ((size_t)1 << 20)

/* Listens on "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT" (all addresses, both families); port 0
 * takes a free one. The address is numeric. The error (ERROR_CONFIG) says what to do about a port
 * in use or a missing permission. */
bool responder_new(const char *listen, struct responder **ret_responder,
                   struct error *error) MUST_USE;
void responder_free(struct responder *responder);
int responder_port(const struct responder *responder);

/* The same with other limits; 0 is the default. */
struct responder_limits {
    unsigned connections;     /* open at once: 1024; one more ends the one that waits longest */
    unsigned idle_timeout_ms; /* for a whole request to come: 10 s */
};
bool responder_new_limited(const char *listen, const struct responder_limits *limits,
                           struct responder **ret_responder, struct error *error) MUST_USE;

/* Any thread. Copies both. Answers from the moment the call returns. A token put twice has the
 * later answer, and must be removed twice (two authorizations may share it). False without memory,
 * or when one of the ceilings above is passed, or when the token is no base64url. */
bool responder_put(struct responder *responder, struct span token, struct span answer) MUST_USE;
void responder_remove(struct responder *responder, struct span token);

#endif
