#include "rsa/sieve.h"

#include "rsa/ifma.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* No search takes a lock for them, which a process forked meanwhile could find locked forever. */
static _Atomic(struct sieve_tables *) tables;

static struct {
    pthread_mutex_t lock;
    size_t count;
} holders = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void tables_free(struct sieve_tables *made)
{
    if (made == NULL)
        return;
    free(made->primes);
    free(made->inverses);
    free(made);
}

/* All primes below the highest bound, and some more to make the last chunk full. */
static struct sieve_tables *tables_make(void)
{
    struct sieve_tables *made = calloc(1, sizeof *made);
    const unsigned limit = SIEVE_BOUND_MAX + (1U << 15);
    unsigned char *composite = calloc(limit, 1);
    uint32_t *primes = calloc(limit / 8, sizeof *primes);
    unsigned count = 0;
    if (composite != NULL && primes != NULL) {
        for (unsigned i = 3; i < limit; i += 2) {
            if (composite[i])
                continue;
            primes[count++] = i;
            for (uint64_t j = (uint64_t)i * i; j < limit; j += 2 * (uint64_t)i)
                composite[j] = 1;
        }
    }
    free(composite);
    count -= count % SIEVE_CHUNK;
    uint64_t *inverses = calloc(count / 2 + 1, sizeof *inverses);
    if (count == 0 || inverses == NULL || made == NULL) {
        free(primes);
        free(inverses);
        free(made);
        return NULL;
    }
    for (size_t i = 0; i < count / 2; i++)
        inverses[i] = limb_inverse((uint64_t)primes[2 * i] * primes[2 * i + 1]);
    *made = (struct sieve_tables){.pairs = count / 2, .primes = primes, .inverses = inverses};
    return made;
}

const struct sieve_tables *sieve_tables(void)
{
    struct sieve_tables *found = atomic_load(&tables);
    if (found != NULL)
        return found;
    struct sieve_tables *made = tables_make();
    if (made == NULL || atomic_compare_exchange_strong(&tables, &found, made))
        return made;
    tables_free(made); /* another thread was faster */
    return found;
}

void rsa_search_hold(void)
{
    pthread_mutex_lock(&holders.lock);
    holders.count++;
    pthread_mutex_unlock(&holders.lock);
}

void rsa_search_release(void)
{
    pthread_mutex_lock(&holders.lock);
    if (--holders.count == 0)
        tables_free(atomic_exchange(&tables, NULL));
    pthread_mutex_unlock(&holders.lock);
}

/* a b / 2^32 modulo the prime, below twice the prime when a b is below 2^32 times it; exactly
 * reduced or equal to the prime when it is below 2^32. */
static inline uint64_t multiply(uint64_t a, uint64_t b, uint32_t prime, uint32_t inverse)
{
    uint64_t product = a * b;
    uint32_t factor = (uint32_t)product * (0 - inverse);
    return (product + (uint64_t)factor * prime) >> 32;
}

/* Some neighbouring primes at a time: each step of one waits for the step before, and the processor
 * fills the time with the others. */
#define TOGETHER 4

struct group {
    uint32_t prime[TOGETHER];
    uint32_t inverse[TOGETHER]; /* 1 / prime modulo 2^32 */
};

/* x = base^(prime - 2) in Montgomery's form to 2^32, two bits of the exponent at a time. x is 0
 * until the first bit that is not. */
static void invert(const struct group *group, const uint64_t base[TOGETHER], uint64_t x[TOGETHER])
{
    uint64_t powers[TOGETHER][4];
    for (unsigned i = 0; i < TOGETHER; i++) {
        uint32_t prime = group->prime[i];
        uint32_t inverse = group->inverse[i];
        powers[i][0] = 0;
        powers[i][1] = base[i];
        powers[i][2] = multiply(base[i], base[i], prime, inverse);
        powers[i][3] = multiply(powers[i][2], base[i], prime, inverse);
        x[i] = 0;
    }
    unsigned at = (32U - (unsigned)__builtin_clz(group->prime[TOGETHER - 1]) + 1) & ~1U;
    while (at > 0) {
        at -= 2;
        for (unsigned i = 0; i < TOGETHER; i++) {
            uint32_t prime = group->prime[i];
            uint32_t inverse = group->inverse[i];
            unsigned window = (prime - 2) >> at & 3;
            uint64_t power = powers[i][window];
            uint64_t y = multiply(x[i], x[i], prime, inverse);
            y = multiply(y, y, prime, inverse);
            uint64_t product = multiply(y, power, prime, inverse);
            product = x[i] == 0 ? power : product;
            x[i] = window == 0 ? y : product;
        }
    }
}

/* 2^(32 - bits): 2^-bits in Montgomery's form. Squaring makes 2^(32 - 2 x) of 2^(32 - x), so it
 * starts where that is a 32-bit number. */
