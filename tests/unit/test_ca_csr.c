/* bench/ca/issuer: CSRs read, against those that OpenSSL makes, and what is refused. */
#include "ca_csr.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

static struct ca_fixture fixture;
static EVP_PKEY *key; /* P-256, for CSRs in which the key does not matter */
static struct buf der;

static void before(void *context)
{
    (void)context;
    ca_setup(&fixture, &(struct issuer_options){0});
    key = pki_key(fixture.context, KEY_ECDSA, 256);
    buf_init(&der, (size_t)1 << 20);
}

static void after(void *context)
{
    (void)context;
    CHECK_INT(ERR_peek_error(), 0);
    buf_free(&der);
    EVP_PKEY_free(key);
    ca_teardown(&fixture);
}

static bool read_bytes(struct span bytes, struct csr_facts *facts, struct error *error)
{
    *error = (struct error){0};
    return csr_read(fixture.issuer, bytes, facts, error);
}

static void accepted(struct csr_facts *facts)
{
    struct error error;
    CHECK_OK(read_bytes(buf_span(&der), facts, &error), error);
}

static void refused(const char *why)
{
    struct error error;
    struct csr_facts facts = {.name_count = 77};
    CHECK(!read_bytes(buf_span(&der), &facts, &error));
    CHECK_INT(error.kind, ERROR_PROTOCOL);
    CHECK_CONTAINS(error.text, why);
    CHECK_INT(facts.name_count, 77);
}

/* All names, with a comma after each. */
static const char *names_of(const struct csr_facts *facts)
{
    static char text[4096];
    char name[CERTIFICATE_NAME_TEXT];
    struct span rest = facts->names;
    size_t count = 0;
    text[0] = '\0';
    while (csr_name_next(&rest, name)) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s,", name);
        count++;
    }
    CHECK_INT(count, facts->name_count);
    return text;
}

static void requests_of_every_key(void)
{
    static const char *const names[] = {"www.example.com", "*.example.com", "192.0.2.7",
                                        "2001:db8::1"};
    struct csr_facts facts;
    struct error error;
    const EVP_MD *digests[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};
    for (size_t i = 0; i < PKI_SPECS; i++) {
        EVP_PKEY *one = pki_key(fixture.context, pki_specs[i].type, pki_specs[i].bits);
        struct buf public_key;
        buf_init(&public_key, 1024);
        CHECK_OK(key_public_der(one, &public_key, &error), error);
        buf_clear(&der);
        CHECK_OK(csr_make(fixture.context, one, names, 4, &der, &error), error);
        accepted(&facts);
        CHECK_TEXT(names_of(&facts), "www.example.com,*.example.com,192.0.2.7,2001:db8::1,");
        CHECK_TEXT(facts.common_name, "www.example.com");
        CHECK(span_equal(facts.public_key, buf_span(&public_key)));
        CHECK(key_spec_equal(facts.key, pki_specs[i]));
        CHECK(!facts.must_staple);
        csr_wish_make(&(struct csr_wish){.key = one,
                                         .digest = digests[i % 3],
                                         .common_name = "WWW.Example.com",
                                         .password = true,
                                         .extensions = {{NID_key_usage, "digitalSignature"},
                                                        {NID_subject_alt_name,
                                                         "DNS:www.EXAMPLE.com,DNS:a.b"}}},
                      &der);
        accepted(&facts);
        CHECK_TEXT(names_of(&facts), "www.example.com,a.b,");
        CHECK_TEXT(facts.common_name, "www.example.com");
        buf_free(&public_key);
        EVP_PKEY_free(one);
    }
}

