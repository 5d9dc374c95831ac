/* engine/aws/acm: bodies of requests, and replies as ACM and servers in its place send them. */
#include "check.h"

#include "aws/acm.h"
#include "base/base64.h"
#include "base/json.h"

#define ARN "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"

static json_t *body_json(const struct buf *body)
{
    json_t *json = NULL;
    struct error error;
    CHECK_OK(json_parse(buf_span(body), 1 << 20, &json, &error), error);
    return json;
}

static void check_blob(const json_t *json, const char *key, const char *expected)
{
    struct buf text;
    buf_init(&text, 65536);
    const char *blob = json_text(json, key, 65536);
    CHECK(blob != NULL && base64_decode_lenient(span_of(blob), &text));
    CHECK_TEXT(buf_text(&text), expected);
    buf_free(&text);
}

static void new_import_has_tags_and_no_arn(void)
{
    static const struct acm_tag tags[] = {
        {ACM_TAG_NAME, "www"}, {"team", "a \"b\" \xc3\xa9"}, {"empty", ""}};
    struct acm_import import = {.certificate = SPAN_LITERAL("leaf pem\n"),
                                .chain = SPAN_LITERAL("chain pem\n"),
                                .key = SPAN_LITERAL("key \xff pem\n"),
                                .tags = tags,
                                .tag_count = 3};
    struct error error;
    struct buf body;
    buf_init_secret(&body, 65536);
    CHECK_OK(acm_import_body(&import, &body, &error), error);
    json_t *json = body_json(&body);
    check_blob(json, "Certificate", "leaf pem\n");
    check_blob(json, "CertificateChain", "chain pem\n");
    check_blob(json, "PrivateKey", "key \xff pem\n");
    CHECK(json_object_get(json, "CertificateArn") == NULL);
    json_t *list = json_list(json, "Tags", 50);
    CHECK_INT(json_array_size(list), 3);
    CHECK_TEXT(json_text(json_array_get(list, 0), "Key", 99), "certmill:name");
    CHECK_TEXT(json_text(json_array_get(list, 1), "Value", 99), "a \"b\" \xc3\xa9");
    CHECK(json_object_get(json_array_get(list, 2), "Value") == NULL);
    json_decref(json);
    buf_free(&body);
}

static void import_to_an_arn_has_no_tags(void)
{
    static const struct acm_tag tags[] = {{ACM_TAG_NAME, "www"}};
    struct acm_import import = {.certificate = SPAN_LITERAL("leaf"),
                                .key = SPAN_LITERAL("key"),
                                .arn = ARN,
                                .tags = tags,
                                .tag_count = 1};
    struct error error;
    struct buf body;
    buf_init_secret(&body, 65536);
    CHECK_OK(acm_import_body(&import, &body, &error), error);
    json_t *json = body_json(&body);
    CHECK_TEXT(json_text(json, "CertificateArn", 999), ARN);
    CHECK(json_object_get(json, "Tags") == NULL);
    CHECK(json_object_get(json, "CertificateChain") == NULL);
    check_blob(json, "PrivateKey", "key");
    json_decref(json);
    buf_free(&body);
}

static void body_that_does_not_fit_is_an_error(void)
{
    struct acm_import import = {.certificate = SPAN_LITERAL("leaf"), .key = SPAN_LITERAL("key")};
    for (size_t limit = 1; limit < strlen("{\"Certificate\":\"bGVhZg==\",\"PrivateKey\":\"a2V5\"}");
         limit++) {
        struct buf body;
        struct error error;
        buf_init_secret(&body, limit);
        CHECK(!acm_import_body(&import, &body, &error));
        CHECK_INT(error.kind, ERROR_MEMORY);
        buf_free(&body);
    }
}

static void list_asks_for_every_key_type(void)
{
    struct buf body;
    buf_init(&body, 65536);
    CHECK(acm_list_body("token==", true, &body));
    json_t *json = body_json(&body);
    CHECK_TEXT(json_text(json, "NextToken", 99), "token==");
    CHECK_INT(json_array_size(json_list(json_object_get(json, "Includes"), "keyTypes", 99)), 7);
    CHECK_INT(json_array_size(json_list(json, "CertificateStatuses", 99)), 4);
    CHECK(json_number(json, "MaxItems", 0) > 0 && json_number(json, "MaxItems", 0) <= 1000);
    json_decref(json);
    buf_clear(&body);
    CHECK(acm_list_body(NULL, false, &body));
    json = body_json(&body);
    CHECK(json_object_get(json, "NextToken") == NULL);
    CHECK(json_object_get(json, "CertificateStatuses") == NULL);
    json_decref(json);
    buf_free(&body);
}

static void small_bodies(void)
{
    struct buf body;
    buf_init(&body, 65536);
    CHECK(acm_arn_body(ARN, &body));
    CHECK_TEXT(buf_text(&body), "{\"CertificateArn\":\"" ARN "\"}");
    buf_clear(&body);
    static const struct acm_tag tag = {"a", "b"};
    CHECK(acm_tags_body(ARN, &tag, 1, &body));
    CHECK_TEXT(buf_text(&body),
               "{\"CertificateArn\":\"" ARN "\",\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}]}");
    buf_free(&body);
}

