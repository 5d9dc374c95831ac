/* Eight numbers at a time with AVX-512 IFMA: each lane of a vector holds another number, in radix
 * 2^52 and Montgomery's form to 2^(52 digits). No branch and no address depends on a number; only
 * in the last step of ifma_rounds does the time, on how often 2 divides a number less 1.
 *
 * Numbers need not be reduced fully. With the modulus N < 2^(52 digits - 7), a product of two
 * numbers below 4.1 N is again below 1.2 N, so that a result may be doubled before it is the next
 * factor, and nothing is ever subtracted. */
#ifndef CERTMILL_CRYPTO_RSA_IFMA_H
#define CERTMILL_CRYPTO_RSA_IFMA_H

#include "rsa/limbs.h"

#define IFMA_DIGIT_BITS  52
#define IFMA_DIGIT_MASK  ((1ULL << IFMA_DIGIT_BITS) - 1)
#define IFMA_DIGITS_MAX  40
#define IFMA_WINDOW_BITS 4
#define IFMA_WINDOWS_MAX (RSA_BITS_MAX / 2 / IFMA_WINDOW_BITS)

/* One digit of all lanes. */
struct ifma_digit {
    _Alignas(64) uint64_t lane[RSA_LANES];
};

/* What a run works on; all of it is secret. */
struct ifma {
    unsigned digits;           /* 5, 20, 30 or 40 */
    struct ifma_digit inverse; /* -1 / modulus, modulo 2^52 */
    struct ifma_digit modulus[IFMA_DIGITS_MAX];
    struct ifma_digit x[IFMA_DIGITS_MAX], y[IFMA_DIGITS_MAX];
    struct ifma_digit sum[2 * IFMA_DIGITS_MAX];
    struct ifma_digit powers[1 << IFMA_WINDOW_BITS][IFMA_DIGITS_MAX];
    unsigned char windows[IFMA_WINDOWS_MAX][RSA_LANES];
};

/* Whether this build has the code and this machine can run it. */
bool ifma_available(void);
/* Zeroes the vector registers, which nothing else does once the last product is made or the last
 * secret is copied. Only where ifma_available. */
void ifma_wipe_registers(void);

/* Odd moduli, one a lane, of exactly `bits` bits: 131 to 253, 1024, 1536 or 2048. */
void ifma_set_moduli(struct ifma *ifma, unsigned bits,
                     const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX]);
/* Puts a number into a lane of x, y or another vector of as many digits. */
void ifma_put(const struct ifma *ifma, struct ifma_digit *digits, unsigned lane,
              const uint64_t *limbs, unsigned count);

/* x = x^2 / 2^(52 digits), twice that in the lanes of `doubled`. */
void ifma_square(struct ifma *ifma, unsigned doubled);
/* x = x y / 2^(52 digits) */
void ifma_multiply(struct ifma *ifma);
/* y = x / 2^(52 digits), between 0 and the modulus, both included. */
void ifma_reduce(struct ifma *ifma);

/* Euler's test to base 2: the lanes with 2^((N - 1) / 2) = 1 or -1. For N = 3 modulo 4 this is the
 * strong test, and every prime passes. */
unsigned ifma_first_tests(struct ifma *ifma, unsigned bits,
                          const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX]);
/* One round of Miller and Rabin (FIPS 186-5 B.3.1) a lane: the lanes that pass. */
unsigned ifma_rounds(struct ifma *ifma, unsigned bits,
                     const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX],
                     const uint64_t bases[RSA_LANES][RSA_LIMBS_MAX]);

#endif