static void common_names(void)
{
    struct csr_facts facts;
    csr_wish_make(&(struct csr_wish){.key = key, .common_name = "Alone.example"}, &der);
    accepted(&facts);
    CHECK_TEXT(names_of(&facts), "alone.example,");
    CHECK_TEXT(facts.common_name, "alone.example");
    csr_wish_make(
        &(struct csr_wish){.key = key, .common_name = "t.example", .string_type = V_ASN1_T61STRING},
        &der);
    refused("damaged common name");
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .common_name = "p.example",
                                     .string_type = V_ASN1_PRINTABLESTRING},
                  &der);
    accepted(&facts);
    CHECK_TEXT(names_of(&facts), "p.example,");
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .common_name = "192.0.2.7",
                                     .extensions = {{NID_subject_alt_name, "IP:192.0.2.7"}}},
                  &der);
    accepted(&facts);
    CHECK_TEXT(facts.common_name, "192.0.2.7");
    csr_wish_make(&(struct csr_wish){.key = key, .common_name = "192.0.2.7"}, &der);
    refused("not a host name");
    csr_wish_make(&(struct csr_wish){.key = key, .common_name = "Some Company Ltd"}, &der);
    refused("\"Some Company Ltd\"");
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .common_name = "c.example",
                                     .extensions = {{NID_subject_alt_name, "DNS:a.example"}}},
                  &der);
    refused("\"c.example\", its common name, which is not among");
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .common_name = "a.example",
                                     .second_common_name = "a.example",
                                     .extensions = {{NID_subject_alt_name, "DNS:a.example"}}},
                  &der);
    refused("two common names");
    csr_wish_make(&(struct csr_wish){.key = key}, &der);
    refused("names nothing");
    csr_wish_names(key, "DNS:a.example", &der);
    accepted(&facts);
    CHECK_TEXT(facts.common_name, "");
}

static void names_that_are_refused(void)
{
    static const struct {
        const char *names, *why;
    } cases[] = {
        {"DNS:a.example,email:someone@a.example", "\"someone@a.example\", an e-mail address"},
        {"URI:https://a.example/", "neither a host name nor"},
        {"otherName:1.2.3.4;UTF8:a.example", "neither a host name nor"},
        {"RID:1.2.3.4", "neither a host name nor"},
        {"DNS:a.*.example", "which is not a host name"},
        {"DNS:a b.example", "\"a b.example\", which is not a host name"},
        {"DNS:-a.example", "which is not a host name"},
        {"DNS:a..example", "which is not a host name"},
        {"DNS:a.example.", "which is not a host name"},
        {"DNS:192.0.2.1", "which is not a host name"},
        {"DNS:*", "which is not a host name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        csr_wish_names(key, cases[i].names, &der);
        refused(cases[i].why);
    }
}

static void extensions_that_are_asked_for(void)
{
    static const struct {
        int kind;
        const char *value, *why; /* NULL: accepted */
    } cases[] = {
        {NID_basic_constraints, "CA:TRUE", "a CA's certificate"},
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0", "a CA's certificate"},
        {NID_basic_constraints, "CA:FALSE", NULL},
        {NID_basic_constraints, "critical,CA:FALSE", NULL},
        {NID_key_usage, "critical,digitalSignature,keyEncipherment", NULL},
        {NID_key_usage, "digitalSignature,keyCertSign", "key usage of a CA"},
        {NID_key_usage, "cRLSign", "key usage of a CA"},
        {NID_ext_key_usage, "serverAuth,clientAuth", NULL},
        {NID_ext_key_usage, "serverAuth,codeSigning", "extended key usage other than"},
        {NID_ext_key_usage, "anyExtendedKeyUsage", "extended key usage other than"},
        {NID_tlsfeature, "status_request", NULL},
        {NID_tlsfeature, "status_request_v2", "a TLS feature other than"},
        {NID_tlsfeature, "status_request,status_request_v2", "a TLS feature other than"},
        {NID_subject_key_identifier, "00:11:22", NULL},
        {NID_name_constraints, "critical,permitted;DNS:.example", "critical extension"},
        {NID_netscape_comment, "a comment", NULL},
        {NID_subject_alt_name, "DNS:b.example", "an extension twice"},
    };
    struct csr_facts facts;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        csr_wish_make(&(struct csr_wish){.key = key,
                                         .extensions = {{NID_subject_alt_name, "DNS:a.example"},
                                                        {cases[i].kind, cases[i].value}}},
                      &der);
        if (cases[i].why != NULL) {
            refused(cases[i].why);
        } else {
            accepted(&facts);
            CHECK_TEXT(names_of(&facts), "a.example,");
            CHECK_INT(facts.must_staple, cases[i].kind == NID_tlsfeature);
        }
    }
}

