/* Primality tests on one path: eight numbers at a time with IFMA, one at a time without. */
#ifndef CERTMILL_CRYPTO_RSA_TESTER_H
#define CERTMILL_CRYPTO_RSA_TESTER_H

#include "rsa/limbs.h"

struct tester;

/* Random bytes of the caller, asked for in larger pieces than they are used in: OpenSSL takes a
 * microsecond to be asked. Starts with `caller` alone; secret. */
struct random_pool {
    const struct rsa_caller *caller;
    size_t left;
    unsigned char bytes[1024];
};

/* Odd numbers of one length in bits, their topmost bit set: 141, 171, 201, 1024, 1536 or 2048. */
struct candidates {
    unsigned bits;
    unsigned count;
    uint64_t number[RSA_LANES][RSA_LIMBS_MAX];
};

/* `path` is IFMA or portable, and available. Freed, and wiped, by tester_free. */
bool tester_new(enum rsa_path path, struct tester **ret_tester, struct error *error) MUST_USE;
void tester_free(struct tester *tester);
unsigned tester_lanes(const struct tester *tester); /* how many candidates it takes at a time */

/* Euler's test to base 2: bit i of *ret_likely says that number i passed, as every prime does. At
 * most tester_lanes numbers. */
bool tester_first(struct tester *tester, const struct candidates *candidates, unsigned *ret_likely,
                  struct error *error) MUST_USE;

/* `rounds` rounds of Miller and Rabin to random bases (FIPS 186-5 B.3.1) for each number, of which
 * there are one or two: bit i of *ret_prime says that number i passed all. Adds to *runs the
 * exponentiations it took. */
bool tester_confirm(struct tester *tester, const struct candidates *candidates, unsigned rounds,
                    struct random_pool *pool, unsigned *runs, unsigned *ret_prime,
                    struct error *error) MUST_USE;

/* One round, to a given base, for each number. For tests. */
bool tester_round(struct tester *tester, const struct candidates *candidates,
                  const uint64_t bases[RSA_LANES][RSA_LIMBS_MAX], unsigned *ret_passed,
                  struct error *error) MUST_USE;

/* Nearly every other random number at least does for what it is drawn for: that none of so many
 * does never happens by chance, but with a source that always gives the same bytes. */
#define RANDOM_DRAWS 256
bool random_failed(struct error *error); /* sets that error, returns false */

/* A base of a round: from 2 to limit - 2, by drawing until one is; `limit` has `bits` bits.
 * ERROR_CRYPTO when none of RANDOM_DRAWS is. */
bool random_base(struct random_pool *pool, const uint64_t *limit, unsigned bits,
                 uint64_t *ret_number, struct error *error) MUST_USE;
/* `bits` random bits, the topmost set. */
bool random_bits(struct random_pool *pool, unsigned bits, uint64_t *ret_number,
                 struct error *error) MUST_USE;

/* Zeroed memory for secrets, on cache lines: on the secure heap where that has room, else ordinary.
 * NULL without memory. Freed with the same size, and wiped. */
void *scratch_new(size_t bytes) MUST_USE;
void scratch_free(void *memory, size_t bytes);

#endif
