/* Primality tests by OpenSSL's constant-time exponentiation, for any processor. */
#ifndef CERTMILL_CRYPTO_RSA_PORTABLE_H
#define CERTMILL_CRYPTO_RSA_PORTABLE_H

#include "rsa/limbs.h"

struct portable;

bool portable_new(struct portable **ret_portable, struct error *error) MUST_USE;
void portable_free(struct portable *portable);

/* The odd number that is tested next. */
bool portable_set(struct portable *portable, const uint64_t *number, unsigned bits,
                  struct error *error) MUST_USE;
/* Euler's test to base 2. */
bool portable_first(struct portable *portable, bool *ret_likely, struct error *error) MUST_USE;
/* One round of Miller and Rabin; the base is from 2 to the number less 2. */
bool portable_round(struct portable *portable, const uint64_t *base, bool *ret_passed,
                    struct error *error) MUST_USE;

#endif
