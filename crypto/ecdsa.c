/* The curve's arithmetic is libcrypto's, by a function of it that OpenSSL 3.0 calls deprecated and
 * nothing replaces: EC_GROUP_precompute_mult, which makes the table of multiples for a group's
 * generator. Here the generator is the public key. */
#define OPENSSL_SUPPRESS_DEPRECATED /* NOLINT(bugprone-reserved-identifier) */
#include "crypto/ecdsa.h"

#include "der.h"
#include "key_der.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>

struct ecdsa_verifier {
    OSSL_LIB_CTX *library;
    EC_GROUP *base; /* the curve; outside of P-256 with a table for its generator */
    EC_GROUP *own;  /* the same with the public key for its generator, and a table for that */
    /* What makes EC_POINT_mul take the way with a table outside of P-256, where a lone generator
     * goes a slow way meant for secret numbers: one times infinity is added. NULL for P-256, which
     * uses its table by itself. */
    EC_POINT *infinity;
    BIGNUM *one;
};

/* For P-521 libcrypto has other arithmetic, which is quicker without such a table. */
static int curve_of(struct key_spec spec)
{
    if (spec.type != KEY_ECDSA)
        return NID_undef;
    return spec.bits == 256 ? NID_X9_62_prime256v1 : spec.bits == 384 ? NID_secp384r1 : NID_undef;
}

unsigned ecdsa_verifier_pays_after(struct key_spec spec)
{
    if (curve_of(spec) == NID_undef)
        return 0;
    return spec.bits == 256 ? 700 : 8;
}

static bool tables_make(struct ecdsa_verifier *verifier, const EC_POINT *point, unsigned bits)
{
    const EC_GROUP *base = verifier->base;
    verifier->own = EC_GROUP_dup(base);
    if (verifier->own == NULL ||
        EC_GROUP_set_generator(verifier->own, point, EC_GROUP_get0_order(base),
                               EC_GROUP_get0_cofactor(base)) != 1 ||
        EC_GROUP_precompute_mult(verifier->own, NULL) != 1)
        return false;
    if (bits == 256)
        return true;
    verifier->infinity = EC_POINT_new(base);
    verifier->one = BN_new();
    return verifier->infinity != NULL && verifier->one != NULL &&
           EC_POINT_set_to_infinity(base, verifier->infinity) == 1 && BN_one(verifier->one) == 1 &&
           EC_GROUP_precompute_mult(verifier->base, NULL) == 1;
}

static bool verifier_fill(struct ecdsa_verifier *verifier, EVP_PKEY *key, struct key_spec spec,
                          struct error *error)
{
    struct key_point point;
    TRY(key_point_of(key, spec, &point, error));
    verifier->base = EC_GROUP_new_by_curve_name_ex(verifier->library, NULL, curve_of(spec));
    EC_POINT *public_point = verifier->base != NULL ? EC_POINT_new(verifier->base) : NULL;
    BIGNUM *x = BN_bin2bn(point.x, (int)point.width, NULL);
    BIGNUM *y = BN_bin2bn(point.y, (int)point.width, NULL);
    /* Fails for a point that is not on the curve. */
    bool ok = public_point != NULL && x != NULL && y != NULL &&
              EC_POINT_set_affine_coordinates(verifier->base, public_point, x, y, NULL) == 1 &&
              tables_make(verifier, public_point, spec.bits);
    BN_free(x);
    BN_free(y);
    EC_POINT_free(public_point);
    return ok || crypto_error(error, "preparing a public key");
}

bool ecdsa_verifier_new(const struct crypto_context *context, EVP_PKEY *key,
                        struct ecdsa_verifier **ret_verifier, struct error *error)
{
    struct key_spec spec;
    if (!key_spec_of(key, &spec) || curve_of(spec) == NID_undef)
        return error_set(error, ERROR_CONFIG, "not an ECDSA key on P-256 or P-384");
    struct ecdsa_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a public key");
    verifier->library = crypto_library(context);
    if (!verifier_fill(verifier, key, spec, error)) {
        ecdsa_verifier_free(verifier);
        return false;
    }
    *ret_verifier = verifier;
    return true;
}

void ecdsa_verifier_free(struct ecdsa_verifier *verifier)
{
    if (verifier == NULL)
        return;
    EC_POINT_free(verifier->infinity);
    BN_free(verifier->one);
    EC_GROUP_free(verifier->own);
    EC_GROUP_free(verifier->base);
    free(verifier);
}

/* factor times the group's generator. */
static bool multiply(const struct ecdsa_verifier *verifier, const EC_GROUP *group,
                     const BIGNUM *factor, EC_POINT *product, BN_CTX *scratch)
{
    return EC_POINT_mul(group, product, factor, verifier->infinity, verifier->one, scratch) == 1;
}

