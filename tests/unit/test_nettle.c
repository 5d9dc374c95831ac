/* crypto/nettle: keys and signatures on P-384, by OpenSSL's judgement. */
#include "pki.h"

#include "nettle.h"
#include "random.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>

static const struct key_spec p384 = {KEY_ECDSA, 384};

static void key_checks(const struct crypto_context *context, EVP_PKEY *key)
{
    struct key_spec spec;
    EVP_PKEY_CTX *checker = EVP_PKEY_CTX_new_from_pkey(crypto_library(context), key, NULL);
    CHECK(checker != NULL && EVP_PKEY_check(checker) == 1);
    CHECK(key_spec_of(key, &spec) && key_spec_equal(spec, p384));
    EVP_PKEY_CTX_free(checker);
}

static bool verifies(const struct crypto_context *context, EVP_PKEY *key, struct span info,
                     struct span signature)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    CHECK(EVP_DigestVerifyInit_ex(md, NULL, "SHA384", crypto_library(context), NULL, key, NULL) ==
          1);
    bool ok = EVP_DigestVerify(md, (const unsigned char *)signature.data, signature.len,
                               (const unsigned char *)info.data, info.len) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return ok;
}

static void signs(const struct crypto_context *context, EVP_PKEY *key)
{
    unsigned char text[200];
    unsigned char signatures[2][128];
    size_t lens[2];
    size_t len = random_below(sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)random_below(256);
    struct span info = span_make(text, len);
    for (size_t i = 0; i < 2; i++) {
        lens[i] = sizeof signatures[i];
        CHECK(nettle_sign(context, key, p384, info, signatures[i], &lens[i]));
        CHECK(verifies(context, key, info, span_make(signatures[i], lens[i])));
    }
    /* Never the same random number twice. */
    CHECK(!span_equal(span_make(signatures[0], lens[0]), span_make(signatures[1], lens[1])));
    text[len / 2] ^= 1;
    CHECK(len == 0 || !verifies(context, key, info, span_make(signatures[0], lens[0])));
}

static void keys_and_signatures_are_good(void)
{
    struct crypto_context *context = pki_context();
    CHECK_TEXT(key_way(context, p384), "nettle");
    EVP_PKEY *before = NULL;
    for (int i = 0; i < 150; i++) {
        EVP_PKEY *key = pki_key(context, KEY_ECDSA, 384);
        key_checks(context, key);
        signs(context, key);
        CHECK(before == NULL || EVP_PKEY_eq(before, key) == 0);
        EVP_PKEY_free(before);
        before = key;
    }
    EVP_PKEY_free(before);
    CHECK_INT(ERR_peek_error(), 0);
    crypto_context_free(context);
}

/* The private number 1: most of its bytes are zeros. */
static void small_private_numbers_sign(void)
{
    struct crypto_context *context = pki_context();
    static const char pem[] = "-----BEGIN EC PRIVATE KEY-----\n"
                              "MD4CAQEEMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                              "AAAAAAAAAaAHBgUrgQQAIg==\n"
                              "-----END EC PRIVATE KEY-----\n";
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK_OK(key_from_pem(context, span_of(pem), &key, &error), error);
    for (int i = 0; i < 10; i++)
        signs(context, key);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void others_stay_openssls(void)
{
    struct crypto_context *context = pki_context();
    CHECK(!nettle_is_better(context, (struct key_spec){KEY_ECDSA, 256}));
    CHECK(!nettle_is_better(context, (struct key_spec){KEY_ECDSA, 521}));
    CHECK(!nettle_is_better(context, (struct key_spec){KEY_RSA, 2048}));
    /* Without a private number there is nothing to sign with. */
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 384);
    struct buf der;
    unsigned char signature[128];
    size_t len = sizeof signature;
    struct error error;
    buf_init(&der, 1024);
    CHECK_OK(key_public_der(key, &der, &error), error);
    const unsigned char *at = (const unsigned char *)der.data;
    EVP_PKEY *open = d2i_PUBKEY_ex(NULL, &at, (long)der.len, crypto_library(context), NULL);
    CHECK(open != NULL);
    CHECK(!nettle_sign(context, open, p384, buf_span(&der), signature, &len));
    CHECK_INT(ERR_peek_error(), 0);
    /* A signature needs room. */
    len = 90;
    CHECK(!nettle_sign(context, key, p384, buf_span(&der), signature, &len));
    buf_free(&der);
    EVP_PKEY_free(open);
    EVP_PKEY_free(key);
    crypto_context_free(context);
    CHECK_OK(crypto_context_new(&(struct crypto_options){.way = CRYPTO_OPENSSL}, &context, &error),
             error);
    CHECK_TEXT(key_way(context, p384), "openssl");
    crypto_context_free(context);
}

static void a_full_secure_heap_is_an_error(void)
{
    struct crypto_context *context = pki_context();
    struct crypto_secure_heap heap;
    EVP_PKEY_free(pki_key(context, KEY_ECDSA, 384)); /* seeds the random generator */
    crypto_secure_heap(&heap);
    size_t used = heap.used;
    static void *blocks[200000];
    size_t count = 0;
    for (size_t size = heap.bytes / 4; size >= 32; size /= 2)
        while (count < sizeof blocks / sizeof blocks[0] &&
               (blocks[count] = OPENSSL_secure_malloc(size)) != NULL)
            count++;
    ERR_clear_error();
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK(!key_generate(context, p384, &key, &error));
    CHECK_INT(error.kind, ERROR_MEMORY);
    CHECK(key == NULL);
    while (count > 0)
        OPENSSL_secure_free(blocks[--count]);
    key = pki_key(context, KEY_ECDSA, 384);
    EVP_PKEY_free(key);
    crypto_secure_heap(&heap);
    CHECK_INT(heap.used, used);
    crypto_context_free(context);
}

static void *thread_makes_keys(void *argument)
{
    const struct crypto_context *context = argument;
    for (int i = 0; i < 20; i++) {
        EVP_PKEY *key = pki_key(context, KEY_ECDSA, 384);
        unsigned char signature[128];
        size_t len = sizeof signature;
        CHECK(nettle_sign(context, key, p384, SPAN_LITERAL("x"), signature, &len));
        CHECK(verifies(context, key, SPAN_LITERAL("x"), span_make(signature, len)));
        EVP_PKEY_free(key);
    }
    return NULL;
}

static void threads_share_a_context(void)
{
    struct crypto_context *context = pki_context();
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, thread_makes_keys, context) == 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    crypto_context_free(context);
}

static const struct test tests[] = {
    TEST(keys_and_signatures_are_good), TEST(small_private_numbers_sign),
    TEST(others_stay_openssls),         TEST(a_full_secure_heap_is_an_error),
    TEST(threads_share_a_context),
};

int main(int argc, char **argv)
{
    struct crypto_context *context = pki_context();
    bool used = nettle_is_better(context, p384);
    crypto_context_free(context);
    if (!used) {
        puts("OpenSSL's own P-384 is good here, or this certmill is without nettle");
        return 0;
    }
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
