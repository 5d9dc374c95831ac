#include "run/worker.h"

#include "base/clock.h"
#include "run/finder.h"
#include "run/message.h"
#include "run/order.h"
#include "run/registrar.h"
#include "run/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* Messages out with other threads, so that a lane of refused certificates does not fill the memory
 * with changes of the state. */
#define AWAY_MAX 4096
/* The crypto stage is full and none of this worker's jobs is in it: look again after so long. */
#define KEY_WAIT_MS 20
/* Orders begun in one turn of the loop: keeps the answers of those under way from waiting. */
#define BEGIN_MAX 64

int64_t worker_now_unix(const struct worker *worker)
{
    (void)worker;
    return clock_unix();
}

void worker_break(struct worker *worker, const struct error *error)
{
    if (worker->broken)
        return;
    worker->broken = true;
    worker->broken_error = *error;
}

void workers_wake(const struct run_context *run)
{
    for (unsigned i = 0; i < run->worker_count; i++)
        if (!atomic_exchange(&run->workers[i].lane_posted, true))
            mailbox_post(&run->workers[i].box, &run->workers[i].lane_message);
}

static void state_came(struct worker *worker, struct state_message *message)
{
    struct order *order = order_find(worker, message->order_id);
    bool ok = message->change.ok;
    struct error error = message->change.error;
    for (size_t i = 0; i < sizeof message->texts / sizeof message->texts[0]; i++)
        free(message->texts[i]);
    free(message);
    if (!ok) {
        worker_break(worker, &error);
        return;
    }
    if (order != NULL && order_handlers_of(order)->committed != NULL)
        order_handlers_of(order)->committed(order);
}

static void mail_handle(struct worker *worker, struct message *message)
{
    switch ((enum worker_message)message->kind) {
    case WORKER_CRYPTO: {
        struct crypto_message *crypto = (struct crypto_message *)message;
        bool room = crypto->job.ok;
        worker->away--;
        key_made(worker, crypto);
        if (room)
            key_ask_again(worker);
        return;
    }
    case WORKER_STORE: {
        struct store_message *store = (struct store_message *)message;
        worker->away--;
        if (store->job.step == STORE_KEY)
            key_stored(worker, store);
        else
            chain_stored(worker, store);
        return;
    }
    case WORKER_STATE:
        worker->away--;
        state_came(worker, (struct state_message *)message);
        return;
    case WORKER_SOLVER:
        worker->away--;
        challenge_solved(worker, (struct solver_message *)message);
        return;
    case WORKER_LANE:
        atomic_store(&worker->lane_posted, false);
        return;
    case WORKER_DRAIN:
        worker->draining = true;
        orders_drain(worker, false);
        solvers_hurry(worker->run->solvers);
        return;
    case WORKER_PARK:
        orders_drain(worker, true);
        return;
    }
}

static void mail_ready(void *context, uint32_t events)
{
    struct worker *worker = context;
    (void)events;
    worker->now_ms = clock_monotonic_ms();
    struct message *message = mailbox_take(&worker->box);
    while (message != NULL) {
        struct message *next = message->next;
        mail_handle(worker, message);
        message = next;
    }
}

/* No worker gets an answer, and none has anything under way that might get one. */
static bool ca_is_lost(const struct worker *worker, const struct session *session)
{
    return session->silent && session->unanswered_in_row >= UNANSWERED_MAX &&
           atomic_load(&session->ca->silent) == worker->run->worker_count &&
           atomic_load(&session->ca->active) == 0;
}

static bool lane_may_begin(const struct worker *worker, struct lane *lane)
{
    const struct session *session = &worker->sessions[lane->ca->index];
    enum lane_status status = atomic_load_explicit(&lane->status, memory_order_acquire);
    if (status == LANE_WAITING || !lane_has_more(lane))
        return false;
    if (status == LANE_REFUSED)
        return true;
    if (!session_has_place(session))
        return false;
    /* A CA that does not answer ends the lane's certificates. */
    if (session->silent || session->unanswered_in_row >= UNANSWERED_MAX)
        return ca_is_lost(worker, session);
    int64_t wait_ms = atomic_load(&lane->orders_wait_until_ms) - worker->now_ms;
    return wait_ms <= 0 || wait_ms > worker->run->order_timeout_ms;
}