static void import_reply_gives_the_arn(void)
{
    char arn[ACM_ARN_MAX + 1];
    struct error error;
    CHECK_OK(acm_import_read(SPAN_LITERAL("{\"CertificateArn\":\"" ARN "\"}"), arn, &error), error);
    CHECK_TEXT(arn, ARN);
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"CertificateArn\":7}",
        "{\"CertificateArn\":\"arn:aws:acm:us-east-1:12:certificate/x\"}",
        "{\"CertificateArn\":\"\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!acm_import_read(span_of(bad[i]), arn, &error));
        CHECK_INT(error.kind, ERROR_PROTOCOL);
        CHECK_CONTAINS(error.text, "ImportCertificate");
        CHECK_TEXT(arn, ARN);
    }
}

static void list_reply_as_acm_sends_it(void)
{
    static const char reply[] =
        "{\"CertificateSummaryList\":[{\"CertificateArn\":\"" ARN "\",\"DomainName\":\"a.example\","
        "\"SubjectAlternativeNameSummaries\":[\"a.example\",\"b.example\"],"
        "\"HasAdditionalSubjectAlternativeNames\":true,\"Status\":\"ISSUED\",\"Type\":\"IMPORTED\","
        "\"KeyAlgorithm\":\"EC-prime256v1\",\"InUse\":true,\"NotBefore\":1.79E9,"
        "\"NotAfter\":1.798E9,\"ImportedAt\":1790000000.25},"
        "{\"CertificateArn\":\"" ARN "\"}],\"NextToken\":\"more\"}";
    struct arena arena;
    arena_init(&arena);
    struct acm_summary *list = NULL;
    size_t count = 0;
    const char *next = NULL;
    struct error error;
    CHECK_OK(acm_list_read(span_of(reply), &arena, &list, &count, &next, &error), error);
    CHECK_INT(count, 2);
    CHECK_TEXT(next, "more");
    CHECK_TEXT(list[0].domain, "a.example");
    CHECK_INT(list[0].name_count, 2);
    CHECK_TEXT(list[0].names[1], "b.example");
    CHECK(list[0].more_names && list[0].in_use);
    CHECK_TEXT(list[0].type, "IMPORTED");
    CHECK_TEXT(list[0].key_algorithm, "EC-prime256v1");
    CHECK_INT(list[0].not_before, 1790000000);
    CHECK_INT(list[0].not_after, 1798000000);
    CHECK_INT(list[0].imported_at, 1790000000);
    CHECK_TEXT(list[1].type, "");
    CHECK_INT(list[1].not_after, 0);
    arena_free(&arena);
}

static void last_page_has_no_token(void)
{
    static const char *const replies[] = {"{\"CertificateSummaryList\":[]}",
                                          "{\"CertificateSummaryList\":[],\"NextToken\":null}",
                                          "{\"CertificateSummaryList\":[],\"NextToken\":\"\"}"};
    for (size_t i = 0; i < 3; i++) {
        struct arena arena;
        arena_init(&arena);
        struct acm_summary *list = NULL;
        size_t count = 7;
        const char *next = "unset";
        struct error error;
        CHECK_OK(acm_list_read(span_of(replies[i]), &arena, &list, &count, &next, &error), error);
        CHECK_INT(count, 0);
        CHECK(next == NULL);
        arena_free(&arena);
    }
}

static void list_reply_that_is_none(void)
{
    static const char *const bad[] = {"{}", "{\"CertificateSummaryList\":{}}",
                                      "{\"CertificateSummaryList\":[7]}",
                                      "{\"CertificateSummaryList\":[{}]}", "\x1b[2J"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena arena;
        arena_init(&arena);
        struct acm_summary *list = NULL;
        size_t count = 0;
        const char *next = NULL;
        struct error error;
        CHECK(!acm_list_read(span_of(bad[i]), &arena, &list, &count, &next, &error));
        CHECK_INT(error.kind, ERROR_PROTOCOL);
        CHECK(strchr(error.text, '\x1b') == NULL);
        arena_free(&arena);
    }
}

static void check_serial(const char *serial, const char *expected)
{
    char reply[1024];
    snprintf(reply, sizeof reply,
             "{\"Certificate\":{\"CertificateArn\":\"" ARN "\",\"Serial\":%s}}", serial);
    struct arena arena;
    arena_init(&arena);
    struct acm_detail detail;
    struct error error;
    CHECK_OK(acm_describe_read(span_of(reply), &arena, &detail, &error), error);
    CHECK_TEXT(detail.serial, expected);
    arena_free(&arena);
}

