#include "http/client.h"

#include "base/clock.h"
#include "http/wiping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* With 25 streams a connection instead of 100 an order of three requests takes 50 us less of CPU
 * time. Where a CA takes long to answer, that is nothing to the places that would be missing. */
#define STREAMS_QUICK 25
#define SLOW_US       250000
#define LATENCY_SHARE 16 /* of one answer in the mean */

static void streams_set(struct http_client *client, unsigned streams)
{
    if (streams > client->options.streams)
        streams = client->options.streams;
    if (streams == client->streams_now)
        return;
    if (curl_multi_setopt(client->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)streams) ==
        CURLM_OK)
        client->streams_now = streams;
}

static void latency_note(struct http_client *client, uint64_t total_us)
{
    client->latency_us += total_us / LATENCY_SHARE - client->latency_us / LATENCY_SHARE;
    streams_set(client, client->latency_us > SLOW_US ? client->options.streams : STREAMS_QUICK);
}

/* Open transfers. */

static void open_add(struct http_client *client, struct transfer *transfer)
{
    transfer->previous = NULL;
    transfer->next = client->open;
    if (client->open != NULL)
        client->open->previous = transfer;
    client->open = transfer;
    client->counts.out_now++;
}

static void open_remove(struct http_client *client, struct transfer *transfer)
{
    if (transfer->previous != NULL)
        transfer->previous->next = transfer->next;
    else
        client->open = transfer->next;
    if (transfer->next != NULL)
        transfer->next->previous = transfer->previous;
    client->counts.out_now--;
}

static void pool_put(struct http_client *client, struct transfer *transfer)
{
    transfer_clear(transfer);
    transfer->next = client->pool;
    client->pool = transfer;
}

static struct transfer *pool_take(struct http_client *client, struct error *error)
{
    struct transfer *transfer = client->pool;
    if (transfer == NULL)
        return transfer_new(client, error);
    client->pool = transfer->next;
    return transfer;
}

/* Answers. */

static uint64_t info_size(CURL *easy, CURLINFO info)
{
    curl_off_t size = 0;
    (void)curl_easy_getinfo(easy, info, &size);
    return size > 0 ? (uint64_t)size : 0;
}

static uint64_t info_long(CURL *easy, CURLINFO info)
{
    long value = 0;
    (void)curl_easy_getinfo(easy, info, &value);
    return value > 0 ? (uint64_t)value : 0;
}

static void response_fill(struct transfer *transfer, CURLcode code, uint64_t bytes_sent,
                          struct http_response *response)
{
    const char *text = failure_text(code, transfer->error_text);
    if (transfer->too_large) {
        response->failure = HTTP_TOO_LARGE;
        text = "the answer is larger than it may be";
    } else if (transfer->no_memory) {
        response->failure = HTTP_LOST;
        text = "no memory for the answer";
    } else {
        response->failure = failure_of(code, bytes_sent > 0, text);
        /* Not the server is in doubt but the session, and the next handshake is without it. */
        if (code == CURLE_SSL_CONNECT_ERROR && transfer->client->session_failed)
            response->failure = HTTP_UNREACHABLE;
    }
    headers_give(&transfer->headers, response);
    if (response->failure != HTTP_ANSWERED) {
        failure_reason(response->reason, transfer->authority, text);
        return;
    }
    response->status = (long)info_long(transfer->easy, CURLINFO_RESPONSE_CODE);
    response->body = buf_span(&transfer->body);
}

static void transfer_finish(struct http_client *client, struct transfer *transfer, CURLcode code)
{
    CURL *easy = transfer->easy;
    uint64_t bytes_sent = info_long(easy, CURLINFO_REQUEST_SIZE);
    struct http_counts *counts = &client->counts;
    counts->connections += info_long(easy, CURLINFO_NUM_CONNECTS);
    counts->http2 += transfer->headers.http2;
    counts->bytes_out += bytes_sent;
    counts->bytes_in +=
        info_size(easy, CURLINFO_SIZE_DOWNLOAD_T) + info_long(easy, CURLINFO_HEADER_SIZE);

    struct http_response response = {
        .id = transfer->id,
        .url = buf_text(&transfer->url),
        .total_us = (uint64_t)(monotonic_us() - transfer->started_us),
    };
    response_fill(transfer, code, bytes_sent, &response);
    latency_note(client, response.total_us);
    open_remove(client, transfer);
    curl_multi_remove_handle(client->multi, easy);
    client->done(client->context, &response);
    pool_put(client, transfer);
}

