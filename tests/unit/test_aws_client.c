/* Calls of AWS against a server that answers as a test wants it. */
#include "aws_fixture.h"
#include "scripted_server.h"

#include "aws/client.h"
#include "base/clock.h"

#include <fcntl.h>

#define CREDENTIALS                                                      \
    "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=the-secret", \
        "AWS_SESSION_TOKEN=the-token"

struct calls {
    struct aws_fixture aws;
    struct server *server;
    struct loop *loop;
    struct aws_client *client;
    char endpoint[64];
    const char *environment[8];
    unsigned ended;
    struct aws_reply last; /* its spans are gone */
    char body[256], etag[64];
};

static void call_ends(void *context, const struct aws_reply *reply)
{
    struct calls *calls = context;
    calls->ended++;
    calls->last = *reply;
    snprintf(calls->body, sizeof calls->body, "%.*s", SPAN_PRINTF(reply->body));
    snprintf(calls->etag, sizeof calls->etag, "%.*s", SPAN_PRINTF(reply->etag));
    CHECK(strstr(reply->error.text, "the-secret") == NULL);
    CHECK(strstr(reply->error.text, "the-token") == NULL);
}

static double no_jitter(void *context)
{
    (void)context;
    return 0;
}

static void calls_open(struct calls *calls, const struct route *routes, size_t count)
{
    *calls = (struct calls){.server = server_start(routes, count, NULL)};
    snprintf(calls->endpoint, sizeof calls->endpoint, "AWS_ENDPOINT_URL=http://127.0.0.1:%d",
             calls->server->port);
    const char *const environment[] = {CREDENTIALS, "AWS_REGION=eu-west-1", calls->endpoint, NULL};
    memcpy(calls->environment, environment, sizeof environment);
    aws_fixture_open(&calls->aws, calls->environment, NULL, NULL);
    const struct aws_client_options options = {
        .profiles = calls->aws.profiles, .attempts = 3, .random = no_jitter};
    struct error error;
    CHECK_OK(loop_new(&calls->loop, &error), error);
    CHECK_OK(aws_client_new(calls->loop, &options, call_ends, calls, &calls->client, &error),
             error);
}

/* Reads the environment again, with this ~/.aws/config. */
static void calls_profiles(struct calls *calls, const char *config)
{
    struct error error;
    aws_client_free(calls->client);
    aws_fixture_close(&calls->aws);
    aws_fixture_open(&calls->aws, calls->environment, config, NULL);
    const struct aws_client_options options = {
        .profiles = calls->aws.profiles, .attempts = 3, .random = no_jitter};
    CHECK_OK(aws_client_new(calls->loop, &options, call_ends, calls, &calls->client, &error),
             error);
}

static void calls_close(struct calls *calls)
{
    aws_client_free(calls->client);
    loop_free(calls->loop);
    if (calls->server != NULL)
        server_stop(calls->server);
    aws_fixture_close(&calls->aws);
}

static void calls_run(struct calls *calls, unsigned ended)
{
    struct error error;
    int64_t deadline = clock_monotonic_ms() + 20000;
    while (calls->ended < ended) {
        CHECK(clock_monotonic_ms() < deadline);
        CHECK_OK(
            loop_run_once(calls->loop, aws_wait_ms(calls->client, clock_monotonic_ms()), &error),
            error);
        aws_tick(calls->client, clock_monotonic_ms());
    }
}

static struct aws_request acm_request(const char *path)
{
    return (struct aws_request){
        .id = 7,
        .service = AWS_ACM,
        .method = HTTP_POST,
        .path = span_of(path),
        .content_type = "application/x-amz-json-1.1",
        .target = "CertificateManager.ImportCertificate",
        .body = SPAN_LITERAL("{\"PrivateKey\":\"key\"}"),
        .secret_body = true,
        .action = "acm:ImportCertificate",
    };
}

