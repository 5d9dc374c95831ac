/* A small TLS server on its own thread that answers tls-alpn-01 challenges (RFC 8737): it speaks
 * acme-tls/1 alone, shows the certificate of the server name that it is asked for, and closes. */
#ifndef CERTMILL_IO_ALPN_RESPONDER_H
#define CERTMILL_IO_ALPN_RESPONDER_H

#include "io/responder.h"

#include <openssl/types.h>

struct alpn_responder;

struct alpn_responder_options {
    const char *listen; /* as for responder_new */
    struct responder_limits limits;
    EVP_PKEY *key; /* of all the certificates; the responder takes a reference */
    /* Where the key is from; the library context outlives the responder. NULL: the default. */
    OSSL_LIB_CTX *library;
    const char *properties;
};

bool alpn_responder_new(const struct alpn_responder_options *options,
                        struct alpn_responder **ret_responder, struct error *error) MUST_USE;
void alpn_responder_free(struct alpn_responder *responder);
int alpn_responder_port(const struct alpn_responder *responder);

/* Any thread. Copies both: the server name without regard to case, and the certificate as DER.
 * Shown from the moment the call returns. A name put twice has the later certificate, and must be
 * removed twice. False without memory, or past the ceilings of io/responder.h. */
bool alpn_responder_put(struct alpn_responder *responder, struct span server_name,
                        struct span certificate) MUST_USE;
void alpn_responder_remove(struct alpn_responder *responder, struct span server_name);

#endif
