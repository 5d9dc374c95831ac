#include "aws_fixture.h"
#include "scripted_server.h"

#include "aws/shell_words.h"

#define EXPIRES_TEXT "2025-11-24T17:00:00Z"
#define EXPIRES_AT   (AWS_NOW + 3600)

#define ANSWER(status, type, body) \
    "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nConnection: close\r\n\r\n" body
#define JSON(body) ANSWER("200 OK", "application/json", body)
#define XML(body)  ANSWER("200 OK", "text/xml", body)
#define GOOD_JSON                                                                         \
    "{\"Code\": \"Success\", \"AccessKeyId\": \"ASIAGOOD\", \"SecretAccessKey\": \"s\", " \
    "\"Token\": \"t\", \"Expiration\": \"" EXPIRES_TEXT "\"}"
#define GOOD_XML(kind)                                                                             \
    "<" kind "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" kind "Result>"       \
    "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"         \
    "<SessionToken>t</SessionToken><Expiration>" EXPIRES_TEXT "</Expiration></Credentials></" kind \
    "Result></" kind "Response>"
#define REFUSAL(code, message)                                     \
    "<ErrorResponse><Error><Code>" code "</Code><Message>" message \
    "</Message></Error></ErrorResponse>"

static struct aws_fixture fixture;

static void check_key(const char *profile, int64_t now, const char *key_id, int64_t expires_at)
{
    struct aws_credentials credentials;
    struct error error;
    CHECK_OK(aws_credentials_get(fixture.profiles, profile, now, &credentials, &error), error);
    CHECK_TEXT(credentials.key_id, key_id);
    CHECK_INT(credentials.expires_at, expires_at);
    aws_credentials_free(&credentials);
}

static void check_refused(const char *profile, enum error_kind kind, const char *words)
{
    struct aws_credentials credentials;
    struct error error;
    CHECK(!aws_credentials_get(fixture.profiles, profile, AWS_NOW, &credentials, &error));
    CHECK_CONTAINS(error.text, words);
    CHECK_INT(error.kind, kind);
    CHECK(strstr(error.text, "HIDDEN") == NULL);
}

/* A command for credential_process, which counts its runs in the file "runs". */
static void command_make(const char *body)
{
    char text[2048];
    snprintf(text, sizeof text, "#!/bin/sh\necho >> '%s/runs'\n%s\n", fixture.scratch.path, body);
    aws_fixture_file(&fixture, "command", text);
    CHECK(chmod(scratch_path(&fixture.scratch, "command"), 0700) == 0);
}

static size_t command_runs(void)
{
    struct stat status;
    return stat(scratch_path(&fixture.scratch, "runs"), &status) == 0 ? (size_t)status.st_size : 0;
}

/* Profiles "p" (the command) and "r" (a role on it, of a server that is not there). */
static void command_open(const char *body)
{
    struct error error;
    fixture = (struct aws_fixture){0};
    scratch_make(&fixture.scratch);
    command_make(body);
    char config[1024];
    snprintf(config, sizeof config, "[profile p]\ncredential_process = '%s/command' \"a b\"\n",
             fixture.scratch.path);
    aws_fixture_file(&fixture, "config", config);
    static char variable[512];
    snprintf(variable, sizeof variable, "AWS_CONFIG_FILE=%s/config", fixture.scratch.path);
    static const char *environment[] = {variable, NULL};
    fixture.environment = environment;
    const struct aws_environment from = {aws_fixture_get, &fixture};
    CHECK_OK(aws_profiles_new(&from, &fixture.profiles, &error), error);
}

