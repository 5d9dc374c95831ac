/* CSRs as OpenSSL's own X509_REQ functions make them, for the tests of the load CA's issuer. */
#ifndef CERTMILL_TEST_CA_CSR_H
#define CERTMILL_TEST_CA_CSR_H

#include "pki.h"

#include "ca/issuer.h"
#include "crypto/csr.h"

#define CA_NOW PKI_NOW

struct ca_fixture {
    struct crypto_context *context;
    struct issuer *issuer;
};

static inline void ca_setup(struct ca_fixture *fixture, const struct issuer_options *options)
{
    struct error error;
    fixture->context = pki_context();
    CHECK_OK(issuer_new(fixture->context, options, CA_NOW, &fixture->issuer, &error), error);
}

static inline void ca_teardown(struct ca_fixture *fixture)
{
    issuer_free(fixture->issuer);
    crypto_context_free(fixture->context);
}

struct csr_wish {
    EVP_PKEY *key;
    const EVP_MD *digest;    /* NULL: SHA-256 */
    const char *common_name; /* NULL: none */
    const char *second_common_name;
    int string_type; /* 0: UTF-8 */
    /* Pairs of kind and value as openssl.cnf has them, up to a pair without value. */
    struct {
        int kind;
        const char *value;
    } extensions[4];
    bool password; /* a challenge password before the extensions */
    bool twice;    /* the extensions again, in an attribute of another kind */
};

static inline void csr_wish_subject(X509_NAME *subject, const char *text, int type)
{
    if (text != NULL)
        CHECK(X509_NAME_add_entry_by_NID(subject, NID_commonName, type != 0 ? type : MBSTRING_UTF8,
                                         (const unsigned char *)text, -1, -1, 0) == 1);
}

static inline void csr_wish_extensions(X509_REQ *request, const struct csr_wish *wish)
{
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, request, NULL, 0);
    for (size_t i = 0; i < 4 && wish->extensions[i].value != NULL; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, wish->extensions[i].kind,
                                                        wish->extensions[i].value);
        CHECK(extension != NULL && sk_X509_EXTENSION_push(list, extension) > 0);
    }
    if (sk_X509_EXTENSION_num(list) > 0)
        CHECK(X509_REQ_add_extensions(request, list) == 1);
    if (wish->twice)
        CHECK(X509_REQ_add_extensions_nid(request, list, NID_SMIMECapabilities) == 1);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

/* Puts the DER into *der, made by buf_init, in place of what it held. */
static inline void csr_wish_make(const struct csr_wish *wish, struct buf *der)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject = X509_NAME_new();
    unsigned char *bytes = NULL;
    CHECK(request != NULL && subject != NULL && X509_REQ_set_version(request, 0) == 1);
    csr_wish_subject(subject, wish->common_name, wish->string_type);
    csr_wish_subject(subject, wish->second_common_name, wish->string_type);
    CHECK(X509_REQ_set_subject_name(request, subject) == 1);
    CHECK(X509_REQ_set_pubkey(request, wish->key) == 1);
    if (wish->password)
        CHECK(X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_ASC,
                                        (const unsigned char *)"secret", -1) == 1);
    csr_wish_extensions(request, wish);
    bool no_digest = EVP_PKEY_is_a(wish->key, "ED25519");
    CHECK(X509_REQ_sign(request, wish->key,
                        no_digest              ? NULL
                        : wish->digest != NULL ? wish->digest
                                               : EVP_sha256()) > 0);
    int len = i2d_X509_REQ(request, &bytes);
    buf_clear(der);
    CHECK(len > 0 && buf_append(der, bytes, (size_t)len));
    OPENSSL_free(bytes);
    X509_NAME_free(subject);
    X509_REQ_free(request);
}

static inline void csr_wish_names(EVP_PKEY *key, const char *names, struct buf *der)
{
    csr_wish_make(&(struct csr_wish){.key = key, .extensions = {{NID_subject_alt_name, names}}},
                  der);
}

#endif
