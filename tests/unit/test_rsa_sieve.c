/* Every candidate that is struck has a small factor, every other has none: by trial division. */
#include "rsa/ifma.h"
#include "rsa/sieve.h"
#include "rsa_fixture.h"

static struct sequence one;
static struct sequence other;

static uint64_t modulo(const uint64_t *limbs, unsigned count, uint32_t prime)
{
    uint64_t rest = 0;
    for (unsigned i = count; i-- > 0;)
        rest = (uint64_t)(((wide_limb)rest << LIMB_BITS | limbs[i]) % prime);
    return rest;
}

static bool has_small_factor(const uint64_t *limbs, unsigned count, unsigned bound)
{
    const struct sieve_tables *table = sieve_tables();
    for (unsigned i = 0; i < 2 * table->pairs && table->primes[i] < bound; i++)
        if (modulo(limbs, count, table->primes[i]) == 0)
            return true;
    return false;
}

/* A stride like 2 r1 r2, but for its factors being primes: none of them is small. */
static void stride_make(uint64_t *stride, unsigned bits, unsigned bound)
{
    uint64_t limbs[RSA_LIMBS_MAX];
    unsigned count = LIMBS_OF(bits);
    do {
        random_number(limbs, bits - 1);
        limbs[0] |= 1;
    } while (has_small_factor(limbs, count, bound));
    limbs_double(limbs, count);
    memcpy(stride, limbs, count * sizeof *stride);
}

/* The bound that is meant: chunks are whole. */
static unsigned bound_reached(unsigned bound)
{
    const struct sieve_tables *table = sieve_tables();
    unsigned at = 0;
    while (table->primes[at] < bound)
        at += SIEVE_CHUNK;
    return table->primes[at - 1] + 1;
}

static void sequence_check(const struct sieve *sieve, const struct sequence *sequence)
{
    uint64_t candidate[RSA_LIMBS_MAX];
    uint64_t stride[RSA_LIMBS_MAX] = {0};
    unsigned bound = bound_reached(sieve->bound);
    unsigned struck = 0;
    memcpy(stride, sequence->stride, sieve->stride_limbs * sizeof *stride);
    for (unsigned i = 0; i < sieve->window; i++) {
        limbs_add_product(candidate, sequence->start, i, stride, sieve->limbs);
        bool out = has_small_factor(candidate, sieve->limbs, bound) ||
                   (sieve->coprime && modulo(candidate, sieve->limbs, RSA_EXPONENT) == 1);
        CHECK_INT(sequence->struck[i] != 0, out);
        struck += out;
    }
    CHECK(struck > sieve->window / 2 && struck < sieve->window);
}

static void windows_check(enum rsa_path path)
{
    static const struct {
        unsigned bits, stride_bits, window, bound;
    } cases[] = {
        {141, 2, 512, 2048},     {201, 2, 512, 2048},       {1024, 283, 256, 20000},
        {1024, 283, 8192, 70},   {1536, 343, 256, 1 << 15}, {2048, 403, 128, 1 << 16},
        {2048, 403, 8000, 1000},
    };
    struct error error;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (unsigned round = 0; round < 3; round++) {
            struct sieve sieve = {.limbs = LIMBS_OF(cases[c].bits),
                                  .stride_limbs = LIMBS_OF(cases[c].stride_bits),
                                  .window = cases[c].window,
                                  .bound = cases[c].bound,
                                  .coprime = round == 1,
                                  .path = path};
            struct sequence *both[2] = {&one, &other};
            for (unsigned i = 0; i < 2; i++) {
                random_number(both[i]->start, cases[c].bits - 1);
                both[i]->start[0] |= 1;
                if (cases[c].stride_bits == 2)
                    both[i]->stride[0] = 2;
                else
                    stride_make(both[i]->stride, cases[c].stride_bits,
                                bound_reached(cases[c].bound));
            }
            bool same = round == 2;
            CHECK_OK(sieve_run(&sieve, &one, same ? &one : &other, &error), error);
            sequence_check(&sieve, &one);
            if (!same)
                sequence_check(&sieve, &other);
        }
    }
}

static void windows_of_the_portable_path(void)
{
    windows_check(RSA_PATH_PORTABLE);
}

static void windows_of_the_ifma_path(void)
{
    if (ifma_available())
        windows_check(RSA_PATH_IFMA);
}

