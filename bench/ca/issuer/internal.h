/* The issuer's insides: keys under a name, the certificates over them, and the tools. */
#ifndef CERTMILL_CA_ISSUER_INTERNAL_H
#define CERTMILL_CA_ISSUER_INTERNAL_H

#include "ca/issuer.h"
#include "form.h"
#include "tools.h"

#define ROOTS         2
#define KEY_ID_TEXT   32
#define SERIAL_BYTES  18
#define URL_MAX       256
#define AUTHORITY_MAX 128 /* of a Name's DER */

/* A key that signs, under a name. */
struct authority {
    size_t key; /* its number in the shop */
    struct key_spec spec;
    unsigned char name[AUTHORITY_MAX]; /* DER */
    size_t name_len;
    unsigned char key_id[KEY_ID_BYTES];
    struct buf public_key; /* DER */
};

struct intermediate {
    struct authority authority;
    struct buf der[ROOTS]; /* its certificate by each root */
    struct buf pem[ROOTS]; /* the chain behind a leaf */
    char key_id[KEY_ID_TEXT];
    char issuer_url[URL_MAX], crl_url[URL_MAX]; /* "": none */
};

struct issuer {
    struct tool_shop shop;
    struct authority roots[ROOTS];
    struct buf root_der[ROOTS];
    struct intermediate *intermediates;
    unsigned count;
};

/* A serial of SERIAL_BYTES, an INTEGER's content: a byte that makes it positive, the number, then
 * 72 random bits (the CA/Browser Forum wants 64). */
bool serial_make(const struct issuer *issuer, struct tools *tools, uint64_t number,
                 unsigned char *serial, struct error *error) MUST_USE;

/* RFC 7093 section 2, method 1: of a SubjectPublicKeyInfo. `key_id` has KEY_ID_BYTES. */
bool key_id_make(const struct issuer *issuer, struct span public_key, unsigned char *key_id,
                 struct error *error) MUST_USE;

/* Signs what was written and appends the whole. */
bool authority_sign(const struct issuer *issuer, struct tools *tools,
                    const struct authority *authority, const struct der_writer *writer,
                    struct buf *der, struct error *error) MUST_USE;

struct span authority_name(const struct authority *authority);

#endif
