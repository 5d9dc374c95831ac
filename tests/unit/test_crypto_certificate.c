/* crypto/certificate_read: every field against OpenSSL's X509 functions, the RFC's example, and
 * damaged input by the ten thousand. */
#include "pki.h"

#include "base/base64.h"
#include "random.h"

#include <openssl/err.h>

/* RFC 9773 appendix A. */
static const char ari_example[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n"
    "cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n"
    "BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n"
    "7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n"
    "qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n"
    "yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n"
    "+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n"
    "-----END CERTIFICATE-----\n";

struct fixture {
    struct crypto_context *context;
    EVP_PKEY *issuer_key;
    X509 *issuer;
    struct buf pem;
    struct buf der;
};

static void fixture_make(struct fixture *fixture)
{
    fixture->context = pki_context();
    fixture->issuer_key = pki_key(fixture->context, KEY_ECDSA, 256);
    fixture->issuer = pki_certificate(&(struct pki_wish){
        .common_name = "Test CA R1", .organization = "Test Org", .key = fixture->issuer_key});
    buf_init(&fixture->pem, CERTIFICATE_PEM_MAX);
    buf_init(&fixture->der, CERTIFICATE_DER_MAX);
}

static void fixture_drop(struct fixture *fixture)
{
    X509_free(fixture->issuer);
    EVP_PKEY_free(fixture->issuer_key);
    crypto_context_free(fixture->context);
    buf_free(&fixture->pem);
    buf_free(&fixture->der);
}

/* Makes a leaf of the fixture's issuer and leaves its PEM in fixture->pem. */
static X509 *fixture_leaf(struct fixture *fixture, EVP_PKEY *key, const char *names)
{
    X509 *leaf = pki_certificate(&(struct pki_wish){.common_name = "leaf",
                                                    .names = names,
                                                    .key = key,
                                                    .issuer = fixture->issuer,
                                                    .issuer_key = fixture->issuer_key});
    buf_clear(&fixture->pem);
    pki_append(&fixture->pem, leaf);
    return leaf;
}

static int64_t reference_time(const ASN1_TIME *time)
{
    struct tm tm;
    CHECK(ASN1_TIME_to_tm(time, &tm) == 1);
    return (int64_t)timegm(&tm);
}

/* The serial's DER bytes, from OpenSSL's own encoding of the number. */
static struct span reference_serial(X509 *certificate, unsigned char **encoded)
{
    *encoded = NULL;
    int len = i2d_ASN1_INTEGER(X509_get_serialNumber(certificate), encoded);
    CHECK(len > 2);
    return span_make(*encoded + 2, (size_t)len - 2);
}

static void check_against_openssl(const struct certificate_info *info, X509 *certificate)
{
    CHECK_INT(info->not_before, reference_time(X509_get0_notBefore(certificate)));
    CHECK_INT(info->not_after, reference_time(X509_get0_notAfter(certificate)));
    struct key_spec spec;
    CHECK_INT(info->key_known, key_spec_of(X509_get0_pubkey(certificate), &spec));
    if (info->key_known)
        CHECK(key_spec_equal(info->key, spec));
    unsigned char *encoded;
    struct span serial = reference_serial(certificate, &encoded);
    char hex[128] = "";
    for (size_t i = 0; i < serial.len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)serial.data[i]);
    CHECK_TEXT(info->serial, hex);
    char text[256];
    const X509_NAME *issuer = X509_get_issuer_name(certificate);
    if (X509_NAME_get_text_by_NID(issuer, NID_commonName, text, sizeof text) >= 0)
        CHECK_TEXT(info->issuer, text);
    struct buf ari;
    buf_init(&ari, 1000);
    const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(certificate);
    if (aki != NULL) {
        CHECK(base64url_append(&ari, ASN1_STRING_get0_data(aki), (size_t)ASN1_STRING_length(aki)));
        CHECK(buf_append_char(&ari, '.') && base64url_append(&ari, serial.data, serial.len));
    }
    CHECK_TEXT(info->ari_id, buf_text(&ari));
    buf_free(&ari);
    OPENSSL_free(encoded);
}

