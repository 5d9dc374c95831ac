/* Certificate revocation lists (RFC 5280 section 5): read from their DER without OpenSSL objects,
 * of which a list of 100,000s of entries would need one each. */
#ifndef CERTMILL_CRYPTO_CRL_H
#define CERTMILL_CRYPTO_CRL_H

#include "crypto/context.h"

#define CRL_DER_MAX ((size_t)64 * 1024 * 1024)
#define CRL_URL_MAX 1024

/* All spans point into the DER. */
struct crl {
    int64_t this_update, next_update; /* unix seconds */
    struct span issuer;               /* Name, the whole element */
    struct span entries;              /* see crl_next */
    struct span der;
    struct span signed_element, signature_algorithm, signature;
};

/* Reads all of the list but its entries, which crl_next finds. `url`: where the list was said to
 * be; a list that says it belongs elsewhere is refused, for whoever is on the way could put one of
 * a CA's lists in another's place. ERROR_PROTOCOL for what is damaged, and for what must not be
 * used for leaves: a delta list, an indirect one, one of CAs or attribute certificates, one with a
 * critical extension that is not known. The signature is not looked at. */
bool crl_read(struct span der, struct span url, struct crl *ret_crl, struct error *error) MUST_USE;

/* Whether the list may be used now, and was signed by the first certificate of a PEM text, the
 * issuer. ERROR_PROTOCOL says what is wrong. */
bool crl_verify(const struct crypto_context *context, const struct crl *crl, struct span issuer_pem,
                int64_t now, struct error *error) MUST_USE;

struct crl_entry {
    struct span serial; /* the INTEGER's content */
    int64_t revoked_at; /* unix seconds */
    struct span extensions;
};

/* Takes the next entry off `entries`. False at the end, and where they are damaged: then something
 * is left of `entries`. */
bool crl_next(struct span *entries, struct crl_entry *ret_entry) MUST_USE;

/* "keyCompromise" (RFC 5280 section 5.3.1); "unspecified" also where none is given. Static. */
const char *crl_reason(const struct crl_entry *entry);

/* "http://" or "https://", with a host, up to CRL_URL_MAX bytes without blanks, controls and
 * anything but ASCII. */
bool crl_url_is_usable(struct span url);

#endif
