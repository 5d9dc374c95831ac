/* io/http against a server that misbehaves: plain HTTP/1.1. */
#include "http_fixture.h"
#include "scripted_server.h"

#include <curl/curl.h>
#include <fcntl.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct route routes[] = {
    {"/pieces",
     OK_HEAD "Content-Length: 11\r\nReplay-Nonce: abc\r\nContent-Type: text/plain; x=y\r\n\r\n"
             "hello world",
     THEN_KEEP, 3},
    {"/chunked",
     OK_HEAD "Transfer-Encoding: chunked\r\nReplay-Nonce: abc\r\n\r\n5\r\nhello\r\n0\r\n"
             "Location: /trailer\r\nReplay-Nonce: trailer\r\n\r\n",
     THEN_KEEP, 0},
    {"/truncated", OK_HEAD "Content-Length: 100\r\nReplay-Nonce: saved\r\n\r\nhalf", THEN_CLOSE, 0},
    {"/lying", OK_HEAD "Content-Length: 99999999999\r\n\r\nhalf", THEN_CLOSE, 0},
    {"/silent", "", THEN_CLOSE, 0},
    {"/reset", "", THEN_RESET, 0},
    {"/hang", "", THEN_HANG, 0},
    {"/half", OK_HEAD "Content-Length: 100\r\n\r\nhalf", THEN_HANG, 0},
    {"/nocolon", OK_HEAD "no colon\r\n\r\n", THEN_CLOSE, 0},
    {"/garbage", "220 smtp.example ESMTP\r\n\r\n", THEN_CLOSE, 0},
    {"/close", OK_HEAD "Connection: close\r\n\r\nuntil the end", THEN_CLOSE, 0},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /pieces\r\nContent-Length: 0\r\n\r\n", THEN_KEEP,
     0},
    {"/interim",
     "HTTP/1.1 103 Early Hints\r\nLocation: /early\r\nLink: </e>;rel=early\r\n\r\n" OK_HEAD
     "Content-Length: 2\r\nReplay-Nonce: late\r\n\r\nok",
     THEN_KEEP, 0},
    {"/created",
     "HTTP/1.1 201 Created\r\nLOCATION:   https://ca/order/1  \r\nretry-after: 120\r\n"
     "Replay-Nonce: first\r\nReplay-Nonce: second\r\nLocation: /other\r\n"
     "Link: <https://ca/directory>;rel=\"index\"\r\n"
     "link: </a>; title=\"a, b; \\\"c\\\"\" ; REL=\"alternate up\", , </b>;rel=alternate;rel=x\r\n"
     "Link: </none>, </anchored>;rel=up;anchor=\"/x\", </c> ; rel = up\r\n"
     "Link: broken, </lost>;rel=lost\r\nLink: </open;rel=lost\r\nLink: </q>;rel=\"open\r\n"
     "Content-Length: 0\r\n\r\n",
     THEN_KEEP, 0},
    {"/odd",
     OK_HEAD "Location : /blank-before-colon\r\n: no name\r\n"
             "Replay-Nonce: bad\x01nonce\r\nRetry-After:\r\nContent-Length: 0\r\n\r\n",
     THEN_KEEP, 0},
    {"/problem", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy", THEN_KEEP, 0},
};

static struct server *plain_server(void)
{
    return server_start(routes, sizeof routes / sizeof routes[0], NULL);
}

static void answers_come_whole(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.user_agent = "certmill/test"});
    const struct answer *answer = fixture_get(&fixture, "http", server->port, "/pieces");
    CHECK_INT(answer->failure, HTTP_ANSWERED);
    CHECK_INT(answer->status, 200);
    CHECK_TEXT(answer->body, "hello world");
    CHECK_TEXT(answer->nonce, "abc");
    CHECK_TEXT(answer->content_type, "text/plain");
    CHECK_TEXT(answer->reason, "");
    CHECK(!answer->has_location);
    CHECK_CONTAINS(server->last_head, "User-Agent: certmill/test\r\n");
    CHECK(strstr(server->last_head, "Accept-Encoding") == NULL);
    answer = fixture_get(&fixture, "http", server->port, "/chunked");
    CHECK_TEXT(answer->body, "hello");
    CHECK_TEXT(answer->nonce, "abc");
    CHECK(!answer->has_location); /* trailers are no headers */
    answer = fixture_get(&fixture, "http", server->port, "/problem");
    CHECK_INT(answer->failure, HTTP_ANSWERED);
    CHECK_INT(answer->status, 503);
    CHECK_TEXT(answer->body, "busy");
    answer = fixture_get(&fixture, "http", server->port, "/redirect");
    CHECK_INT(answer->status, 302);
    CHECK_TEXT(answer->location, "/pieces");
    CHECK_INT(atomic_load(&server->connections), 1);
    answer = fixture_get(&fixture, "http", server->port, "/close");
    CHECK_TEXT(answer->body, "until the end");
    CHECK_INT(fixture.counts.requests, 5);
    CHECK_INT(fixture.counts.connections, 1);
    CHECK_INT(fixture.counts.http2, 0);
    CHECK(fixture.counts.bytes_in > 100 && fixture.counts.bytes_out > 100);
    fixture_close(&fixture);
    server_stop(server);
}

