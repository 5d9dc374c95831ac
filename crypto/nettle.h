/* P-384 by nettle. OpenSSL before 3.2 has no arithmetic of its own for this curve: a key takes it
 * 0.6 ms, and a signature as much; nettle 0.1 ms, in constant time too. */
#ifndef CERTMILL_CRYPTO_NETTLE_H
#define CERTMILL_CRYPTO_NETTLE_H

#include "crypto/key.h"

/* Whether such keys are better made, and used, by nettle in this context. */
bool nettle_is_better(const struct crypto_context *context, struct key_spec spec);

/* Makes a key, for OpenSSL; `maker` is ready for EVP_PKEY_fromdata. */
bool nettle_key_make(const struct crypto_context *context, struct key_spec spec,
                     EVP_PKEY_CTX *maker, EVP_PKEY **ret_key, struct error *error) MUST_USE;

/* Signs `info` as the key's kind does (signature_algorithm_of): DER of at most *len bytes into
 * `signature`. False, without an error, when the key's provider does not give its private number
 * away or there is no memory: OpenSSL may be able to. */
bool nettle_sign(const struct crypto_context *context, const EVP_PKEY *key, struct key_spec spec,
                 struct span info, unsigned char *signature, size_t *len) MUST_USE;

#endif
