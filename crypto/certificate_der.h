/* A certificate's parts, found in its DER by one walk (RFC 5280 section 4.1). */
#ifndef CERTMILL_CRYPTO_CERTIFICATE_DER_H
#define CERTMILL_CRYPTO_CERTIFICATE_DER_H

#include "crypto/certificate.h"

/* All point into the DER. */
struct certificate_parts {
    /* Content only. */
    struct span serial;
    struct span names;            /* GeneralNames of the subjectAltName, or empty */
    struct span authority_key_id; /* AuthorityKeyIdentifier, or empty */
    struct span crl_points;       /* the extension's value, not looked at, or empty */
    struct span signature;        /* without the bit string's count of unused bits */
    /* Whole elements, with tag and length. */
    struct span issuer;              /* Name */
    struct span subject;             /* Name */
    struct span public_key;          /* SubjectPublicKeyInfo */
    struct span signed_element;      /* TBSCertificate */
    struct span signature_algorithm; /* AlgorithmIdentifier */
    int64_t not_before;              /* unix seconds */
    int64_t not_after;
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
