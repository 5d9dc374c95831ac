/* The context of the targets that fuzz crypto/. */
#ifndef CERTMILL_FUZZ_CRYPTO_H
#define CERTMILL_FUZZ_CRYPTO_H

#include "fuzz.h"

#include "crypto/context.h"

#include <openssl/rand.h>
#include <sanitizer/lsan_interface.h>

/* Lives as long as the program. OpenSSL makes its random generators when they are first asked, and
 * keeps the only pointers to them on the secure heap, where the leak sanitizer does not look: they
 * are made here, where it is told to look away. */
static inline struct crypto_context *fuzz_context(void)
{
    struct crypto_context *context;
    struct error error;
    unsigned char byte;
    __lsan_disable();
    REQUIRE(crypto_context_new(&(struct crypto_options){0}, &context, &error));
    REQUIRE(RAND_bytes_ex(crypto_library(context), &byte, 1, 0) == 1);
    REQUIRE(RAND_priv_bytes_ex(crypto_library(context), &byte, 1, 0) == 1);
    /* crypto/ecdsa multiplies points without a context, and libcrypto blinds them at random. */
    REQUIRE(RAND_priv_bytes_ex(NULL, &byte, 1, 0) == 1);
    __lsan_enable();
    return context;
}

#endif