static EVP_PKEY *rsa_with(unsigned bits, unsigned long exponent)
{
    EVP_PKEY *made = NULL;
    BIGNUM *number = BN_new();
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    CHECK(maker != NULL && number != NULL && BN_set_word(number, exponent) == 1);
    CHECK(EVP_PKEY_keygen_init(maker) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(maker, (int)bits) == 1);
    CHECK(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(maker, number) == 1);
    CHECK(EVP_PKEY_generate(maker, &made) == 1);
    BN_free(number);
    EVP_PKEY_CTX_free(maker);
    return made;
}

static void key_is_refused(EVP_PKEY *one, const EVP_MD *digest, const char *why)
{
    CHECK(one != NULL);
    csr_wish_make(&(struct csr_wish){.key = one,
                                     .digest = digest,
                                     .extensions = {{NID_subject_alt_name, "DNS:a.example"}}},
                  &der);
    refused(why);
    EVP_PKEY_free(one);
}

static void keys_that_are_refused(void)
{
    struct csr_facts facts;
    key_is_refused(rsa_with(1024, 65537), NULL, "RSA key of a size");
    key_is_refused(rsa_with(2044, 65537), NULL, "RSA key of a size");
    key_is_refused(rsa_with(2048, 3), NULL, "weak RSA key");
    key_is_refused(rsa_with(2048, 257), NULL, "weak RSA key");
    key_is_refused(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), NULL, "curve that is not");
    key_is_refused(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-224"), NULL, "curve that is not");
    key_is_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, "key of a kind");
    key_is_refused(pki_key(fixture.context, KEY_ECDSA, 256), EVP_sha1(), "signed by an algorithm");
    key_is_refused(rsa_with(2048, 65537), EVP_sha1(), "signed by an algorithm");
    key_is_refused(rsa_with(2048, 65537), EVP_sha224(), "signed by an algorithm");
    EVP_PKEY *compressed = pki_key(fixture.context, KEY_ECDSA, 256);
    CHECK(EVP_PKEY_set_utf8_string_param(compressed, "point-format", "compressed") == 1);
    key_is_refused(compressed, NULL, "not a whole point");
    EVP_PKEY *odd = rsa_with(2056, 65537);
    csr_wish_names(odd, "DNS:a.example", &der);
    accepted(&facts);
    CHECK_INT(facts.key.bits, 2056);
    EVP_PKEY_free(odd);
    /* Even numbers: seen before the signature is. */
    char *exponent = memmem(der.data, der.len, "\x02\x03\x01\x00\x01", 5);
    CHECK(exponent != NULL);
    exponent[4] = 2;
    refused("weak RSA key");
    exponent[4] = 1;
    exponent[-1] = (char)(exponent[-1] ^ 1);
    refused("weak RSA key");
}

/* A CSR whose contents are as given and whose signature, by `key`, is good: whatever is wrong with
 * it is in the contents. */
static void sign_contents(struct span info, struct buf *out)
{
    static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    unsigned char signature[256];
    unsigned char head[8];
    unsigned char *at = head;
    size_t len = sizeof signature - 3;
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit_ex(signer, NULL, "SHA256", crypto_library(fixture.context), NULL, key,
                                NULL) == 1);
    CHECK(EVP_DigestSign(signer, signature + 3, &len, (const unsigned char *)info.data, info.len) ==
          1);
    EVP_MD_CTX_free(signer);
    CHECK(len < 0x7f);
    signature[0] = V_ASN1_BIT_STRING;
    signature[1] = (unsigned char)(1 + len);
    signature[2] = 0;
    ASN1_put_object(&at, 1, (int)(info.len + sizeof algorithm - 1 + 3 + len), V_ASN1_SEQUENCE, 0);
    buf_clear(out);
    CHECK(buf_append(out, head, (size_t)(at - head)) && buf_append_span(out, info) &&
          buf_append(out, algorithm, sizeof algorithm - 1) && buf_append(out, signature, 3 + len));
}

