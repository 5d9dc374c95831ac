/* bench/ca/issuer: certificates, against OpenSSL's own functions and the check that certmill makes
 * of every chain. */
#include "ca_issue.h"

#include <pthread.h>

/* Every chain of the leaf, by OpenSSL and by certificate_check. */
static void chains_hold(const struct ca_fixture *fixture, const struct issued *issued,
                        const char *const *names, size_t count, EVP_PKEY *key, int expected)
{
    struct error error;
    struct buf public_key;
    buf_init(&public_key, 1024);
    CHECK_OK(key_public_der(key, &public_key, &error), error);
    for (unsigned i = 0; i <= issuer_alternates(fixture->issuer); i++) {
        struct certificate_chain checked;
        struct buf pem;
        buf_init(&pem, PEM_LIMIT);
        CHECK(issuer_chain(fixture->issuer, buf_span(&issued->der), issued->intermediate, i, &pem));
        STACK_OF(X509) *chain = x509s_of(&pem);
        CHECK_INT(sk_X509_num(chain), expected);
        X509 *leaf = sk_X509_shift(chain);
        X509 *root = root_of(fixture, i);
        CHECK_INT(verify(leaf, chain, root, NULL), 0);
        X509 *other = root_of(fixture, 1 - i);
        if (expected == 2)
            CHECK_INT(verify(leaf, chain, other, NULL),
                      X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        CHECK_OK(
            certificate_check(fixture->context, buf_span(&pem),
                              &(struct certificate_request){.names = names,
                                                            .count = count,
                                                            .public_key = buf_span(&public_key),
                                                            .now = CA_NOW},
                              &checked, &error),
            error);
        CHECK_INT(checked.info.not_after - checked.info.not_before + 1, LIFETIME);
        CHECK_INT(checked.info.name_count, count);
        /* RFC 9773: the part before the point is the intermediate. */
        size_t point = strcspn(checked.info.ari_id, ".");
        CHECK_INT(issuer_of_key_id(fixture->issuer, span_make(checked.info.ari_id, point)),
                  issued->intermediate);
        CHECK(certificate_chain_has_issuer(buf_span(&pem), i == 0 ? "certmill load CA root A"
                                                                  : "certmill load CA root B"));
        certificate_chain_free(&checked);
        X509_free(other);
        X509_free(root);
        X509_free(leaf);
        sk_X509_pop_free(chain, X509_free);
        buf_free(&pem);
    }
    buf_free(&public_key);
}

static void extensions_are_those_of_a_leaf(X509 *leaf, EVP_PKEY *key)
{
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    CHECK_INT(X509_get_version(leaf), X509_VERSION_3);
    CHECK_INT(EVP_PKEY_eq(X509_get0_pubkey(leaf), key), 1);
    CHECK_INT(X509_check_ca(leaf), 0);
    CHECK_INT(X509_get_key_usage(leaf),
              KU_DIGITAL_SIGNATURE | (rsa ? (uint32_t)KU_KEY_ENCIPHERMENT : 0));
    CHECK_INT(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
    CHECK(X509_get0_subject_key_id(leaf) != NULL && X509_get0_authority_key_id(leaf) != NULL);
    CHECK(X509_get_ext_by_NID(leaf, NID_certificate_policies, -1) >= 0);
    CHECK(X509_get_ext_by_NID(leaf, NID_info_access, -1) < 0);
    CHECK(X509_get_ext_by_NID(leaf, NID_crl_distribution_points, -1) < 0);
    for (int i = 0; i < X509_get_ext_count(leaf); i++) {
        int kind = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(leaf, i)));
        int critical = X509_EXTENSION_get_critical(X509_get_ext(leaf, i));
        bool empty = X509_NAME_entry_count(X509_get_subject_name(leaf)) == 0;
        CHECK_INT(critical, kind == NID_key_usage || kind == NID_basic_constraints ||
                                (kind == NID_subject_alt_name && empty));
    }
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    CHECK(serial->type == V_ASN1_INTEGER && serial->length <= 20 && serial->length >= 16);
}

