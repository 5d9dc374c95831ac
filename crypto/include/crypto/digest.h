/* SHA-256 and HMAC-SHA-256 for signed requests of other protocols than ACME, which have no crypto
 * context at hand. The algorithms are OpenSSL's own (its default library context, as libcurl uses
 * it for TLS), looked up once in the process. Any thread. */
#ifndef CERTMILL_CRYPTO_DIGEST_H
#define CERTMILL_CRYPTO_DIGEST_H

#include "base/span.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with the final NUL */

bool digest_sha256(struct span bytes, unsigned char digest[static SHA256_SIZE],
                   struct error *error) MUST_USE;
/* The same in lower-case hex. */
bool digest_sha256_hex(struct span bytes, char hex[static SHA256_HEX_SIZE],
                       struct error *error) MUST_USE;
bool digest_hmac_sha256(struct span key, struct span bytes, unsigned char mac[static SHA256_SIZE],
                        struct error *error) MUST_USE;

void digest_hex(const unsigned char *bytes, size_t len, char *hex); /* 2 * len + 1 bytes */

#endif
