/* Makes many keys one after another on one thread: OpenSSL builds the curve anew for every context,
 * which takes as long as making a P-256 key (10 us). */
#ifndef CERTMILL_CRYPTO_KEY_MAKER_H
#define CERTMILL_CRYPTO_KEY_MAKER_H

#include "crypto/key.h"

#include <stdatomic.h>

/* Starts as {0}, or with `stopping`. Not to be shared among threads, and not to be moved. */
struct key_maker {
    /* Once it is true, RSA keys are made no further: a generation that looks at it every few
     * milliseconds, OpenSSL's own too, ends as ERROR_CANCELLED. NULL: never. */
    const atomic_bool *stopping;
    EVP_PKEY_CTX *ready; /* for `spec`, or NULL */
    struct key_spec spec;
    bool by_nettle;
};

/* As key_generate, and ERROR_CANCELLED. */
bool key_maker_generate(struct key_maker *maker, const struct crypto_context *context,
                        struct key_spec spec, EVP_PKEY **ret_key, struct error *error) MUST_USE;
void key_maker_free(struct key_maker *maker);

#endif