/* The leftmost bits of the hash, as many as the order has. */
static bool hash_to_number(struct span hash, const BIGNUM *order, BIGNUM *number)
{
    int bits = BN_num_bits(order);
    size_t bytes = ((size_t)bits + 7) / 8;
    if (hash.len > bytes)
        hash.len = bytes;
    if (BN_bin2bn((const unsigned char *)hash.data, (int)hash.len, number) == NULL)
        return false;
    int surplus = (int)hash.len * 8 - bits;
    return surplus <= 0 || BN_rshift(number, number, surplus) == 1;
}

static bool number_read(struct span bytes, const BIGNUM *order, BIGNUM *number)
{
    return bytes.len <= 2 * sizeof(struct key_point) &&
           BN_bin2bn((const unsigned char *)bytes.data, (int)bytes.len, number) != NULL &&
           !BN_is_zero(number) && BN_ucmp(number, order) < 0;
}

/* Is the point's affine x, which is X / Z^2, congruent to r modulo the order? Asked without the
 * division: X = r Z^2 modulo the field's prime. x may be larger than the order, which is smaller
 * than the prime: then it is r + order. Changes r. */
static bool x_is(const struct ecdsa_verifier *verifier, const EC_POINT *point, BIGNUM *r,
                 BN_CTX *scratch)
{
    const BIGNUM *order = EC_GROUP_get0_order(verifier->base);
    const BIGNUM *prime = EC_GROUP_get0_field(verifier->base);
    BIGNUM *x = BN_CTX_get(scratch);
    BIGNUM *z = BN_CTX_get(scratch);
    BIGNUM *product = BN_CTX_get(scratch);
    if (product == NULL ||
        EC_POINT_get_Jprojective_coordinates_GFp(verifier->base, point, x, NULL, z, scratch) != 1 ||
        BN_mod_sqr(z, z, prime, scratch) != 1)
        return false;
    if (BN_mod_mul(product, r, z, prime, scratch) != 1)
        return false;
    if (BN_ucmp(product, x) == 0)
        return true;
    return BN_add(r, r, order) == 1 && BN_ucmp(r, prime) < 0 &&
           BN_mod_mul(product, r, z, prime, scratch) == 1 && BN_ucmp(product, x) == 0;
}

static bool verify(const struct ecdsa_verifier *verifier, struct span hash, struct span r_bytes,
                   struct span s_bytes, EC_POINT *sum, EC_POINT *part, BN_CTX *scratch)
{
    const BIGNUM *order = EC_GROUP_get0_order(verifier->base);
    BIGNUM *r = BN_CTX_get(scratch);
    BIGNUM *s = BN_CTX_get(scratch);
    BIGNUM *factor = BN_CTX_get(scratch);
    if (factor == NULL || !number_read(r_bytes, order, r) || !number_read(s_bytes, order, s) ||
        !hash_to_number(hash, order, factor))
        return false;
    /* sum = (hash / s) G + (r / s) Q; nothing here is secret, so that a quick inverse will do. */
    if (BN_mod_inverse(s, s, order, scratch) == NULL ||
        BN_mod_mul(factor, factor, s, order, scratch) != 1 ||
        !multiply(verifier, verifier->base, factor, sum, scratch) ||
        BN_mod_mul(factor, r, s, order, scratch) != 1 ||
        !multiply(verifier, verifier->own, factor, part, scratch) ||
        EC_POINT_add(verifier->base, sum, sum, part, scratch) != 1 ||
        EC_POINT_is_at_infinity(verifier->base, sum) == 1)
        return false;
    return x_is(verifier, sum, r, scratch);
}

bool ecdsa_verify(const struct ecdsa_verifier *verifier, struct span hash, struct span r,
                  struct span s)
{
    BN_CTX *scratch = BN_CTX_new_ex(verifier->library);
    EC_POINT *sum = EC_POINT_new(verifier->base);
    EC_POINT *part = EC_POINT_new(verifier->own);
    bool ok = false;
    if (scratch != NULL && sum != NULL && part != NULL) {
        BN_CTX_start(scratch);
        ok = verify(verifier, hash, r, s, sum, part, scratch);
        BN_CTX_end(scratch);
    }
    EC_POINT_free(sum);
    EC_POINT_free(part);
    BN_CTX_free(scratch);
    ERR_clear_error();
    return ok;
}

/* A positive INTEGER in its shortest form. */
static bool integer_take(struct span *rest, struct span *ret_number)
{
    struct span number;
    TRY(der_take(rest, DER_INTEGER, &number));
    if (number.len == 0 || (number.data[0] & 0x80) != 0)
        return false;
    if (number.len > 1 && number.data[0] == 0) {
        if ((number.data[1] & 0x80) == 0)
            return false;
        number = span_from(number, 1);
    }
    *ret_number = number;
    return true;
}

bool ecdsa_verify_der(const struct ecdsa_verifier *verifier, struct span hash,
                      struct span signature)
{
    struct span pair;
    struct span r;
    struct span s;
    return der_take(&signature, DER_SEQUENCE, &pair) && signature.len == 0 &&
           integer_take(&pair, &r) && integer_take(&pair, &s) && pair.len == 0 &&
           ecdsa_verify(verifier, hash, r, s);
}
