#include "context_internal.h"
#include "key_der.h"
#include "key_maker.h"
#include "nettle.h"
#include "pem.h"
#include "provider/provider.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define KEY_PEM_MAX ((size_t)16 * 1024)

static const struct {
    unsigned bits;
    const char *group;
    const char *alias; /* as OpenSSL names it back */
} curves[] = {
    {256, "P-256", "prime256v1"}, {384, "P-384", "secp384r1"}, {521, "P-521", "secp521r1"}};

#define CURVES (sizeof curves / sizeof curves[0])

static bool key_prepare(EVP_PKEY_CTX *maker, const struct crypto_context *context,
                        struct key_spec spec)
{
    if (EVP_PKEY_keygen_init(maker) != 1)
        return false;
    if (spec.type == KEY_RSA) {
        const char *path = crypto_rsa_path(context);
        /* 65537 is OpenSSL's own default, but a provider may have another. */
        unsigned bits = spec.bits;
        unsigned exponent = 65537;
        OSSL_PARAM wanted[] = {OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &bits),
                               OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &exponent),
                               OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
        if (path != NULL)
            wanted[2] = OSSL_PARAM_construct_utf8_string(PROVIDER_PARAM_PATH, (char *)path, 0);
        return EVP_PKEY_CTX_set_params(maker, wanted) == 1;
    }
    for (size_t i = 0; i < CURVES; i++)
        if (curves[i].bits == spec.bits)
            return EVP_PKEY_CTX_set_group_name(maker, curves[i].group) == 1;
    return false;
}

static const char *key_properties(const struct crypto_context *context, struct key_spec spec)
{
    return spec.type == KEY_RSA && crypto_rsa_path(context) != NULL ? PROVIDER_PROPERTIES
                                                                    : crypto_properties(context);
}

static bool is_stopping(const struct key_maker *maker)
{
    return maker->stopping != NULL && atomic_load(maker->stopping);
}

/* OpenSSL calls it between two candidates; 0 ends the generation. */
static int generation_goes_on(EVP_PKEY_CTX *ready)
{
    return !is_stopping(EVP_PKEY_CTX_get_app_data(ready));
}

/* nettle's keys are put into OpenSSL's form, the others made by it. */
static bool maker_prepare(struct key_maker *maker, const struct crypto_context *context)
{
    const char *type = maker->spec.type == KEY_RSA ? "RSA" : "EC";
    maker->by_nettle = nettle_is_better(context, maker->spec);
    maker->ready = EVP_PKEY_CTX_new_from_name(crypto_library(context), type,
                                              key_properties(context, maker->spec));
    if (maker->ready == NULL)
        return false;
    EVP_PKEY_CTX_set_app_data(maker->ready, maker);
    EVP_PKEY_CTX_set_cb(maker->ready, generation_goes_on);
    return maker->by_nettle ? EVP_PKEY_fromdata_init(maker->ready) == 1
                            : key_prepare(maker->ready, context, maker->spec);
}

const char *key_way(const struct crypto_context *context, struct key_spec spec)
{
    const char *path = crypto_rsa_path(context);
    if (spec.type == KEY_RSA && path != NULL)
        return path;
    return nettle_is_better(context, spec) ? "nettle" : "openssl";
}

bool key_maker_generate(struct key_maker *maker, const struct crypto_context *context,
                        struct key_spec spec, EVP_PKEY **ret_key, struct error *error)
{
    if (!key_spec_is_valid(spec))
        return error_set(error, ERROR_CONFIG, "%s keys of %u bits are not made here",
                         spec.type == KEY_RSA ? "RSA" : "ECDSA", spec.bits);
    bool ok = true;
    if (maker->ready == NULL || !key_spec_equal(maker->spec, spec)) {
        key_maker_free(maker);
        maker->spec = spec;
        ok = maker_prepare(maker, context);
    }
    EVP_PKEY *key = NULL;
    if (ok && maker->by_nettle)
        return nettle_key_make(context, spec, maker->ready, ret_key, error);
    if (!ok || EVP_PKEY_generate(maker->ready, &key) != 1) {
        key_maker_free(maker);
        if (is_stopping(maker)) {
            ERR_clear_error();
            return error_set(error, ERROR_CANCELLED, "the run is ending");
        }
        crypto_error(error, key_spec_name(spec));
        return error_prefix(error, "making a key: ");
    }
    *ret_key = key;
    return true;
}

void key_maker_free(struct key_maker *maker)
{
    EVP_PKEY_CTX_free(maker->ready);
    maker->ready = NULL;
}

bool key_generate(const struct crypto_context *context, struct key_spec spec, EVP_PKEY **ret_key,
                  struct error *error)
{
    struct key_maker maker CLEANUP(key_maker_free) = {0};
    return key_maker_generate(&maker, context, spec, ret_key, error);
}

static bool ecdsa_to_pem(const EVP_PKEY *key, struct key_spec spec, struct span public_der,
                         struct secret *ret_pem, struct error *error)
{
    struct secret der CLEANUP(secret_free) = {0};
    TRY(secret_make(KEY_PRIVATE_DER_MAX, &der, error));
    struct der_writer writer;
    der_writer_init(&writer, der.data, der.len);
    TRY(key_put_private(&writer, key, spec, public_der, error));
    return pem_secret("PRIVATE KEY", span_make(writer.at, der_written(&writer)), ret_pem, error);
}

