#include "run/session.h"

#include "base/clock.h"
#include "run/call_queue.h"
#include "run/order.h"

#include <stdlib.h>
#include <string.h>

#define NONCE_CALLS_MAX    8
#define NONCE_POOL_MAX     512
#define NONCE_ATTEMPTS_MAX 100
/* A nonce may be refused often by chance (test CAs do it half the time), but not for ever: after
 * this many refusals in a row each further attempt waits. */
#define NONCE_ATTEMPTS_QUICK 20
#define UNREADABLE_TRIES_MAX 3
/* Without nonces nothing goes out, so look again at least so often, whatever Retry-After says. */
#define NONCE_RETRY_AFTER_CAP_S 30
#define BODY_ERROR_MAX          ((size_t)64 * 1024)
/* A connection that breaks takes many calls with it in one moment, and a worker with one order has
 * but one call in some seconds: silence is a few calls, and some time. */
#define SILENCE_CALLS 4
#define SILENCE_MS    3000

static const struct backoff call_backoff = {.first_ms = 500, .cap_ms = 30000};

const char *call_kind_name(enum call_kind kind)
{
    static const char *const names[] = {
        [CALL_NONCE] = "newNonce",
        [CALL_DIRECTORY] = "the directory",
        [CALL_ACCOUNT] = "newAccount",
        [CALL_NEW_ORDER] = "newOrder",
        [CALL_ORDER] = "the order",
        [CALL_AUTHORIZATION] = "the authorization",
        [CALL_CHALLENGE] = "the challenge",
        [CALL_FINALIZE] = "finalize",
        [CALL_CERTIFICATE] = "the certificate",
        [CALL_ORDER_LIST] = "the list of orders",
        [CALL_CANDIDATE] = "an order of the list",
        [CALL_REVOKE] = "revokeCert",
    };
    return names[kind];
}

