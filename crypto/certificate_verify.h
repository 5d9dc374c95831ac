/* Is a certificate signed by another? */
#ifndef CERTMILL_CRYPTO_CERTIFICATE_VERIFY_H
#define CERTMILL_CRYPTO_CERTIFICATE_VERIFY_H

#include "certificate_der.h"

/* True when the issuer's name is the one that the certificate (`der`, with its parts) names as its
 * issuer, and the issuer's key made its signature. `remember`: what is found is kept, for a
 * certificate that comes in many chains (an issuer's). */
bool certificate_is_signed_by(const struct crypto_context *context, struct span der,
                              const struct certificate_parts *certificate,
                              const struct certificate_parts *issuer, bool remember);

/* The same for a revocation list (`der`): of its parts the issuer, what is signed, the algorithm
 * and the signature are looked at. */
bool crl_is_signed_by(const struct crypto_context *context, struct span der,
                      const struct certificate_parts *list, const struct certificate_parts *issuer);

#endif
