/* What the tests of the load CA's issuer share: leaves made, and looked at by OpenSSL. */
#ifndef CERTMILL_TEST_CA_ISSUE_H
#define CERTMILL_TEST_CA_ISSUE_H

#include "ca_csr.h"

#include <openssl/err.h>

#define DAY       86400
#define LIFETIME  (90 * DAY)
#define PEM_LIMIT ((size_t)1 << 20)

static inline X509 *x509_of(struct span der)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    CHECK(certificate != NULL && at == (const unsigned char *)der.data + der.len);
    return certificate;
}

/* All certificates of a PEM text. */
static inline STACK_OF(X509) * x509s_of(const struct buf *pem)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *one;
    while ((one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        CHECK(sk_X509_push(list, one) > 0);
    ERR_clear_error();
    BIO_free(bio);
    return list;
}

static inline X509 *root_of(const struct ca_fixture *fixture, unsigned alternate)
{
    struct buf pem;
    buf_init(&pem, PEM_LIMIT);
    CHECK(issuer_root(fixture->issuer, alternate, &pem));
    STACK_OF(X509) *list = x509s_of(&pem);
    CHECK_INT(sk_X509_num(list), 1);
    X509 *root = sk_X509_pop(list);
    sk_X509_free(list);
    buf_free(&pem);
    return root;
}

/* X509_verify_cert as strict as it goes; 0 or the error. */
static inline int verify(X509 *leaf, STACK_OF(X509) * chain, X509 *root, X509_CRL *crl)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    CHECK(store != NULL && context != NULL && X509_STORE_add_cert(store, root) == 1);
    if (crl != NULL)
        CHECK(X509_STORE_add_crl(store, crl) == 1);
    CHECK(X509_STORE_CTX_init(context, store, leaf, chain) == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, CA_NOW);
    CHECK(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK |
                                                 (crl != NULL ? X509_V_FLAG_CRL_CHECK : 0)) == 1);
    CHECK(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) == 1);
    int result = X509_verify_cert(context) == 1 ? 0 : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return result;
}

static inline void issue(const struct ca_fixture *fixture, const struct buf *csr, uint64_t number,
                         struct issued *issued)
{
    struct error error;
    struct csr_facts facts;
    CHECK_OK(csr_read(fixture->issuer, buf_span(csr), &facts, &error), error);
    CHECK_OK(issuer_issue(fixture->issuer,
                          &(struct issue_request){.csr = &facts,
                                                  .not_before = CA_NOW - 3600,
                                                  .not_after = CA_NOW - 3600 + LIFETIME - 1,
                                                  .number = number},
                          issued, &error),
             error);
}

#endif