static void leaves_of_every_key(void)
{
    struct ca_fixture fixture;
    static const char *const names[] = {"www.example.com", "example.com", "*.example.com",
                                        "192.0.2.7", "2001:db8::1"};
    ca_setup(&fixture, &(struct issuer_options){0});
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct error error;
        struct issued issued;
        struct buf csr;
        buf_init(&csr, 8192);
        EVP_PKEY *key = pki_key(fixture.context, pki_specs[i].type, pki_specs[i].bits);
        CHECK_OK(csr_make(fixture.context, key, names, 5, &csr, &error), error);
        issue(&fixture, &csr, i, &issued);
        X509 *leaf = x509_of(buf_span(&issued.der));
        chains_hold(&fixture, &issued, names, 5, key, 2);
        extensions_are_those_of_a_leaf(leaf, key);
        CHECK_INT(X509_check_host(leaf, "www.example.com", 0, 0, NULL), 1);
        CHECK_INT(X509_check_host(leaf, "any.example.com", 0, 0, NULL), 1);
        CHECK_INT(X509_check_host(leaf, "example.org", 0, 0, NULL), 0);
        CHECK_INT(X509_check_ip_asc(leaf, "192.0.2.7", 0), 1);
        CHECK_INT(X509_check_ip_asc(leaf, "2001:db8::1", 0), 1);
        char text[80];
        CHECK(X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, text,
                                        sizeof text) > 0);
        CHECK_TEXT(text, "www.example.com");
        X509_free(leaf);
        buf_free(&issued.der);
        buf_free(&csr);
        EVP_PKEY_free(key);
    }
    ca_teardown(&fixture);
}

static void issuers_of_every_key(void)
{
    static const char *const names[] = {"a.example"};
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct ca_fixture fixture;
        struct error error;
        struct issued issued;
        struct buf csr;
        buf_init(&csr, 8192);
        if (pki_specs[i].type == KEY_RSA && pki_specs[i].bits > 2048)
            continue; /* the same code, and eight keys of that size take seconds */
        ca_setup(&fixture, &(struct issuer_options){.key = pki_specs[i],
                                                    .intermediates = 2,
                                                    .chain_with_root = i % 2 == 0});
        EVP_PKEY *key = pki_key(fixture.context, KEY_ECDSA, 256);
        CHECK_OK(csr_make(fixture.context, key, names, 1, &csr, &error), error);
        for (unsigned number = 0; number < 3; number++) {
            issue(&fixture, &csr, number, &issued);
            CHECK_INT(issued.intermediate, number % 2);
            chains_hold(&fixture, &issued, names, 1, key, i % 2 == 0 ? 3 : 2);
            buf_free(&issued.der);
        }
        buf_free(&csr);
        EVP_PKEY_free(key);
        ca_teardown(&fixture);
    }
}

static void subject_of(const struct ca_fixture *fixture, const struct buf *csr, char *text,
                       int size)
{
    struct issued issued;
    issue(fixture, csr, 7, &issued);
    X509 *leaf = x509_of(buf_span(&issued.der));
    X509_NAME *subject = X509_get_subject_name(leaf);
    text[0] = '\0';
    X509_NAME_get_text_by_NID(subject, NID_commonName, text, size);
    int at = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1);
    CHECK_INT(X509_EXTENSION_get_critical(X509_get_ext(leaf, at)),
              X509_NAME_entry_count(subject) == 0);
    struct buf pem;
    buf_init(&pem, PEM_LIMIT);
    CHECK(issuer_chain(fixture->issuer, buf_span(&issued.der), issued.intermediate, 0, &pem));
    STACK_OF(X509) *chain = x509s_of(&pem);
    X509 *root = root_of(fixture, 0);
    CHECK_INT(verify(leaf, chain, root, NULL), 0);
    X509_free(root);
    sk_X509_pop_free(chain, X509_free);
    buf_free(&pem);
    X509_free(leaf);
    buf_free(&issued.der);
}