static void headers_are_read_with_care(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    const struct answer *answer = fixture_get(&fixture, "http", server->port, "/created");
    CHECK_INT(answer->status, 201);
    CHECK_TEXT(answer->location, "https://ca/order/1");
    CHECK_TEXT(answer->retry_after, "120");
    CHECK_TEXT(answer->nonce, "first");
    CHECK_TEXT(answer->links, "index=https://ca/directory alternate=/a up=/a alternate=/b up=/c ");
    answer = fixture_get(&fixture, "http", server->port, "/odd");
    CHECK_TEXT(answer->reason, "");
    CHECK_INT(answer->failure, HTTP_ANSWERED);
    CHECK(!answer->has_location);
    CHECK_TEXT(answer->nonce, "");
    CHECK_TEXT(answer->retry_after, "");
    answer = fixture_get(&fixture, "http", server->port, "/interim");
    CHECK_INT(answer->status, 200);
    CHECK(!answer->has_location);
    CHECK_TEXT(answer->links, "");
    CHECK_TEXT(answer->nonce, "late");
    fixture_close(&fixture);
    server_stop(server);
}

static void methods_and_bodies_arrive(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    char url[256];
    url_of("http", server->port, "/echo/../x", url);
    static const char *const more[] = {"X-Amz-Target: A.B", "Authorization: secret", NULL};
    struct http_request post = {
        .method = HTTP_POST,
        .url = url,
        .body = SPAN_LITERAL("{\"a\":1}"),
        .content_type = "application/jose+json",
        .headers = more,
    };
    const struct answer *answer = fixture_ask(&fixture, &post);
    CHECK_TEXT(answer->body, "POST /echo/../x {\"a\":1}"); /* the path is not tidied up */
    CHECK_CONTAINS(server->last_head, "Content-Type: application/jose+json\r\n");
    CHECK_CONTAINS(server->last_head, "X-Amz-Target: A.B\r\nAuthorization: secret\r\n");
    CHECK_CONTAINS(server->last_head, "Content-Length: 7\r\n");
    /* The pooled handle carries nothing over. */
    answer = fixture_ask(&fixture, &(struct http_request){.method = HTTP_HEAD, .url = url});
    CHECK_INT(answer->status, 200);
    CHECK_INT(answer->body_len, 0);
    CHECK_TEXT(answer->nonce, "nonce/echo/../x");
    CHECK(strstr(server->last_head, "Authorization") == NULL);
    CHECK(strstr(server->last_head, "Content-") == NULL);
    answer = fixture_ask(&fixture, &(struct http_request){.url = url});
    CHECK_TEXT(answer->body, "GET /echo/../x ");
    CHECK(strstr(server->last_head, "Content-") == NULL);
    struct http_request put = {.method = HTTP_PUT, .url = url, .body = SPAN_LITERAL("whole")};
    answer = fixture_ask(&fixture, &put);
    CHECK_TEXT(answer->body, "PUT /echo/../x whole");
    CHECK(strstr(server->last_head, "Content-Type") == NULL);
    struct http_request empty = {.method = HTTP_POST, .url = url};
    answer = fixture_ask(&fixture, &empty);
    CHECK_TEXT(answer->body, "POST /echo/../x ");
    CHECK_CONTAINS(server->last_head, "Content-Length: 0\r\n");
    answer = fixture_ask(&fixture, &(struct http_request){.url = url});
    CHECK_TEXT(answer->body, "GET /echo/../x ");
    /* 3 MB go out without waiting for "100 Continue". */
    size_t size = (size_t)3 * 1024 * 1024;
    char *big = malloc(size);
    CHECK(big != NULL);
    memset(big, 'b', size);
    post.body = span_make(big, size);
    fixture_close(&fixture);
    fixture_open(&fixture, &(struct http_options){.body_limit = 2 * size});
    answer = fixture_ask(&fixture, &post);
    CHECK_INT(answer->body_len, size + strlen("POST /echo/../x "));
    CHECK(strstr(server->last_head, "Expect") == NULL);
    free(big);
    fixture_close(&fixture);
    server_stop(server);
}

