#include "ca/http/head.h"

#include <string.h>

enum { CHUNK_LINE_MAX = 1024, TRAILERS_MAX = 16 * 1024 };

enum http1_found http1_head_find(struct span bytes, size_t *at, size_t *ret_len)
{
    for (;;) {
        struct span rest = span_from(bytes, *at);
        const char *end = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
        if (end == NULL)
            return bytes.len > HTTP1_HEAD_MAX ? HTTP1_TOO_LARGE : HTTP1_MORE;
        size_t line_len = (size_t)(end - rest.data);
        /* RFC 9112 section 2.2 lets us take a lone LF for a line's end; nobody sends it but those
         * who hope that the next reader does not. */
        if (line_len == 0 || end[-1] != '\r')
            return HTTP1_BROKEN;
        *at += line_len + 1;
        if (*at > HTTP1_HEAD_MAX)
            return HTTP1_TOO_LARGE;
        if (line_len == 1) {
            *ret_len = *at;
            return HTTP1_WHOLE;
        }
    }
}

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.len > 0;
}

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.len > 0;
}

/* Bytes above 0x7f are allowed (obs-text, RFC 9110 section 5.5). */
static bool is_field_value(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static enum ca_method method_of(struct span name)
{
    if (span_is(name, "POST"))
        return CA_POST;
    if (span_is(name, "GET"))
        return CA_GET;
    return span_is(name, "HEAD") ? CA_HEAD : CA_METHOD_UNKNOWN;
}

/* RFC 9112 section 3.2: in origin form, or in absolute form, whose authority then counts in place
 * of Host. */
static bool target_apply(struct span target, struct http1_head *head)
{
    TRY(is_visible(target));
    if (target.data[0] == '/') {
        head->path = target;
        return true;
    }
    if (span_is(target, "*")) {
        head->path = SPAN_LITERAL("/");
        return head->method == CA_METHOD_UNKNOWN;
    }
    size_t scheme = span_starts(target, "https://") ? 8 : span_starts(target, "http://") ? 7 : 0;
    TRY(scheme > 0);
    struct span rest = span_from(target, scheme);
    const char *slash = rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
    size_t authority = slash != NULL ? (size_t)(slash - rest.data) : rest.len;
    TRY(authority > 0);
    head->host = span_make(rest.data, authority);
    head->path = slash != NULL ? span_from(rest, authority) : SPAN_LITERAL("/");
    return true;
}

static int request_line_parse(struct span line, struct http1_head *head)
{
    struct span method = span_split(&line, ' ');
    struct span target = span_split(&line, ' ');
    if (line.data == NULL || !is_token(method))
        return 400;
    head->http11 = span_is(line, "HTTP/1.1");
    head->keep = head->http11;
    if (!head->http11 && !span_is(line, "HTTP/1.0"))
        return span_starts(line, "HTTP/") ? 505 : 400;
    head->method = method_of(method);
    return target_apply(target, head) ? 0 : 400;
}

/* What came once already is no longer believed when it comes again. */
struct seen {
    bool host;
    bool length;
    bool encoding;
    bool close;
};

static void connection_apply(struct span value, struct http1_head *head, struct seen *seen)
{
    while (value.data != NULL) {
        struct span option = span_trim(span_split(&value, ','));
        if (span_equal_nocase(option, SPAN_LITERAL("close")))
            seen->close = true;
        if (span_equal_nocase(option, SPAN_LITERAL("keep-alive")))
            head->keep = true;
    }
}

static int field_apply(struct span name, struct span value, struct http1_head *head,
                       struct seen *seen)
{
    if (span_equal_nocase(name, SPAN_LITERAL("host"))) {
        if (seen->host || (value.len > 0 && !is_visible(value)))
            return 400;
        seen->host = true;
        if (head->host.data == NULL)
            head->host = value;
    } else if (span_equal_nocase(name, SPAN_LITERAL("content-length"))) {
        if (seen->length || !span_to_u64(value, UINT64_MAX, &head->length))
            return 400;
        seen->length = true;
    } else if (span_equal_nocase(name, SPAN_LITERAL("transfer-encoding"))) {
        if (seen->encoding || !head->http11)
            return 400;
        seen->encoding = head->chunked = true;
        if (!span_equal_nocase(value, SPAN_LITERAL("chunked")))
            return 501;
    } else if (span_equal_nocase(name, SPAN_LITERAL("content-type"))) {
        head->content_type = span_trim(span_split(&value, ';'));
    } else if (span_equal_nocase(name, SPAN_LITERAL("user-agent"))) {
        head->user_agent = value;
    } else if (span_equal_nocase(name, SPAN_LITERAL("connection"))) {
        connection_apply(value, head, seen);
    } else if (span_equal_nocase(name, SPAN_LITERAL("expect"))) {
        if (!span_equal_nocase(value, SPAN_LITERAL("100-continue")))
            return 417;
        head->expects_continue = head->http11;
    }
    return 0;
}

/* The next line without its CR LF; http1_head_find has seen to it that each ends so. */
static struct span line_take(struct span *rest)
{
    struct span line = span_split(rest, '\n');
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

int http1_head_parse(struct span bytes, struct http1_head *ret_head)
{
    struct http1_head head = {0};
    struct seen seen = {0};
    struct span line = line_take(&bytes);
    int refusal = request_line_parse(line, &head);
    for (line = line_take(&bytes); refusal == 0 && line.len > 0; line = line_take(&bytes)) {
        struct span value = line;
        struct span name = span_split(&value, ':');
        /* A folded line (obsolete) begins with a blank, and so has no token for a name. */
        if (value.data == NULL || !is_token(name) || !is_field_value(value))
            return 400;
        refusal = field_apply(name, span_trim(value), &head, &seen);
    }
    if (refusal != 0)
        return refusal;
    if ((seen.length && seen.encoding) || (head.http11 && !seen.host))
        return 400;
    head.keep = head.keep && !seen.close;
    *ret_head = head;
    return 0;
}

static bool chunk_size_parse(struct span line, uint64_t *ret_size)
{
    struct span digits = span_split(&line, ';');
    TRY(digits.len > 0 && digits.len <= 15);
    uint64_t size = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        TRY(digit >= 0);
        size = size * 16 + (uint64_t)digit;
    }
    *ret_size = size;
    return true;
}

/* Cuts a whole line off, without its end. */
static enum http1_found chunk_line_take(struct span *input, struct span *ret_line)
{
    const char *end = input->len > 0 ? memchr(input->data, '\n', input->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - input->data) : input->len;
    if (len > CHUNK_LINE_MAX)
        return HTTP1_BROKEN;
    if (end == NULL)
        return HTTP1_MORE;
    if (len == 0 || end[-1] != '\r')
        return HTTP1_BROKEN;
    *ret_line = span_make(input->data, len - 1);
    *input = span_from(*input, len + 1);
    return HTTP1_WHOLE;
}

static enum http1_found chunk_data_take(struct http1_chunks *chunks, struct span *input,
                                        struct buf *body)
{
    size_t len = input->len < chunks->left ? input->len : (size_t)chunks->left;
    if (len > 0 && !buf_append(body, input->data, len))
        return HTTP1_TOO_LARGE;
    *input = span_from(*input, len);
    chunks->left -= len;
    if (chunks->left > 0)
        return HTTP1_MORE;
    chunks->state = CHUNK_END;
    return HTTP1_WHOLE;
}

/* A line of a state; HTTP1_WHOLE with the state CHUNK_TRAILERS and an empty line ends the body. */
static enum http1_found chunk_line_apply(struct http1_chunks *chunks, struct span line,
                                         size_t body_room)
{
    switch (chunks->state) {
    case CHUNK_SIZE:
        if (!is_field_value(line) || !chunk_size_parse(line, &chunks->left))
            return HTTP1_BROKEN;
        if (chunks->left > body_room)
            return HTTP1_TOO_LARGE;
        chunks->state = chunks->left > 0 ? CHUNK_DATA : CHUNK_TRAILERS;
        return HTTP1_WHOLE;
    case CHUNK_END:
        chunks->state = CHUNK_SIZE;
        return line.len == 0 ? HTTP1_WHOLE : HTTP1_BROKEN;
    default:
        chunks->trailers_len += line.len + 2;
        return chunks->trailers_len <= TRAILERS_MAX ? HTTP1_WHOLE : HTTP1_BROKEN;
    }
}

enum http1_found http1_chunks_take(struct http1_chunks *chunks, struct span *input,
                                   struct buf *body, size_t body_limit)
{
    for (;;) {
        enum http1_found found;
        if (chunks->state == CHUNK_DATA) {
            found = chunk_data_take(chunks, input, body);
        } else {
            struct span line;
            found = chunk_line_take(input, &line);
            bool last = chunks->state == CHUNK_TRAILERS;
            if (found == HTTP1_WHOLE)
                found = chunk_line_apply(chunks, line, body_limit - body->len);
            if (found == HTTP1_WHOLE && last && line.len == 0)
                return HTTP1_WHOLE;
        }
        if (found != HTTP1_WHOLE)
            return found;
    }
}