static void common_names_are_chosen(void)
{
    struct ca_fixture fixture;
    struct buf csr;
    char text[80];
    char names[256];
    char longer[70];
    buf_init(&csr, 8192);
    ca_setup(&fixture, &(struct issuer_options){0});
    EVP_PKEY *key = pki_key(fixture.context, KEY_ECDSA, 256);
    memset(longer, 'b', 65);
    memcpy(longer + 61, ".com", 5);
    longer[40] = '.';
    snprintf(names, sizeof names, "IP:192.0.2.1,DNS:%s,DNS:Short.example,DNS:c.example", longer);
    csr_wish_names(key, names, &csr);
    subject_of(&fixture, &csr, text, sizeof text);
    CHECK_TEXT(text, "short.example");
    snprintf(names, sizeof names, "DNS:%s", longer);
    csr_wish_names(key, names, &csr);
    subject_of(&fixture, &csr, text, sizeof text);
    CHECK_TEXT(text, "");
    snprintf(names, sizeof names, "DNS:%s", longer + 1);
    csr_wish_names(key, names, &csr);
    subject_of(&fixture, &csr, text, sizeof text);
    CHECK_TEXT(text, longer + 1);
    csr_wish_names(key, "IP:192.0.2.1", &csr);
    subject_of(&fixture, &csr, text, sizeof text);
    CHECK_TEXT(text, "");
    csr_wish_make(
        &(struct csr_wish){.key = key,
                           .common_name = "B.example",
                           .extensions = {{NID_subject_alt_name, "DNS:a.example,DNS:b.example"}}},
        &csr);
    subject_of(&fixture, &csr, text, sizeof text);
    CHECK_TEXT(text, "b.example");
    csr_wish_make(&(struct csr_wish){.key = key, .common_name = "Alone.example"}, &csr);
    subject_of(&fixture, &csr, text, sizeof text);
    CHECK_TEXT(text, "alone.example");
    EVP_PKEY_free(key);
    buf_free(&csr);
    ca_teardown(&fixture);
}

static void names_are_in_lower_case_and_many(void)
{
    struct ca_fixture fixture;
    struct error error;
    struct issued issued;
    struct buf csr;
    char texts[ISSUER_NAMES_MAX][256];
    const char *names[ISSUER_NAMES_MAX];
    buf_init(&csr, (size_t)1 << 20);
    ca_setup(&fixture, &(struct issuer_options){0});
    EVP_PKEY *key = pki_key(fixture.context, KEY_ECDSA, 256);
    for (int i = 0; i < ISSUER_NAMES_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "%061d.%061d.n%04d.ex", i, i, i);
        names[i] = texts[i];
    }
    static const size_t counts[] = {100, ISSUER_NAMES_MAX};
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&csr);
        CHECK_OK(csr_make(fixture.context, key, names, counts[i], &csr, &error), error);
        issue(&fixture, &csr, 1, &issued);
        chains_hold(&fixture, &issued, names, counts[i], key, 2);
        buf_free(&issued.der);
    }
    csr_wish_names(key, "DNS:WWW.Example.COM,IP:65.66.67.68,DNS:*.B.example", &csr);
    static const char *const expected[] = {"www.example.com", "65.66.67.68", "*.b.example"};
    issue(&fixture, &csr, 1, &issued);
    chains_hold(&fixture, &issued, expected, 3, key, 2);
    X509 *leaf = x509_of(buf_span(&issued.der));
    GENERAL_NAMES *found = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *first = sk_GENERAL_NAME_value(found, 0)->d.dNSName;
    CHECK(span_is(span_make(ASN1_STRING_get0_data(first), (size_t)ASN1_STRING_length(first)),
                  "www.example.com"));
    GENERAL_NAMES_free(found);
    X509_free(leaf);
    buf_free(&issued.der);
    EVP_PKEY_free(key);
    buf_free(&csr);
    ca_teardown(&fixture);
}