static void the_rfcs_example_is_read(void)
{
    struct error error;
    struct certificate_info info;
    struct buf der;
    buf_init(&der, CERTIFICATE_DER_MAX);
    CHECK_OK(certificate_read(span_of(ari_example), &der, &info, &error), error);
    CHECK_TEXT(info.ari_id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
    CHECK_TEXT(info.serial, "0087654321");
    CHECK_TEXT(info.issuer, "Example CA");
    CHECK_INT(info.not_before, -62135596800); /* 0001-01-01T00:00:00Z */
    CHECK_INT(info.name_count, 0);
    CHECK(info.key_known && key_spec_equal(info.key, (struct key_spec){KEY_ECDSA, 256}));
    buf_free(&der);
}

static void every_key_type_agrees_with_openssl(void)
{
    struct fixture f;
    fixture_make(&f);
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct error error;
        struct certificate_info info;
        EVP_PKEY *key = pki_key(f.context, pki_specs[i].type, pki_specs[i].bits);
        X509 *leaf = fixture_leaf(&f, key,
                                  "DNS:www.Example.com,IP:192.0.2.1,email:a@b.example,"
                                  "DNS:*.example.com,IP:2001:DB8::1,URI:https://c.example");
        CHECK_OK(certificate_read(buf_span(&f.pem), &f.der, &info, &error), error);
        CHECK(info.key_known && key_spec_equal(info.key, pki_specs[i]));
        check_against_openssl(&info, leaf);
        static const char *const names[] = {"www.example.com", "192.0.2.1", "*.example.com",
                                            "2001:db8::1"};
        char text[CERTIFICATE_NAME_TEXT];
        CHECK_INT(info.name_count, 4);
        for (size_t n = 0; n < 4; n++) {
            CHECK(certificate_name_next(&info.names, text));
            CHECK_TEXT(text, names[n]);
        }
        CHECK(!certificate_name_next(&info.names, text));
        X509_free(leaf);
        EVP_PKEY_free(key);
    }
    fixture_drop(&f);
}

static void keys_of_other_kinds_are_unknown(void)
{
    struct fixture f;
    fixture_make(&f);
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"),
                        EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024)};
    for (size_t i = 0; i < 3; i++) {
        struct error error;
        struct certificate_info info;
        X509 *leaf = fixture_leaf(&f, keys[i], "DNS:a.example");
        CHECK_OK(certificate_read(buf_span(&f.pem), &f.der, &info, &error), error);
        CHECK(!info.key_known);
        check_against_openssl(&info, leaf);
        X509_free(leaf);
        EVP_PKEY_free(keys[i]);
    }
    fixture_drop(&f);
}

static void issuer_is(struct fixture *f, const char *common_name, const char *organization,
                      int type, const char *expected)
{
    struct error error;
    struct certificate_info info;
    X509 *self = pki_certificate(&(struct pki_wish){.common_name = common_name,
                                                    .organization = organization,
                                                    .string_type = type,
                                                    .key = f->issuer_key});
    buf_clear(&f->pem);
    pki_append(&f->pem, self);
    CHECK_OK(certificate_read(buf_span(&f->pem), &f->der, &info, &error), error);
    CHECK_TEXT(info.issuer, expected);
    X509_free(self);
}

