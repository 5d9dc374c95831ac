#include "key_der.h"

#include "context_internal.h"
#include "native.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define POINT_UNCOMPRESSED 0x04 /* SEC 1 section 2.3.3 */
#define RSA_NUMBER_MAX     (16384 / 8)

static const char oid_ec_public_key[] = "\x2a\x86\x48\xce\x3d\x02\x01";
static const char oid_rsa_encryption[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

struct span key_curve_oid(struct key_spec spec)
{
    if (spec.type == KEY_ECDSA && spec.bits == 256)
        return SPAN_LITERAL("\x2a\x86\x48\xce\x3d\x03\x01\x07");
    if (spec.type == KEY_ECDSA && spec.bits == 384)
        return SPAN_LITERAL("\x2b\x81\x04\x00\x22");
    if (spec.type == KEY_ECDSA && spec.bits == 521)
        return SPAN_LITERAL("\x2b\x81\x04\x00\x23");
    return (struct span){0};
}

size_t key_field_width(unsigned bits)
{
    return ((size_t)bits + 7) / 8;
}

static bool number_read(const EVP_PKEY *key, const char *name, unsigned char *bytes, size_t width,
                        struct error *error)
{
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
              BN_bn2binpad(number, bytes, (int)width) == (int)width;
    BN_free(number);
    return ok || crypto_error(error, "reading the public key");
}

bool key_point_of(const EVP_PKEY *key, struct key_spec spec, struct key_point *ret_point,
                  struct error *error)
{
    struct key_point point = {.width = key_field_width(spec.bits)};
    unsigned char encoded[1 + 2 * KEY_POINT_MAX];
    size_t len = 0;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof encoded,
                                        &len) != 1)
        return crypto_error(error, "reading the public key");
    if (len == 1 + 2 * point.width && encoded[0] == POINT_UNCOMPRESSED) {
        memcpy(point.x, encoded + 1, point.width);
        memcpy(point.y, encoded + 1 + point.width, point.width);
    } else {
        /* A key that was read from a file may keep its point compressed. */
        TRY(number_read(key, OSSL_PKEY_PARAM_EC_PUB_X, point.x, point.width, error));
        TRY(number_read(key, OSSL_PKEY_PARAM_EC_PUB_Y, point.y, point.width, error));
    }
    *ret_point = point;
    return true;
}

bool key_rsa_number(const EVP_PKEY *key, const char *name, unsigned char *bytes, size_t size,
                    size_t *ret_len, struct error *error)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return crypto_error(error, "reading the public key");
    size_t len = (size_t)BN_num_bytes(number);
    bool fits = len <= size;
    if (fits)
        BN_bn2bin(number, bytes);
    BN_free(number);
    if (!fits)
        return error_set(error, ERROR_LIMIT, "an RSA key of %zu bits", len * 8);
    *ret_len = len;
    return true;
}

/* AlgorithmIdentifier ::= SEQUENCE { ecPublicKey, curve } */
static void put_curve(struct der_writer *writer, struct key_spec spec)
{
    struct span curve = key_curve_oid(spec);
    size_t mark = der_written(writer);
    der_put_element(writer, DER_OID, curve.data, curve.len);
    der_put_element(writer, DER_OID, oid_ec_public_key, sizeof oid_ec_public_key - 1);
    der_wrap(writer, DER_SEQUENCE, mark);
}

/* BIT STRING { 04 x y } */
static void put_point(struct der_writer *writer, const struct key_point *point)
{
    static const unsigned char head[] = {0, POINT_UNCOMPRESSED}; /* no unused bits */
    size_t mark = der_written(writer);
    der_put(writer, point->y, point->width);
    der_put(writer, point->x, point->width);
    der_put(writer, head, sizeof head);
    der_wrap(writer, DER_BIT_STRING, mark);
}

