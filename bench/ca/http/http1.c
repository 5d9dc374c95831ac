/* HTTP/1.1 on a peer: requests are read from `in` one after the other, each when the answer to the
 * one before is written, however many came at once (pipelining, RFC 9112 section 9.3.2). */
#include "ca/http/peer.h"

#include <stdio.h>
#include <string.h>

const char *http1_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}

static struct span in_rest(const struct http1 *http1)
{
    return span_from(buf_span(&http1->in), http1->in_at);
}

static bool http1_take(struct peer *peer, struct span bytes)
{
    peer_touch(peer);
    return buf_append_span(&peer->http1.in, bytes);
}

/* Answers may wait for long; what is pipelined behind them need not all be kept. */
static bool http1_full(const struct peer *peer)
{
    const struct http1 *http1 = &peer->http1;
    size_t request = HTTP1_HEAD_MAX + peer->thread->server->options.body_limit;
    return http1->in.len - http1->in_at >= (http1->current != NULL ? 0 : request) + READ_SIZE;
}

static bool http1_refuse(struct peer *peer, int status)
{
    struct exchange *exchange = exchange_take(peer);
    TRY(exchange != NULL);
    peer->http1.current = exchange;
    /* Nobody knows where the next request would begin. */
    buf_clear(&peer->http1.in);
    peer->http1.in_at = 0;
    exchange->method = CA_GET;
    exchange->http11 = true;
    exchange_refuse(exchange, status, true);
    return true;
}

/* Reads the head when it is whole; false when it is not, or was refused. */
static bool head_take(struct peer *peer, struct buf *out, bool *ret_ok)
{
    struct http1 *http1 = &peer->http1;
    struct http1_head head;
    size_t len;
    /* Some clients end a body with one line end too many: RFC 9112 section 2.2. */
    while (http1->head_at == 0 && span_starts(in_rest(http1), "\r\n"))
        http1->in_at += 2;
    enum http1_found found = http1_head_find(in_rest(http1), &http1->head_at, &len);
    if (found == HTTP1_MORE)
        return false;
    int refusal = found == HTTP1_WHOLE
                      ? http1_head_parse(span_make(in_rest(http1).data, len), &head)
                  : found == HTTP1_BROKEN ? 400
                                          : 431;
    if (refusal == 0 && head.length > peer->thread->server->options.body_limit)
        refusal = 413;
    if (refusal != 0) {
        *ret_ok = http1_refuse(peer, refusal);
        return false;
    }
    http1->head_len = len;
    http1->body_len = (size_t)head.length;
    http1->chunked = head.chunked;
    http1->chunks = (struct http1_chunks){0};
    bool body_lacks = head.chunked || in_rest(http1).len - len < http1->body_len;
    if (head.expects_continue && body_lacks)
        *ret_ok = buf_append_text(out, "HTTP/1.1 100 Continue\r\n\r\n");
    return true;
}

/* As head_take, for the body. Chunks are joined in a buffer of their own, and cut out of `in`. */
static bool body_take(struct peer *peer, struct span *ret_body, bool *ret_ok)
{
    struct http1 *http1 = &peer->http1;
    struct span rest = span_from(in_rest(http1), http1->head_len);
    if (!http1->chunked) {
        *ret_body = span_make(rest.data, http1->body_len);
        return rest.len >= http1->body_len;
    }
    struct span left = rest;
    enum http1_found found = http1_chunks_take(&http1->chunks, &left, &http1->body,
                                               peer->thread->server->options.body_limit);
    char *head_end = http1->in.data + http1->in_at + http1->head_len;
    if (left.len > 0)
        memmove(head_end, left.data, left.len);
    http1->in.len -= rest.len - left.len;
    *ret_body = buf_span(&http1->body);
    if (found == HTTP1_BROKEN || found == HTTP1_TOO_LARGE) {
        buf_clear(&http1->body);
        *ret_ok = http1_refuse(peer, found == HTTP1_BROKEN ? 400 : 413);
    }
    return found == HTTP1_WHOLE;
}

