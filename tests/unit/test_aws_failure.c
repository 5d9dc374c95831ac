/* What AWS's error bodies mean, and where requests go. */
#include "check.h"

#include "aws/failure.h"
#include "aws/route.h"

static struct aws_failure read_body(const char *body)
{
    struct http_response response = {.status = 400, .body = span_of(body)};
    struct aws_failure failure;
    aws_failure_read(&response, &failure);
    return failure;
}

static void json_bodies_are_read(void)
{
    struct aws_failure failure =
        read_body("{\"__type\":\"com.amazonaws.acm#ThrottlingException\",\"message\":\"Rate "
                  "exceeded\"}");
    CHECK_TEXT(failure.code, "ThrottlingException");
    CHECK_TEXT(failure.words, "Rate exceeded");
    CHECK_INT(aws_failure_outcome(&failure, 400, 0), AWS_THROTTLED);
    failure = read_body("{\"Message\":\"no\\u001b[31m\\nway\",\"__type\":\"A:http://x/\"}");
    CHECK_TEXT(failure.code, "A");
    CHECK(strchr(failure.words, '\x1b') == NULL);
    struct http_response response = {
        .body = SPAN_LITERAL("{}"),
        .amazon_error_type = SPAN_LITERAL("ValidationException:http://internal/"),
        .amazon_request_id = SPAN_LITERAL("1-2-3"),
    };
    aws_failure_read(&response, &failure);
    CHECK_TEXT(failure.code, "ValidationException");
    CHECK_TEXT(failure.request_id, "1-2-3");
    CHECK_INT(aws_failure_outcome(&failure, 400, 0), AWS_INVALID);
}

static void xml_bodies_are_read(void)
{
    struct aws_failure failure =
        read_body("<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>"
                  "Sender</Type><Code>ExpiredToken</Code><Message>too &lt;old&gt;</Message></Error>"
                  "<RequestId>r</RequestId></ErrorResponse>");
    CHECK_TEXT(failure.code, "ExpiredToken");
    CHECK_TEXT(failure.words, "too <old>");
    CHECK_TEXT(failure.request_id, "r");
    CHECK_INT(aws_failure_outcome(&failure, 403, 0), AWS_EXPIRED);
    failure = read_body("<?xml version=\"1.0\"?>\n<Error><Code>PermanentRedirect</Code><Message>m"
                        "</Message><Region>eu-west-1</Region><RequestId>q</RequestId></Error>");
    CHECK_TEXT(failure.region, "eu-west-1");
    CHECK_TEXT(failure.request_id, "q");
    failure = read_body("<InvalidChangeBatch xmlns=\"x\"><Messages><Message>one</Message><Message>"
                        "two</Message></Messages></InvalidChangeBatch>");
    CHECK_TEXT(failure.code, "InvalidChangeBatch");
    CHECK_TEXT(failure.words, "one");
    CHECK_INT(aws_failure_outcome(&failure, 400, 0), AWS_INVALID);
}

