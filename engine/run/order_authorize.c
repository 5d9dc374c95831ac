/* Authorizations and their challenges (RFC 8555 sections 7.5 and 8). All of an order's
 * authorizations go on side by side; each is fetched, and if it is not valid yet: present, answer,
 * poll. */
#include "report/report.h"
#include "run/message.h"
#include "run/order.h"
#include "test/point.h"

#include <stdlib.h>
#include <string.h>

#define POLL_FIRST_MS          ((int64_t)250)
#define POLL_CAP_MS            ((int64_t)10000)
#define POLL_RETRY_AFTER_CAP_S 60
/* Between looks at its authorizations the order gives its place in flight back if it waits at least
 * so long. */
#define PLACE_BACK_MS ((int64_t)500)

static const struct backoff poll_backoff = {.first_ms = POLL_FIRST_MS, .cap_ms = POLL_CAP_MS};

static void fetch(struct order *order, uint32_t part);

static void solver_done(struct solver_job *job)
{
    struct solver_message *message = job->owner;
    mailbox_post(&message->worker->box, &message->message);
}

static char *text_or_empty(const char *text)
{
    return strdup(text != NULL ? text : "");
}

/* The solver gets texts of its own: it may still hold them when the order is gone. */
static void solver_ask(struct order *order, uint32_t part, enum solver_step step)
{
    struct worker *worker = order->worker;
    const struct authorization *authorization = &order->authorizations[part];
    struct solver_message *message = calloc(1, sizeof *message);
    const char *const texts[] = {authorization->identifier, authorization->token,
                                 authorization->key_authorization, authorization->dns_value};
    bool complete = message != NULL;
    for (size_t i = 0; complete && i < 4; i++) {
        message->texts[i] = text_or_empty(texts[i]);
        complete = message->texts[i] != NULL;
    }
    if (!complete) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a challenge");
        for (size_t i = 0; message != NULL && i < 4; i++)
            free(message->texts[i]);
        free(message);
        worker_break(worker, &error);
        return;
    }
    message->message.kind = WORKER_SOLVER;
    message->worker = worker;
    message->order_id = order->id;
    message->part = part;
    message->job = (struct solver_job){
        .id = order->id,
        .owner = message,
        .step = step,
        .type = order->entry->challenge,
        .certificate = order->entry->name,
        .identifier = message->texts[0],
        .token = message->texts[1],
        .key_authorization = message->texts[2],
        .dns_value = message->texts[3],
        .done = solver_done,
    };
    worker->away++;
    solver_submit(worker->run->solvers, &message->job);
}

static void clean_up(struct order *order, uint32_t part)
{
    struct authorization *authorization = &order->authorizations[part];
    if (!authorization->presented)
        return;
    authorization->presented = false;
    solver_ask(order, part, SOLVER_CLEANUP);
}

void authorizations_free(struct order *order)
{
    for (size_t i = 0; i < order->authorization_count; i++) {
        clean_up(order, (uint32_t)i);
        struct authorization *authorization = &order->authorizations[i];
        free(authorization->url);
        free(authorization->identifier);
        free(authorization->challenge_url);
        free(authorization->token);
        free(authorization->key_authorization);
        free(authorization->dns_value);
        free(authorization->refused);
    }
    free(order->authorizations);
    order->authorizations = NULL;
    order->authorization_count = order->authorizations_open = 0;
}

static void fail_memory(struct order *order)
{
    struct error error;
    error_set(&error, ERROR_MEMORY, "no memory for an authorization");
    worker_break(order->worker, &error);
}

/* Whether nothing of the order is under way, and nothing will be for a while. */
static bool only_waits(const struct order *order)
{
    for (size_t i = 0; i < order->authorization_count; i++) {
        const struct authorization *authorization = &order->authorizations[i];
        if (!authorization->done &&
            authorization->poll_at_ms < order->worker->now_ms + PLACE_BACK_MS)
            return false;
    }
    return true;
}

static void poll_later(struct order *order, uint32_t part, int64_t retry_after_s)
{
    struct authorization *authorization = &order->authorizations[part];
    struct worker *worker = order->worker;
    int64_t wait_ms = backoff_ms(&poll_backoff, authorization->polls++, retry_after_s,
                                 POLL_RETRY_AFTER_CAP_S, jitter_next(&worker->random));
    authorization->poll_at_ms = worker->now_ms + wait_ms;
    /* The order's one timer stands for the earliest of its authorizations. */
    if (order->wake_at_ms == 0 || order->wake_at_ms > authorization->poll_at_ms)
        order_sleep(order, wait_ms);
    if (only_waits(order))
        order_set_active(order, false);
}

