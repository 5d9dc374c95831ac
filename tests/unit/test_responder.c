/* io/responder: raw bytes in, raw bytes out. */
#include "check.h"

#include "base/buf.h"
#include "io/responder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATH     "/.well-known/acme-challenge/"
#define READ_MAX 20000 /* milliseconds that an answer may take */

static struct responder *open_any(const char *listen)
{
    struct responder *responder;
    struct error error;
    CHECK_OK(responder_new(listen, &responder, &error), error);
    CHECK(responder_port(responder) > 0);
    return responder;
}

static int connect_to(const struct responder *responder, bool ipv6)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                               .sin6_port = htons((uint16_t)responder_port(responder))};
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)responder_port(responder))};
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int failed = ipv6 ? connect(fd, (struct sockaddr *)&six, sizeof six)
                      : connect(fd, (struct sockaddr *)&four, sizeof four);
    if (failed == 0)
        return fd;
    close(fd);
    return -1;
}

static void send_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        CHECK(sent > 0);
        bytes = span_from(bytes, (size_t)sent);
    }
}

/* Reads one answer (or up to the end when the length is missing); false when the connection ended
 * before one came. */
static bool answer_read(int fd, bool head_only, struct buf *answer)
{
    for (;;) {
        const char *end = strstr(buf_text(answer), "\r\n\r\n");
        const char *length = strstr(buf_text(answer), "Content-Length: ");
        if (end != NULL && length != NULL) {
            size_t head = (size_t)(end - answer->data) + 4;
            size_t body = head_only ? 0 : strtoul(length + 16, NULL, 10);
            if (answer->len >= head + body) {
                CHECK_INT(answer->len, head + body);
                return true;
            }
        }
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        CHECK_INT(poll(&polled, 1, READ_MAX), 1);
        char bytes[1];
        if (recv(fd, bytes, 1, 0) != 1)
            return false;
        CHECK(buf_append(answer, bytes, 1));
    }
}

/* Sends the text on the connection and checks the start and the end of the answer. */
static void ask(int fd, const char *text, const char *status, const char *body)
{
    struct buf answer;
    buf_init(&answer, 8192);
    send_all(fd, span_of(text));
    CHECK(answer_read(fd, strncmp(text, "HEAD", 4) == 0, &answer));
    CHECK_CONTAINS(buf_text(&answer), status);
    if (body != NULL)
        CHECK_TEXT(strstr(buf_text(&answer), "\r\n\r\n") + 4, body);
    buf_free(&answer);
}

static bool is_closed(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char byte;
    CHECK_INT(poll(&polled, 1, READ_MAX), 1);
    return recv(fd, &byte, 1, 0) <= 0;
}

static void ask_once(const struct responder *responder, const char *text, const char *status,
                     const char *body)
{
    int fd = connect_to(responder, false);
    CHECK(fd >= 0);
    ask(fd, text, status, body);
    CHECK(is_closed(fd));
    close(fd);
}

static void tokens_are_answered(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    CHECK(responder_put(responder, SPAN_LITERAL("tok-EN_1"), SPAN_LITERAL("tok-EN_1.thumb")));
    int fd = connect_to(responder, false);
    CHECK(fd >= 0);
    ask(fd, "GET " PATH "tok-EN_1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n",
        "tok-EN_1.thumb");
    /* On the same connection: HTTP/1.1 keeps it. */
    ask(fd, "HEAD " PATH "tok-EN_1 HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Length: 14\r\n", "");
    ask(fd, "GET http://a.example" PATH "tok-EN_1 HTTP/1.1\r\n\r\n", " 200 ", "tok-EN_1.thumb");
    ask(fd, "GET " PATH "tok-EN_1 HTTP/1.1\n\n", "application/octet-stream", "tok-EN_1.thumb");
    static const char *const missing[] = {
        PATH "tok-EN_",
        PATH "tok-EN_12",
        PATH "TOK-EN_1",
        PATH "tok-EN_1/",
        PATH "tok-EN_1?x=y",
        PATH,
        "/",
        "/tok-EN_1",
        "*",
        PATH "../x",
        PATH "tok%2dEN",
        "http://a.example",
        PATH "\x01\xff",
    };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", missing[i]);
        ask(fd, text, "HTTP/1.1 404 Not Found\r\n", "404 Not Found");
    }
    responder_remove(responder, SPAN_LITERAL("tok-EN_1"));
    ask(fd, "GET " PATH "tok-EN_1 HTTP/1.1\r\n\r\n", " 404 ", NULL);
    responder_remove(responder, SPAN_LITERAL("tok-EN_1"));
    close(fd);
    responder_free(responder);
    responder_free(NULL);
}

static void a_shared_token_is_removed_by_its_last_user(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    struct span token = SPAN_LITERAL("shared");
    const char *request = "GET " PATH "shared HTTP/1.0\r\n\r\n";
    CHECK(responder_put(responder, token, SPAN_LITERAL("one")));
    CHECK(responder_put(responder, token, SPAN_LITERAL("two")));
    ask_once(responder, request, " 200 ", "two");
    responder_remove(responder, token);
    ask_once(responder, request, " 200 ", "two");
    responder_remove(responder, token);
    ask_once(responder, request, " 404 ", NULL);
    responder_free(responder);
}

