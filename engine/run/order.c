#include "run/order.h"

#include "report/report.h"
#include "run/message.h"
#include "run/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct order_handlers steps[STEP_COUNT] = {
    [STEP_BEGIN] = {.name = "begin", .enter = begin_enter},
    [STEP_INTEND] = {.name = "intend", .enter = intend_enter, .committed = intend_committed},
    [STEP_FIND] = {.name = "find", .enter = find_enter, .wake = find_wake},
    [STEP_PLACE] = {.name = "place", .enter = place_enter, .wake = place_wake},
    [STEP_COMMIT] = {.name = "commit", .enter = commit_enter, .committed = commit_committed},
    [STEP_RESUME] = {.name = "resume", .enter = resume_enter, .wake = resume_enter},
    [STEP_AUTHORIZE] = {.name = "authorize", .enter = authorize_enter, .wake = authorize_wake},
    [STEP_KEY] = {.name = "key", .enter = key_enter, .key_ready = key_came},
    [STEP_FINALIZE] = {.name = "finalize", .enter = finalize_enter},
    [STEP_POLL] = {.name = "poll", .enter = poll_enter, .wake = poll_wake},
    [STEP_DOWNLOAD] = {.name = "download",
                       .enter = download_enter,
                       .wake = download_enter,
                       .key_ready = download_enter},
    [STEP_STORE] = {.name = "store", .enter = store_enter, .stored = store_stored},
    [STEP_RECORD] = {.name = "record", .enter = record_enter, .committed = record_committed},
};

void order_no_memory(struct worker *worker)
{
    struct error error;
    error_set(&error, ERROR_MEMORY, "no memory for an order");
    worker_break(worker, &error);
}

const struct order_handlers *order_handlers_of(const struct order *order)
{
    return &steps[order->step];
}

/* By deadlines: what another worker handed back keeps its own. */
static void list_insert(struct worker *worker, struct order *order)
{
    struct order *older = worker->newest;
    while (older != NULL && older->deadline_ms > order->deadline_ms)
        older = older->older;
    order->older = older;
    order->newer = older != NULL ? older->newer : worker->oldest;
    if (older != NULL)
        older->newer = order;
    else
        worker->oldest = order;
    if (order->newer != NULL)
        order->newer->older = order;
    else
        worker->newest = order;
}

bool order_start(struct worker *worker, struct lane *lane, const struct plan_item *item,
                 int64_t deadline_ms)
{
    struct order *order = calloc(1, sizeof *order);
    if (order == NULL || !slots_add(&worker->orders, order, &order->id)) {
        free(order);
        order_no_memory(worker);
        return false;
    }
    order->worker = worker;
    order->lane = lane;
    order->session = &worker->sessions[lane->ca->index];
    order->item = item;
    order->entry = &worker->run->manifest->entries[item->entry];
    order->started_ms = worker->now_ms;
    order->deadline_ms = deadline_ms;
    buf_init(&order->csr, JWS_MAX);
    list_insert(worker, order);
    worker->order_count++;
    atomic_fetch_add(worker->run->orders_now, 1);
    order_set_active(order, true);
    order_move(order, STEP_BEGIN);
    return true;
}

struct order *order_find(struct worker *worker, uint64_t id)
{
    return slots_get(&worker->orders, id);
}

void order_move(struct order *order, enum order_step step)
{
    order->step = step;
    order->wake_at_ms = 0;
    if (order->worker->run->report_states)
        news_send(order->worker, NEWS_ORDER_STATE, order, order->entry->name, steps[step].name,
                  NULL, NULL);
    steps[step].enter(order);
}

void order_sleep(struct order *order, int64_t wait_ms)
{
    struct worker *worker = order->worker;
    /* While the run is ending nothing waits: the next run goes on. But to take a challenge's answer
     * away while the CA looks for it would make the order invalid. */
    if (worker->draining && order->step != STEP_AUTHORIZE) {
        order_end_parked(order, "the run was interrupted");
        return;
    }
    order->wake_at_ms = worker->now_ms + wait_ms;
    if (!timers_add(&worker->order_timers, order->wake_at_ms, order->id))
        order_no_memory(worker);
}

struct call *order_call(struct order *order, enum call_kind kind, const char *url,
                        call_handler *handler)
{
    struct call *call = call_new(order->worker, order->lane->ca, order->lane, kind, url, handler);
    if (call == NULL)
        return NULL;
    call->order_id = order->id;
    call->deadline_ms = order->deadline_ms;
    return call;
}

