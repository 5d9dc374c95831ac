/* The search for RSA keys: FIPS 186-5 A.1.6, probable primes with conditions based on auxiliary
 * probable primes, for the public exponent 65537. One call finds one key on the calling thread.
 *
 * For each of p and q two auxiliary primes r1 and r2 are found, and candidates are taken along the
 * stride 2 r1 r2 from a random start (B.9). A sieve strikes those with a small factor, a test to
 * base 2 finds the first likely prime of the rest, and Miller-Rabin rounds to random bases confirm
 * it (B.3, as many as table B.1 asks for).
 *
 * On x86-64 with AVX-512 IFMA eight candidates are tested at a time, without a branch or a memory
 * access that depends on them; elsewhere OpenSSL's constant-time exponentiation tests one by one.
 * The sieve does depend on secrets in where it writes, and the number of tests in how long the
 * search takes: so it is with every prime search, OpenSSL's own too. */
#ifndef CERTMILL_CRYPTO_RSA_SEARCH_H
#define CERTMILL_CRYPTO_RSA_SEARCH_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

#define RSA_EXPONENT  65537U
#define RSA_BITS_MAX  4096
#define RSA_BYTES_MAX (RSA_BITS_MAX / 8)
#define RSA_PRIME_MAX (RSA_BYTES_MAX / 2)

enum rsa_path {
    RSA_PATH_AUTO, /* IFMA where the processor and the system have it, else portable */
    RSA_PATH_IFMA,
    RSA_PATH_PORTABLE,
};

/* Whether this processor can go it. */
bool rsa_path_available(enum rsa_path path);
const char *rsa_path_name(enum rsa_path path); /* "auto", "ifma" or "portable" */

/* What the search needs of its caller. */
struct rsa_caller {
    /* Fills with bytes for private use; false ends the search. */
    bool (*fill)(void *context, unsigned char *bytes, size_t len);
    /* Asked every few milliseconds; false ends the search as cancelled. NULL: never. */
    bool (*go_on)(void *context);
    void *context;
};

/* One key, every number big-endian and of fixed width: the modulus and d have bits / 8 bytes, the
 * others half of that. p is the larger prime. */
struct rsa_numbers {
    unsigned bits;
    unsigned char n[RSA_BYTES_MAX], d[RSA_BYTES_MAX];
    unsigned char p[RSA_PRIME_MAX], q[RSA_PRIME_MAX];
    unsigned char dp[RSA_PRIME_MAX], dq[RSA_PRIME_MAX], qinv[RSA_PRIME_MAX];
};

/* On OpenSSL's secure heap; NULL when that is full. Freed, and wiped, by rsa_numbers_free. */
struct rsa_numbers *rsa_numbers_new(void) MUST_USE;
void rsa_numbers_free(struct rsa_numbers *numbers);
void rsa_numbers_wipe(struct rsa_numbers *numbers);

enum rsa_phase {
    RSA_PHASE_AUXILIARY, /* finding r1 and r2 */
    RSA_PHASE_SIEVE,
    RSA_PHASE_FIRST_TESTS,
    RSA_PHASE_CONFIRMATION,
    RSA_PHASE_NUMBERS, /* d and the values of the Chinese remainder theorem */
    RSA_PHASES,
};

/* What a search did, for measurements. Starts as {0} or with a clock; counts are added up. */
struct rsa_search_counts {
    uint64_t (*clock_ns)(void); /* NULL: no time is taken */
    uint64_t ns[RSA_PHASES];
    unsigned sieves;          /* windows sieved */
    unsigned first_tests;     /* lanes used for a test to base 2; exponentiations where portable */
    unsigned exponentiations; /* runs of the exponentiation, of eight lanes or one */
    unsigned confirmations;   /* likely primes put to Miller-Rabin rounds */
    unsigned refused;         /* likely primes that were none */
};

/* All searches share tables of small primes, 660 KB, which the first one makes. They stay until the
 * last of those who hold them lets go, which nobody may do while a search is under way; where
 * nobody holds them, for good. */
void rsa_search_hold(void);
void rsa_search_release(void);

/* Finds a key of 2048, 3072 or 4096 bits. Checked are the lengths, |p - q| > 2^(bits/2 - 100) and
 * d > 2^(bits/2); the pairwise test is the caller's. `counts` may be NULL. ERROR_CONFIG for other
 * sizes and for a path that this processor cannot go, ERROR_CRYPTO when no random bytes came,
 * ERROR_MEMORY, ERROR_CANCELLED. Safe on many threads at once. */
bool rsa_search(unsigned bits, enum rsa_path path, const struct rsa_caller *caller,
                struct rsa_numbers *ret_numbers, struct rsa_search_counts *counts,
                struct error *error) MUST_USE;

#endif
