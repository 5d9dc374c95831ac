/* crypto/key: private keys in files. An input without PEM in it is taken for DER and given each
 * label of a private key. */
#include "crypto.h"

#include "crypto/key.h"
#include "pem.h"

#include <openssl/evp.h>
#include <string.h>

static struct crypto_context *context;

void fuzz_prepare(void)
{
    context = fuzz_context();
}

/* What is written is read back as the same key. */
static void key_is_written(const EVP_PKEY *key)
{
    struct secret pem = {0};
    EVP_PKEY *again = NULL;
    struct error error = {0};
    if (!key_to_pem(context, key, &pem, &error)) {
        fuzz_require_error(&error);
        return;
    }
    REQUIRE(key_from_pem(context, secret_span(&pem), &again, &error));
    REQUIRE(EVP_PKEY_eq(key, again) == 1);
    key_release(&again);
    secret_free(&pem);
}

static void read_key(struct span pem)
{
    struct buf der CLEANUP(buf_free);
    EVP_PKEY *key = NULL;
    struct key_spec spec;
    struct error error = {0};
    buf_init(&der, (size_t)64 * 1024);
    if (!key_from_pem(context, pem, &key, &error)) {
        REQUIRE(key == NULL);
        fuzz_require_error(&error);
        return;
    }
    if (key_spec_of(key, &spec)) {
        REQUIRE(key_spec_is_valid(spec));
        key_is_written(key);
        if (!key_public_der(key, &der, &error))
            fuzz_require_error(&error);
    }
    key_release(&key);
}

void fuzz_input(struct span input)
{
    static const char *const labels[] = {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"};
    if (input.len == 0 || memmem(input.data, input.len, "-----BEGIN ", 11) != NULL) {
        read_key(input);
        return;
    }
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        struct buf pem CLEANUP(buf_free);
        buf_init_secret(&pem, (size_t)64 * 1024);
        if (pem_append(&pem, labels[i], input))
            read_key(buf_span(&pem));
    }
}
