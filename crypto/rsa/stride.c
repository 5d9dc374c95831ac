#include "rsa/stride.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

/* What OpenSSL says of a failure goes no further than scratch_end, and what the application has in
 * the queue of errors stays there. */
static BN_CTX *scratch_begin(void)
{
    ERR_set_mark();
    BN_CTX *scratch = BN_CTX_secure_new();
    if (scratch != NULL)
        BN_CTX_start(scratch);
    return scratch;
}

static void scratch_end(BN_CTX *scratch)
{
    if (scratch != NULL)
        BN_CTX_end(scratch);
    BN_CTX_free(scratch);
    ERR_pop_to_mark();
}

static bool failed(struct error *error)
{
    return error_set(error, ERROR_CRYPTO, "OpenSSL could not compute with an RSA key's primes");
}

/* A number of scratch, taken in constant time by what OpenSSL does with it; NULL on failure. */
static BIGNUM *number_of(BN_CTX *scratch, const uint64_t *limbs, unsigned count)
{
    unsigned char bytes[RSA_PRIME_MAX];
    BIGNUM *number = BN_CTX_get(scratch);
    if (number == NULL)
        return NULL;
    BN_set_flags(number, BN_FLG_CONSTTIME);
    limbs_to_bytes(limbs, count, bytes);
    bool ok = BN_lebin2bn(bytes, (int)(8 * count), number) != NULL;
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok ? number : NULL;
}

static BIGNUM *number_empty(BN_CTX *scratch)
{
    BIGNUM *number = BN_CTX_get(scratch);
    if (number != NULL)
        BN_set_flags(number, BN_FLG_CONSTTIME);
    return number;
}

static bool number_to(const BIGNUM *number, uint64_t *limbs, unsigned count)
{
    unsigned char bytes[RSA_PRIME_MAX];
    bool ok = BN_bn2lebinpad(number, bytes, (int)(8 * count)) == (int)(8 * count);
    if (ok)
        limbs_from_bytes(limbs, count, bytes);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok;
}

static bool stride_compute(BN_CTX *scratch, BIGNUM *r1, BIGNUM *r2, const BIGNUM *x, BIGNUM *stride,
                           BIGNUM *start)
{
    BIGNUM *one = number_empty(scratch);
    BIGNUM *other = number_empty(scratch);
    return one != NULL && other != NULL && BN_lshift1(r1, r1) == 1 &&
           BN_mul(stride, r1, r2, scratch) == 1 &&
           /* one = 1 modulo 2 r1, 0 modulo r2; other the other way round */
           BN_mod_inverse(one, r2, r1, scratch) != NULL && BN_mul(one, one, r2, scratch) == 1 &&
           BN_mod_inverse(other, r1, r2, scratch) != NULL &&
           BN_mul(other, other, r1, scratch) == 1 && BN_sub(one, one, other) == 1 &&
           BN_sub(one, one, x) == 1 && BN_nnmod(one, one, stride, scratch) == 1 &&
           BN_add(start, x, one) == 1;
}

bool stride_make(const uint64_t *r1, const uint64_t *r2, unsigned auxiliary_bits, const uint64_t *x,
                 unsigned bits, struct sequence *sequence, bool *ret_fits, struct error *error)
{
    BN_CTX *scratch = scratch_begin();
    unsigned auxiliary = LIMBS_OF(auxiliary_bits);
    bool ok = false;
    if (scratch != NULL) {
        BIGNUM *a = number_of(scratch, r1, auxiliary);
        BIGNUM *b = number_of(scratch, r2, auxiliary);
        BIGNUM *from = number_of(scratch, x, LIMBS_OF(bits));
        BIGNUM *stride = number_empty(scratch);
        BIGNUM *start = number_empty(scratch);
        ok = a != NULL && b != NULL && from != NULL && start != NULL &&
             stride_compute(scratch, a, b, from, stride, start);
        bool fits = ok && BN_num_bits(start) <= (int)bits;
        if (fits)
            ok = number_to(start, sequence->start, LIMBS_OF(bits)) &&
                 number_to(stride, sequence->stride, LIMBS_OF(2 * auxiliary_bits + 1));
        if (ok)
            *ret_fits = fits;
    }
    scratch_end(scratch);
    return ok || failed(error);
}

