/* OpenSSL's parameters hold numbers in the machine's byte order, everything else big-endian. */
#ifndef CERTMILL_CRYPTO_NATIVE_H
#define CERTMILL_CRYPTO_NATIVE_H

#include <stddef.h>

/* From one to the other and back. */
static inline void native_swap(unsigned char *number, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < len / 2; i++) {
        unsigned char byte = number[i];
        number[i] = number[len - 1 - i];
        number[len - 1 - i] = byte;
    }
#else
    (void)number;
    (void)len;
#endif
}

#endif
