/* Certificate signing requests (PKCS#10, RFC 2986) as RFC 8555 section 7.4 wants them. */
#ifndef CERTMILL_CRYPTO_CSR_H
#define CERTMILL_CRYPTO_CSR_H

#include "crypto/key.h"

#define CSR_NAMES_MAX       1000
#define CSR_COMMON_NAME_MAX 64 /* RFC 5280, upper bound of a common name */

/* Makes a DER CSR for the names: lower-case A-labels, wildcards, or IP addresses in text form (they
 * become iPAddress names, RFC 8738). The common name is the first DNS name that fits 64 bytes, and
 * is left out when none does. Appends the DER to *der. */
bool csr_make(const struct crypto_context *context, EVP_PKEY *key, const char *const *names,
              size_t count, struct buf *der, struct error *error) MUST_USE;

#endif