static void issuers_are_shown_whatever_their_encoding(void)
{
    struct fixture f;
    fixture_make(&f);
    issuer_is(&f, "CN", "O", 0, "CN");
    issuer_is(&f, NULL, "Gr\xc3\xbc\xc3\x9f Org", 0, "Gr\xc3\xbc\xc3\x9f Org");
    issuer_is(&f, NULL, NULL, 0, "");
    issuer_is(&f, "Gr\xfc\xdf", NULL, V_ASN1_T61STRING, "Gr\xc3\xbc\xc3\x9f");
    issuer_is(&f, "a\x1b[31mb\x7f", NULL, 0, "a?[31mb?");
    issuer_is(&f, "a\xc2\x9bz", NULL, 0, "a?z");
    issuer_is(&f,
              "a\xe2\x80\xae"
              "b\xe2\x80\x8bz",
              NULL, 0, "a?b?z");
    /* OpenSSL takes at most 64 characters for these fields: 64 of four bytes do not fit. */
    char longest[4 * 64 + 1];
    for (size_t i = 0; i < 64; i++)
        memcpy(longest + 4 * i, "\xf0\x9f\x94\x91", 5);
    char cut[128];
    snprintf(cut, sizeof cut, "%.*s", 124, longest);
    issuer_is(&f, longest, NULL, 0, cut);

    /* The two-byte form. */
    struct error error;
    struct certificate_info info;
    X509 *self = pki_certificate(&(struct pki_wish){.key = f.issuer_key});
    X509_NAME *name = X509_NAME_new();
    CHECK(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_BMPSTRING,
                                     (const unsigned char *)"\0G\x20\xac", 4, -1, 0) == 1);
    CHECK(X509_set_issuer_name(self, name) == 1 && X509_sign(self, f.issuer_key, EVP_sha256()) > 0);
    buf_clear(&f.pem);
    pki_append(&f.pem, self);
    CHECK_OK(certificate_read(buf_span(&f.pem), &f.der, &info, &error), error);
    CHECK_TEXT(info.issuer, "G\xe2\x82\xac");
    X509_NAME_free(name);
    X509_free(self);

    /* What OpenSSL would not write: bytes that are not UTF-8 where UTF-8 is announced. */
    issuer_is(&f, "bad!", NULL, 0, "bad!");
    char *at = memmem(f.der.data, f.der.len, "bad!", 4);
    CHECK(at != NULL);
    at[3] = '\xff';
    buf_clear(&f.pem);
    CHECK(buf_append_text(&f.pem, "-----BEGIN CERTIFICATE-----\n"));
    CHECK(base64_append(&f.pem, f.der.data, f.der.len));
    CHECK(buf_append_text(&f.pem, "\n-----END CERTIFICATE-----\n"));
    CHECK_OK(certificate_read(buf_span(&f.pem), &f.der, &info, &error), error);
    CHECK_TEXT(info.issuer, "bad\xc3\xbf");
    fixture_drop(&f);
}

