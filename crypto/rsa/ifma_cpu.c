/* Apart from what it decides on, and compiled for any processor: the compiler may put the
 * instructions into everything that shares a file with them. */
#include "rsa/ifma.h"

bool ifma_available(void)
{
#ifdef CERTMILL_IFMA
    /* The builtin asks XCR0 too whether the system keeps these registers. */
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512ifma");
#else
    return false;
#endif
}
