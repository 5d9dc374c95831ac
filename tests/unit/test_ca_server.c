/* The load CA's server in the clear, HTTP/1.1 byte by byte. */
#include "ca_server.h"

#define TEXT_MAX ((size_t)32 * 1024 * 1024)

static struct ca ca;
static struct buf text;

static void before(void *context)
{
    (void)context;
    ca_open(&ca, &(struct server_options){.threads = 2});
    buf_init(&text, TEXT_MAX);
}

static void after(void *context)
{
    (void)context;
    ca_close(&ca);
    buf_free(&text);
}

/* All that comes back on a connection of its own, to its orderly end. */
static const char *ask(const char *request)
{
    int fd = raw_open(&ca);
    buf_clear(&text);
    raw_send(fd, span_of(request));
    CHECK_INT(raw_read_all(fd, &text), 0);
    close(fd);
    return buf_text(&text);
}

static void requests_are_told_in_full(void)
{
    const char *answer = ask("POST /a/b?c=d HTTP/1.1\r\nHost: ca.example:14000\r\n"
                             "CONTENT-TYPE: application/jose+json; x=y\r\nuser-agent:me/1 \r\n"
                             "content-length: 5\r\nConnection: close\r\n\r\nhello");
    CHECK(span_starts(span_of(answer), "HTTP/1.1 200 OK\r\n"));
    CHECK_CONTAINS(answer, "\r\nDate: ");
    CHECK_CONTAINS(answer, " GMT\r\n");
    CHECK_CONTAINS(answer, "\r\nreplay-nonce: nonce-1\r\n");
    CHECK_CONTAINS(answer, "\r\nContent-Type: text/plain\r\n");
    CHECK_CONTAINS(answer, "\r\nConnection: close\r\n");
    CHECK_CONTAINS(answer, "\r\n\r\nPOST /a/b?c=d host=ca.example:14000 type=application/jose+json "
                           "agent=me/1 from=127.0.0.1 len=5 ");
    CHECK_CONTAINS(ask("GET http://other:1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
                   "GET /x host=other:1 ");
    CHECK_CONTAINS(ask("GET https://other HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
                   "GET / host=other ");
    CHECK_CONTAINS(ask("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "unknown / ");
    CHECK_CONTAINS(ask("PATCH /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "unknown /x ");
}

static void an_answer_without_a_body_has_none(void)
{
    const char *answer = ask("HEAD /10/0/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK_CONTAINS(answer, "Content-Length: 10\r\n");
    CHECK(span_ends(span_of(answer), "\r\n\r\n"));
    answer = ask("GET /status/204 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK_CONTAINS(answer, "HTTP/1.1 204 No Content\r\n");
    CHECK(strstr(answer, "Content-Length") == NULL);
    answer = ask("GET /status/201 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK_CONTAINS(answer, "Content-Length: 0\r\n");
    /* A handler that does not answer is a bug, and does not hang the client. */
    answer = ask("GET /status/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK_CONTAINS(answer, "HTTP/1.1 500 ");
}

static void connections_are_kept_as_the_version_says(void)
{
    CHECK(strstr(ask("GET /1/0/0 HTTP/1.0\r\n\r\n"), "keep-alive") == NULL);
    const char *answer = ask("GET /1/0/0 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
                             "GET /2/0/0 HTTP/1.0\r\n\r\n");
    CHECK_CONTAINS(answer, "Connection: keep-alive\r\n\r\nxHTTP/1.1 200 OK\r\n");
    answer = ask("GET /1/0/0 HTTP/1.1\r\nHost: h\r\n\r\n"
                 "\r\nGET /2/0/0 HTTP/1.1\r\nHost: h\r\nConnection: foo, close\r\n\r\n"
                 "GET /3/0/0 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_CONTAINS(answer, "\r\n\r\nxHTTP/1.1 200 OK\r\n");
    CHECK(span_ends(span_of(answer), "\r\n\r\nxx")); /* the third is not answered */
    CHECK_INT(ca_counts(&ca).requests_http1, 5);
}

/* The first answer is held back; those behind it wait for it. */
static void pipelined_requests_are_answered_in_order(void)
{
    const char *answer = ask("GET /1/30/0 HTTP/1.1\r\nHost: h\r\n\r\n"
                             "POST /2/10/0 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                             "POST /3/0/0 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3;x=y\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n"
                             "GET /4/0/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const char *first = strstr(answer, "\r\n\r\nxHTTP");
    const char *second = strstr(answer, "\r\n\r\nxxHTTP");
    const char *third = strstr(answer, "\r\n\r\nxxxHTTP");
    CHECK(first != NULL && first < second && second < third);
    CHECK(span_ends(span_of(answer), "\r\n\r\nxxxx"));
}

static void thousands_of_pipelined_requests_are_answered(void)
{
    enum { COUNT = 20000 };
    int fd = raw_open(&ca);
    struct buf requests;
    buf_init(&requests, TEXT_MAX);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK(buf_append_text(&requests, i + 1 < COUNT ? "GET /9/0/0 HTTP/1.1\r\nHost: h\r\n\r\n"
                                                       : "GET /9/0/0 HTTP/1.0\r\n\r\n"));
    struct span rest = buf_span(&requests);
    char data[65536];
    while (rest.len > 0) { /* sends and reads in turn, for the server does not keep them all */
        ssize_t sent = send(fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            rest = span_from(rest, (size_t)sent);
        ssize_t count = recv(fd, data, sizeof data, sent > 0 ? MSG_DONTWAIT : 0);
        CHECK(count != 0);
        if (count > 0)
            CHECK(buf_append(&text, data, (size_t)count));
    }
    CHECK_INT(raw_read_all(fd, &text), 0);
    close(fd);
    unsigned found = 0;
    for (const char *at = buf_text(&text); (at = strstr(at, "xxxxxxxxx")) != NULL; at += 9)
        found++;
    CHECK_INT(found, COUNT);
    buf_free(&requests);
}

static void a_request_may_come_byte_by_byte(void)
{
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n";
    int fd = raw_open(&ca);
    for (size_t i = 0; i + 1 < sizeof request; i++)
        raw_send(fd, span_make(&request[i], 1));
    CHECK_INT(raw_read_all(fd, &text), 0);
    close(fd);
    CHECK_CONTAINS(buf_text(&text), " len=11 ");
}

static void bodies_are_waited_for(void)
{
    int fd = raw_open(&ca);
    raw_send(fd, SPAN_LITERAL("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                              "Content-Length: 200000\r\nConnection: close\r\n\r\n"));
    raw_read_until(fd, &text, "HTTP/1.1 100 Continue\r\n\r\n", 1);
    CHECK_INT(text.len, strlen("HTTP/1.1 100 Continue\r\n\r\n"));
    CHECK_INT(atomic_load(&ca.handled), 0);
    char body[1000] = {0};
    for (int i = 0; i < 200; i++)
        raw_send(fd, span_make(body, sizeof body));
    CHECK_INT(raw_read_all(fd, &text), 0);
    CHECK_CONTAINS(buf_text(&text), " len=200000 ");
    CHECK(strstr(buf_text(&text) + 10, "100 Continue") == NULL);
    close(fd);
    /* The body is there already: nobody waits for a word. */
    CHECK(span_starts(span_of(ask("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                  "Content-Length: 1\r\nConnection: close\r\n\r\nx")),
                      "HTTP/1.1 200 "));
}

static void rubbish_is_refused(void)
{
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {"rubbish\r\n\r\n", "400"},
        {"\x16\x03\x01\x02\n", "400"},
        {"GET / HTTP/1.1\n\n", "400"},
        {"GET / HTTP/1.1\r\n\r\n", "400"}, /* no Host */
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n", "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 262145\r\n\r\n", "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "400"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", "417"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n", "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
         "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1fffffffffffffff\r\n",
         "400"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char start[32];
        snprintf(start, sizeof start, "HTTP/1.1 %s ", cases[i].status);
        const char *answer = ask(cases[i].request);
        if (!span_starts(span_of(answer), start))
            fprintf(stderr, "to %s: %s, not %s\n", cases[i].request, answer, cases[i].status);
        CHECK(span_starts(span_of(answer), start));
        CHECK_CONTAINS(answer, "\r\nConnection: close\r\n");
    }
    CHECK_INT(atomic_load(&ca.handled), 0);
}

static void trailers_are_dropped_within_reason(void)
{
    char line[1000]; /* with its end */
    memset(line, 'a', sizeof line);
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\n';
    for (int lines = 16; lines <= 17; lines++) {
        int fd = raw_open(&ca);
        raw_send(fd, SPAN_LITERAL("POST /1/0/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n0\r\n"));
        for (int i = 0; i < lines; i++)
            raw_send(fd, span_make(line, sizeof line));
        raw_send(fd, SPAN_LITERAL("\r\n"));
        buf_clear(&text);
        CHECK_INT(raw_read_all(fd, &text), 0);
        CHECK(span_starts(buf_span(&text), lines == 16 ? "HTTP/1.1 200 " : "HTTP/1.1 400 "));
        close(fd);
    }
}

/* A head that never ends, and bodies over the ceiling, are sent on while the refusal comes. */
static void what_is_too_long_is_refused(void)
{
    char line[1024];
    memset(line, 'a', sizeof line);
    line[1] = ':';
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\n';
    int fd = raw_open(&ca);
    raw_send(fd, SPAN_LITERAL("GET / HTTP/1.1\r\n"));
    for (int i = 0; i < 17; i++)
        raw_send(fd, span_make(line, sizeof line));
    CHECK_INT(raw_read_all(fd, &text), 0);
    CHECK(span_starts(buf_span(&text), "HTTP/1.1 431 "));
    close(fd);

    fd = raw_open(&ca);
    buf_clear(&text);
    memset(line, 'a', sizeof line);
    for (int i = 0; i < 17; i++) /* one line without an end */
        raw_send(fd, span_make(line, sizeof line));
    CHECK_INT(raw_read_all(fd, &text), 0);
    CHECK(span_starts(buf_span(&text), "HTTP/1.1 431 "));
    close(fd);

    fd = raw_open(&ca);
    buf_clear(&text);
    raw_send(fd, SPAN_LITERAL("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i <= 256; i++) {
        raw_send(fd, SPAN_LITERAL("400\r\n"));
        raw_send(fd, span_make(line, sizeof line));
        raw_send(fd, SPAN_LITERAL("\r\n"));
    }
    CHECK_INT(raw_read_all(fd, &text), 0);
    CHECK(span_starts(buf_span(&text), "HTTP/1.1 413 "));
    close(fd);
    CHECK_INT(atomic_load(&ca.handled), 0);
}

/* Chunks of one byte are six times as long as what they hold. */
static void the_smallest_chunks_fill_the_largest_body(void)
{
    struct buf request;
    buf_init(&request, TEXT_MAX);
    CHECK(buf_append_text(&request, "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 256 * 1024; i++)
        CHECK(buf_append_text(&request, "1\r\nx\r\n"));
    CHECK(buf_append_text(&request, "0\r\n\r\n"));
    CHECK_CONTAINS(ask(buf_text(&request)), " len=262144 ");
    buf_free(&request);
}

static void large_answers_come_whole(void)
{
    const char *answer = ask("GET /10485760/0/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n");
    CHECK_CONTAINS(answer, "Content-Length: 10485760\r\n");
    CHECK(body != NULL);
    CHECK_INT(text.len - (size_t)(body + 4 - answer), 10485760);
    CHECK(ca_counts(&ca).bytes_out >= 10485760);
}

/* A client that goes away in the middle of a large answer. */
static void an_unread_answer_harms_nobody(void)
{
    for (int i = 0; i < 20; i++) {
        int fd = raw_open(&ca);
        raw_send(fd, SPAN_LITERAL("GET /10485760/0/0 HTTP/1.1\r\nHost: h\r\n\r\n"));
        raw_read_until(fd, &text, "\r\n\r\n", 1);
        close(fd);
        buf_clear(&text);
    }
    ca_await_connections(&ca, 0);
}

static void a_reset_comes_in_place_of_the_answer(void)
{
    int fd = raw_open(&ca);
    raw_send(fd, SPAN_LITERAL("GET /5/20/1 HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK_INT(raw_read_all(fd, &text), ECONNRESET);
    CHECK_INT(text.len, 0);
    close(fd);
    CHECK_INT(atomic_load(&ca.handled), 1);
    ca_await_connections(&ca, 0);
}

static void a_truncated_answer_ends_in_the_middle(void)
{
    const char *answer = ask("GET /100000/0/2 HTTP/1.1\r\nHost: h\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n");
    CHECK_CONTAINS(answer, "Content-Length: 100000\r\n");
    CHECK(strstr(answer, "Connection: close") == NULL);
    CHECK(body != NULL);
    CHECK_INT(text.len - (size_t)(body + 4 - answer), 50000);
}

static void a_last_answer_says_so(void)
{
    const char *answer = ask("GET /5/0/3 HTTP/1.1\r\nHost: h\r\n\r\n"
                             "GET /7/0/0 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_CONTAINS(answer, "\r\nConnection: close\r\n");
    CHECK(span_ends(span_of(answer), "\r\n\r\nxxxxx"));
}

static void silence_lasts_until_the_client_goes(void)
{
    int fd = raw_open(&ca);
    raw_send(fd, SPAN_LITERAL("GET /5/0/4 HTTP/1.1\r\nHost: h\r\n\r\n"
                              "GET /5/0/0 HTTP/1.1\r\nHost: h\r\n\r\n"));
    ca_await_handled(&ca, 1);
    /* Another connection's answer shows that the server goes on. */
    CHECK_CONTAINS(ask("GET /1/0/0 HTTP/1.0\r\n\r\n"), "200 OK");
    ca_await_connections(&ca, 1);
    char byte;
    CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    close(fd);
    ca_await_connections(&ca, 0);
    CHECK_INT(atomic_load(&ca.handled), 2);
}

/* More came behind the request than is kept: the server does not read, and must learn otherwise
 * that the client went. */
static void a_client_may_leave_unread(void)
{
    enum { UNREAD = 100000 };
    char *blanks = malloc(UNREAD);
    CHECK(blanks != NULL);
    memset(blanks, 'x', UNREAD);
    int fd = raw_open(&ca);
    raw_send(fd, SPAN_LITERAL("GET /5/0/4 HTTP/1.1\r\nHost: h\r\n\r\n"));
    raw_send(fd, span_make(blanks, UNREAD));
    ca_await_handled(&ca, 1);
    close(fd);
    ca_await_connections(&ca, 0);
    free(blanks);
}

/* What waits for its delay when the client goes is forgotten with it. */
static void a_client_may_leave_before_the_answer(void)
{
    for (unsigned i = 0; i < 50; i++) {
        int fd = raw_open(&ca);
        raw_send(fd, i % 2 == 0 ? SPAN_LITERAL("GET /5/3600000/0 HTTP/1.1\r\nHost: h\r\n\r\n")
                                : SPAN_LITERAL("GET /5/1/0 HTTP/1.1\r\nHost: h\r\n\r\n"));
        ca_await_handled(&ca, i + 1);
        close(fd);
    }
    ca_await_connections(&ca, 0);
}

/* A client with a handful of connections loads all threads alike. */
static void connections_are_spread_evenly(void)
{
    int fds[16];
    for (unsigned i = 0; i < 16; i++) {
        fds[i] = raw_open(&ca);
        raw_send(fds[i], SPAN_LITERAL("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        ca_await_handled(&ca, i + 1);
    }
    CHECK_INT(atomic_load(&ca.handled_by[0]), 8);
    CHECK_INT(atomic_load(&ca.handled_by[1]), 8);
    CHECK_INT(ca_counts(&ca).connections_now, 16);
    for (unsigned i = 0; i < 16; i++)
        close(fds[i]);
    ca_await_connections(&ca, 0);
    CHECK_INT(ca_counts(&ca).connections_most, 16);
    server_forget_most(ca.server);
    CHECK_INT(ca_counts(&ca).connections_most, 0);
}

static const struct test tests[] = {
    TEST(requests_are_told_in_full),
    TEST(an_answer_without_a_body_has_none),
    TEST(connections_are_kept_as_the_version_says),
    TEST(pipelined_requests_are_answered_in_order),
    TEST(thousands_of_pipelined_requests_are_answered),
    TEST(a_request_may_come_byte_by_byte),
    TEST(bodies_are_waited_for),
    TEST(rubbish_is_refused),
    TEST(what_is_too_long_is_refused),
    TEST(trailers_are_dropped_within_reason),
    TEST(the_smallest_chunks_fill_the_largest_body),
    TEST(large_answers_come_whole),
    TEST(an_unread_answer_harms_nobody),
    TEST(a_reset_comes_in_place_of_the_answer),
    TEST(a_truncated_answer_ends_in_the_middle),
    TEST(a_last_answer_says_so),
    TEST(silence_lasts_until_the_client_goes),
    TEST(a_client_may_leave_unread),
    TEST(a_client_may_leave_before_the_answer),
    TEST(connections_are_spread_evenly),
};

int main(int argc, char **argv)
{
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, before, after, NULL);
}
