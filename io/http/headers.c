#include "http/headers.h"

#include <string.h>

static const struct {
    const char *name;
    size_t limit;
} fields[HEADER_FIELDS] = {
    [HEADER_CONTENT_TYPE] = {"content-type", 256},
    [HEADER_LOCATION] = {"location", 4096},
    [HEADER_RETRY_AFTER] = {"retry-after", 64},
    [HEADER_REPLAY_NONCE] = {"replay-nonce", 512},
    [HEADER_DATE] = {"date", 64},
    [HEADER_ETAG] = {"etag", 1024},
    [HEADER_AMZN_REQUEST_ID] = {"x-amzn-requestid", 256},
    [HEADER_AMZ_REQUEST_ID] = {"x-amz-request-id", 256},
    [HEADER_AMZN_ERROR_TYPE] = {"x-amzn-errortype", 512},
    [HEADER_AMZ_BUCKET_REGION] = {"x-amz-bucket-region", 64},
};

void headers_init(struct headers *headers)
{
    *headers = (struct headers){.ended = true};
    buf_init(&headers->text, HTTP_HEADERS_MAX);
}

void headers_free(struct headers *headers)
{
    buf_free(&headers->text);
}

/* An interim answer (1xx) comes before the real one: what it said is dropped, but still counts
 * towards the ceiling, or a server could send interim answers for ever. */
static void headers_restart(struct headers *headers)
{
    buf_clear(&headers->text);
    memset(headers->values, 0, sizeof headers->values);
    headers->link_count = 0;
    headers->last = NULL;
    headers->ended = false;
}

void headers_reset(struct headers *headers)
{
    headers_restart(headers);
    headers->total = 0;
    headers->ended = true;
    headers->http2 = false;
}

static bool value_is_clean(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool value_keep(struct headers *headers, struct header_value *slot, struct span value)
{
    slot->offset = headers->text.len;
    slot->len = value.len;
    slot->there = true;
    headers->last = slot;
    return buf_append_span(&headers->text, value);
}

static bool field_take(struct headers *headers, struct span name, struct span value)
{
    if (span_equal_nocase(name, SPAN_LITERAL("link"))) {
        if (headers->link_count == HTTP_LINKS_MAX || !value_is_clean(value))
            return true;
        return value_keep(headers, &headers->links[headers->link_count++], value);
    }
    for (size_t i = 0; i < HEADER_FIELDS; i++) {
        if (!span_equal_nocase(name, span_of(fields[i].name)))
            continue;
        if (value.len > fields[i].limit)
            return false;
        if (headers->values[i].there || !value_is_clean(value))
            return true;
        return value_keep(headers, &headers->values[i], value);
    }
    return true;
}

bool headers_take(struct headers *headers, struct span line)
{
    headers->total += line.len;
    if (line.len > HTTP_HEADER_LINE_MAX || headers->total > HTTP_HEADERS_MAX)
        return false;
    if (headers->ended) {
        if (span_starts(line, "HTTP/")) {
            headers_restart(headers);
            headers->http2 = span_starts(line, "HTTP/2");
        }
        return true;
    }
    if (span_trim(line).len == 0) {
        headers->ended = true;
        return true;
    }
    /* A folded line (obsolete, RFC 9112 section 5.2): better no value than half of one. */
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        if (headers->last != NULL)
            headers->last->there = false;
        headers->last = NULL;
        return true;
    }
    headers->last = NULL;
    struct span value = line;
    struct span name = span_split(&value, ':');
    if (value.data == NULL)
        return true;
    return field_take(headers, name, span_trim(value));
}

/* RFC 8288 section 3: link-value = "<" URI-Reference ">" *( OWS ";" OWS link-param ). */

static struct span blanks_skip(struct span text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = span_from(text, 1);
    return text;
}

static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Cuts a token off the front; empty when there is none. */
static struct span token_take(struct span *text)
{
    size_t len = 0;
    while (len < text->len && is_token_char(text->data[len]))
        len++;
    struct span token = span_make(text->data, len);
    *text = span_from(*text, len);
    return token;
}

/* Cuts the inside of a quoted string off the front; its escapes stay. False without its end. */
static bool quoted_take(struct span *text, struct span *ret_value)
{
    size_t at = 1;
    while (at < text->len && text->data[at] != '"')
        at += text->data[at] == '\\' ? 2 : 1;
    if (at >= text->len)
        return false;
    *ret_value = span_make(text->data + 1, at - 1);
    *text = span_from(*text, at + 1);
    return true;
}

