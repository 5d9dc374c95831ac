/* The private key and the CSR: asked for when the order begins, so that they are made while it
 * waits for its authorizations; durable before finalize is sent. */
#include "io/file.h"
#include "run/message.h"
#include "run/order.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_PEM_MAX ((size_t)16 * 1024)

/* A key that an earlier attempt left in the folder is used again: for an order that was finalized
 * with it, it is the only one that fits. */
static bool key_read(const struct order *order, struct secret *ret_pem, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/archive/%s/%u/privkey.pem", order->worker->run->state_folder,
             order->entry->name, order->sequence);
    struct buf pem;
    buf_init_secret(&pem, KEY_PEM_MAX);
    bool read = file_read(path, &pem, NULL, error);
    bool kept = read && secret_copy(buf_span(&pem), ret_pem);
    buf_free(&pem);
    if (read && !kept)
        error_set(error, ERROR_MEMORY, "no room on the secure heap for a private key");
    return kept || (!read && error->kind == ERROR_NOT_FOUND);
}

static void wait_for_room(struct order *order)
{
    struct worker *worker = order->worker;
    if (order->key_waiting)
        return;
    order->key_waiting = true;
    order->next_waiting = NULL;
    *worker->key_waiting_last = order;
    worker->key_waiting_last = &order->next_waiting;
}

/* False when the order has ended because of it. */
static bool ask(struct order *order, bool read_old)
{
    struct worker *worker = order->worker;
    struct error error;
    struct crypto_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        error_set(&error, ERROR_MEMORY, "no memory for a key");
        worker_break(worker, &error);
        return true;
    }
    message->message.kind = WORKER_CRYPTO;
    message->worker = worker;
    message->order_id = order->id;
    message->sequence = order->sequence;
    message->job.id = order->id;
    message->job.owner = message;
    message->job.spec = order->entry->key;
    message->job.names = order->entry->domains;
    message->job.name_count = order->entry->domain_count;
    buf_init(&message->job.csr, JWS_MAX);
    buf_init(&message->job.public_key, 0);
    if (read_old && !key_read(order, &message->job.key_pem, &error)) {
        free(message);
        if (error.kind == ERROR_MEMORY) {
            wait_for_room(order);
            return true;
        }
        order_end_failed(order, &error, NULL);
        return false;
    }
    if (!crypto_stage_submit(worker->run->stage, &message->job)) {
        secret_free(&message->job.key_pem);
        free(message);
        wait_for_room(order);
        return true;
    }
    worker->away++;
    return true;
}

bool key_ask(struct order *order)
{
    return order->key_waiting || ask(order, true);
}

void key_ask_again(struct worker *worker)
{
    struct order *order = worker->key_waiting;
    worker->key_waiting = NULL;
    worker->key_waiting_last = &worker->key_waiting;
    while (order != NULL && !worker->broken) {
        struct order *next = order->next_waiting;
        order->key_waiting = false;
        (void)ask(order, true);
        /* The first that finds no room goes back to the head of the line, with all behind it. */
        if (worker->key_waiting != NULL) {
            worker->key_waiting->next_waiting = next;
            if (next != NULL) {
                while (next->next_waiting != NULL)
                    next = next->next_waiting;
                worker->key_waiting_last = &next->next_waiting;
            }
            return;
        }
        order = next;
    }
}

static void crypto_message_free(struct crypto_message *message)
{
    secret_free(&message->job.key_pem);
    buf_free(&message->job.csr);
    buf_free(&message->job.public_key);
    key_release(&message->job.key);
    free(message);
}

/* The key is there: it goes to the disk before anything is built on it. */
static void key_store(struct order *order, struct crypto_message *crypto)
{
    struct worker *worker = order->worker;
    struct store_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a key");
        crypto_message_free(crypto);
        worker_break(worker, &error);
        return;
    }
    message->message.kind = WORKER_STORE;
    message->worker = worker;
    message->order_id = order->id;
    message->key = crypto->job.key_pem;
    crypto->job.key_pem = (struct secret){0};
    message->crypto = crypto;
    message->job = (struct store_job){
        .id = order->id,
        .owner = message,
        .step = STORE_KEY,
        .name = order->entry->name,
        .sequence = order->sequence,
        .files = {{.name = "privkey.pem",
                   .data = secret_span(&message->key),
                   .mode = order->entry->key_mode}},
        .file_count = 1,
        .uid = order->entry->uid,
        .gid = order->entry->gid,
    };
    worker->away++;
    store_submit(worker->run->store, &message->job);
}

void key_made(struct worker *worker, struct crypto_message *message)
{
    struct order *order = order_find(worker, message->order_id);
    struct crypto_job *job = &message->job;
    struct key_spec spec;
    struct error error = job->error;
    if (order == NULL || message->sequence != order->sequence) {
        crypto_message_free(message);
        return;
    }
    /* The run is ending. What the CA still does for the order need not be cut short. */
    if (!job->ok && job->error.kind == ERROR_CANCELLED) {
        crypto_message_free(message);
        if (key_is_waited_for(order))
            order_end_parked(order, "the run was interrupted");
        return;
    }
    /* The secure heap is full of keys on their way to the disk: there will be room. */
    if (!job->ok && job->error.kind == ERROR_MEMORY) {
        crypto_message_free(message);
        wait_for_room(order);
        return;
    }
    /* What an earlier attempt left there is no key, or none that a CSR can be made with. */
    if (!job->ok && job->key_pem.len > 0) {
        crypto_message_free(message);
        (void)ask(order, false);
        return;
    }
    /* From here on only the public half is needed; private ones would fill the secure heap. */
    if (!job->ok) {
        error_prefix(&error, "the private key or its CSR: ");
        crypto_message_free(message);
        order_end_failed(order, &error, NULL);
        return;
    }
    /* The manifest has another key type than the attempt that left this key. */
    if (!job->made_key &&
        (!key_spec_of(job->key, &spec) || !key_spec_equal(spec, order->entry->key))) {
        crypto_message_free(message);
        (void)ask(order, false);
        return;
    }
    key_release(&job->key);
    key_store(order, message);
}

void key_stored(struct worker *worker, struct store_message *message)
{
    struct order *order = order_find(worker, message->order_id);
    struct crypto_message *crypto = message->crypto;
    if (order != NULL && crypto->sequence != order->sequence)
        order = NULL;
    if (order != NULL && message->job.ok) {
        buf_free(&order->public_key);
        order->public_key = crypto->job.public_key;
        buf_init(&crypto->job.public_key, 0);
        buf_free(&order->csr);
        order->csr = crypto->job.csr;
        buf_init(&crypto->job.csr, 0);
        order->key_ready = true;
    } else if (order != NULL) {
        struct error error = message->job.error;
        error_prefix(&error, "storing the private key: ");
        order_end_failed(order, &error, NULL);
        order = NULL;
    }
    secret_free(&message->key);
    crypto_message_free(crypto);
    free(message);
    if (order != NULL && order_handlers_of(order)->key_ready != NULL)
        order_handlers_of(order)->key_ready(order);
}

bool key_is_waited_for(const struct order *order)
{
    return !order->key_ready && (order->step == STEP_KEY || order->step == STEP_DOWNLOAD);
}

void key_wait(struct order *order)
{
    if (order->worker->draining)
        order_end_parked(order, "the run was interrupted");
}

void key_enter(struct order *order)
{
    if (order->key_ready)
        order_move(order, STEP_FINALIZE);
    else
        key_wait(order);
}

void key_came(struct order *order)
{
    order_move(order, STEP_FINALIZE);
}
