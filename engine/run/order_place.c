/* From nothing to an order whose URL is in the state. */
#include "report/report.h"
#include "run/finder.h"
#include "run/message.h"
#include "run/order.h"
#include "test/point.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE_TRIES_MAX     5  /* answers that cannot be read: each may have placed an order */
#define UNCERTAIN_TRIES_MAX 10 /* errors, and no answer */
/* However long the CA asks to wait before the next look. */
#define FIND_RETRY_AFTER_CAP_S 60
/* So many refusals in a row by a rate limit mean that it is the account's, not one domain's. For a
 * moment the lane's limiter is enough: it knows how fast the orders may go out. */
#define LIMITED_IN_ROW_MAX   5
#define LIMITED_MOMENT_S     1
#define LIMITED_WAIT_SECONDS 60

static const struct backoff limit_backoff = {.first_ms = 2000, .cap_ms = 60000};
static const struct backoff find_backoff = {.first_ms = 500, .cap_ms = 30000};

/* A folder that an earlier attempt began and did not fill is used again, with its key. */
static bool sequence_choose(struct order *order, struct error *error)
{
    const char *root = order->worker->run->state_folder;
    unsigned last;
    if (!store_last_sequence(root, order->entry->name, &last, error))
        return false;
    if (last == 0 || last <= order->item->sequence) {
        order->sequence = (last > order->item->sequence ? last : order->item->sequence) + 1;
        return true;
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/archive/%s/%u/cert.pem", root, order->entry->name, last);
    order->sequence = access(path, F_OK) == 0 ? last + 1 : last;
    return true;
}

/* Takes up what an earlier run left; false without memory. An order of another account, or at
 * another CA, is none of this one's: the manifest or the accounts file has changed. */
static bool begin_open(struct order *order)
{
    const struct state_order *open = order->item->order;
    const struct lane *lane = order->lane;
    if (open == NULL || strcmp(open->account, lane->account->alias) != 0 ||
        strcmp(open->directory, lane->ca->url) != 0)
        return true;
    order->intended = order->resumed = true;
    order->sequence = open->sequence;
    if (open->stage != ORDER_PLACED)
        return true;
    order->placed = true;
    order->url = strdup(open->url);
    return order->url != NULL;
}

void order_replace(struct order *order)
{
    struct error error;
    unsigned sequence = order->sequence;
    authorizations_free(order);
    order->placed = order->resumed = order->finalized = order->csr_sent = order->explaining = false;
    order->tries = order->polls = 0;
    /* The old order's folder may be live already. */
    if (!sequence_choose(order, &error)) {
        order_end_failed(order, &error, NULL);
        return;
    }
    if (order->sequence != sequence) {
        order->key_ready = false;
        if (!key_ask(order))
            return;
    }
    order_move(order, STEP_INTEND);
}

static const char limited_text[] = "the CA's rate limit allows no more orders now";

void begin_enter(struct order *order)
{
    struct lane *lane = order->lane;
    struct worker *worker = order->worker;
    struct error error;
    if (!begin_open(order)) {
        error_set(&error, ERROR_MEMORY, "no memory for an order");
        worker_break(worker, &error);
        return;
    }
    if (atomic_load_explicit(&lane->status, memory_order_acquire) == LANE_REFUSED) {
        order_end_failed(order, &lane->refusal.error, &lane->refusal.problem);
        return;
    }
    if (!order->placed && atomic_load(&lane->orders_wait_until_ms) > order->deadline_ms) {
        order_end_parked(order, limited_text);
        return;
    }
    if (order->resumed) {
        if (key_ask(order))
            order_move(order, order->placed ? STEP_RESUME : STEP_FIND);
        return;
    }
    if (!sequence_choose(order, &error)) {
        order_end_failed(order, &error, NULL);
        return;
    }
    if (key_ask(order))
        order_move(order, STEP_INTEND);
}

static void order_post(struct order *order, enum state_change_kind kind)
{
    struct state_message *message = state_message_new(order->worker, order->id, kind);
    if (message == NULL)
        return;
    message->texts[0] = order->url != NULL ? strdup(order->url) : NULL;
    message->change.order = (struct state_order){
        .name = order->entry->name,
        .stage = kind == STATE_ORDER_PLACED ? ORDER_PLACED : ORDER_INTENDED,
        .digest = order->entry->digest,
        .sequence = order->sequence,
        .account = order->lane->account->alias,
        .directory = order->lane->ca->url,
        .url = message->texts[0] != NULL ? message->texts[0] : "",
        .placed_at = worker_now_unix(order->worker),
    };
    state_message_post(message);
}

void intend_enter(struct order *order)
{
    free(order->url);
    order->url = NULL;
    order_set_committing(order, true);
    order_post(order, STATE_ORDER_INTENDED);
}

void intend_committed(struct order *order)
{
    order->intended = true;
    order_set_committing(order, false);
    test_point("order-intended");
    order_move(order, STEP_PLACE);
}

/* After a lost answer the CA gets a moment, first to show the order, then to come back to itself.
 */
void find_enter(struct order *order)
{
    if (order->tries == 0) {
        finder_ask(order);
        return;
    }
    order_sleep(order, backoff_ms(&find_backoff, order->tries - 1, order->retry_after_s,
                                  FIND_RETRY_AFTER_CAP_S, jitter_next(&order->worker->random)));
}

void find_wake(struct order *order)
{
    finder_ask(order);
}

/* newOrder's answer may be lost though the CA placed the order: look before sending another. */
static void place_uncertain(struct order *order, const struct reply *reply)
{
    unsigned tries_max = reply->ok ? PLACE_TRIES_MAX : UNCERTAIN_TRIES_MAX;
    order->retry_after_s = reply->retry_after_s;
    if (++order->tries > tries_max) {
        struct error error;
        error_set(&error, ERROR_NETWORK,
                  "%s does not answer newOrder in a way that can be read%s%s",
                  order->lane->ca->host, reply->ok ? "" : ": ", reply->ok ? "" : reply->error.text);
        order_end_failed(order, &error, NULL);
        return;
    }
    order_move(order, STEP_FIND);
}

/* There is no order that the next run would have to look for. */
static void place_park(struct order *order, const char *why)
{
    order->step = STEP_INTEND;
    order_end_parked(order, why);
}

void place_too_late(struct order *order)
{
    place_park(order, limited_text);
}

static void place_limited(struct order *order, const struct reply *reply)
{
    struct worker *worker = order->worker;
    struct lane *lane = order->lane;
    int64_t left_ms = order->deadline_ms - worker->now_ms;
    int64_t wait_ms = backoff_ms(&limit_backoff, order->tries++, reply->retry_after_s, INT32_MAX,
                                 jitter_next(&worker->random));
    atomic_store(&lane->limited, true);
    bool moment = reply->retry_after_s > 0 && reply->retry_after_s <= LIMITED_MOMENT_S;
    if (atomic_fetch_add(&lane->limited_in_row, 1) + 1 >= LIMITED_IN_ROW_MAX && !moment) {
        int64_t seconds = reply->retry_after_s > 0 ? reply->retry_after_s : LIMITED_WAIT_SECONDS;
        int64_t until_ms = worker->now_ms + seconds * 1000;
        if (until_ms > atomic_load(&lane->orders_wait_until_ms) + 1000)
            news_send_waiting(worker, lane->ca->host, reply->error.text, seconds);
        lane_wait_until(lane, until_ms);
    }
    if (wait_ms < left_ms) {
        order_sleep(order, wait_ms);
        return;
    }
    char why[ERROR_TEXT_MAX + 64];
    snprintf(why, sizeof why, "%s; it asks to wait %lld s", reply->error.text,
             (long long)(reply->retry_after_s > 0 ? reply->retry_after_s : wait_ms / 1000));
    place_park(order, why);
}

static void place_refused(struct order *order, const struct reply *reply)
{
    if (reply->uncertain) {
        place_uncertain(order, reply);
        return;
    }
    switch (reply->http->failure == HTTP_ANSWERED ? reply->problem.reaction : REACT_GIVE_UP) {
    case REACT_WAIT:
        place_limited(order, reply);
        return;
    case REACT_CONFIGURATION:
    case REACT_REGISTER:
        lane_refuse(order->lane, &reply->error, &reply->problem);
        order_end_refused(order, reply);
        return;
    default:
        order_end_refused(order, reply);
    }
}

static void place_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    test_point("after-new-order");
    if (!reply->ok) {
        place_refused(order, reply);
        return;
    }
    atomic_store(&order->lane->limited_in_row, 0);
    struct order_object object = {0};
    struct error error;
    bool parsed = order_object_parse(reply->http->body, &object, &error);
    if (acme_url_check(reply->http->location, &error))
        order->url = span_duplicate(reply->http->location);
    if (order->url == NULL) {
        order_object_free(&object);
        place_uncertain(order, reply);
        return;
    }
    /* With an address but no body that can be read, the CA is asked for the order. */
    order->resumed = !parsed;
    if (parsed)
        order_take(order, &object);
    order_object_free(&object);
    if (!worker->broken)
        order_move(order, STEP_COMMIT);
}