bool session_init(struct worker *worker, struct ca *ca, struct session *session,
                  struct error *error)
{
    const struct run_context *run = worker->run;
    unsigned share = run->in_flight / run->worker_count +
                     (worker->index < run->in_flight % run->worker_count ? 1 : 0);
    *session = (struct session){
        .worker = worker,
        .ca = ca,
        .nonces = nonce_pool_new(NONCE_POOL_MAX),
        .place_queues = calloc(run->lanes->count + 1, sizeof *session->place_queues),
        .active_max = share,
    };
    timers_init(&session->returning);
    if (session->place_queues != NULL)
        queues_empty(session);
    if (session->nonces == NULL || session->place_queues == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a worker");
    return http_client_new(worker->loop, &run->http, session_answer, worker, &session->http, error);
}

static void call_free(struct call *call)
{
    slots_remove(&call->session->worker->calls, call->id);
    free(call->url);
    buf_free(&call->payload);
    free(call);
}

void session_free(struct session *session)
{
    http_client_free(session->http);
    nonce_pool_free(session->nonces);
    free(session->place_queues);
    timers_free(&session->returning);
}

struct call *call_new(struct worker *worker, struct ca *ca, struct lane *lane, enum call_kind kind,
                      const char *url, call_handler *handler)
{
    struct call *call = calloc(1, sizeof *call);
    char *copy = strdup(url);
    if (call == NULL || copy == NULL || !slots_add(&worker->calls, call, &call->id)) {
        free(call);
        free(copy);
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a request");
        worker_break(worker, &error);
        return NULL;
    }
    call->kind = kind;
    call->session = &worker->sessions[ca->index];
    call->lane = lane;
    call->url = copy;
    call->handler = handler;
    call->deadline_ms = worker->now_ms + worker->run->order_timeout_ms;
    buf_init(&call->payload, JWS_MAX);
    return call;
}

void call_submit(struct call *call)
{
    if (call->again)
        queue_front(call);
    else
        queue_back(call);
}

static enum pace_kind pace_kind_of(const struct call *call)
{
    if (call->kind == CALL_NEW_ORDER)
        return PACE_NEW_ORDER;
    return call->kind == CALL_NONCE ? PACE_NONCE : PACE_OTHER;
}

static struct limiter *lane_limiter(const struct call *call)
{
    return call->kind == CALL_NEW_ORDER ? &call->lane->place_limiter : NULL;
}

/* Whether the call may go out now; else notes when to look again. */
static bool turn_take(const struct call *call)
{
    struct session *session = call->session;
    int64_t now_ms = session->worker->now_ms;
    int64_t wait_ms = pace_take(&session->ca->pace, pace_kind_of(call), lane_limiter(call), now_ms);
    if (wait_ms == 0)
        return true;
    if (session->turn_at_ms == 0 || session->turn_at_ms > now_ms + wait_ms)
        session->turn_at_ms = now_ms + wait_ms;
    return false;
}

static bool call_is_orphan(const struct call *call)
{
    return call->order_id != 0 && slots_get(&call->session->worker->orders, call->order_id) == NULL;
}

static void call_send(struct call *call, const char *nonce)
{
    static const char *const accept_chain[] = {"Accept: application/pem-certificate-chain", NULL};
    struct worker *worker = call->session->worker;
    struct error error;
    struct buf body;
    call->sent_ms = worker->now_ms;
    buf_init(&body, JWS_MAX * 2);
    struct http_request request = {
        .id = call->id,
        .method = call->kind == CALL_NONCE ? HTTP_HEAD : HTTP_GET,
        .url = call->url,
        .once = call->once,
    };
    bool ready = true;
    if (call->lane != NULL) {
        const struct jws_header header = {
            .url = call->url,
            .nonce = nonce,
            .kid = call->with_jwk ? NULL : call->lane->account_url,
        };
        ready = jws_sign(call->lane->signer, &header, buf_span(&call->payload), &body, &error);
        request.method = HTTP_POST;
        request.body = buf_span(&body);
        request.content_type = "application/jose+json";
        if (call->kind == CALL_CERTIFICATE)
            request.headers = accept_chain;
    }
    call->out = true;
    if (!ready || !http_send(call->session->http, &request, &error))
        worker_break(worker, &error);
    buf_free(&body);
}

static bool nonce_fetch(struct session *session)
{
    if (http_room(session->http) == 0)
        return false;
    struct call *call = call_new(session->worker, session->ca, NULL, CALL_NONCE,
                                 session->ca->directory.new_nonce, NULL);
    if (call == NULL)
        return false;
    if (!turn_take(call)) {
        call_free(call);
        return false;
    }
    session->nonce_calls++;
    call_send(call, NULL);
    return true;
}

static void nonces_fetch(struct session *session)
{
    while (session->nonce_calls < NONCE_CALLS_MAX && session->nonce_calls < session->queued &&
           nonce_fetch(session))
        continue;
}

void session_probe(struct session *session)
{
    if (session->nonce_calls == 0)
        (void)nonce_fetch(session);
}

/* From here on the CA may know of the order. */
static void placing(const struct call *call)
{
    struct order *order = order_find(call->session->worker, call->order_id);
    if (order != NULL)
        order->queued = false;
}

/* False when nothing that needs a nonce, or no request at all, can go out now. */
static bool queue_pump(struct session *session, struct call_queue *queue)
{
    struct worker *worker = session->worker;
    while (queue->first != NULL && !worker->broken) {
        struct call *call = queue->first;
        if (call_is_orphan(call)) {
            call_free(queue_take(queue));
            continue;
        }
        if (call->kind == CALL_NEW_ORDER &&
            atomic_load(&call->lane->orders_wait_until_ms) > call->deadline_ms) {
            struct order *order = order_find(worker, call->order_id);
            call_free(queue_take(queue));
            place_too_late(order);
            continue;
        }
        if (http_room(session->http) == 0)
            return false;
        char nonce[NONCE_MAX + 1] = "";
        if (call->lane != NULL && nonce_count(session->nonces) == 0) {
            nonces_fetch(session);
            return false;
        }
        if (!turn_take(call))
            return true;
        if (call->lane != NULL && !nonce_take(session->nonces, worker->now_ms, nonce)) {
            pace_return(&session->ca->pace, pace_kind_of(call), lane_limiter(call));
            nonces_fetch(session);
            return false;
        }
        queue_take(queue);
        if (call->kind == CALL_NEW_ORDER)
            placing(call);
        call_send(call, nonce);
    }
    return !worker->broken;
}

void session_pump(struct session *session)
{
    const struct lanes *lanes = session->worker->run->lanes;
    session->turn_at_ms = 0;
    if (!queue_pump(session, &session->nonce_queue) ||
        !queue_pump(session, &session->other_queue) || session->placing == 0)
        return;
    size_t lane = session->next_lane++ % lanes->count;
    for (size_t i = 0; i < lanes->count; i++, lane = (lane + 1) % lanes->count)
        if (!queue_pump(session, &session->place_queues[lane]))
            return;
}

static int64_t silent_at_ms(const struct session *session)
{
    return session->unanswered_in_row >= SILENCE_CALLS ? session->unanswered_since_ms + SILENCE_MS
                                                       : INT64_MAX;
}

void session_listen(struct session *session)
{
    bool silent = session->worker->now_ms >= silent_at_ms(session);
    if (silent == session->silent)
        return;
    session->silent = silent;
    atomic_fetch_add(&session->ca->silent, silent ? 1u : -1u);
}

bool session_is_cut_off(const struct session *session)
{
    return session->silent && session->unreached_in_row >= SILENCE_CALLS;
}

static void unanswered(struct session *session, const struct error *error, bool unreached)
{
    session->unreached_in_row = unreached ? session->unreached_in_row + 1 : 0;
    if (session->unanswered_in_row++ == 0)
        session->unanswered_since_ms = session->worker->now_ms;
    session->unanswered = *error;
}

static int64_t pump_wait_ms(struct session *session, int64_t now_ms)
{
    if (session->turn_at_ms == 0)
        return -1;
    return session->turn_at_ms > now_ms ? session->turn_at_ms - now_ms : 0;
}

int64_t session_wait_ms(struct session *session, int64_t now_ms)
{
    int64_t wait_ms = pump_wait_ms(session, now_ms);
    if (session->silent || session->unanswered_in_row < SILENCE_CALLS)
        return wait_ms;
    int64_t silent_ms = silent_at_ms(session) - now_ms;
    if (silent_ms < 0)
        silent_ms = 0;
    return wait_ms < 0 || silent_ms < wait_ms ? silent_ms : wait_ms;
}

static void reply_give(struct call *call, const struct reply *reply)
{
    struct worker *worker = call->session->worker;
    if (!call_is_orphan(call) && !worker->broken)
        call->handler(worker, call, reply);
    call_free(call);
}

/* Waits and tries again, or gives the reply to the handler when the wait would pass the deadline.
 */
static void retry_later(struct call *call, const struct reply *reply)
{
    struct worker *worker = call->session->worker;
    int64_t left_ms = call->deadline_ms - worker->now_ms;
    int64_t wait_ms = backoff_ms(&call_backoff, call->attempts++, reply->retry_after_s,
                                 left_ms / 1000, jitter_next(&worker->random));
    bool too_long = reply->retry_after_s >= 0 && reply->retry_after_s * 1000 > left_ms;
    if (too_long || wait_ms >= left_ms) {
        struct reply late = *reply;
        late.late = true;
        reply_give(call, &late);
        return;
    }
    if (!timers_add(&worker->call_timers, worker->now_ms + wait_ms, call->id)) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a timer");
        worker_break(worker, &error);
    }
}