static void what_is_no_error_body_leaves_the_status(void)
{
    static const struct {
        const char *body;
        long status;
        enum aws_outcome outcome;
    } cases[] = {
        {"<html><body>503</body></html>", 503, AWS_FAILED},
        {"<html>", 502, AWS_FAILED},
        {"", 500, AWS_FAILED},
        {"{", 429, AWS_THROTTLED},
        {"[]", 404, AWS_MISSING},
        {"nothing", 403, AWS_DENIED},
        {"{\"__type\":7}", 400, AWS_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct aws_failure failure = read_body(cases[i].body);
        CHECK_TEXT(failure.code, "");
        CHECK_INT(aws_failure_outcome(&failure, cases[i].status, 0), cases[i].outcome);
    }
}

/* STS and others quote the request as they saw it, with the session token in it. */
static void the_quoted_request_is_cut_off(void)
{
    static const char *const bodies[] = {
        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>It does not "
        "match.\n\nThe "
        "Canonical String for this request should have been\n'x-amz-security-token:TOKEN'"
        "</Message></Error></ErrorResponse>",
        "{\"__type\":\"InvalidSignatureException\",\"message\":\"It does not match. The Canonical "
        "String for this request should have been 'x-amz-security-token:TOKEN'\"}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct aws_failure failure = read_body(bodies[i]);
        CHECK_TEXT(failure.words, "It does not match.");
        CHECK_INT(aws_failure_outcome(&failure, 403, 0), AWS_UNKNOWN_CREDENTIALS);
        CHECK_INT(aws_failure_outcome(&failure, 403, 200), AWS_UNKNOWN_CREDENTIALS);
        CHECK_INT(aws_failure_outcome(&failure, 403, 600), AWS_SKEWED);
        CHECK_INT(aws_failure_outcome(&failure, 403, -600), AWS_SKEWED);
    }
}

/* A long sentence's reason stands at its end. */
static void long_words_are_kept(void)
{
    char body[600];
    snprintf(body, sizeof body, "{\"__type\":\"AccessDeniedException\",\"message\":\"%0300d end\"}",
             0);
    CHECK_CONTAINS(read_body(body).words, " end");
}

static void check_error(enum aws_outcome outcome, const char *code, const char *words,
                        const char *part, enum error_kind kind)
{
    struct aws_failure failure = {.request_id = "r-1"};
    snprintf(failure.code, sizeof failure.code, "%s", code);
    snprintf(failure.words, sizeof failure.words, "%s", words);
    const struct aws_failed_call call = {
        .action = "acm:ImportCertificate",
        .profile = "dns",
        .region = "eu-west-1",
        .key_id = "AKIAEXAMPLE",
        .host = "https://acm.eu-west-1.amazonaws.com",
        .attempts = 4,
        .status = 400,
        .behind_s = 960,
        .outcome = outcome,
        .failure = &failure,
    };
    struct error error = {0};
    aws_failure_error(&call, &error);
    CHECK_CONTAINS(error.text, "acm:ImportCertificate, profile dns in eu-west-1: ");
    CHECK_CONTAINS(error.text, part);
    CHECK_CONTAINS(error.text, words);
    CHECK_CONTAINS(error.text, "(request r-1)");
    CHECK_INT(error.kind, kind);
}

static void errors_say_what_to_do(void)
{
    check_error(AWS_DENIED, "AccessDeniedException", "User: x is not authorized",
                "add the IAM action acm:ImportCertificate to the policy", ERROR_CONFIG);
    check_error(AWS_DENIED, "AccessDeniedException",
                "User: x is not authorized to perform: acm:AddTagsToCertificate on resource: y",
                "add the IAM action acm:AddTagsToCertificate to the policy", ERROR_CONFIG);
    check_error(AWS_DENIED, "AccessDeniedException",
                "User: arn:aws:sts::123456789012:assumed-role/certmill-certificate-import/certmill "
                "is not authorized to perform: acm:ImportCertificate on resource: "
                "arn:aws:acm:eu-west-1:123456789012:certificate/* with an explicit deny",
                "with an explicit deny", ERROR_CONFIG);
    check_error(AWS_UNKNOWN_CREDENTIALS, "InvalidSignatureException", "no match",
                "the secret access key is not that of access key AKIAEXAMPLE", ERROR_CONFIG);
    check_error(AWS_UNKNOWN_CREDENTIALS, "UnrecognizedClientException", "unknown",
                "AWS does not know access key AKIAEXAMPLE", ERROR_CONFIG);
    check_error(AWS_EXPIRED, "ExpiredTokenException", "expired", "get new credentials",
                ERROR_CONFIG);
    check_error(AWS_SKEWED, "InvalidSignatureException", "Signature expired",
                "clock is 16 min behind of AWS's", ERROR_CONFIG);
    check_error(AWS_THROTTLED, "ThrottlingException", "Rate exceeded", "throttled", ERROR_BUSY);
    check_error(AWS_FAILED, "", "", "HTTP 400 in 4 attempts", ERROR_NETWORK);
    check_error(AWS_LIMIT, "LimitExceededException", "too many", "LimitExceededException",
                ERROR_LIMIT);
}

static void check_route(const char *endpoint, enum aws_service service, const char *path,
                        const char *origin, const char *host, const char *there)
{
    struct aws_route route;
    struct error error;
    CHECK_OK(aws_route_make(endpoint, service, span_of(path), &route, &error), error);
    CHECK_TEXT(route.origin, origin);
    CHECK(span_is(route.host, host));
    CHECK_TEXT(buf_text(&route.path), there);
    buf_free(&route.path);
}

static void requests_find_their_hosts(void)
{
    check_route("https://acm.eu-west-1.amazonaws.com", AWS_ACM, "/",
                "https://acm.eu-west-1.amazonaws.com", "acm.eu-west-1.amazonaws.com", "/");
    check_route("https://s3.eu-west-1.amazonaws.com", AWS_S3, "/my-bucket/a/b c",
                "https://my-bucket.s3.eu-west-1.amazonaws.com",
                "my-bucket.s3.eu-west-1.amazonaws.com", "/a/b c");
    check_route("https://s3.cn-north-1.amazonaws.com.cn", AWS_S3, "/bucket/k",
                "https://bucket.s3.cn-north-1.amazonaws.com.cn",
                "bucket.s3.cn-north-1.amazonaws.com.cn", "/k");
    static const char *const in_path[] = {"/my.bucket/k", "/My-bucket/k",   "/ab/k",
                                          "/-abc/k",      "/under_score/k", "/"};
    for (size_t i = 0; i < sizeof in_path / sizeof in_path[0]; i++)
        check_route("https://s3.us-east-1.amazonaws.com", AWS_S3, in_path[i],
                    "https://s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com", in_path[i]);
    check_route("http://127.0.0.1:9000", AWS_S3, "/bucket/k", "http://127.0.0.1:9000",
                "127.0.0.1:9000", "/bucket/k");
    check_route("https://proxy.example:443/aws/s3", AWS_S3, "/bucket/k",
                "https://proxy.example:443", "proxy.example", "/aws/s3/bucket/k");
    check_route("http://h:80", AWS_ACM, "/", "http://h:80", "h", "/");
    CHECK(aws_region_is_sound("us-gov-west-1"));
    CHECK(!aws_region_is_sound("") && !aws_region_is_sound("a.b") &&
          !aws_region_is_sound("evil/x") && !aws_region_is_sound("US-EAST-1"));
}

static const struct test tests[] = {
    TEST(json_bodies_are_read),
    TEST(xml_bodies_are_read),
    TEST(what_is_no_error_body_leaves_the_status),
    TEST(the_quoted_request_is_cut_off),
    TEST(long_words_are_kept),
    TEST(errors_say_what_to_do),
    TEST(requests_find_their_hosts),
};

TESTS_MAIN(tests)
