/* HTTP/2 on a peer, by nghttp2: it knows frames, streams, flow control and header compression; here
 * is what a stream's request and answer are. nghttp2 is told of a stream's exchange as the stream's
 * user data; a stream without one was refused, or is over. */
#include "ca/http/peer.h"

#include <stdio.h>
#include <string.h>

enum { HEADERS_MAX = 4 + CA_HEADERS_MAX, STREAMS_DEFAULT = 100, DROP_MAX = 16 * 1024 * 1024 };

static unsigned streams_limit(const struct peer *peer)
{
    unsigned limit =
        atomic_load_explicit(&peer->thread->server->limit_streams, memory_order_relaxed);
    return limit > 0 ? limit : STREAMS_DEFAULT;
}

static bool settings_tell(struct peer *peer)
{
    struct http2 *http2 = &peer->http2;
    bool first = http2->streams_told == 0;
    http2->streams_told = streams_limit(peer);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, http2->streams_told},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_HEAD_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}, /* may be told once only */
    };
    return nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings, first ? 3 : 1) == 0;
}

bool http2_open(struct peer *peer)
{
    const struct server *server = peer->thread->server;
    LIST_INIT(&peer->http2.exchanges);
    TRY(nghttp2_session_server_new2(&peer->http2.session, server->http2_callbacks, peer,
                                    server->http2_option) == 0);
    return settings_tell(peer);
}

/* Streams that were begun are answered; later ones are not heard, and the client may send them
 * again on another connection (RFC 9113 section 6.8). */
static void goaway_tell(struct peer *peer)
{
    struct http2 *http2 = &peer->http2;
    if (http2->last_stream != 0)
        return;
    http2->last_stream = nghttp2_session_get_last_proc_stream_id(http2->session);
    if (nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE, http2->last_stream,
                              NGHTTP2_NO_ERROR, NULL, 0) != 0)
        peer->end = END_CLOSE;
}

static struct exchange *exchange_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int headers_begin(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct peer *peer = context;
    int32_t stream = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
        (peer->http2.last_stream != 0 && stream > peer->http2.last_stream))
        return 0;
    struct exchange *exchange = exchange_take(peer);
    if (exchange == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    exchange->stream = stream;
    exchange->method = CA_METHOD_UNKNOWN;
    LIST_INSERT_HEAD(&peer->http2.exchanges, exchange, streams);
    (void)nghttp2_session_set_stream_user_data(session, stream, exchange);
    return 0;
}

static void field_keep(struct exchange *exchange, enum http2_field field, struct span value)
{
    exchange->fields[field].offset = exchange->head.len;
    exchange->fields[field].len = value.len;
    exchange->fields[field].there = buf_append_span(&exchange->head, value);
}

static struct span field_span(const struct exchange *exchange, enum http2_field field)
{
    if (!exchange->fields[field].there)
        return (struct span){NULL, 0};
    return span_make(buf_text(&exchange->head) + exchange->fields[field].offset,
                     exchange->fields[field].len);
}

static void field_take(struct exchange *exchange, struct span name, struct span value)
{
    if (span_is(name, ":method"))
        exchange->method = span_is(value, "POST")   ? CA_POST
                           : span_is(value, "GET")  ? CA_GET
                           : span_is(value, "HEAD") ? CA_HEAD
                                                    : CA_METHOD_UNKNOWN;
    else if (span_is(name, ":path"))
        field_keep(exchange, FIELD_PATH, value);
    else if (span_is(name, ":authority") ||
             (span_is(name, "host") && !exchange->fields[FIELD_AUTHORITY].there))
        field_keep(exchange, FIELD_AUTHORITY, value);
    else if (span_is(name, "content-type"))
        field_keep(exchange, FIELD_CONTENT_TYPE, value);
    else if (span_is(name, "user-agent"))
        field_keep(exchange, FIELD_USER_AGENT, value);
}

static int header_came(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *context)
{
    (void)flags;
    (void)context;
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    if (exchange == NULL || frame->hd.type != NGHTTP2_HEADERS ||
        frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    exchange->fields_len += name_len + value_len + 32;
    if (exchange->fields_len <= HTTP1_HEAD_MAX)
        field_take(exchange, span_make(name, name_len), span_make(value, value_len));
    return 0;
}

static void refuse(struct exchange *exchange, int status)
{
    exchange->refused = true;
    exchange_refuse(exchange, status, false);
}

/* The rest of a refused request is not wanted, and RFC 9113 section 8.1 lets us reset the stream at
 * once. But libcurl 7.88 then forgets the answer when it was still sending: so the rest is dropped
 * as it comes, within reason. */
static void data_drop(nghttp2_session *session, struct exchange *exchange, size_t len)
{
    exchange->dropped += len;
    if (exchange->dropped > DROP_MAX)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, exchange->stream,
                                        NGHTTP2_NO_ERROR);
}

static int data_came(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                     size_t len, void *context)
{
    (void)flags;
    (void)context;
    struct exchange *exchange = exchange_of(session, stream);
    if (exchange == NULL)
        return 0;
    if (exchange->refused)
        data_drop(session, exchange, len);
    else if (!buf_append(&exchange->body, data, len))
        refuse(exchange, 413);
    return 0;
}

