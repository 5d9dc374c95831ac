/* Nothing that eight lanes do may branch on, or address memory by, a candidate or a base. Built
 * with clang's MemorySanitizer, which follows uninitialized memory through all computations and
 * stops at a branch or an address that depends on it: so the secrets are declared uninitialized.
 * (Valgrind could do the same, but knows no AVX-512.) */
#include "rsa/ifma.h"

#include <sanitizer/msan_interface.h>
#include <stdio.h>
#include <string.h>

static struct ifma ifma;
static uint64_t numbers[RSA_LANES][RSA_LIMBS_MAX];
static uint64_t bases[RSA_LANES][RSA_LIMBS_MAX];

static uint64_t random_limb(void)
{
    static uint64_t state = 88172645463325252U; /* xorshift */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void secrets_make(unsigned bits)
{
    __msan_unpoison(numbers, sizeof numbers);
    __msan_unpoison(bases, sizeof bases);
    memset(numbers, 0, sizeof numbers);
    memset(bases, 0, sizeof bases);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        for (unsigned i = 0; i < LIMBS_OF(bits); i++)
            numbers[lane][i] = random_limb();
        bases[lane][0] = random_limb();
        numbers[lane][0] |= 1;
        uint64_t *top = &numbers[lane][(bits - 1) / LIMB_BITS];
        *top &= ~0ULL >> (LIMB_BITS - 1 - (bits - 1) % LIMB_BITS);
        *top |= 1ULL << ((bits - 1) % LIMB_BITS);
    }
    __msan_poison(numbers, sizeof numbers);
    __msan_poison(bases, sizeof bases);
}

/* A verdict that no longer depends on the secrets would mean that nothing was followed. */
static bool depends_on_secrets(unsigned verdict)
{
    return __msan_test_shadow(&verdict, sizeof verdict) >= 0;
}

int main(void)
{
    static const unsigned sizes[] = {141, 171, 201, 1024, 1536, 2048};
    if (!ifma_available()) {
        puts("skipped: this processor has no AVX-512 IFMA");
        return 0;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const uint64_t(*number)[RSA_LIMBS_MAX] = (const uint64_t(*)[RSA_LIMBS_MAX])numbers;
        const uint64_t(*base)[RSA_LIMBS_MAX] = (const uint64_t(*)[RSA_LIMBS_MAX])bases;
        secrets_make(sizes[i]);
        if (!depends_on_secrets(ifma_first_tests(&ifma, sizes[i], number)) ||
            !depends_on_secrets(ifma_rounds(&ifma, sizes[i], number, base))) {
            fprintf(stderr, "%u bits: the verdict does not come from the numbers\n", sizes[i]);
            return 1;
        }
        printf("%u bits\n", sizes[i]);
    }
    return 0;
}