static void client_drain(struct http_client *client)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        /* The message is gone once its handle is removed. */
        CURLcode code = message->data.result;
        void *transfer = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer_finish(client, transfer, code);
    }
}

/* Sockets and the timer. */

static void socket_is_ready(void *context, uint32_t events)
{
    const struct socket_watch *watch = context;
    struct http_client *client = watch->client;
    /* A broken connection is told to libcurl as readable or writable, not as an error: it then
     * reads the answer that may have come before the break, and finds the error by itself. */
    int ready = 0;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        ready |= CURL_CSELECT_IN;
    if ((events & (EPOLLOUT | EPOLLERR)) != 0)
        ready |= CURL_CSELECT_OUT;
    int running;
    (void)curl_multi_socket_action(client->multi, watch->fd, ready, &running);
    client_drain(client);
}

static struct socket_watch *watch_add(struct http_client *client, curl_socket_t fd)
{
    struct socket_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->client = client;
    watch->fd = fd;
    watch->next = client->watches;
    if (watch->next != NULL)
        watch->next->previous = watch;
    client->watches = watch;
    return watch;
}

static void watch_remove(struct socket_watch *watch)
{
    struct http_client *client = watch->client;
    loop_forget(client->loop, watch->fd);
    if (watch->previous != NULL)
        watch->previous->next = watch->next;
    else
        client->watches = watch->next;
    if (watch->next != NULL)
        watch->next->previous = watch->previous;
    free(watch);
}

static int socket_changes(CURL *easy, curl_socket_t fd, int what, void *context, void *socket)
{
    (void)easy;
    struct http_client *client = context;
    struct socket_watch *watch = socket;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            (void)curl_multi_assign(client->multi, fd, NULL);
            watch_remove(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_add(client, fd);
        if (watch == NULL || curl_multi_assign(client->multi, fd, watch) != CURLM_OK)
            return -1;
    }
    uint32_t events = ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
                      ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
    return loop_watch(client->loop, fd, events, socket_is_ready, watch, NULL) ? 0 : -1;
}

static int timer_changes(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct http_client *client = context;
    client->timer_at_ms = timeout_ms < 0 ? -1 : clock_monotonic_ms() + timeout_ms;
    return 0;
}

int64_t http_wait_ms(const struct http_client *client, int64_t now_ms)
{
    if (client->timer_at_ms < 0)
        return -1;
    return client->timer_at_ms > now_ms ? client->timer_at_ms - now_ms : 0;
}

void http_tick(struct http_client *client, int64_t now_ms)
{
    if (http_wait_ms(client, now_ms) != 0)
        return;
    client->timer_at_ms = -1;
    int running;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    client_drain(client);
}

/* The client. */

static bool options_copy(struct http_client *client, const struct http_options *options,
                         struct error *error)
{
    client->options = *options;
    struct http_options *copy = &client->options;
    if (copy->connections == 0)
        copy->connections = 8;
    if (copy->streams == 0)
        copy->streams = 100;
    if (copy->connect_timeout_ms == 0)
        copy->connect_timeout_ms = 30 * 1000;
    if (copy->request_timeout_ms == 0)
        copy->request_timeout_ms = 90 * 1000;
    if (copy->body_limit == 0)
        copy->body_limit = (size_t)1024 * 1024;
    if (options->ca_file != NULL) {
        /* libcurl would say so only at the first request. */
        if (access(options->ca_file, R_OK) != 0) {
            error_system(error, errno, "%s", options->ca_file);
            if (error != NULL)
                error->kind = ERROR_CONFIG;
            return false;
        }
        client->ca_file = strdup(options->ca_file);
    }
    if (options->user_agent != NULL)
        client->user_agent = strdup(options->user_agent);
    copy->ca_file = client->ca_file;
    copy->user_agent = client->user_agent;
    if ((options->ca_file != NULL && client->ca_file == NULL) ||
        (options->user_agent != NULL && client->user_agent == NULL))
        return error_set(error, ERROR_MEMORY, "no memory for an HTTP client");
    return true;
}