static bool lane_begin(struct worker *worker, struct lane *lane)
{
    const struct session *session = &worker->sessions[lane->ca->index];
    int64_t deadline_ms = worker->now_ms + worker->run->order_timeout_ms;
    const struct plan_item *item = lane_take(lane, &deadline_ms);
    if (item == NULL)
        return true;
    if (ca_is_lost(worker, session))
        lane_refuse(lane, &session->unanswered, NULL);
    return order_start(worker, lane, item, deadline_ms);
}

/* Takes certificates off the lanes, one lane after the other, while there is room. */
static void orders_begin(struct worker *worker)
{
    size_t lanes = worker->run->lanes->count;
    size_t passed = 0;
    for (unsigned begun = 0; begun < BEGIN_MAX && passed < lanes;) {
        if (worker->draining || worker->broken || worker->away >= AWAY_MAX)
            return;
        struct lane *lane = &worker->run->lanes->list[worker->next_lane];
        worker->next_lane = (worker->next_lane + 1) % lanes;
        if (!lane_may_begin(worker, lane)) {
            passed++;
            continue;
        }
        passed = 0;
        begun++;
        if (!lane_begin(worker, lane))
            return;
    }
}

static bool is_finished(const struct worker *worker)
{
    if (worker->order_count > 0 || worker->away > 0)
        return false;
    if (worker->draining || worker->broken)
        return true;
    return registrar_is_done(worker) && atomic_load(&worker->run->lanes->left) == 0;
}

/* What the CA does not answer this worker is left to the others, if it answers them. */
static void silence_mind(struct worker *worker)
{
    for (size_t i = 0; i < worker->run->lanes->ca_count; i++) {
        struct session *session = &worker->sessions[i];
        session_listen(session);
        if (!session->silent || worker->draining || worker->broken)
            continue;
        if (session_is_cut_off(session) &&
            atomic_load(&session->ca->silent) < worker->run->worker_count)
            orders_hand_back(session);
        if (session->active_orders == 0)
            session_probe(session);
    }
}

static void timers_run(struct worker *worker)
{
    uint64_t id;
    while (timers_take_due(&worker->call_timers, worker->now_ms, &id))
        session_retry(worker, id);
    while (timers_take_due(&worker->order_timers, worker->now_ms, &id))
        order_wake(worker, id);
    orders_expire(worker);
}

static void earlier(int64_t *wait_ms, int64_t other_ms)
{
    if (other_ms >= 0 && (*wait_ms < 0 || other_ms < *wait_ms))
        *wait_ms = other_ms;
}

static int64_t worker_wait_ms(struct worker *worker)
{
    const struct lanes *lanes = worker->run->lanes;
    int64_t wait_ms = timers_wait_ms(&worker->call_timers, worker->now_ms);
    earlier(&wait_ms, timers_wait_ms(&worker->order_timers, worker->now_ms));
    /* One past its deadline is being stored, and its end wakes the worker. */
    if (worker->oldest != NULL && worker->oldest->deadline_ms > worker->now_ms)
        earlier(&wait_ms, worker->oldest->deadline_ms - worker->now_ms);
    if (worker->key_waiting != NULL)
        earlier(&wait_ms, KEY_WAIT_MS);
    for (size_t i = 0; i < lanes->ca_count; i++) {
        earlier(&wait_ms, http_wait_ms(worker->sessions[i].http, worker->now_ms));
        earlier(&wait_ms, session_wait_ms(&worker->sessions[i], worker->now_ms));
        if (session_has_place(&worker->sessions[i]))
            earlier(&wait_ms, timers_wait_ms(&worker->sessions[i].returning, worker->now_ms));
    }
    if (worker->draining || worker->broken || worker->away >= AWAY_MAX)
        return wait_ms;
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->list[i];
        int64_t limited_ms = atomic_load(&lane->orders_wait_until_ms) - worker->now_ms;
        if (lane_may_begin(worker, lane))
            return 0;
        if (limited_ms > 0 && lane_has_more(lane))
            earlier(&wait_ms, limited_ms);
    }
    return wait_ms;
}

/* The state or the memory is gone: nothing can go on, with the other workers neither. */
static void give_up(struct worker *worker)
{
    crypto_stage_stop(worker->run->stage);
    registrar_cancel(worker);
    sessions_drop(worker);
    orders_fail_all(worker, &worker->broken_error);
}

