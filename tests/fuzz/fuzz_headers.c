/* io/http/headers: the header lines of an answer, as libcurl hands them over, and what the engine
 * reads out of them. */
#include "fuzz.h"

#include "acme/objects.h"
#include "base/clock.h"
#include "http/headers.h"

#include <string.h>

#define NOW 1790000000 /* 2026-09-21 */

static struct headers headers;

void fuzz_prepare(void)
{
    headers_init(&headers);
}

static void value_is_clean(struct span value)
{
    fuzz_require_inside(value, buf_span(&headers.text));
    for (size_t i = 0; i < value.len; i++)
        REQUIRE(((unsigned char)value.data[i] >= ' ' || value.data[i] == '\t') &&
                value.data[i] != 0x7f);
}

static void response_is_clean(const struct http_response *response)
{
    int64_t seconds;
    struct error error = {0};
    value_is_clean(response->content_type);
    value_is_clean(response->location);
    value_is_clean(response->retry_after);
    value_is_clean(response->replay_nonce);
    value_is_clean(response->date);
    value_is_clean(response->etag);
    value_is_clean(response->amazon_request_id);
    value_is_clean(response->amazon_error_type);
    value_is_clean(response->amazon_region);
    REQUIRE(response->link_count <= HTTP_LINKS_MAX);
    for (size_t i = 0; i < response->link_count; i++) {
        value_is_clean(response->links[i].url);
        value_is_clean(response->links[i].relation);
        REQUIRE(response->links[i].relation.len > 0);
    }
    if (time_parse_retry_after(response->retry_after, NOW, &seconds))
        REQUIRE(seconds >= 0);
    (void)!time_parse_http_date(response->date, &seconds);
    if (!acme_url_check(response->location, &error))
        fuzz_require_error(&error);
}

void fuzz_input(struct span input)
{
    struct http_response response = {0};
    struct span rest = input;
    headers_reset(&headers);
    bool taken = headers_take(&headers, SPAN_LITERAL("HTTP/2 200\r\n"));
    while (taken && rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.data) + 1 : rest.len;
        taken = headers_take(&headers, span_make(rest.data, len));
        rest = span_from(rest, len);
    }
    headers_give(&headers, &response);
    response_is_clean(&response);
}
