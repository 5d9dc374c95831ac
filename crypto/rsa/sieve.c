#include "rsa/sieve.h"

#include "rsa/ifma.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct sieve_tables tables;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

/* All primes below the highest bound, and some more to make the last chunk full. */
static void tables_make(void)
{
    const unsigned limit = SIEVE_BOUND_MAX + (1U << 15);
    unsigned char *composite = calloc(limit, 1);
    uint32_t *primes = calloc(limit / 8, sizeof *primes);
    unsigned count = 0;
    if (composite != NULL && primes != NULL) {
        for (unsigned i = 3; i < limit; i += 2) {
            if (composite[i])
                continue;
            primes[count++] = i;
            for (uint64_t j = (uint64_t)i * i; j < limit; j += 2 * i)
                composite[j] = 1;
        }
    }
    free(composite);
    count -= count % SIEVE_CHUNK;
    uint64_t *inverses = calloc(count / 2 + 1, sizeof *inverses);
    if (count == 0 || inverses == NULL) {
        free(primes);
        free(inverses);
        return;
    }
    for (unsigned i = 0; i < count / 2; i++)
        inverses[i] = limb_inverse((uint64_t)primes[2 * i] * primes[2 * i + 1]);
    tables = (struct sieve_tables){.pairs = count / 2, .primes = primes, .inverses = inverses};
}

const struct sieve_tables *sieve_tables(void)
{
    pthread_once(&tables_once, tables_make);
    return tables.primes != NULL ? &tables : NULL;
}

/* a b / 2^32 modulo the prime, below twice the prime when a b is below 2^32 times it; exactly
 * reduced or equal to the prime when it is below 2^32. */
static inline uint64_t multiply(uint64_t a, uint64_t b, uint32_t prime, uint32_t inverse)
{
    uint64_t product = a * b;
    uint32_t factor = (uint32_t)product * (0 - inverse);
    return (product + (uint64_t)factor * prime) >> 32;
}

/* base^(prime - 2) in Montgomery's form to 2^32, two bits of the exponent at a time. */
static uint64_t invert(uint64_t base, uint32_t prime, uint32_t inverse)
{
    uint32_t exponent = prime - 2;
    uint64_t powers[4] = {0, base};
    powers[2] = multiply(base, base, prime, inverse);
    powers[3] = multiply(powers[2], base, prime, inverse);
    unsigned at = (31U - (unsigned)__builtin_clz(exponent)) & ~1U;
    uint64_t x = powers[exponent >> at];
    while (at > 0) {
        at -= 2;
        x = multiply(x, x, prime, inverse);
        x = multiply(x, x, prime, inverse);
        unsigned window = exponent >> at & 3;
        uint64_t y = multiply(x, powers[window], prime, inverse);
        x = window != 0 ? y : x;
    }
    return x;
}

/* 2^(32 - bits): 2^-bits in Montgomery's form. Squaring makes 2^(32 - 2 x) of 2^(32 - x), so it
 * starts where that is a 32-bit number. */
static uint64_t power_of_half(unsigned bits, uint32_t prime, uint32_t inverse)
{
    unsigned squarings = sieve_squarings(bits);
    unsigned exponent = ((bits - 1) >> squarings) + 1;
    uint64_t x = 1ULL << (32 - exponent);
    while (squarings-- > 0) {
        unsigned wanted = ((bits - 1) >> squarings) + 1;
        x = multiply(x, x, prime, inverse) << (2 * exponent - wanted);
        exponent = wanted;
    }
    return x;
}

/* The residues carry powers of two that fall out of the quotient, but for the difference in length
 * of start and stride. */
static void finish(uint32_t prime, uint32_t inverse, unsigned bits, const uint64_t start[2],
                   const uint64_t stride[2], uint32_t ret[2])
{
    uint64_t scale = power_of_half(bits, prime, inverse);
    uint64_t s[2];
    for (unsigned i = 0; i < 2; i++)
        s[i] = multiply(multiply(stride[i], 1, prime, inverse), scale, prime, inverse);
    uint64_t both = invert(multiply(s[0], s[1], prime, inverse), prime, inverse);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t quotient = multiply(both, s[1 - i], prime, inverse);
        uint64_t residue = multiply(start[i], 1, prime, inverse);
        quotient = multiply(multiply(quotient, residue, prime, inverse), 1, prime, inverse);
        uint32_t first = prime - (uint32_t)quotient;
        ret[i] = first == prime ? 0 : first;
    }
}

/* One limb of a number more: from what came before, negated, modulo the product. */
static inline uint64_t residue_step(uint64_t residue, uint64_t limb, uint64_t product,
                                    uint64_t inverse)
{
    uint64_t factor = (limb - residue) * inverse;
    return (uint64_t)((wide_limb)factor * product >> LIMB_BITS) + (limb < residue);
}

