/* Easy handles. A pooled handle is reset before every request: that and setting all options anew
 * costs 0.8 us, and libcurl 7.88 needs it, because the count of what it sent again on its own (5
 * times at most) otherwise goes on from request to request. */
#include "http/client.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_BODY_MAX  ((size_t)64 * 1024 * 1024)
#define REQUEST_URL_MAX   ((size_t)64 * 1024)
#define REQUEST_LINES_MAX ((size_t)64 * 1024)
/* A pooled transfer keeps no more memory than this a buffer. */
#define POOLED_MAX ((size_t)64 * 1024)

static size_t header_arrives(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct headers *headers = &transfer->headers;
    size_t len = size * count;
    if (!headers_take(headers, span_make(data, len))) {
        transfer->too_large = true;
        return 0;
    }
    if (!transfer->learned) {
        transfer->learned = true;
        host_learn(transfer->client, transfer->authority,
                   headers->http2 ? SPOKEN_HTTP2 : SPOKEN_HTTP1);
    }
    return len;
}

static size_t body_arrives(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t len = size * count;
    if (len > transfer->body.limit - transfer->body.len) {
        transfer->too_large = true;
        return 0;
    }
    if (!buf_append(&transfer->body, data, len)) {
        transfer->no_memory = true;
        return 0;
    }
    return len;
}

/* A body that is read, with no way to rewind it, keeps libcurl from sending it twice. */
static size_t body_read(char *to, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t room = size * count;
    size_t left = transfer->body_out.len - transfer->body_sent;
    size_t take = left < room ? left : room;
    memcpy(to, buf_text(&transfer->body_out) + transfer->body_sent, take);
    transfer->body_sent += take;
    return take;
}

static CURLcode easy_set_callbacks(CURL *easy, struct transfer *transfer)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    code |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
    code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_arrives);
    code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_arrives);
    code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    code |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, body_read);
    code |= curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    return code;
}

static CURLcode easy_set_tls(CURL *easy, struct http_client *client)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    code |= tls_sessions_keep(easy, client);
    if (client->ca_file != NULL) {
        /* Without the second line the system's certificates would be trusted as well. */
        code |= curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
        code |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return code;
}

static CURLcode easy_set_common(CURL *easy, const struct http_client *client)
{
    const struct http_options *options = &client->options;
    long version = options->http1_only ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    code |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    code |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    code |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
    code |= curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
    code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    /* The URL that is requested must be the URL that was signed, "/../" and all. */
    code |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    code |= curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    /* What a proxy answers to CONNECT is not the server's answer. */
    code |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (options->direct)
        code |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    /* Ending a transfer must not wait for its name lookup, which blocks for seconds. */
    code |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return code;
}

struct transfer *transfer_new(struct http_client *client, struct error *error)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a request");
        return NULL;
    }
    transfer->client = client;
    buf_init(&transfer->url, REQUEST_URL_MAX);
    buf_init_secret(&transfer->body_out, REQUEST_BODY_MAX);
    buf_init_secret(&transfer->header_text, REQUEST_LINES_MAX);
    buf_init(&transfer->body, client->options.body_limit);
    transfer->body.secret = client->options.secret_answers;
    headers_init(&transfer->headers);
    transfer->easy = curl_easy_init();
    /* The one option that a reset leaves. */
    if (transfer->easy == NULL ||
        curl_easy_setopt(transfer->easy, CURLOPT_SHARE, client->share) != CURLE_OK) {
        transfer_free(transfer);
        error_set(error, ERROR_MEMORY, "libcurl cannot make a request");
        return NULL;
    }
    return transfer;
}

void transfer_free(struct transfer *transfer)
{
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    buf_free(&transfer->url);
    buf_free(&transfer->body_out);
    buf_free(&transfer->header_text);
    buf_free(&transfer->body);
    headers_free(&transfer->headers);
    free(transfer);
}

static void buf_recycle(struct buf *buf)
{
    if (buf->capacity > POOLED_MAX)
        buf_free(buf);
    else
        buf_clear(buf);
}

void transfer_clear(struct transfer *transfer)
{
    buf_clear(&transfer->url);
    buf_recycle(&transfer->body_out);
    buf_recycle(&transfer->header_text);
    buf_recycle(&transfer->body);
    headers_reset(&transfer->headers);
    transfer->too_large = transfer->no_memory = transfer->learned = false;
    transfer->error_text[0] = '\0';
}

