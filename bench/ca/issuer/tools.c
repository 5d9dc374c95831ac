#include "tools.h"

#include "context_internal.h"
#include "signed_der.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define RSA_MODULUS_MAX 512

static const struct {
    unsigned bits;
    const char *group;
} curves[TOOLS_CURVES] = {{256, "P-256"}, {384, "P-384"}, {521, "P-521"}};

bool tool_shop_init(struct tool_shop *shop, const struct crypto_context *context,
                    struct error *error)
{
    *shop = (struct tool_shop){.context = context};
    if (pthread_mutex_init(&shop->lock, NULL) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for the issuer's lock");
    return true;
}

static void tools_free(struct tools *tools, size_t keys)
{
    for (size_t i = 0; i < TOOLS_CURVES; i++) {
        EVP_PKEY_CTX_free(tools->curves[i].context);
        EVP_PKEY_free(tools->curves[i].key);
    }
    for (size_t i = 0; tools->signers != NULL && i < keys; i++)
        EVP_PKEY_CTX_free(tools->signers[i]);
    EVP_PKEY_CTX_free(tools->rsa_maker);
    free(tools->signers);
    free(tools->frame);
    free(tools);
}

void tool_shop_free(struct tool_shop *shop)
{
    while (shop->idle != NULL) {
        struct tools *tools = shop->idle;
        shop->idle = tools->next;
        tools_free(tools, shop->key_count);
    }
    for (size_t i = 0; i < shop->key_count; i++)
        EVP_PKEY_free(shop->keys[i]);
    pthread_mutex_destroy(&shop->lock);
}

size_t tool_shop_add(struct tool_shop *shop, EVP_PKEY *key)
{
    shop->keys[shop->key_count] = key;
    return shop->key_count++;
}

struct tools *tools_take(struct tool_shop *shop)
{
    pthread_mutex_lock(&shop->lock);
    struct tools *tools = shop->idle;
    if (tools != NULL)
        shop->idle = tools->next;
    pthread_mutex_unlock(&shop->lock);
    if (tools != NULL || (tools = calloc(1, sizeof *tools)) == NULL)
        return tools;
    tools->signers = calloc(SHOP_KEYS_MAX, sizeof(EVP_PKEY_CTX *));
    if (tools->signers == NULL) {
        free(tools);
        return NULL;
    }
    return tools;
}

void tools_give(struct tool_shop *shop, struct tools *tools)
{
    pthread_mutex_lock(&shop->lock);
    tools->next = shop->idle;
    shop->idle = tools;
    pthread_mutex_unlock(&shop->lock);
}

unsigned char *tools_frame(struct tools *tools, size_t size)
{
    if (size > tools->frame_size) {
        unsigned char *frame = malloc(size);
        if (frame == NULL)
            return NULL;
        free(tools->frame);
        tools->frame = frame;
        tools->frame_size = size;
    }
    return tools->frame;
}

bool tools_random(const struct tool_shop *shop, struct tools *tools, unsigned char *bytes,
                  size_t len, struct error *error)
{
    if (tools->random_left < len) {
        if (RAND_bytes_ex(crypto_library(shop->context), tools->random, sizeof tools->random, 0) !=
            1)
            return crypto_error(error, "random bytes");
        tools->random_left = sizeof tools->random;
    }
    tools->random_left -= len;
    memcpy(bytes, tools->random + tools->random_left, len);
    return true;
}

bool tool_shop_hash(const struct tool_shop *shop, const char *digest, struct span data,
                    unsigned char *hash, size_t *ret_len)
{
    unsigned len = 0;
    TRY(EVP_Digest(data.data, data.len, hash, &len, crypto_digest(shop->context, digest), NULL) ==
        1);
    *ret_len = len;
    return true;
}

static EVP_PKEY_CTX *signer_for(const struct tool_shop *shop, struct tools *tools, size_t key,
                                const char *digest)
{
    if (tools->signers[key] != NULL)
        return tools->signers[key];
    EVP_PKEY_CTX *signer = EVP_PKEY_CTX_new_from_pkey(
        crypto_library(shop->context), shop->keys[key], crypto_properties(shop->context));
    if (signer != NULL && EVP_PKEY_sign_init(signer) == 1 &&
        EVP_PKEY_CTX_set_signature_md(signer, crypto_digest(shop->context, digest)) == 1) {
        tools->signers[key] = signer;
        return signer;
    }
    EVP_PKEY_CTX_free(signer);
    return NULL;
}

bool tools_sign(const struct tool_shop *shop, struct tools *tools, size_t key, struct key_spec spec,
                struct span data, unsigned char *signature, size_t *ret_len, struct error *error)
{
    const char *digest = signature_algorithm_of(spec)->digest;
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t hash_len;
    size_t len = SIGNATURE_MAX;
    EVP_PKEY_CTX *signer = signer_for(shop, tools, key, digest);
    if (signer == NULL || !tool_shop_hash(shop, digest, data, hash, &hash_len) ||
        EVP_PKEY_sign(signer, signature, &len, hash, hash_len) != 1)
        return crypto_error(error, "signing");
    *ret_len = len;
    return true;
}

static EVP_PKEY_CTX *maker_new(const struct tool_shop *shop, const char *type)
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(crypto_library(shop->context), type,
                                                     crypto_properties(shop->context));
    if (maker != NULL && EVP_PKEY_fromdata_init(maker) == 1)
        return maker;
    EVP_PKEY_CTX_free(maker);
    return NULL;
}

