/* Private keys: made, written as PKCS#8 PEM and read back. */
#ifndef CERTMILL_CRYPTO_KEY_H
#define CERTMILL_CRYPTO_KEY_H

#include "crypto/context.h"

enum key_type {
    KEY_RSA,
    KEY_ECDSA,
};

struct key_spec {
    enum key_type type;
    unsigned bits; /* RSA 2048, 3072, 4096; ECDSA 256, 384, 521 */
};

/* The sizes that key_generate makes. */
bool key_spec_is_valid(struct key_spec spec);
bool key_spec_equal(struct key_spec a, struct key_spec b);
/* "RSA-2048", "ECDSA-P256": a static string. "unknown" for a spec that is not valid. */
const char *key_spec_name(struct key_spec spec);

/* Makes a key; the caller frees it with EVP_PKEY_free. Thread-safe. RSA: e = 65537. */
bool key_generate(const struct crypto_context *context, struct key_spec spec, EVP_PKEY **ret_key,
                  struct error *error) MUST_USE;

/* Who makes such keys in this context: "ifma", "portable", "nettle" or "openssl". */
const char *key_way(const struct crypto_context *context, struct key_spec spec);

/* Unencrypted PKCS#8 PEM on the secure heap; free with secret_free. */
bool key_to_pem(const struct crypto_context *context, const EVP_PKEY *key, struct secret *ret_pem,
                struct error *error) MUST_USE;

/* Reads one unencrypted private key (PKCS#8, or the traditional RSA and EC forms) of at most 16
 * KiB. The error never quotes the text. */
bool key_from_pem(const struct crypto_context *context, struct span pem, EVP_PKEY **ret_key,
                  struct error *error) MUST_USE;

/* What kind of key it is; false for a kind certmill does not make. */
bool key_spec_of(const EVP_PKEY *key, struct key_spec *ret_spec) MUST_USE;

/* Appends the DER of its SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
bool key_public_der(const EVP_PKEY *key, struct buf *der, struct error *error) MUST_USE;

void key_release(EVP_PKEY **key); /* for CLEANUP */

#endif