void place_enter(struct order *order)
{
    const struct manifest_entry *entry = order->entry;
    int64_t wait_ms = atomic_load(&order->lane->orders_wait_until_ms) - order->worker->now_ms;
    if (wait_ms > 0 && order->tries == 0) {
        if (order->worker->now_ms + wait_ms > order->deadline_ms) {
            place_park(order, limited_text);
            return;
        }
        /* A little apart from each other, or all come back in one moment. */
        order_sleep(order, wait_ms + (int64_t)(jitter_next(&order->worker->random) % 2000));
        return;
    }
    struct call *call =
        order_call(order, CALL_NEW_ORDER, order->lane->ca->directory.new_order, place_reply);
    if (call == NULL)
        return;
    call->once = true;
    call->again = order->tries > 0;
    if (!payload_new_order(entry->domains, entry->domain_count, &call->payload)) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a request");
        worker_break(order->worker, &error);
        return;
    }
    order->queued = true;
    call_submit(call);
}

void place_wake(struct order *order)
{
    place_enter(order);
}

void commit_enter(struct order *order)
{
    if (!lane_know(order->lane, order->url)) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for an order");
        worker_break(order->worker, &error);
        return;
    }
    order_set_committing(order, true);
    order_post(order, STATE_ORDER_PLACED);
}

