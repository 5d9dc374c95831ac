/* PEM (RFC 7468): blocks found in a text, and written. */
#ifndef CERTMILL_CRYPTO_PEM_H
#define CERTMILL_CRYPTO_PEM_H

#include "context_internal.h"

struct pem_block {
    struct span label; /* "CERTIFICATE" */
    struct span body;  /* between the two marker lines */
};

enum pem_result {
    PEM_FOUND,
    PEM_NONE,   /* no further block */
    PEM_BROKEN, /* a block begins that does not end */
};

/* Takes the next block off *text. Text outside blocks is passed over, as RFC 7468 section 5.2
 * allows. */
enum pem_result pem_next(struct span *text, struct pem_block *ret_block);

/* Appends a block with lines of 64 characters. */
bool pem_append(struct buf *out, const char *label, struct span der) MUST_USE;

/* The same on the secure heap, for a private key. */
bool pem_secret(const char *label, struct span der, struct secret *ret_pem,
                struct error *error) MUST_USE;

#endif
