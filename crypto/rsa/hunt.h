/* Finds the first prime along each of two strides: sieve, first tests, confirmation. */
#ifndef CERTMILL_CRYPTO_RSA_HUNT_H
#define CERTMILL_CRYPTO_RSA_HUNT_H

#include "rsa/sieve.h"
#include "rsa/tester.h"

struct hunt {
    struct random_pool pool;          /* with the caller */
    struct rsa_search_counts *counts; /* never NULL */
    struct tester *tester;
    struct sieve sieve;
    unsigned bits;        /* of the primes */
    unsigned rounds;      /* of Miller-Rabin */
    unsigned windows_max; /* after which a sequence begins anew */
    /* Sets start and stride of sequences[which] from new random bits. */
    bool (*begin)(struct hunt *hunt, unsigned which, struct error *error);
    void *context; /* begin's */
    struct sequence sequences[2];

    struct candidates candidates;
    unsigned next[2];    /* the first candidate of the window that nobody has looked at */
    unsigned windows[2]; /* sieved since the sequence began */
    bool found[2];       /* and confirmed, once the hunt is over */
    uint64_t primes[2][RSA_LIMBS_MAX];
};

/* primes[i] is the first of sequences[i] that passes. All else is set by the caller before. */
bool hunt_run(struct hunt *hunt, struct error *error) MUST_USE;

/* For measurements: the time now, and what has passed since, added to a phase. */
uint64_t phase_start(const struct rsa_search_counts *counts);
void phase_end(struct rsa_search_counts *counts, enum rsa_phase phase, uint64_t start_ns);

#endif
