/* What the files of account keys share. */
#ifndef CERTMILL_CA_ACME_ACCOUNT_KEY_READ_H
#define CERTMILL_CA_ACME_ACCOUNT_KEY_READ_H

#include "account_key.h"

struct ca_algorithm {
    const char *name;     /* RFC 7518, RFC 8037 */
    const char *key_type; /* "kty" */
    const char *curve;    /* "crv"; NULL: RSA */
    const char *digest;
    size_t width; /* of a coordinate, bytes */
};

/* NULL when there is none. */
const struct ca_algorithm *ca_algorithm_of_key(struct span type, struct span curve);

/* Sets key->algorithm, key and jwk. */
bool ca_jwk_read(struct ca_json jwk, struct ca_key *key, struct error *error) MUST_USE;

#endif
