#include "rsa/ifma.h"

#ifdef __AVX512IFMA__

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define ROWS   5 /* of a product taken at a time: with more, gcc 12 runs out of registers */

typedef __m512i vector;

INLINE vector low(vector sum, vector a, vector b)
{
    return _mm512_madd52lo_epu64(sum, a, b);
}

INLINE vector high(vector sum, vector a, vector b)
{
    return _mm512_madd52hi_epu64(sum, a, b);
}

INLINE vector add(vector a, vector b)
{
    return _mm512_add_epi64(a, b);
}

INLINE vector zero(void)
{
    return _mm512_setzero_si512();
}

INLINE vector carry_of(vector a)
{
    return _mm512_srli_epi64(a, IFMA_DIGIT_BITS);
}

/* One column of five rows times a long factor, of which b0 is the digit in the first row, b1 the
 * one below it. Two sums, because a sum can only be added to every four cycles. */
INLINE vector column(vector sum, const vector row[ROWS], vector b0, vector b1, vector b2, vector b3,
                     vector b4, vector b5)
{
    vector other = high(zero(), row[0], b1);
    sum = low(sum, row[0], b0);
    other = high(other, row[1], b2);
    sum = low(sum, row[1], b1);
    other = high(other, row[2], b3);
    sum = low(sum, row[2], b2);
    other = high(other, row[3], b4);
    sum = low(sum, row[3], b3);
    other = high(other, row[4], b5);
    sum = low(sum, row[4], b4);
    return add(sum, other);
}

/* The first five columns of the product. */
INLINE void product_head(vector *sum, const vector row[ROWS], const vector *b)
{
    vector b0 = b[0];
    vector b1 = b[1];
    vector b2 = b[2];
    vector b3 = b[3];
    vector b4 = b[4];
    sum[0] = low(sum[0], row[0], b0);
    sum[1] = high(low(low(sum[1], row[0], b1), row[1], b0), row[0], b0);
    vector other = high(high(zero(), row[0], b1), row[1], b0);
    sum[2] = add(other, low(low(low(sum[2], row[0], b2), row[1], b1), row[2], b0));
    other = high(high(high(zero(), row[0], b2), row[1], b1), row[2], b0);
    sum[3] = add(other, low(low(low(low(sum[3], row[0], b3), row[1], b2), row[2], b1), row[3], b0));
    other = high(high(high(high(zero(), row[0], b3), row[1], b2), row[2], b1), row[3], b0);
    sum[4] = low(low(low(low(sum[4], row[0], b4), row[1], b3), row[2], b2), row[3], b1);
    sum[4] = add(other, low(sum[4], row[4], b0));
}

/* The columns 5 to digits + 4. */
INLINE void product_rest(vector *sum, const vector row[ROWS], const vector *b, size_t digits)
{
    vector below0 = b[4];
    vector below1 = b[3];
    vector below2 = b[2];
    vector below3 = b[1];
    vector below4 = b[0];
    for (size_t i = ROWS; i < digits; i += ROWS) {
        vector b0 = b[i];
        vector b1 = b[i + 1];
        vector b2 = b[i + 2];
        vector b3 = b[i + 3];
        vector b4 = b[i + 4];
        sum[i] = column(sum[i], row, b0, below0, below1, below2, below3, below4);
        sum[i + 1] = column(sum[i + 1], row, b1, b0, below0, below1, below2, below3);
        sum[i + 2] = column(sum[i + 2], row, b2, b1, b0, below0, below1, below2);
        sum[i + 3] = column(sum[i + 3], row, b3, b2, b1, b0, below0, below1);
        sum[i + 4] = column(sum[i + 4], row, b4, b3, b2, b1, b0, below0);
        below0 = b4;
        below1 = b3;
        below2 = b2;
        below3 = b1;
        below4 = b0;
    }
    sum += digits;
    vector other = high(high(high(zero(), row[0], below0), row[1], below1), row[2], below2);
    other = high(high(other, row[3], below3), row[4], below4);
    sum[0] = low(low(low(sum[0], row[1], below0), row[2], below1), row[3], below2);
    sum[0] = add(other, low(sum[0], row[4], below3));
    other = high(high(high(zero(), row[1], below0), row[2], below1), row[3], below2);
    other = high(other, row[4], below3);
    sum[1] = add(other, low(low(low(sum[1], row[2], below0), row[3], below1), row[4], below2));
    other = high(high(high(zero(), row[2], below0), row[3], below1), row[4], below2);
    sum[2] = add(other, low(low(sum[2], row[3], below0), row[4], below1));
    sum[3] = high(high(low(sum[3], row[4], below0), row[3], below0), row[4], below1);
    sum[4] = high(sum[4], row[4], below0);
}

