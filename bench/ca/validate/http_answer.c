#include "http_answer.h"

#include <string.h>

/* What the head says of the body. */
struct head {
    struct http_answer answer;
    bool chunked, has_length;
    uint64_t length;
};

/* Offset behind the empty line, 0 when there is none yet. */
static size_t head_len(struct span data)
{
    const char *end = data.len > 0 ? memmem(data.data, data.len, "\r\n\r\n", 4) : NULL;
    return end != NULL ? (size_t)(end - data.data) + 4 : 0;
}

/* "HTTP/1.1 200 OK" */
static bool status_read(struct span line, struct head *head)
{
    uint64_t status;
    if (!span_starts(line, "HTTP/1.0 ") && !span_starts(line, "HTTP/1.1 "))
        return false;
    TRY(line.len >= 12 && (line.len == 12 || line.data[12] == ' '));
    TRY(span_to_u64(span_make(line.data + 9, 3), 999, &status) && status >= 100);
    head->answer.status = (int)status;
    head->answer.keep = line.data[7] == '1';
    return true;
}

static bool field_read(struct span line, struct head *head)
{
    struct span value = line;
    struct span name = span_split(&value, ':');
    TRY(value.data != NULL && name.len > 0);
    value = span_trim(value);
    if (span_equal_nocase(name, SPAN_LITERAL("content-length"))) {
        uint64_t length;
        TRY(span_to_u64(value, UINT64_MAX / 2, &length));
        TRY(!head->has_length || length == head->length);
        head->has_length = true;
        head->length = length;
    } else if (span_equal_nocase(name, SPAN_LITERAL("transfer-encoding"))) {
        TRY(span_equal_nocase(value, SPAN_LITERAL("chunked")) && !head->chunked);
        head->chunked = true;
    } else if (span_equal_nocase(name, SPAN_LITERAL("connection"))) {
        if (span_equal_nocase(value, SPAN_LITERAL("close")))
            head->answer.keep = false;
    } else if (span_equal_nocase(name, SPAN_LITERAL("location"))) {
        head->answer.location = value;
    }
    return true;
}

static bool head_read(struct span text, struct head *head)
{
    struct span rest = span_make(text.data, text.len - 4);
    struct span line = span_split(&rest, '\n');
    TRY(status_read(span_trim(line), head));
    while (rest.data != NULL) {
        line = span_split(&rest, '\n');
        TRY(line.len > 0 && line.data[0] != ' ' && line.data[0] != '\t'); /* RFC 9112, 5.2 */
        TRY(field_read(line, head));
    }
    return true;
}

static bool chunk_size(struct span line, size_t *ret_size)
{
    struct span rest = span_trim(line);
    struct span digits = span_trim(span_split(&rest, ';'));
    size_t size = 0;
    TRY(digits.len > 0 && digits.len <= 8);
    for (size_t i = 0; i < digits.len; i++) {
        char c = (char)(digits.data[i] | 0x20);
        TRY((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
        size = size << 4 | (size_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_size = size;
    return true;
}

/* Walks the chunks (RFC 9112 section 7.1); with `moves` it puts them one behind the other. Fields
 * behind the last are taken for the connection's end. */
static enum http_answer_state chunks_walk(char *data, size_t len, bool moves,
                                          struct http_answer *answer)
{
    size_t at = 0;
    size_t out = 0;
    for (;;) {
        const char *end = len > at ? memchr(data + at, '\n', len - at) : NULL;
        size_t size;
        if (end == NULL)
            return len - at > 64 ? HTTP_ANSWER_BROKEN : HTTP_ANSWER_MORE;
        if (!chunk_size(span_make(data + at, (size_t)(end - data) - at), &size))
            return HTTP_ANSWER_BROKEN;
        at = (size_t)(end - data) + 1;
        if (size > HTTP_ANSWER_MAX)
            return HTTP_ANSWER_BROKEN;
        if (len - at < size + 2)
            return HTTP_ANSWER_MORE;
        if (memcmp(data + at + size, "\r\n", 2) != 0) {
            if (size > 0)
                return HTTP_ANSWER_BROKEN;
            answer->keep = false; /* trailer fields */
        }
        if (size == 0)
            break;
        if (moves)
            memmove(data + out, data + at, size);
        out += size;
        at += size + 2;
    }
    answer->body = span_make(data, out);
    return HTTP_ANSWER_WHOLE;
}

static enum http_answer_state body_read(char *data, size_t len, bool ended, struct head *head)
{
    struct http_answer *answer = &head->answer;
    if (answer->status == 204 || answer->status == 304) {
        answer->body = span_make(data, 0);
        return HTTP_ANSWER_WHOLE;
    }
    if (head->chunked) {
        answer->keep = answer->keep && !head->has_length; /* RFC 9112 section 6.1 */
        enum http_answer_state state = chunks_walk(data, len, false, answer);
        return state == HTTP_ANSWER_WHOLE ? chunks_walk(data, len, true, answer) : state;
    }
    if (head->has_length) {
        if (head->length > HTTP_ANSWER_MAX)
            return HTTP_ANSWER_BROKEN;
        if (len < head->length)
            return HTTP_ANSWER_MORE;
        answer->keep = answer->keep && len == head->length;
        answer->body = span_make(data, (size_t)head->length);
        return HTTP_ANSWER_WHOLE;
    }
    answer->keep = false;
    answer->body = span_make(data, len);
    return ended ? HTTP_ANSWER_WHOLE : HTTP_ANSWER_MORE;
}

enum http_answer_state http_answer_read(char *data, size_t len, bool ended,
                                        struct http_answer *ret_answer)
{
    for (;;) {
        struct head head = {0};
        size_t size = head_len(span_make(data, len));
        if (size == 0)
            return ended ? HTTP_ANSWER_BROKEN : HTTP_ANSWER_MORE;
        if (!head_read(span_make(data, size), &head) || head.answer.status == 101)
            return HTTP_ANSWER_BROKEN;
        data += size;
        len -= size;
        if (head.answer.status < 200)
            continue; /* 100 Continue and its kin: the answer follows */
        enum http_answer_state state = body_read(data, len, ended, &head);
        if (state == HTTP_ANSWER_WHOLE)
            *ret_answer = head.answer;
        return state == HTTP_ANSWER_MORE && ended ? HTTP_ANSWER_BROKEN : state;
    }
}
