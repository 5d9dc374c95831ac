/* A small HTTP server on its own thread that answers http-01 challenges (RFC 8555 section 8.3):
 * GET /.well-known/acme-challenge/TOKEN with the key authorization, 404 for everything else. */
#ifndef CERTMILL_IO_RESPONDER_H
#define CERTMILL_IO_RESPONDER_H

#include "base/span.h"

struct responder;

/* Listens on "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT" (all addresses, both families); port 0
 * takes a free one. The error says what to do about a port in use or a missing permission. */
bool responder_new(const char *listen, struct responder **ret_responder,
                   struct error *error) MUST_USE;
void responder_free(struct responder *responder);
int responder_port(const struct responder *responder);

/* Any thread. Copies both. Answers from the moment the call returns. False without memory. */
bool responder_put(struct responder *responder, struct span token, struct span answer) MUST_USE;
void responder_remove(struct responder *responder, struct span token);

#endif