static void puts_have_ceilings(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    char text[RESPONDER_ANSWER_MAX + 1];
    memset(text, 'a', sizeof text);
    CHECK(responder_put(responder, span_make(text, RESPONDER_TOKEN_MAX),
                        span_make(text, RESPONDER_ANSWER_MAX)));
    char request[RESPONDER_TOKEN_MAX + 64];
    snprintf(request, sizeof request, "GET " PATH "%.*s HTTP/1.0\r\n\r\n", RESPONDER_TOKEN_MAX,
             text);
    ask_once(responder, request, "Content-Length: 1024\r\n", NULL);
    CHECK(!responder_put(responder, span_make(text, RESPONDER_TOKEN_MAX + 1), span_make(text, 1)));
    CHECK(!responder_put(responder, span_make(text, 1), span_make(text, RESPONDER_ANSWER_MAX + 1)));
    CHECK(!responder_put(responder, SPAN_LITERAL(""), SPAN_LITERAL("x")));
    CHECK(!responder_put(responder, SPAN_LITERAL("a/b"), SPAN_LITERAL("x")));
    CHECK(responder_put(responder, SPAN_LITERAL("empty"), SPAN_LITERAL("")));
    ask_once(responder, "GET " PATH "empty HTTP/1.0\r\n\r\n", "Content-Length: 0\r\n", "");
    responder_free(responder);
}

static void bad_requests_are_refused(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    ask_once(responder, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "Allow: GET, HEAD\r\n",
             NULL);
    ask_once(responder, "GET /\r\n\r\n", "HTTP/1.1 400 ", NULL);
    ask_once(responder, "GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 400 ", NULL);
    ask_once(responder, "GET  HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", NULL);
    ask_once(responder, "\r\n", "HTTP/1.1 400 ", NULL);
    ask_once(responder, "\x16\x03\x01\x02\n\n", "HTTP/1.1 400 ", NULL);
    ask_once(responder, "GET / HTTP/1.0\r\n\r\n", "Connection: close\r\n", NULL);
    ask_once(responder, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "Connection: close\r\n",
             NULL);
    /* What looks like a second request is a body, and no answer is given to it. */
    ask_once(responder, "GET / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
             "HTTP/1.1 404 ", NULL);
    char large[20000];
    memset(large, 'x', sizeof large);
    memcpy(large, "GET / HTTP/1.1\r\nX:", 18);
    large[sizeof large - 1] = '\0';
    ask_once(responder, large, "HTTP/1.1 431 ", NULL);
    responder_free(responder);
}

static void requests_may_come_in_pieces_or_together(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    CHECK(responder_put(responder, SPAN_LITERAL("t"), SPAN_LITERAL("answer")));
    int fd = connect_to(responder, false);
    CHECK(fd >= 0);
    const char *request = "GET " PATH "t HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const char *c = request; c[1] != '\0'; c++)
        send_all(fd, span_make(c, 1));
    ask(fd, "\n", " 200 ", "answer");
    struct buf many;
    buf_init(&many, 8192);
    for (size_t i = 0; i < 50; i++)
        CHECK(buf_append_text(&many, request));
    send_all(fd, buf_span(&many));
    buf_free(&many);
    shutdown(fd, SHUT_WR);
    char answers[16384];
    size_t used = 0;
    ssize_t count;
    while ((count = recv(fd, answers + used, sizeof answers - used - 1, 0)) > 0)
        used += (size_t)count;
    answers[used] = '\0';
    size_t found = 0;
    for (const char *at = answers; (at = strstr(at, "\r\n\r\nanswer")) != NULL; at++)
        found++;
    CHECK_INT(found, 50);
    close(fd);
    responder_free(responder);
}

static void slow_and_surplus_connections_are_ended(void)
{
    struct responder *responder;
    struct error error;
    struct responder_limits limits = {.connections = 3, .idle_timeout_ms = 30};
    CHECK_OK(responder_new_limited("127.0.0.1:0", &limits, &responder, &error), error);
    int fd = connect_to(responder, false);
    CHECK(fd >= 0);
    send_all(fd, SPAN_LITERAL("GET / HT"));
    CHECK(is_closed(fd));
    close(fd);
    responder_free(responder);

    limits.idle_timeout_ms = 60000;
    CHECK_OK(responder_new_limited("127.0.0.1:0", &limits, &responder, &error), error);
    int fds[4];
    for (size_t i = 0; i < 4; i++) {
        fds[i] = connect_to(responder, false);
        CHECK(fds[i] >= 0);
        /* The answer shows that it was accepted, in this order. */
        if (i < 3)
            ask(fds[i], "GET / HTTP/1.1\r\n\r\n", " 404 ", NULL);
    }
    CHECK(is_closed(fds[0]));
    for (size_t i = 1; i < 4; i++)
        ask(fds[i], "GET / HTTP/1.1\r\n\r\n", " 404 ", NULL);
    for (size_t i = 0; i < 4; i++)
        close(fds[i]);
    responder_free(responder);
}

