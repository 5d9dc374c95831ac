/* Public keys of issuers, decoded once: thousands of leaves come from one intermediate, and OpenSSL
 * takes longer to decode a key (100 us) than to verify a signature with it. An ECDSA key that is
 * used often gets its table (see crypto/ecdsa.h). */
#ifndef CERTMILL_CRYPTO_ISSUER_KEYS_H
#define CERTMILL_CRYPTO_ISSUER_KEYS_H

#include "crypto/context.h"
#include "crypto/ecdsa.h"

struct issuer_keys;
struct issuer_key;

struct issuer_keys *issuer_keys_new(void); /* NULL without memory */
void issuer_keys_free(struct issuer_keys *keys);

/* The key of a SubjectPublicKeyInfo; the caller gives it back with issuer_keys_put. NULL when it
 * cannot be decoded. Any thread. */
struct issuer_key *issuer_keys_get(const struct crypto_context *context, struct span public_key);

/* Gives back what issuer_keys_get gave (NULL is allowed). */
void issuer_keys_put(const struct crypto_context *context, struct issuer_key *key);

EVP_PKEY *issuer_key_pkey(const struct issuer_key *key); /* borrowed */

/* The table for verifying, when the key is an ECDSA key that pays for one, else NULL. The use that
 * makes it worth the time makes it. */
const struct ecdsa_verifier *issuer_key_verifier(const struct crypto_context *context,
                                                 struct issuer_key *key);

/* Whether the key was found to have signed the certificate with this SHA-256 before: issuers'
 * certificates are the same in every chain. */
#define ISSUER_DIGEST 32
bool issuer_key_has_signed(const struct crypto_context *context, const struct issuer_key *key,
                           const unsigned char *digest);
void issuer_key_note_signed(const struct crypto_context *context, struct issuer_key *key,
                            const unsigned char *digest);

#endif
