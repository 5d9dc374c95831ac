/* An exchange: the handler is asked once, and its answer goes out when its delay is over, with what
 * the wire is to do to it. */
#include "ca/http/peer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Spare exchanges a thread, and what memory each may keep. */
enum { SPARE_MAX = 4096, KEEP_MAX = 64 * 1024 };

static void exchange_free(struct exchange *exchange)
{
    buf_free(&exchange->head);
    buf_free(&exchange->body);
    ca_response_free(&exchange->response);
    free(exchange);
}

void exchange_free_spare(struct server_thread *thread)
{
    while (thread->spare != NULL) {
        struct exchange *exchange = thread->spare;
        thread->spare = exchange->next;
        exchange_free(exchange);
    }
}

static struct exchange *exchange_new(const struct server *server)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    buf_init(&exchange->head, HTTP1_HEAD_MAX);
    buf_init(&exchange->body, server->options.body_limit);
    ca_response_init(&exchange->response);
    return exchange;
}

struct exchange *exchange_take(struct peer *peer)
{
    struct server_thread *thread = peer->thread;
    struct exchange *exchange = thread->spare;
    if (exchange != NULL) {
        thread->spare = exchange->next;
        thread->spare_count--;
    } else {
        exchange = exchange_new(thread->server);
        if (exchange == NULL)
            return NULL;
    }
    exchange->peer = peer;
    return exchange;
}

static void memory_shrink(struct buf *buf)
{
    if (buf->capacity > KEEP_MAX)
        buf_free(buf);
    else
        buf_clear(buf);
}

/* Empty, but with its memory. */
static void exchange_reset(struct exchange *exchange)
{
    struct buf head = exchange->head;
    struct buf body = exchange->body;
    struct ca_response response = exchange->response;
    memory_shrink(&head);
    memory_shrink(&body);
    memory_shrink(&response.body);
    ca_response_reset(&response);
    *exchange = (struct exchange){.head = head, .body = body, .response = response};
}

void exchange_release(struct exchange *exchange)
{
    struct peer *peer = exchange->peer;
    struct server_thread *thread = peer->thread;
    thread_timer_forget(thread, &exchange->timed);
    if (exchange->asked)
        atomic_fetch_sub_explicit(&thread->server->requests_now, 1, memory_order_relaxed);
    if (exchange->held)
        peer->held--;
    if (exchange->ready)
        peer->answering--;
    peer_renew(peer);
    if (thread->spare_count == SPARE_MAX) {
        exchange_free(exchange);
        return;
    }
    exchange_reset(exchange);
    exchange->next = thread->spare;
    thread->spare = exchange;
    thread->spare_count++;
}

bool exchange_is_bare(const struct exchange *exchange)
{
    int status = exchange->response.status;
    return exchange->method == CA_HEAD || status == 204 || status == 304;
}

static void exchange_hold(struct exchange *exchange)
{
    exchange->held = true;
    exchange->peer->held++;
}

static void exchange_go(struct exchange *exchange)
{
    struct peer *peer = exchange->peer;
    size_t len = exchange_is_bare(exchange) ? 0 : exchange->response.body.len;
    exchange->body_end = len;
    switch (exchange->response.wire.fault) {
    case WIRE_SILENCE:
        exchange_hold(exchange);
        return;
    case WIRE_RESET:
        peer->end = END_RESET;
        peer_touch(peer);
        return;
    case WIRE_TRUNCATE:
        exchange->cut = true;
        exchange->body_end = len / 2;
        break;
    case WIRE_GOAWAY:
        exchange->last = true;
        break;
    case WIRE_GOOD:
        break;
    }
    exchange->ready = true;
    peer->answering++;
    peer->protocol->answer(exchange);
    peer_touch(peer);
}

static void exchange_due(struct timed *timed)
{
    struct exchange *exchange = (struct exchange *)timed;
    exchange->held = false;
    exchange->peer->held--;
    peer_renew(exchange->peer); /* its deadline may be due as well */
    exchange_go(exchange);
}

static void exchange_fail(struct exchange *exchange, int status)
{
    struct ca_response *response = &exchange->response;
    ca_response_reset(response);
    response->status = status;
    response->content_type = "text/plain";
    /* Without memory the answer has no body. */
    (void)!buf_printf(&response->body, "%d %s\n", status, http1_reason(status));
}

void exchange_refuse(struct exchange *exchange, int status, bool last)
{
    exchange->last = last;
    exchange_fail(exchange, status);
    exchange_go(exchange);
}

bool exchange_count(struct exchange *exchange, atomic_uint_fast64_t *count)
{
    struct peer *peer = exchange->peer;
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    unsigned limit =
        atomic_load_explicit(&peer->thread->server->limit_requests, memory_order_relaxed);
    peer->requests++;
    peer_renew(peer);
    return limit == 0 || peer->requests < limit;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void exchange_run(struct exchange *exchange, struct ca_request *request)
{
    struct peer *peer = exchange->peer;
    struct server_thread *thread = peer->thread;
    struct ca_response *response = &exchange->response;
    memcpy(request->address, peer->address_text, sizeof request->address);
    request->tls = peer->ssl != NULL;
    request->thread = thread->number;
    request->now_us = now_us();
    exchange->asked = true;
    most_raise(
        &thread->server->requests_most,
        1 + atomic_fetch_add_explicit(&thread->server->requests_now, 1, memory_order_relaxed));
    thread->server->handle(thread->server->context, request, response);
    if (response->status < 200 || response->status > 599)
        exchange_fail(exchange, 500);
    int64_t delay_us = response->wire.delay_us;
    exchange->timed.due = exchange_due;
    if (delay_us > 0 &&
        thread_timer(thread, &exchange->timed, clock_monotonic_ms() + (delay_us + 999) / 1000))
        exchange_hold(exchange);
    else
        exchange_go(exchange);
}
