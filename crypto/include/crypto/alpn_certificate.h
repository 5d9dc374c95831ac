/* What answers a tls-alpn-01 challenge: a validation certificate (RFC 8737 section 3), and the
 * server name under which the CA asks for it. */
#ifndef CERTMILL_CRYPTO_ALPN_CERTIFICATE_H
#define CERTMILL_CRYPTO_ALPN_CERTIFICATE_H

#include "crypto/key.h"

#include <stdint.h>

#define ALPN_CERTIFICATE_MAX 1024

/* Appends the DER of a self-signed certificate for the identifier (a host name in lower-case
 * A-labels or an IP address): the only name is that, and the critical extension acmeIdentifier
 * holds the SHA-256 of the key authorization. `key` is an ECDSA key, for this use alone. Valid from
 * a day before `now` (unix seconds) for a week. */
bool alpn_certificate_make(const struct crypto_context *context, EVP_PKEY *key,
                           const char *identifier, struct span key_authorization, int64_t now,
                           struct buf *der, struct error *error) MUST_USE;

#define ALPN_SERVER_NAME_MAX 256
/* Writes into `name` of ALPN_SERVER_NAME_MAX bytes: a host name itself; of an address the name of
 * its reverse mapping, "1.2.0.192.in-addr.arpa" (RFC 8738 section 6). False when the identifier is
 * neither. */
bool alpn_server_name(const char *identifier, char *name, struct error *error) MUST_USE;

#endif
