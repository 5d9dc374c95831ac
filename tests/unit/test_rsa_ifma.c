/* The arithmetic of eight lanes must say what BIGNUM says, in every lane and length. */
#include "rsa/ifma.h"
#include "rsa_fixture.h"

#define ROUNDS 24

static struct ifma ifma;
static BN_CTX *scratch;

/* Random odd moduli with, now and then, digits that are all ones or all zeros. */
static void moduli_make(unsigned bits, unsigned round, uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX])
{
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        uint64_t *number = numbers[lane];
        random_number(number, bits);
        switch ((round + lane) % 6) {
        case 0: /* 2^bits - 1 */
            for (unsigned i = 0; i < bits; i++)
                number[i / LIMB_BITS] |= 1ULL << (i % LIMB_BITS);
            break;
        case 1: /* 2^(bits - 1) + 1 */
            for (unsigned i = 0; i < bits - 1; i++)
                number[i / LIMB_BITS] &= ~(1ULL << (i % LIMB_BITS));
            break;
        case 2: /* small limbs */
            for (unsigned i = 0; i < LIMBS_OF(bits) - 1; i++)
                number[i] &= 3;
            break;
        case 3: /* a run of ones somewhere */
            for (unsigned i = bits / 3; i < bits / 2; i++)
                number[i / LIMB_BITS] |= 1ULL << (i % LIMB_BITS);
            break;
        default:
            break;
        }
        number[0] |= 1;
    }
}

/* A factor below four times the modulus: edges first, then random ones. */
static BIGNUM *factor_make(const BIGNUM *modulus, unsigned choice)
{
    BIGNUM *limit = BN_dup(modulus);
    BIGNUM *factor = BN_new();
    CHECK(BN_lshift(limit, limit, 2) == 1 && BN_rand_range(factor, limit) == 1);
    switch (choice % 8) {
    case 0:
        CHECK(BN_sub(factor, limit, BN_value_one()) == 1);
        break;
    case 1:
        BN_zero(factor);
        break;
    case 2:
        CHECK(BN_one(factor) == 1);
        break;
    case 3:
        CHECK(BN_copy(factor, modulus) != NULL);
        break;
    case 4:
        CHECK(BN_sub(factor, modulus, BN_value_one()) == 1);
        break;
    case 5: /* ones up to the top */
        BN_zero(factor);
        CHECK(BN_set_bit(factor, BN_num_bits(modulus) + 1) == 1 &&
              BN_sub(factor, factor, BN_value_one()) == 1);
        break;
    default:
        break;
    }
    BN_free(limit);
    return factor;
}

static void vector_put(struct ifma_digit *vector, unsigned lane, const BIGNUM *number)
{
    uint64_t limbs[RSA_LIMBS_MAX + 1];
    unsigned char bytes[sizeof limbs];
    CHECK(BN_bn2lebinpad(number, bytes, sizeof bytes) == sizeof bytes);
    limbs_from_bytes(limbs, RSA_LIMBS_MAX + 1, bytes);
    ifma_put(&ifma, vector, lane, limbs, RSA_LIMBS_MAX + 1);
}

static BIGNUM *vector_take(const struct ifma_digit *vector, unsigned lane)
{
    BIGNUM *number = BN_new();
    BIGNUM *digit = BN_new();
    BN_zero(number);
    for (unsigned i = ifma.digits; i-- > 0;) {
        uint64_t value = vector[i].lane[lane];
        CHECK(value >> IFMA_DIGIT_BITS == 0);
        CHECK(BN_lshift(number, number, IFMA_DIGIT_BITS) == 1 && BN_set_word(digit, value) == 1 &&
              BN_add(number, number, digit) == 1);
    }
    BN_free(digit);
    return number;
}

/* result = a b / 2^width modulo the modulus, times two if doubled, and below 2.5 times that. */
static void product_check(const BIGNUM *result, const BIGNUM *a, const BIGNUM *b,
                          const BIGNUM *modulus, bool doubled)
{
    BIGNUM *wanted = BN_new();
    BIGNUM *had = BN_new();
    CHECK(BN_mod_mul(wanted, a, b, modulus, scratch) == 1);
    if (doubled)
        CHECK(BN_mod_lshift1(wanted, wanted, modulus, scratch) == 1);
    CHECK(BN_mod_lshift(had, result, (int)(ifma.digits * IFMA_DIGIT_BITS), modulus, scratch) == 1);
    CHECK(BN_cmp(wanted, had) == 0);
    CHECK(BN_copy(had, modulus) != NULL && BN_lshift(had, had, 1) == 1 &&
          BN_rshift(wanted, modulus, 1) == 1 && BN_add(had, had, wanted) == 1);
    CHECK(BN_cmp(result, had) < 0);
    BN_free(wanted);
    BN_free(had);
}

