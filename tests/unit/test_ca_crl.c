/* The load CA's certificate revocation lists, against OpenSSL's own functions. */
#include "ca_issue.h"

static X509_CRL *crl_of(const struct ca_fixture *fixture, unsigned intermediate,
                        const struct revoked *revoked, size_t count)
{
    struct error error;
    struct buf der;
    buf_init(&der, (size_t)8 << 20);
    CHECK_OK(issuer_crl(fixture->issuer, intermediate, revoked, count, CA_NOW, &der, &error),
             error);
    const unsigned char *at = (const unsigned char *)der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.len);
    CHECK(crl != NULL && at == (const unsigned char *)der.data + der.len);
    X509 *signer = x509_of(issuer_intermediate(fixture->issuer, intermediate, 0));
    CHECK_INT(X509_CRL_verify(crl, X509_get0_pubkey(signer)), 1);
    CHECK_INT(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
    X509_free(signer);
    buf_free(&der);
    return crl;
}

static void revoked_certificates_are_listed(void)
{
    struct ca_fixture fixture;
    struct issued issued[2];
    struct buf csr;
    struct error error;
    buf_init(&csr, 8192);
    ca_setup(&fixture, &(struct issuer_options){0});
    EVP_PKEY *key = pki_key(fixture.context, KEY_ECDSA, 256);
    csr_wish_names(key, "DNS:a.example", &csr);
    struct revoked *revoked = calloc(2000, sizeof *revoked);
    CHECK(revoked != NULL);
    for (size_t i = 0; i < 2000; i++) {
        revoked[i] = (struct revoked){.serial_len = 18, .at = CA_NOW - 60, .reason = i % 2 * 4};
        memset(revoked[i].serial, 4, 18);
        memcpy(revoked[i].serial + 4, &i, 2);
    }
    for (uint64_t i = 0; i < 2; i++)
        issue(&fixture, &csr, i, &issued[i]);
    memcpy(revoked[7].serial, issued[1].serial, issued[1].serial_len);
    revoked[7].reason = 1;

    X509 *root = root_of(&fixture, 0);
    X509 *good = x509_of(buf_span(&issued[0].der));
    X509 *bad = x509_of(buf_span(&issued[1].der));
    STACK_OF(X509) *chain = sk_X509_new_null();
    CHECK(sk_X509_push(chain, x509_of(issuer_intermediate(fixture.issuer, 0, 0))) > 0);
    X509_CRL *empty = crl_of(&fixture, 0, NULL, 0);
    CHECK_INT(verify(bad, chain, root, empty), 0);
    X509_CRL_free(empty);
    X509_CRL *full = crl_of(&fixture, 0, revoked, 2000);
    CHECK_INT(verify(good, chain, root, full), 0);
    CHECK_INT(verify(bad, chain, root, full), X509_V_ERR_CERT_REVOKED);
    CHECK_INT(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(full)), 2000);
    int without_reason = 0; /* "unspecified" is left out */
    for (int i = 0; i < 2000; i++)
        without_reason +=
            X509_REVOKED_get_ext_count(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(full), i)) == 0;
    CHECK_INT(without_reason, 1000);
    X509_REVOKED *entry = NULL;
    CHECK(X509_CRL_get0_by_cert(full, &entry, bad) == 1);
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    CHECK_INT(ASN1_ENUMERATED_get(reason), 1);
    ASN1_ENUMERATED_free(reason);
    struct buf der;
    buf_init(&der, 100);
    CHECK(!issuer_crl(fixture.issuer, 1, NULL, 0, CA_NOW, &der, &error));
    CHECK(!issuer_crl(fixture.issuer, 0, revoked, 2000, CA_NOW, &der, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    buf_free(&der);
    X509_CRL_free(full);
    sk_X509_pop_free(chain, X509_free);
    X509_free(bad);
    X509_free(good);
    X509_free(root);
    for (size_t i = 0; i < 2; i++)
        buf_free(&issued[i].der);
    free(revoked);
    EVP_PKEY_free(key);
    buf_free(&csr);
    ca_teardown(&fixture);
}

static const struct test tests[] = {
    TEST(revoked_certificates_are_listed),
};

TESTS_MAIN(tests)
