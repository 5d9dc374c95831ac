/* The load CA's server over TLS, with libcurl as its client: HTTP/2, and the same over HTTP/1.1. */
#include "ca_tls.h"

#define KIB ((size_t)1024)

static struct ca_identity identity;
static struct ca ca;
static struct fixture fixture;

static void open_both(struct server_options server, struct http_options client)
{
    client.ca_file = identity.file;
    if (client.body_limit == 0)
        client.body_limit = (size_t)16 * 1024 * 1024;
    ca_open_tls(&ca, &identity, server);
    fixture_open(&fixture, &client);
}

static void close_both(void)
{
    fixture_close(&fixture);
    ca_await_connections(&ca, 0);
    ca_close(&ca);
}

static const struct answer *get(const char *path)
{
    return fixture_get(&fixture, "https", ca.port, path);
}

static void await_answer(uint64_t id)
{
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (fixture.answers[id].times == 0)
        fixture_turn(&fixture, deadline_ms);
}

static void requests_are_told(bool http1)
{
    open_both((struct server_options){0},
              (struct http_options){.user_agent = "me/2", .http1_only = http1});
    char expected[256];
    char url[256];
    const struct answer *answer =
        fixture_ask(&fixture, &(struct http_request){
                                  .url = ca_url(&ca, "/new-order?x=y", url),
                                  .method = HTTP_POST,
                                  .content_type = "application/jose+json; charset=utf-8",
                                  .body = SPAN_LITERAL("hello"),
                              });
    CHECK_INT(answer->status, 200);
    snprintf(expected, sizeof expected,
             "POST /new-order?x=y host=127.0.0.1:%d type=application/jose+json agent=me/2 "
             "from=127.0.0.1 tls len=5 ",
             ca.port);
    CHECK_CONTAINS(answer->body, expected);
    CHECK_TEXT(answer->nonce, "nonce-1");
    CHECK_TEXT(answer->content_type, "text/plain");
    answer = fixture_ask(
        &fixture, &(struct http_request){.url = ca_url(&ca, "/9/0/0", url), .method = HTTP_HEAD});
    CHECK_INT(answer->status, 200);
    CHECK_INT(answer->body_len, 0);
    CHECK_INT(get("/status/204")->status, 204);
    CHECK_INT(get("/status/404")->status, 404);
    CHECK_INT(get("/status/0")->status, 500);
    answer = fixture_ask(&fixture, &(struct http_request){.url = ca_url(&ca, "/x", url),
                                                          .method = HTTP_PUT,
                                                          .body = SPAN_LITERAL("x")});
    CHECK_CONTAINS(answer->body, "unknown /x ");
    struct server_counts counts = ca_counts(&ca);
    CHECK_INT(http1 ? counts.requests_http1 : counts.requests_http2, 6);
    CHECK_INT(counts.connections, 1);
    CHECK_INT(counts.handshakes_full, 1);
    CHECK(counts.bytes_in > 500 && counts.bytes_out > 500);
    close_both();
}

static void http2_requests_are_told(void)
{
    requests_are_told(false);
}

static void http1_requests_are_told(void)
{
    requests_are_told(true);
}

static void bodies_of_all_sizes_pass(bool http1)
{
    static const size_t sizes[] = {0, 1, 16384, 200 * KIB, 256 * KIB};
    open_both((struct server_options){0}, (struct http_options){.http1_only = http1});
    char *body = calloc(1, 300 * KIB);
    char url[256];
    char expected[64];
    CHECK(body != NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct http_request request = {
            .url = ca_url(&ca, "/x", url), .method = HTTP_POST, .body = span_make(body, sizes[i])};
        const struct answer *answer = fixture_ask(&fixture, &request);
        CHECK_INT(answer->status, 200);
        snprintf(expected, sizeof expected, " len=%zu 0", sizes[i]);
        CHECK_CONTAINS(answer->body, expected);
    }
    struct http_request request = {
        .url = ca_url(&ca, "/x", url), .method = HTTP_POST, .body = span_make(body, 300 * KIB)};
    CHECK_INT(fixture_ask(&fixture, &request)->status, 413);
    CHECK_INT(get("/10485760/0/0")->body_len, 10485760);
    CHECK_INT(get("/1/0/0")->body_len, 1);
    free(body);
    close_both();
}

