/* A signed structure: SEQUENCE { to be signed, AlgorithmIdentifier, BIT STRING }, as PKCS#10 (RFC
 * 2986 section 4.2) and X.509 (RFC 5280 section 4.1) have it. */
#ifndef CERTMILL_CRYPTO_SIGNED_DER_H
#define CERTMILL_CRYPTO_SIGNED_DER_H

#include "crypto/key.h"

/* The AlgorithmIdentifier that keys of this kind sign with: DER, static. */
struct span signed_der_algorithm(struct key_spec spec);

/* Signs `info` and appends the whole to *der, which keeps what it held when it fails. `what` is
 * named in errors: "the certificate request". */
bool signed_der_append(const struct crypto_context *context, EVP_PKEY *key, struct key_spec spec,
                       struct span info, const char *what, struct buf *der,
                       struct error *error) MUST_USE;

#endif
