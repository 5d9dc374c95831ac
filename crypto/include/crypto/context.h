/* OpenSSL as certmill uses it: one library context with chosen providers, algorithms fetched once,
 * and the secure heap. Everything in crypto/ takes this context; nothing uses OpenSSL's default
 * one. */
#ifndef CERTMILL_CRYPTO_CONTEXT_H
#define CERTMILL_CRYPTO_CONTEXT_H

#include "base/buf.h"

#include <openssl/types.h>

struct crypto_context;

/* Who makes keys. RSA keys come from the search of crypto/rsa by way of certmill's own OpenSSL
 * provider, with AVX-512 IFMA or without; P-384 keys and what they sign (requests, and ES384 of
 * accounts) from nettle where OpenSSL is older than 3.2, which takes five times as long. */
enum crypto_way {
    /* As the processor allows; as CRYPTO_OPENSSL when an OpenSSL configuration is given. */
    CRYPTO_AUTO,
    CRYPTO_IFMA,
    CRYPTO_PORTABLE,
    CRYPTO_OPENSSL, /* OpenSSL alone */
};
/* "auto", "ifma", "portable", "openssl" and NULL: the operator's words, in the enum's order. */
extern const char *const crypto_way_words[];

struct crypto_options {
    /* Providers or a property query that the operator names go first: then OpenSSL makes the keys
     * by them, as with CRYPTO_OPENSSL. */
    enum crypto_way way;
    /* Names to load, NULL-terminated. NULL: those that openssl_config activates, or "default"
     * without one. "certmill" is built in. */
    const char *const *providers;
    const char *property_query; /* such as "fips=yes" or "?provider=pkcs11"; NULL: none */
    const char *openssl_config; /* an openssl.cnf to load into the context; NULL: none */
    /* Rounded up to a power of two; 0: a default (4 MiB, and 256 KiB a core if that is more) that
     * fits the locked memory limit. The heap is the process's: the first context makes it, later
     * ones use it as it is. A P-256 key holds 32 bytes of it and its PEM 256; RSA-4096 2 KiB and
     * 4 KiB. */
    size_t secure_heap_bytes;
};

/* OpenSSL's secure heap, for a warning when its pages could not be locked (RLIMIT_MEMLOCK): they
 * might then be written to swap. */
struct crypto_secure_heap {
    size_t bytes; /* 0: not made yet */
    size_t used;
    bool locked;
};
void crypto_secure_heap(struct crypto_secure_heap *ret_heap);
/* Makes it, for who has secrets before a context; `bytes` as in struct crypto_options. */
bool crypto_secure_heap_make(size_t bytes, struct error *error) MUST_USE;

/* Makes the context; the caller frees it with crypto_context_free after everything made from it.
 * ERROR_CONFIG when a provider or the configuration does not load, with OpenSSL's own words. */
bool crypto_context_new(const struct crypto_options *options, struct crypto_context **ret_context,
                        struct error *error) MUST_USE;
void crypto_context_free(struct crypto_context *context);

OSSL_LIB_CTX *crypto_library(const struct crypto_context *context);
const char *crypto_properties(const struct crypto_context *context); /* may be NULL */

/* Sets the error from OpenSSL's error queue of this thread, empties the queue, returns false. */
bool crypto_error(struct error *error, const char *what);

/* Bytes on OpenSSL's secure heap: a PEM private key. Freed (and wiped) by secret_free. Before the
 * first context is made there is no secure heap, and the bytes are on the ordinary one. */
struct secret {
    char *data; /* ends in a NUL that len does not count */
    size_t len;
};
/* False when the secure heap is full. */
bool secret_copy(struct span bytes, struct secret *ret_secret) MUST_USE;
void secret_free(struct secret *secret);
struct span secret_span(const struct secret *secret);

#endif