/* Nothing finds the order any more. What other threads still hold of it they own. */
void order_free(struct order *order)
{
    struct worker *worker = order->worker;
    order_set_active(order, false);
    order_set_committing(order, false);
    slots_remove(&worker->orders, order->id);
    if (order->older != NULL)
        order->older->newer = order->newer;
    else
        worker->oldest = order->newer;
    if (order->newer != NULL)
        order->newer->older = order->older;
    else
        worker->newest = order->older;
    worker->order_count--;
    for (struct order **at = &worker->key_waiting; order->key_waiting && *at != NULL;
         at = &(*at)->next_waiting) {
        if (*at != order)
            continue;
        *at = order->next_waiting;
        if (*at == NULL)
            worker->key_waiting_last = at;
        break;
    }
    authorizations_free(order);
    free(order->url);
    free(order->finalize_url);
    free(order->certificate_url);
    free(order->names);
    buf_free(&order->csr);
    buf_free(&order->public_key);
    free(order);
    atomic_fetch_sub(worker->run->orders_now, 1);
}

/* The order is over. When no certificate is left the workers that have waited may end, and no more
 * DNS records are to be removed than those that wait for it. */
static void order_end(struct order *order)
{
    const struct run_context *run = order->worker->run;
    order_free(order);
    if (atomic_fetch_sub(&run->lanes->left, 1) == 1) {
        workers_wake(run);
        solvers_hurry(run->solvers);
    }
}

void order_end_issued(struct order *order)
{
    news_send(order->worker, NEWS_ISSUED, order, order->entry->name, NULL, NULL, NULL);
    order_end(order);
}

/* What failed here may succeed with the same order; what the CA refused will not, unless it was the
 * account before anything was said of the order. EEXIST: what is live came of this order, and the
 * CA now gives something else for it. */
static bool order_is_worth_keeping(const struct order *order, const struct error *error)
{
    if (!order->placed && !order->intended)
        return false;
    if (order->step == STEP_BEGIN)
        return true;
    return (error->kind == ERROR_SYSTEM && error->sys != EEXIST) || error->kind == ERROR_NETWORK ||
           error->kind == ERROR_MEMORY || error->kind == ERROR_STATE;
}

void order_end_failed(struct order *order, const struct error *error, const struct problem *problem)
{
    struct worker *worker = order->worker;
    const char *advice = problem != NULL ? problem_advice(problem) : "";
    const char *type =
        problem != NULL && problem->type[0] != '\0' ? problem->type : error_kind_name(error->kind);
    news_send(worker, NEWS_FAILED, order, order->entry->name, error->text, advice, type);
    if (!worker->broken) {
        struct state_message *message = state_message_new(worker, 0, STATE_FAILED);
        if (message != NULL) {
            message->texts[0] = strdup(error->text);
            message->change.certificate = (struct state_certificate){
                .name = order->entry->name,
                .attempted_at = worker_now_unix(worker),
                .last_error = message->texts[0] != NULL ? message->texts[0] : "",
            };
            message->change.keep_order = order_is_worth_keeping(order, error);
            state_message_post(message);
        }
    }
    order_end(order);
}

void order_end_parked(struct order *order, const char *why)
{
    struct worker *worker = order->worker;
    /* From the moment newOrder may have been sent, the next run must look for the order. */
    bool open = order->placed || (order->intended && order->step >= STEP_FIND && !order->queued);
    news_send(worker, NEWS_PARKED, order, order->entry->name, why, NULL, NULL);
    /* Before it has begun the state is as the last run left it. */
    bool noted = order->step != STEP_BEGIN && (order->intended || order->step == STEP_INTEND);
    if (!worker->broken && (open || noted)) {
        struct state_message *message =
            state_message_new(worker, 0, open ? STATE_PENDING : STATE_ORDER_GONE);
        if (message != NULL) {
            if (open)
                message->change.certificate = (struct state_certificate){
                    .name = order->entry->name,
                    .attempted_at = worker_now_unix(worker),
                    .last_error = "",
                };
            else
                message->change.order = (struct state_order){.name = order->entry->name};
            state_message_post(message);
        }
    }
    order_end(order);
}

void order_end_refused(struct order *order, const struct reply *reply)
{
    if (order->placed && reply->late) {
        struct error why = reply->error;
        error_set(&why, why.kind, "%s; the CA still has the order", reply->error.text);
        order_end_parked(order, why.text);
        return;
    }
    if (reply->http->failure == HTTP_ANSWERED) {
        order_end_failed(order, &reply->error, &reply->problem);
        return;
    }
    order_end_failed(order, &reply->error, NULL);
}