bool far_apart(const uint64_t *a, const uint64_t *b, unsigned bits)
{
    static const uint64_t one[RSA_LIMBS_MAX] = {1};
    unsigned count = LIMBS_OF(bits);
    uint64_t distance[RSA_LIMBS_MAX];
    uint64_t far = 0;
    bool less = limbs_less(a, b, count) != 0;
    limbs_subtract(distance, less ? b : a, less ? a : b, count);
    uint64_t equal = limbs_subtract(distance, distance, one, count);
    for (unsigned at = bits - 100; at < bits; at += LIMB_BITS)
        far |= limbs_bits(distance, count, at);
    OPENSSL_cleanse(distance, sizeof distance);
    return equal == 0 && far != 0;
}

struct key_numbers {
    BIGNUM *p, *q, *n, *p_less_1, *q_less_1, *d, *dp, *dq, *qinv, *common, *e;
};

/* d = 1 / e modulo the least common multiple of p - 1 and q - 1. */
static bool key_compute(struct key_numbers *key, BN_CTX *scratch)
{
    return BN_mul(key->n, key->p, key->q, scratch) == 1 && BN_set_word(key->e, RSA_EXPONENT) == 1 &&
           BN_sub(key->p_less_1, key->p, BN_value_one()) == 1 &&
           BN_sub(key->q_less_1, key->q, BN_value_one()) == 1 &&
           BN_gcd(key->common, key->p_less_1, key->q_less_1, scratch) == 1 &&
           BN_div(key->dp, NULL, key->p_less_1, key->common, scratch) == 1 &&
           BN_mul(key->common, key->dp, key->q_less_1, scratch) == 1 &&
           BN_mod_inverse(key->d, key->e, key->common, scratch) != NULL &&
           BN_mod(key->dp, key->d, key->p_less_1, scratch) == 1 &&
           BN_mod(key->dq, key->d, key->q_less_1, scratch) == 1 &&
           BN_mod_inverse(key->qinv, key->q, key->p, scratch) != NULL;
}

static bool key_write(const struct key_numbers *key, unsigned bits, struct rsa_numbers *numbers)
{
    int whole = (int)bits / 8;
    int half = whole / 2;
    numbers->bits = bits;
    return BN_bn2binpad(key->n, numbers->n, whole) == whole &&
           BN_bn2binpad(key->d, numbers->d, whole) == whole &&
           BN_bn2binpad(key->p, numbers->p, half) == half &&
           BN_bn2binpad(key->q, numbers->q, half) == half &&
           BN_bn2binpad(key->dp, numbers->dp, half) == half &&
           BN_bn2binpad(key->dq, numbers->dq, half) == half &&
           BN_bn2binpad(key->qinv, numbers->qinv, half) == half;
}

bool numbers_make(const uint64_t *p, const uint64_t *q, unsigned bits,
                  struct rsa_numbers *ret_numbers, bool *ret_good, struct error *error)
{
    BN_CTX *scratch = scratch_begin();
    bool ok = false;
    if (scratch != NULL) {
        unsigned limbs = LIMBS_OF(bits / 2);
        bool less = limbs_less(p, q, limbs) != 0;
        struct key_numbers key = {.p = number_of(scratch, less ? q : p, limbs),
                                  .q = number_of(scratch, less ? p : q, limbs),
                                  .n = number_empty(scratch),
                                  .p_less_1 = number_empty(scratch),
                                  .q_less_1 = number_empty(scratch),
                                  .d = number_empty(scratch),
                                  .dp = number_empty(scratch),
                                  .dq = number_empty(scratch),
                                  .qinv = number_empty(scratch),
                                  .common = number_empty(scratch),
                                  .e = number_empty(scratch)};
        ok = key.p != NULL && key.q != NULL && key.e != NULL && key_compute(&key, scratch);
        bool good = ok && far_apart(p, q, bits / 2) && BN_num_bits(key.n) == (int)bits &&
                    BN_num_bits(key.d) > (int)(bits / 2);
        if (good)
            ok = key_write(&key, bits, ret_numbers);
        if (ok)
            *ret_good = good;
    }
    scratch_end(scratch);
    return ok || failed(error);
}
