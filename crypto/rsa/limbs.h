/* Numbers of the search as little-endian arrays of 64-bit limbs. Nothing here branches on their
 * values. */
#ifndef CERTMILL_CRYPTO_RSA_LIMBS_H
#define CERTMILL_CRYPTO_RSA_LIMBS_H

#include "rsa/rsa_search.h"

#define LIMB_BITS      64
#define RSA_LIMBS_MAX  (RSA_BITS_MAX / 2 / LIMB_BITS)
#define RSA_LANES      8
#define LIMBS_OF(bits) (((bits) + LIMB_BITS - 1) / LIMB_BITS)

__extension__ typedef unsigned __int128 wide_limb;

/* Where a branch may depend on something secret, because it tells no more than is known or harmless
 * anyway: says so to the test that looks for such branches (tests/constant_time). */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define DECLASSIFY(variable) __msan_unpoison(&(variable), sizeof(variable))
#endif
#endif
#ifndef DECLASSIFY
#define DECLASSIFY(variable) (void)(variable)
#endif

/* Reads and writes `count` limbs as little-endian bytes, whatever the machine's order. */
static inline void limbs_from_bytes(uint64_t *limbs, unsigned count, const unsigned char *bytes)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t limb = 0;
        for (unsigned b = 0; b < 8; b++)
            limb |= (uint64_t)bytes[8 * i + b] << (8 * b);
        limbs[i] = limb;
    }
}

static inline void limbs_to_bytes(const uint64_t *limbs, unsigned count, unsigned char *bytes)
{
    for (unsigned i = 0; i < 8 * count; i++)
        bytes[i] = (unsigned char)(limbs[i / 8] >> (8 * (i % 8)));
}

/* sum = a + factor * b; returns the limb that is carried out. */
static inline uint64_t limbs_add_product(uint64_t *sum, const uint64_t *a, uint64_t factor,
                                         const uint64_t *b, unsigned count)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < count; i++) {
        wide_limb at = (wide_limb)factor * b[i] + a[i] + carry;
        sum[i] = (uint64_t)at;
        carry = (uint64_t)(at >> LIMB_BITS);
    }
    return carry;
}

/* difference = a - b; returns the borrow, 0 or 1. */
static inline uint64_t limbs_subtract(uint64_t *difference, const uint64_t *a, const uint64_t *b,
                                      unsigned count)
{
    uint64_t borrow = 0;
    for (unsigned i = 0; i < count; i++) {
        wide_limb at = (wide_limb)a[i] - b[i] - borrow;
        difference[i] = (uint64_t)at;
        borrow = (uint64_t)(at >> LIMB_BITS) & 1;
    }
    return borrow;
}

/* x = 2 x; returns the bit carried out. */
static inline uint64_t limbs_double(uint64_t *x, unsigned count)
{
    uint64_t carry = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t next = x[i] >> (LIMB_BITS - 1);
        x[i] = x[i] << 1 | carry;
        carry = next;
    }
    return carry;
}

static inline bool limbs_equal(const uint64_t *a, const uint64_t *b, unsigned count)
{
    uint64_t differ = 0;
    for (unsigned i = 0; i < count; i++)
        differ |= a[i] ^ b[i];
    bool equal = differ == 0;
    DECLASSIFY(equal); /* the caller knows what it put where */
    return equal;
}

/* 1 when a < b. */
static inline uint64_t limbs_less(const uint64_t *a, const uint64_t *b, unsigned count)
{
    uint64_t borrow = 0;
    for (unsigned i = 0; i < count; i++)
        borrow = (uint64_t)(((wide_limb)a[i] - b[i] - borrow) >> LIMB_BITS) & 1;
    return borrow;
}

/* Bits [at, at + 64) of a number of `count` limbs. `at` is public. */
static inline uint64_t limbs_bits(const uint64_t *limbs, unsigned count, unsigned at)
{
    unsigned limb = at / LIMB_BITS;
    unsigned shift = at % LIMB_BITS;
    if (limb >= count)
        return 0;
    uint64_t low = limbs[limb] >> shift;
    return shift > 0 && limb + 1 < count ? low | limbs[limb + 1] << (LIMB_BITS - shift) : low;
}

/* 1 / odd modulo 2^64, by Newton's iteration: 5 right bits become 10, 20, 40, 80. */
static inline uint64_t limb_inverse(uint64_t odd)
{
    uint64_t inverse = (3 * odd) ^ 2;
    for (unsigned i = 0; i < 4; i++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

#endif
