/* Nonces (RFC 8555 section 6.5) without a list of them, as boulder makes them: a nonce is its
 * number and its time, encrypted; one bit a number says whether it was used. */
#ifndef CERTMILL_CA_ACME_NONCES_H
#define CERTMILL_CA_ACME_NONCES_H

#include "base/span.h"

#include <openssl/types.h>

struct ca_nonces;

#define CA_NONCE_TEXT 23 /* base64url of 16 bytes, and a NUL */
#define CA_NONCE_KEY  16

/* `key` has CA_NONCE_KEY bytes. A nonce dies after `life_s`, and when 2^27 newer ones were made. */
bool ca_nonces_new(const unsigned char *key, OSSL_LIB_CTX *library, int64_t life_s,
                   struct ca_nonces **ret_nonces, struct error *error) MUST_USE;
void ca_nonces_free(struct ca_nonces *nonces);

/* Any thread. `text` has CA_NONCE_TEXT bytes. */
bool ca_nonce_make(struct ca_nonces *nonces, int64_t now, char *text) MUST_USE;
/* Any thread: true once for each that was made. */
bool ca_nonce_use(struct ca_nonces *nonces, struct span text, int64_t now) MUST_USE;

uint64_t ca_nonces_made(struct ca_nonces *nonces);

#endif