static void turn(struct worker *worker)
{
    struct error error;
    worker->now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < worker->run->lanes->ca_count; i++)
        http_tick(worker->sessions[i].http, worker->now_ms);
    timers_run(worker);
    if (worker->key_waiting != NULL && worker->now_ms >= worker->key_again_ms) {
        worker->key_again_ms = worker->now_ms + KEY_WAIT_MS;
        key_ask_again(worker);
    }
    silence_mind(worker);
    for (size_t i = 0; i < worker->run->lanes->ca_count; i++)
        orders_return(&worker->sessions[i]);
    orders_begin(worker);
    for (size_t i = 0; i < worker->run->lanes->ca_count; i++)
        session_pump(&worker->sessions[i]);
    if (worker->broken)
        give_up(worker);
    if (is_finished(worker))
        return;
    int64_t wait_ms = worker_wait_ms(worker);
    if (!loop_run_once(worker->loop, wait_ms, &error))
        worker_break(worker, &error);
}

static void worker_free(struct worker *worker)
{
    sessions_drop(worker);
    for (size_t i = 0; worker->sessions != NULL && i < worker->run->lanes->ca_count; i++)
        session_free(&worker->sessions[i]);
    free(worker->sessions);
    if (worker->finders != NULL)
        finders_free(worker);
    registrar_free(worker);
    slots_free(&worker->orders);
    slots_free(&worker->calls);
    timers_free(&worker->order_timers);
    timers_free(&worker->call_timers);
    loop_free(worker->loop);
}

static void counts_add(const struct http_client *http, struct http_counts *sum)
{
    struct http_counts counts;
    http_count(http, &counts);
    sum->requests += counts.requests;
    sum->connections += counts.connections;
    sum->http2 += counts.http2;
    sum->bytes_in += counts.bytes_in;
    sum->bytes_out += counts.bytes_out;
}

static void *worker_main(void *context)
{
    struct worker *worker = context;
    worker->now_ms = clock_monotonic_ms();
    if (!registrar_start(worker)) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a worker");
        worker_break(worker, &error);
    }
    if (worker->registrar != NULL)
        while (!is_finished(worker))
            turn(worker);
    for (size_t i = 0; i < worker->run->lanes->ca_count; i++)
        counts_add(worker->sessions[i].http, &worker->counts);
    worker->end_message.kind = MAIN_WORKER_END;
    mailbox_post(worker->run->main_box, &worker->end_message);
    return NULL;
}

static bool sessions_make(struct worker *worker, struct error *error)
{
    const struct lanes *lanes = worker->run->lanes;
    worker->sessions = calloc(lanes->ca_count + 1, sizeof *worker->sessions);
    worker->finders = calloc(lanes->count + 1, sizeof *worker->finders);
    if (worker->sessions == NULL || worker->finders == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a worker");
    for (size_t i = 0; i < lanes->ca_count; i++)
        TRY(session_init(worker, &lanes->cas[i], &worker->sessions[i], error));
    return true;
}

bool worker_start(const struct run_context *run, struct worker *worker, unsigned index,
                  struct error *error)
{
    worker->run = run;
    worker->index = index;
    worker->random = (uint64_t)clock_monotonic_ms() * 0x9e3779b97f4a7c15u + index + 1;
    worker->key_waiting_last = &worker->key_waiting;
    worker->lane_message.kind = WORKER_LANE;
    worker->drain_message.kind = WORKER_DRAIN;
    worker->park_message.kind = WORKER_PARK;
    slots_init(&worker->orders);
    slots_init(&worker->calls);
    timers_init(&worker->order_timers);
    timers_init(&worker->call_timers);
    TRY(loop_new(&worker->loop, error));
    TRY(loop_watch(worker->loop, worker->box.event_fd, EPOLLIN, mail_ready, worker, error));
    TRY(sessions_make(worker, error));
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        return error_set(error, ERROR_SYSTEM, "a worker thread cannot be started");
    return true;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    worker_free(worker);
}

void worker_drain(struct worker *worker)
{
    mailbox_post(&worker->box, &worker->drain_message);
}

void worker_park(struct worker *worker)
{
    mailbox_post(&worker->box, &worker->park_message);
}