static void http2_bodies_of_all_sizes_pass(void)
{
    bodies_of_all_sizes_pass(false);
}

static void http1_bodies_of_all_sizes_pass(void)
{
    bodies_of_all_sizes_pass(true);
}

/* Large answers on streams of one connection, each at its own pace. */
static void large_answers_share_a_connection(void)
{
    open_both((struct server_options){0}, (struct http_options){.connections = 1});
    CHECK_INT(get("/1/0/0")->status, 200);
    for (uint64_t id = 0; id < 20; id++)
        ca_send(&fixture, &ca, id, "/1048576/0/0");
    fixture_run(&fixture);
    for (uint64_t id = 0; id < 20; id++)
        CHECK_INT(fixture.answers[id].body_len, 1048576);
    CHECK_INT(ca_counts(&ca).connections, 1);
    close_both();
}

static void a_delayed_answer_holds_no_other(void)
{
    open_both((struct server_options){0}, (struct http_options){.connections = 1});
    CHECK_INT(get("/1/0/0")->status, 200);
    ca_send(&fixture, &ca, 1, "/1/600/0");
    ca_send(&fixture, &ca, 2, "/2/300/0");
    ca_send(&fixture, &ca, 3, "/3/0/0");
    await_answer(3);
    CHECK_INT(fixture.answers[1].times + fixture.answers[2].times, 0);
    await_answer(2);
    CHECK_INT(fixture.answers[1].times, 0);
    await_answer(1);
    CHECK_INT(fixture.answers[1].body_len, 1);
    CHECK_INT(fixture.answers[2].body_len, 2);
    CHECK_INT(fixture.answers[3].body_len, 3);
    struct server_counts counts = ca_counts(&ca);
    CHECK_INT(counts.connections, 1);
    CHECK(counts.requests_most >= 2 && counts.requests_most <= 3 && counts.requests_now <= 1);
    close_both();
}

static void a_reset_ends_the_connection(void)
{
    open_both((struct server_options){0}, (struct http_options){.connections = 1});
    CHECK_INT(get("/1/0/0")->status, 200);
    ca_send_once(&fixture, &ca, 1, "/1/3600000/0");
    ca_send_once(&fixture, &ca, 2, "/1/20/1");
    fixture_run(&fixture);
    CHECK_INT(fixture.answers[1].failure, HTTP_LOST);
    CHECK_INT(fixture.answers[2].failure, HTTP_LOST);
    CHECK_INT(atomic_load(&ca.handled), 3);
    CHECK_INT(get("/1/0/0")->status, 200);
    CHECK(ca_counts(&ca).connections >= 2);
    close_both();
}

static void a_truncated_answer_ends_its_stream_only(void)
{
    open_both((struct server_options){0}, (struct http_options){.connections = 1});
    CHECK_INT(get("/1/0/0")->status, 200);
    ca_send(&fixture, &ca, 1, "/100000/10/2");
    ca_send(&fixture, &ca, 2, "/100000/10/0");
    ca_send(&fixture, &ca, 3, "/1/0/2"); /* half of one byte is none */
    fixture_run(&fixture);
    CHECK_INT(fixture.answers[1].failure, HTTP_LOST);
    CHECK_INT(fixture.answers[2].body_len, 100000);
    CHECK_INT(fixture.answers[3].failure, HTTP_LOST);
    CHECK_INT(get("/1/0/0")->status, 200);
    CHECK_INT(ca_counts(&ca).connections, 1);
    close_both();
    open_both((struct server_options){0}, (struct http_options){.http1_only = true});
    CHECK_INT(get("/100000/0/2")->failure, HTTP_LOST);
    close_both();
}

static void goaway_ends_the_connection_after_its_answers(void)
{
    open_both((struct server_options){0}, (struct http_options){.connections = 1});
    CHECK_INT(get("/1/0/0")->status, 200);
    ca_send(&fixture, &ca, 1, "/1000000/100/0");
    ca_send(&fixture, &ca, 2, "/5/10/3");
    fixture_run(&fixture);
    CHECK_INT(fixture.answers[1].body_len, 1000000);
    CHECK_INT(fixture.answers[2].body_len, 5);
    CHECK_INT(ca_counts(&ca).connections, 1);
    CHECK_INT(get("/7/0/0")->body_len, 7);
    CHECK_INT(ca_counts(&ca).connections, 2);
    close_both();
}

