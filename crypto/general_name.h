/* Names of certificates as DER: what a CSR asks for, and what a validation certificate holds. */
#ifndef CERTMILL_CRYPTO_GENERAL_NAME_H
#define CERTMILL_CRYPTO_GENERAL_NAME_H

#include "der.h"

#define GENERAL_NAME_HEADER_MAX 4 /* tag and length of one name */

/* A name as it stands in a certificate: text, or an address of 4 or 16 bytes. */
struct general_name {
    const char *bytes; /* of a host name; borrowed */
    size_t len;
    bool is_address;
    unsigned char address[16];
};

/* Takes a host name in lower-case A-labels, "*." before it allowed, or an IP address. */
bool general_name_read(const char *text, struct general_name *ret_name,
                       struct error *error) MUST_USE;

/* Puts the extension subjectAltName (RFC 5280 section 4.2.1.6), not critical. */
void general_names_put(struct der_writer *writer, const struct general_name *names, size_t count);

/* Puts one RelativeDistinguishedName: a common name as a UTF8String. */
void common_name_put(struct der_writer *writer, struct span text);

#endif
