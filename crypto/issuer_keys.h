/* Public keys of issuers, decoded once: thousands of leaves come from one intermediate, and OpenSSL
 * takes longer to decode a key (100 us) than to verify a signature with it. */
#ifndef CERTMILL_CRYPTO_ISSUER_KEYS_H
#define CERTMILL_CRYPTO_ISSUER_KEYS_H

#include "crypto/context.h"

struct issuer_keys;

struct issuer_keys *issuer_keys_new(void); /* NULL without memory */
void issuer_keys_free(struct issuer_keys *keys);

/* The key of a SubjectPublicKeyInfo; the caller frees it with EVP_PKEY_free. NULL when it cannot be
 * decoded. Any thread. */
EVP_PKEY *issuer_keys_get(const struct crypto_context *context, struct span public_key);

#endif
