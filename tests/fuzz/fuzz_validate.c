/* bench/ca/validate: what web and DNS servers answer to the load CA's validation. Each input is
 * taken for all three that are read. */
#include "fuzz.h"

#include "ca/validate/http_answer.h"
#include "ca/validate/http_url.h"
#include "io/dns_answer.h"

#include <stdlib.h>
#include <string.h>

void fuzz_prepare(void)
{
}

static void http_is_read(struct span input, bool ended)
{
    struct http_answer answer;
    char *copy = malloc(input.len + 1);
    REQUIRE(copy != NULL);
    if (input.len > 0)
        memcpy(copy, input.data, input.len);
    /* Looked at after every read: what is not whole yet must stay as it was. */
    for (size_t len = input.len / 2; len < input.len; len += 1 + input.len / 4)
        if (http_answer_read(copy, len, false, &answer) == HTTP_ANSWER_WHOLE) {
            free(copy);
            return;
        }
    REQUIRE(input.len == 0 || memcmp(copy, input.data, input.len) == 0);
    if (http_answer_read(copy, input.len, ended, &answer) == HTTP_ANSWER_WHOLE) {
        fuzz_require_inside(answer.body, span_make(copy, input.len));
        fuzz_require_inside(answer.location, span_make(copy, input.len));
        REQUIRE(answer.status >= 200 && answer.status <= 999);
    }
    free(copy);
}

static void url_is_followed(struct span input)
{
    static const struct http_ports ports = {.http = 5002, .https = 5001};
    static const struct http_url from = {.host = "a.example", .path = "/one/two"};
    struct http_url url;
    struct http_url again;
    char text[HTTP_URL_MAX];
    if (http_url_follow(&from, input, &ports, &url) != NULL)
        return;
    fuzz_require_line(url.host);
    fuzz_require_line(url.path);
    REQUIRE(url.host[0] != '\0' && url.path[0] == '/');
    http_url_text(&url, &ports, text);
    REQUIRE(http_url_follow(&from, span_of(text), &ports, &again) == NULL);
    REQUIRE(http_url_equal(&url, &again));
}

static bool text_is_short(void *context, struct span text)
{
    size_t *count = context;
    REQUIRE(text.len <= DNS_TEXT_MAX);
    return ++*count < 5;
}

void fuzz_input(struct span input)
{
    char alias[DNS_NAME_MAX];
    size_t count = 0;
    http_is_read(input, false);
    http_is_read(input, true);
    url_is_followed(input);
    if (dns_answer_walk(input, text_is_short, &count, alias))
        REQUIRE(memchr(alias, '\0', sizeof alias) != NULL);
}