/* A parameter's value: quoted, or all up to the next delimiter (people send URLs bare). */
static bool parameter_value_take(struct span *text, struct span *ret_value)
{
    if (text->len > 0 && text->data[0] == '"')
        return quoted_take(text, ret_value);
    size_t len = 0;
    while (len < text->len && strchr(";, \t\"", text->data[len]) == NULL)
        len++;
    *ret_value = span_make(text->data, len);
    *text = span_from(*text, len);
    return true;
}

struct link_value {
    struct span url;
    struct span relations;
    bool anchored; /* it speaks of another resource than the answer's: not for us */
};

/* Cuts one link off the front; false when the text is no link (the rest is then worth nothing). */
static bool link_take(struct span *text, struct link_value *ret_link)
{
    if (text->len == 0 || text->data[0] != '<')
        return false;
    const char *end = memchr(text->data, '>', text->len);
    if (end == NULL)
        return false;
    struct link_value link = {.url = span_make(text->data + 1, (size_t)(end - text->data) - 1)};
    struct span rest = blanks_skip(span_from(*text, link.url.len + 2));
    while (rest.len > 0 && rest.data[0] == ';') {
        rest = blanks_skip(span_from(rest, 1));
        struct span name = token_take(&rest);
        struct span value = {NULL, 0};
        rest = blanks_skip(rest);
        if (rest.len > 0 && rest.data[0] == '=') {
            rest = blanks_skip(span_from(rest, 1));
            if (!parameter_value_take(&rest, &value))
                return false;
        }
        if (span_equal_nocase(name, SPAN_LITERAL("rel")) && link.relations.data == NULL)
            link.relations = value;
        link.anchored = link.anchored || span_equal_nocase(name, SPAN_LITERAL("anchor"));
        rest = blanks_skip(rest);
    }
    *text = rest;
    *ret_link = link;
    return true;
}

/* One entry a relation type: rel="up alternate" is two. */
static void link_give(const struct link_value *link, struct http_response *response)
{
    if (link->anchored)
        return;
    struct span relations = link->relations;
    while (relations.data != NULL && response->link_count < HTTP_LINKS_MAX) {
        struct span relation = span_trim(span_split(&relations, ' '));
        if (relation.len > 0)
            response->links[response->link_count++] =
                (struct http_link){.url = link->url, .relation = relation};
    }
}

static void links_give(struct span line, struct http_response *response)
{
    struct link_value link;
    while (link_take(&line, &link)) {
        link_give(&link, response);
        /* Empty list elements are allowed: RFC 9110 section 5.6.1. */
        while (line.len > 0 && (line.data[0] == ',' || line.data[0] == ' ' || line.data[0] == '\t'))
            line = span_from(line, 1);
    }
}

static struct span value_span(const struct headers *headers, const struct header_value *value)
{
    if (!value->there)
        return (struct span){NULL, 0};
    return span_make(buf_text(&headers->text) + value->offset, value->len);
}

void headers_give(const struct headers *headers, struct http_response *response)
{
    const struct header_value *values = headers->values;
    struct span content_type = value_span(headers, &values[HEADER_CONTENT_TYPE]);
    response->content_type = span_trim(span_split(&content_type, ';'));
    response->location = value_span(headers, &values[HEADER_LOCATION]);
    response->retry_after = value_span(headers, &values[HEADER_RETRY_AFTER]);
    response->replay_nonce = value_span(headers, &values[HEADER_REPLAY_NONCE]);
    response->date = value_span(headers, &values[HEADER_DATE]);
    response->etag = value_span(headers, &values[HEADER_ETAG]);
    response->amazon_request_id =
        value_span(headers, values[HEADER_AMZN_REQUEST_ID].there ? &values[HEADER_AMZN_REQUEST_ID]
                                                                 : &values[HEADER_AMZ_REQUEST_ID]);
    response->amazon_error_type = value_span(headers, &values[HEADER_AMZN_ERROR_TYPE]);
    response->amazon_region = value_span(headers, &values[HEADER_AMZ_BUCKET_REGION]);
    response->link_count = 0;
    for (size_t i = 0; i < headers->link_count; i++)
        links_give(value_span(headers, &headers->links[i]), response);
}