static void request_run(struct peer *peer, struct exchange *exchange)
{
    struct span path = field_span(exchange, FIELD_PATH);
    struct span content_type = field_span(exchange, FIELD_CONTENT_TYPE);
    bool any = span_is(path, "*") && exchange->method == CA_METHOD_UNKNOWN; /* OPTIONS */
    if (!span_starts(path, "/") && !any) {
        refuse(exchange, 400);
        return;
    }
    struct ca_request request = {
        .method = exchange->method,
        .path = any ? SPAN_LITERAL("/") : path,
        .host = field_span(exchange, FIELD_AUTHORITY),
        .content_type = span_trim(span_split(&content_type, ';')),
        .user_agent = field_span(exchange, FIELD_USER_AGENT),
        .body = buf_span(&exchange->body),
    };
    if (!exchange_count(exchange, &peer->thread->counts.requests_http2))
        goaway_tell(peer);
    exchange_run(exchange, &request);
}

static int frame_came(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct peer *peer = context;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct exchange *exchange = exchange_of(session, frame->hd.stream_id);
    if (exchange == NULL)
        return 0;
    exchange->complete = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (exchange->fields_len > HTTP1_HEAD_MAX && !exchange->refused)
        refuse(exchange, 431);
    if (exchange->complete && !exchange->refused)
        request_run(peer, exchange);
    return 0;
}

static int stream_closed(nghttp2_session *session, int32_t stream, uint32_t code, void *context)
{
    (void)code;
    struct peer *peer = context;
    struct exchange *exchange = exchange_of(session, stream);
    if (exchange == NULL)
        return 0;
    if (exchange->last)
        goaway_tell(peer);
    LIST_REMOVE(exchange, streams);
    (void)nghttp2_session_set_stream_user_data(session, stream, NULL);
    exchange_release(exchange);
    return 0;
}

static ssize_t body_read(nghttp2_session *session, int32_t stream, uint8_t *data, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)source;
    (void)context;
    struct exchange *exchange = exchange_of(session, stream);
    if (exchange == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t len = exchange->body_end - exchange->sent;
    /* With this nghttp2 resets the stream. */
    if (len == 0 && exchange->cut)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (len > size)
        len = size;
    if (len > 0)
        memcpy(data, exchange->response.body.data + exchange->sent, len);
    exchange->sent += len;
    if (exchange->sent == exchange->body_end && !exchange->cut)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

static nghttp2_nv header_make(const char *name, const char *value, size_t len)
{
    /* nghttp2 does not write to them. */
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .namelen = strlen(name),
        .value = (uint8_t *)(uintptr_t)value,
        .valuelen = len,
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME,
    };
}

static void http2_answer(struct exchange *exchange)
{
    struct peer *peer = exchange->peer;
    const struct ca_response *response = &exchange->response;
    nghttp2_nv headers[HEADERS_MAX];
    size_t count = 0;
    char status[16];
    char length[32];
    const char *date = thread_date(peer->thread);
    int len = snprintf(status, sizeof status, "%d", response->status);
    headers[count++] = header_make(":status", status, (size_t)len);
    headers[count++] = header_make("date", date, strlen(date));
    len = snprintf(length, sizeof length, "%zu", response->body.len);
    if (response->status != 204 && response->status != 304)
        headers[count++] = header_make("content-length", length, (size_t)len);
    if (response->content_type != NULL)
        headers[count++] =
            header_make("content-type", response->content_type, strlen(response->content_type));
    for (size_t i = 0; i < response->header_count; i++) {
        const struct ca_header *header = &response->headers[i];
        headers[count++] =
            header_make(header->name, response->header_text.data + header->offset, header->len);
    }
    nghttp2_data_provider body = {.read_callback = body_read};
    bool has_body = exchange->body_end > 0 || exchange->cut;
    int code = nghttp2_submit_response(peer->http2.session, exchange->stream, headers, count,
                                       has_body ? &body : NULL);
    if (code != 0)
        (void)nghttp2_submit_rst_stream(peer->http2.session, NGHTTP2_FLAG_NONE, exchange->stream,
                                        NGHTTP2_INTERNAL_ERROR);
}

static bool http2_take(struct peer *peer, struct span bytes)
{
    struct http2 *http2 = &peer->http2;
    peer_touch(peer);
    ssize_t len = nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes.data, bytes.len);
    TRY(len == (ssize_t)bytes.len);
    return http2->streams_told == streams_limit(peer) || settings_tell(peer);
}

static bool http2_fill(struct peer *peer, struct buf *out)
{
    nghttp2_session *session = peer->http2.session;
    while (out->len < OUT_FILL) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(session, &data);
        if (len == 0)
            break;
        TRY(len > 0 && buf_append(out, data, (size_t)len));
    }
    if (peer->end == END_NOT && nghttp2_session_want_read(session) == 0 &&
        nghttp2_session_want_write(session) == 0)
        peer->end = END_CLOSE;
    return true;
}

/* A client may not be kept from reading: it could not tell us then that its windows are open. */
static bool http2_full(const struct peer *peer)
{
    (void)peer;
    return false;
}

static void http2_close(struct peer *peer)
{
    struct exchange *exchange;
    nghttp2_session_del(peer->http2.session);
    while ((exchange = LIST_FIRST(&peer->http2.exchanges)) != NULL) {
        LIST_REMOVE(exchange, streams);
        exchange_release(exchange);
    }
}

const struct protocol http2_protocol = {
    .take = http2_take,
    .fill = http2_fill,
    .answer = http2_answer,
    .full = http2_full,
    .close = http2_close,
};

bool http2_prepare(struct server *server)
{
    nghttp2_session_callbacks *callbacks;
    TRY(nghttp2_session_callbacks_new(&server->http2_callbacks) == 0);
    TRY(nghttp2_option_new(&server->http2_option) == 0);
    /* Closed streams are of no use without priorities. */
    nghttp2_option_set_no_closed_streams(server->http2_option, 1);
    callbacks = server->http2_callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, headers_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header_came);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_came);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_came);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    return true;
}
