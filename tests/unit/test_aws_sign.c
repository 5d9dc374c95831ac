/* Signature Version 4: AWS's published vectors, and what goes on the wire. With --sign it signs the
 * requests that come on its standard input, one JSON object a line, for a comparison with another
 * signer. */
#include "check.h"

#include "aws/sign.h"
#include "base/json.h"
#include "io/file.h"

#define PARAMETERS_MAX 64

static struct aws_credentials credentials_of(const char *key_id, const char *secret,
                                             const char *token)
{
    struct aws_credentials credentials = {0};
    snprintf(credentials.key_id, sizeof credentials.key_id, "%s", key_id);
    CHECK(secret_copy(span_of(secret), &credentials.secret_key));
    if (token != NULL)
        CHECK(secret_copy(span_of(token), &credentials.session_token));
    return credentials;
}

static void credentials_drop(struct aws_credentials *credentials)
{
    secret_free(&credentials->secret_key);
    secret_free(&credentials->session_token);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static size_t query_of(const json_t *object, struct aws_parameter *query)
{
    const json_t *list = json_object_get(object, "query");
    size_t count = json_array_size(list);
    CHECK(count <= PARAMETERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(list, i);
        query[i].name = json_string_value(json_array_get(pair, 0));
        query[i].value = span_of(json_string_value(json_array_get(pair, 1)));
    }
    return count;
}

static void published_vectors_are_met(void)
{
    struct buf text;
    struct error error;
    buf_init(&text, 1 << 20);
    CHECK_OK(file_read(TEST_VECTORS "/aws/sigv4.json", &text, NULL, &error), error);
    json_t *vectors;
    CHECK_OK(json_parse(buf_span(&text), 1 << 20, &vectors, &error), error);
    CHECK(json_array_size(vectors) >= 13);
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);
        struct aws_credentials credentials = credentials_of(
            "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", text_of(vector, "token"));
        struct aws_parameter query[PARAMETERS_MAX];
        struct aws_sign_request request = {
            .method = text_of(vector, "method"),
            .host = SPAN_LITERAL("example.amazonaws.com"),
            .path = span_of(text_of(vector, "path")),
            .query = query,
            .query_count = query_of(vector, query),
            .service = "service",
            .region = "us-east-1",
            .now = 1440938160,
        };
        struct aws_signed made;
        CHECK_OK(aws_sign(&request, &credentials, &made, &error), error);
        char expected[512];
        snprintf(expected, sizeof expected,
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                 "SignedHeaders=host;x-amz-date%s, Signature=%s",
                 text_of(vector, "token") != NULL ? ";x-amz-security-token" : "",
                 text_of(vector, "signature"));
        printf("  %s\n", text_of(vector, "name"));
        CHECK_TEXT(buf_text(&made.authorization), expected);
        CHECK_TEXT(made.date, "20150830T123600Z");
        CHECK_TEXT(made.content_sha256, "");
        aws_signed_free(&made);
        credentials_drop(&credentials);
    }
    json_decref(vectors);
    buf_free(&text);
}

/* The example of the S3 API reference, "Authenticating Requests", with its path and headers as
 * certmill sends them, worked through by hand to the canonical request. */