static void times_and_serials_at_their_edges(void)
{
    struct fixture f;
    fixture_make(&f);
    static const struct {
        int64_t before, after;
        const char *serial;
        const char *hex;
    } edges[] = {
        {-631152000, 2524607999, "01", "01"},   /* 1950 to 2049: UTCTime */
        {2524608000, 253402300799, "7f", "7f"}, /* 2050 to 9999: GeneralizedTime */
        {951782400, 1709251199, "ff", "00ff"},  /* leap days of 2000 and 2024 */
        {-631152001, 4107542399, "80000000000000000000000000000000000000ff",
         "0080000000000000000000000000000000000000ff"}, /* 1949, 2100; 21 bytes */
        {1, 2, "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
         "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
    };
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        X509 *self = pki_certificate(&(struct pki_wish){.common_name = "x",
                                                        .key = f.issuer_key,
                                                        .serial_hex = edges[i].serial,
                                                        .not_before = edges[i].before,
                                                        .not_after = edges[i].after,
                                                        .no_key_ids = i == 0});
        struct error error;
        struct certificate_info info;
        buf_clear(&f.pem);
        pki_append(&f.pem, self);
        CHECK_OK(certificate_read(buf_span(&f.pem), &f.der, &info, &error), error);
        CHECK_INT(info.not_before, edges[i].before);
        CHECK_INT(info.not_after, edges[i].after);
        CHECK_TEXT(info.serial, edges[i].hex);
        check_against_openssl(&info, self);
        X509_free(self);
    }
    X509 *self = pki_certificate(&(struct pki_wish){
        .key = f.issuer_key,
        .serial_hex = "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"});
    struct error error;
    struct certificate_info info;
    buf_clear(&f.pem);
    pki_append(&f.pem, self);
    CHECK(!certificate_read(buf_span(&f.pem), &f.der, &info, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_CONTAINS(error.text, "serial number of 33 bytes");
    X509_free(self);
    fixture_drop(&f);
}

/* A name with a NUL would be a shorter, other name to whoever reads it as C text. */
static void names_that_lie_are_passed_over(void)
{
    static const unsigned char names[] = "\x82\x05"
                                         "a\0b.c"
                                         "\x82\x00"
                                         "\x82\x03"
                                         "a b"
                                         "\x87\x03"
                                         "123"
                                         "\x82\x01"
                                         "k"
                                         "\x82\x02"
                                         "\xc3\xbc";
    struct span rest = span_make(names, sizeof names - 1);
    char text[CERTIFICATE_NAME_TEXT];
    CHECK(certificate_name_next(&rest, text));
    CHECK_TEXT(text, "k");
    CHECK(!certificate_name_next(&rest, text));
}

static void refuse(struct span pem, enum error_kind kind, const char *part)
{
    struct error error;
    struct certificate_info info;
    struct buf der;
    buf_init(&der, CERTIFICATE_DER_MAX);
    CHECK(!certificate_read(pem, &der, &info, &error));
    CHECK_INT(error.kind, kind);
    CHECK_CONTAINS(error.text, part);
    buf_free(&der);
}

static void texts_around_the_certificate(void)
{
    struct error error;
    struct certificate_info info;
    struct buf der;
    struct buf text;
    buf_init(&der, CERTIFICATE_DER_MAX);
    buf_init(&text, 10000);
    refuse((struct span){0}, ERROR_PROTOCOL, "no certificate");
    refuse(SPAN_LITERAL(""), ERROR_PROTOCOL, "no certificate");
    refuse(SPAN_LITERAL("<html>"), ERROR_PROTOCOL, "no certificate");
    refuse(SPAN_LITERAL("-----BEGIN CERTIFICATE-----\nMIIB"), ERROR_PROTOCOL, "damaged");
    refuse(SPAN_LITERAL("-----BEGIN CERTIFICATE-----\n*-----END CERTIFICATE-----"), ERROR_PROTOCOL,
           "damaged");
    refuse(SPAN_LITERAL("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), ERROR_PROTOCOL,
           "damaged");
    /* Behind a key and words, with CRLF line ends, and with another certificate after it. */
    CHECK(buf_append_text(&text, "words\r\n-----BEGIN PRIVATE KEY-----\r\nAAAA\r\n-----END PRIVATE "
                                 "KEY-----\r\n"));
    for (const char *at = ari_example; *at != '\0'; at++)
        CHECK(*at == '\n' ? buf_append_text(&text, "\r\n") : buf_append_char(&text, *at));
    CHECK(buf_append_text(&text, "-----BEGIN CERTIFICATE-----\nx"));
    CHECK_OK(certificate_read(buf_span(&text), &der, &info, &error), error);
    CHECK_TEXT(info.serial, "0087654321");
    size_t len = der.len;
    CHECK_OK(certificate_read(buf_span(&text), &der, &info, &error), error);
    CHECK_INT(der.len, len);
    buf_free(&der);
    buf_free(&text);
}

static void mutate(char *bytes, size_t *len)
{
    for (size_t changes = 1 + random_below(3); changes > 0; changes--) {
        size_t at = random_below(*len);
        switch (random_below(5)) {
        case 0:
            bytes[at] ^= (char)(1 << random_below(8));
            break;
        case 1:
            bytes[at] = (char)random_below(256);
            break;
        case 2: /* cut off */
            if (random_below(8) == 0 && at > 0)
                *len = at;
            break;
        case 3: /* a piece moves over another */
            memmove(bytes + at, bytes + random_below(at + 1), random_below(*len - at));
            break;
        default: { /* lengths at their edges */
            static const unsigned char edges[] = {0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0x85, 0xff};
            bytes[at] = (char)edges[random_below(sizeof edges)];
            break;
        }
        }
    }
}

/* Whatever is read from damaged DER agrees with OpenSSL, when that reads it too. */
static void compare_when_both_read(const struct certificate_info *info, struct span der,
                                   size_t *compared)
{
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    struct tm tm;
    if (certificate != NULL && ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &tm) == 1 &&
        ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1) {
        CHECK_INT(info->not_before, reference_time(X509_get0_notBefore(certificate)));
        CHECK_INT(info->not_after, reference_time(X509_get0_notAfter(certificate)));
        unsigned char *encoded;
        struct span serial = reference_serial(certificate, &encoded);
        CHECK_INT(strlen(info->serial), 2 * serial.len);
        OPENSSL_free(encoded);
        ++*compared;
    }
    X509_free(certificate);
    ERR_clear_error();
}

static void damaged_certificates_do_no_harm(void)
{
    struct fixture f;
    fixture_make(&f);
    static const char *const names[] = {"DNS:a.example,DNS:b.example,IP:192.0.2.1",
                                        "DNS:*.example.com,IP:2001:db8::1,email:a@b.example"};
    size_t accepted = 0;
    size_t compared = 0;
    for (int round = 0; round < 30000; round++) {
        static char original[4096];
        static size_t original_len;
        if (round % 10000 == 0) {
            EVP_PKEY *key = pki_key(f.context, round == 20000 ? KEY_RSA : KEY_ECDSA,
                                    round == 20000 ? 2048 : 256);
            X509 *leaf = fixture_leaf(&f, key, names[round == 0 ? 0 : 1]);
            unsigned char *at = (unsigned char *)original;
            original_len = (size_t)i2d_X509(leaf, &at);
            CHECK(original_len < sizeof original);
            X509_free(leaf);
            EVP_PKEY_free(key);
        }
        /* Of exact size on the heap, so that AddressSanitizer sees a read past the end. */
        size_t len = original_len;
        char *bytes = malloc(len);
        CHECK(bytes != NULL);
        memcpy(bytes, original, len);
        mutate(bytes, &len);
        buf_clear(&f.pem);
        CHECK(buf_append_text(&f.pem, "-----BEGIN CERTIFICATE-----\n"));
        CHECK(base64_append(&f.pem, bytes, len));
        CHECK(buf_append_text(&f.pem, "\n-----END CERTIFICATE-----\n"));
        struct certificate_info info;
        char text[CERTIFICATE_NAME_TEXT];
        if (certificate_read(buf_span(&f.pem), &f.der, &info, NULL)) {
            accepted++;
            size_t count = 0;
            while (certificate_name_next(&info.names, text))
                count++;
            CHECK_INT(count, info.name_count);
            compare_when_both_read(&info, span_make(bytes, len), &compared);
        }
        free(bytes);
    }
    /* Most changes hit what has no structure (keys, signatures, names); many must be refused. */
    CHECK(accepted > 3000 && accepted < 27000);
    CHECK(compared > 1000);

    /* And damage to the text itself. */
    for (int round = 0; round < 20000; round++) {
        size_t len = sizeof ari_example - 1;
        char *bytes = malloc(len);
        CHECK(bytes != NULL);
        memcpy(bytes, ari_example, len);
        mutate(bytes, &len);
        struct certificate_info info;
        if (certificate_read(span_make(bytes, len), &f.der, &info, NULL))
            accepted++;
        free(bytes);
    }
    fixture_drop(&f);
}

static void too_many_names_are_refused(void)
{
    struct fixture f;
    fixture_make(&f);
    struct buf list;
    buf_init(&list, 100000);
    for (int i = 0; i < CERTIFICATE_NAMES_MAX; i++)
        CHECK(buf_printf(&list, "%sDNS:n%d.example", i > 0 ? "," : "", i));
    struct error error;
    struct certificate_info info;
    X509_free(fixture_leaf(&f, f.issuer_key, buf_text(&list)));
    CHECK_OK(certificate_read(buf_span(&f.pem), &f.der, &info, &error), error);
    CHECK_INT(info.name_count, CERTIFICATE_NAMES_MAX);
    CHECK(buf_append_text(&list, ",DNS:onemore.example"));
    X509_free(fixture_leaf(&f, f.issuer_key, buf_text(&list)));
    refuse(buf_span(&f.pem), ERROR_LIMIT, "more than 1000 names");
    buf_free(&list);
    fixture_drop(&f);
}

static const struct test tests[] = {
    TEST(the_rfcs_example_is_read),         TEST(every_key_type_agrees_with_openssl),
    TEST(keys_of_other_kinds_are_unknown),  TEST(issuers_are_shown_whatever_their_encoding),
    TEST(times_and_serials_at_their_edges), TEST(names_that_lie_are_passed_over),
    TEST(texts_around_the_certificate),     TEST(damaged_certificates_do_no_harm),
    TEST(too_many_names_are_refused),
};

TESTS_MAIN(tests)