static void a_process_gives_credentials_until_they_end(void)
{
    command_open("[ \"$1\" = 'a b' ] || exit 1\nrun=$(($(wc -l < \"${0%/*}/runs\")))\n"
                 "echo '{\"Version\": 1, \"AccessKeyId\": \"ASIA'$run'\","
                 "\"SecretAccessKey\": \"s\", \"Expiration\": \"" EXPIRES_TEXT "\"}'");
    check_key("p", AWS_NOW, "ASIA1", EXPIRES_AT);
    check_key("p", EXPIRES_AT - 301, "ASIA1", EXPIRES_AT);
    check_key("p", EXPIRES_AT - 300, "ASIA2", EXPIRES_AT);
    aws_credentials_expire(fixture.profiles, "p", "ASIAOTHER");
    check_key("p", AWS_NOW, "ASIA2", EXPIRES_AT);
    aws_credentials_expire(fixture.profiles, "p", "ASIA2");
    check_key("p", AWS_NOW, "ASIA3", EXPIRES_AT);
    CHECK_INT(command_runs(), 3);
    aws_fixture_close(&fixture);
}

/* AWS says that they have expired, and their command gives them again: it is not run for each call
 * that asks, and the error says whose they are. */
static void keys_that_have_expired_are_not_fetched_for_each_call(void)
{
    command_open("cat \"${0%/*}/keys\"");
    aws_fixture_file(&fixture, "keys",
                     "{\"Version\": 1, \"AccessKeyId\": \"ASIAOLD\","
                     "\"SecretAccessKey\": \"HIDDEN\"}");
    check_key("p", AWS_NOW, "ASIAOLD", 0);
    aws_credentials_expire(fixture.profiles, "p", "ASIAOLD");
    check_refused("p", ERROR_CONFIG,
                  "AWS profile p: the keys themselves have expired (ExpiredToken, access key "
                  "ASIAOLD), and its credential_process gives them again: sign "
                  "in anew with its tool");
    check_refused("p", ERROR_CONFIG, "the keys themselves have expired");
    CHECK_INT(command_runs(), 2);
    aws_fixture_file(&fixture, "keys",
                     "{\"Version\": 1, \"AccessKeyId\": \"ASIANEW\","
                     "\"SecretAccessKey\": \"s\"}");
    check_refused("p", ERROR_CONFIG, "the keys themselves have expired");
    CHECK_INT(aws_credentials_retry_s(fixture.profiles, "p", AWS_NOW + 10), 20);
    check_key("p", AWS_NOW + 30, "ASIANEW", 0);
    CHECK_INT(command_runs(), 3);
    aws_fixture_close(&fixture);
}

/* The same key with another session token is another one: the file was put right. */
static void the_same_key_with_another_token_is_taken(void)
{
    static const char keys[] = "[default]\naws_access_key_id = AKIDFILE\n"
                               "aws_secret_access_key = s\n";
    char old[256];
    snprintf(old, sizeof old, "%saws_session_token = old\n", keys);
    aws_fixture_open(&fixture, NULL, NULL, old);
    check_key(NULL, AWS_NOW, "AKIDFILE", 0);
    aws_credentials_expire(fixture.profiles, NULL, "AKIDFILE");
    check_refused(NULL, ERROR_CONFIG, "the credentials file still has them: sign in anew");
    aws_fixture_file(&fixture, ".aws/credentials", keys);
    check_key(NULL, AWS_NOW + 30, "AKIDFILE", 0);
    aws_fixture_close(&fixture);
}

static void what_is_about_to_end_is_used_when_nothing_new_comes(void)
{
    command_open("[ $(wc -l < \"${0%/*}/runs\") = 1 ] || exit 1\n"
                 "echo '{\"Version\": 1, \"AccessKeyId\": \"ASIAP\", \"SecretAccessKey\": \"s\","
                 "\"Expiration\": \"" EXPIRES_TEXT "\"}'");
    check_key("p", AWS_NOW, "ASIAP", EXPIRES_AT);
    check_key("p", EXPIRES_AT - 100, "ASIAP", EXPIRES_AT);
    check_key("p", EXPIRES_AT - 99, "ASIAP", EXPIRES_AT);
    CHECK_INT(command_runs(), 2); /* the failure is remembered for some seconds */
    struct aws_credentials credentials;
    struct error error;
    CHECK(!aws_credentials_get(fixture.profiles, "p", EXPIRES_AT, &credentials, &error));
    CHECK_INT(command_runs(), 3);
    aws_fixture_close(&fixture);
}