static void serials_hold_their_numbers(void)
{
    struct ca_fixture fixture;
    struct issued issued[3];
    struct buf csr;
    uint64_t number;
    static const uint64_t numbers[] = {0, 0x8123456789abcdef, UINT64_MAX};
    buf_init(&csr, 8192);
    ca_setup(&fixture, &(struct issuer_options){.intermediates = 3});
    EVP_PKEY *key = pki_key(fixture.context, KEY_ECDSA, 256);
    csr_wish_names(key, "DNS:a.example", &csr);
    for (size_t i = 0; i < 3; i++) {
        issue(&fixture, &csr, numbers[i], &issued[i]);
        struct span serial = span_make(issued[i].serial, issued[i].serial_len);
        CHECK(issuer_serial_number(serial, &number) && number == numbers[i]);
        CHECK_INT(issued[i].intermediate, numbers[i] % 3);
        X509 *leaf = x509_of(buf_span(&issued[i].der));
        const ASN1_INTEGER *found = X509_get0_serialNumber(leaf);
        CHECK(span_equal(serial, span_make(found->data, (size_t)found->length)));
        CHECK((issued[i].serial[0] & 0x80) == 0);
        X509_free(leaf);
        buf_free(&issued[i].der);
        serial.len--;
        CHECK(!issuer_serial_number(serial, &number));
    }
    /* The random part differs also where the number does not. */
    struct issued again;
    issue(&fixture, &csr, 0, &again);
    CHECK(memcmp(again.serial, issued[0].serial, again.serial_len) != 0);
    CHECK(memcmp(again.serial, issued[0].serial, 9) == 0);
    buf_free(&again.der);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_INT(strlen(issuer_key_id(fixture.issuer, i)), 27);
        CHECK_INT(issuer_of_key_id(fixture.issuer, span_of(issuer_key_id(fixture.issuer, i))), i);
    }
    CHECK_INT(issuer_of_key_id(fixture.issuer, SPAN_LITERAL("AAAA")), -1);
    CHECK_INT(issuer_of_key_id(fixture.issuer, (struct span){0}), -1);
    CHECK_TEXT(issuer_key_id(fixture.issuer, 3), "");
    EVP_PKEY_free(key);
    buf_free(&csr);
    ca_teardown(&fixture);
}

static void what_is_asked_for_is_there(void)
{
    struct ca_fixture fixture;
    struct issued issued;
    struct buf csr;
    buf_init(&csr, 8192);
    ca_setup(&fixture, &(struct issuer_options){.url = "http://localhost:4000"});
    EVP_PKEY *key = pki_key(fixture.context, KEY_ECDSA, 256);
    csr_wish_make(&(struct csr_wish){.key = key,
                                     .extensions = {{NID_subject_alt_name, "DNS:a.example"},
                                                    {NID_tlsfeature, "status_request"}}},
                  &csr);
    issue(&fixture, &csr, 1, &issued);
    X509 *leaf = x509_of(buf_span(&issued.der));
    struct buf text;
    buf_init(&text, 65536);
    CHECK_INT(pki_openssl("x509 -noout -text -inform DER", buf_span(&issued.der), &text), 0);
    CHECK_CONTAINS(buf_text(&text), "CA Issuers - URI:http://localhost:4000/issuer/0");
    CHECK_CONTAINS(buf_text(&text), "URI:http://localhost:4000/crl/0");
    CHECK_CONTAINS(buf_text(&text), "status_request");
    CHECK_CONTAINS(buf_text(&text), "Policy: 2.23.140.1.2.1");
    CHECK(X509_get_ext_by_NID(leaf, NID_crl_distribution_points, -1) >= 0);
    /* What the first URL gives is the intermediate, by either root. */
    for (unsigned i = 0; i < 2; i++) {
        X509 *intermediate = x509_of(issuer_intermediate(fixture.issuer, 0, i));
        CHECK_INT(X509_verify(leaf, X509_get0_pubkey(intermediate)), 1);
        CHECK_INT(X509_check_issued(intermediate, leaf), X509_V_OK);
        CHECK_INT(X509_check_ca(intermediate), 1);
        CHECK_INT(X509_get_pathlen(intermediate), 0);
        X509_free(intermediate);
    }
    CHECK_INT(issuer_intermediate(fixture.issuer, 1, 0).len, 0);
    CHECK_INT(issuer_intermediate(fixture.issuer, 0, 2).len, 0);
    buf_free(&text);
    X509_free(leaf);
    buf_free(&issued.der);
    EVP_PKEY_free(key);
    buf_free(&csr);
    ca_teardown(&fixture);
}

