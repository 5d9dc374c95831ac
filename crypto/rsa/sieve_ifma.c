#include "rsa/sieve.h"

#ifdef __AVX512IFMA__

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
/* What depends on itself is done for four vectors in turn: the processor waits for none of them. */
#define VECTORS 4
#ifdef __clang__
#define EACH _Pragma("unroll") for (unsigned v = 0; v < VECTORS; v++)
#else
#define EACH _Pragma("GCC unroll 4") for (unsigned v = 0; v < VECTORS; v++)
#endif
#define PAIRS_EACH (VECTORS / 2 * 8)

typedef __m512i vector;

/* 8 primes in each, the even ones of 16 in one and the odd ones in the next. */
struct primes {
    vector prime[VECTORS];
    vector inverse[VECTORS]; /* -1 / prime modulo 2^32; the upper halves mean nothing */
};

INLINE vector reduce(vector x, vector prime, vector inverse)
{
    vector factor = _mm512_mul_epu32(x, inverse);
    return _mm512_srli_epi64(_mm512_add_epi64(x, _mm512_mul_epu32(factor, prime)), 32);
}

INLINE vector multiply(vector a, vector b, vector prime, vector inverse)
{
    return reduce(_mm512_mul_epu32(a, b), prime, inverse);
}

/* base^(prime - 2), two bits of the exponent at a time. x is 0 until the first bit that is not. */
INLINE void invert(const struct primes *p, const vector base[VECTORS], vector x[VECTORS])
{
    const vector two = _mm512_set1_epi64(2);
    const vector three = _mm512_set1_epi64(3);
    vector square[VECTORS];
    vector cube[VECTORS];
    EACH square[v] = multiply(base[v], base[v], p->prime[v], p->inverse[v]);
    EACH cube[v] = multiply(square[v], base[v], p->prime[v], p->inverse[v]);
    EACH x[v] = _mm512_setzero_si512();
    /* the last prime is the largest */
    uint64_t largest = (uint64_t)_mm512_reduce_max_epu64(p->prime[VECTORS - 1]) - 2;
    unsigned at = (64U - (unsigned)__builtin_clzll(largest) + 1) & ~1U;
    while (at > 0) {
        at -= 2;
        const __m128i shift = _mm_cvtsi32_si128((int)at);
        EACH x[v] = multiply(x[v], x[v], p->prime[v], p->inverse[v]);
        EACH x[v] = multiply(x[v], x[v], p->prime[v], p->inverse[v]);
        EACH
        {
            vector exponent = _mm512_sub_epi64(p->prime[v], two);
            vector window = _mm512_and_si512(_mm512_srl_epi64(exponent, shift), three);
            vector power =
                _mm512_mask_mov_epi64(base[v], _mm512_cmpeq_epi64_mask(window, two), square[v]);
            power = _mm512_mask_mov_epi64(power, _mm512_cmpeq_epi64_mask(window, three), cube[v]);
            vector product = multiply(x[v], power, p->prime[v], p->inverse[v]);
            product = _mm512_mask_mov_epi64(product, _mm512_testn_epi64_mask(x[v], x[v]), power);
            x[v] = _mm512_mask_mov_epi64(x[v], _mm512_test_epi64_mask(window, window), product);
        }
    }
}

/* As in sieve.c. */
INLINE void power_of_half(const struct primes *p, unsigned bits, vector x[VECTORS])
{
    unsigned squarings = sieve_squarings(bits);
    unsigned exponent = ((bits - 1) >> squarings) + 1;
    EACH x[v] = _mm512_set1_epi64(1LL << (32 - exponent));
    while (squarings-- > 0) {
        unsigned wanted = ((bits - 1) >> squarings) + 1;
        const __m128i shift = _mm_cvtsi32_si128((int)(2 * exponent - wanted));
        EACH x[v] = _mm512_sll_epi64(multiply(x[v], x[v], p->prime[v], p->inverse[v]), shift);
        exponent = wanted;
    }
}

INLINE vector residue_step(vector residue, uint64_t digit, vector product, vector inverse)
{
    vector difference = _mm512_sub_epi64(_mm512_set1_epi64((long long)digit), residue);
    vector factor = _mm512_madd52lo_epu64(_mm512_setzero_si512(), difference, inverse);
    return _mm512_madd52hi_epu64(_mm512_srli_epi64(difference, 63), factor, product);
}