static void a_process_that_fails_says_why(void)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"echo first >&2; echo 'sign in first' >&2; exit 3", "sign in first"},
        {"echo '{\"Version\": 2, \"SecretAccessKey\": \"HIDDEN\"}'", "\"Version\": 1"},
        {"echo HIDDEN", "its answer is no JSON object"},
        {"echo '{\"Version\": 1, \"AccessKeyId\": \"A\"}'", "there is no secret access key"},
        {"echo '{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"HID DEN\"}'",
         "holds a blank"},
        {"echo '{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"HIDDEN\","
         "\"Expiration\": \"tomorrow\"}'",
         "its Expiration is no time"},
        {"echo '{\"Version\": 1, \"AccessKeyId\": \"A\", \"SecretAccessKey\": \"HIDDEN\","
         "\"Expiration\": \"2025-11-24T15:59:59Z\"}'",
         "has expired: sign in anew"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        command_open(cases[i].body);
        check_refused("p", ERROR_CONFIG, "AWS profile p: credential_process: ");
        check_refused("p", ERROR_CONFIG, cases[i].words);
        aws_fixture_close(&fixture);
    }
}

/* A command that hangs takes a minute to fail, and thousands of calls must not wait for it one
 * after the other: the failure is kept from its end on, not from its beginning. */
static void a_failure_that_took_long_is_kept_for_longer(void)
{
    command_open("sleep 2; exit 1");
    check_refused("p", ERROR_CONFIG, "exit code 1");
    struct aws_credentials credentials;
    struct error error;
    CHECK(!aws_credentials_get(fixture.profiles, "p", AWS_NOW + 15, &credentials, &error));
    CHECK_CONTAINS(error.text, "exit code 1");
    CHECK_INT(command_runs(), 1);
    aws_fixture_close(&fixture);
}

static void *ask(void *context)
{
    (void)context;
    check_key("p", AWS_NOW, "ASIAP", EXPIRES_AT);
    return NULL;
}

