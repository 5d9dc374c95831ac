/* A certificate's parts, found in its DER by one walk (RFC 5280 section 4.1). */
#ifndef CERTMILL_CRYPTO_CERTIFICATE_DER_H
#define CERTMILL_CRYPTO_CERTIFICATE_DER_H

#include "crypto/certificate.h"

/* Content without tag and length unless said otherwise; all point into the DER. */
struct certificate_parts {
    struct span serial;
    struct span issuer;  /* Name: a sequence of RDNs */
    struct span subject; /* as the issuer */
    int64_t not_before;  /* unix seconds */
    int64_t not_after;
    struct span public_key;         /* SubjectPublicKeyInfo */
    struct span public_key_element; /* the same with tag and length */
    struct span names;              /* GeneralNames of the subjectAltName, or empty */
    struct span authority_key_id;   /* AuthorityKeyIdentifier, or empty */
};

/* Walks the whole certificate and nothing behind it. */
bool certificate_walk(struct span der, struct certificate_parts *ret_parts,
                      struct error *error) MUST_USE;

/* Fills everything of the info from the parts. */
bool certificate_info_from(const struct certificate_parts *parts, struct certificate_info *ret_info,
                           struct error *error) MUST_USE;

/* The common name of a Name, else its organization, as UTF-8 without control characters; "" without
 * either. A text that does not fit is cut off at a character. `only_common_name` leaves the
 * organization out. */
void certificate_name_text(struct span name, bool only_common_name, char *text, size_t size);

#endif
