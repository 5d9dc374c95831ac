/* The responder's listening socket. */
#ifndef CERTMILL_RESPONDER_LISTEN_H
#define CERTMILL_RESPONDER_LISTEN_H

#include "base/span.h"

/* See responder_new. The socket is non-blocking. */
/* `hint`: what else can be done when the port cannot be had. */
bool listen_open(const char *address, const char *hint, int *ret_fd, int *ret_port,
                 struct error *error) MUST_USE;

#endif