/* The part of `der` that is signed. */
static void contents_of_request(struct buf *info)
{
    const unsigned char *at = (const unsigned char *)der.data;
    unsigned char *bytes = NULL;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    int len = request != NULL ? i2d_re_X509_REQ_tbs(request, &bytes) : 0;
    CHECK(len > 0 && buf_append(info, bytes, (size_t)len));
    OPENSSL_free(bytes);
    X509_REQ_free(request);
}

static bool openssl_accepts(struct span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)bytes.len);
    bool ok = request != NULL && at == (const unsigned char *)bytes.data + bytes.len &&
              X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1;
    X509_REQ_free(request);
    ERR_clear_error();
    return ok;
}

static void damage_everywhere(EVP_PKEY *one, const unsigned char *masks, size_t mask_count)
{
    struct csr_facts facts;
    struct error error;
    csr_wish_make(
        &(struct csr_wish){.key = one,
                           .common_name = "a.example",
                           .password = true,
                           .extensions = {{NID_subject_alt_name, "DNS:a.example,IP:192.0.2.1"},
                                          {NID_key_usage, "digitalSignature"},
                                          {NID_basic_constraints, "critical,CA:FALSE"},
                                          {NID_tlsfeature, "status_request"}}},
        &der);
    accepted(&facts);
    for (size_t i = 0; i < der.len; i++) {
        for (size_t j = 0; j < mask_count; j++) {
            der.data[i] = (char)(der.data[i] ^ masks[j]);
            CHECK(!read_bytes(buf_span(&der), &facts, &error));
            CHECK_INT(error.kind, ERROR_PROTOCOL);
            der.data[i] = (char)(der.data[i] ^ masks[j]);
        }
        CHECK(!read_bytes(span_make(der.data, i), &facts, &error));
    }
    accepted(&facts);
    CHECK(buf_append_char(&der, '\0'));
    refused("bytes behind its end");
}