void sieve_chunk_portable(const struct sieve_numbers *numbers, const struct sieve_tables *table,
                          unsigned first, unsigned pairs, uint32_t *starts[2])
{
    unsigned bits = (numbers->digits - numbers->stride_digits) * LIMB_BITS;
    for (unsigned i = 0; i < pairs; i++) {
        const uint32_t *primes = table->primes + 2 * (size_t)(first + i);
        uint64_t inverse = table->inverses[first + i];
        uint64_t product = (uint64_t)primes[0] * primes[1];
        uint64_t start[2] = {0};
        uint64_t stride[2] = {0};
        for (unsigned d = 0; d < numbers->digits; d++)
            for (unsigned n = 0; n < 2; n++)
                start[n] = residue_step(start[n], numbers->start[n][d], product, inverse);
        for (unsigned d = 0; d < numbers->stride_digits; d++)
            for (unsigned n = 0; n < 2; n++)
                stride[n] = residue_step(stride[n], numbers->stride[n][d], product, inverse);
        for (unsigned p = 0; p < 2; p++) {
            uint32_t found[2];
            /* 1 / (a b) times b is 1 / a */
            finish(primes[p], (uint32_t)inverse * primes[1 - p], bits, start, stride, found);
            starts[0][2 * i + p] = found[0];
            starts[1][2 * i + p] = found[1];
        }
    }
}

static void strike(unsigned char *struck, unsigned window, const uint32_t *primes,
                   const uint32_t *starts, unsigned count)
{
    unsigned i = 0;
    for (; i < count && primes[i] < window; i++)
        for (unsigned at = starts[i]; at < window; at += primes[i])
            struck[at] = 1;
    /* At most once; most fall outside, and all of those into the sink, without a branch. */
    for (; i < count; i++)
        struck[starts[i] < window ? starts[i] : window] = 1;
}

/* Modulo 2^16 + 1 the 16-bit parts of a number alternate in sign. */
static uint64_t modulo_exponent(const uint64_t *limbs, unsigned count)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t limb = limbs[i];
        sum += (int64_t)(limb & 0xffff) - (int64_t)(limb >> 16 & 0xffff);
        sum += (int64_t)(limb >> 32 & 0xffff) - (int64_t)(limb >> 48);
    }
    return (uint64_t)(sum + (int64_t)RSA_EXPONENT * 4 * RSA_LIMBS_MAX) % RSA_EXPONENT;
}

/* The candidates that are 1 modulo the public exponent: (1 - start) / stride. */
static void strike_exponent(const struct sieve *sieve, struct sequence *sequence)
{
    uint64_t start = modulo_exponent(sequence->start, sieve->limbs);
    uint64_t stride = modulo_exponent(sequence->stride, sieve->stride_limbs);
    uint64_t at = (RSA_EXPONENT + 1 - start) % RSA_EXPONENT;
    for (unsigned i = 0; i < 16; i++) { /* times stride^(2^16 - 1) */
        at = at * stride % RSA_EXPONENT;
        stride = stride * stride % RSA_EXPONENT;
    }
    sequence->struck[at < sieve->window ? at : sieve->window] = 1;
}

static void digits_split(uint64_t *digits, unsigned count, unsigned width, const uint64_t *limbs,
                         unsigned limb_count)
{
    uint64_t mask = ~0ULL >> (LIMB_BITS - width);
    for (unsigned i = 0; i < count; i++)
        digits[i] = limbs_bits(limbs, limb_count, i * width) & mask;
}

bool sieve_run(const struct sieve *sieve, struct sequence *one, struct sequence *other,
               struct error *error)
{
    const struct sieve_tables *table = sieve_tables();
    if (table == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the table of primes");
    struct sequence *sequences[2] = {one, other};
    unsigned width = sieve->path == RSA_PATH_IFMA ? IFMA_DIGIT_BITS : LIMB_BITS;
    struct sieve_numbers numbers = {.digits = (sieve->limbs * LIMB_BITS + width - 1) / width,
                                    .stride_digits =
                                        (sieve->stride_limbs * LIMB_BITS + width - 1) / width};
    uint32_t found[2][SIEVE_CHUNK];
    for (unsigned i = 0; i < 2; i++) {
        digits_split(numbers.start[i], numbers.digits, width, sequences[i]->start, sieve->limbs);
        digits_split(numbers.stride[i], numbers.stride_digits, width, sequences[i]->stride,
                     sieve->stride_limbs);
        memset(sequences[i]->struck, 0, sieve->window);
    }
    const unsigned pairs = SIEVE_CHUNK / 2;
    for (unsigned first = 0; first < table->pairs && table->primes[2 * first] < sieve->bound;
         first += pairs) {
        uint32_t *starts[2] = {found[0], found[1]};
        if (sieve->path == RSA_PATH_IFMA)
            sieve_chunk_ifma(&numbers, table, first, pairs, starts);
        else
            sieve_chunk_portable(&numbers, table, first, pairs, starts);
        for (unsigned i = 0; i < 2; i++)
            strike(sequences[i]->struck, sieve->window, table->primes + 2 * (size_t)first,
                   starts[i], SIEVE_CHUNK);
    }
    for (unsigned i = 0; i < 2 && sieve->coprime; i++)
        strike_exponent(sieve, sequences[i]);
    OPENSSL_cleanse(&numbers, sizeof numbers);
    OPENSSL_cleanse(found, sizeof found);
    return true;
}