static void many_threads_make_one_fetch(void)
{
    pthread_t threads[16];
    command_open("echo '{\"Version\": 1, \"AccessKeyId\": \"ASIAP\", \"SecretAccessKey\": \"s\","
                 "\"Expiration\": \"" EXPIRES_TEXT "\"}'");
    for (size_t i = 0; i < 16; i++)
        CHECK(pthread_create(&threads[i], NULL, ask, NULL) == 0);
    for (size_t i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(command_runs(), 1);
    aws_fixture_close(&fixture);
}

/* Servers. */

static struct server *serve(const struct route *routes, size_t count)
{
    return server_start(routes, count, NULL);
}

static char texts[8][256];

/* "NAME=value" with the server's port in the place of %d. */
static const char *variable(size_t i, const char *format, int port)
{
    const char *at = strstr(format, "%d");
    CHECK(at != NULL && i < 8);
    snprintf(texts[i], sizeof texts[i], "%.*s%d%s", (int)(at - format), format, port, at + 2);
    return texts[i];
}

static void check_head(struct server *server, const char *words)
{
    pthread_mutex_lock(&server->lock);
    CHECK_CONTAINS(server->last_head, words);
    pthread_mutex_unlock(&server->lock);
}

static void a_container_gives_credentials(void)
{
    static const struct route routes[] = {{"/creds", JSON(GOOD_JSON), THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    const char *url =
        variable(0, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/creds", server->port);
    aws_fixture_open(&fixture, ENVIRONMENT(url, "AWS_CONTAINER_AUTHORIZATION_TOKEN=opaque"), NULL,
                     NULL);
    check_key(NULL, AWS_NOW, "ASIAGOOD", EXPIRES_AT);
    check_head(server, "Authorization: opaque\r\n");
    aws_fixture_close(&fixture);

    const char *file = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nonexistent/token";
    aws_fixture_open(&fixture, ENVIRONMENT(url, file), NULL, NULL);
    check_refused(NULL, ERROR_CONFIG, "/nonexistent/token");
    aws_fixture_close(&fixture);
    aws_fixture_open(&fixture, ENVIRONMENT(url, "AWS_CONTAINER_AUTHORIZATION_TOKEN=a\r\nB: c"),
                     NULL, NULL);
    check_refused(NULL, ERROR_CONFIG, "several lines");
    aws_fixture_close(&fixture);
    server_stop(server);
}

static void containers_are_asked_at_safe_places_only(void)
{
    static const char *const refused[] = {
        "http://example.com/", "http://127.0.0.1@example.com/",   "http://127.evil.com/",
        "ftp://127.0.0.1/",    "http://169.254.169.254/",         "http://[::2]/",
        "127.0.0.1",           "http://127.0.0.1\\@example.com/",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        snprintf(texts[0], sizeof texts[0], "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", refused[i]);
        aws_fixture_open(&fixture, ENVIRONMENT(texts[0]), NULL, NULL);
        check_refused(NULL, ERROR_CONFIG, "only https, this machine (localhost)");
        aws_fixture_close(&fixture);
    }
    aws_fixture_open(&fixture, ENVIRONMENT("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=x"), NULL, NULL);
    check_refused(NULL, ERROR_CONFIG, "does not begin with /");
    aws_fixture_close(&fixture);
}

#define ROLES "/latest/meta-data/iam/security-credentials/"

static void an_instance_gives_credentials_and_its_region(void)
{
    static const struct route routes[] = {
        {"/latest/api/token", ANSWER("200 OK", "text/plain", "session"), THEN_CLOSE, 0},
        {ROLES, ANSWER("200 OK", "text/plain", "web-role\n"), THEN_CLOSE, 0},
        {ROLES "web-role", JSON(GOOD_JSON), THEN_CLOSE, 0},
        {"/latest/meta-data/placement/region", ANSWER("200 OK", "text/plain", "eu-west-3"),
         THEN_CLOSE, 0},
    };
    struct server *server = serve(routes, 4);
    const char *url =
        variable(0, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:%d/", server->port);
    aws_fixture_open(&fixture, ENVIRONMENT(url), "[profile bare]\n", NULL);
    check_key(NULL, AWS_NOW, "ASIAGOOD", EXPIRES_AT);
    check_head(server, "GET " ROLES "web-role HTTP/1.1\r\n");
    check_head(server, "X-aws-ec2-metadata-token: session\r\n");
    check_key("bare", AWS_NOW, "ASIAGOOD", EXPIRES_AT);
    const char *region;
    struct error error;
    CHECK_OK(aws_profile_region(fixture.profiles, NULL, &region, &error), error);
    CHECK_TEXT(region, "eu-west-3");
    unsigned requests = atomic_load(&server->requests);
    CHECK_OK(aws_profile_region(fixture.profiles, "bare", &region, &error), error);
    CHECK_INT(atomic_load(&server->requests), requests);
    aws_fixture_close(&fixture);

    aws_fixture_open(&fixture, ENVIRONMENT(url, "AWS_EC2_METADATA_DISABLED=TRUE"), NULL, NULL);
    check_refused(NULL, ERROR_CONFIG, "AWS_EC2_METADATA_DISABLED is true");
    CHECK_INT(atomic_load(&server->requests), requests);
    aws_fixture_close(&fixture);
    server_stop(server);
}

static void no_proxy_gets_the_machines_credentials(void)
{
    static const struct route routes[] = {{"/creds", JSON(GOOD_JSON), THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    struct server *proxy = serve(NULL, 0);
    snprintf(texts[1], sizeof texts[1], "http://127.0.0.1:%d", proxy->port);
    CHECK(setenv("http_proxy", texts[1], 1) == 0);
    aws_fixture_open(
        &fixture,
        ENVIRONMENT(variable(0, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/creds",
                             server->port)),
        NULL, NULL);
    check_key(NULL, AWS_NOW, "ASIAGOOD", EXPIRES_AT);
    CHECK_INT(atomic_load(&proxy->connections), 0);
    aws_fixture_close(&fixture);
    CHECK(unsetenv("http_proxy") == 0);
    server_stop(proxy);
    server_stop(server);
}

static void an_instance_without_role_says_so(void)
{
    static const struct route routes[] = {
        {"/latest/api/token", ANSWER("200 OK", "text/plain", "session"), THEN_CLOSE, 0},
        {ROLES, ANSWER("404 Not Found", "text/plain", ""), THEN_CLOSE, 0},
    };
    struct server *server = serve(routes, 2);
    aws_fixture_open(&fixture,
                     ENVIRONMENT(variable(
                         0, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:%d", server->port)),
                     NULL, NULL);
    check_refused(NULL, ERROR_CONFIG, "run \"aws configure\"");
    check_refused(NULL, ERROR_CONFIG, "answered with 404");
    aws_fixture_close(&fixture);
    server_stop(server);
}

static void credentials_that_have_ended_are_refused_with_words(void)
{
    static const struct route routes[] = {{"/creds", JSON(GOOD_JSON), THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    aws_fixture_open(
        &fixture,
        ENVIRONMENT(variable(0, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:%d/creds",
                             server->port)),
        NULL, NULL);
    for (int64_t i = 0; i < 2; i++) {
        struct aws_credentials credentials;
        struct error error = {0};
        CHECK(!aws_credentials_get(fixture.profiles, NULL, EXPIRES_AT + i, &credentials, &error));
        CHECK_CONTAINS(error.text, "have ended already");
        CHECK_INT(error.kind, ERROR_CONFIG);
    }
    CHECK_INT(atomic_load(&server->requests), 1);
    aws_fixture_close(&fixture);
    server_stop(server);
}

/* STS. */

static const char roles[] = "[profile base]\naws_access_key_id = AKIDBASE\n"
                            "aws_secret_access_key = HIDDEN\n"
                            "[profile role]\nrole_arn = arn:aws:iam::1:role/r\n"
                            "source_profile = base\nexternal_id = a b+\nregion = eu-west-1\n"
                            "duration_seconds = 900\n"
                            "[profile bad]\nrole_arn = arn:x\nsource_profile = base\n"
                            "duration_seconds = long\n"
                            "[profile env]\nrole_arn = arn:x\ncredential_source = Environment\n";

static void a_role_is_assumed(void)
{
    static const struct route routes[] = {{"/", XML(GOOD_XML("AssumeRole")), THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    const char *url = variable(0, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:%d", server->port);
    aws_fixture_open(&fixture,
                     ENVIRONMENT(url, "AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=HIDDEN"),
                     roles, NULL);
    check_key("role", AWS_NOW, "ASIAROLE", EXPIRES_AT);
    check_head(server, "Authorization: AWS4-HMAC-SHA256 Credential=AKIDBASE/20251124/eu-west-1/sts/"
                       "aws4_request, ");
    check_key("role", AWS_NOW + 1, "ASIAROLE", EXPIRES_AT);
    CHECK_INT(atomic_load(&server->requests), 1);
    check_key("env", AWS_NOW, "ASIAROLE", EXPIRES_AT);
    check_head(server, "Credential=AKIDENV/20251124/us-east-1/sts/");
    check_refused("bad", ERROR_CONFIG, "duration_seconds is no number");
    aws_fixture_close(&fixture);
    server_stop(server);
}

/* This machine's clock is two hours ahead: by it the role's credentials would have ended an hour
 * before they came. */
static void a_role_ends_by_this_machines_clock(void)
{
    static const struct route routes[] = {
        {"/",
         "HTTP/1.1 200 OK\r\nDate: Mon, 24 Nov 2025 16:00:00 GMT\r\nConnection: "
         "close\r\n\r\n" GOOD_XML("AssumeRole"),
         THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    aws_fixture_open(
        &fixture,
        ENVIRONMENT(variable(0, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:%d", server->port)), roles,
        NULL);
    check_key("role", AWS_NOW + 7200, "ASIAROLE", EXPIRES_AT + 7200);
    aws_fixture_close(&fixture);
    server_stop(server);
}

static void a_web_identity_assumes_a_role_without_a_signature(void)
{
    static const struct route routes[] = {
        {"/", XML(GOOD_XML("AssumeRoleWithWebIdentity")), THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    const char *url = variable(0, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:%d", server->port);
    static const char *environment[4] = {0};
    fixture = (struct aws_fixture){0};
    environment[0] = url;
    environment[1] = "AWS_ROLE_ARN=arn:aws:iam::1:role/pod";
    environment[2] = texts[1];
    aws_fixture_open(&fixture, environment, NULL, NULL);
    snprintf(texts[1], sizeof texts[1], "AWS_WEB_IDENTITY_TOKEN_FILE=%.200s/token",
             fixture.scratch.path);
    check_refused(NULL, ERROR_CONFIG, "the web identity token: ");
    aws_fixture_file(&fixture, "token", "jwt\n");
    check_key(NULL, AWS_NOW + 5, "ASIAROLE", EXPIRES_AT);
    pthread_mutex_lock(&server->lock);
    CHECK(strcasestr(server->last_head, "authorization:") == NULL);
    pthread_mutex_unlock(&server->lock);
    aws_fixture_close(&fixture);
    server_stop(server);
}

static void check_sts(const char *answer, enum error_kind kind, const char *words)
{
    const struct route routes[] = {{"/", answer, THEN_CLOSE, 0}};
    struct server *server = serve(routes, 1);
    aws_fixture_open(&fixture,
                     ENVIRONMENT(variable(0, "AWS_ENDPOINT_URL=http://127.0.0.1:%d", server->port)),
                     roles, NULL);
    check_refused("role", kind, "assuming the role arn:aws:iam::1:role/r: ");
    check_refused("role", kind, words);
    aws_fixture_close(&fixture);
    server_stop(server);
}

static void refusals_of_sts_say_what_to_do(void)
{
    check_sts(ANSWER("403 Forbidden", "text/xml", REFUSAL("AccessDenied", "not you")), ERROR_CONFIG,
              "AccessDenied: not you (the caller needs sts:AssumeRole");
    check_sts(ANSWER("403 Forbidden", "text/xml", REFUSAL("InvalidClientTokenId", "no")),
              ERROR_CONFIG, "AWS does not know the access key id");
    check_sts(ANSWER("403 Forbidden", "text/xml", REFUSAL("SignatureDoesNotMatch", "no")),
              ERROR_CONFIG, "the secret access key is wrong");
    check_sts(ANSWER("403 Forbidden", "text/xml", REFUSAL("ExpiredToken", "no")), ERROR_CONFIG,
              "sign in anew");
    check_sts("HTTP/1.1 403 Forbidden\r\nDate: Mon, 24 Nov 2025 16:20:00 GMT\r\n"
              "Connection: close\r\n\r\n" REFUSAL("RequestExpired", "no"),
              ERROR_CONFIG, "this machine's clock is 1200 s behind AWS's");
    /* By the server's clock the signature is wrong as well: then it is not the clock. */
    check_sts("HTTP/1.1 403 Forbidden\r\nDate: Mon, 24 Nov 2025 16:20:00 GMT\r\n"
              "Connection: close\r\n\r\n" REFUSAL("SignatureDoesNotMatch", "no"),
              ERROR_CONFIG, "the secret access key is wrong");
    check_sts(ANSWER("403 Forbidden", "text/xml",
                     REFUSAL("SignatureDoesNotMatch",
                             "No match.\n\nThe Canonical String for this request should have "
                             "been\n'x-amz-security-token:HIDDEN'")),
              ERROR_CONFIG, "STS said SignatureDoesNotMatch: No match. (");
    check_sts(ANSWER("403 Forbidden", "text/xml",
                     "<ErrorResponse><Error><Code>AccessDenied</Code></Error>"
                     "<RequestId>r-1</RequestId></ErrorResponse>"),
              ERROR_CONFIG, "STS said AccessDenied (request r-1): ");
    check_sts(ANSWER("503 Busy", "text/plain", "x"), ERROR_NETWORK, "answered with 503");
    check_sts(ANSWER("200 OK", "text/xml", "<HIDDEN"), ERROR_PROTOCOL, "is not the XML");
    check_sts(ANSWER("200 OK", "text/xml", "<AssumeRoleResponse/>"), ERROR_PROTOCOL,
              "is not the XML");
}

/* A refusal of STS that passes, so many times, and then the role. */
struct passing {
    const char *status, *body;
    unsigned times;
};

static bool answer_after_passing(void *context, struct span head, struct span body,
                                 struct buf *reply)
{
    struct passing *passing = context;
    (void)head;
    (void)body;
    if (passing->times == 0) {
        passing->status = "200 OK";
        passing->body = GOOD_XML("AssumeRole");
    } else {
        passing->times--;
    }
    return buf_printf(reply, "HTTP/1.1 %s\r\nRetry-After: 0\r\nContent-Length: %zu\r\n\r\n%s",
                      passing->status, strlen(passing->body), passing->body);
}

static void an_sts_that_is_busy_is_asked_again(void)
{
    static const struct passing cases[] = {
        {"400 Bad Request", REFUSAL("Throttling", "Rate exceeded"), 3},
        {"400 Bad Request", REFUSAL("ThrottlingException", "Rate exceeded"), 3},
        {"400 Bad Request", REFUSAL("RequestLimitExceeded", "wait"), 3},
        {"429 Too Many Requests", "", 3},
        {"500 Internal Server Error", "", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct passing passing = cases[i];
        struct server *server = server_start_handler(answer_after_passing, &passing);
        aws_fixture_open(
            &fixture,
            ENVIRONMENT(variable(0, "AWS_ENDPOINT_URL=http://127.0.0.1:%d", server->port)), roles,
            NULL);
        check_key("role", AWS_NOW, "ASIAROLE", EXPIRES_AT);
        CHECK_INT(atomic_load(&server->requests), 4);
        aws_fixture_close(&fixture);
        server_stop(server);
    }
}

static void commands_are_split_as_by_a_shell(void)
{
    struct shell_words words;
    struct error error;
    CHECK_OK(
        shell_words_split(SPAN_LITERAL("  a 'b  c'\\ d \"e\\\"\\x\" '' f\\\"  "), &words, &error),
        error);
    CHECK_INT(words.count, 5);
    CHECK_TEXT(words.words[0], "a");
    CHECK_TEXT(words.words[1], "b  c d");
    CHECK_TEXT(words.words[2], "e\"\\x");
    CHECK_TEXT(words.words[3], "");
    CHECK_TEXT(words.words[4], "f\"");
    CHECK(words.words[5] == NULL);
    shell_words_free(&words);
    CHECK(!shell_words_split(SPAN_LITERAL("a 'b"), &words, &error));
    CHECK(!shell_words_split(SPAN_LITERAL("a\\"), &words, &error));
}

static const struct test tests[] = {
    TEST(a_process_gives_credentials_until_they_end),
    TEST(what_is_about_to_end_is_used_when_nothing_new_comes),
    TEST(a_process_that_fails_says_why),
    TEST(a_failure_that_took_long_is_kept_for_longer),
    TEST(many_threads_make_one_fetch),
    TEST(a_container_gives_credentials),
    TEST(containers_are_asked_at_safe_places_only),
    TEST(an_instance_gives_credentials_and_its_region),
    TEST(no_proxy_gets_the_machines_credentials),
    TEST(an_instance_without_role_says_so),
    TEST(credentials_that_have_ended_are_refused_with_words),
    TEST(a_role_is_assumed),
    TEST(a_role_ends_by_this_machines_clock),
    TEST(a_web_identity_assumes_a_role_without_a_signature),
    TEST(refusals_of_sts_say_what_to_do),
    TEST(an_sts_that_is_busy_is_asked_again),
    TEST(keys_that_have_expired_are_not_fetched_for_each_call),
    TEST(the_same_key_with_another_token_is_taken),
    TEST(commands_are_split_as_by_a_shell),
};

TESTS_MAIN(tests)
