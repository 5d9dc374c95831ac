#include "responder/answer.h"

#include <stdio.h>
#include <string.h>

#define CHALLENGE_PATH "/.well-known/acme-challenge/"

struct request {
    struct span method;
    struct span target;
    bool http11;
    bool keep;
};

size_t request_head_len(struct span bytes)
{
    size_t at = 0;
    /* Lines may end in LF alone: RFC 9112 section 2.2. */
    for (;;) {
        const char *end = at < bytes.len ? memchr(bytes.data + at, '\n', bytes.len - at) : NULL;
        if (end == NULL)
            return 0;
        size_t line_len = (size_t)(end - bytes.data) - at;
        bool blank = line_len == 0 || (line_len == 1 && bytes.data[at] == '\r');
        at += line_len + 1;
        if (blank)
            return at;
    }
}

static bool request_line_parse(struct span line, struct request *request)
{
    request->method = span_split(&line, ' ');
    request->target = span_split(&line, ' ');
    if (line.data == NULL || request->method.len == 0 || request->target.len == 0)
        return false;
    request->http11 = span_is(line, "HTTP/1.1");
    request->keep = request->http11;
    return request->http11 || span_is(line, "HTTP/1.0");
}

/* What a header does to the connection: after a body, which is never read, it cannot be kept. */
static void header_apply(struct span line, struct request *request)
{
    struct span value = line;
    struct span name = span_split(&value, ':');
    if (span_equal_nocase(name, SPAN_LITERAL("connection")) &&
        !span_equal_nocase(span_trim(value), SPAN_LITERAL("keep-alive")))
        request->keep = false;
    if (span_equal_nocase(name, SPAN_LITERAL("content-length")) ||
        span_equal_nocase(name, SPAN_LITERAL("transfer-encoding")))
        request->keep = false;
}

static bool request_parse(struct span head, struct request *ret_request)
{
    struct request request = {0};
    struct span rest = head;
    struct span line = span_split(&rest, '\n');
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    TRY(request_line_parse(line, &request));
    while (rest.data != NULL)
        header_apply(span_split(&rest, '\n'), &request);
    *ret_request = request;
    return true;
}

/* The path of a target in origin form or absolute form (RFC 9112 section 3.2). */
static struct span target_path(struct span target)
{
    if (!span_starts(target, "http://"))
        return target;
    struct span rest = span_from(target, 7);
    const char *slash = rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
    return slash != NULL ? span_from(rest, (size_t)(slash - rest.data)) : SPAN_LITERAL("/");
}

static struct answer write_out(char *answer, const char *status, const char *type, struct span body,
                               bool with_body, bool keep)
{
    int head = snprintf(
        answer, ANSWER_MAX, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s%s\r\n",
        status, type, body.len, strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "",
        keep ? "" : "Connection: close\r\n");
    struct answer result = {.len = (size_t)head, .keep = keep};
    if (with_body && body.len > 0) {
        memcpy(answer + head, body.data, body.len);
        result.len += body.len;
    }
    return result;
}

static struct answer write_refusal(char *answer, const char *status, bool with_body, bool keep)
{
    return write_out(answer, status, "text/plain", span_of(status), with_body, keep);
}

struct answer answer_write(struct span head, struct tokens *tokens, char *answer)
{
    struct request request;
    if (!request_parse(head, &request))
        return write_refusal(answer, "400 Bad Request", true, false);
    bool is_head = span_is(request.method, "HEAD");
    if (!is_head && !span_is(request.method, "GET"))
        return write_refusal(answer, "405 Method Not Allowed", true, false);
    struct span path = target_path(request.target);
    char text[RESPONDER_ANSWER_MAX];
    size_t len;
    if (!span_starts(path, CHALLENGE_PATH) ||
        !tokens_find(tokens, span_from(path, strlen(CHALLENGE_PATH)), text, &len))
        return write_refusal(answer, "404 Not Found", !is_head, request.keep);
    return write_out(answer, "200 OK", "application/octet-stream", span_make(text, len), !is_head,
                     request.keep);
}

struct answer answer_too_large(char *answer)
{
    return write_refusal(answer, "431 Request Header Fields Too Large", true, false);
}