static void power_of_half(const struct group *group, unsigned bits, uint64_t x[TOGETHER])
{
    unsigned squarings = sieve_squarings(bits);
    unsigned exponent = ((bits - 1) >> squarings) + 1;
    for (unsigned i = 0; i < TOGETHER; i++)
        x[i] = 1ULL << (32 - exponent);
    while (squarings-- > 0) {
        unsigned wanted = ((bits - 1) >> squarings) + 1;
        for (unsigned i = 0; i < TOGETHER; i++)
            x[i] = multiply(x[i], x[i], group->prime[i], group->inverse[i])
                   << (2 * exponent - wanted);
        exponent = wanted;
    }
}

/* One limb of a number more: from what came before, negated, modulo the product. */
static inline uint64_t residue_step(uint64_t residue, uint64_t limb, uint64_t product,
                                    uint64_t inverse)
{
    uint64_t factor = (limb - residue) * inverse;
    return (uint64_t)((wide_limb)factor * product >> LIMB_BITS) + (limb < residue);
}

/* The residues of starts and strides modulo the primes of a group. They carry powers of two that
 * fall out of the quotient, but for the difference in length of start and stride. */
static void residues(const struct sieve_numbers *numbers, const struct group *group,
                     const uint64_t *inverses, uint64_t start[2][TOGETHER],
                     uint64_t stride[2][TOGETHER])
{
    for (unsigned pair = 0; pair < TOGETHER / 2; pair++) {
        const uint32_t *prime = group->prime + 2 * (size_t)pair;
        const uint32_t *inverse = group->inverse + 2 * (size_t)pair;
        uint64_t product = (uint64_t)prime[0] * prime[1];
        uint64_t starts[2] = {0};
        uint64_t strides[2] = {0};
        for (unsigned d = 0; d < numbers->digits; d++)
            for (unsigned n = 0; n < 2; n++)
                starts[n] = residue_step(starts[n], numbers->start[n][d], product, inverses[pair]);
        for (unsigned d = 0; d < numbers->stride_digits; d++)
            for (unsigned n = 0; n < 2; n++)
                strides[n] =
                    residue_step(strides[n], numbers->stride[n][d], product, inverses[pair]);
        for (unsigned n = 0; n < 2; n++) {
            for (unsigned i = 0; i < 2; i++) {
                start[n][2 * pair + i] = multiply(starts[n], 1, prime[i], inverse[i]);
                stride[n][2 * pair + i] = multiply(strides[n], 1, prime[i], inverse[i]);
            }
        }
    }
}

static void group_starts(const struct sieve_numbers *numbers, const struct group *group,
                         const uint64_t *inverses, uint32_t *starts[2])
{
    uint64_t start[2][TOGETHER];
    uint64_t stride[2][TOGETHER];
    uint64_t scale[TOGETHER];
    uint64_t base[TOGETHER];
    uint64_t both[TOGETHER];
    residues(numbers, group, inverses, start, stride);
    power_of_half(group, (numbers->digits - numbers->stride_digits) * LIMB_BITS, scale);
    for (unsigned i = 0; i < TOGETHER; i++) {
        for (unsigned n = 0; n < 2; n++)
            stride[n][i] = multiply(stride[n][i], scale[i], group->prime[i], group->inverse[i]);
        base[i] = multiply(stride[0][i], stride[1][i], group->prime[i], group->inverse[i]);
    }
    invert(group, base, both);
    for (unsigned n = 0; n < 2; n++) {
        for (unsigned i = 0; i < TOGETHER; i++) {
            uint32_t prime = group->prime[i];
            uint32_t inverse = group->inverse[i];
            uint64_t quotient = multiply(both[i], stride[1 - n][i], prime, inverse);
            quotient = multiply(quotient, start[n][i], prime, inverse);
            quotient = multiply(quotient, 1, prime, inverse);
            uint32_t first = prime - (uint32_t)quotient;
            starts[n][i] = first == prime ? 0 : first;
        }
    }
}

void sieve_chunk_portable(const struct sieve_numbers *numbers, const struct sieve_tables *table,
                          unsigned first, unsigned pairs, uint32_t *starts[2])
{
    for (unsigned i = 0; i < pairs; i += TOGETHER / 2) {
        const uint32_t *primes = table->primes + 2 * (size_t)(first + i);
        const uint64_t *inverses = table->inverses + first + i;
        uint32_t *at[2] = {starts[0] + 2 * (size_t)i, starts[1] + 2 * (size_t)i};
        struct group group;
        for (unsigned p = 0; p < TOGETHER; p++) {
            group.prime[p] = primes[p];
            /* 1 / (a b) times b is 1 / a */
            group.inverse[p] = (uint32_t)inverses[p / 2] * primes[p ^ 1];
        }
        group_starts(numbers, &group, inverses, at);
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
    for (unsigned first = 0;
         first < table->pairs && table->primes[2 * (size_t)first] < sieve->bound; first += pairs) {
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