void authorize_wake(struct order *order)
{
    struct worker *worker = order->worker;
    uint64_t id = order->id;
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < order->authorization_count; i++) {
        struct authorization *authorization = &order->authorizations[i];
        if (authorization->poll_at_ms == 0)
            continue;
        if (authorization->poll_at_ms <= worker->now_ms) {
            authorization->poll_at_ms = 0;
            order_set_active(order, true);
            fetch(order, (uint32_t)i);
        } else if (authorization->poll_at_ms < next_ms) {
            next_ms = authorization->poll_at_ms;
        }
    }
    if (next_ms != INT64_MAX && order_find(worker, id) != NULL)
        order_sleep(order, next_ms - worker->now_ms);
}

/* After an error to the challenge's answer the authorization says how things stand. */
static void respond_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    if (order->step != STEP_AUTHORIZE || call->part >= order->authorization_count)
        return;
    test_point("after-challenge");
    struct authorization *authorization = &order->authorizations[call->part];
    if (!reply->ok && authorization->refused == NULL) {
        authorization->refused = malloc(sizeof *authorization->refused);
        if (authorization->refused == NULL) {
            fail_memory(order);
            return;
        }
        *authorization->refused =
            (struct reply_text){.error = reply->error, .problem = reply->problem};
        fetch(order, call->part);
        return;
    }
    poll_later(order, call->part, reply->retry_after_s);
}

static void respond(struct order *order, uint32_t part)
{
    struct authorization *authorization = &order->authorizations[part];
    struct call *call =
        order_call(order, CALL_CHALLENGE, authorization->challenge_url, respond_reply);
    if (call == NULL)
        return;
    call->part = part;
    if (!buf_append_text(&call->payload, "{}")) {
        fail_memory(order);
        return;
    }
    authorization->responded = true;
    test_point("before-challenge");
    call_submit(call);
}

void authorize_presented(struct order *order, uint32_t part, bool ok, const struct error *error)
{
    if (order->step != STEP_AUTHORIZE || part >= order->authorization_count)
        return;
    struct authorization *authorization = &order->authorizations[part];
    if (!ok) {
        struct error why = *error;
        error_prefix(&why, "%s for %s: ", challenge_type_name(order->entry->challenge),
                     authorization->identifier);
        order_end_failed(order, &why, NULL);
        return;
    }
    authorization->presented = true;
    respond(order, part);
}

void challenge_solved(struct worker *worker, struct solver_message *message)
{
    struct solver_job *job = &message->job;
    struct order *order = order_find(worker, message->order_id);
    if (job->step == SOLVER_PRESENT && order != NULL) {
        authorize_presented(order, message->part, job->ok, &job->error);
    } else if (job->step == SOLVER_PRESENT && job->ok) {
        job->step = SOLVER_CLEANUP;
        worker->away++;
        solver_submit(worker->run->solvers, job);
        return;
    } else if (job->step == SOLVER_CLEANUP && !job->ok) {
        news_send(worker, NEWS_WARNING, NULL, job->certificate, job->error.text, NULL, NULL);
    }
    for (size_t i = 0; i < 4; i++)
        free(message->texts[i]);
    free(message);
}

/* Makes what the CA will look for. False without memory. */
static bool challenge_take(struct order *order, struct authorization *authorization,
                           struct authorization_object *object)
{
    struct buf text;
    buf_init(&text, ACME_TOKEN_MAX + 256);
    bool complete = jws_key_authorization(order->lane->signer, span_of(object->token), &text);
    authorization->challenge_url = object->challenge_url;
    object->challenge_url = NULL;
    authorization->identifier = object->identifier;
    object->identifier = NULL;
    authorization->token = strdup(object->token);
    authorization->key_authorization = complete ? span_duplicate(buf_span(&text)) : NULL;
    struct error error;
    buf_clear(&text);
    complete = complete && authorization->key_authorization != NULL &&
               jws_dns_value(order->worker->run->crypto, span_of(authorization->key_authorization),
                             &text, &error);
    authorization->dns_value = complete ? span_duplicate(buf_span(&text)) : NULL;
    buf_free(&text);
    return complete && authorization->token != NULL && authorization->dns_value != NULL;
}