static void call(struct calls *calls, const struct aws_request *request)
{
    struct error error;
    unsigned before = calls->ended;
    CHECK_OK(aws_send(calls->client, request, &error), error);
    CHECK_INT(calls->ended, before); /* never from aws_send */
    calls_run(calls, before + 1);
    CHECK_INT(calls->last.id, request->id);
}

#define REPLY(status, headers, body) "HTTP/1.1 " status "\r\n" headers "\r\n" body

static void an_answer_comes_with_what_was_sent(void)
{
    static const struct route routes[] = {
        {.path = "/",
         .reply = REPLY("200 OK",
                        "ETag: \"abc\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                        "Content-Length: 2\r\n",
                        "{}")}};
    struct calls calls;
    calls_open(&calls, routes, 1);
    const struct aws_request request = acm_request("/");
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_OK);
    CHECK_INT(calls.last.attempts, 1);
    CHECK_TEXT(calls.body, "{}");
    CHECK_TEXT(calls.etag, "\"abc\"");
    CHECK_INT(calls.last.server_time, 784111777);
    CHECK_CONTAINS(calls.server->last_head, "X-Amz-Target: CertificateManager.ImportCertificate");
    CHECK_CONTAINS(calls.server->last_head, "X-Amz-Security-Token: the-token");
    CHECK_CONTAINS(calls.server->last_head, "/eu-west-1/acm/aws4_request, SignedHeaders="
                                            "content-type;host;x-amz-date;x-amz-security-token;"
                                            "x-amz-target, Signature=");
    CHECK_INT(aws_calls(calls.client), 1);
    calls_close(&calls);
}

static const char throttled[] =
    REPLY("400 Bad Request", "Content-Length: 62\r\n",
          "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded now\"}");
static const char failed[] =
    REPLY("500 Internal Server Error", "x-amzn-RequestId: r-9\r\nContent-Length: 0\r\n", "");

static void what_may_pass_is_tried_again_and_told_in_the_end(void)
{
    static const struct route routes[] = {{.path = "/throttled", .reply = throttled},
                                          {.path = "/failed", .reply = failed}};
    struct calls calls;
    calls_open(&calls, routes, 2);
    struct aws_request request = acm_request("/throttled");
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_THROTTLED);
    CHECK_INT(calls.last.attempts, 3);
    CHECK_TEXT(calls.last.code, "ThrottlingException");
    request.tell_throttled = true;
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_THROTTLED);
    CHECK_INT(calls.last.attempts, 1);
    request = acm_request("/failed");
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_FAILED);
    CHECK_INT(calls.last.attempts, 3);
    CHECK_CONTAINS(calls.last.error.text, "(request r-9)");
    CHECK_INT(atomic_load(&calls.server->requests), 7);
    CHECK_INT(aws_calls(calls.client), 7);
    calls_close(&calls);
}

static void what_may_have_been_done_is_sent_once(void)
{
    static const struct route routes[] = {{.path = "/failed", .reply = failed},
                                          {.path = "/reset", .reply = "", .then = THEN_RESET},
                                          {.path = "/close",
                                           .reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
                                           .then = THEN_CLOSE},
                                          {.path = "/silent", .reply = "", .then = THEN_HANG}};
    struct calls calls;
    calls_open(&calls, routes, 4);
    for (size_t i = 0; i < 4; i++) {
        struct aws_request request = acm_request(routes[i].path);
        request.once = true;
        request.timeout_ms = 300;
        call(&calls, &request);
        CHECK_INT(calls.last.outcome, AWS_UNCLEAR);
        CHECK_INT(calls.last.attempts, 1);
        CHECK_CONTAINS(calls.last.error.text, "may have done it");
        CHECK_INT(atomic_load(&calls.server->requests), i + 1);
    }
    struct aws_request request = acm_request("/reset");
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_UNCLEAR);
    CHECK_INT(calls.last.attempts, 3);
    calls_close(&calls);
}

