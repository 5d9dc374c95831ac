/* The verdicts of both paths must be those of BN_check_prime: on random candidates of every length,
 * in every lane, and on composites made to deceive. */
#include "rsa/tester.h"
#include "rsa_deceivers.h"
#include "rsa_fixture.h"

static struct tester *testers[2]; /* IFMA's, or NULL; portable */
static BN_CTX *scratch;
static struct random_pool pool = {.caller = &openssl_caller};

static BIGNUM *linear(const BIGNUM *x, BN_ULONG factor, int summand)
{
    BIGNUM *result = BN_dup(x);
    CHECK(BN_mul_word(result, factor) == 1);
    CHECK((summand > 0 ? BN_add_word(result, 1) : BN_sub_word(result, 1)) == 1);
    return result;
}

static BIGNUM *deceiver_make(const struct deceiver *deceiver)
{
    BIGNUM *x = NULL;
    BIGNUM *product = BN_new();
    CHECK(BN_hex2bn(&x, deceiver->hex) > 0);
    if (deceiver->carmichael) {
        BIGNUM *a = linear(x, 6, 1);
        BIGNUM *b = linear(x, 12, 1);
        BIGNUM *c = linear(x, 18, 1);
        CHECK(BN_check_prime(a, scratch, NULL) == 1 && BN_check_prime(b, scratch, NULL) == 1 &&
              BN_check_prime(c, scratch, NULL) == 1);
        CHECK(BN_mul(product, a, b, scratch) == 1 && BN_mul(product, product, c, scratch) == 1);
        BN_free(a);
        BN_free(b);
        BN_free(c);
    } else {
        BIGNUM *other = linear(x, 2, -1);
        CHECK(BN_check_prime(x, scratch, NULL) == 1 && BN_check_prime(other, scratch, NULL) == 1);
        CHECK(BN_mul(product, x, other, scratch) == 1);
        BN_free(other);
    }
    BN_free(x);
    CHECK_INT(BN_num_bits(product), deceiver->bits);
    return product;
}

/* What a round of Miller and Rabin is, written as in FIPS 186-5 B.3.1. */
static bool round_by_the_book(const BIGNUM *number, const BIGNUM *base)
{
    BIGNUM *less_1 = BN_dup(number);
    BIGNUM *power = BN_dup(number);
    int a = 1;
    CHECK(BN_sub_word(less_1, 1) == 1);
    while (!BN_is_bit_set(less_1, a))
        a++;
    CHECK(BN_rshift(power, less_1, a) == 1 && BN_mod_exp(power, base, power, number, scratch) == 1);
    bool passed = BN_is_one(power) || BN_cmp(power, less_1) == 0;
    for (int j = 1; j < a && !passed; j++) {
        CHECK(BN_mod_sqr(power, power, number, scratch) == 1);
        passed = BN_cmp(power, less_1) == 0;
    }
    BN_free(less_1);
    BN_free(power);
    return passed;
}

/* Primes among random odd numbers are rare: `hunted` of the lanes get one. */
static void candidates_make(struct candidates *candidates, unsigned bits, unsigned hunted)
{
    candidates->bits = bits;
    candidates->count = RSA_LANES;
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        random_number(candidates->number[lane], bits);
        candidates->number[lane][0] |= 1;
    }
    while (hunted-- > 0) {
        BIGNUM *prime = BN_new();
        CHECK(BN_generate_prime_ex(prime, (int)bits, 0, NULL, NULL, NULL) == 1);
        big_to(prime, candidates->number[random_below(RSA_LANES)]);
        BN_free(prime);
    }
}

static void first_check(struct tester *tester, const struct candidates *all, unsigned prime)
{
    unsigned lanes = tester_lanes(tester);
    struct error error;
    for (unsigned from = 0; from < RSA_LANES; from += lanes) {
        struct candidates some = {.bits = all->bits, .count = lanes};
        unsigned likely = 0;
        memcpy(some.number, all->number[from], lanes * sizeof all->number[0]);
        CHECK_OK(tester_first(tester, &some, &likely, &error), error);
        CHECK_INT(likely, prime >> from & ((1U << lanes) - 1));
    }
}