/* By OpenSSL's encoder, which takes every kind of key that a provider lets out. */
static bool any_to_pem(const EVP_PKEY *key, struct secret *ret_pem, struct error *error)
{
    BIO *out = BIO_new(BIO_s_secmem());
    OSSL_ENCODER_CTX *encoder =
        OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_KEYPAIR, "PEM", "PrivateKeyInfo", NULL);
    char *text = NULL;
    long len = 0;
    bool ok = out != NULL && encoder != NULL && OSSL_ENCODER_to_bio(encoder, out) == 1 &&
              (len = BIO_get_mem_data(out, &text)) > 0;
    struct secret pem;
    if (ok)
        ok = secret_make((size_t)len, &pem, error);
    else
        crypto_error(error, "writing the private key");
    if (ok) {
        memcpy(pem.data, text, (size_t)len);
        *ret_pem = pem;
    }
    OSSL_ENCODER_CTX_free(encoder);
    BIO_free(out);
    return ok;
}

bool key_to_pem_with(const EVP_PKEY *key, struct span public_der, struct secret *ret_pem,
                     struct error *error)
{
    struct key_spec spec;
    if (key_spec_of(key, &spec) && spec.type == KEY_ECDSA)
        return ecdsa_to_pem(key, spec, public_der, ret_pem, error);
    return any_to_pem(key, ret_pem, error);
}

bool key_to_pem(const struct crypto_context *context, const EVP_PKEY *key, struct secret *ret_pem,
                struct error *error)
{
    (void)context; /* the key knows its own */
    struct key_spec spec;
    struct buf public_der CLEANUP(buf_free);
    buf_init(&public_der, KEY_PUBLIC_DER_MAX);
    if (!key_spec_of(key, &spec) || spec.type != KEY_ECDSA)
        return any_to_pem(key, ret_pem, error);
    TRY(key_public_der(key, &public_der, error));
    return key_to_pem_with(key, buf_span(&public_der), ret_pem, error);
}

/* Without this OpenSSL would ask for a passphrase on the terminal. */
static int refuse_passphrase(char *out, size_t size, size_t *ret_len, const OSSL_PARAM params[],
                             void *context)
{
    (void)out;
    (void)size;
    (void)ret_len;
    (void)params;
    (void)context;
    return 0;
}

/* The one private key among the blocks; an EC key of the traditional form may come behind its
 * parameters. */
static bool find_private_key(struct span pem, struct span *ret_block, struct error *error)
{
    struct pem_block block;
    struct span found = {0};
    struct span rest = pem;
    enum pem_result result;
    while ((result = pem_next(&rest, &block)) == PEM_FOUND) {
        if (!span_ends(block.label, "PRIVATE KEY"))
            continue;
        if (found.data != NULL)
            return error_set(error, ERROR_CONFIG, "there is more than one private key");
        if (span_starts(block.label, "ENCRYPTED") ||
            memmem(block.body.data, block.body.len, "4,ENCRYPTED", strlen("4,ENCRYPTED")) != NULL)
            return error_set(error, ERROR_CONFIG,
                             "the private key is encrypted; it is needed without a passphrase");
        const char *begin = block.label.data - strlen("-----BEGIN ");
        found = span_make(begin, (size_t)(rest.data - begin));
    }
    if (result == PEM_BROKEN)
        return error_set(error, ERROR_CONFIG, "the PEM text is cut off or damaged");
    if (found.data == NULL)
        return error_set(error, ERROR_CONFIG, "there is no private key in PEM form");
    *ret_block = found;
    return true;
}

bool key_from_pem(const struct crypto_context *context, struct span pem, EVP_PKEY **ret_key,
                  struct error *error)
{
    if (pem.len > KEY_PEM_MAX)
        return error_set(error, ERROR_LIMIT, "a private key of %zu bytes, the limit is %zu",
                         pem.len, KEY_PEM_MAX);
    struct span block = {0};
    TRY(find_private_key(pem, &block, error));
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, EVP_PKEY_KEYPAIR,
                                      crypto_library(context), crypto_properties(context));
    const unsigned char *at = (const unsigned char *)block.data;
    size_t left = block.len;
    bool ok = decoder != NULL &&
              OSSL_DECODER_CTX_set_passphrase_cb(decoder, refuse_passphrase, NULL) == 1 &&
              OSSL_DECODER_from_data(decoder, &at, &left) == 1 && key != NULL;
    OSSL_DECODER_CTX_free(decoder);
    ERR_clear_error(); /* its data might quote what was read */
    if (!ok) {
        EVP_PKEY_free(key);
        return error_set(error, ERROR_CONFIG, "the private key is damaged, or of an unknown kind");
    }
    *ret_key = key;
    return true;
}

bool key_spec_of(const EVP_PKEY *key, struct key_spec *ret_spec)
{
    struct key_spec spec;
    if (EVP_PKEY_is_a(key, "RSA")) {
        spec = (struct key_spec){.type = KEY_RSA, .bits = (unsigned)EVP_PKEY_get_bits(key)};
    } else {
        char group[64];
        size_t len = 0;
        if (!EVP_PKEY_is_a(key, "EC") ||
            EVP_PKEY_get_group_name(key, group, sizeof group, &len) != 1)
            return false;
        spec = (struct key_spec){.type = KEY_ECDSA};
        for (size_t i = 0; i < CURVES; i++)
            if (strcmp(group, curves[i].group) == 0 || strcmp(group, curves[i].alias) == 0)
                spec.bits = curves[i].bits;
    }
    if (!key_spec_is_valid(spec))
        return false;
    *ret_spec = spec;
    return true;
}

void key_release(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
    *key = NULL;
}
