#include "rsa/ifma.h"

#ifdef __AVX512IFMA__

#include <immintrin.h>
#include <string.h>

#define INLINE     static inline __attribute__((always_inline))
#define DIGIT_MASK ((1ULL << IFMA_DIGIT_BITS) - 1)
#define ROWS       5 /* of a product taken at a time: with more, gcc 12 runs out of registers */
#define ALL_LANES  0xffU

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
INLINE void product_rest(vector *sum, const vector row[ROWS], const vector *b, unsigned digits)
{
    vector below0 = b[4];
    vector below1 = b[3];
    vector below2 = b[2];
    vector below3 = b[1];
    vector below4 = b[0];
    for (unsigned i = ROWS; i < digits; i += ROWS) {
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
INLINE void reduce_rows(vector *sum, const vector *modulus, vector inverse, unsigned digits)
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
INLINE void reduce(struct ifma *ifma, vector *ret, unsigned doubled, unsigned digits)
{
    vector *sum = (vector *)ifma->sum;
    const vector *modulus = (const vector *)ifma->modulus;
    vector inverse = *(const vector *)&ifma->inverse;
    for (unsigned i = 0; i < digits; i += ROWS)
        reduce_rows(sum + i, modulus, inverse, digits);
    const vector mask = _mm512_set1_epi64((long long)DIGIT_MASK);
    vector carry = zero();
    for (unsigned i = 0; i < digits; i++) {
        vector digit = sum[digits + i];
        digit = add(_mm512_mask_add_epi64(digit, (__mmask8)doubled, digit, digit), carry);
        ret[i] = _mm512_and_si512(digit, mask);
        carry = carry_of(digit);
    }
}

INLINE void square(struct ifma *ifma, unsigned doubled, unsigned digits)
{
    vector *x = (vector *)ifma->x;
    vector *sum = (vector *)ifma->sum;
    for (unsigned i = 0; i < 2 * digits; i++)
        sum[i] = zero();
    for (unsigned i = 0; i < digits; i += ROWS) {
        const vector row[ROWS] = {x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4]};
        triangle(sum + 2 * i, row);
        if (i + ROWS < digits) {
            product_head(sum + 2 * i + ROWS, row, x + i + ROWS);
            product_rest(sum + 2 * i + ROWS, row, x + i + ROWS, digits - i - ROWS);
        }
    }
    for (unsigned i = 0; i < digits; i++) {
        sum[2 * i] = low(add(sum[2 * i], sum[2 * i]), x[i], x[i]);
        sum[2 * i + 1] = high(add(sum[2 * i + 1], sum[2 * i + 1]), x[i], x[i]);
    }
    reduce(ifma, x, doubled, digits);
}

INLINE void multiply(struct ifma *ifma, unsigned digits)
{
    vector *x = (vector *)ifma->x;
    const vector *y = (const vector *)ifma->y;
    vector *sum = (vector *)ifma->sum;
    for (unsigned i = 0; i < 2 * digits; i++)
        sum[i] = zero();
    for (unsigned i = 0; i < digits; i += ROWS) {
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

bool ifma_available(void)
{
    /* The builtin asks XCR0 too whether the system keeps these registers. */
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512ifma");
}

void ifma_put(const struct ifma *ifma, struct ifma_digit *digits, unsigned lane,
              const uint64_t *limbs, unsigned count)
{
    for (unsigned i = 0; i < ifma->digits; i++)
        digits[i].lane[lane] = limbs_bits(limbs, count, i * IFMA_DIGIT_BITS) & DIGIT_MASK;
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
        ifma->inverse.lane[lane] = (0 - limb_inverse(numbers[lane][0])) & DIGIT_MASK;
    }
}

/* The lanes in which y is 1, or where `minus` the modulus less 1. */
static unsigned lanes_with_one(const struct ifma *ifma, bool minus)
{
    const vector *y = (const vector *)ifma->y;
    const vector *modulus = (const vector *)ifma->modulus;
    const vector one = _mm512_set1_epi64(1);
    vector wrong = zero();
    for (unsigned i = 0; i < ifma->digits; i++) {
        vector wanted = minus ? modulus[i] : zero();
        if (i == 0)
            wanted = _mm512_xor_si512(wanted, one); /* the modulus is odd */
        wrong = _mm512_or_si512(wrong, _mm512_xor_si512(y[i], wanted));
    }
    return _mm512_cmpeq_epi64_mask(wrong, zero());
}

/* The power of two starts at 2^-(T + 1), T being the topmost bits of (N - 1) / 2: its Montgomery
 * form is a lone bit, which costs nothing to make. From there squarings and doublings lead to
 * 2^-((N + 1) / 2), and one doubling more to the power asked for, or its inverse, which is the same
 * when it is 1 or -1. Squaring doubles the exponent, and -(E + 1) = 2 * -(E' + 1) + 1 - b when b is
 * the bit that E has behind those of E': so it is doubled where the bit is 0. */
unsigned ifma_first_tests(struct ifma *ifma, unsigned bits,
                          const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX])
{
    ifma_set_moduli(ifma, bits, numbers);
    unsigned width = ifma->digits * IFMA_DIGIT_BITS;
    unsigned top_bits = 31U - (unsigned)__builtin_clz(width);
    vector top = zero();
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        uint64_t at = limbs_bits(numbers[lane], LIMBS_OF(bits), bits - top_bits);
        top = _mm512_mask_set1_epi64(top, (__mmask8)(1U << lane), (long long)at);
    }
    vector position = _mm512_sub_epi64(_mm512_set1_epi64(width - 1), top);
    const vector one = _mm512_set1_epi64(1);
    for (unsigned i = 0; i < ifma->digits; i++) {
        vector shift = _mm512_sub_epi64(position, _mm512_set1_epi64(i * IFMA_DIGIT_BITS));
        /* A shift by 64 or more, which a negative one is too, gives 0. */
        vector digit = _mm512_sllv_epi64(one, shift);
        *(vector *)&ifma->x[i] = _mm512_and_si512(digit, _mm512_set1_epi64((long long)DIGIT_MASK));
    }
    for (unsigned bit = bits - top_bits - 1; bit > 0; bit--) {
        vector digit = *(const vector *)&ifma->modulus[bit / IFMA_DIGIT_BITS];
        vector wanted = _mm512_set1_epi64(1LL << (bit % IFMA_DIGIT_BITS));
        ifma_square(ifma, _mm512_testn_epi64_mask(digit, wanted));
    }
    /* The last doubling; digits of 53 bits do in a sum. */
    for (unsigned i = 0; i < ifma->digits; i++) {
        vector *x = (vector *)&ifma->x[i];
        *x = add(*x, *x);
    }
    ifma_reduce(ifma);
    return lanes_with_one(ifma, false) | lanes_with_one(ifma, true);
}