static void the_clock_is_corrected_once_and_remembered(void)
{
    static const struct route routes[] = {
        {.path = "/",
         .reply =
             REPLY("403 Forbidden", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 59\r\n",
                   "{\"__type\":\"InvalidSignatureException\",\"message\":\"no match\"}")},
        {.path = "/ok", .reply = REPLY("200 OK", "Content-Length: 0\r\n", "")}};
    struct calls calls;
    calls_open(&calls, routes, 2);
    struct aws_request request = acm_request("/");
    call(&calls, &request);
    /* Signed by the server's clock it is the secret that is wrong. */
    CHECK_INT(calls.last.outcome, AWS_UNKNOWN_CREDENTIALS);
    CHECK_INT(calls.last.attempts, 2);
    CHECK_CONTAINS(calls.server->last_head, "X-Amz-Date: 19941106T0849");
    request = acm_request("/ok");
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_OK);
    CHECK_CONTAINS(calls.server->last_head, "X-Amz-Date: 19941106T0849");
    calls_close(&calls);
}

static void a_region_that_is_down_holds_up_no_other(void)
{
    static const struct route routes[] = {
        {.path = "/", .reply = REPLY("200 OK", "Content-Length: 0\r\n", "")},
        {.path = "/silent", .reply = "", .then = THEN_HANG}};
    struct calls calls;
    calls_open(&calls, routes, 2);
    struct server *other = server_start(routes, 2, NULL);
    char config[512];
    snprintf(config, sizeof config,
             "[profile other]\nendpoint_url = http://127.0.0.1:%d\naws_access_key_id = AKIDOTHER\n"
             "aws_secret_access_key = s\nregion = us-east-1\n",
             other->port);
    aws_client_free(calls.client);
    aws_fixture_close(&calls.aws);
    calls.environment[4] = NULL; /* the endpoint of the environment goes before a profile's */
    snprintf(
        config + strlen(config), sizeof config - strlen(config),
        "[profile silent]\nendpoint_url = http://127.0.0.1:%d\naws_access_key_id = AKIDSILENT\n"
        "aws_secret_access_key = s\nregion = us-east-1\n",
        calls.server->port);
    aws_fixture_open(&calls.aws, calls.environment, config, NULL);
    const struct aws_client_options options = {.profiles = calls.aws.profiles};
    struct error error;
    CHECK_OK(aws_client_new(calls.loop, &options, call_ends, &calls, &calls.client, &error), error);
    struct aws_request request = acm_request("/silent");
    request.profile = "silent";
    for (unsigned i = 0; i < 50; i++) /* more than there are connections */
        CHECK_OK(aws_send(calls.client, &request, &error), error);
    request = acm_request("/");
    request.profile = "other";
    for (unsigned i = 0; i < 20; i++)
        CHECK_OK(aws_send(calls.client, &request, &error), error);
    calls_run(&calls, 20);
    CHECK_INT(calls.last.outcome, AWS_OK);
    aws_client_free(calls.client);
    calls.client = NULL;
    CHECK_INT(calls.ended, 70);
    CHECK_INT(calls.last.outcome, AWS_ENDED);
    server_stop(other);
    calls_close(&calls);
}

static void without_server_nothing_is_sent(void)
{
    struct calls calls;
    calls_open(&calls, NULL, 0);
    server_stop(calls.server);
    calls.server = NULL;
    struct aws_request request = acm_request("/");
    request.once = true;
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_UNREACHABLE);
    CHECK_INT(calls.last.attempts, 3);
    CHECK_CONTAINS(calls.last.error.text, "nothing was sent");
    CHECK_INT(calls.last.error.kind, ERROR_NETWORK);
    calls_close(&calls);
}

