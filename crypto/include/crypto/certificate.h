/* Certificates: what a CA sent is checked before it is stored, and what is stored is read back
 * fast. */
#ifndef CERTMILL_CRYPTO_CERTIFICATE_H
#define CERTMILL_CRYPTO_CERTIFICATE_H

#include "crypto/key.h"

#include <stdint.h>

#define CERTIFICATE_NAMES_MAX 1000
#define CERTIFICATE_CHAIN_MAX 16
#define CERTIFICATE_PEM_MAX   ((size_t)256 * 1024)

/* What certmill wants to know of a leaf, read from its DER without building OpenSSL objects (some
 * 2 us a certificate instead of 100), so that 1,000,000 live certificates can be planned. */
struct certificate_info {
    int64_t not_before; /* unix seconds */
    int64_t not_after;
    struct key_spec key;
    bool key_known; /* false: a key type that certmill does not make */
    /* Lower-case hex of the serial's DER bytes: at most 20 by RFC 5280, 21 with the leading zero
     * that many private CAs add, and up to 32 are read. */
    char serial[65];
    char issuer[128];  /* the issuer's common name, else organization, else "" */
    char ari_id[128];  /* RFC 9773 section 4.1, "" without a key identifier */
    struct span names; /* see certificate_name_next; points into `der` */
    size_t name_count;
    /* For revocation lists, all in `der`. */
    struct span crl_url;       /* the first http or https URL of a CRL; empty: none */
    struct span issuer_name;   /* Name, the whole element */
    struct span issuer_key_id; /* AuthorityKeyIdentifier's content, or empty */
    struct span serial_bytes;  /* the INTEGER's content */
};

/* Reads the first certificate of a PEM text (blocks of other kinds before it are passed over).
 * *der, made by buf_init, receives its DER in place of what it held; the info points into it, until
 * it is cleared or freed. The signature is not looked at. */
bool certificate_read(struct span pem, struct buf *der, struct certificate_info *ret_info,
                      struct error *error) MUST_USE;

/* Room for a certificate of CERTIFICATE_NAMES_MAX long names: a limit for `der`. */
#define CERTIFICATE_DER_MAX CERTIFICATE_PEM_MAX

#define CERTIFICATE_NAME_TEXT 256
/* Takes the next subject alternative name (DNS or IP, in text form, lower case) off *names into
 * `text` of CERTIFICATE_NAME_TEXT bytes; false at the end. */
bool certificate_name_next(struct span *names, char *text) MUST_USE;

/* What its key may be used for: bits as OpenSSL's KU_ and XKU_ have them (RFC 5280 sections 4.2.1.3
 * and 4.2.1.12); UINT32_MAX when the extension is not there. `der` as certificate_read gives it. */
struct certificate_usages {
    uint32_t key_usage;
    uint32_t extended_key_usage;
};
bool certificate_usages(const struct crypto_context *context, struct span der,
                        struct certificate_usages *ret_usages, struct error *error) MUST_USE;

struct certificate_request {
    const char *const *names; /* the certificate must hold each of them; it may hold more */
    size_t count;
    struct span public_key; /* DER, from key_public_der */
    int64_t now;            /* unix seconds */
    int64_t clock_skew;     /* seconds that notBefore may lie in the future */
};

/* A checked chain, cut into the files of the store. All PEM with one final line end. */
struct certificate_chain {
    struct buf certificate;       /* the leaf */
    struct buf chain;             /* the rest, "" when there is none */
    struct buf full;              /* leaf and rest */
    struct certificate_info info; /* its names point into `der` */
    struct buf der;
};

/* Checks an application/pem-certificate-chain (RFC 8555 section 7.4.2): at least one certificate,
 * no PEM but certificates, the leaf first; its key is `key`; its names cover the request's; each
 * certificate is signed by the next; now lies within every validity. A self-signed root at the end
 * is kept. Text between the certificates is dropped (RFC 7468 section 5.2). The error says which
 * check failed and for what. */
bool certificate_check(const struct crypto_context *context, struct span pem,
                       const struct certificate_request *request,
                       struct certificate_chain *ret_chain, struct error *error) MUST_USE;
void certificate_chain_free(struct certificate_chain *chain);

/* For choosing among alternate chains: does any issuer in the chain carry this common name? */
bool certificate_chain_has_issuer(struct span pem, const char *common_name);

#endif