/* limbs = 2^width modulo a number of exactly `bits` bits. */
static void power_modulo(uint64_t *limbs, unsigned width, const uint64_t *number, unsigned bits)
{
    unsigned count = LIMBS_OF(bits);
    uint64_t less[RSA_LIMBS_MAX];
    memset(limbs, 0, count * sizeof *limbs);
    limbs[(bits - 1) / LIMB_BITS] = 1ULL << ((bits - 1) % LIMB_BITS);
    for (unsigned i = bits - 1; i < width; i++) {
        uint64_t carry = limbs_double(limbs, count);
        uint64_t borrow = limbs_subtract(less, limbs, number, count);
        uint64_t keep = 0 - (borrow & (carry ^ 1));
        for (unsigned j = 0; j < count; j++)
            limbs[j] = (limbs[j] & keep) | (less[j] & ~keep);
    }
    explicit_bzero(less, sizeof less);
}

/* The exponent (N - 1) / 2^twos in windows, and how often 2 divides N - 1. */
static unsigned windows_put(struct ifma *ifma, unsigned bits, unsigned lane, const uint64_t *number)
{
    unsigned count = LIMBS_OF(bits);
    unsigned twos = 1;
    while (twos < bits - 1 && (limbs_bits(number, count, twos) & 1) == 0)
        twos++;
    for (unsigned i = 0; i * IFMA_WINDOW_BITS < bits; i++) {
        uint64_t window = limbs_bits(number, count, i * IFMA_WINDOW_BITS + twos);
        ifma->windows[i][lane] = (unsigned char)(window & ((1U << IFMA_WINDOW_BITS) - 1));
    }
    return twos;
}