/* A candidate that is 1 modulo the public exponent is struck, and only when that is asked for. */
static void candidates_that_do_not_fit_the_exponent(void)
{
    struct error error;
    for (unsigned round = 0; round < 40; round++) {
        struct sieve sieve = {.limbs = 16,
                              .stride_limbs = 5,
                              .window = 256,
                              .bound = 300,
                              .coprime = round % 4 != 0,
                              .path = round % 2 == 0 ? RSA_PATH_PORTABLE : RSA_PATH_IFMA};
        if (!rsa_path_available(sieve.path))
            continue;
        uint64_t candidate[RSA_LIMBS_MAX];
        uint64_t stride[RSA_LIMBS_MAX] = {0};
        unsigned index;
        stride_make(one.stride, 283, bound_reached(sieve.bound));
        memcpy(stride, one.stride, 5 * sizeof *stride);
        do {
            index = (unsigned)random_below(sieve.window);
            random_number(one.start, 1023);
            one.start[0] = (one.start[0] | 1) & ~(1ULL << 63);
            limbs_add_product(candidate, one.start, index, stride, 16);
            uint64_t lacking = RSA_EXPONENT + 1 - modulo(candidate, 16, RSA_EXPONENT);
            one.start[0] += lacking % 2 == 0 ? lacking : lacking + RSA_EXPONENT;
            limbs_add_product(candidate, one.start, index, stride, 16);
        } while (has_small_factor(candidate, 16, bound_reached(sieve.bound)));
        CHECK_INT(modulo(candidate, 16, RSA_EXPONENT), 1);
        CHECK_OK(sieve_run(&sieve, &one, &one, &error), error);
        CHECK_INT(one.struck[index], sieve.coprime);
    }
}

/* Starts and strides whose digits are all zeros or all ones. */
static void windows_at_the_edges(void)
{
    struct error error;
    struct sieve sieve = {
        .limbs = 16, .stride_limbs = 5, .window = 128, .bound = 10000, .path = RSA_PATH_PORTABLE};
    for (unsigned path = 0; path <= ifma_available(); path++) {
        sieve.path = path == 0 ? RSA_PATH_PORTABLE : RSA_PATH_IFMA;
        memset(one.start, 0, sizeof one.start);
        one.start[0] = 1;
        one.start[15] = 1ULL << 60;
        stride_make(one.stride, 283, bound_reached(sieve.bound));
        memset(other.start, 0xff, 16 * sizeof *other.start);
        other.start[15] >>= 1;
        memset(other.stride, 0, sizeof other.stride);
        other.stride[4] = 1; /* 2^256: all but the lowest bit of a number that has no odd factor */
        CHECK_OK(sieve_run(&sieve, &one, &other, &error), error);
        sequence_check(&sieve, &one);
        sequence_check(&sieve, &other);
        /* a start that leaves no rest, in any limb */
        memset(one.start, 0, sizeof one.start);
        one.start[0] = 3ULL * 5 * 7 * 11 * 13 * 17;
        CHECK_OK(sieve_run(&sieve, &one, &other, &error), error);
        sequence_check(&sieve, &one);
    }
}

/* With all primes there are, the paths must agree. */
static void paths_agree(void)
{
    struct error error;
    static unsigned char struck[2][SIEVE_WINDOW_MAX];
    if (!ifma_available())
        return;
    struct sieve sieve = {.limbs = 32,
                          .stride_limbs = 7,
                          .window = SIEVE_WINDOW_MAX,
                          .bound = SIEVE_BOUND_MAX,
                          .coprime = true,
                          .path = RSA_PATH_PORTABLE};
    random_number(one.start, 2048);
    random_number(other.start, 2048);
    stride_make(one.stride, 403, SIEVE_BOUND_MAX);
    stride_make(other.stride, 403, SIEVE_BOUND_MAX);
    CHECK_OK(sieve_run(&sieve, &one, &other, &error), error);
    memcpy(struck[0], one.struck, sieve.window);
    memcpy(struck[1], other.struck, sieve.window);
    sieve.path = RSA_PATH_IFMA;
    CHECK_OK(sieve_run(&sieve, &one, &other, &error), error);
    CHECK(memcmp(struck[0], one.struck, sieve.window) == 0);
    CHECK(memcmp(struck[1], other.struck, sieve.window) == 0);
}

/* The primes are the primes, and their inverses are inverses. */
static void tables_are_right(void)
{
    const struct sieve_tables *table = sieve_tables();
    CHECK(table != NULL);
    CHECK_INT(table->primes[0], 3);
    CHECK_INT(table->primes[2 * table->pairs - 1] > SIEVE_BOUND_MAX, 1);
    unsigned below = 0; /* pi(2^20) is 82025, with 2 */
    for (unsigned i = 0; i < 2 * table->pairs; i++)
        below += table->primes[i] < SIEVE_BOUND_MAX;
    CHECK_INT(below, 82024);
    for (size_t i = 0; i < table->pairs; i++)
        CHECK(table->inverses[i] * table->primes[2 * i] * table->primes[2 * i + 1] == 1);
}

static const struct test tests[] = {
    TEST(tables_are_right),
    TEST(windows_of_the_portable_path),
    TEST(windows_of_the_ifma_path),
    TEST(windows_at_the_edges),
    TEST(paths_agree),
    TEST(candidates_that_do_not_fit_the_exponent),
};

TESTS_MAIN(tests)