static void url_take(char **to, char **from)
{
    if (*from == NULL)
        return;
    free(*to);
    *to = *from;
    *from = NULL;
}

static bool authorizations_take(struct order *order, struct order_object *object)
{
    if (order->authorization_count > 0 || object->authorization_count == 0)
        return true;
    order->authorizations = calloc(object->authorization_count, sizeof *order->authorizations);
    if (order->authorizations == NULL)
        return false;
    for (size_t i = 0; i < object->authorization_count; i++)
        url_take(&order->authorizations[i].url, &object->authorizations[i]);
    order->authorization_count = object->authorization_count;
    return true;
}

void order_take(struct order *order, struct order_object *object)
{
    url_take(&order->finalize_url, &object->finalize);
    url_take(&order->certificate_url, &object->certificate);
    order->status = object->status;
    if (!authorizations_take(order, object))
        order_no_memory(order->worker);
}

static void follow_invalid(struct order *order, const struct order_object *object)
{
    struct error error;
    if (order->resumed) {
        /* It failed or expired at the CA while no run was there to see it: a new one is due. */
        order_replace(order);
        return;
    }
    if (!object->has_error && order->authorization_count > 0 && !order->explaining) {
        order->explaining = true;
        order_move(order, STEP_AUTHORIZE);
        return;
    }
    error_set(&error, ERROR_CA, "%s made the order invalid: %s%s%s%s", order->lane->ca->host,
              object->has_error ? object->error.text : "it gave no reason",
              object->has_error ? " (" : "", object->has_error ? object->error.type : "",
              object->has_error ? ")" : "");
    order_end_failed(order, &error, object->has_error ? &object->error : NULL);
}

void order_follow(struct order *order, struct order_object *object, int64_t retry_after_s)
{
    order_take(order, object);
    if (order->worker->broken)
        return;
    if (object->status != ORDER_INVALID)
        order->resumed = false;
    switch (object->status) {
    case ORDER_PENDING:
        order_move(order, STEP_AUTHORIZE);
        return;
    case ORDER_READY:
        order_move(order, STEP_KEY);
        return;
    case ORDER_PROCESSING:
        order->finalized = true;
        order->retry_after_s = retry_after_s;
        order_move(order, STEP_POLL);
        return;
    case ORDER_VALID:
        order_move(order, STEP_DOWNLOAD);
        return;
    case ORDER_INVALID:
        follow_invalid(order, object);
    }
}

/* What is being stored ends by itself in a moment, and saves the next run a download. */
static bool ends_soon(const struct order *order)
{
    return order->step == STEP_STORE || order->step == STEP_RECORD;
}

void orders_expire(struct worker *worker)
{
    struct order *next;
    for (struct order *order = worker->oldest;
         order != NULL && worker->now_ms >= order->deadline_ms && !worker->broken; order = next) {
        next = order->newer;
        if (ends_soon(order))
            continue;
        if (order->placed) {
            order_end_parked(order, "it is not done within the time for an order (limits: "
                                    "order-timeout-seconds); the CA still has it");
            continue;
        }
        if (order->queued && atomic_load(&order->lane->limited)) {
            order_end_parked(order,
                             "the CA's rate limit let no more orders through within the time "
                             "for an order (limits: order-timeout-seconds)");
            continue;
        }
        struct error error;
        error_set(&error, ERROR_NETWORK, "not placed within the time for an order: %s",
                  order->session->unanswered_in_row > 0 ? order->session->unanswered.text
                                                        : "the CA is too slow");
        order_end_failed(order, &error, NULL);
    }
}

void orders_drain(struct worker *worker, bool now)
{
    struct order *next;
    for (struct order *order = worker->oldest; order != NULL; order = next) {
        next = order->newer;
        bool waits = order->wake_at_ms != 0 || order->queued || order->step == STEP_BEGIN ||
                     order->step == STEP_INTEND || order->step == STEP_KEY ||
                     key_is_waited_for(order);
        if ((now && !ends_soon(order)) || (waits && order->step != STEP_AUTHORIZE))
            order_end_parked(order, "the run was interrupted");
    }
}

void orders_fail_all(struct worker *worker, const struct error *error)
{
    struct order *next;
    for (struct order *order = worker->oldest; order != NULL; order = next) {
        next = order->newer;
        order_end_failed(order, error, NULL);
    }
}
