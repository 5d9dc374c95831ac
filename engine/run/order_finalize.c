/* Finalize and the wait for the certificate (RFC 8555 section 7.4). */
#include "report/report.h"
#include "run/message.h"
#include "run/order.h"
#include "test/point.h"

#include <stdio.h>

#define FINALIZE_TRIES_MAX 10
#define READ_TRIES_MAX     10
/* A CA has asked for a day though the certificate was there in minutes: never wait longer than this
 * before the next look. */
#define RETRY_AFTER_CAP_S ((int64_t)300)
/* Between polls the order gives its place in flight back if it waits at least so long. */
#define PLACE_BACK_MS 500

static const struct backoff poll_backoff = {.first_ms = 1000, .cap_ms = 15000};

static void look_soon(struct order *order)
{
    order->retry_after_s = -1;
    order_move(order, STEP_POLL);
}

static void finalize_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    test_point("after-finalize");
    if (!reply->ok) {
        bool answered = reply->http->failure == HTTP_ANSWERED;
        if (reply->uncertain || (answered && reply->problem.reaction == REACT_POLL)) {
            if (++order->tries <= FINALIZE_TRIES_MAX) {
                look_soon(order);
                return;
            }
        }
        order_end_refused(order, reply);
        return;
    }
    struct order_object object = {0};
    struct error error;
    order->finalized = true;
    /* The CSR is taken, whatever the body says: the order itself will tell. */
    if (!order_object_parse(reply->http->body, &object, &error)) {
        look_soon(order);
        return;
    }
    if (object.status == ORDER_PENDING || object.status == ORDER_READY)
        object.status = ORDER_PROCESSING;
    order_follow(order, &object, reply->retry_after_s);
    order_object_free(&object);
}

void finalize_enter(struct order *order)
{
    struct error error;
    if (order->finalize_url == NULL) {
        error_set(&error, ERROR_PROTOCOL, "%s sent an order without a finalize URL",
                  order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    test_point("before-finalize");
    struct call *call = order_call(order, CALL_FINALIZE, order->finalize_url, finalize_reply);
    if (call == NULL)
        return;
    call->once = true;
    if (!payload_finalize(buf_span(&order->csr), &call->payload)) {
        error_set(&error, ERROR_MEMORY, "no memory for a request");
        worker_break(order->worker, &error);
        return;
    }
    order->csr_sent = true;
    call_submit(call);
}

void poll_enter(struct order *order)
{
    struct worker *worker = order->worker;
    int64_t asked_s = order->retry_after_s;
    order->retry_after_s = -1;
    if (asked_s > RETRY_AFTER_CAP_S) {
        char text[128];
        snprintf(text, sizeof text, "asked to wait %lld s for an order; looking again in %lld s",
                 (long long)asked_s, (long long)RETRY_AFTER_CAP_S);
        news_send_waiting(worker, order->lane->ca->host, text, RETRY_AFTER_CAP_S);
    }
    int64_t wait_ms = backoff_ms(&poll_backoff, order->polls++, asked_s, RETRY_AFTER_CAP_S,
                                 jitter_next(&worker->random));
    if (wait_ms >= PLACE_BACK_MS)
        order_set_active(order, false);
    order_sleep(order, wait_ms);
}

static void poll_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    struct error error;
    if (!reply->ok) {
        order_end_refused(order, reply);
        return;
    }
    struct order_object object = {0};
    if (!order_object_parse(reply->http->body, &object, &error)) {
        if (++order->tries <= READ_TRIES_MAX) {
            look_soon(order);
            return;
        }
        error_prefix(&error, "%s sent an order that cannot be read: ", order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    /* After finalize an order may show its earlier status for a moment (a replica that lags). */
    if (order->finalized && (object.status == ORDER_PENDING || object.status == ORDER_READY)) {
        if (++order->tries <= FINALIZE_TRIES_MAX)
            object.status = ORDER_PROCESSING;
        else
            order->finalized = false;
    }
    order_follow(order, &object, reply->retry_after_s);
    order_object_free(&object);
}

void poll_wake(struct order *order)
{
    order_set_active(order, true);
    struct call *call = order_call(order, CALL_ORDER, order->url, poll_reply);
    if (call != NULL)
        call_submit(call);
}