static void s3_signs_the_body_and_leaves_the_path(void)
{
    struct aws_credentials credentials = credentials_of("AKIDEXAMPLE", "secret", "token");
    struct aws_parameter query[] = {{"versionId", SPAN_LITERAL("a b+c/d")},
                                    {"acl", SPAN_LITERAL("")}};
    struct aws_sign_request request = {
        .method = "GET",
        .host = SPAN_LITERAL("bucket.s3.amazonaws.com"),
        .path = SPAN_LITERAL("/a//b/../c d+\xc3\xa4%.yaml"),
        .query = query,
        .query_count = 2,
        .service = "s3",
        .region = "eu-west-1",
        .now = 1440938160,
    };
    struct aws_signed made;
    struct error error;
    CHECK_OK(aws_sign(&request, &credentials, &made, &error), error);
    CHECK_TEXT(buf_text(&made.target),
               "/a//b/../c%20d%2B%C3%A4%25.yaml?acl=&versionId=a%20b%2Bc%2Fd");
    CHECK_TEXT(buf_text(&made.canonical),
               "GET\n/a//b/../c%20d%2B%C3%A4%25.yaml\nacl=&versionId=a%20b%2Bc%2Fd\n"
               "host:bucket.s3.amazonaws.com\n"
               "x-amz-content-sha256:"
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
               "x-amz-date:20150830T123600Z\nx-amz-security-token:token\n\n"
               "host;x-amz-content-sha256;x-amz-date;x-amz-security-token\n"
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_TEXT(made.content_sha256,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    aws_signed_free(&made);
    credentials_drop(&credentials);
}

static void other_services_encode_the_path_twice(void)
{
    struct aws_credentials credentials = credentials_of("AKIDEXAMPLE", "secret", NULL);
    struct aws_sign_request request = {
        .method = "POST",
        .host = SPAN_LITERAL("acm.eu-west-1.amazonaws.com"),
        .path = SPAN_LITERAL("/a b//./c/../d"),
        .content_type = SPAN_LITERAL("  application/x-amz-json-1.1  "),
        .target = "CertificateManager.ListCertificates",
        .body = SPAN_LITERAL("{}"),
        .service = "acm",
        .region = "eu-west-1",
        .now = 1440938160,
    };
    struct aws_signed made;
    struct error error;
    CHECK_OK(aws_sign(&request, &credentials, &made, &error), error);
    CHECK_TEXT(buf_text(&made.target), "/a%20b//./c/../d");
    CHECK_TEXT(buf_text(&made.canonical),
               "POST\n/a%2520b/d\n\ncontent-type:application/x-amz-json-1.1\n"
               "host:acm.eu-west-1.amazonaws.com\nx-amz-date:20150830T123600Z\n"
               "x-amz-target:CertificateManager.ListCertificates\n\n"
               "content-type;host;x-amz-date;x-amz-target\n"
               "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    aws_signed_free(&made);
    credentials_drop(&credentials);
}

static void ceilings_hold(void)
{
    struct aws_credentials credentials = credentials_of("AKIDEXAMPLE", "secret", NULL);
    struct aws_parameter query[PARAMETERS_MAX + 1];
    for (size_t i = 0; i <= PARAMETERS_MAX; i++)
        query[i] = (struct aws_parameter){"name", SPAN_LITERAL("value")};
    char *path = malloc(1 << 17);
    CHECK(path != NULL);
    memset(path, 'x', 1 << 17);
    struct aws_sign_request request = {
        .method = "GET",
        .host = SPAN_LITERAL("h"),
        .service = "acm",
        .region = "r",
        .query = query,
        .query_count = PARAMETERS_MAX + 1,
    };
    struct aws_signed made;
    struct error error;
    CHECK(!aws_sign(&request, &credentials, &made, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    request.query_count = 0;
    request.path = span_make(path, 1 << 17);
    CHECK(!aws_sign(&request, &credentials, &made, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    request.path = SPAN_LITERAL("/");
    credentials_drop(&credentials);
    CHECK(secret_copy(span_make(path, 5000), &credentials.secret_key));
    CHECK(!aws_sign(&request, &credentials, &made, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    request.now = INT64_MAX;
    CHECK(!aws_sign(&request, &credentials, &made, &error));
    credentials_drop(&credentials);
    free(path);
}

/* {"method", "host", "path", "query", "content_type", "target", "body", "service", "region", "now",
 * "key_id", "secret", "token"} -> {"target", "authorization", "date", "content_sha256"} */
static void sign_line(const json_t *line)
{
    const char *token = text_of(line, "token");
    struct aws_credentials credentials =
        credentials_of(text_of(line, "key_id"), text_of(line, "secret"), token);
    struct aws_parameter query[PARAMETERS_MAX];
    struct aws_sign_request request = {
        .method = text_of(line, "method"),
        .host = span_of(text_of(line, "host")),
        .path = span_of(text_of(line, "path")),
        .query = query,
        .query_count = query_of(line, query),
        .content_type = span_of(text_of(line, "content_type")),
        .target = text_of(line, "target"),
        .body = span_of(text_of(line, "body")),
        .service = text_of(line, "service"),
        .region = text_of(line, "region"),
        .now = json_integer_value(json_object_get(line, "now")),
    };
    struct aws_signed made;
    struct error error;
    CHECK_OK(aws_sign(&request, &credentials, &made, &error), error);
    json_t *answer = json_pack("{s:s,s:s,s:s,s:s}", "target", buf_text(&made.target),
                               "authorization", buf_text(&made.authorization), "date", made.date,
                               "content_sha256", made.content_sha256);
    CHECK(answer != NULL && json_dumpf(answer, stdout, JSON_COMPACT) == 0);
    putchar('\n');
    json_decref(answer);
    aws_signed_free(&made);
    credentials_drop(&credentials);
}

static int sign_lines(void)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t len; (len = getline(&line, &capacity, stdin)) > 0;) {
        json_t *request;
        struct error error;
        CHECK_OK(json_parse(span_make(line, (size_t)len), 1 << 20, &request, &error), error);
        sign_line(request);
        json_decref(request);
    }
    free(line);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--sign") == 0)
        return sign_lines();
    static const struct test tests[] = {
        TEST(published_vectors_are_met),
        TEST(s3_signs_the_body_and_leaves_the_path),
        TEST(other_services_encode_the_path_twice),
        TEST(ceilings_hold),
    };
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