/* ret = the power that each lane's window names, having read all of them. */
static void power_take(struct ifma *ifma, struct ifma_digit *ret, const unsigned char *window)
{
    __m128i bytes = _mm_loadl_epi64((const __m128i *)window);
    vector wanted = _mm512_cvtepu8_epi64(bytes);
    for (unsigned digit = 0; digit < ifma->digits; digit += ROWS) {
        const vector *power = (const vector *)&ifma->powers[0][digit];
        vector found0 = power[0];
        vector found1 = power[1];
        vector found2 = power[2];
        vector found3 = power[3];
        vector found4 = power[4];
        for (unsigned i = 1; i < 1 << IFMA_WINDOW_BITS; i++) {
            power = (const vector *)&ifma->powers[i][digit];
            __mmask8 lanes = _mm512_cmpeq_epi64_mask(wanted, _mm512_set1_epi64(i));
            found0 = _mm512_mask_mov_epi64(found0, lanes, power[0]);
            found1 = _mm512_mask_mov_epi64(found1, lanes, power[1]);
            found2 = _mm512_mask_mov_epi64(found2, lanes, power[2]);
            found3 = _mm512_mask_mov_epi64(found3, lanes, power[3]);
            found4 = _mm512_mask_mov_epi64(found4, lanes, power[4]);
        }
        vector *to = (vector *)&ret[digit];
        to[0] = found0;
        to[1] = found1;
        to[2] = found2;
        to[3] = found3;
        to[4] = found4;
    }
}

/* powers[i] = base^i; bases are in y. */
static void powers_make(struct ifma *ifma)
{
    size_t bytes = ifma->digits * sizeof ifma->x[0];
    unsigned width = ifma->digits * IFMA_DIGIT_BITS;
    /* 2^width in Montgomery's form, with which a product takes a number there */
    memcpy(ifma->x, ifma->powers[0], bytes);
    for (unsigned bit = 32; bit-- > 0;) {
        if (width >> bit != 0)
            ifma_square(ifma, (width >> bit & 1) != 0 ? ALL_LANES : 0);
    }
    ifma_multiply(ifma);
    memcpy(ifma->y, ifma->x, bytes);
    memcpy(ifma->powers[1], ifma->x, bytes);
    for (unsigned i = 2; i < 1 << IFMA_WINDOW_BITS; i++) {
        ifma_multiply(ifma);
        memcpy(ifma->powers[i], ifma->x, bytes);
    }
}

unsigned ifma_rounds(struct ifma *ifma, unsigned bits,
                     const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX],
                     const uint64_t bases[RSA_LANES][RSA_LIMBS_MAX])
{
    ifma_set_moduli(ifma, bits, numbers);
    unsigned twos[RSA_LANES];
    unsigned most = 0;
    uint64_t one[RSA_LIMBS_MAX];
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        if (lane == 0 || !limbs_equal(numbers[lane], numbers[lane - 1], LIMBS_OF(bits)))
            power_modulo(one, ifma->digits * IFMA_DIGIT_BITS, numbers[lane], bits);
        ifma_put(ifma, ifma->powers[0], lane, one, LIMBS_OF(bits));
        ifma_put(ifma, ifma->y, lane, bases[lane], LIMBS_OF(bits));
        twos[lane] = windows_put(ifma, bits, lane, numbers[lane]);
        most = twos[lane] > most ? twos[lane] : most;
    }
    explicit_bzero(one, sizeof one);
    powers_make(ifma);

    unsigned window = (bits - 1) / IFMA_WINDOW_BITS;
    power_take(ifma, ifma->x, ifma->windows[window]);
    while (window-- > 0) {
        for (unsigned i = 0; i < IFMA_WINDOW_BITS; i++)
            ifma_square(ifma, 0);
        power_take(ifma, ifma->y, ifma->windows[window]);
        ifma_multiply(ifma);
    }
    ifma_reduce(ifma);
    unsigned passed = lanes_with_one(ifma, false) | lanes_with_one(ifma, true);
    for (unsigned squared = 1; squared < most; squared++) {
        unsigned lanes = 0;
        for (unsigned lane = 0; lane < RSA_LANES; lane++)
            lanes |= (unsigned)(squared < twos[lane]) << lane;
        ifma_square(ifma, 0);
        ifma_reduce(ifma);
        passed |= lanes_with_one(ifma, true) & lanes;
    }
    return passed;
}

#else

bool ifma_available(void)
{
    return false;
}

#endif