static bool put_rsa_public(struct der_writer *writer, const EVP_PKEY *key, struct error *error)
{
    unsigned char number[RSA_NUMBER_MAX];
    size_t len = 0;
    size_t mark = der_written(writer);
    TRY(key_rsa_number(key, OSSL_PKEY_PARAM_RSA_E, number, sizeof number, &len, error));
    der_put_unsigned(writer, number, len);
    TRY(key_rsa_number(key, OSSL_PKEY_PARAM_RSA_N, number, sizeof number, &len, error));
    der_put_unsigned(writer, number, len);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_put(writer, "", 1); /* the bit string's count of unused bits */
    der_wrap(writer, DER_BIT_STRING, mark);
    size_t algorithm = der_written(writer);
    der_put_element(writer, DER_NULL, NULL, 0);
    der_put_element(writer, DER_OID, oid_rsa_encryption, sizeof oid_rsa_encryption - 1);
    der_wrap(writer, DER_SEQUENCE, algorithm);
    der_wrap(writer, DER_SEQUENCE, mark);
    return true;
}

bool key_put_public(struct der_writer *writer, const EVP_PKEY *key, struct key_spec spec,
                    struct error *error)
{
    if (spec.type == KEY_RSA)
        return put_rsa_public(writer, key, error);
    struct key_point point = {0};
    TRY(key_point_of(key, spec, &point, error));
    size_t mark = der_written(writer);
    put_point(writer, &point);
    put_curve(writer, spec);
    der_wrap(writer, DER_SEQUENCE, mark);
    return true;
}

/* Straight into the caller's buffer: no copy stays anywhere else. */
bool key_private_number(const EVP_PKEY *key, unsigned char *bytes, size_t width,
                        struct error *error)
{
    OSSL_PARAM wanted[] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, bytes, width),
                           OSSL_PARAM_construct_end()};
    if (EVP_PKEY_get_params(key, wanted) != 1 || !OSSL_PARAM_modified(wanted) ||
        wanted[0].return_size != width)
        return crypto_error(error, "reading the private key");
    native_swap(bytes, width);
    return true;
}

/* OCTET STRING { the private number } */
static bool put_scalar(struct der_writer *writer, const EVP_PKEY *key, size_t width,
                       struct error *error)
{
    static const unsigned char zeros[KEY_POINT_MAX];
    size_t mark = der_written(writer);
    der_put(writer, zeros, width);
    if (writer->full)
        return error_set(error, ERROR_LIMIT, "a private key larger than it can be");
    TRY(key_private_number(key, writer->at, width, error));
    der_wrap(writer, DER_OCTET_STRING, mark);
    return true;
}

bool key_put_private(struct der_writer *writer, const EVP_PKEY *key, struct key_spec spec,
                     struct span public_der, struct error *error)
{
    static const unsigned char version_0 = 0; /* of PrivateKeyInfo */
    static const unsigned char version_1 = 1; /* of ECPrivateKey */
    struct span rest;
    struct span algorithm;
    struct span point;
    if (!der_take(&public_der, DER_SEQUENCE, &rest) || !der_take(&rest, DER_SEQUENCE, &algorithm) ||
        !der_take_whole(&rest, DER_BIT_STRING, &point))
        return error_set(error, ERROR_CRYPTO, "the public key is not what it was written as");
    size_t mark = der_written(writer);
    der_put(writer, point.data, point.len);
    der_wrap(writer, DER_CONTEXT_CONSTRUCTED(1), mark);
    TRY(put_scalar(writer, key, key_field_width(spec.bits), error));
    der_put_element(writer, DER_INTEGER, &version_1, 1);
    der_wrap(writer, DER_SEQUENCE, mark);
    der_wrap(writer, DER_OCTET_STRING, mark);
    put_curve(writer, spec);
    der_put_element(writer, DER_INTEGER, &version_0, 1);
    der_wrap(writer, DER_SEQUENCE, mark);
    return !writer->full || error_set(error, ERROR_LIMIT, "a private key larger than it can be");
}

bool key_public_der(const EVP_PKEY *key, struct buf *der, struct error *error)
{
    unsigned char bytes[KEY_PUBLIC_DER_MAX];
    struct key_spec spec;
    struct der_writer writer;
    der_writer_init(&writer, bytes, sizeof bytes);
    if (!key_spec_of(key, &spec))
        return error_set(error, ERROR_CONFIG, "a key of a kind that certmill does not use");
    TRY(key_put_public(&writer, key, spec, error));
    if (writer.full || !buf_append(der, writer.at, der_written(&writer)))
        return error_set(error, ERROR_MEMORY, "no memory for a public key");
    return true;
}