static void failures_tell_what_may_have_been_sent(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.request_timeout_ms = 20000});
    const struct answer *answer = fixture_get(&fixture, "http", server->port, "/truncated");
    CHECK_INT(answer->failure, HTTP_LOST);
    CHECK_INT(answer->status, 0);
    CHECK_INT(answer->body_len, 0);
    CHECK_TEXT(answer->nonce, "saved");
    char authority[64];
    snprintf(authority, sizeof authority, "127.0.0.1:%d: ", server->port);
    CHECK_CONTAINS(answer->reason, authority);
    CHECK(strlen(answer->reason) > strlen(authority) + 5);
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/lying")->failure, HTTP_LOST);
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/silent")->failure, HTTP_LOST);
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/reset")->failure, HTTP_LOST);
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/garbage")->failure, HTTP_LOST);
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/nocolon")->failure, HTTP_LOST);
    char url[256];
    url_of("http", server->port, "/hang", url);
    struct http_request request = {.url = url, .timeout_ms = 50};
    answer = fixture_ask(&fixture, &request);
    CHECK_INT(answer->failure, HTTP_TIMEOUT);
    CHECK_CONTAINS(answer->reason, "timed out");
    url_of("http", server->port, "/half", url);
    CHECK_INT(fixture_ask(&fixture, &request)->failure, HTTP_TIMEOUT);
    /* The short timeout was that request's only. */
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/pieces")->failure, HTTP_ANSWERED);
    fixture_close(&fixture);
    server_stop(server);
}

static void unreachable_means_nothing_was_sent(void)
{
    int port;
    int fd = listen_any(&port);
    close(fd);
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    const struct answer *answer = fixture_get(&fixture, "http", port, "/");
    CHECK_INT(answer->failure, HTTP_UNREACHABLE);
    CHECK_CONTAINS(answer->reason, "127.0.0.1:");
    answer = fixture_ask(&fixture,
                         &(struct http_request){.url = "http://does-not-exist.invalid/new-order"});
    CHECK_INT(answer->failure, HTTP_UNREACHABLE);
    CHECK_CONTAINS(answer->reason, "does-not-exist.invalid:80: ");
    static const char *const bad[] = {
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "nonsense://x",
        "http://",
        "http://user:secret@127.0.0.1/",
        "",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        answer = fixture_ask(&fixture, &(struct http_request){.url = bad[i]});
        CHECK_INT(answer->failure, HTTP_BAD_URL);
        CHECK(strlen(answer->reason) > 5 && strstr(answer->reason, "secret") == NULL);
    }
    fixture_close(&fixture);
}