static void verdicts_are_those_of_openssl(void)
{
    static struct candidates candidates;
    for (size_t size = 0; size < PRIME_SIZES; size++) {
        unsigned bits = prime_bits[size];
        unsigned batches = bits < 1024 ? 200 : 2048 / bits * 12;
        unsigned primes = 0;
        for (unsigned batch = 0; batch < batches; batch++) {
            unsigned prime = 0;
            candidates_make(&candidates, bits, bits < 1024 ? 3 : batch % 6 == 0);
            for (unsigned lane = 0; lane < RSA_LANES; lane++) {
                BIGNUM *number = big_of(candidates.number[lane], LIMBS_OF(bits));
                prime |= (unsigned)(BN_check_prime(number, scratch, NULL) == 1) << lane;
                BN_free(number);
            }
            for (unsigned i = 0; i < 2; i++)
                if (testers[i] != NULL && (i == 0 || batch % 4 == 0))
                    first_check(testers[i], &candidates, prime);
            primes += (unsigned)__builtin_popcount(prime);
        }
        CHECK(primes > 0);
    }
}

/* How often 2 must be taken away until 3 divides what is left; the lowest limb has room for it. */
static uint64_t two_thirds(uint64_t *limbs, unsigned bits)
{
    limbs[0] |= 8;
    BIGNUM *number = big_of(limbs, LIMBS_OF(bits));
    uint64_t rest = BN_mod_word(number, 3);
    BN_free(number);
    return 2 * rest % 3;
}

/* One prime, in each lane once, and alone. */
static void every_lane_finds_a_prime(void)
{
    static struct candidates candidates;
    struct error error;
    for (size_t size = 0; size < PRIME_SIZES && testers[0] != NULL; size++) {
        BIGNUM *prime = BN_new();
        CHECK(BN_generate_prime_ex(prime, (int)prime_bits[size], 0, NULL, NULL, NULL) == 1);
        for (unsigned lane = 0; lane < RSA_LANES; lane++) {
            unsigned likely = 0;
            candidates_make(&candidates, prime_bits[size], 0);
            for (unsigned i = 0; i < RSA_LANES; i++) /* three divides them */
                candidates.number[i][0] -= 2 * two_thirds(candidates.number[i], prime_bits[size]);
            big_to(prime, candidates.number[lane]);
            CHECK_OK(tester_first(testers[0], &candidates, &likely, &error), error);
            CHECK_INT(likely, 1U << lane);
        }
        BN_free(prime);
    }
}

/* With given bases a round is the book's: for primes, random composites, and deceivers, of which
 * the strong pseudoprimes must pass to base 2 and fail to most others. */
static void rounds_are_those_of_the_book(void)
{
    static struct candidates candidates;
    static uint64_t bases[RSA_LANES][RSA_LIMBS_MAX];
    struct error error;
    unsigned passes = 0;
    unsigned failures = 0;
    for (unsigned i = 0; i < 20 * PRIME_SIZES; i++) {
        unsigned bits = prime_bits[i % PRIME_SIZES];
        unsigned wanted = 0;
        candidates_make(&candidates, bits, i % 5 == 0 ? 2 : 0);
        for (unsigned lane = 0; lane < RSA_LANES; lane++) {
            BIGNUM *number = NULL;
            const struct deceiver *deceiver = &deceivers[(i + lane) % DECEIVERS];
            if (lane % 2 == 1 && deceiver->bits == bits) {
                number = deceiver_make(deceiver);
                big_to(number, candidates.number[lane]);
            } else {
                number = big_of(candidates.number[lane], LIMBS_OF(bits));
            }
            BIGNUM *base = BN_new();
            CHECK(BN_rand_range(base, number) == 1);
            if (i % 3 == 0 || BN_is_zero(base) || BN_is_one(base))
                CHECK(BN_set_word(base, 2 + i % 2) == 1);
            big_to(base, bases[lane]);
            wanted |= (unsigned)round_by_the_book(number, base) << lane;
            BN_free(base);
            BN_free(number);
        }
        for (unsigned t = 0; t < 2; t++) {
            unsigned passed = 0;
            if (testers[t] == NULL)
                continue;
            CHECK_OK(tester_round(testers[t], &candidates, (const uint64_t(*)[RSA_LIMBS_MAX])bases,
                                  &passed, &error),
                     error);
            CHECK_INT(passed, wanted);
        }
        passes += (unsigned)__builtin_popcount(wanted);
        failures += RSA_LANES - (unsigned)__builtin_popcount(wanted);
    }
    CHECK(passes > 20 && failures > 20);
}

/* Primes of which two divides the predecessor often, for the squarings at the end of a round:
 * k 2^n + 1. */