void session_retry(struct worker *worker, uint64_t call_id)
{
    struct call *call = slots_get(&worker->calls, call_id);
    if (call != NULL)
        queue_front(call);
}

/* Calls that have waited past their deadline, with no nonce to be had, will not be sent any more.
 */
static void queue_expire(struct session *session, const struct reply *reply)
{
    const struct lanes *lanes = session->worker->run->lanes;
    struct call_queue rest;
    queue_empty(&rest);
    for (size_t i = 0; i < lanes->count + 2; i++) {
        struct call_queue *queue = i < lanes->count    ? &session->place_queues[i]
                                   : i == lanes->count ? &session->other_queue
                                                       : &session->nonce_queue;
        if (queue->first == NULL)
            continue;
        *rest.last = queue->first;
        rest.last = queue->last;
        queue_empty(queue);
    }
    session->queued = session->placing = 0;
    while (rest.first != NULL) {
        struct call *call = rest.first;
        rest.first = call->next;
        if (session->worker->now_ms >= call->deadline_ms)
            reply_give(call, reply);
        else
            queue_back(call);
    }
}

static void nonce_answer(struct call *call, struct reply *reply)
{
    struct session *session = call->session;
    if (reply->ok && nonce_count(session->nonces) == 0) {
        reply->ok = false;
        error_set(&reply->error, ERROR_PROTOCOL, "%s answered newNonce without a nonce",
                  session->ca->host);
    }
    if (!reply->ok) {
        /* Nothing can be sent: as good as no answer. */
        unanswered(session, &reply->error, reply->http->failure == HTTP_UNREACHABLE);
        queue_expire(session, reply);
        /* It keeps its place among the nonce calls while it waits, so that they do not multiply. */
        call->deadline_ms = INT64_MAX / 2;
        if (reply->retry_after_s > NONCE_RETRY_AFTER_CAP_S)
            reply->retry_after_s = NONCE_RETRY_AFTER_CAP_S;
        retry_later(call, reply);
        return;
    }
    session->unreached_in_row = 0;
    /* Whether it answers more than this only an order can tell. */
    if (session->active_orders == 0 && session->unanswered_in_row >= SILENCE_CALLS)
        session->unanswered_in_row = SILENCE_CALLS - 1;
    session->nonce_calls--;
    call_free(call);
}