static void every_size_has_a_ceiling(void)
{
    char *line = malloc(70000);
    char *many = malloc(200000);
    char *interim = malloc(200000);
    CHECK(line != NULL && many != NULL && interim != NULL);
    int used = snprintf(line, 70000, OK_HEAD "X-Padding: ");
    memset(line + used, 'p', 9000);
    snprintf(line + used + 9000, 100, "\r\nContent-Length: 0\r\n\r\n");
    used = snprintf(many, 200000, OK_HEAD);
    for (int i = 0; i < 1000; i++)
        used += snprintf(many + used, 200, "X-Header-%d: %080d\r\n", i, i);
    snprintf(many + used, 100, "Content-Length: 0\r\n\r\n");
    used = 0;
    for (int i = 0; i < 1000; i++)
        used += snprintf(interim + used, 200, "HTTP/1.1 103 Early Hints\r\nX: %080d\r\n\r\n", i);
    snprintf(interim + used, 100, OK_HEAD "Content-Length: 0\r\n\r\n");
    char nonce[1000];
    snprintf(nonce, sizeof nonce, OK_HEAD "Replay-Nonce: %0600d\r\nContent-Length: 0\r\n\r\n", 1);
    static const char body[] = OK_HEAD "Content-Length: 21\r\n\r\n123456789012345678901";
    static const char chunked[] =
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n15\r\n123456789012345678901\r\n0\r\n\r\n";
    const struct route large[] = {
        {"/line", line, THEN_KEEP, 0},
        {"/many", many, THEN_KEEP, 0},
        {"/nonce", nonce, THEN_KEEP, 0},
        {"/interim", interim, THEN_KEEP, 0},
        {"/body", body, THEN_KEEP, 0},
        {"/chunked", chunked, THEN_KEEP, 5},
        {"/20", OK_HEAD "Content-Length: 20\r\n\r\n12345678901234567890", THEN_KEEP, 0},
    };
    struct server *server = server_start(large, sizeof large / sizeof large[0], NULL);
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.body_limit = 20});
    for (size_t i = 0; i < 6; i++) {
        const struct answer *answer = fixture_get(&fixture, "http", server->port, large[i].path);
        CHECK_INT(answer->failure, HTTP_TOO_LARGE);
        CHECK_CONTAINS(answer->reason, "larger");
        CHECK_INT(answer->body_len, 0);
    }
    CHECK_INT(fixture_get(&fixture, "http", server->port, "/20")->body_len, 20);
    fixture_close(&fixture);
    server_stop(server);
    free(line);
    free(many);
    free(interim);
}

static void many_requests_share_few_connections(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.connections = 6});
    CHECK_INT(http_room(fixture.client), 6);
    uint64_t sent = 0;
    uint64_t count = 1000;
    int64_t deadline_ms = clock_monotonic_ms() + 30000;
    do {
        while (sent < count && http_room(fixture.client) > 0) {
            char path[64];
            char url[256];
            char body[64];
            struct error error;
            snprintf(path, sizeof path, "/order/%d", (int)sent);
            snprintf(body, sizeof body, "body of %d", (int)sent);
            struct http_request request = {
                .id = sent++,
                .method = HTTP_POST,
                .url = url_of("http", server->port, path, url),
                .body = span_of(body),
            };
            CHECK_OK(http_send(fixture.client, &request, &error), error);
        }
        fixture_turn(&fixture, deadline_ms);
        CHECK(fixture.counts.out_now <= 6);
    } while (sent < count || fixture.counts.out_now > 0);
    for (uint64_t i = 0; i < count; i++) {
        char expected[128];
        snprintf(expected, sizeof expected, "POST /order/%d body of %d", (int)i, (int)i);
        CHECK_INT(fixture.answers[i].times, 1);
        CHECK_TEXT(fixture.answers[i].body, expected);
    }
    CHECK_INT(atomic_load(&server->requests), count);
    CHECK(atomic_load(&server->connections) <= 6);
    CHECK_INT(fixture.counts.connections, atomic_load(&server->connections));
    CHECK_INT(http_room(fixture.client), 6);
    fixture_close(&fixture);
    server_stop(server);
}

static void more_than_the_room_still_ends(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.connections = 2});
    for (uint64_t i = 0; i < 300; i++) {
        char url[256];
        struct error error;
        struct http_request request = {.id = i, .url = url_of("http", server->port, "/x", url)};
        CHECK_OK(http_send(fixture.client, &request, &error), error);
    }
    CHECK_INT(http_room(fixture.client), 0);
    fixture_run(&fixture);
    for (uint64_t i = 0; i < 300; i++)
        CHECK(fixture.answers[i].times == 1 && fixture.answers[i].failure == HTTP_ANSWERED);
    CHECK(atomic_load(&server->connections) <= 2);
    fixture_close(&fixture);
    server_stop(server);
}

static void done_may_send_again(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    char url[256];
    fixture.resend_id = 7;
    fixture.resend_url = url_of("http", server->port, "/again", url);
    (void)fixture_get(&fixture, "http", server->port, "/pieces");
    CHECK_INT(fixture.answers[7].times, 1);
    CHECK_TEXT(fixture.answers[7].body, "GET /again ");
    fixture_close(&fixture);
    server_stop(server);
}

