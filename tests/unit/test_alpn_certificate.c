/* crypto/alpn_certificate: the certificate as OpenSSL reads it, not as it was written. */
#include "pki.h"

#include "crypto/alpn_certificate.h"

#include <openssl/sha.h>

static X509 *made(const struct crypto_context *context, EVP_PKEY *key, const char *identifier,
                  int64_t now)
{
    struct buf der;
    struct error error;
    buf_init(&der, 4096);
    CHECK_OK(alpn_certificate_make(context, key, identifier, SPAN_LITERAL("token.thumb"), now, &der,
                                   &error),
             error);
    CHECK(der.len <= ALPN_CERTIFICATE_MAX);
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    CHECK(certificate != NULL);
    CHECK(at == (const unsigned char *)der.data + der.len);
    buf_free(&der);
    return certificate;
}

static void check_identifier(const X509 *certificate)
{
    ASN1_OBJECT *kind = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = X509_get_ext_by_OBJ(certificate, kind, -1);
    ASN1_OBJECT_free(kind);
    CHECK(at >= 0);
    X509_EXTENSION *extension = X509_get_ext(certificate, at);
    CHECK_INT(X509_EXTENSION_get_critical(extension), 1);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    unsigned char expected[2 + SHA256_DIGEST_LENGTH] = {0x04, SHA256_DIGEST_LENGTH};
    SHA256((const unsigned char *)"token.thumb", strlen("token.thumb"), expected + 2);
    CHECK_INT(ASN1_STRING_length(value), (long long)sizeof expected);
    CHECK(memcmp(ASN1_STRING_get0_data(value), expected, sizeof expected) == 0);
}

static void it_is_what_rfc_8737_asks_for(void)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    X509 *certificate = made(context, key, "www.example.com", PKI_NOW);
    CHECK_INT(X509_get_version(certificate), X509_VERSION_3);
    CHECK_INT(X509_get_ext_count(certificate), 2);
    CHECK_INT(X509_verify(certificate, key), 1);
    CHECK_INT(X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(certificate)),
              0);
    check_identifier(certificate);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    CHECK_INT(sk_GENERAL_NAME_num(names), 1);
    CHECK_INT(X509_check_host(certificate, "www.example.com", 0, 0, NULL), 1);
    CHECK_INT(X509_check_host(certificate, "example.com", 0, 0, NULL), 0);
    GENERAL_NAMES_free(names);
    time_t now = PKI_NOW;
    time_t later = PKI_NOW + 8 * 86400;
    CHECK(X509_cmp_time(X509_get0_notBefore(certificate), &now) < 0);
    CHECK(X509_cmp_time(X509_get0_notAfter(certificate), &now) > 0);
    CHECK(X509_cmp_time(X509_get0_notAfter(certificate), &later) < 0);
    CHECK(ASN1_STRING_length(X509_get0_serialNumber(certificate)) > 8);
    X509_free(certificate);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void every_identifier_and_time_is_taken(void)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 384);
    static const struct {
        const char *identifier;
        int64_t now;
        int type; /* of notAfter */
    } rows[] = {
        {"192.0.2.7", PKI_NOW, V_ASN1_UTCTIME},
        {"2001:db8::7", 0, V_ASN1_UTCTIME},
        {"a.example", 2524608000 - 86400, V_ASN1_GENERALIZEDTIME},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        X509 *certificate = made(context, key, rows[i].identifier, rows[i].now);
        CHECK_INT(X509_verify(certificate, key), 1);
        CHECK_INT(ASN1_STRING_type(X509_get0_notAfter(certificate)), rows[i].type);
        if (i < 2)
            CHECK_INT(X509_check_ip_asc(certificate, rows[i].identifier, 0), 1);
        X509_free(certificate);
    }
    char longest[254];
    for (size_t i = 0; i < 253; i++)
        longest[i] = i % 64 == 63 ? '.' : 'a';
    longest[253] = '\0';
    X509 *certificate = made(context, key, longest, PKI_NOW);
    CHECK_INT(X509_check_host(certificate, longest, 0, 0, NULL), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void wrong_input_is_refused(void)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    EVP_PKEY *rsa = pki_key(context, KEY_RSA, 2048);
    struct buf der;
    struct error error;
    buf_init(&der, 100);
    CHECK(!alpn_certificate_make(context, rsa, "a.example", SPAN_LITERAL("k"), PKI_NOW, &der,
                                 &error));
    CHECK_CONTAINS(error.text, "needs an ECDSA key");
    CHECK(!alpn_certificate_make(context, key, "a b", SPAN_LITERAL("k"), PKI_NOW, &der, &error));
    CHECK_CONTAINS(error.text, "\"a b\" is neither");
    CHECK(!alpn_certificate_make(context, key, "a.example", SPAN_LITERAL("k"), PKI_NOW, &der,
                                 &error));
    CHECK_TEXT(error.text, "the validation certificate is too large");
    CHECK_INT(der.len, 0);
    buf_free(&der);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void server_names_are_host_names_or_reverse_mappings(void)
{
    char name[ALPN_SERVER_NAME_MAX];
    struct error error;
    CHECK_OK(alpn_server_name("www.example.com", name, &error), error);
    CHECK_TEXT(name, "www.example.com");
    CHECK_OK(alpn_server_name("192.0.2.1", name, &error), error);
    CHECK_TEXT(name, "1.2.0.192.in-addr.arpa");
    CHECK_OK(alpn_server_name("2001:db8::fe01", name, &error), error);
    CHECK_TEXT(name, "1.0.e.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    CHECK(!alpn_server_name("", name, &error));
    CHECK(!alpn_server_name("300.1.1.1", name, &error));
}

static const struct test tests[] = {
    TEST(it_is_what_rfc_8737_asks_for),
    TEST(every_identifier_and_time_is_taken),
    TEST(wrong_input_is_refused),
    TEST(server_names_are_host_names_or_reverse_mappings),
};
TESTS_MAIN(tests)