static void mistakes_are_told_before_anything_is_sent(void)
{
    struct calls calls;
    struct error error;
    calls_open(&calls, NULL, 0);
    struct aws_request request = acm_request("/");
    request.region = "evil/region";
    CHECK(!aws_send(calls.client, &request, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    request.region = NULL;
    request.profile = "nobody";
    CHECK(!aws_send(calls.client, &request, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_INT(atomic_load(&calls.server->connections), 0);
    CHECK_INT(calls.ended, 0);
    calls_close(&calls);
}

static void a_blocking_call_waits_and_can_be_cancelled(void)
{
    static const struct route routes[] = {
        {.path = "/ok", .reply = REPLY("200 OK", "ETag: \"e\"\r\nContent-Length: 3\r\n", "abc")},
        {.path = "/silent", .reply = "", .then = THEN_HANG}};
    struct calls calls;
    calls_open(&calls, routes, 2);
    const struct aws_client_options options = {.profiles = calls.aws.profiles};
    struct aws_answer answer CLEANUP(aws_answer_free);
    struct error error;
    aws_answer_init(&answer);
    struct aws_request request = acm_request("/ok");
    CHECK_OK(aws_call(&options, &request, -1, &answer, &error), error);
    CHECK_TEXT(buf_text(&answer.body), "abc");
    CHECK_TEXT(buf_text(&answer.etag), "\"e\"");
    CHECK_INT(answer.outcome, AWS_OK);
    int pipe_fds[2];
    CHECK(pipe(pipe_fds) == 0 && write(pipe_fds[1], "x", 1) == 1);
    request = acm_request("/silent");
    CHECK(!aws_call(&options, &request, pipe_fds[0], &answer, &error));
    CHECK_INT(error.kind, ERROR_CANCELLED);
    CHECK_INT(answer.outcome, AWS_ENDED);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    calls_close(&calls);
}

/* Profile "other" has a server of its own, whose clock is right. */
static void a_clock_is_corrected_for_its_host_alone(void)
{
    static const struct route routes[] = {
        {.path = "/",
         .reply =
             REPLY("403 Forbidden", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 59\r\n",
                   "{\"__type\":\"InvalidSignatureException\",\"message\":\"no match\"}")},
        {.path = "/ok", .reply = REPLY("200 OK", "Content-Length: 0\r\n", "")}};
    struct calls calls;
    calls_open(&calls, routes, 2);
    struct server *other = server_start(routes, 2, NULL);
    char config[512];
    snprintf(
        config, sizeof config,
        "[profile skewed]\nendpoint_url = http://127.0.0.1:%d\naws_access_key_id = AKIDSKEWED\n"
        "aws_secret_access_key = s\n[profile other]\nendpoint_url = http://127.0.0.1:%d\n"
        "aws_access_key_id = AKIDOTHER\naws_secret_access_key = s\n",
        calls.server->port, other->port);
    calls.environment[4] = NULL; /* the endpoint of the environment goes before a profile's */
    calls_profiles(&calls, config);
    struct aws_request request = acm_request("/");
    request.profile = "skewed";
    call(&calls, &request);
    CHECK_CONTAINS(calls.server->last_head, "X-Amz-Date: 19941106T0849");
    request = acm_request("/ok");
    request.profile = "other";
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_OK);
    CHECK(strstr(other->last_head, "X-Amz-Date: 1994") == NULL);
    server_stop(other);
    calls_close(&calls);
}

/* A call that only reads leaves nothing behind, whatever became of it. */
static void what_only_reads_is_not_said_to_be_done(void)
{
    static const struct route routes[] = {{.path = "/failed", .reply = failed},
                                          {.path = "/reset", .reply = "", .then = THEN_RESET}};
    static const char *const actions[] = {"acm:ListCertificates", "acm:DescribeCertificate",
                                          "acm:GetCertificate"};
    struct calls calls;
    calls_open(&calls, routes, 2);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0] * 2; i++) {
        struct aws_request request = acm_request(routes[i % 2].path);
        request.action = actions[i / 2];
        request.once = true;
        call(&calls, &request);
        CHECK_INT(calls.last.outcome, AWS_UNCLEAR);
        CHECK_CONTAINS(calls.last.error.text, request.action);
        CHECK(strstr(calls.last.error.text, "may have done it") == NULL);
    }
    calls_close(&calls);
}

#define ROLE_XML                                                                                \
    "<AssumeRoleResponse><AssumeRoleResult>"                                                    \
    "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"      \
    "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>" \
    "</AssumeRoleResult></AssumeRoleResponse>"

/* STS fails as long as it is asked for the first credentials; ACM answers. */
static bool sts_recovers(void *context, struct span head, struct span body, struct buf *reply)
{
    atomic_uint *failures = context;
    (void)head;
    if (!span_starts(body, "Action=AssumeRole"))
        return buf_append_text(reply, REPLY("200 OK", "Content-Length: 0\r\n", ""));
    if (atomic_load(failures) == 0)
        return buf_printf(reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(ROLE_XML), ROLE_XML);
    atomic_fetch_sub(failures, 1);
    return buf_append_text(reply, "HTTP/1.1 503 Slow\r\nRetry-After: 0\r\n"
                                  "Content-Length: 0\r\n\r\n");
}

static const char role[] = "[profile base]\naws_access_key_id = AKIDBASE\n"
                           "aws_secret_access_key = s\n[profile role]\n"
                           "role_arn = arn:aws:iam::1:role/r\nsource_profile = base\n";

/* One fetch of credentials asks four times: the first one fails whole. */
static void credentials_that_fail_in_passing_are_fetched_again(void)
{
    struct calls calls;
    atomic_uint failures = 5;
    calls_open(&calls, NULL, 0);
    server_stop(calls.server);
    calls.server = server_start_handler(sts_recovers, &failures);
    snprintf(calls.endpoint, sizeof calls.endpoint, "AWS_ENDPOINT_URL=http://127.0.0.1:%d",
             calls.server->port);
    calls_profiles(&calls, role);
    struct aws_request request = acm_request("/");
    request.profile = "role";
    call(&calls, &request);
    CHECK_INT(calls.last.outcome, AWS_OK);
    CHECK_INT(calls.last.attempts, 1);
    calls_close(&calls);
}

/* The loop's descriptors become those of /dev/null once a request has come, so that waiting fails
 * while its answer is out. */
static bool loops_break(void *context, struct span head, struct span body, struct buf *reply)
{
    (void)context;
    (void)head;
    (void)body;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (int fd = 3; fd < 256; fd++) {
        char name[64], target[64];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(name, target, sizeof target);
        if (span_is(span_make(target, len > 0 ? (size_t)len : 0), "anon_inode:[eventpoll]"))
            CHECK(dup2(null, fd) == fd);
    }
    close(null);
    return buf_append_text(reply, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
}

static void a_loop_that_fails_is_told_as_it_is(void)
{
    struct calls calls;
    struct aws_answer answer CLEANUP(aws_answer_free);
    struct error error;
    calls_open(&calls, NULL, 0);
    server_stop(calls.server);
    calls.server = server_start_handler(loops_break, NULL);
    snprintf(calls.endpoint, sizeof calls.endpoint, "AWS_ENDPOINT_URL=http://127.0.0.1:%d",
             calls.server->port);
    calls_profiles(&calls, NULL);
    const struct aws_client_options options = {.profiles = calls.aws.profiles};
    const struct aws_request request = acm_request("/");
    aws_answer_init(&answer);
    CHECK(!aws_call(&options, &request, -1, &answer, &error));
    CHECK_INT(error.kind, ERROR_SYSTEM);
    CHECK(strstr(error.text, "the run is ending") == NULL);
    calls_close(&calls);
}

static const struct test tests[] = {
    TEST(a_clock_is_corrected_for_its_host_alone),
    TEST(what_only_reads_is_not_said_to_be_done),
    TEST(credentials_that_fail_in_passing_are_fetched_again),
    TEST(a_loop_that_fails_is_told_as_it_is),
    TEST(an_answer_comes_with_what_was_sent),
    TEST(what_may_pass_is_tried_again_and_told_in_the_end),
    TEST(what_may_have_been_done_is_sent_once),
    TEST(the_clock_is_corrected_once_and_remembered),
    TEST(a_region_that_is_down_holds_up_no_other),
    TEST(without_server_nothing_is_sent),
    TEST(mistakes_are_told_before_anything_is_sent),
    TEST(a_blocking_call_waits_and_can_be_cancelled),
};

TESTS_MAIN(tests)