static void rounds_with_many_squarings(void)
{
    static struct candidates candidates;
    static uint64_t bases[RSA_LANES][RSA_LIMBS_MAX];
    struct error error;
    candidates = (struct candidates){.bits = 201, .count = RSA_LANES};
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        BIGNUM *number = BN_new();
        do {
            uint64_t limbs[RSA_LIMBS_MAX];
            random_number(limbs, 201);
            for (unsigned bit = 0; bit < 20 * lane; bit++)
                limbs[bit / LIMB_BITS] &= ~(1ULL << (bit % LIMB_BITS));
            limbs[0] |= 1;
            BN_free(number);
            number = big_of(limbs, LIMBS_OF(201));
        } while (BN_check_prime(number, scratch, NULL) != 1);
        big_to(number, candidates.number[lane]);
        random_number(bases[lane], 200);
        BN_free(number);
    }
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned lane = 0; lane < RSA_LANES; lane++)
            random_number(bases[lane], 200);
        for (unsigned t = 0; t < 2; t++) {
            unsigned passed = 0;
            if (testers[t] == NULL)
                continue;
            CHECK_OK(tester_round(testers[t], &candidates, (const uint64_t(*)[RSA_LIMBS_MAX])bases,
                                  &passed, &error),
                     error);
            CHECK_INT(passed, (1U << RSA_LANES) - 1);
        }
    }
}

/* The first test takes a deceiver for a prime, the rounds to random bases do not. */
static void deceivers_are_caught(void)
{
    struct error error;
    for (size_t i = 0; i < DECEIVERS; i++) {
        BIGNUM *number = deceiver_make(&deceivers[i]);
        BIGNUM *prime = BN_new();
        static struct candidates candidates;
        CHECK(BN_generate_prime_ex(prime, (int)deceivers[i].bits, 0, NULL, NULL, NULL) == 1);
        for (unsigned t = 0; t < 2; t++) {
            unsigned likely = 0;
            unsigned confirmed = 0;
            unsigned runs = 0;
            if (testers[t] == NULL)
                continue;
            candidates = (struct candidates){.bits = deceivers[i].bits, .count = 1};
            big_to(number, candidates.number[0]);
            CHECK_OK(tester_first(testers[t], &candidates, &likely, &error), error);
            CHECK_INT(likely, 1);
            /* An eighth to a quarter of the bases lie: 44 of them never do. */
            CHECK_OK(tester_confirm(testers[t], &candidates, 44, &pool, &runs, &confirmed, &error),
                     error);
            CHECK_INT(confirmed, 0);
            candidates.count = 2;
            for (unsigned place = 0; place < 2; place++) {
                big_to(number, candidates.number[place]);
                big_to(prime, candidates.number[1 - place]);
                CHECK_OK(
                    tester_confirm(testers[t], &candidates, 20, &pool, &runs, &confirmed, &error),
                    error);
                CHECK_INT(confirmed, 1U << (1 - place));
            }
        }
        BN_free(number);
        BN_free(prime);
    }
}

static bool no_bytes(void *context, unsigned char *bytes, size_t len)
{
    (void)context;
    (void)bytes;
    (void)len;
    return false;
}

static void no_verdict_without_random_bases(void)
{
    static struct candidates candidates;
    const struct rsa_caller caller = {.fill = no_bytes};
    struct random_pool empty = {.caller = &caller};
    candidates_make(&candidates, 1024, 0);
    candidates.count = 1;
    for (unsigned t = 0; t < 2; t++) {
        struct error error;
        unsigned runs = 0;
        unsigned prime = 7;
        if (testers[t] == NULL)
            continue;
        CHECK(!tester_confirm(testers[t], &candidates, 5, &empty, &runs, &prime, &error));
        CHECK_INT(error.kind, ERROR_CRYPTO);
        CHECK_INT(prime, 7);
    }
}

static const struct test tests[] = {
    TEST(verdicts_are_those_of_openssl), TEST(every_lane_finds_a_prime),
    TEST(rounds_are_those_of_the_book),  TEST(rounds_with_many_squarings),
    TEST(deceivers_are_caught),          TEST(no_verdict_without_random_bases),
};

int main(int argc, char **argv)
{
    struct error error;
    scratch = BN_CTX_new();
    if (rsa_path_available(RSA_PATH_IFMA))
        CHECK_OK(tester_new(RSA_PATH_IFMA, &testers[0], &error), error);
    CHECK_OK(tester_new(RSA_PATH_PORTABLE, &testers[1], &error), error);
    int result = tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
    tester_free(testers[0]);
    tester_free(testers[1]);
    BN_CTX_free(scratch);
    return result;
}
