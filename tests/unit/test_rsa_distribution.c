/* Many keys of one length: their primes lie as random primes do. Every bound is one that good keys
 * pass but for less than once in 10^9 runs. */
#include "rsa_fixture.h"

#include <math.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW 1
#endif
#endif
#ifndef SLOW
#define SLOW 0
#endif

#define BITS     2048
#define KEYS     (SLOW ? 250U : 1000U)
#define KEYS_MAX 1000
#define PRIME    (BITS / 2 / 8)
#define CLASSES  32
#define PARTS    8

/* The least prime is this much of 2^1024, the topmost bits of which are read as a fraction. */
static const double least = M_SQRT1_2;

struct keys {
    unsigned count;
    unsigned char prime[KEYS_MAX][2][PRIME]; /* p, q */
    unsigned char n[KEYS_MAX][BITS / 8];
};

static struct keys keys;

static void keys_make(unsigned count, const struct rsa_caller *caller)
{
    struct error error;
    struct rsa_numbers *numbers = rsa_numbers_new();
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(rsa_search(BITS, RSA_PATH_AUTO, caller, numbers, NULL, &error), error);
        memcpy(keys.prime[i][0], numbers->p, PRIME);
        memcpy(keys.prime[i][1], numbers->q, PRIME);
        memcpy(keys.n[i], numbers->n, sizeof keys.n[i]);
    }
    keys.count = count;
    rsa_numbers_free(numbers);
}

/* The slow path makes fewer in the same time. */
static unsigned keys_wanted(void)
{
    return rsa_path_available(RSA_PATH_IFMA) ? KEYS : 250;
}

static double fraction(const unsigned char *bytes)
{
    double sum = 0;
    for (unsigned i = 6; i-- > 0;)
        sum = (sum + bytes[i]) / 256;
    return sum;
}

static unsigned residue(const unsigned char *bytes, unsigned modulus)
{
    unsigned rest = 0;
    for (unsigned i = 0; i < PRIME; i++)
        rest = (rest * 256 + bytes[i]) % modulus;
    return rest;
}

/* Pearson's chi-square of counts; what is not expected at all must not be there. */
struct fit {
    unsigned classes;
    double expected[CLASSES];
    unsigned had[CLASSES];
};

/* More than this has a probability below e^-35, or 10^-15, for the chi-square distribution (Laurent
 * and Massart, 2000, lemma 1), which the statistic of as few as 250 keys does not follow exactly.
 */
static bool fits(const struct fit *fit)
{
    double sum = 0;
    double freedom = -1;
    for (unsigned i = 0; i < fit->classes; i++) {
        if (fit->expected[i] > 0) {
            double off = fit->had[i] - fit->expected[i];
            sum += off * off / fit->expected[i];
            freedom += 1;
        } else if (fit->had[i] > 0) {
            return false;
        }
    }
    return sum <= freedom + 2 * sqrt(35 * freedom) + 70;
}

/* Part of the range of primes, or of moduli, from `from` to 1. */
static unsigned part(double value, double from)
{
    CHECK(value >= from - 1e-9 && value <= 1);
    double at = (value - from) / (1 - from) * PARTS;
    return at < 0 ? 0 : at >= PARTS ? PARTS - 1 : (unsigned)at;
}

/* The probability that the product of two numbers, each anywhere from `least` to 1, is at most t.
 */
static double product_below(double t)
{
    double a = least;
    double area = t <= a ? t * log(2 * t) - t + 0.5 : (1 - a) * (t - a) - t * log(t) - a * (1 - t);
    return area / ((1 - a) * (1 - a));
}

static bool primes_are_even_over_their_range(void)
{
    struct fit both = {.classes = PARTS};
    struct fit larger = {.classes = PARTS};
    struct fit product = {.classes = PARTS};
    for (unsigned i = 0; i < keys.count; i++) {
        unsigned p = part(fraction(keys.prime[i][0]), least);
        unsigned q = part(fraction(keys.prime[i][1]), least);
        both.had[p]++;
        both.had[q]++;
        larger.had[p]++;
        product.had[part(fraction(keys.n[i]), 0.5)]++;
    }
    for (unsigned i = 0; i < PARTS; i++) {
        both.expected[i] = 2.0 * keys.count / PARTS;
        /* of the larger of two, if they do not depend on each other */
        larger.expected[i] = (2.0 * i + 1) * keys.count / (PARTS * PARTS);
        product.expected[i] = keys.count * (product_below(0.5 + (i + 1) * 0.5 / PARTS) -
                                            product_below(0.5 + i * 0.5 / PARTS));
    }
    return fits(&both) && fits(&larger) && fits(&product);
}

