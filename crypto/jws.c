#include "crypto/jws.h"

#include "base/base64.h"
#include "base/json.h"
#include "context_internal.h"
#include "key_der.h"
#include "nettle.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define JWK_MAX        ((size_t)4096)
#define SHA256_BYTES   32
#define THUMBPRINT_MAX 44 /* base64url of a SHA-256, and a NUL */
#define SIGNATURE_MAX  2048
#define HEADER_MAX     ((size_t)16 * 1024)

struct algorithm {
    struct key_spec spec; /* bits 0: any */
    const char *name;
    const char *digest;
    const char *curve; /* RFC 7518 section 6.2.1.1 */
};

static const struct algorithm algorithms[] = {
    {{KEY_ECDSA, 256}, "ES256", "SHA256", "P-256"},
    {{KEY_ECDSA, 384}, "ES384", "SHA384", "P-384"},
    {{KEY_RSA, 0}, "RS256", "SHA256", NULL},
};

struct jws_signer {
    const struct crypto_context *context;
    const struct algorithm *algorithm;
    EVP_PKEY *key;
    EVP_MD_CTX *ready; /* prepared to sign; copied for every signature and never used itself */
    EVP_MAC *hmac;
    char *jwk;
    char thumbprint[THUMBPRINT_MAX];
};

static const struct algorithm *algorithm_for(struct key_spec spec)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if (algorithm->spec.type == spec.type &&
            (algorithm->spec.bits == 0 || algorithm->spec.bits == spec.bits))
            return algorithm;
    }
    return NULL;
}

/* Members in the order that RFC 7638 section 3 wants, so that the text is what is hashed. */
static json_t *jwk_ecdsa(const struct algorithm *algorithm, const char *x, const char *y)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "crv", algorithm->curve, "kty", "EC", "x", x, "y", y);
}

static json_t *jwk_rsa(const char *n, const char *e)
{
    return json_pack("{s:s,s:s,s:s}", "e", e, "kty", "RSA", "n", n);
}

static bool jwk_numbers(const struct algorithm *algorithm, EVP_PKEY *key, struct buf *first,
                        struct buf *second, struct error *error)
{
    struct key_point point;
    unsigned char number[JWK_MAX / 2];
    size_t len = 0;
    bool fits;
    if (algorithm->spec.type == KEY_ECDSA) {
        TRY(key_point_of(key, algorithm->spec, &point, error));
        fits = base64url_append(first, point.x, point.width) &&
               base64url_append(second, point.y, point.width);
    } else {
        TRY(key_rsa_number(key, OSSL_PKEY_PARAM_RSA_N, number, sizeof number, &len, error));
        fits = base64url_append(first, number, len);
        TRY(key_rsa_number(key, OSSL_PKEY_PARAM_RSA_E, number, sizeof number, &len, error));
        fits = fits && base64url_append(second, number, len);
    }
    return fits || error_set(error, ERROR_LIMIT, "the account key is too large");
}