/* A kept connection that the server has closed meanwhile: libcurl sends again on a fresh one,
 * at most 5 times a request (and not, as it happens when a handle is not reset, 5 times in all). */
static void a_stale_connection_is_no_failure(void)
{
    static const struct route stale[] = {
        {"/once", OK_HEAD "Content-Length: 2\r\n\r\nok", THEN_CLOSE, 0},
    };
    struct server *server = server_start(stale, 1, NULL);
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    for (unsigned i = 1; i <= 100; i++) {
        CHECK_TEXT(fixture_get(&fixture, "http", server->port, "/once")->reason, "");
        CHECK_INT(atomic_load(&server->requests), i);
    }
    CHECK_INT(fixture.counts.connections, atomic_load(&server->connections));
    fixture_close(&fixture);
    server_stop(server);
}

static void freeing_cancels_what_is_out(void)
{
    struct server *server = plain_server();
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    for (uint64_t i = 0; i < 5; i++) {
        char url[256];
        struct error error;
        struct http_request request = {.id = i, .url = url_of("http", server->port, "/hang", url)};
        CHECK_OK(http_send(fixture.client, &request, &error), error);
    }
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    while (atomic_load(&server->requests) == 0)
        fixture_turn(&fixture, deadline_ms);
    http_client_free(fixture.client);
    for (uint64_t i = 0; i < 5; i++) {
        CHECK_INT(fixture.answers[i].times, 1);
        CHECK_INT(fixture.answers[i].failure, HTTP_CANCELLED);
        CHECK_CONTAINS(fixture.answers[i].reason, "cancelled");
    }
    fixture.client = NULL;
    fixture_close(&fixture);
    server_stop(server);
}

static void wrong_use_is_refused(void)
{
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    struct error error;
    static const char *const split[] = {"X: a\r\nY: b", NULL};
    struct http_request request = {.id = 1, .url = "http://127.0.0.1/", .headers = split};
    CHECK(!http_send(fixture.client, &request, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    const char *many[40] = {NULL};
    for (size_t i = 0; i < 39; i++)
        many[i] = "X: y";
    request.headers = many;
    CHECK(!http_send(fixture.client, &request, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_INT(http_wait_ms(fixture.client, 0), -1);
    fixture_close(&fixture);
    CHECK_INT(fixture.counts.out_now, 0);

    struct loop *loop;
    struct http_client *client = NULL;
    CHECK_OK(loop_new(&loop, &error), error);
    struct http_options options = {.ca_file = "/does/not/exist.pem"};
    CHECK(!http_client_new(loop, &options, fixture_done, NULL, &client, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "/does/not/exist.pem");
    CHECK(client == NULL);
    loop_free(loop);
}

/* Private keys pass through libcurl's buffers on their way to ACM. What is freed is read as another
 * process would read it; its first bytes are the allocator's. */
static void what_libcurl_frees_is_wiped(void)
{
    static const char secret[] = "0123456789abcdefghijklmnopqrstuvwxyz-the-secret-is-at-the-end";
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.user_agent = "certmill/test"});
    char *copy = curl_easy_escape(NULL, secret, 0);
    CHECK_TEXT(copy, secret);
    off_t at = (off_t)(uintptr_t)copy;
    char left[sizeof secret];
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    CHECK(memory >= 0);
    CHECK(pread(memory, left, sizeof left, at) == (ssize_t)sizeof left);
    CHECK(memcmp(left, secret, sizeof left) == 0);
    curl_free(copy);
    CHECK(pread(memory, left, sizeof left, at) == (ssize_t)sizeof left);
    CHECK(memcmp(left + 40, secret + 40, 20) != 0);
    close(memory);
    fixture_close(&fixture);
}

static const struct test tests[] = {
    TEST(answers_come_whole),
    TEST(headers_are_read_with_care),
    TEST(methods_and_bodies_arrive),
    TEST(failures_tell_what_may_have_been_sent),
    TEST(unreachable_means_nothing_was_sent),
    TEST(every_size_has_a_ceiling),
    TEST(many_requests_share_few_connections),
    TEST(more_than_the_room_still_ends),
    TEST(done_may_send_again),
    TEST(a_stale_connection_is_no_failure),
    TEST(freeing_cancels_what_is_out),
    TEST(wrong_use_is_refused),
    TEST(what_libcurl_frees_is_wiped),
};
TESTS_MAIN(tests)