/* The residues modulo 8 products of two primes. */
INLINE void residues(const struct sieve_numbers *numbers, vector product, vector inverse,
                     vector start[2], vector stride[2])
{
    vector start0 = _mm512_setzero_si512();
    vector start1 = start0;
    vector stride0 = start0;
    vector stride1 = start0;
    unsigned d = 0;
    for (; d < numbers->stride_digits; d++) {
        start0 = residue_step(start0, numbers->start[0][d], product, inverse);
        start1 = residue_step(start1, numbers->start[1][d], product, inverse);
        stride0 = residue_step(stride0, numbers->stride[0][d], product, inverse);
        stride1 = residue_step(stride1, numbers->stride[1][d], product, inverse);
    }
    for (; d < numbers->digits; d++) {
        start0 = residue_step(start0, numbers->start[0][d], product, inverse);
        start1 = residue_step(start1, numbers->start[1][d], product, inverse);
    }
    start[0] = start0;
    start[1] = start1;
    stride[0] = stride0;
    stride[1] = stride1;
}

INLINE void some_primes(const struct sieve_numbers *numbers, const uint32_t *primes,
                        const uint64_t *inverses, uint32_t *starts[2])
{
    const vector half = _mm512_set1_epi64(0xffffffff);
    struct primes p;
    vector start[2][VECTORS];
    vector stride[2][VECTORS];
    for (size_t v = 0; v < VECTORS; v += 2) {
        vector both = _mm512_loadu_si512(primes + 8 * v);
        vector inverse = _mm512_loadu_si512(inverses + 4 * v);
        p.prime[v] = _mm512_and_si512(both, half);
        p.prime[v + 1] = _mm512_srli_epi64(both, 32);
        vector product = _mm512_mul_epu32(p.prime[v], p.prime[v + 1]);
        vector minus = _mm512_sub_epi64(_mm512_setzero_si512(), inverse);
        p.inverse[v] = _mm512_mul_epu32(minus, p.prime[v + 1]);
        p.inverse[v + 1] = _mm512_mul_epu32(minus, p.prime[v]);
        vector found[2];
        vector step[2];
        residues(numbers, product, inverse, found, step);
        for (unsigned n = 0; n < 2; n++) {
            start[n][v] = reduce(found[n], p.prime[v], p.inverse[v]);
            start[n][v + 1] = reduce(found[n], p.prime[v + 1], p.inverse[v + 1]);
            stride[n][v] = reduce(step[n], p.prime[v], p.inverse[v]);
            stride[n][v + 1] = reduce(step[n], p.prime[v + 1], p.inverse[v + 1]);
        }
    }
    vector scale[VECTORS];
    vector base[VECTORS];
    vector both[VECTORS];
    power_of_half(&p, (numbers->digits - numbers->stride_digits) * 52, scale);
    EACH
    {
        stride[0][v] = multiply(stride[0][v], scale[v], p.prime[v], p.inverse[v]);
        stride[1][v] = multiply(stride[1][v], scale[v], p.prime[v], p.inverse[v]);
        base[v] = multiply(stride[0][v], stride[1][v], p.prime[v], p.inverse[v]);
    }
    invert(&p, base, both);
    for (unsigned n = 0; n < 2; n++) {
        EACH
        {
            vector quotient = multiply(both[v], stride[1 - n][v], p.prime[v], p.inverse[v]);
            quotient = multiply(quotient, start[n][v], p.prime[v], p.inverse[v]);
            quotient = reduce(quotient, p.prime[v], p.inverse[v]);
            vector first = _mm512_sub_epi64(p.prime[v], quotient);
            __mmask8 inside = _mm512_cmpneq_epu64_mask(first, p.prime[v]);
            start[n][v] = _mm512_maskz_mov_epi64(inside, first);
        }
        for (size_t v = 0; v < VECTORS; v += 2)
            _mm512_storeu_si512(
                starts[n] + 8 * v,
                _mm512_or_si512(start[n][v], _mm512_slli_epi64(start[n][v + 1], 32)));
    }
}

void sieve_chunk_ifma(const struct sieve_numbers *numbers, const struct sieve_tables *table,
                      unsigned first, unsigned pairs, uint32_t *starts[2])
{
    for (unsigned i = 0; i < pairs; i += PAIRS_EACH) {
        uint32_t *at[2] = {starts[0] + 2 * (size_t)i, starts[1] + 2 * (size_t)i};
        some_primes(numbers, table->primes + 2 * (size_t)(first + i), table->inverses + first + i,
                    at);
    }
}

#endif
