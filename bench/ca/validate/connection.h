/* One TCP connection of the validator, plain or TLS: connects, shakes hands, sends what there is to
 * send and reads an HTTP answer. Kept alive when the server keeps it. */
#ifndef CERTMILL_CA_VALIDATE_CONNECTION_H
#define CERTMILL_CA_VALIDATE_CONNECTION_H

#include "base/buf.h"
#include "http_answer.h"
#include "io/resolver.h"

#include <openssl/types.h>

struct check;
struct validator;

enum connection_phase {
    CONNECTION_CONNECTING,
    CONNECTION_SHAKING,
    CONNECTION_SENDING,
    CONNECTION_READING,
    CONNECTION_IDLE,
};

struct connection {
    struct validator *validator;
    struct connection *next, *previous;
    struct check *check; /* NULL: idle */
    enum connection_phase phase;
    struct place place; /* with the port */
    int fd;
    uint32_t events; /* that the loop waits for */
    SSL *ssl;        /* NULL: plain */
    bool reused;     /* it has served another check: that the server closed it says nothing */
    bool ended;      /* the server has closed its side */
    struct buf out, in;
    size_t sent;
};

/* For the check: an idle connection to the place when `tls` is NULL, or a new one. Then sends what
 * the caller put in `out`, after connection_start. False when the system has no socket; the error
 * says why. */
bool connection_open(struct check *check, const struct place *place, SSL_CTX *tls,
                     const char *server_name, struct connection **ret_connection,
                     struct error *error) MUST_USE;

/* Goes on as far as it can now: may end the check. */
void connection_start(struct connection *connection);

/* Closes it, or keeps it for the next check when `keep`. The check has none any more. */
void connection_release(struct connection *connection, bool keep);
void connection_close(struct connection *connection);

#endif
