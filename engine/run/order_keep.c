/* The certificate: downloaded, checked, stored, switched, recorded. */
#include "report/report.h"
#include "run/message.h"
#include "run/order.h"
#include "test/point.h"

#include <stdlib.h>
#include <string.h>

#define DOWNLOAD_TRIES_MAX 6
#define CLOCK_SKEW_S       3600

static const struct backoff download_backoff = {.first_ms = 200, .cap_ms = 5000};

/* The names that are in the certificate, for the state: a CA may add some. */
static char *names_join(struct span names)
{
    struct buf text;
    buf_init(&text, (size_t)CERTIFICATE_NAME_TEXT * CERTIFICATE_NAMES_MAX);
    char name[CERTIFICATE_NAME_TEXT];
    bool complete = true;
    while (complete && certificate_name_next(&names, name)) {
        complete = text.len == 0 || buf_append_char(&text, ',');
        complete = complete && buf_append_text(&text, name);
    }
    char *joined = complete ? span_duplicate(buf_span(&text)) : NULL;
    buf_free(&text);
    return joined;
}

static void store_message_free(struct store_message *message)
{
    certificate_chain_free(&message->chain);
    free(message);
}

static void chain_store(struct order *order, struct store_message *message)
{
    const struct manifest_entry *entry = order->entry;
    struct worker *worker = order->worker;
    order->info = message->chain.info;
    order->names = names_join(message->chain.info.names);
    order->info.names = (struct span){0};
    mode_t mode = entry->certificate_mode;
    message->message.kind = WORKER_STORE;
    message->worker = worker;
    message->order_id = order->id;
    message->job = (struct store_job){
        .id = order->id,
        .owner = message,
        .step = STORE_CERTIFICATE,
        .name = entry->name,
        .sequence = order->sequence,
        .files = {{.name = "cert.pem", .data = buf_span(&message->chain.certificate), .mode = mode},
                  {.name = "chain.pem",
                   .data = buf_span(&message->chain.chain),
                   .mode = mode,
                   .shared = true},
                  {.name = "fullchain.pem", .data = buf_span(&message->chain.full), .mode = mode}},
        .file_count = 3,
        .uid = entry->uid,
        .gid = entry->gid,
    };
    worker->away++;
    /* The CA has done its part. */
    order_set_active(order, false);
    order_move(order, STEP_STORE);
    store_submit(worker->run->store, &message->job);
}

static void download_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    struct error error;
    if (!reply->ok) {
        order_end_refused(order, reply);
        return;
    }
    struct store_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        error_set(&error, ERROR_MEMORY, "no memory for a certificate");
        worker_break(worker, &error);
        return;
    }
    const struct certificate_request request = {
        .names = order->entry->domains,
        .count = order->entry->domain_count,
        .public_key = buf_span(&order->public_key),
        .now = worker_now_unix(worker),
        .clock_skew = CLOCK_SKEW_S,
    };
    if (!certificate_check(worker->run->crypto, reply->http->body, &request, &message->chain,
                           &error)) {
        free(message);
        if (++order->tries <= DOWNLOAD_TRIES_MAX) {
            order_sleep(order, backoff_ms(&download_backoff, order->tries, -1, 0,
                                          jitter_next(&worker->random)));
            return;
        }
        /* An earlier run finalized with a key that is gone, or was changed since. */
        if (!order->csr_sent && !order->replaced) {
            order->replaced = true;
            order_replace(order);
            return;
        }
        error_prefix(&error, "the certificate from %s is not usable: ", order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    chain_store(order, message);
}

void download_enter(struct order *order)
{
    struct error error;
    if (!order->key_ready) {
        key_wait(order);
        return;
    }
    if (order->certificate_url == NULL) {
        error_set(&error, ERROR_PROTOCOL, "%s sent a valid order without a certificate URL",
                  order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    struct call *call = order_call(order, CALL_CERTIFICATE, order->certificate_url, download_reply);
    if (call != NULL)
        call_submit(call);
}

void store_enter(struct order *order)
{
    order->tries = 0;
}

void chain_stored(struct worker *worker, struct store_message *message)
{
    struct order *order = order_find(worker, message->order_id);
    bool ok = message->job.ok;
    struct error error = message->job.error;
    store_message_free(message);
    if (order == NULL)
        return;
    if (!ok) {
        error_prefix(&error, "storing the certificate: ");
        order_end_failed(order, &error, NULL);
        return;
    }
    if (order_handlers_of(order)->stored != NULL)
        order_handlers_of(order)->stored(order);
}

void store_stored(struct order *order)
{
    order_move(order, STEP_RECORD);
}

void record_enter(struct order *order)
{
    test_point("before-issued");
    struct state_message *message = state_message_new(order->worker, order->id, STATE_ISSUED);
    if (message == NULL)
        return;
    int64_t now = worker_now_unix(order->worker);
    message->change.certificate = (struct state_certificate){
        .name = order->entry->name,
        .status = CERTIFICATE_ISSUED,
        .digest = order->entry->digest,
        .sequence = order->sequence,
        .not_before = order->info.not_before,
        .not_after = order->info.not_after,
        .issued_at = now,
        .attempted_at = now,
        .serial = order->info.serial,
        .issuer = order->info.issuer,
        .key = key_spec_name(order->entry->key),
        .account = order->lane->account->alias,
        .directory = order->lane->ca->url,
        .names = order->names != NULL ? order->names : "",
        .last_error = "",
    };
    state_message_post(message);
}

void record_committed(struct order *order)
{
    test_point("after-issued");
    order_end_issued(order);
}