/* The products of each of five digits with those above it. */
INLINE void triangle(vector *sum, const vector row[ROWS])
{
    sum[1] = low(sum[1], row[0], row[1]);
    sum[2] = high(low(sum[2], row[0], row[2]), row[0], row[1]);
    sum[3] = high(low(low(sum[3], row[0], row[3]), row[1], row[2]), row[0], row[2]);
    sum[4] = low(low(sum[4], row[0], row[4]), row[1], row[3]);
    sum[4] = high(high(sum[4], row[0], row[3]), row[1], row[2]);
    sum[5] = low(low(sum[5], row[1], row[4]), row[2], row[3]);
    sum[5] = high(high(sum[5], row[0], row[4]), row[1], row[3]);
    sum[6] = high(high(low(sum[6], row[2], row[4]), row[1], row[4]), row[2], row[3]);
    sum[7] = high(low(sum[7], row[3], row[4]), row[2], row[4]);
    sum[8] = high(sum[8], row[3], row[4]);
}

/* Adds what multiple of the modulus makes the lowest five digits of the sum zero, and carries into
 * the sixth. Those five are not stored. */
INLINE void reduce_rows(vector *sum, const vector *modulus, vector inverse, size_t digits)
{
    vector n0 = modulus[0];
    vector n1 = modulus[1];
    vector n2 = modulus[2];
    vector n3 = modulus[3];
    vector n4 = modulus[4];
    vector row[ROWS];
    row[0] = low(zero(), sum[0], inverse);
    vector carry = carry_of(low(sum[0], row[0], n0));
    vector sum1 = add(high(low(sum[1], row[0], n1), row[0], n0), carry);
    row[1] = low(zero(), sum1, inverse);
    vector sum2 = high(low(sum[2], row[0], n2), row[0], n1);
    vector sum3 = high(low(sum[3], row[0], n3), row[0], n2);
    vector sum4 = high(low(sum[4], row[0], n4), row[0], n3);
    carry = carry_of(low(sum1, row[1], n0));
    sum2 = add(high(low(sum2, row[1], n1), row[1], n0), carry);
    row[2] = low(zero(), sum2, inverse);
    sum3 = high(low(sum3, row[1], n2), row[1], n1);
    sum4 = high(low(sum4, row[1], n3), row[1], n2);
    carry = carry_of(low(sum2, row[2], n0));
    sum3 = add(high(low(sum3, row[2], n1), row[2], n0), carry);
    row[3] = low(zero(), sum3, inverse);
    sum4 = high(low(sum4, row[2], n2), row[2], n1);
    carry = carry_of(low(sum3, row[3], n0));
    sum4 = add(high(low(sum4, row[3], n1), row[3], n0), carry);
    row[4] = low(zero(), sum4, inverse);
    carry = carry_of(low(sum4, row[4], n0));
    sum[ROWS] = add(sum[ROWS], carry);
    product_rest(sum, row, modulus, digits);
}

/* Divides the sum by 2^(52 digits) and brings its digits to 52 bits. */
INLINE void reduce(struct ifma *ifma, vector *ret, unsigned doubled, size_t digits)
{
    vector *sum = (vector *)ifma->sum;
    const vector *modulus = (const vector *)ifma->modulus;
    vector inverse = *(const vector *)&ifma->inverse;
    for (size_t i = 0; i < digits; i += ROWS)
        reduce_rows(sum + i, modulus, inverse, digits);
    const vector mask = _mm512_set1_epi64((long long)IFMA_DIGIT_MASK);
    vector carry = zero();
    for (size_t i = 0; i < digits; i++) {
        vector digit = sum[digits + i];
        digit = add(_mm512_mask_add_epi64(digit, (__mmask8)doubled, digit, digit), carry);
        ret[i] = _mm512_and_si512(digit, mask);
        carry = carry_of(digit);
    }
}

INLINE void square(struct ifma *ifma, unsigned doubled, size_t digits)
{
    vector *x = (vector *)ifma->x;
    vector *sum = (vector *)ifma->sum;
    for (size_t i = 0; i < 2 * digits; i++)
        sum[i] = zero();
    for (size_t i = 0; i < digits; i += ROWS) {
        const vector row[ROWS] = {x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4]};
        triangle(sum + 2 * i, row);
        if (i + ROWS < digits) {
            product_head(sum + 2 * i + ROWS, row, x + i + ROWS);
            product_rest(sum + 2 * i + ROWS, row, x + i + ROWS, digits - i - ROWS);
        }
    }
    for (size_t i = 0; i < digits; i++) {
        sum[2 * i] = low(add(sum[2 * i], sum[2 * i]), x[i], x[i]);
        sum[2 * i + 1] = high(add(sum[2 * i + 1], sum[2 * i + 1]), x[i], x[i]);
    }
    reduce(ifma, x, doubled, digits);
}

