/* The load CA's keys and certificates: a root, an intermediate and a second root for the alternate
 * chain (RFC 8555 section 7.4.2), leaves by their CSR, a CRL. Made anew at every start. */
#ifndef CERTMILL_CA_ISSUER_H
#define CERTMILL_CA_ISSUER_H

#include "crypto/key.h"

struct issuer;

#define ISSUER_INTERMEDIATES_MAX 64
struct issuer_options {
    struct key_spec key;    /* of roots and intermediates; 0 bits: P-256, which signs cheapest */
    bool chain_with_root;   /* the chain ends with the root, as some CAs send it */
    unsigned intermediates; /* leaves are signed by each in turn; 0: 1 */
    /* "http://HOST:PORT": leaves then point to URL/issuer/N (a DER certificate, see
     * issuer_intermediate) and URL/crl/N. NULL leaves both extensions out. */
    const char *url;
};

/* The context must outlive the issuer. */
bool issuer_new(const struct crypto_context *context, const struct issuer_options *options,
                int64_t now, struct issuer **ret_issuer, struct error *error) MUST_USE;
void issuer_free(struct issuer *issuer);

#define ISSUER_NAMES_MAX 1000

/* A CSR that was read and checked: PKCS#10, its own signature good, key of an accepted kind (RSA
 * 2048 to 4096, P-256, P-384, P-521; not a weak one), only extensions that a CA accepts. Spans
 * point into the DER that was read. */
struct csr_facts {
    struct span public_key; /* SubjectPublicKeyInfo */
    struct key_spec key;    /* RSA: any multiple of 8 bits */
    struct span names;      /* see csr_name_next; a name may come twice */
    size_t name_count;
    char common_name[65]; /* one of the names, lower case; "" when there is none */
    bool must_staple;     /* RFC 7633 */
};
/* The error is fit for a badCSR problem's detail. Thread-safe. The issuer keeps what is prepared
 * for checking signatures: made anew for every CSR it would cost a quarter more. */
bool csr_read(struct issuer *issuer, struct span der, struct csr_facts *ret_facts,
              struct error *error) MUST_USE;
/* Takes the next name in text form, lower case ("*.example.com", "192.0.2.1"), off *names into
 * `text` of CERTIFICATE_NAME_TEXT bytes (crypto/certificate.h); false at the end. */
bool csr_name_next(struct span *names, char *text) MUST_USE;

struct issue_request {
    const struct csr_facts *csr;
    int64_t not_before, not_after;
    uint64_t number; /* the certificate's, unique: with random bits it becomes its serial, and
                        `number` modulo the intermediates says which of them signs */
};
#define ISSUER_SERIAL_MAX 21
struct issued {
    struct buf der;
    unsigned char serial[ISSUER_SERIAL_MAX]; /* the INTEGER's content */
    size_t serial_len;
    unsigned intermediate;
};
/* Signs a leaf. Thread-safe; the caller frees ret_issued->der. */
bool issuer_issue(struct issuer *issuer, const struct issue_request *request,
                  struct issued *ret_issued, struct error *error) MUST_USE;
/* The number within a serial that issuer_issue made; false for what cannot be one. The random bits
 * are not known here: the caller compares the whole serial with that of the certificate found. */
bool issuer_serial_number(struct span serial, uint64_t *ret_number) MUST_USE;

/* Appends the PEM chain of a leaf; `alternate` 0 is the default, the last is issuer_alternates().
 */
bool issuer_chain(const struct issuer *issuer, struct span leaf_der, unsigned intermediate,
                  unsigned alternate, struct buf *pem) MUST_USE;
unsigned issuer_alternates(const struct issuer *issuer);

/* Roots as PEM, for trust: 0 is the default chain's. And a certificate for the server's own HTTPS,
 * for "localhost", 127.0.0.1 and ::1 and the name given (or NULL), from the first root. */
bool issuer_root(const struct issuer *issuer, unsigned alternate, struct buf *pem) MUST_USE;
bool issuer_server_pair(struct issuer *issuer, const char *name, int64_t now,
                        struct buf *certificate_pem, struct buf *key_pem,
                        struct error *error) MUST_USE;

/* An intermediate's certificate in the chain `alternate`, DER; lives as long as the issuer. */
struct span issuer_intermediate(const struct issuer *issuer, unsigned intermediate,
                                unsigned alternate);

/* RFC 9773 section 4.1: base64url(AKI keyIdentifier) of an intermediate, and back: -1 when unknown.
 */
const char *issuer_key_id(const struct issuer *issuer, unsigned intermediate);
int issuer_of_key_id(const struct issuer *issuer, struct span base64url);

struct revoked {
    unsigned char serial[ISSUER_SERIAL_MAX];
    size_t serial_len;
    int64_t at;
    unsigned reason; /* RFC 5280 section 5.3.1 */
};
/* Appends a DER CRL of one intermediate. */
bool issuer_crl(struct issuer *issuer, unsigned intermediate, const struct revoked *revoked,
                size_t count, int64_t now, struct buf *der, struct error *error) MUST_USE;

#endif
