/* Public keys of accounts: from a JWK (RFC 7517) to something that checks signatures. Immutable
 * but for its count and table, shared by threads, freed by the last that lets go. */
#ifndef CERTMILL_CA_ACME_ACCOUNT_KEY_H
#define CERTMILL_CA_ACME_ACCOUNT_KEY_H

#include "crypto/ecdsa.h"
#include "json_in.h"

#include <stdatomic.h>

#define CA_KEY_DIGEST 32

struct ca_algorithm;

struct ca_key {
    atomic_uint references;
    const struct ca_algorithm *algorithm;
    const struct crypto_context *context;
    EVP_PKEY *key;
    EVP_MD_CTX *ready; /* prepared to verify; copied for each signature */
    char *jwk;         /* canonical JSON, RFC 7638 section 3 */
    char thumbprint[44];
    unsigned char spki_digest[CA_KEY_DIGEST]; /* SHA-256 of the SubjectPublicKeyInfo */
    atomic_uint uses;
    unsigned uses_before_table;             /* 0: never has one */
    _Atomic(struct ecdsa_verifier *) table; /* once it has signed often enough */
};

/* NULL when it is not one of ES256, ES384, ES512, RS256 and EdDSA. */
const struct ca_algorithm *ca_algorithm_find(struct span name);
/* For a badSignatureAlgorithm problem's member: a JSON array. */
#define CA_ALGORITHMS "[\"ES256\",\"ES384\",\"ES512\",\"RS256\",\"EdDSA\"]"

/* The error says what is wrong with the key, for a badPublicKey problem. One reference. */
bool ca_key_read(const struct crypto_context *context, struct ca_json jwk, struct ca_key **ret_key,
                 struct error *error) MUST_USE;
void ca_key_take(struct ca_key *key);    /* one reference more */
void ca_key_release(struct ca_key *key); /* one less; NULL is allowed */

/* `input` is what was signed. Any thread. */
bool ca_key_verify(struct ca_key *key, struct span input, struct span signature) MUST_USE;

/* The digest that spki_digest holds, of another SubjectPublicKeyInfo. */
bool ca_spki_digest(const struct crypto_context *context, struct span spki,
                    unsigned char *digest) MUST_USE;

#endif