static bool top_bytes_are_even(void)
{
    /* The lowest, 0xb5, is not whole: 0xb504... is the least. */
    struct fit fit = {.classes = 16};
    unsigned counted = 0;
    for (unsigned i = 0; i < 2 * keys.count; i++) {
        unsigned top = keys.prime[i / 2][i % 2][0];
        CHECK(top >= 0xb5);
        if (top >= 0xc0) {
            fit.had[top % 16]++; /* the four last rows of the table of bytes */
            counted++;
        }
    }
    for (unsigned i = 0; i < 16; i++)
        fit.expected[i] = counted / 16.0;
    return fits(&fit);
}

static bool residues_are_even(void)
{
    static const unsigned moduli[] = {4, 8, 16, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31};
    bool good = true;
    for (size_t m = 0; m < sizeof moduli / sizeof moduli[0]; m++) {
        unsigned modulus = moduli[m];
        struct fit fit = {.classes = modulus};
        bool even = modulus % 2 == 0;
        unsigned possible = even ? modulus / 2 : modulus - 1;
        for (unsigned i = 0; i < 2 * keys.count; i++)
            fit.had[residue(keys.prime[i / 2][i % 2], modulus)]++;
        for (unsigned i = 0; i < modulus; i++)
            fit.expected[i] = (even ? i % 2 == 1 : i > 0) ? 2.0 * keys.count / possible : 0;
        good = good && fits(&fit);
    }
    return good;
}

static void random_keys_are_random(void)
{
    keys_make(keys_wanted(), &openssl_caller);
    for (unsigned i = 0; i < keys.count; i++) {
        CHECK(memcmp(keys.prime[i][0], keys.prime[i][1], PRIME) > 0);
        CHECK((keys.n[i][0] & 0x80) != 0);
    }
    CHECK(primes_are_even_over_their_range());
    CHECK(top_bytes_are_even());
    CHECK(residues_are_even());
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, PRIME);
}

/* Not even the 8 topmost bytes are twice the same, which for 2,000 primes has a probability of
 * 10^-12. After the other test, whose keys it sorts. */
static void no_prime_comes_twice(void)
{
    if (keys.count == 0)
        keys_make(50, &openssl_caller);
    qsort(keys.prime, 2 * (size_t)keys.count, PRIME, by_bytes);
    for (unsigned i = 1; i < 2 * keys.count; i++) {
        const unsigned char *prime = keys.prime[i / 2][i % 2];
        const unsigned char *before = keys.prime[(i - 1) / 2][(i - 1) % 2];
        CHECK(memcmp(prime, before, 8) != 0);
    }
}

/* A bit of every 64 is always 0: of which the topmost byte of a random start has one. */
static bool biased_fill(void *context, unsigned char *bytes, size_t len)
{
    CHECK(caller_fill(context, bytes, len));
    for (size_t i = 7; i < len; i += 8)
        bytes[i] &= 0xdf;
    return true;
}

/* That the tests above can fail. */
static void bias_shows(void)
{
    const struct rsa_caller biased = {.fill = biased_fill};
    keys_make(100, &biased);
    CHECK(!primes_are_even_over_their_range());
    keys_make(150, &openssl_caller);
    CHECK(residues_are_even() && top_bytes_are_even());
    for (unsigned i = 0; i < keys.count; i++)
        keys.prime[i][0][PRIME - 1] |= 2;
    CHECK(!residues_are_even());
    for (unsigned i = 0; i < keys.count; i++)
        keys.prime[i][0][0] |= 1;
    for (unsigned i = 0; i < keys.count; i++)
        keys.prime[i][1][0] |= 1;
    CHECK(!top_bytes_are_even());
}

static const struct test tests[] = {
    TEST(bias_shows),
    TEST(random_keys_are_random),
    TEST(no_prime_comes_twice),
};

TESTS_MAIN(tests)
