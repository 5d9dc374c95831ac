#include "account_key_read.h"

#include "base/base64.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, RSA_BYTES_MAX = RSA_BITS_MAX / 8 };

static bool key_bad(struct error *error, const char *what)
{
    return error_set(error, ERROR_PROTOCOL, "%s", what);
}

/* Appends a member's bytes, of at most `max`. */
static bool jwk_bytes(struct ca_json jwk, const char *name, size_t max, struct buf *bytes,
                      struct error *error)
{
    struct ca_json value = ca_json_get(jwk, name);
    if (value.kind != CA_JSON_STRING || value.text.len == 0 || value.text.len > 2 * max ||
        !base64url_decode(value.text, bytes) || bytes->len > max)
        return error_set(error, ERROR_PROTOCOL, "JWK member \"%s\" is missing or malformed", name);
    return true;
}

/* Makes a key of the parameters, which it frees. */
static bool key_make(struct ca_key *key, const char *type, OSSL_PARAM_BLD *builder, bool filled,
                     struct error *error)
{
    OSSL_PARAM *parameters = filled ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(crypto_library(key->context), type,
                                                     crypto_properties(key->context));
    bool ok = parameters != NULL && maker != NULL && EVP_PKEY_fromdata_init(maker) == 1 &&
              EVP_PKEY_fromdata(maker, &key->key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
    EVP_PKEY_CTX_free(maker);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    if (ok)
        return true;
    (void)crypto_error(NULL, "");
    return key_bad(error, "JWK is not a valid public key");
}

static bool ec_read(struct ca_json jwk, struct ca_key *key, struct error *error)
{
    unsigned char point[2 * 66 + 1] = {4}; /* uncompressed */
    size_t width = key->algorithm->width;
    struct buf number CLEANUP(buf_free);
    buf_init(&number, 128);
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&number);
        TRY(jwk_bytes(jwk, i == 0 ? "x" : "y", width, &number, error));
        /* RFC 7518 section 6.2.1.2: the full width. */
        if (number.len != width)
            return key_bad(error, "JWK coordinates are not as wide as the curve");
        memcpy(point + 1 + i * width, number.data, width);
    }
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool filled = builder != NULL &&
                  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                                  key->algorithm->curve, 0) == 1 &&
                  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                   1 + 2 * width) == 1;
    return key_make(key, "EC", builder, filled, error);
}

static bool okp_read(struct ca_json jwk, struct ca_key *key, struct error *error)
{
    struct buf x CLEANUP(buf_free);
    buf_init(&x, 64);
    TRY(jwk_bytes(jwk, "x", key->algorithm->width, &x, error));
    key->key = x.len == key->algorithm->width
                   ? EVP_PKEY_new_raw_public_key_ex(crypto_library(key->context), "ED25519",
                                                    crypto_properties(key->context),
                                                    (const unsigned char *)x.data, x.len)
                   : NULL;
    return key->key != NULL || key_bad(error, "JWK is not a valid public key");
}

static bool rsa_read(struct ca_json jwk, struct ca_key *key, struct error *error)
{
    struct buf n CLEANUP(buf_free);
    struct buf e CLEANUP(buf_free);
    buf_init(&n, 4096);
    buf_init(&e, 64);
    TRY(jwk_bytes(jwk, "n", RSA_BYTES_MAX + 1, &n, error));
    TRY(jwk_bytes(jwk, "e", 4, &e, error));
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.len, NULL);
    int bits = modulus != NULL ? BN_num_bits(modulus) : 0;
    bool good = bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && bits % 8 == 0 &&
                BN_is_odd(modulus) && exponent != NULL && BN_is_odd(exponent) &&
                BN_get_word(exponent) >= 65537 && n.data[0] != 0 && e.data[0] != 0;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool filled = good && builder != NULL &&
                  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
                  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1;
    bool ok = key_make(key, "RSA", builder, filled, error);
    BN_free(modulus);
    BN_free(exponent);
    return ok || good ||
           key_bad(error, "RSA keys must have 2048 to 4096 bits and an odd exponent from 65537 up");
}

/* Members in the order of RFC 7638 section 3; their texts were strict base64url, so that they are
 * canonical. */
static bool jwk_write(struct ca_json jwk, struct ca_key *key, struct error *error)
{
    static const char *const ec[] = {"crv", "kty", "x", "y", NULL};
    static const char *const okp[] = {"crv", "kty", "x", NULL};
    static const char *const rsa[] = {"e", "kty", "n", NULL};
    const char *type = key->algorithm->key_type;
    const char *const *names = strcmp(type, "EC") == 0 ? ec : strcmp(type, "RSA") == 0 ? rsa : okp;
    struct buf text CLEANUP(buf_free);
    buf_init(&text, 8192);
    for (size_t i = 0; names[i] != NULL; i++) {
        struct span value = ca_json_get(jwk, names[i]).text;
        if (!buf_printf(&text, "%c\"%s\":\"%.*s\"", i == 0 ? '{' : ',', names[i],
                        SPAN_PRINTF(value)))
            return error_set(error, ERROR_MEMORY, "no memory for a key");
    }
    if (!buf_append_char(&text, '}') || (key->jwk = span_duplicate(buf_span(&text))) == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a key");
    return true;
}

bool ca_jwk_read(struct ca_json jwk, struct ca_key *key, struct error *error)
{
    struct ca_json type = ca_json_get(jwk, "kty");
    struct ca_json curve = ca_json_get(jwk, "crv");
    struct ca_json algorithm = ca_json_get(jwk, "alg");
    if (jwk.kind != CA_JSON_OBJECT || type.kind != CA_JSON_STRING)
        return key_bad(error, "JWK is not an object with a key type");
    key->algorithm = ca_algorithm_of_key(type.text, curve.text);
    if (key->algorithm == NULL)
        return key_bad(error, "keys must be RSA, EC (P-256, P-384, P-521) or OKP (Ed25519)");
    if (algorithm.kind != CA_JSON_NONE && !span_is(algorithm.text, key->algorithm->name))
        return key_bad(error, "JWK member \"alg\" does not fit the key");
    if (ca_json_get(jwk, "d").kind != CA_JSON_NONE)
        return key_bad(error, "JWK holds a private key");
    if (strcmp(key->algorithm->key_type, "EC") == 0)
        TRY(ec_read(jwk, key, error));
    else if (strcmp(key->algorithm->key_type, "RSA") == 0)
        TRY(rsa_read(jwk, key, error));
    else
        TRY(okp_read(jwk, key, error));
    return jwk_write(jwk, key, error);
}