static void silence_is_for_one_stream(void)
{
    open_both((struct server_options){0},
              (struct http_options){.connections = 1, .request_timeout_ms = 500});
    CHECK_INT(get("/1/0/0")->status, 200);
    ca_send(&fixture, &ca, 1, "/1/0/4");
    ca_send(&fixture, &ca, 2, "/2/0/0");
    fixture_run(&fixture);
    CHECK_INT(fixture.answers[1].failure, HTTP_TIMEOUT);
    CHECK_INT(fixture.answers[2].body_len, 2);
    close_both();
}

static void a_connection_takes_so_many_requests(bool http1)
{
    open_both((struct server_options){0},
              (struct http_options){.connections = 1, .http1_only = http1});
    server_limit(ca.server, &(struct server_limits){.requests_per_connection = 10});
    for (uint64_t id = 0; id < 21; id++) {
        ca_send(&fixture, &ca, id, "/3/0/0");
        await_answer(id);
        CHECK_INT(fixture.answers[id].body_len, 3);
    }
    CHECK_INT(ca_counts(&ca).connections, 3);
    /* And many at once: what comes after the last is asked again on the next connection, which
     * libcurl does five times. */
    for (uint64_t id = 100; id < 140; id++)
        ca_send(&fixture, &ca, id, "/3/0/0");
    fixture_run(&fixture);
    for (uint64_t id = 100; id < 140; id++)
        CHECK_INT(fixture.answers[id].body_len, 3);
    CHECK_INT(atomic_load(&ca.handled), 61);
    close_both();
}

static void http2_connections_take_so_many_requests(void)
{
    a_connection_takes_so_many_requests(false);
}

static void http1_connections_take_so_many_requests(void)
{
    a_connection_takes_so_many_requests(true);
}

static void a_long_head_is_refused(void)
{
    char url[17 * 1024];
    for (int http1 = 0; http1 < 2; http1++) {
        open_both((struct server_options){0}, (struct http_options){.http1_only = http1 == 1});
        int len = snprintf(url, sizeof url, "https://127.0.0.1:%d/", ca.port);
        memset(url + len, 'x', sizeof url - (size_t)len);
        url[sizeof url - 1] = '\0';
        CHECK_INT(fixture_ask(&fixture, &(struct http_request){.url = url})->status, 431);
        CHECK_INT(get("/1/0/0")->status, 200);
        CHECK_INT(atomic_load(&ca.handled), 1);
        close_both();
    }
}

static void connections_are_limited(void)
{
    open_both((struct server_options){.threads = 2}, (struct http_options){0});
    server_limit(ca.server, &(struct server_limits){.connections = 1});
    CHECK_INT(get("/1/0/0")->status, 200);
    struct fixture other;
    fixture_open(&other, &(struct http_options){.ca_file = identity.file});
    CHECK(fixture_get(&other, "https", ca.port, "/1/0/0")->failure != HTTP_ANSWERED);
    CHECK(ca_counts(&ca).refused >= 1);
    server_limit(ca.server, &(struct server_limits){.connections = 2});
    CHECK_INT(fixture_get(&other, "https", ca.port, "/1/0/0")->status, 200);
    CHECK_INT(ca_counts(&ca).connections_now, 2);
    fixture_close(&other);
    ca_await_connections(&ca, 1);
    server_limit(ca.server, &(struct server_limits){.connections_per_address = 1});
    fixture_open(&other, &(struct http_options){.ca_file = identity.file});
    CHECK(fixture_get(&other, "https", ca.port, "/1/0/0")->failure != HTTP_ANSWERED);
    server_limit(ca.server, &(struct server_limits){.connections_per_address = 2});
    CHECK_INT(fixture_get(&other, "https", ca.port, "/1/0/0")->status, 200);
    CHECK_INT(ca_counts(&ca).connections_most, 2);
    fixture_close(&other);
    close_both();
}

