/* What the tests of the RSA search share: random limbs, BIGNUMs of them, and a caller that draws
 * from OpenSSL. */
#ifndef CERTMILL_TEST_RSA_FIXTURE_H
#define CERTMILL_TEST_RSA_FIXTURE_H

#include "check.h"
#include "random.h"
#include "rsa/limbs.h"
#include "rsa/rsa_search.h"

#include <openssl/bn.h>
#include <openssl/rand.h>

/* The lengths of primes and auxiliary primes. */
static const unsigned prime_bits[] = {141, 171, 201, 1024, 1536, 2048};

#define PRIME_SIZES (sizeof prime_bits / sizeof prime_bits[0])

static inline uint64_t random_limb(void)
{
    return (uint64_t)random_below(SIZE_MAX) << 32 ^ (uint64_t)random_below(SIZE_MAX);
}

/* Exactly so many bits. */
static inline void random_number(uint64_t *limbs, unsigned bits)
{
    memset(limbs, 0, RSA_LIMBS_MAX * sizeof *limbs);
    for (unsigned i = 0; i < LIMBS_OF(bits); i++)
        limbs[i] = random_limb();
    if (bits % LIMB_BITS != 0)
        limbs[bits / LIMB_BITS] &= (1ULL << (bits % LIMB_BITS)) - 1;
    limbs[(bits - 1) / LIMB_BITS] |= 1ULL << ((bits - 1) % LIMB_BITS);
}

static inline BIGNUM *big_of(const uint64_t *limbs, unsigned count)
{
    unsigned char bytes[2 * RSA_BYTES_MAX];
    limbs_to_bytes(limbs, count, bytes);
    BIGNUM *big = BN_lebin2bn(bytes, (int)(8 * count), NULL);
    CHECK(big != NULL);
    return big;
}

static inline void big_to(const BIGNUM *big, uint64_t *limbs)
{
    unsigned char bytes[RSA_PRIME_MAX];
    CHECK(BN_bn2lebinpad(big, bytes, sizeof bytes) == sizeof bytes);
    limbs_from_bytes(limbs, RSA_LIMBS_MAX, bytes);
}

static inline bool caller_fill(void *context, unsigned char *bytes, size_t len)
{
    (void)context;
    return RAND_priv_bytes(bytes, (int)len) == 1;
}

static const struct rsa_caller openssl_caller = {.fill = caller_fill};

#endif