void commit_committed(struct order *order)
{
    order->placed = true;
    order->tries = 0;
    order_set_committing(order, false);
    test_point("order-placed");
    if (order->resumed) {
        order_move(order, STEP_RESUME);
        return;
    }
    struct order_object object = {.status = order->status};
    order_follow(order, &object, -1);
}

static void resume_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    struct error error;
    if (!reply->ok) {
        bool answered = reply->http->failure == HTTP_ANSWERED;
        /* The CA knows nothing of it (any more), or it is another account's: a new one is due. */
        if (answered && (reply->http->status == 404 || reply->http->status == 403 ||
                         reply->http->status == 410 || reply->http->status == 400)) {
            order_replace(order);
            return;
        }
        order_end_refused(order, reply);
        return;
    }
    struct order_object object = {0};
    if (!order_object_parse(reply->http->body, &object, &error)) {
        if (++order->tries <= PLACE_TRIES_MAX) {
            order_sleep(order, backoff_ms(&limit_backoff, order->tries, -1, 0,
                                          jitter_next(&worker->random)));
            return;
        }
        error_prefix(&error, "%s sent an order that cannot be read: ", order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    order->tries = 0;
    order_follow(order, &object, reply->retry_after_s);
    order_object_free(&object);
}

void resume_enter(struct order *order)
{
    struct call *call = order_call(order, CALL_ORDER, order->url, resume_reply);
    if (call != NULL)
        call_submit(call);
}