static void serial_in_every_form(void)
{
    check_serial("\"0a:1B:2c\"", "0a1b2c");
    check_serial("\"05\"", "05");
    check_serial("\"12:34\"", "1234");
    check_serial("\"ab12\"", "ab12");
    check_serial("\"4660\"", "1234"); /* decimal, from servers in ACM's place */
    check_serial("\"340282366920938463463374607431768211455\"", "ffffffffffffffffffffffffffffffff");
    check_serial("4660", "1234");
    check_serial("\"no serial\"", "");
    check_serial("null", "");
    check_serial("[1]", "");
    CHECK(acm_serial_equal("000a1b", "a1b") && acm_serial_equal("0a1b", "0a1b"));
    CHECK(!acm_serial_equal("a1b0", "a1b") && !acm_serial_equal("", "") &&
          !acm_serial_equal("00", "0"));
}

static void description_names_uses_and_usages(void)
{
    static const char reply[] =
        "{\"Certificate\":{\"CertificateArn\":\"" ARN "\",\"Type\":\"IMPORTED\","
        "\"SubjectAlternativeNames\":[\"a.example\"],\"InUseBy\":[\"arn:aws:cloudfront::1:d/E\"],"
        "\"KeyUsages\":[{\"Name\":\"DIGITAL_SIGNATURE\"},{\"Name\":7},{}],"
        "\"ExtendedKeyUsages\":[{\"Name\":\"TLS_WEB_SERVER_AUTHENTICATION\",\"OID\":\"1.3\"}]}}";
    struct arena arena;
    arena_init(&arena);
    struct acm_detail detail;
    struct error error;
    CHECK_OK(acm_describe_read(span_of(reply), &arena, &detail, &error), error);
    CHECK(detail.summary.in_use);
    CHECK_INT(detail.in_use_count, 1);
    CHECK_TEXT(detail.in_use_by[0], "arn:aws:cloudfront::1:d/E");
    CHECK_INT(detail.key_usage_count, 1);
    CHECK_TEXT(detail.key_usages[0], "DIGITAL_SIGNATURE");
    CHECK_INT(detail.extended_key_usage_count, 1);
    CHECK_TEXT(detail.summary.names[0], "a.example");
    CHECK(!acm_describe_read(SPAN_LITERAL("{\"Certificate\":[]}"), &arena, &detail, &error));
    CHECK_INT(error.kind, ERROR_PROTOCOL);
    arena_free(&arena);
}

static void texts_of_strangers_are_made_printable(void)
{
    static const char reply[] = "{\"Certificate\":{\"CertificateArn\":\"" ARN
                                "\",\"DomainName\":\"a\\u001b[2Jb\",\"Type\":{}}}";
    struct arena arena;
    arena_init(&arena);
    struct acm_detail detail;
    struct error error;
    CHECK_OK(acm_describe_read(span_of(reply), &arena, &detail, &error), error);
    CHECK(strchr(detail.summary.domain, '\x1b') == NULL);
    CHECK_TEXT(detail.summary.type, "");
    arena_free(&arena);
}

static void tags_are_read(void)
{
    struct arena arena;
    arena_init(&arena);
    struct acm_tag *tags = NULL;
    size_t count = 0;
    struct error error;
    CHECK_OK(acm_tags_read(SPAN_LITERAL("{\"Tags\":[{\"Key\":\"certmill:name\",\"Value\":\"www\"},"
                                        "{\"Key\":\"x\"}]}"),
                           &arena, &tags, &count, &error),
             error);
    CHECK_INT(count, 2);
    CHECK_TEXT(tags[0].key, ACM_TAG_NAME);
    CHECK_TEXT(tags[0].value, "www");
    CHECK_TEXT(tags[1].value, "");
    CHECK_OK(acm_tags_read(SPAN_LITERAL("{}"), &arena, &tags, &count, &error), error);
    CHECK_INT(count, 0);
    arena_free(&arena);
}

static void digest_of_names_is_of_the_set(void)
{
    static const char *const a[] = {"a.example", "B.example"};
    static const char *const b[] = {"b.example", "A.EXAMPLE"};
    static const char *const c[] = {"a.example", "c.example"};
    CHECK(acm_names_digest(a, 2) == acm_names_digest(b, 2));
    CHECK(acm_names_digest(a, 2) != acm_names_digest(c, 2));
    CHECK(acm_names_digest(a, 1) != acm_names_digest(a, 2));
}

static const struct test tests[] = {
    TEST(new_import_has_tags_and_no_arn),
    TEST(import_to_an_arn_has_no_tags),
    TEST(body_that_does_not_fit_is_an_error),
    TEST(list_asks_for_every_key_type),
    TEST(small_bodies),
    TEST(import_reply_gives_the_arn),
    TEST(list_reply_as_acm_sends_it),
    TEST(last_page_has_no_token),
    TEST(list_reply_that_is_none),
    TEST(serial_in_every_form),
    TEST(description_names_uses_and_usages),
    TEST(texts_of_strangers_are_made_printable),
    TEST(tags_are_read),
    TEST(digest_of_names_is_of_the_set),
};

TESTS_MAIN(tests)