/* With the first point that comes; NULL when it is not on the curve. */
static EVP_PKEY *curve_key(const struct tool_shop *shop, const char *group, struct span point)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *maker = maker_new(shop, "EC");
    OSSL_PARAM parts[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point.data, point.len),
        OSSL_PARAM_construct_end()};
    if (maker == NULL || EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parts) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(maker);
    return key;
}

static bool curve_prepare(const struct tool_shop *shop, struct curve_verifier *verifier,
                          const char *group, struct span point)
{
    if (verifier->key != NULL) /* checks that the point is on the curve */
        return EVP_PKEY_set1_encoded_public_key(verifier->key, (const unsigned char *)point.data,
                                                point.len) == 1;
    EVP_PKEY *key = curve_key(shop, group, point);
    TRY(key != NULL);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(crypto_library(shop->context), key,
                                                       crypto_properties(shop->context));
    if (context == NULL || EVP_PKEY_verify_init(context) != 1) {
        EVP_PKEY_CTX_free(context);
        EVP_PKEY_free(key);
        return false;
    }
    *verifier = (struct curve_verifier){.key = key, .context = context};
    return true;
}

static enum verdict curve_verify(const struct tool_shop *shop, struct tools *tools,
                                 const struct public_numbers *numbers, const char *digest,
                                 struct span data, struct span signature)
{
    size_t rank = 0;
    while (rank + 1 < TOOLS_CURVES && curves[rank].bits != numbers->spec.bits)
        rank++;
    struct curve_verifier *verifier = &tools->curves[rank];
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t hash_len;
    if (!curve_prepare(shop, verifier, curves[rank].group, numbers->point))
        return VERDICT_BAD_KEY;
    return tool_shop_hash(shop, digest, data, hash, &hash_len) &&
                   EVP_PKEY_verify(verifier->context, (const unsigned char *)signature.data,
                                   signature.len, hash, hash_len) == 1
               ? VERDICT_GOOD
               : VERDICT_BAD_SIGNATURE;
}

/* Turns a big-endian number into the machine's order, as parameters have it. */
static bool number_turn(struct span number, unsigned char *bytes)
{
    BIGNUM *big = BN_bin2bn((const unsigned char *)number.data, (int)number.len, NULL);
    bool ok = big != NULL && BN_bn2nativepad(big, bytes, (int)number.len) == (int)number.len;
    BN_free(big);
    return ok;
}

static EVP_PKEY *rsa_key(const struct tool_shop *shop, struct tools *tools, struct span modulus,
                         struct span exponent)
{
    unsigned char n[RSA_MODULUS_MAX];
    unsigned char e[RSA_MODULUS_MAX];
    EVP_PKEY *key = NULL;
    if (modulus.len > sizeof n || exponent.len > sizeof e || !number_turn(modulus, n) ||
        !number_turn(exponent, e))
        return NULL;
    if (tools->rsa_maker == NULL && (tools->rsa_maker = maker_new(shop, "RSA")) == NULL)
        return NULL;
    OSSL_PARAM parts[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, modulus.len),
                          OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, exponent.len),
                          OSSL_PARAM_construct_end()};
    return EVP_PKEY_fromdata(tools->rsa_maker, &key, EVP_PKEY_PUBLIC_KEY, parts) == 1 ? key : NULL;
}

static enum verdict rsa_verify(const struct tool_shop *shop, struct tools *tools,
                               const struct public_numbers *numbers, const char *digest,
                               struct span data, struct span signature)
{
    EVP_PKEY *key = rsa_key(shop, tools, numbers->modulus, numbers->exponent);
    if (key == NULL)
        return VERDICT_BAD_KEY;
    EVP_PKEY_CTX *verifier = EVP_PKEY_CTX_new_from_pkey(crypto_library(shop->context), key,
                                                        crypto_properties(shop->context));
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t hash_len;
    bool ok = verifier != NULL && EVP_PKEY_verify_init(verifier) == 1 &&
              EVP_PKEY_CTX_set_signature_md(verifier, crypto_digest(shop->context, digest)) == 1 &&
              tool_shop_hash(shop, digest, data, hash, &hash_len) &&
              EVP_PKEY_verify(verifier, (const unsigned char *)signature.data, signature.len, hash,
                              hash_len) == 1;
    EVP_PKEY_CTX_free(verifier);
    EVP_PKEY_free(key);
    return ok ? VERDICT_GOOD : VERDICT_BAD_SIGNATURE;
}

enum verdict tools_verify(const struct tool_shop *shop, struct tools *tools,
                          const struct public_numbers *numbers, const char *digest,
                          struct span data, struct span signature)
{
    enum verdict verdict = numbers->spec.type == KEY_RSA
                               ? rsa_verify(shop, tools, numbers, digest, data, signature)
                               : curve_verify(shop, tools, numbers, digest, data, signature);
    ERR_clear_error();
    return verdict;
}
