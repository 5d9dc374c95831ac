/* bench/ca/http/head: HTTP/1.1 requests to the load CA, several on one connection. What is read of
 * them must not depend on the pieces in which they come. */
#include "fuzz.h"

#include "ca/http/head.h"

#include <string.h>

enum { BODY_LIMIT = 64, REQUESTS_MAX = 64 };

void fuzz_prepare(void)
{
}

static void head_is_sound(const struct http1_head *head, struct span bytes)
{
    REQUIRE(span_starts(head->path, "/"));
    REQUIRE(memchr(head->path.data, '\r', head->path.len) == NULL);
    REQUIRE(memchr(head->path.data, ' ', head->path.len) == NULL);
    if (head->path.len > 1)
        fuzz_require_inside(head->path, bytes);
    fuzz_require_inside(head->host, bytes);
    fuzz_require_inside(head->content_type, bytes);
    fuzz_require_inside(head->user_agent, bytes);
    REQUIRE(memchr(bytes.data, '\0', bytes.len) == NULL);
    REQUIRE(head->http11 || (!head->chunked && !head->expects_continue));
    REQUIRE(!head->chunked || head->length == 0);
}

/* Finds the head with the bytes given one more at a time. */
static void head_found_in_pieces(struct span bytes, enum http1_found expected, size_t expected_len)
{
    size_t at = 0;
    size_t len = 0;
    enum http1_found found = HTTP1_MORE;
    for (size_t i = 0; i <= bytes.len && found == HTTP1_MORE; i++)
        found = http1_head_find(span_make(bytes.data, i), &at, &len);
    REQUIRE(found == expected && len == expected_len);
}

/* How a chunked body ended, and how many bytes of the input it took, `step` more at a time. */
static enum http1_found chunks_take(struct span bytes, size_t step, struct buf *body,
                                    size_t *ret_taken)
{
    struct http1_chunks chunks = {0};
    enum http1_found found = HTTP1_MORE;
    size_t taken = 0;
    for (size_t given = 0; found == HTTP1_MORE && given < bytes.len;) {
        given += step < bytes.len - given ? step : bytes.len - given;
        struct span input = span_make(bytes.data + taken, given - taken);
        found = http1_chunks_take(&chunks, &input, body, BODY_LIMIT);
        REQUIRE(input.len <= given - taken && body->len <= BODY_LIMIT);
        taken = given - input.len;
    }
    *ret_taken = taken;
    return found;
}

/* The length of the body, or SIZE_MAX when there is no way to go on behind it. */
static size_t chunked_len(struct span bytes)
{
    struct buf whole;
    struct buf pieces;
    size_t whole_len;
    size_t pieces_len;
    buf_init(&whole, BODY_LIMIT);
    buf_init(&pieces, BODY_LIMIT);
    enum http1_found found = chunks_take(bytes, SIZE_MAX, &whole, &whole_len);
    REQUIRE(chunks_take(bytes, 1, &pieces, &pieces_len) == found);
    if (found == HTTP1_WHOLE)
        REQUIRE(whole_len == pieces_len && span_equal(buf_span(&whole), buf_span(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return found == HTTP1_WHOLE ? whole_len : SIZE_MAX;
}

/* The bytes behind the first request, or {NULL, 0}. */
static struct span request_read(struct span bytes)
{
    size_t at = 0;
    size_t len = 0;
    struct http1_head head;
    enum http1_found found = http1_head_find(bytes, &at, &len);
    head_found_in_pieces(bytes, found, len);
    if (found != HTTP1_WHOLE)
        return (struct span){0};
    REQUIRE(len > 1 && len <= bytes.len && len <= HTTP1_HEAD_MAX);
    int refusal = http1_head_parse(span_make(bytes.data, len), &head);
    REQUIRE(refusal == 0 || (refusal >= 400 && refusal <= 505));
    if (refusal != 0)
        return (struct span){0};
    head_is_sound(&head, span_make(bytes.data, len));
    struct span rest = span_from(bytes, len);
    size_t body_len = head.chunked ? chunked_len(rest) : (size_t)head.length;
    if (body_len > rest.len)
        return (struct span){0};
    return span_from(rest, body_len);
}

void fuzz_input(struct span input)
{
    for (int i = 0; i < REQUESTS_MAX && input.len > 0; i++)
        input = request_read(input);
}
