/* Where the compiler cannot make the instructions, the path is not available, and nobody comes
 * here. */
#include "rsa/ifma.h"
#include "rsa/sieve.h"

#ifndef __AVX512IFMA__

void ifma_wipe_registers(void)
{
}

void ifma_set_moduli(struct ifma *ifma, unsigned bits,
                     const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX])
{
    (void)ifma;
    (void)bits;
    (void)numbers;
}

void ifma_put(const struct ifma *ifma, struct ifma_digit *digits, unsigned lane,
              const uint64_t *limbs, unsigned count)
{
    (void)ifma;
    (void)digits;
    (void)lane;
    (void)limbs;
    (void)count;
}

void ifma_square(struct ifma *ifma, unsigned doubled)
{
    (void)ifma;
    (void)doubled;
}

void ifma_multiply(struct ifma *ifma)
{
    (void)ifma;
}

void ifma_reduce(struct ifma *ifma)
{
    (void)ifma;
}

unsigned ifma_first_tests(struct ifma *ifma, unsigned bits,
                          const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX])
{
    (void)ifma;
    (void)bits;
    (void)numbers;
    return 0;
}

unsigned ifma_rounds(struct ifma *ifma, unsigned bits,
                     const uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX],
                     const uint64_t bases[RSA_LANES][RSA_LIMBS_MAX])
{
    (void)ifma;
    (void)bits;
    (void)numbers;
    (void)bases;
    return 0;
}

void sieve_chunk_ifma(const struct sieve_numbers *numbers, const struct sieve_tables *table,
                      unsigned first, unsigned pairs, uint32_t *starts[2])
{
    (void)numbers;
    (void)table;
    (void)first;
    (void)pairs;
    (void)starts;
}

#endif
