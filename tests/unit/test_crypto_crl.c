/* Revocation lists and the extension that says where they are, made by OpenSSL. */
#include "crl_fixture.h"

#include "crypto/crl.h"

static struct crl_maker maker;

static void check_refused(bool ok, const struct error *error, enum error_kind kind,
                          const char *words)
{
    CHECK(!ok);
    CHECK_INT(error->kind, kind);
    CHECK_CONTAINS(error->text, words);
}

static void crl_url_of(const char *points, char *text, size_t size)
{
    struct certificate_info info;
    struct error error;
    struct buf pem CLEANUP(buf_free);
    struct buf der CLEANUP(buf_free);
    buf_init(&pem, CERTIFICATE_PEM_MAX);
    buf_init(&der, CERTIFICATE_DER_MAX);
    crl_leaf_pem(&maker, "0102", points, &pem);
    CHECK_OK(certificate_read(buf_span(&pem), &der, &info, &error), error);
    CHECK(info.serial_bytes.len == 2 && memcmp(info.serial_bytes.data, "\1\2", 2) == 0);
    snprintf(text, size, "%.*s", SPAN_PRINTF(info.crl_url));
}

static void a_leafs_list_is_found(void)
{
    static const struct {
        const char *points, *url;
    } cases[] = {
        {NULL, ""},
        {"URI:http://crl.test/1.crl", "http://crl.test/1.crl"},
        {"URI:https://crl.test/1.crl", "https://crl.test/1.crl"},
        {"URI:ldap://crl.test/cn=x,URI:http://crl.test/2.crl", "http://crl.test/2.crl"},
        {"URI:http://crl.test/1.crl,URI:http://crl.test/2.crl", "http://crl.test/1.crl"},
        {"URI:file:///etc/passwd", ""},
        {"URI:http://", ""},
        {"URI:http:///x", ""},
        {"URI:http://crl.test/a b", ""},
        {"DNS:crl.test", ""},
    };
    char url[2048];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        crl_url_of(cases[i].points, url, sizeof url);
        CHECK_TEXT(url, cases[i].url);
    }
    char points[CRL_URL_MAX + 8] = "URI:http://";
    memset(points + strlen(points), 'a', sizeof points - 1 - strlen(points));
    points[4 + CRL_URL_MAX + 1] = '\0';
    crl_url_of(points, url, sizeof url);
    CHECK_TEXT(url, "");
    points[4 + CRL_URL_MAX] = '\0';
    crl_url_of(points, url, sizeof url);
    CHECK_TEXT(url, points + 4);
}

/* Any bytes in the extension's place: the certificate is read, and a URL lies within it. */
static void a_hostile_extension_names_no_list(void)
{
    static const char *const values[] = {
        "30",
        "3000",
        "30023000",
        "0500",
        "30800000",
        "300430028600",
        "3084ffffffff",
        "30063004a0023000",
        "3019a017861568743a2f2f63726c2e746573742f78797a0500",
        /* a list signed by another: cRLIssuer */
        "301f301da019a0178615687474703a2f2f63726c2e746573742f312e63726ca200",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char points[256];
        char url[2048];
        snprintf(points, sizeof points, "DER:%s", values[i]);
        crl_url_of(points, url, sizeof url);
        CHECK_TEXT(url, "");
    }
}

static void revoked_serials_are_read(void)
{
    static const struct crl_line lines[] = {{"0a", 100, 1}, {"00ff01", 200, 6}, {"7f", 300, -1}};
    struct buf der CLEANUP(buf_free);
    struct crl crl;
    struct crl_entry entry;
    struct error error;
    buf_init(&der, CRL_DER_MAX);
    crl_make(&maker, &(struct crl_wish){.lines = lines, .count = 3}, &der);
    CHECK_OK(crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error), error);
    CHECK_OK(crl_verify(maker.context, &crl, buf_span(&maker.issuer_pem), PKI_NOW, &error), error);
    CHECK_INT(crl.this_update, PKI_NOW - 60);
    CHECK_INT(crl.next_update, PKI_NOW + 86400);
    CHECK(crl_next(&crl.entries, &entry));
    CHECK(span_equal(entry.serial, SPAN_LITERAL("\x0a")));
    CHECK_INT(entry.revoked_at, 100);
    CHECK_TEXT(crl_reason(&entry), "keyCompromise");
    CHECK(crl_next(&crl.entries, &entry));
    CHECK(span_equal(entry.serial, span_make("\0\xff\1", 3)));
    CHECK_TEXT(crl_reason(&entry), "certificateHold");
    CHECK(crl_next(&crl.entries, &entry));
    CHECK_TEXT(crl_reason(&entry), "unspecified");
    CHECK(!crl_next(&crl.entries, &entry) && crl.entries.len == 0);
}