static void round_check(unsigned bits, unsigned round)
{
    static uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX];
    BIGNUM *modulus[RSA_LANES];
    BIGNUM *x[RSA_LANES];
    BIGNUM *y[RSA_LANES];
    moduli_make(bits, round, numbers);
    ifma_set_moduli(&ifma, bits, (const uint64_t(*)[RSA_LIMBS_MAX])numbers);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        modulus[lane] = big_of(numbers[lane], LIMBS_OF(bits));
        x[lane] = factor_make(modulus[lane], round + lane);
        y[lane] = factor_make(modulus[lane], round / 3 + lane);
        vector_put(ifma.x, lane, x[lane]);
        vector_put(ifma.y, lane, y[lane]);
    }
    ifma_multiply(&ifma);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        BIGNUM *product = vector_take(ifma.x, lane);
        product_check(product, x[lane], y[lane], modulus[lane], false);
        BN_free(product);
        vector_put(ifma.x, lane, x[lane]);
    }
    unsigned doubled = (unsigned)random_below(256);
    ifma_square(&ifma, doubled);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        BIGNUM *square = vector_take(ifma.x, lane);
        product_check(square, x[lane], x[lane], modulus[lane], (doubled >> lane & 1) != 0);
        BN_free(square);
        vector_put(ifma.x, lane, x[lane]);
    }
    ifma_reduce(&ifma);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        BIGNUM *reduced = vector_take(ifma.y, lane);
        product_check(reduced, x[lane], BN_value_one(), modulus[lane], false);
        CHECK(BN_cmp(reduced, modulus[lane]) <= 0);
        BN_free(reduced);
        BN_free(modulus[lane]);
        BN_free(x[lane]);
        BN_free(y[lane]);
    }
}

static void products_are_those_of_bignum(void)
{
    for (size_t size = 0; size < PRIME_SIZES; size++)
        for (unsigned round = 0; round < ROUNDS; round++)
            round_check(prime_bits[size], round);
}

/* A long chain: an error of one carry in 2^20 would show. */
static void chains_of_squares(void)
{
    for (size_t size = 0; size < PRIME_SIZES; size++) {
        static uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX];
        BIGNUM *wanted[RSA_LANES];
        BIGNUM *modulus[RSA_LANES];
        BIGNUM *factor = BN_new();
        moduli_make(prime_bits[size], (unsigned)size, numbers);
        ifma_set_moduli(&ifma, prime_bits[size], (const uint64_t(*)[RSA_LIMBS_MAX])numbers);
        int width = (int)(ifma.digits * IFMA_DIGIT_BITS);
        for (unsigned lane = 0; lane < RSA_LANES; lane++) {
            modulus[lane] = big_of(numbers[lane], LIMBS_OF(prime_bits[size]));
            wanted[lane] = BN_new();
            CHECK(BN_rand_range(wanted[lane], modulus[lane]) == 1);
            vector_put(ifma.x, lane, wanted[lane]);
            /* In Montgomery's form: wanted = x / 2^width. */
            CHECK(BN_one(factor) == 1 && BN_lshift(factor, factor, width) == 1 &&
                  BN_mod_inverse(factor, factor, modulus[lane], scratch) != NULL &&
                  BN_mod_mul(wanted[lane], wanted[lane], factor, modulus[lane], scratch) == 1);
        }
        for (unsigned i = 0; i < 300; i++) {
            ifma_square(&ifma, i % 256);
            for (unsigned lane = 0; lane < RSA_LANES; lane++) {
                CHECK(BN_mod_sqr(wanted[lane], wanted[lane], modulus[lane], scratch) == 1);
                if ((i % 256 >> lane & 1) != 0)
                    CHECK(BN_mod_lshift1(wanted[lane], wanted[lane], modulus[lane], scratch) == 1);
            }
        }
        ifma_reduce(&ifma);
        for (unsigned lane = 0; lane < RSA_LANES; lane++) {
            BIGNUM *had = vector_take(ifma.y, lane);
            CHECK(BN_nnmod(had, had, modulus[lane], scratch) == 1);
            CHECK(BN_cmp(had, wanted[lane]) == 0);
            BN_free(had);
            BN_free(modulus[lane]);
            BN_free(wanted[lane]);
        }
        BN_free(factor);
    }
}

static const struct test tests[] = {
    TEST(products_are_those_of_bignum),
    TEST(chains_of_squares),
};

int main(int argc, char **argv)
{
    if (!ifma_available()) {
        puts("skipped: this processor has no AVX-512 IFMA");
        return 0;
    }
    scratch = BN_CTX_new();
    int result = tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
    BN_CTX_free(scratch);
    return result;
}
