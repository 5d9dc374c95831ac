/* bench/ca/validate: the parts that read a stranger's bytes. */
#include "check.h"
#include "random.h"

#include "ca/validate/http_answer.h"
#include "ca/validate/http_url.h"
#include "io/dns_answer.h"

struct expected {
    const char *text;
    const char *body;
    int status;
    bool keep, until_end;
};

static enum http_answer_state read_copy(const char *text, size_t len, bool ended,
                                        struct http_answer *answer, char *copy)
{
    memcpy(copy, text, len);
    return http_answer_read(copy, len, ended, answer);
}

/* Whole at its last byte and not before, and broken when it ends before that. */
static void answers_come_in_pieces(void)
{
    static const struct expected cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", 200, true, false},
        {"HTTP/1.1 200\r\nCONTENT-LENGTH:3\r\n\r\nabc", "abc", 200, true, false},
        {"HTTP/1.1 404 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "", 404, false,
         false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", 200, false, false},
        {"HTTP/1.1 204 No\r\n\r\n", "", 204, true, false},
        {"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hm\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
         "Content-Length: 1\r\n\r\na",
         "a", 200, true, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n00B;e=f\r\nbcdefghijkl\r\n"
         "0\r\n\r\n",
         "abcdefghijkl", 200, true, false},
        {"HTTP/1.1 200 OK\r\n\r\nabc", "abc", 200, false, true},
    };
    char copy[512];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct expected *expected = &cases[i];
        size_t len = strlen(expected->text);
        struct http_answer answer;
        for (size_t cut = 0; cut < len; cut++) {
            CHECK_INT(read_copy(expected->text, cut, false, &answer, copy), HTTP_ANSWER_MORE);
            if (!expected->until_end)
                CHECK_INT(read_copy(expected->text, cut, true, &answer, copy), HTTP_ANSWER_BROKEN);
        }
        CHECK_INT(read_copy(expected->text, len, expected->until_end, &answer, copy),
                  HTTP_ANSWER_WHOLE);
        CHECK_INT(answer.status, expected->status);
        CHECK_INT(answer.keep, expected->keep);
        CHECK(span_is(answer.body, expected->body));
    }
}

static void answers_that_are_none(void)
{
    static const char *const cases[] = {
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 101 Switch\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    };
    char copy[512];
    struct http_answer answer;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(read_copy(cases[i], strlen(cases[i]), false, &answer, copy), HTTP_ANSWER_BROKEN);
}

/* What is behind an answer belongs to none: the connection is not used again. */
static void bytes_behind_an_answer(void)
{
    char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n";
    struct http_answer answer;
    CHECK_INT(http_answer_read(text, strlen(text), false, &answer), HTTP_ANSWER_WHOLE);
    CHECK(span_is(answer.body, "a") && !answer.keep);
}

static void urls_are_followed(void)
{
    static const struct http_ports ports = {.http = 5002, .https = 443};
    static const struct {
        const char *location, *url; /* NULL: refused */
    } cases[] = {
        {"http://b.example", "http://b.example:5002/"},
        {"http://b.example?q", "http://b.example:5002/?q"},
        {"http://b.example:5002/x", "http://b.example:5002/x"},
        {"http://b.example:80/x", "http://b.example:5002/x"},
        {"https://b.example/x#y", "https://b.example/x"},
        {"https://[2001:DB8::1]:443/x", "https://[2001:db8::1]/x"},
        {"http://[::1]/x", "http://[::1]:5002/x"},
        {"//b.example/x", "http://b.example:5002/x"},
        {"/x", "http://a.example:5002/x"},
        {"x", "http://a.example:5002/one/x"},
        {"?q", "http://a.example:5002/one/two?q"},
        {"x:y", NULL},
        {"/x:y", "http://a.example:5002/x:y"},
        {"#y", NULL},
        {"", NULL},
        {"http://", NULL},
        {"http:///x", NULL},
        {"http://:80/x", NULL},
        {"http://b.example:/x", NULL},
        {"http://b.example:443/x", NULL},
        {"http://b.example:00/x", NULL},
        {"http://[]/x", NULL},
        {"http://[::1/x", NULL},
        {"http://b\\c.example/", NULL},
        {"/\xc3\xbc", NULL},
        {"/a\tb", NULL},
    };
    const struct http_url from = {.host = "a.example", .path = "/one/two?three/four"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_url url;
        char text[HTTP_URL_MAX];
        const char *why = http_url_follow(&from, span_of(cases[i].location), &ports, &url);
        CHECK_INT(why == NULL, cases[i].url != NULL);
        if (why == NULL)
            CHECK_TEXT(http_url_text(&url, &ports, text), cases[i].url);
    }
    char *longest = malloc(HTTP_URL_MAX + 1);
    struct http_url url;
    CHECK(longest != NULL);
    memset(longest, 'x', HTTP_URL_MAX);
    longest[0] = '/';
    CHECK(http_url_follow(&from, span_make(longest, HTTP_PATH_MAX - 1), &ports, &url) == NULL);
    CHECK(http_url_follow(&from, span_make(longest, HTTP_PATH_MAX), &ports, &url) != NULL);
    CHECK(http_url_follow(&from, span_make(longest, HTTP_URL_MAX), &ports, &url) != NULL);
    free(longest);
}

static bool count_text(void *context, struct span text)
{
    size_t *total = context;
    *total += text.len;
    return true;
}

/* A TXT record of two strings and a CNAME, by RFC 1035. */
static const char dns_message[] = "\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0"
                                  "\x01"
                                  "a\x02"
                                  "bc\0\0\x10\0\x01"
                                  "\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01"
                                  "d\xc0\x0e"
                                  "\xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x07\x02xy\x03zzz";

static void dns_answers(void)
{
    struct span whole = span_make(dns_message, sizeof dns_message - 1);
    char alias[DNS_NAME_MAX];
    size_t total = 0;
    CHECK(dns_answer_walk(whole, count_text, &total, alias));
    CHECK_INT(total, 5);
    CHECK_TEXT(alias, "d.bc");
    for (size_t len = 0; len < whole.len; len++) {
        char *part = malloc(len + 1); /* its end is where its memory ends */
        CHECK(part != NULL);
        memcpy(part, whole.data, len);
        CHECK(!dns_answer_walk(span_make(part, len), count_text, &total, alias));
        free(part);
    }
    char copy[sizeof dns_message - 1];
    memcpy(copy, dns_message, sizeof copy);
    copy[sizeof copy - 4]++; /* the last string is longer than its record */
    CHECK(!dns_answer_walk(span_make(copy, sizeof copy), count_text, &total, alias));
    for (size_t i = 0; i < 20000; i++) {
        memcpy(copy, dns_message, sizeof copy);
        for (size_t j = 0; j <= i % 3; j++)
            copy[random_below(sizeof copy)] = (char)random_below(256);
        if (dns_answer_walk(span_make(copy, sizeof copy), count_text, &total, alias))
            CHECK(memchr(alias, '\0', sizeof alias) != NULL);
    }
}

static const struct test tests[] = {
    TEST(answers_come_in_pieces), TEST(answers_that_are_none), TEST(bytes_behind_an_answer),
    TEST(urls_are_followed),      TEST(dns_answers),
};

TESTS_MAIN(tests)
