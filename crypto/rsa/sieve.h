/* Strikes out of a window of candidates those with a small factor.
 *
 * The candidates are start + i * stride. For every small prime l the first i that it divides is
 * -start / stride modulo l: start and stride are brought down modulo the product of two primes at a
 * time by Montgomery's reduction, limb by limb, and stride is inverted by Fermat's theorem. Nothing
 * is divided. Two windows are sieved at once and share the inversion.
 *
 * Where it writes depends on the candidates. */
#ifndef CERTMILL_CRYPTO_RSA_SIEVE_H
#define CERTMILL_CRYPTO_RSA_SIEVE_H

#include "rsa/limbs.h"

#define SIEVE_WINDOW_MAX 8192
#define SIEVE_STRIDE_MAX 8 /* limbs */
#define SIEVE_DIGITS_MAX 40
#define SIEVE_CHUNK      512 /* primes at a time; a multiple of 16 */

/* A search along a stride. All of it is secret. */
struct sequence {
    uint64_t start[RSA_LIMBS_MAX];              /* candidate 0 of the window */
    uint64_t stride[SIEVE_STRIDE_MAX];          /* even, without any other small factor */
    unsigned char struck[SIEVE_WINDOW_MAX + 1]; /* not 0: out; the last one is a sink */
};

struct sieve {
    unsigned limbs, stride_limbs; /* in use of `start` and `stride`; limbs > stride_limbs */
    unsigned window;              /* candidates: at most SIEVE_WINDOW_MAX */
    unsigned bound;               /* primes below it strike; at most SIEVE_BOUND_MAX */
    bool coprime;                 /* strike also those that are 1 modulo the public exponent */
    enum rsa_path path;           /* IFMA or portable */
};

#define SIEVE_BOUND_MAX (1U << 20)

/* Fills `struck` of both, which may be the same. False without memory for the tables. Both strides
 * must be odd multiples of 2 without a prime factor below the bound. */
bool sieve_run(const struct sieve *sieve, struct sequence *one, struct sequence *other,
               struct error *error) MUST_USE;

/* The primes from 3 on, `pairs` times two of them, and for each two neighbours 1 / product modulo
 * 2^64. Made by the first who asks, and kept until the last holder lets go; NULL without memory. */
struct sieve_tables {
    unsigned pairs;
    uint32_t *primes;
    uint64_t *inverses;
};
const struct sieve_tables *sieve_tables(void);

/* What a chunk is computed from. */
struct sieve_numbers {
    unsigned digits, stride_digits; /* of 64 or 52 bits; digits > stride_digits */
    uint64_t start[2][SIEVE_DIGITS_MAX];
    uint64_t stride[2][SIEVE_DIGITS_MAX];
};

/* starts[s][i] = the first candidate of sequence s that the i-th prime divides, below that prime;
 * for `pairs` pairs of primes from the pair `first` on. */
void sieve_chunk_portable(const struct sieve_numbers *numbers, const struct sieve_tables *table,
                          unsigned first, unsigned pairs, uint32_t *starts[2]);
void sieve_chunk_ifma(const struct sieve_numbers *numbers, const struct sieve_tables *table,
                      unsigned first, unsigned pairs, uint32_t *starts[2]);

/* How often x / 2 is taken, rounded up, until it is 16 or less. */
static inline unsigned sieve_squarings(unsigned x)
{
    unsigned count = 0;
    while ((x - 1) >> count >= 16)
        count++;
    return count;
}

#endif