static void damaged_requests_are_refused(void)
{
    static const unsigned char all[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    static const unsigned char few[] = {0x01, 0x80};
    damage_everywhere(key, all, sizeof all);
    EVP_PKEY *rsa = pki_key(fixture.context, KEY_RSA, 2048);
    damage_everywhere(rsa, few, sizeof few);
    EVP_PKEY_free(rsa);
}

/* The same damage under a good signature: never a crash, and what is accepted here is a request to
 * OpenSSL too, with names that are names. */
static void contents_are_damaged_before_signing(void)
{
    struct csr_facts facts;
    struct error error;
    struct buf spoiled;
    struct buf info;
    size_t accepted_count = 0;
    buf_init(&spoiled, 8192);
    buf_init(&info, 8192);
    csr_wish_make(
        &(struct csr_wish){.key = key,
                           .common_name = "a.example",
                           .extensions = {{NID_subject_alt_name, "DNS:a.example,IP:192.0.2.1"},
                                          {NID_key_usage, "digitalSignature"},
                                          {NID_ext_key_usage, "serverAuth"},
                                          {NID_basic_constraints, "critical,CA:FALSE"}}},
        &der);
    contents_of_request(&info);
    for (size_t i = 0; i < info.len; i++) {
        static const unsigned char masks[] = {0x01, 0x02, 0x20, 0x80, 0xff};
        for (size_t j = 0; j < sizeof masks; j++) {
            info.data[i] = (char)(info.data[i] ^ masks[j]);
            sign_contents(buf_span(&info), &spoiled);
            if (read_bytes(buf_span(&spoiled), &facts, &error)) {
                accepted_count++;
                CHECK(openssl_accepts(buf_span(&spoiled)));
                CHECK(names_of(&facts)[0] != '\0');
            } else {
                CHECK_INT(error.kind, ERROR_PROTOCOL);
            }
            info.data[i] = (char)(info.data[i] ^ masks[j]);
        }
    }
    /* Other names, other key usages. */
    CHECK(accepted_count > 20);
    buf_free(&spoiled);
    buf_free(&info);
}

/* Finds the bytes in `der`, puts others in their place, and signs it anew. */
static void patched(const char *find, const char *put, size_t len)
{
    struct buf copy;
    buf_init(&copy, 8192);
    contents_of_request(&copy);
    char *at = memmem(copy.data, copy.len, find, len);
    CHECK(at != NULL);
    memcpy(at, put, len);
    sign_contents(buf_span(&copy), &der);
    buf_free(&copy);
}

static void patched_requests_are_refused(void)
{
    csr_wish_names(key, "DNS:a.example", &der);
    patched("a.example", "a\0example", 9);
    refused("which is not a host name");
    csr_wish_names(key, "DNS:a.example", &der);
    patched("a.example", "\x1b[1mexamp", 9);
    refused("which is not a host name");
    csr_wish_make(&(struct csr_wish){.key = key, .common_name = "a.example"}, &der);
    patched("a.example", "a.exa\0ple", 9);
    refused("which is not a host name");
    csr_wish_names(key, "IP:192.0.2.1", &der);
    patched("\x87\x04\xc0\x00\x02\x01", "\x82\x04\xc0\x00\x02\x01", 6);
    refused("which is not a host name");
    csr_wish_names(key, "DNS:abcde", &der);
    patched("\x82\x05", "\x87\x05", 2);
    refused("damaged IP address");
    /* OpenSSL makes no request with two attributes of one kind. */
    struct csr_facts facts;
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .twice = true,
                                     .extensions = {{NID_subject_alt_name, "DNS:a.example"}}},
                  &der);
    accepted(&facts);
    patched("\x0d\x01\x09\x0f", "\x0d\x01\x09\x0e", 4);
    refused("asks for extensions twice");
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .extensions = {{NID_subject_alt_name, "DNS:a.example"},
                                                    {NID_netscape_comment, "a comment"}}},
                  &der);
    accepted(&facts);
    patched("\x60\x86\x48\x01\x86\xf8\x42", "\x60\x86\x48\x01\x80\xf8\x42", 7);
    refused("damaged extension");
    /* A point that is not on the curve. */
    csr_wish_names(key, "DNS:a.example", &der);
    accepted(&facts);
    char point[8];
    char other[8];
    memcpy(point, facts.public_key.data + facts.public_key.len - sizeof point, sizeof point);
    memcpy(other, point, sizeof point);
    other[7] ^= 1;
    patched(point, other, sizeof point);
    refused("public key that is none");
    /* The tools that saw it are as good as before. */
    csr_wish_names(key, "DNS:a.example", &der);
    accepted(&facts);
}

static void many_names(void)
{
    char *text = calloc(ISSUER_NAMES_MAX + 1, 300);
    struct csr_facts facts;
    CHECK(text != NULL);
    size_t len = 0;
    for (int i = 0; i < ISSUER_NAMES_MAX; i++)
        len += (size_t)snprintf(text + len, 300, "%sDNS:%061d.%061d.%061d.%061d.ex",
                                i > 0 ? "," : "", i, i, i, i);
    csr_wish_names(key, text, &der);
    accepted(&facts);
    CHECK_INT(facts.name_count, ISSUER_NAMES_MAX);
    memcpy(text + len, ",DNS:a", 7);
    csr_wish_names(key, text, &der);
    refused("too many names");
    free(text);
}

static const struct test tests[] = {
    TEST(requests_of_every_key),
    TEST(common_names),
    TEST(names_that_are_refused),
    TEST(extensions_that_are_asked_for),
    TEST(keys_that_are_refused),
    TEST(damaged_requests_are_refused),
    TEST(contents_are_damaged_before_signing),
    TEST(patched_requests_are_refused),
    TEST(many_names),
};

int main(int argc, char **argv)
{
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, before, after, NULL);
}
