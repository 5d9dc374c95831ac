/* The ends of the search at which numbers are few: OpenSSL's BIGNUM does, with its constant-time
 * ways. */
#ifndef CERTMILL_CRYPTO_RSA_STRIDE_H
#define CERTMILL_CRYPTO_RSA_STRIDE_H

#include "rsa/sieve.h"

/* Steps 2 and 4 of FIPS 186-5 B.9: the stride is 2 r1 r2, and the start the first number from x on
 * that is 1 modulo 2 r1 and -1 modulo 2 r2. *ret_fits says whether it has no more than `bits` bits;
 * only then is anything set. r1 and r2 are odd primes of `auxiliary_bits` bits. */
bool stride_make(const uint64_t *r1, const uint64_t *r2, unsigned auxiliary_bits, const uint64_t *x,
                 unsigned bits, struct sequence *sequence, bool *ret_fits,
                 struct error *error) MUST_USE;

/* Whether |a - b| > 2^(bits - 100), as FIPS 186-5 A.1.6 asks of p and q and of the random numbers
 * that they were searched from; both have `bits` bits. */
bool far_apart(const uint64_t *a, const uint64_t *b, unsigned bits);

/* All numbers of a key from its primes, each of bits / 2 bits. *ret_good is false when p and q are
 * too near to each other or d is too small (FIPS 186-5 A.1.1); another pair is needed then. */
bool numbers_make(const uint64_t *p, const uint64_t *q, unsigned bits,
                  struct rsa_numbers *ret_numbers, bool *ret_good, struct error *error) MUST_USE;

#endif
