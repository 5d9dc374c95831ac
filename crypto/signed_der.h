/* A signed structure: SEQUENCE { to be signed, AlgorithmIdentifier, BIT STRING }, as PKCS#10 (RFC
 * 2986 section 4.2) and X.509 (RFC 5280 section 4.1) have it. */
#ifndef CERTMILL_CRYPTO_SIGNED_DER_H
#define CERTMILL_CRYPTO_SIGNED_DER_H

#include "crypto/key.h"

struct signature_algorithm {
    struct span identifier; /* DER of its AlgorithmIdentifier */
    const char *digest;
    const char *key_type; /* "RSA" or "EC", as OpenSSL names them */
};

/* The signature algorithms that nearly every certificate has (RFC 8017, RFC 5758); NULL for any
 * other. Static. */
const struct signature_algorithm *signature_algorithm_find(struct span identifier);

/* The one that keys of this kind sign with. */
const struct signature_algorithm *signature_algorithm_of(struct key_spec spec);

/* Signs `info` and appends the whole to *der, which keeps what it held when it fails. `what` is
 * named in errors: "the certificate request". */
bool signed_der_append(const struct crypto_context *context, EVP_PKEY *key, struct key_spec spec,
                       struct span info, const char *what, struct buf *der,
                       struct error *error) MUST_USE;

/* The same with a signature that was made elsewhere. */
bool signed_der_join(struct span algorithm, struct span info, struct span signature,
                     const char *what, struct buf *der, struct error *error) MUST_USE;

#endif