static void reply_describe(const struct call *call, const struct http_response *response,
                           struct reply *reply)
{
    reply->http = response;
    reply->retry_after_s = -1;
    int64_t seconds;
    if (response->retry_after.data != NULL &&
        time_parse_retry_after(response->retry_after, worker_now_unix(call->session->worker),
                               &seconds))
        reply->retry_after_s = seconds;
    reply->ok =
        response->failure == HTTP_ANSWERED && response->status >= 200 && response->status < 300;
    if (reply->ok)
        return;
    const char *host = call->session->ca->host;
    if (response->failure != HTTP_ANSWERED) {
        error_set(&reply->error, ERROR_NETWORK, "no answer from %s to %s: %s%s", host,
                  call_kind_name(call->kind), response->reason,
                  response->failure == HTTP_UNTRUSTED ? " (for a private CA there is --ca-file)"
                                                      : "");
        reply->uncertain = response->failure == HTTP_TIMEOUT || response->failure == HTTP_LOST ||
                           response->failure == HTTP_TOO_LARGE;
        return;
    }
    struct span body = response->body;
    if (body.len > BODY_ERROR_MAX)
        body.len = 0;
    problem_read(response->status, response->content_type, body, &reply->problem);
    error_set(&reply->error, ERROR_CA, "%s refused %s: %s%s%s%s", host, call_kind_name(call->kind),
              reply->problem.text, reply->problem.type[0] != '\0' ? " (" : "", reply->problem.type,
              reply->problem.type[0] != '\0' ? ")" : "");
    /* An error without a problem document comes from something before the CA, or is spoilt; but
     * with 429 and 503 it says that the request was not dealt with. */
    reply->uncertain =
        response->status == 500 || response->status == 502 || response->status == 504 ||
        (reply->problem.type[0] == '\0' && response->status != 429 && response->status != 503);
}

/* Something before the CA may answer once with a page of its own, however large; an answer that
 * comes too large again and again will not become smaller. */
static bool failure_is_final(const struct call *call, enum http_failure failure)
{
    return failure == HTTP_UNTRUSTED || failure == HTTP_BAD_URL ||
           (failure == HTTP_TOO_LARGE && call->attempts >= UNREADABLE_TRIES_MAX);
}

