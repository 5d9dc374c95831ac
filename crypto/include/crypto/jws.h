/* JSON Web Signatures as ACME uses them: flattened JSON serialization (RFC 8555 section 6.2),
 * ES256, ES384 and RS256 (RFC 7518), JWK thumbprints (RFC 7638), external account binding with
 * HS256 (RFC 8555 section 7.3.4). */
#ifndef CERTMILL_CRYPTO_JWS_H
#define CERTMILL_CRYPTO_JWS_H

#include "crypto/key.h"

#define JWS_MAX ((size_t)256 * 1024)

/* A key prepared for signing: algorithm fetched, JWK and thumbprint made. Immutable, so that any
 * number of threads may sign with it at once. */
struct jws_signer;

/* Takes its own reference on the key; the context must outlive the signer. ECDSA P-256 signs ES256,
 * P-384 ES384, RSA RS256. */
bool jws_signer_new(const struct crypto_context *context, EVP_PKEY *key,
                    struct jws_signer **ret_signer, struct error *error) MUST_USE;
void jws_signer_free(struct jws_signer *signer);

const char *jws_signer_algorithm(const struct jws_signer *signer);  /* "ES256" */
const char *jws_signer_jwk(const struct jws_signer *signer);        /* canonical JSON, RFC 7638 */
const char *jws_signer_thumbprint(const struct jws_signer *signer); /* base64url SHA-256 */

struct jws_header {
    const char *url;
    const char *nonce; /* NULL leaves it out (the inner JWS of a key change) */
    const char *kid;   /* the account's URL; NULL puts the JWK in its place */
};

/* Appends the signed JWS of the payload to *out. An empty payload is POST-as-GET (section 6.3). */
bool jws_sign(const struct jws_signer *signer, const struct jws_header *header, struct span payload,
              struct buf *out, struct error *error) MUST_USE;

/* Appends the externalAccountBinding object: HS256 by `hmac_key` (raw bytes) over the signer's JWK,
 * for the newAccount URL. */
bool jws_external_binding(const struct jws_signer *signer, const char *new_account_url,
                          const char *key_id, struct span hmac_key, struct buf *out,
                          struct error *error) MUST_USE;

/* Appends "token.thumbprint", the key authorization (RFC 8555 section 8.1). */
bool jws_key_authorization(const struct jws_signer *signer, struct span token,
                           struct buf *out) MUST_USE;

/* Appends base64url(SHA-256(text)): a dns-01 TXT value from a key authorization (section 8.4). */
bool jws_dns_value(const struct crypto_context *context, struct span key_authorization,
                   struct buf *out, struct error *error) MUST_USE;

#endif
