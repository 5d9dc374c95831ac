/* OpenSSL as certmill uses it: one library context with chosen providers, algorithms fetched once,
 * and the secure heap. Everything in crypto/ takes this context; nothing uses OpenSSL's default
 * one. */
#ifndef CERTMILL_CRYPTO_CONTEXT_H
#define CERTMILL_CRYPTO_CONTEXT_H

#include "base/buf.h"

#include <openssl/types.h>

struct crypto_context;

struct crypto_options {
    const char *const *providers; /* names to load, NULL-terminated; NULL: "default" */
    const char *property_query;   /* such as "fips=yes" or "?provider=pkcs11"; NULL: none */
    const char *openssl_config;   /* an openssl.cnf to load into the context; NULL: none */
    size_t secure_heap_bytes;     /* 0: a default that fits the locked memory limit */
};

/* Makes the context; the caller frees it with crypto_context_free after everything made from it.
 * ERROR_CONFIG when a provider or the configuration does not load, with OpenSSL's own words. */
bool crypto_context_new(const struct crypto_options *options, struct crypto_context **ret_context,
                        struct error *error) MUST_USE;
void crypto_context_free(struct crypto_context *context);

OSSL_LIB_CTX *crypto_library(const struct crypto_context *context);
const char *crypto_properties(const struct crypto_context *context); /* may be NULL */

/* Sets the error from OpenSSL's error queue of this thread, empties the queue, returns false. */
bool crypto_error(struct error *error, const char *what);

/* Bytes on OpenSSL's secure heap: a PEM private key. Freed (and wiped) by secret_free. */
struct secret {
    char *data; /* ends in a NUL that len does not count */
    size_t len;
};
bool secret_copy(struct span bytes, struct secret *ret_secret) MUST_USE;
void secret_free(struct secret *secret);
struct span secret_span(const struct secret *secret);

#endif