static void pending(struct order *order, uint32_t part, struct authorization_object *object,
                    int64_t retry_after_s)
{
    struct authorization *authorization = &order->authorizations[part];
    enum challenge_type wanted = order->entry->challenge;
    struct error error;
    if (wanted == CHALLENGE_NONE) {
        error_set(&error, ERROR_CA,
                  "%s has not validated %s yet, and the manifest says challenge: none: validate "
                  "the domain at the CA, or set a challenge that it offers (%s)",
                  order->lane->ca->host, object->identifier, object->offered);
        order_end_failed(order, &error, NULL);
        return;
    }
    if (!object->has_challenge) {
        error_set(&error, ERROR_CA, "%s does not offer %s for %s%s (offered: %s)",
                  order->lane->ca->host, challenge_type_name(wanted), object->wildcard ? "*." : "",
                  object->identifier, object->offered);
        order_end_failed(order, &error, NULL);
        return;
    }
    if (authorization->responded || object->challenge_status != CHALLENGE_PENDING) {
        if (authorization->refused != NULL && object->challenge_status == CHALLENGE_PENDING) {
            struct reply_text refused = *authorization->refused;
            order_end_failed(order, &refused.error, &refused.problem);
            return;
        }
        poll_later(order, part, retry_after_s);
        return;
    }
    if (!challenge_take(order, authorization, object)) {
        fail_memory(order);
        return;
    }
    solver_ask(order, part, SOLVER_PRESENT);
}

static void all_valid(struct order *order)
{
    struct error error;
    for (size_t i = 0; i < order->authorization_count; i++)
        clean_up(order, (uint32_t)i);
    if (order->worker->broken)
        return;
    if (order->explaining) {
        error_set(&error, ERROR_CA, "%s made the order invalid and gave no reason",
                  order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    order_move(order, STEP_KEY);
}

static void not_to_be_had(struct order *order, const struct authorization_object *object)
{
    struct error error;
    error_set(&error, ERROR_CA, "%s: the authorization of %s%s is %s%s%s%s%s%s",
              order->lane->ca->host, object->wildcard ? "*." : "", object->identifier,
              authorization_status_name(object->status), object->has_error ? ": " : "",
              object->has_error ? object->error.text : "", object->has_error ? " (" : "",
              object->has_error ? object->error.type : "", object->has_error ? ")" : "");
    order_end_failed(order, &error, object->has_error ? &object->error : NULL);
}

static void fetched(struct order *order, uint32_t part, struct authorization_object *object,
                    int64_t retry_after_s)
{
    switch (object->status) {
    case AUTHORIZATION_PENDING:
        /* Of an invalid order it says no more. */
        if (!order->explaining) {
            pending(order, part, object, retry_after_s);
            return;
        }
        __attribute__((fallthrough));
    case AUTHORIZATION_VALID:
        clean_up(order, part);
        if (!order->authorizations[part].done) {
            order->authorizations[part].done = true;
            order->authorizations_open--;
        }
        if (order->authorizations_open == 0)
            all_valid(order);
        return;
    default:
        not_to_be_had(order, object);
    }
}

static void fetch_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct order *order = order_find(worker, call->order_id);
    if (order->step != STEP_AUTHORIZE || call->part >= order->authorization_count)
        return;
    if (!reply->ok) {
        order_end_refused(order, reply);
        return;
    }
    struct authorization_object object = {0};
    struct error error;
    if (!authorization_object_parse(reply->http->body, order->entry->challenge, &object, &error)) {
        if (order->tries++ < 5) {
            poll_later(order, call->part, -1);
            return;
        }
        error_prefix(&error,
                     "%s sent an authorization that cannot be read: ", order->lane->ca->host);
        order_end_failed(order, &error, NULL);
        return;
    }
    fetched(order, call->part, &object, reply->retry_after_s);
    authorization_object_free(&object);
}

static void fetch(struct order *order, uint32_t part)
{
    struct call *call =
        order_call(order, CALL_AUTHORIZATION, order->authorizations[part].url, fetch_reply);
    if (call == NULL)
        return;
    call->part = part;
    call_submit(call);
}

void authorize_enter(struct order *order)
{
    order->tries = 0;
    order->authorizations_open = 0;
    for (size_t i = 0; i < order->authorization_count; i++) {
        order->authorizations[i].done = false;
        order->authorizations_open++;
        fetch(order, (uint32_t)i);
    }
    /* Some CAs list nothing for domains that were validated before (Sectigo's "always valid"). */
    if (order->authorization_count == 0)
        all_valid(order);
}