static bool request_run(struct peer *peer, struct span body)
{
    struct http1 *http1 = &peer->http1;
    struct http1_head head;
    /* It was read before; but `in` has moved since. */
    if (http1_head_parse(span_make(in_rest(http1).data, http1->head_len), &head) != 0)
        return false;
    struct exchange *exchange = exchange_take(peer);
    TRY(exchange != NULL);
    http1->current = exchange;
    exchange->method = head.method;
    exchange->http11 = head.http11;
    bool more = exchange_count(exchange, &peer->thread->counts.requests_http1);
    exchange->last = !more || !head.keep;
    struct ca_request request = {
        .method = head.method,
        .path = head.path,
        .host = head.host,
        .content_type = head.content_type,
        .user_agent = head.user_agent,
        .body = body,
    };
    exchange_run(exchange, &request);
    return true;
}

/* Begins the next request if it is there. */
static bool http1_next(struct peer *peer, struct buf *out)
{
    struct http1 *http1 = &peer->http1;
    struct span body;
    bool ok = true;
    if ((http1->head_len == 0 && !head_take(peer, out, &ok)) || !ok)
        return ok;
    if (!body_take(peer, &body, &ok))
        return ok;
    ok = request_run(peer, body);
    http1->in_at += http1->head_len + (http1->chunked ? 0 : http1->body_len);
    http1->head_len = http1->head_at = 0;
    buf_clear(&http1->body);
    return ok;
}

static bool head_write(struct peer *peer, const struct exchange *exchange, struct buf *out)
{
    const struct ca_response *response = &exchange->response;
    char text[256];
    int len = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\nDate: %s\r\n", response->status,
                       http1_reason(response->status), thread_date(peer->thread));
    if (response->status != 204 && response->status != 304)
        len += snprintf(text + len, sizeof text - (size_t)len, "Content-Length: %zu\r\n",
                        response->body.len);
    bool ok = buf_append(out, text, (size_t)len);
    if (response->content_type != NULL)
        ok = ok && buf_append_text(out, "Content-Type: ") &&
             buf_append_text(out, response->content_type) && buf_append(out, "\r\n", 2);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct ca_header *header = &response->headers[i];
        ok = ok && buf_append_text(out, header->name) && buf_append(out, ": ", 2) &&
             buf_append(out, response->header_text.data + header->offset, header->len) &&
             buf_append(out, "\r\n", 2);
    }
    if (exchange->last)
        ok = ok && buf_append_text(out, "Connection: close\r\n");
    else if (!exchange->http11)
        ok = ok && buf_append_text(out, "Connection: keep-alive\r\n");
    return ok && buf_append(out, "\r\n", 2);
}

/* Writes the answer's head and as much of its body as a turn takes. */
static bool answer_write(struct peer *peer, struct exchange *exchange, struct buf *out)
{
    if (!exchange->head_sent)
        TRY(head_write(peer, exchange, out));
    exchange->head_sent = true;
    size_t len = exchange->body_end - exchange->sent;
    if (len > OUT_FILL)
        len = OUT_FILL;
    if (len > 0)
        TRY(buf_append(out, exchange->response.body.data + exchange->sent, len));
    exchange->sent += len;
    if (exchange->sent < exchange->body_end)
        return true;
    if (exchange->last || exchange->cut)
        peer->end = END_CLOSE;
    peer->http1.current = NULL;
    exchange_release(exchange);
    return true;
}

/* What was read is dropped from the front. */
static void in_compact(struct http1 *http1)
{
    struct span rest = in_rest(http1);
    if (rest.len > 0 && http1->in_at > 0)
        memmove(http1->in.data, rest.data, rest.len);
    http1->in.len = rest.len;
    http1->in_at = 0;
    if (rest.len == 0 && http1->in.capacity > READ_SIZE)
        buf_free(&http1->in);
}

static bool http1_fill(struct peer *peer, struct buf *out)
{
    struct http1 *http1 = &peer->http1;
    while (peer->end == END_NOT && out->len < OUT_FILL) {
        if (http1->current == NULL)
            TRY(http1_next(peer, out));
        if (http1->current == NULL || !http1->current->ready || peer->end != END_NOT)
            break;
        TRY(answer_write(peer, http1->current, out));
    }
    in_compact(http1);
    return true;
}

static void http1_answer(struct exchange *exchange)
{
    (void)exchange; /* the next fill takes it */
}

static void http1_close(struct peer *peer)
{
    if (peer->http1.current != NULL)
        exchange_release(peer->http1.current);
    buf_free(&peer->http1.in);
    buf_free(&peer->http1.body);
}

const struct protocol http1_protocol = {
    .take = http1_take,
    .fill = http1_fill,
    .answer = http1_answer,
    .full = http1_full,
    .close = http1_close,
};