/* A busy server says the same with 503 (Let's Encrypt's front does): that is not the account's. */
static bool is_limit_on_orders(const struct call *call, const struct reply *reply)
{
    return call->kind == CALL_NEW_ORDER && reply->http->failure == HTTP_ANSWERED && !reply->ok &&
           reply->http->status != 503 && reply->problem.reaction == REACT_WAIT;
}

static void pace_tell(const struct call *call, const struct reply *reply)
{
    enum pace_verdict verdict = PACE_SERVED;
    if (reply->http->failure != HTTP_ANSWERED)
        verdict = PACE_UNKNOWN;
    else if (is_limit_on_orders(call, reply))
        verdict = PACE_LANE_REFUSED;
    else if (!reply->ok &&
             (reply->problem.reaction == REACT_BACK_OFF || reply->problem.reaction == REACT_WAIT))
        verdict = PACE_REFUSED;
    pace_answer(&call->session->ca->pace, pace_kind_of(call), lane_limiter(call), verdict,
                call->sent_ms, reply->retry_after_s, call->session->worker->now_ms);
}

/* What the session does by itself about an answer that is not the expected one. */
static void answer_refused(struct call *call, const struct reply *reply)
{
    if (reply->http->failure != HTTP_ANSWERED) {
        unanswered(call->session, &reply->error, reply->http->failure == HTTP_UNREACHABLE);
        if (failure_is_final(call, reply->http->failure) || (call->once && reply->uncertain))
            reply_give(call, reply);
        else
            retry_later(call, reply);
        return;
    }
    call->session->unanswered_in_row = call->session->unreached_in_row = 0;
    switch (reply->problem.reaction) {
    case REACT_FRESH_NONCE:
        if (call->nonce_attempts++ < NONCE_ATTEMPTS_QUICK)
            queue_front(call);
        else if (call->nonce_attempts < NONCE_ATTEMPTS_MAX)
            retry_later(call, reply);
        else
            reply_give(call, reply);
        return;
    case REACT_BACK_OFF:
        if (call->once && reply->uncertain)
            reply_give(call, reply);
        else
            retry_later(call, reply);
        return;
    case REACT_WAIT:
        /* How long a rate limit on new orders holds is the order's business: it may concern one
         * domain or the whole account. */
        if (is_limit_on_orders(call, reply))
            reply_give(call, reply);
        else
            retry_later(call, reply);
        return;
    default:
        if (reply->problem.type[0] == '\0' && call->attempts < UNREADABLE_TRIES_MAX &&
            !call->once && call->kind != CALL_DIRECTORY)
            retry_later(call, reply);
        else
            reply_give(call, reply);
    }
}

void session_answer(void *context, const struct http_response *response)
{
    struct worker *worker = context;
    struct call *call = slots_get(&worker->calls, response->id);
    if (call == NULL || response->failure == HTTP_CANCELLED)
        return;
    struct session *session = call->session;
    call->out = false;
    if (response->replay_nonce.data != NULL)
        nonce_put(session->nonces, response->replay_nonce, worker->now_ms);
    struct reply reply = {0};
    reply_describe(call, response, &reply);
    pace_tell(call, &reply);
    if (call->kind == CALL_NONCE) {
        nonce_answer(call, &reply);
    } else if (reply.ok) {
        session->unanswered_in_row = session->unreached_in_row = 0;
        reply_give(call, &reply);
    } else {
        answer_refused(call, &reply);
    }
}

void sessions_drop(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->calls.count; i++) {
        struct call *call = worker->calls.slots[i].object;
        if (call != NULL)
            call_free(call);
    }
    for (size_t i = 0; worker->sessions != NULL && i < worker->run->lanes->ca_count; i++) {
        struct session *session = &worker->sessions[i];
        if (session->place_queues != NULL)
            queues_empty(session);
        session->turn_at_ms = 0;
        session->nonce_calls = 0;
    }
}
