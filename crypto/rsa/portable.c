#include "rsa/portable.h"

#include "rsa/tester.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

struct portable {
    BN_CTX *scratch;
    BN_MONT_CTX *montgomery;
    BIGNUM *number, *less_one, *exponent, *base, *power, *two;
    unsigned limbs;
};

bool portable_new(struct portable **ret_portable, struct error *error)
{
    struct portable *portable = OPENSSL_zalloc(sizeof *portable);
    if (portable == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a search of primes");
    ERR_set_mark();
    portable->scratch = BN_CTX_secure_new();
    portable->montgomery = BN_MONT_CTX_new();
    portable->number = BN_secure_new();
    portable->less_one = BN_secure_new();
    portable->exponent = BN_secure_new();
    portable->base = BN_secure_new();
    portable->power = BN_secure_new();
    portable->two = BN_new();
    bool ok = portable->scratch != NULL && portable->montgomery != NULL &&
              portable->number != NULL && portable->less_one != NULL &&
              portable->exponent != NULL && portable->base != NULL && portable->power != NULL &&
              portable->two != NULL && BN_set_word(portable->two, 2) == 1;
    ERR_pop_to_mark();
    if (!ok) {
        portable_free(portable);
        return error_set(error, ERROR_MEMORY, "no memory for a search of primes");
    }
    BN_set_flags(portable->number, BN_FLG_CONSTTIME);
    BN_set_flags(portable->exponent, BN_FLG_CONSTTIME);
    *ret_portable = portable;
    return true;
}

void portable_free(struct portable *portable)
{
    if (portable == NULL)
        return;
    BN_MONT_CTX_free(portable->montgomery);
    BN_clear_free(portable->number);
    BN_clear_free(portable->less_one);
    BN_clear_free(portable->exponent);
    BN_clear_free(portable->base);
    BN_clear_free(portable->power);
    BN_free(portable->two);
    BN_CTX_free(portable->scratch);
    OPENSSL_free(portable);
}

/* Ends what began with ERR_set_mark: OpenSSL's own words go no further, and what the application
 * has in the queue stays there. */
static bool computed(bool ok, struct error *error)
{
    ERR_pop_to_mark();
    return ok || error_set(error, ERROR_CRYPTO, "OpenSSL could not compute with a candidate");
}

static bool number_set(BIGNUM *number, const uint64_t *limbs, unsigned count)
{
    unsigned char bytes[RSA_PRIME_MAX];
    limbs_to_bytes(limbs, count, bytes);
    bool ok = BN_lebin2bn(bytes, (int)(8 * count), number) != NULL;
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok;
}

bool portable_set(struct portable *portable, const uint64_t *number, unsigned bits,
                  struct error *error)
{
    portable->limbs = LIMBS_OF(bits);
    ERR_set_mark();
    return computed(
        number_set(portable->number, number, portable->limbs) &&
            BN_sub(portable->less_one, portable->number, BN_value_one()) == 1 &&
            BN_MONT_CTX_set(portable->montgomery, portable->number, portable->scratch) == 1,
        error);
}

static bool is_one_or_less_one(const struct portable *portable)
{
    return BN_is_one(portable->power) || BN_cmp(portable->power, portable->less_one) == 0;
}

bool portable_first(struct portable *portable, bool *ret_likely, struct error *error)
{
    ERR_set_mark();
    TRY(computed(BN_rshift1(portable->exponent, portable->less_one) == 1 &&
                     BN_mod_exp_mont_consttime(portable->power, portable->two, portable->exponent,
                                               portable->number, portable->scratch,
                                               portable->montgomery) == 1,
                 error));
    *ret_likely = is_one_or_less_one(portable);
    return true;
}

/* One more squaring. By Montgomery's way, for BN_mod_sqr divides, and that takes a time that
 * depends on what is divided. `base` is free by then. */
static bool power_square(struct portable *portable)
{
    return BN_to_montgomery(portable->base, portable->power, portable->montgomery,
                            portable->scratch) == 1 &&
           BN_mod_mul_montgomery(portable->power, portable->base, portable->power,
                                 portable->montgomery, portable->scratch) == 1;
}

bool portable_round(struct portable *portable, const uint64_t *base, bool *ret_passed,
                    struct error *error)
{
    int twos = 1;
    while (!BN_is_bit_set(portable->less_one, twos))
        twos++;
    ERR_set_mark();
    bool ok =
        number_set(portable->base, base, portable->limbs) &&
        BN_rshift(portable->exponent, portable->less_one, twos) == 1 &&
        BN_mod_exp_mont_consttime(portable->power, portable->base, portable->exponent,
                                  portable->number, portable->scratch, portable->montgomery) == 1;
    bool passed = ok && is_one_or_less_one(portable);
    for (int squared = 1; ok && !passed && squared < twos; squared++) {
        ok = power_square(portable);
        passed = ok && BN_cmp(portable->power, portable->less_one) == 0;
    }
    TRY(computed(ok, error));
    *ret_passed = passed;
    return true;
}
