/* Public keys of issuers, decoded once: thousands of leaves come from one intermediate, and OpenSSL
 * takes longer to decode a key (100 us) than to verify a signature with it. */
#ifndef CERTMILL_CRYPTO_ISSUER_KEYS_H
#define CERTMILL_CRYPTO_ISSUER_KEYS_H

#include "crypto/context.h"

struct issuer_keys;

struct issuer_keys *issuer_keys_new(void); /* NULL without memory */
void issuer_keys_free(struct issuer_keys *keys);

/* The key of a SubjectPublicKeyInfo; the caller gives it back with issuer_keys_put. NULL when it
 * cannot be decoded. Any thread. */
EVP_PKEY *issuer_keys_get(const struct crypto_context *context, struct span public_key);

/* Gives back what issuer_keys_get gave (NULL is allowed). Under the lock, so that whoever frees a
 * key comes after its last reader also for tools that cannot see OpenSSL count references. */
void issuer_keys_put(const struct crypto_context *context, EVP_PKEY *key);

#endif
