#include "rsa/ifma.h"

#ifdef __AVX512IFMA__

#include <immintrin.h>
#include <string.h>

#define ALL_LANES 0xffU
#define GROUP     5 /* digits taken at a time; all lengths are multiples */

typedef __m512i vector;

/* The lanes in which y is 1, or where `minus` the modulus less 1. */
static unsigned lanes_with_one(const struct ifma *ifma, bool minus)
{
    const vector *y = (const vector *)ifma->y;
    const vector *modulus = (const vector *)ifma->modulus;
    const vector one = _mm512_set1_epi64(1);
    vector wrong = _mm512_setzero_si512();
    for (unsigned i = 0; i < ifma->digits; i++) {
        vector wanted = minus ? modulus[i] : _mm512_setzero_si512();
        if (i == 0)
            wanted = _mm512_xor_si512(wanted, one); /* the modulus is odd */
        wrong = _mm512_or_si512(wrong, _mm512_xor_si512(y[i], wanted));
    }
    return _mm512_cmpeq_epi64_mask(wrong, _mm512_setzero_si512());
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
    vector top = _mm512_setzero_si512();
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        uint64_t at = limbs_bits(numbers[lane], LIMBS_OF(bits), bits - top_bits);
        top = _mm512_mask_set1_epi64(top, (__mmask8)(1U << lane), (long long)at);
    }
    vector position = _mm512_sub_epi64(_mm512_set1_epi64(width - 1), top);
    const vector one = _mm512_set1_epi64(1);
    for (unsigned i = 0; i < ifma->digits; i++) {
        vector shift =
            _mm512_sub_epi64(position, _mm512_set1_epi64((long long)i * IFMA_DIGIT_BITS));
        /* A shift by 64 or more, which a negative one is too, gives 0. */
        vector digit = _mm512_sllv_epi64(one, shift);
        *(vector *)&ifma->x[i] =
            _mm512_and_si512(digit, _mm512_set1_epi64((long long)IFMA_DIGIT_MASK));
    }
    for (unsigned bit = bits - top_bits - 1; bit > 0; bit--) {
        vector digit = *(const vector *)&ifma->modulus[bit / IFMA_DIGIT_BITS];
        vector wanted = _mm512_set1_epi64(1LL << (bit % IFMA_DIGIT_BITS));
        ifma_square(ifma, _mm512_testn_epi64_mask(digit, wanted));
    }
    /* The last doubling; digits of 53 bits do in a sum. */
    for (unsigned i = 0; i < ifma->digits; i++) {
        vector *x = (vector *)&ifma->x[i];
        *x = _mm512_add_epi64(*x, *x);
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
    unsigned twos = 0;
    bool even = true;
    while (even && twos < bits - 1) {
        even = (limbs_bits(number, count, ++twos) & 1) == 0;
        DECLASSIFY(even); /* the time a round takes tells it, as it does in OpenSSL */
    }
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
    for (unsigned digit = 0; digit < ifma->digits; digit += GROUP) {
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

#endif
