/* What the files of crypto/ share of a context: algorithms fetched once, because OpenSSL 3.0 takes
 * locks to look one up by name. */
#ifndef CERTMILL_CRYPTO_CONTEXT_INTERNAL_H
#define CERTMILL_CRYPTO_CONTEXT_INTERNAL_H

#include "crypto/context.h"

struct issuer_keys;

/* All live as long as the context. */
const EVP_MD *crypto_sha256(const struct crypto_context *context);
/* "SHA256", "SHA384" or "SHA512"; NULL when the provider has none. */
const EVP_MD *crypto_digest(const struct crypto_context *context, const char *name);
EVP_MAC *crypto_hmac(const struct crypto_context *context);
struct issuer_keys *crypto_issuer_keys(const struct crypto_context *context);

/* The cores that this process may use, which in a container are fewer than the machine's. */
unsigned crypto_core_count(void);

/* Whether certmill's own ways make keys: any but CRYPTO_OPENSSL. */
enum crypto_way crypto_way(const struct crypto_context *context);
/* "ifma" or "portable"; NULL when OpenSSL makes RSA keys. */
const char *crypto_rsa_path(const struct crypto_context *context);

/* `len` bytes and a NUL on the secure heap, zeroed. ERROR_MEMORY says that the heap is full. */
bool secret_make(size_t len, struct secret *ret_secret, struct error *error) MUST_USE;

#endif