INLINE void multiply(struct ifma *ifma, size_t digits)
{
    vector *x = (vector *)ifma->x;
    const vector *y = (const vector *)ifma->y;
    vector *sum = (vector *)ifma->sum;
    for (size_t i = 0; i < 2 * digits; i++)
        sum[i] = zero();
    for (size_t i = 0; i < digits; i += ROWS) {
        const vector row[ROWS] = {y[i], y[i + 1], y[i + 2], y[i + 3], y[i + 4]};
        product_head(sum + i, row, x);
        product_rest(sum + i, row, x, digits);
    }
    reduce(ifma, x, 0, digits);
}

/* The number of digits must be a constant, for the compiler to keep what it can in registers. */
#define FOR_DIGITS(digits)                                                                     \
    static __attribute__((noinline)) void square_##digits(struct ifma *ifma, unsigned doubled) \
    {                                                                                          \
        square(ifma, doubled, digits);                                                         \
    }                                                                                          \
    static __attribute__((noinline)) void multiply_##digits(struct ifma *ifma)                 \
    {                                                                                          \
        multiply(ifma, digits);                                                                \
    }                                                                                          \
    static __attribute__((noinline)) void reduce_##digits(struct ifma *ifma)                   \
    {                                                                                          \
        reduce(ifma, (vector *)ifma->y, 0, digits);                                            \
    }

FOR_DIGITS(5)
FOR_DIGITS(20)
FOR_DIGITS(30)
FOR_DIGITS(40)

void ifma_square(struct ifma *ifma, unsigned doubled)
{
    switch (ifma->digits) {
    case 5:
        square_5(ifma, doubled);
        return;
    case 20:
        square_20(ifma, doubled);
        return;
    case 30:
        square_30(ifma, doubled);
        return;
    default:
        square_40(ifma, doubled);
    }
}

void ifma_multiply(struct ifma *ifma)
{
    switch (ifma->digits) {
    case 5:
        multiply_5(ifma);
        return;
    case 20:
        multiply_20(ifma);
        return;
    case 30:
        multiply_30(ifma);
        return;
    default:
        multiply_40(ifma);
    }
}

void ifma_reduce(struct ifma *ifma)
{
    memcpy(ifma->sum, ifma->x, ifma->digits * sizeof ifma->x[0]);
    memset(ifma->sum + ifma->digits, 0, ifma->digits * sizeof ifma->x[0]);
    switch (ifma->digits) {
    case 5:
        reduce_5(ifma);
        return;
    case 20:
        reduce_20(ifma);
        return;
    case 30:
        reduce_30(ifma);
        return;
    default:
        reduce_40(ifma);
    }
}

void ifma_wipe_registers(void)
{
    __asm__ volatile("vzeroall\n\t"
                     "vpxorq %%zmm16, %%zmm16, %%zmm16\n\t"
                     "vpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
                     "vpxorq %%zmm18, %%zmm18, %%zmm18\n\t"
                     "vpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
                     "vpxorq %%zmm20, %%zmm20, %%zmm20\n\t"
                     "vpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
                     "vpxorq %%zmm22, %%zmm22, %%zmm22\n\t"
                     "vpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
                     "vpxorq %%zmm24, %%zmm24, %%zmm24\n\t"
                     "vpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
                     "vpxorq %%zmm26, %%zmm26, %%zmm26\n\t"
                     "vpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
                     "vpxorq %%zmm28, %%zmm28, %%zmm28\n\t"
                     "vpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
                     "vpxorq %%zmm30, %%zmm30, %%zmm30\n\t"
                     "vpxorq %%zmm31, %%zmm31, %%zmm31\n\t"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",
                       "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
                       "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

void ifma_put(const struct ifma *ifma, struct ifma_digit *digits, unsigned lane,
              const uint64_t *limbs, unsigned count)
{
    for (unsigned i = 0; i < ifma->digits; i++)
        digits[i].lane[lane] = limbs_bits(limbs, count, i * IFMA_DIGIT_BITS) & IFMA_DIGIT_MASK;
}

static unsigned digits_for(unsigned bits)
{
    return bits <= 253 ? 5 : bits == 1024 ? 20 : bits == 1536 ? 30 : 40;
}

void ifma_set_moduli(struct ifma *ifma, unsigned bits,
                     const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX])
{
    ifma->digits = digits_for(bits);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        ifma_put(ifma, ifma->modulus, lane, numbers[lane], LIMBS_OF(bits));
        ifma->inverse.lane[lane] = (0 - limb_inverse(numbers[lane][0])) & IFMA_DIGIT_MASK;
    }
}

#endif
