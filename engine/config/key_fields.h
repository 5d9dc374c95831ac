/* Key types and sizes as the accounts file and the manifest write them. */
#ifndef CERTMILL_CONFIG_KEY_FIELDS_H
#define CERTMILL_CONFIG_KEY_FIELDS_H

#include "config/fields.h"
#include "crypto/key.h"

/* RSA, ECDSA or EC, in any case. */
bool config_key_type(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, enum key_type *ret_type) MUST_USE;
/* A size of any type: 2048, 3072, 4096, 256, 384, 521, or P-256, P-384, P-521. */
bool config_key_bits(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, unsigned *ret_bits) MUST_USE;

/* RSA 2048, ECDSA P-256. */
unsigned key_bits_default(enum key_type type);
/* "RSA: 2048, 3072 or 4096": for messages. */
const char *key_bits_allowed(enum key_type type);

#define RENEW_BEFORE_DAYS_DEFAULT 30
#define RENEW_BEFORE_DAYS_MAX     1000

#endif
