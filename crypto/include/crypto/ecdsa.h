/* Verifying many ECDSA signatures of one public key. EVP looks at the key anew for each; here
 * multiples of its point are computed once, as libcrypto has them for the curve's generator, so
 * that a P-256 signature takes 28 us instead of 57, and a P-384 one 200 us instead of 470. */
#ifndef CERTMILL_CRYPTO_ECDSA_H
#define CERTMILL_CRYPTO_ECDSA_H

#include "crypto/key.h"

/* Immutable, so that any number of threads may verify with it at once. */
struct ecdsa_verifier;

/* Making one takes 19 ms for P-256 and 2 ms for P-384. ERROR_CONFIG for other keys. It uses
 * libcrypto's own arithmetic and no provider: not for a context that prescribes one. The context
 * must outlive it. */
bool ecdsa_verifier_new(const struct crypto_context *context, EVP_PKEY *key,
                        struct ecdsa_verifier **ret_verifier, struct error *error) MUST_USE;
void ecdsa_verifier_free(struct ecdsa_verifier *verifier);

/* After how many signatures a verifier has won back the time of making it; 0: never. */
unsigned ecdsa_verifier_pays_after(struct key_spec spec);

/* FIPS 186-4 section 6.4: is (r, s), two unsigned big-endian numbers, the key's signature over what
 * has this hash? */
bool ecdsa_verify(const struct ecdsa_verifier *verifier, struct span hash, struct span r,
                  struct span s);

/* As ecdsa_verify, for the DER form of X.509: SEQUENCE { INTEGER r, INTEGER s } (RFC 3279 section
 * 2.2.3), strictly read. */
bool ecdsa_verify_der(const struct ecdsa_verifier *verifier, struct span hash,
                      struct span signature);

#endif