/* A line end in a header would let its text become further headers. */
static bool line_add(struct buf *text, const char *name, const char *value, struct error *error)
{
    if (strpbrk(value, "\r\n") != NULL)
        return error_set(error, ERROR_LIMIT, "a request header holds a line end");
    if (!buf_append_text(text, name) || !buf_append(text, value, strlen(value) + 1))
        return error_set(error, ERROR_MEMORY, "no memory for a request's headers");
    return true;
}

/* libcurl only reads its header list, so that nodes of ours will do and nothing is allocated. */
static void list_link(struct transfer *transfer, size_t count)
{
    char *at = transfer->header_text.data;
    for (size_t i = 0; i < count; i++) {
        transfer->header_list[i].data = at;
        transfer->header_list[i].next = i + 1 < count ? &transfer->header_list[i + 1] : NULL;
        at += strlen(at) + 1;
    }
}

static bool headers_prepare(struct transfer *transfer, const struct http_request *request,
                            struct error *error)
{
    struct buf *text = &transfer->header_text;
    size_t count = 0;
    if (request->method == HTTP_POST || request->method == HTTP_PUT) {
        /* Without a value libcurl leaves its own Content-Type out; and it must not wait for a
         * "100 Continue" that few servers send. */
        const char *type = request->content_type != NULL ? request->content_type : "";
        TRY(line_add(text, "Content-Type: ", type, error));
        TRY(line_add(text, "Expect:", "", error));
        count = 2;
    }
    for (const char *const *header = request->headers; header != NULL && *header != NULL;
         header++) {
        if (count == HTTP_REQUEST_HEADERS_MAX)
            return error_set(error, ERROR_LIMIT, "more than %d headers in a request",
                             HTTP_REQUEST_HEADERS_MAX - 2);
        TRY(line_add(text, "", *header, error));
        count++;
    }
    list_link(transfer, count);
    struct curl_slist *list = count > 0 ? transfer->header_list : NULL;
    if (curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, list) != CURLE_OK)
        return error_set(error, ERROR_MEMORY, "no memory for a request's headers");
    return true;
}

static CURLcode easy_set_method(struct transfer *transfer, enum http_method method, bool once)
{
    CURL *easy = transfer->easy;
    const struct buf *body = &transfer->body_out;
    transfer->body_sent = 0;
    if (method == HTTP_GET)
        return CURLE_OK;
    if (method == HTTP_HEAD)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    code |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, once ? NULL : buf_text(body));
    if (method == HTTP_PUT)
        code |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    return code;
}

/* Waiting for a connection that might be shared is right until the host turns out to speak HTTP/1
 * only: then it would make all requests run one after the other. */
static bool wants_pipe_wait(const struct transfer *transfer)
{
    const struct http_client *client = transfer->client;
    return !client->options.http1_only && span_starts(buf_span(&transfer->url), "https:") &&
           host_spoken(client, transfer->authority) != SPOKEN_HTTP1;
}

bool transfer_prepare(struct transfer *transfer, const struct http_request *request,
                      struct error *error)
{
    struct http_client *client = transfer->client;
    CURL *easy = transfer->easy;
    if (!buf_append_text(&transfer->url, request->url) ||
        !buf_append_span(&transfer->body_out, request->body))
        return error_set(error, ERROR_MEMORY, "no memory for a request of %zu bytes",
                         request->body.len);
    authority_of(buf_span(&transfer->url), transfer->authority);
    transfer->id = request->id;
    unsigned timeout_ms =
        request->timeout_ms != 0 ? request->timeout_ms : client->options.request_timeout_ms;

    curl_easy_reset(easy);
    CURLcode code = easy_set_callbacks(easy, transfer);
    code |= easy_set_common(easy, client);
    code |= easy_set_tls(easy, client);
    code |= easy_set_method(transfer, request->method, request->once);
    code |= curl_easy_setopt(easy, CURLOPT_URL, buf_text(&transfer->url));
    code |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    code |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, wants_pipe_wait(transfer) ? 1L : 0L);
    if (code != CURLE_OK)
        return error_set(error, ERROR_MEMORY, "libcurl cannot take a request");
    return headers_prepare(transfer, request, error);
}
