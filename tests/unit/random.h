/* Numbers for tests of damaged input: the same at every run. */
#ifndef CERTMILL_TEST_RANDOM_H
#define CERTMILL_TEST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* xorshift */
static inline size_t random_below(size_t bound)
{
    static uint64_t state = 88172645463325252U;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % bound);
}

#endif