static void idle_connections_end(void)
{
    open_both((struct server_options){.idle_timeout_ms = 50}, (struct http_options){0});
    CHECK_INT(get("/1/0/0")->status, 200);
    ca_await_connections(&ca, 0);
    /* An answer that the server holds back is no idleness. */
    CHECK_INT(get("/3/200/0")->body_len, 3);
    ca_await_connections(&ca, 0);
    /* Neither a handshake nor a head may take for ever. */
    int fds[3] = {raw_open(&ca), raw_open(&ca), raw_open(&ca)};
    raw_send(fds[1], SPAN_LITERAL("\x16\x03\x01"));
    struct tls_raw raw;
    tls_raw_open(&raw, &ca, NULL);
    tls_raw_send(&raw, SPAN_LITERAL("GET / HTTP/1.1\r\nHost: "));
    ca_await_connections(&ca, 0);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    tls_raw_close(&raw);
    close_both();
}

/* HTTP/1.1, so that each has a connection: they are spread over the threads evenly. */
static void hundreds_of_connections_are_served(void)
{
    open_both((struct server_options){.threads = 2},
              (struct http_options){.connections = 200, .http1_only = true});
    for (uint64_t id = 0; id < 1000; id++)
        ca_send(&fixture, &ca, id, id % 3 == 0 ? "/1000/50/0" : "/3000/0/0");
    fixture_run(&fixture);
    for (uint64_t id = 0; id < 1000; id++)
        CHECK_INT(fixture.answers[id].body_len, id % 3 == 0 ? 1000 : 3000);
    struct server_counts counts = ca_counts(&ca);
    CHECK_INT(counts.requests_http1, 1000);
    CHECK_INT(counts.connections, counts.connections_most);
    CHECK(counts.connections_most > 100 && counts.connections_most <= 200);
    CHECK(atomic_load(&ca.handled_by[0]) > 0 && atomic_load(&ca.handled_by[1]) > 0);
    close_both();
}

static void thousands_of_streams_are_served(void)
{
    open_both((struct server_options){.threads = 2}, (struct http_options){.connections = 8});
    CHECK_INT(get("/1/0/0")->status, 200);
    server_limit(ca.server, &(struct server_limits){.streams = 7});
    unsigned next = 2;
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    do {
        while (next < 3000 && http_room(fixture.client) > 0)
            ca_send(&fixture, &ca, next++, "/700/1/0");
        fixture_turn(&fixture, deadline_ms);
    } while (fixture.counts.out_now > 0 || next < 3000);
    for (uint64_t id = 2; id < 3000; id++)
        CHECK_INT(fixture.answers[id].body_len, 700);
    CHECK_INT(ca_counts(&ca).requests_http2, 2999);
    close_both();
}

/* With answers under way and held back, and connections on their way between threads. */
static void a_server_ends_at_any_time(void)
{
    for (int i = 0; i < 5; i++) {
        open_both((struct server_options){.threads = 3},
                  (struct http_options){.connections = 20, .http1_only = i % 2 == 0});
        for (uint64_t id = 0; id < 60; id++)
            ca_send(&fixture, &ca, id, id % 2 == 0 ? "/100000/3600000/0" : "/1000000/0/0");
        int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
        while (atomic_load(&ca.handled) < (unsigned)i * 3)
            fixture_turn(&fixture, deadline_ms);
        for (int turn = 0; turn < i; turn++)
            fixture_turn(&fixture, deadline_ms);
        ca_close(&ca);
        fixture_close(&fixture);
    }
}

static const struct test tests[] = {
    TEST(http2_requests_are_told),
    TEST(http1_requests_are_told),
    TEST(http2_bodies_of_all_sizes_pass),
    TEST(http1_bodies_of_all_sizes_pass),
    TEST(large_answers_share_a_connection),
    TEST(a_delayed_answer_holds_no_other),
    TEST(a_reset_ends_the_connection),
    TEST(a_truncated_answer_ends_its_stream_only),
    TEST(goaway_ends_the_connection_after_its_answers),
    TEST(silence_is_for_one_stream),
    TEST(http2_connections_take_so_many_requests),
    TEST(http1_connections_take_so_many_requests),
    TEST(a_long_head_is_refused),
    TEST(connections_are_limited),
    TEST(idle_connections_end),
    TEST(hundreds_of_connections_are_served),
    TEST(thousands_of_streams_are_served),
    TEST(a_server_ends_at_any_time),
};

int main(int argc, char **argv)
{
    ca_identity_make(&identity);
    int result = tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
    ca_identity_free(&identity);
    return result;
}
