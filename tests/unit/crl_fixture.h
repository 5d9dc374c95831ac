/* An issuer, its leaves with CRL distribution points, and its revocation lists, all by OpenSSL. */
#ifndef CERTMILL_TEST_CRL_FIXTURE_H
#define CERTMILL_TEST_CRL_FIXTURE_H

#include "pki.h"

#define CRL_TEST_URL "http://crl.test/1.crl"

struct crl_maker {
    struct crypto_context *context;
    EVP_PKEY *key, *leaf_key;
    X509 *issuer;
    struct buf issuer_pem;
};

struct crl_line {
    const char *serial_hex;
    int64_t at;
    int reason; /* -1: none */
};

struct crl_wish {
    const struct crl_line *lines;
    size_t count;
    int64_t this_update, next_update; /* 0: a minute ago, and in a day */
    const char *point;                /* of the issuing distribution point, as openssl.cnf has it */
    bool delta;
    bool other_key;  /* signed by the leaf's key */
    bool other_name; /* of another issuer */
};

static inline void crl_maker_make(struct crl_maker *maker)
{
    maker->context = pki_context();
    maker->key = pki_key(maker->context, KEY_ECDSA, 256);
    maker->leaf_key = pki_key(maker->context, KEY_ECDSA, 256);
    maker->issuer =
        pki_certificate(&(struct pki_wish){.common_name = "CRL Issuer", .key = maker->key});
    buf_init(&maker->issuer_pem, CERTIFICATE_PEM_MAX);
    pki_append(&maker->issuer_pem, maker->issuer);
}

static inline void crl_maker_free(struct crl_maker *maker)
{
    buf_free(&maker->issuer_pem);
    X509_free(maker->issuer);
    key_release(&maker->leaf_key);
    key_release(&maker->key);
    crypto_context_free(maker->context);
}

/* Appends a leaf; `points` as openssl.cnf has crlDistributionPoints, or NULL. */
static inline void crl_leaf_pem(struct crl_maker *maker, const char *serial_hex, const char *points,
                                struct buf *pem)
{
    X509 *leaf = pki_certificate(&(struct pki_wish){.common_name = "a.test",
                                                    .names = "DNS:a.test",
                                                    .serial_hex = serial_hex,
                                                    .key = maker->leaf_key,
                                                    .issuer = maker->issuer,
                                                    .issuer_key = maker->key});
    X509V3_CTX context;
    X509V3_set_ctx(&context, maker->issuer, leaf, NULL, NULL, 0);
    if (points != NULL)
        pki_extend(leaf, &context, NID_crl_distribution_points, points);
    CHECK(X509_sign(leaf, maker->key, EVP_sha256()) > 0);
    pki_append(pem, leaf);
    X509_free(leaf);
}

static inline ASN1_TIME *crl_time(int64_t at)
{
    ASN1_TIME *time = ASN1_TIME_set(NULL, at);
    CHECK(time != NULL);
    return time;
}

static inline void crl_line_add(X509_CRL *list, const struct crl_line *line)
{
    X509_REVOKED *revoked = X509_REVOKED_new();
    BIGNUM *number = NULL;
    CHECK(revoked != NULL && BN_hex2bn(&number, line->serial_hex) > 0);
    ASN1_INTEGER *serial = BN_to_ASN1_INTEGER(number, NULL);
    ASN1_TIME *at = crl_time(line->at);
    CHECK(X509_REVOKED_set_serialNumber(revoked, serial) == 1);
    CHECK(X509_REVOKED_set_revocationDate(revoked, at) == 1);
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    if (line->reason >= 0)
        CHECK(ASN1_ENUMERATED_set(reason, line->reason) == 1 &&
              X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, reason, 0, 0) == 1);
    ASN1_ENUMERATED_free(reason);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    BN_free(number);
    CHECK(X509_CRL_add0_revoked(list, revoked) == 1);
}

static inline void crl_extend(X509_CRL *list, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, NULL, list, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    CHECK(extension != NULL && X509_CRL_add_ext(list, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* Appends the list's DER. */
static inline void crl_make(struct crl_maker *maker, const struct crl_wish *wish, struct buf *der)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *now = crl_time(wish->this_update != 0 ? wish->this_update : PKI_NOW - 60);
    ASN1_TIME *next = crl_time(wish->next_update != 0 ? wish->next_update : PKI_NOW + 86400);
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(maker->issuer));
    CHECK(list != NULL && X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1);
    if (wish->other_name)
        CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1,
                                         -1, 0) == 1);
    CHECK(X509_CRL_set_issuer_name(list, name) == 1);
    CHECK(X509_CRL_set1_lastUpdate(list, now) == 1 && X509_CRL_set1_nextUpdate(list, next) == 1);
    for (size_t i = 0; i < wish->count; i++)
        crl_line_add(list, &wish->lines[i]);
    if (wish->point != NULL)
        crl_extend(list, NID_issuing_distribution_point, wish->point);
    if (wish->delta)
        crl_extend(list, NID_delta_crl, "critical,DER:020101");
    CHECK(X509_CRL_sign(list, wish->other_key ? maker->leaf_key : maker->key, EVP_sha256()) > 0);
    unsigned char *bytes = NULL;
    int len = i2d_X509_CRL(list, &bytes);
    CHECK(len > 0 && buf_append(der, bytes, (size_t)len));
    OPENSSL_free(bytes);
    X509_NAME_free(name);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    X509_CRL_free(list);
}

#endif