static bool multi_make(struct http_client *client, struct error *error)
{
    if (!http_global_init())
        return error_set(error, ERROR_SYSTEM, "libcurl does not start");
    client->openssl = tls_is_openssl();
    client->multi = curl_multi_init();
    client->share = curl_share_init();
    if (client->multi == NULL || client->share == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an HTTP client");
    const struct http_options *options = &client->options;
    CURLMcode code = curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_changes);
    code |= curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    code |= curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_changes);
    code |= curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    code |= curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    code |=
        curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)options->connections);
    code |= curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
                              (long)options->connections * HTTP_HOSTS_MAX);
    CURLSHcode shared =
        curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    streams_set(client, STREAMS_QUICK);
    if (code != CURLM_OK || shared != CURLSHE_OK || client->streams_now == 0)
        return error_set(error, ERROR_SYSTEM, "libcurl does not take the client's options");
    return true;
}

bool http_client_new(struct loop *loop, const struct http_options *options, http_done *done,
                     void *context, struct http_client **ret_client, struct error *error)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an HTTP client");
    client->loop = loop;
    client->done = done;
    client->context = context;
    client->timer_at_ms = -1;
    if (!options_copy(client, options, error) || !multi_make(client, error)) {
        http_client_free(client);
        return false;
    }
    *ret_client = client;
    return true;
}

static void open_cancel(struct http_client *client)
{
    while (client->open != NULL) {
        struct transfer *transfer = client->open;
        struct http_response response = {
            .id = transfer->id,
            .failure = HTTP_CANCELLED,
            .url = buf_text(&transfer->url),
            .total_us = (uint64_t)(monotonic_us() - transfer->started_us),
        };
        failure_reason(response.reason, transfer->authority, "cancelled: the run is ending");
        open_remove(client, transfer);
        curl_multi_remove_handle(client->multi, transfer->easy);
        client->done(client->context, &response);
        pool_put(client, transfer);
    }
}

void http_client_free(struct http_client *client)
{
    if (client == NULL)
        return;
    client->closing = true;
    open_cancel(client);
    while (client->pool != NULL) {
        struct transfer *transfer = client->pool;
        client->pool = transfer->next;
        transfer_free(transfer);
    }
    /* Closes the connections, which calls socket_changes. */
    if (client->multi != NULL)
        curl_multi_cleanup(client->multi);
    if (client->share != NULL)
        curl_share_cleanup(client->share);
    while (client->watches != NULL) {
        struct socket_watch *watch = client->watches;
        client->watches = watch->next;
        loop_forget(client->loop, watch->fd);
        free(watch);
    }
    free(client->ca_file);
    free(client->user_agent);
    free(client);
}

size_t http_room(const struct http_client *client)
{
    size_t limit = client->options.connections;
    if (client->hosts_http2 > 0)
        limit *= client->streams_now;
    return client->counts.out_now < limit ? limit - client->counts.out_now : 0;
}

bool http_send(struct http_client *client, const struct http_request *request, struct error *error)
{
    if (client->closing)
        return error_set(error, ERROR_CANCELLED, "the HTTP client is closing");
    struct transfer *transfer = pool_take(client, error);
    if (transfer == NULL)
        return false;
    transfer->started_us = monotonic_us();
    if (!transfer_prepare(transfer, request, error)) {
        pool_put(client, transfer);
        return false;
    }
    CURLMcode code = curl_multi_add_handle(client->multi, transfer->easy);
    if (code != CURLM_OK) {
        pool_put(client, transfer);
        return error_set(error, ERROR_MEMORY, "libcurl: %s", curl_multi_strerror(code));
    }
    open_add(client, transfer);
    client->counts.requests++;
    return true;
}

void http_count(const struct http_client *client, struct http_counts *ret_counts)
{
    *ret_counts = client->counts;
}