static void addresses_are_understood(void)
{
    struct responder *responder = open_any(":0");
    CHECK(responder_put(responder, SPAN_LITERAL("t"), SPAN_LITERAL("both")));
    ask_once(responder, "GET " PATH "t HTTP/1.0\r\n\r\n", " 200 ", "both");
    int fd = connect_to(responder, true);
    if (fd >= 0) {
        ask(fd, "GET " PATH "t HTTP/1.0\r\n\r\n", " 200 ", "both");
        close(fd);
        struct responder *six = open_any("[::1]:0");
        fd = connect_to(six, true);
        CHECK(fd >= 0);
        close(fd);
        CHECK_INT(connect_to(six, false), -1);
        responder_free(six);
    } else {
        printf("  (no IPv6 here: that part is left out)\n");
    }

    struct error error;
    struct responder *second = NULL;
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%d", responder_port(responder));
    CHECK(!responder_new(listen, &second, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_INT(error.sys, EADDRINUSE);
    CHECK_CONTAINS(error.text, "is in use: stop what listens there, or set "
                               "solvers.http-01.webroot");
    responder_free(responder);
    static const char *const wrong[] = {
        "",       "80",      "localhost:80",   "1.2.3:x",      "127.0.0.1:65536", "127.0.0.1:",
        "::1:80", "[::1:80", "[127.0.0.1]:80", "127.0.0.1:-1", "[]:80",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!responder_new(wrong[i], &second, &error));
        CHECK_INT(error.kind, ERROR_CONFIG);
        CHECK_CONTAINS(error.text, "is no address to listen on");
    }
    CHECK(!responder_new("192.0.2.1:0", &second, &error));
    CHECK_CONTAINS(error.text, "does not have the address");
    CHECK(second == NULL);
}

/* Tokens come and go while others are served. */

struct serving {
    struct responder *responder;
    atomic_bool stop;
    unsigned number;
};

static void *puts_and_removes(void *context)
{
    struct serving *serving = context;
    for (unsigned i = 0; !atomic_load(&serving->stop); i = (i + 1) % 300) {
        char token[32];
        snprintf(token, sizeof token, "t%u-%u", serving->number, i);
        CHECK(responder_put(serving->responder, span_of(token), span_of(token)));
        snprintf(token, sizeof token, "t%u-%u", serving->number, (i + 100) % 300);
        responder_remove(serving->responder, span_of(token));
    }
    return NULL;
}

static void puts_run_while_serving(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    CHECK(responder_put(responder, SPAN_LITERAL("steady"), SPAN_LITERAL("here")));
    struct serving serving[2];
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        serving[i] = (struct serving){.responder = responder, .number = i};
        CHECK(pthread_create(&threads[i], NULL, puts_and_removes, &serving[i]) == 0);
    }
    int fd = connect_to(responder, false);
    CHECK(fd >= 0);
    for (unsigned i = 0; i < 300; i++) {
        char text[256];
        ask(fd, "GET " PATH "steady HTTP/1.1\r\n\r\n", " 200 ", "here");
        snprintf(text, sizeof text, "GET " PATH "t1-%u HTTP/1.1\r\n\r\n", i);
        ask(fd, text, "HTTP/1.1 ", NULL); /* there or gone, but whole */
    }
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&serving[i].stop, true);
        pthread_join(threads[i], NULL);
    }
    close(fd);
    responder_free(responder);
}

static void many_tokens_are_found(void)
{
    struct responder *responder = open_any("127.0.0.1:0");
    int fd = connect_to(responder, false);
    CHECK(fd >= 0);
    char token[32];
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(token, sizeof token, "token-%u", i);
        CHECK(responder_put(responder, span_of(token), span_of(token)));
    }
    for (unsigned i = 0; i < 5000; i += 2) {
        snprintf(token, sizeof token, "token-%u", i);
        responder_remove(responder, span_of(token));
    }
    for (unsigned i = 0; i < 5000; i += 97) {
        char text[256];
        snprintf(token, sizeof token, "token-%u", i);
        snprintf(text, sizeof text, "GET " PATH "%s HTTP/1.1\r\n\r\n", token);
        ask(fd, text, i % 2 == 0 ? " 404 " : " 200 ", i % 2 == 0 ? NULL : token);
    }
    close(fd);
    responder_free(responder);
}

static const struct test tests[] = {
    TEST(tokens_are_answered),
    TEST(a_shared_token_is_removed_by_its_last_user),
    TEST(puts_have_ceilings),
    TEST(bad_requests_are_refused),
    TEST(requests_may_come_in_pieces_or_together),
    TEST(slow_and_surplus_connections_are_ended),
    TEST(addresses_are_understood),
    TEST(puts_run_while_serving),
    TEST(many_tokens_are_found),
};
TESTS_MAIN(tests)
