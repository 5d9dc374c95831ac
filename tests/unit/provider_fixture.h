/* What the tests of crypto/provider share: a library context with it, keys, and what they must do.
 */
#ifndef CERTMILL_TEST_PROVIDER_FIXTURE_H
#define CERTMILL_TEST_PROVIDER_FIXTURE_H

#include "pki.h"

#include "provider/provider.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <pthread.h>

static const char *const paths[] = {"ifma", "portable"};

#define PATHS (sizeof paths / sizeof paths[0])

static inline bool can_go(size_t path)
{
    return path != 0 || rsa_path_available(RSA_PATH_IFMA);
}

/* A library context with OpenSSL's provider and this one, and their order; `name` of this one. */
struct library {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *providers[2];
};

static inline struct library library_new(bool own_first)
{
    struct library library = {.context = OSSL_LIB_CTX_new()};
    static const char *const names[] = {"default", PROVIDER_NAME};
    CHECK(library.context != NULL);
    CHECK(OSSL_PROVIDER_add_builtin(library.context, PROVIDER_NAME, certmill_provider_init) == 1);
    for (size_t i = 0; i < 2; i++) {
        library.providers[i] = OSSL_PROVIDER_load(library.context, names[own_first ? 1 - i : i]);
        CHECK(library.providers[i] != NULL);
    }
    return library;
}

static inline void library_free(struct library *library)
{
    OSSL_PROVIDER_unload(library->providers[1]);
    OSSL_PROVIDER_unload(library->providers[0]);
    OSSL_LIB_CTX_free(library->context);
}

static inline EVP_PKEY_CTX *maker_new(OSSL_LIB_CTX *library, const char *query, unsigned bits)
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(library, "RSA", query);
    CHECK(maker != NULL && EVP_PKEY_keygen_init(maker) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(maker, (int)bits) == 1);
    return maker;
}

static inline EVP_PKEY *key_make(EVP_PKEY_CTX *maker)
{
    EVP_PKEY *key = NULL;
    CHECK_INT(EVP_PKEY_generate(maker, &key), 1);
    return key;
}

static inline EVP_PKEY *key_of(OSSL_LIB_CTX *library, unsigned bits)
{
    EVP_PKEY_CTX *maker = maker_new(library, PROVIDER_PROPERTIES, bits);
    EVP_PKEY *key = key_make(maker);
    EVP_PKEY_CTX_free(maker);
    return key;
}

static inline const char *provider_of(const EVP_PKEY *key)
{
    return OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key));
}

static inline void check_passes(OSSL_LIB_CTX *library, EVP_PKEY *key)
{
    EVP_PKEY_CTX *checker = EVP_PKEY_CTX_new_from_pkey(library, key, NULL);
    CHECK(checker != NULL);
    CHECK_INT(EVP_PKEY_check(checker), 1);
    EVP_PKEY_CTX_free(checker);
}

static inline void all_checks_pass(OSSL_LIB_CTX *library, EVP_PKEY *key)
{
    EVP_PKEY_CTX *checker = EVP_PKEY_CTX_new_from_pkey(library, key, NULL);
    CHECK(checker != NULL);
    CHECK_INT(EVP_PKEY_public_check(checker), 1);
    CHECK_INT(EVP_PKEY_public_check_quick(checker), 1);
    CHECK_INT(EVP_PKEY_private_check(checker), 1);
    CHECK_INT(EVP_PKEY_pairwise_check(checker), 1);
    CHECK_INT(EVP_PKEY_param_check(checker), 1);
    EVP_PKEY_CTX_free(checker);
}

static inline void signs(OSSL_LIB_CTX *library, EVP_PKEY *key, EVP_PKEY *verifying, int padding)
{
    static const unsigned char text[] = "to be signed";
    unsigned char signature[512];
    size_t len = sizeof signature;
    EVP_PKEY_CTX *user;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit_ex(md, &user, "SHA384", library, NULL, key, NULL) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_padding(user, padding) == 1);
    CHECK(EVP_DigestSign(md, signature, &len, text, sizeof text) == 1);
    EVP_MD_CTX_reset(md);
    CHECK(EVP_DigestVerifyInit_ex(md, &user, "SHA384", library, NULL, verifying, NULL) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_padding(user, padding) == 1);
    CHECK_INT(EVP_DigestVerify(md, signature, len, text, sizeof text), 1);
    signature[len / 2] ^= 1;
    CHECK(EVP_DigestVerify(md, signature, len, text, sizeof text) != 1);
    EVP_MD_CTX_free(md);
    ERR_clear_error();
}

#endif