/* Sets signer->jwk and the thumbprint. */
static bool jwk_make(const struct crypto_context *context, struct jws_signer *signer,
                     struct error *error)
{
    struct buf first CLEANUP(buf_free);
    struct buf second CLEANUP(buf_free);
    struct buf text CLEANUP(buf_free);
    buf_init(&first, JWK_MAX);
    buf_init(&second, JWK_MAX);
    buf_init(&text, 2 * JWK_MAX);
    TRY(jwk_numbers(signer->algorithm, signer->key, &first, &second, error));
    json_t *jwk CLEANUP(json_release) =
        signer->algorithm->spec.type == KEY_ECDSA
            ? jwk_ecdsa(signer->algorithm, buf_text(&first), buf_text(&second))
            : jwk_rsa(buf_text(&first), buf_text(&second));
    if (jwk == NULL || !json_append(&text, jwk) ||
        (signer->jwk = span_duplicate(buf_span(&text))) == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the account key");
    unsigned char digest[SHA256_BYTES];
    if (EVP_Digest(text.data, text.len, digest, NULL, crypto_sha256(context), NULL) != 1)
        return crypto_error(error, "hashing the account key");
    buf_clear(&first);
    if (!base64url_append(&first, digest, sizeof digest) || first.len >= THUMBPRINT_MAX)
        return error_set(error, ERROR_MEMORY, "no memory for the account key");
    memcpy(signer->thumbprint, first.data, first.len + 1);
    return true;
}

static bool signer_prepare(const struct crypto_context *context, struct jws_signer *signer,
                           struct error *error)
{
    signer->ready = EVP_MD_CTX_new();
    if (signer->ready == NULL ||
        EVP_DigestSignInit_ex(signer->ready, NULL, signer->algorithm->digest,
                              crypto_library(context), crypto_properties(context), signer->key,
                              NULL) != 1)
        return crypto_error(error, "preparing the account key");
    return jwk_make(context, signer, error);
}

bool jws_signer_new(const struct crypto_context *context, EVP_PKEY *key,
                    struct jws_signer **ret_signer, struct error *error)
{
    struct key_spec spec;
    const struct algorithm *algorithm = key_spec_of(key, &spec) ? algorithm_for(spec) : NULL;
    if (algorithm == NULL)
        return error_set(error, ERROR_CONFIG,
                         "an account key must be ECDSA P-256 or P-384, or RSA");
    struct jws_signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the account key");
    signer->context = context;
    signer->algorithm = algorithm;
    if (EVP_PKEY_up_ref(key) == 1)
        signer->key = key;
    if (EVP_MAC_up_ref(crypto_hmac(context)) == 1)
        signer->hmac = crypto_hmac(context);
    if (signer->key == NULL || signer->hmac == NULL || !signer_prepare(context, signer, error)) {
        jws_signer_free(signer);
        return false;
    }
    *ret_signer = signer;
    return true;
}

void jws_signer_free(struct jws_signer *signer)
{
    if (signer == NULL)
        return;
    EVP_MD_CTX_free(signer->ready);
    EVP_PKEY_free(signer->key);
    EVP_MAC_free(signer->hmac);
    free(signer->jwk);
    free(signer);
}

const char *jws_signer_algorithm(const struct jws_signer *signer)
{
    return signer->algorithm->name;
}

const char *jws_signer_jwk(const struct jws_signer *signer)
{
    return signer->jwk;
}

const char *jws_signer_thumbprint(const struct jws_signer *signer)
{
    return signer->thumbprint;
}

/* JOSE wants r and s at the full width of the curve, one after the other (RFC 7518 section 3.4);
 * OpenSSL gives SEQUENCE { INTEGER r, INTEGER s }. */
static bool signature_to_raw(struct span der, size_t width, unsigned char *raw)
{
    struct span pair;
    struct span number;
    TRY(der_take(&der, DER_SEQUENCE, &pair));
    memset(raw, 0, 2 * width);
    for (int i = 0; i < 2; i++) {
        TRY(der_take(&pair, DER_INTEGER, &number));
        while (number.len > 0 && number.data[0] == 0)
            number = span_from(number, 1);
        if (number.len > width)
            return false;
        if (number.len > 0)
            memcpy(raw + (size_t)(i + 1) * width - number.len, number.data, number.len);
    }
    return true;
}

static bool openssl_sign(const struct jws_signer *signer, struct span input,
                         unsigned char *signature, size_t *len, struct error *error)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    bool ok =
        copy != NULL && EVP_MD_CTX_copy_ex(copy, signer->ready) == 1 &&
        EVP_DigestSign(copy, signature, len, (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(copy);
    return ok || crypto_error(error, "signing a request");
}

/* Appends base64url of the key's signature over `input`. */
static bool signature_append(const struct jws_signer *signer, struct span input, struct buf *out,
                             struct error *error)
{
    unsigned char signature[SIGNATURE_MAX];
    unsigned char raw[2 * KEY_POINT_MAX];
    size_t len = sizeof signature;
    struct key_spec spec = signer->algorithm->spec;
    bool ok = nettle_is_better(signer->context, spec) &&
              nettle_sign(signer->context, signer->key, spec, input, signature, &len);
    if (!ok)
        TRY(openssl_sign(signer, input, signature, &len, error));
    if (spec.type == KEY_ECDSA) {
        size_t width = key_field_width(spec.bits);
        if (!signature_to_raw(span_make(signature, len), width, raw))
            return error_set(error, ERROR_CRYPTO, "a malformed ECDSA signature was made");
        ok = base64url_append(out, raw, 2 * width);
    } else {
        ok = base64url_append(out, signature, len);
    }
    return ok || error_set(error, ERROR_MEMORY, "no memory for a signature");
}

/* Appends "base64url(protected).base64url(payload)", the signing input (RFC 7515 section 5.1). */
static bool input_append(const json_t *protected, struct span payload, struct buf *out,
                         struct error *error)
{
    struct buf text CLEANUP(buf_free);
    buf_init(&text, HEADER_MAX);
    /* jansson refuses text that is not UTF-8, and escapes whatever else a server may have sent. */
    if (protected == NULL || !json_append(&text, protected))
        return error_set(error, ERROR_PROTOCOL,
                         "the URL, nonce or account URL of a request is not UTF-8 or too long");
    if (!base64url_append(out, text.data, text.len) || !buf_append_char(out, '.') ||
        !base64url_append(out, payload.data, payload.len))
        return error_set(error, ERROR_LIMIT, "a request of %zu bytes is too large", payload.len);
    return true;
}

static bool member_append(struct buf *out, const char *before, struct span base64url)
{
    return buf_append_text(out, before) && buf_append_span(out, base64url);
}

/* Appends the flattened serialization (RFC 7515 section 7.2.2). Its values are base64url, which
 * holds nothing that JSON escapes; jansson would look at each character, 5 us a request. */
static bool serialize(struct span input, struct span signature, struct buf *out,
                      struct error *error)
{
    struct span payload = input;
    struct span protected = span_split(&payload, '.');
    size_t before = out->len;
    if (member_append(out, "{\"protected\":\"", protected) &&
        member_append(out, "\",\"payload\":\"", payload) &&
        member_append(out, "\",\"signature\":\"", signature) && buf_append_text(out, "\"}"))
        return true;
    out->len = before;
    if (out->data != NULL)
        out->data[before] = '\0';
    return error_set(error, ERROR_LIMIT, "a signed request of more than %zu bytes", out->limit);
}

static json_t *header_make(const struct jws_signer *signer, const struct jws_header *header)
{
    json_t *json = header->kid != NULL
                       ? json_pack("{s:s,s:s}", "alg", signer->algorithm->name, "kid", header->kid)
                       : json_pack("{s:s,s:o}", "alg", signer->algorithm->name, "jwk",
                                   json_loads(signer->jwk, 0, NULL));
    if (json != NULL && ((header->nonce != NULL &&
                          json_object_set_new(json, "nonce", json_string(header->nonce)) != 0) ||
                         json_object_set_new(json, "url", json_string(header->url)) != 0)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

bool jws_sign(const struct jws_signer *signer, const struct jws_header *header, struct span payload,
              struct buf *out, struct error *error)
{
    struct buf input CLEANUP(buf_free);
    struct buf signature CLEANUP(buf_free);
    buf_init(&input, JWS_MAX);
    buf_init(&signature, JWS_MAX);
    json_t *protected CLEANUP(json_release) = header_make(signer, header);
    TRY(input_append(protected, payload, &input, error));
    TRY(signature_append(signer, buf_span(&input), &signature, error));
    return serialize(buf_span(&input), buf_span(&signature), out, error);
}

/* HMAC-SHA-256 into SHA256_BYTES of `digest`. */
static bool hmac_make(EVP_MAC *hmac, struct span key, struct span text, unsigned char *digest,
                      struct error *error)
{
    char name[] = "SHA256";
    OSSL_PARAM wanted[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, sizeof name - 1),
        OSSL_PARAM_construct_end()};
    size_t len = 0;
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    bool ok = mac != NULL &&
              EVP_MAC_init(mac, (const unsigned char *)key.data, key.len, wanted) == 1 &&
              EVP_MAC_update(mac, (const unsigned char *)text.data, text.len) == 1 &&
              EVP_MAC_final(mac, digest, &len, SHA256_BYTES) == 1 && len == SHA256_BYTES;
    EVP_MAC_CTX_free(mac);
    return ok || crypto_error(error, "signing the external account binding");
}

bool jws_external_binding(const struct jws_signer *signer, const char *new_account_url,
                          const char *key_id, struct span hmac_key, struct buf *out,
                          struct error *error)
{
    if (hmac_key.len == 0)
        return error_set(error, ERROR_CONFIG, "the HMAC key of the external account is empty");
    struct buf input CLEANUP(buf_free);
    struct buf signature CLEANUP(buf_free);
    buf_init(&input, JWS_MAX);
    buf_init(&signature, JWS_MAX);
    json_t *protected CLEANUP(json_release) =
        json_pack("{s:s,s:s,s:s}", "alg", "HS256", "kid", key_id, "url", new_account_url);
    TRY(input_append(protected, span_of(signer->jwk), &input, error));
    unsigned char digest[SHA256_BYTES];
    TRY(hmac_make(signer->hmac, hmac_key, buf_span(&input), digest, error));
    if (!base64url_append(&signature, digest, sizeof digest))
        return error_set(error, ERROR_MEMORY, "no memory for a signature");
    return serialize(buf_span(&input), buf_span(&signature), out, error);
}

bool jws_key_authorization(const struct jws_signer *signer, struct span token, struct buf *out)
{
    size_t before = out->len;
    if (buf_append_span(out, token) && buf_append_char(out, '.') &&
        buf_append_text(out, signer->thumbprint))
        return true;
    out->len = before;
    if (out->data != NULL)
        out->data[before] = '\0';
    return false;
}

bool jws_dns_value(const struct crypto_context *context, struct span key_authorization,
                   struct buf *out, struct error *error)
{
    unsigned char digest[SHA256_BYTES];
    if (EVP_Digest(key_authorization.data, key_authorization.len, digest, NULL,
                   crypto_sha256(context), NULL) != 1)
        return crypto_error(error, "hashing a key authorization");
    return base64url_append(out, digest, sizeof digest) ||
           error_set(error, ERROR_LIMIT, "no room for a dns-01 value");
}