static void an_empty_list_revokes_nothing(void)
{
    struct buf der CLEANUP(buf_free);
    struct crl crl;
    struct crl_entry entry;
    struct error error;
    buf_init(&der, CRL_DER_MAX);
    crl_make(&maker, &(struct crl_wish){0}, &der);
    CHECK_OK(crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error), error);
    CHECK_OK(crl_verify(maker.context, &crl, buf_span(&maker.issuer_pem), PKI_NOW, &error), error);
    CHECK(!crl_next(&crl.entries, &entry));
}

static void other_scopes_are_refused(void)
{
    static const struct {
        const char *point, *words;
        bool delta;
    } cases[] = {
        {"fullname:URI:" CRL_TEST_URL, NULL, false},
        {"onlyuser:TRUE", NULL, false},
        {"onlysomereasons:keyCompromise", NULL, false},
        {"fullname:URI:http://crl.test/other.crl", "belongs elsewhere", false},
        {"onlyCA:TRUE", "not for leaf certificates", false},
        {"onlyAA:TRUE", "not for leaf certificates", false},
        {"indirectCRL:TRUE", "indirect", false},
        {NULL, "a delta", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf der CLEANUP(buf_free);
        struct crl crl;
        struct error error;
        buf_init(&der, CRL_DER_MAX);
        crl_make(&maker, &(struct crl_wish){.point = cases[i].point, .delta = cases[i].delta},
                 &der);
        if (cases[i].words == NULL)
            CHECK_OK(crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error), error);
        else
            check_refused(crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error), &error,
                          ERROR_PROTOCOL, cases[i].words);
    }
}

static void only_the_issuers_current_list_holds(void)
{
    static const struct {
        struct crl_wish wish;
        int64_t now;
        const char *words;
    } cases[] = {
        {{.this_update = PKI_NOW, .next_update = PKI_NOW + 10}, PKI_NOW + 9, NULL},
        {{.this_update = PKI_NOW, .next_update = PKI_NOW + 10}, PKI_NOW + 10, "stale"},
        {{.this_update = PKI_NOW + 300}, PKI_NOW, NULL},
        {{.this_update = PKI_NOW + 301}, PKI_NOW, "future"},
        {{.other_key = true}, PKI_NOW, "not signed by"},
        {{.other_name = true}, PKI_NOW, "not signed by"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf der CLEANUP(buf_free);
        struct crl crl;
        struct error error;
        buf_init(&der, CRL_DER_MAX);
        crl_make(&maker, &cases[i].wish, &der);
        CHECK_OK(crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error), error);
        struct span issuer = buf_span(&maker.issuer_pem);
        if (cases[i].words == NULL)
            CHECK_OK(crl_verify(maker.context, &crl, issuer, cases[i].now, &error), error);
        else
            check_refused(crl_verify(maker.context, &crl, issuer, cases[i].now, &error), &error,
                          ERROR_PROTOCOL, cases[i].words);
        if (cases[i].words == NULL)
            check_refused(crl_verify(maker.context, &crl, (struct span){0}, cases[i].now, &error),
                          &error, ERROR_PROTOCOL, "chain.pem");
    }
}

/* Every cut and every changed byte is refused, or changes nothing that was signed. */
static void damaged_lists_are_refused(void)
{
    static const struct crl_line lines[] = {{"0a", 100, 1}, {"0b", 200, -1}};
    struct buf der CLEANUP(buf_free);
    struct crl crl;
    struct error error;
    buf_init(&der, CRL_DER_MAX);
    crl_make(&maker, &(struct crl_wish){.lines = lines, .count = 2}, &der);
    for (size_t len = 0; len < der.len; len++)
        CHECK(!crl_read(span_make(der.data, len), span_of(CRL_TEST_URL), &crl, &error));
    for (size_t i = 0; i < der.len; i++) {
        der.data[i] ^= 0x41;
        CHECK(!crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error) ||
              !crl_verify(maker.context, &crl, buf_span(&maker.issuer_pem), PKI_NOW, &error));
        der.data[i] ^= 0x41;
    }
    CHECK_OK(crl_read(buf_span(&der), span_of(CRL_TEST_URL), &crl, &error), error);
    char *huge = calloc(1, CRL_DER_MAX + 1);
    CHECK(huge != NULL);
    check_refused(crl_read(span_make(huge, CRL_DER_MAX + 1), span_of(CRL_TEST_URL), &crl, &error),
                  &error, ERROR_LIMIT, "more than");
    free(huge);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_leafs_list_is_found),     TEST(a_hostile_extension_names_no_list),
        TEST(revoked_serials_are_read),  TEST(an_empty_list_revokes_nothing),
        TEST(other_scopes_are_refused),  TEST(only_the_issuers_current_list_holds),
        TEST(damaged_lists_are_refused),
    };
    crl_maker_make(&maker);
    int code = tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
    crl_maker_free(&maker);
    return code;
}