static void servers_get_a_pair(void)
{
    struct ca_fixture fixture;
    ca_setup(&fixture, &(struct issuer_options){0});
    static const char *const names[] = {NULL, "ca.example", "192.0.2.9", "localhost"};
    X509 *root = root_of(&fixture, 0);
    for (size_t i = 0; i < 4; i++) {
        struct error error;
        struct buf certificate;
        struct buf key;
        buf_init(&certificate, 65536);
        buf_init_secret(&key, 65536);
        CHECK_OK(issuer_server_pair(fixture.issuer, names[i], CA_NOW, &certificate, &key, &error),
                 error);
        STACK_OF(X509) *list = x509s_of(&certificate);
        X509 *leaf = sk_X509_value(list, 0);
        CHECK_INT(verify(leaf, NULL, root, NULL), 0);
        CHECK_INT(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
        CHECK_INT(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
        CHECK_INT(X509_check_ip_asc(leaf, "::1", 0), 1);
        CHECK_INT(X509_check_host(leaf, "ca.example", 0, 0, NULL), i == 1);
        CHECK_INT(X509_check_ip_asc(leaf, "192.0.2.9", 0), i == 2);
        EVP_PKEY *private = NULL;
        CHECK_OK(key_from_pem(fixture.context, buf_span(&key), &private, &error), error);
        CHECK_INT(X509_check_private_key(leaf, private), 1);
        EVP_PKEY_free(private);
        sk_X509_pop_free(list, X509_free);
        buf_clear(&certificate);
        CHECK(
            !issuer_server_pair(fixture.issuer, "not a name", CA_NOW, &certificate, &key, &error));
        CHECK_INT(certificate.len, 0);
        buf_free(&certificate);
        buf_free(&key);
    }
    X509_free(root);
    ca_teardown(&fixture);
}

static void options_have_limits(void)
{
    struct crypto_context *context = pki_context();
    struct issuer *issuer = NULL;
    struct error error;
    char url[400];
    memset(url, 'u', sizeof url - 1);
    url[sizeof url - 1] = '\0';
    CHECK(!issuer_new(context, &(struct issuer_options){.intermediates = 65}, CA_NOW, &issuer,
                      &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(!issuer_new(context, &(struct issuer_options){.url = url}, CA_NOW, &issuer, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(!issuer_new(context, &(struct issuer_options){.key = {KEY_RSA, 1024}}, CA_NOW, &issuer,
                      &error));
    CHECK(issuer == NULL);
    crypto_context_free(context);
}

struct hand {
    const struct ca_fixture *fixture;
    const struct buf *csrs;
    size_t count;
    pthread_t thread;
};

/* What the server's threads do. */
static void *work(void *context)
{
    const struct hand *hand = context;
    for (uint64_t i = 0; i < 60; i++) {
        struct issued issued;
        struct buf pem;
        buf_init(&pem, PEM_LIMIT);
        issue(hand->fixture, &hand->csrs[i % hand->count], i, &issued);
        CHECK(issuer_chain(hand->fixture->issuer, buf_span(&issued.der), issued.intermediate, 1,
                           &pem));
        X509 *leaf = x509_of(buf_span(&issued.der));
        X509 *signer = x509_of(issuer_intermediate(hand->fixture->issuer, issued.intermediate, 0));
        CHECK_INT(X509_verify(leaf, X509_get0_pubkey(signer)), 1);
        X509_free(signer);
        X509_free(leaf);
        buf_free(&pem);
        buf_free(&issued.der);
    }
    return NULL;
}

static void threads_share_the_issuer(void)
{
    struct ca_fixture fixture;
    struct buf csrs[4];
    struct hand hands[4];
    ca_setup(&fixture, &(struct issuer_options){.intermediates = 2});
    for (size_t i = 0; i < 4; i++) {
        EVP_PKEY *key = pki_key(fixture.context, pki_specs[i].type, pki_specs[i].bits);
        buf_init(&csrs[i], 8192);
        csr_wish_names(key, "DNS:a.example", &csrs[i]);
        EVP_PKEY_free(key);
    }
    for (size_t i = 0; i < 4; i++) {
        hands[i] = (struct hand){.fixture = &fixture, .csrs = csrs, .count = 4};
        CHECK_INT(pthread_create(&hands[i].thread, NULL, work, &hands[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(pthread_join(hands[i].thread, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        buf_free(&csrs[i]);
    ca_teardown(&fixture);
}

static const struct test tests[] = {
    TEST(leaves_of_every_key),        TEST(issuers_of_every_key),
    TEST(common_names_are_chosen),    TEST(names_are_in_lower_case_and_many),
    TEST(serials_hold_their_numbers), TEST(what_is_asked_for_is_there),
    TEST(servers_get_a_pair),         TEST(options_have_limits),
    TEST(threads_share_the_issuer),
};

TESTS_MAIN(tests)
