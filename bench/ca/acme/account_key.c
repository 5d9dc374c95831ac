#include "account_key.h"

#include "account_key_read.h"
#include "base/base64.h"
#include "context_internal.h"
#include "der.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* Who has signed a seventh of the requests for which a table pays looks as if the rest will come.
 */
enum { TABLE_HASTE = 7 };
/* 150 KiB each. */
enum { TABLES_MAX = 256 };

static atomic_int tables;

static const struct ca_algorithm algorithms[] = {
    {"ES256", "EC", "P-256", "SHA256", 32}, {"ES384", "EC", "P-384", "SHA384", 48},
    {"ES512", "EC", "P-521", "SHA512", 66}, {"RS256", "RSA", NULL, "SHA256", 0},
    {"EdDSA", "OKP", "Ed25519", NULL, 32},
};

const struct ca_algorithm *ca_algorithm_find(struct span name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (span_is(name, algorithms[i].name))
            return &algorithms[i];
    }
    return NULL;
}

const struct ca_algorithm *ca_algorithm_of_key(struct span type, struct span curve)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        const struct ca_algorithm *algorithm = &algorithms[i];
        if (span_is(type, algorithm->key_type) &&
            (algorithm->curve == NULL || span_is(curve, algorithm->curve)))
            return algorithm;
    }
    return NULL;
}

bool ca_spki_digest(const struct crypto_context *context, struct span spki, unsigned char *digest)
{
    return EVP_Digest(spki.data, spki.len, digest, NULL, crypto_sha256(context), NULL) == 1;
}

static bool thumbprint_make(struct ca_key *key)
{
    unsigned char digest[CA_KEY_DIGEST];
    struct buf text CLEANUP(buf_free);
    buf_init(&text, sizeof key->thumbprint);
    if (EVP_Digest(key->jwk, strlen(key->jwk), digest, NULL, crypto_sha256(key->context), NULL) !=
            1 ||
        !base64url_append(&text, digest, sizeof digest))
        return false;
    memcpy(key->thumbprint, buf_text(&text), sizeof key->thumbprint);
    return true;
}

static bool spki_make(struct ca_key *key)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->key, &der);
    bool ok =
        len > 0 && ca_spki_digest(key->context, span_make(der, (size_t)len), key->spki_digest);
    OPENSSL_free(der);
    return ok;
}

static bool key_prepare(struct ca_key *key)
{
    key->ready = EVP_MD_CTX_new();
    return key->ready != NULL &&
           EVP_DigestVerifyInit_ex(key->ready, NULL, key->algorithm->digest,
                                   crypto_library(key->context), crypto_properties(key->context),
                                   key->key, NULL) == 1 &&
           thumbprint_make(key) && spki_make(key);
}

bool ca_key_read(const struct crypto_context *context, struct ca_json jwk, struct ca_key **ret_key,
                 struct error *error)
{
    struct ca_key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a key");
    atomic_init(&key->references, 1);
    key->context = context;
    if (!ca_jwk_read(jwk, key, error)) {
        ca_key_release(key);
        return false;
    }
    if (!key_prepare(key)) {
        ca_key_release(key);
        return crypto_error(error, "preparing a key");
    }
    struct key_spec spec;
    if (key_spec_of(key->key, &spec))
        key->uses_before_table = ecdsa_verifier_pays_after(spec) / TABLE_HASTE;
    *ret_key = key;
    return true;
}

void ca_key_take(struct ca_key *key)
{
    atomic_fetch_add(&key->references, 1);
}

void ca_key_release(struct ca_key *key)
{
    if (key == NULL || atomic_fetch_sub(&key->references, 1) > 1)
        return;
    struct ecdsa_verifier *table = atomic_load(&key->table);
    if (table != NULL)
        atomic_fetch_sub(&tables, 1);
    ecdsa_verifier_free(table);
    EVP_MD_CTX_free(key->ready);
    EVP_PKEY_free(key->key);
    free(key->jwk);
    free(key);
}

/* Gives the table, and makes it when the key has been used often enough. */
static const struct ecdsa_verifier *table_of(struct ca_key *key)
{
    struct ecdsa_verifier *table = atomic_load_explicit(&key->table, memory_order_acquire);
    if (table != NULL || key->uses_before_table == 0 ||
        atomic_fetch_add(&key->uses, 1) != key->uses_before_table)
        return table;
    /* Only one thread comes here, once; the others use EVP meanwhile. */
    if (atomic_fetch_add(&tables, 1) >= TABLES_MAX ||
        !ecdsa_verifier_new(key->context, key->key, &table, NULL)) {
        atomic_fetch_sub(&tables, 1);
        return NULL;
    }
    atomic_store_explicit(&key->table, table, memory_order_release);
    return table;
}

static bool is_ec(const struct ca_key *key)
{
    return strcmp(key->algorithm->key_type, "EC") == 0;
}

/* JOSE's r and s, each of the curve's width, as OpenSSL wants them. */
static size_t signature_der(struct span raw, unsigned char *out, size_t size)
{
    struct der_writer writer;
    size_t width = raw.len / 2;
    der_writer_init(&writer, out, size);
    der_put_unsigned(&writer, (const unsigned char *)raw.data + width, width);
    der_put_unsigned(&writer, (const unsigned char *)raw.data, width);
    der_wrap(&writer, DER_SEQUENCE, 0);
    size_t len = der_written(&writer);
    if (writer.full)
        return 0;
    memmove(out, writer.at, len);
    return len;
}

static bool verify_by_evp(const struct ca_key *key, struct span input, struct span signature)
{
    unsigned char der[160];
    if (is_ec(key)) {
        size_t len = signature_der(signature, der, sizeof der);
        signature = span_make(der, len);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = signature.len > 0 && context != NULL &&
                EVP_MD_CTX_copy_ex(context, key->ready) == 1 &&
                EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
                                 (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool ca_key_verify(struct ca_key *key, struct span input, struct span signature)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    size_t width = key->algorithm->width;
    if (is_ec(key) && signature.len != 2 * width)
        return false;
    const struct ecdsa_verifier *table = table_of(key);
    if (table == NULL)
        return verify_by_evp(key, input, signature);
    return EVP_Digest(input.data, input.len, digest, &len,
                      crypto_digest(key->context, key->algorithm->digest), NULL) == 1 &&
           ecdsa_verify(table, span_make(digest, len), span_make(signature.data, width),
                        span_from(signature, width));
}
