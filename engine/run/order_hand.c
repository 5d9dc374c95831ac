/* A CA that allows each address a few connections leaves a worker without any, while the others do
 * well. What that worker has taken goes back to its lane, in the form in which a crash would leave
 * it, and the next worker goes on with it as a run does after a crash. */
#include "run/order.h"

/* No other thread may hold anything of it, and nothing be on its way to the CA: else two workers
 * would write one folder, or place one order twice. */
static bool may_hand_back(const struct order *order)
{
    if (!order->key_ready || order->called)
        return false;
    switch (order->step) {
    case STEP_PLACE:
    case STEP_FIND:
    case STEP_RESUME:
    case STEP_FINALIZE:
    case STEP_POLL:
    case STEP_DOWNLOAD:
        return true;
    case STEP_AUTHORIZE:
        for (size_t i = 0; i < order->authorization_count; i++)
            if (order->authorizations[i].challenge_url != NULL)
                return false;
        return true;
    default:
        return false;
    }
}

static bool hand_back(struct order *order)
{
    const struct state_order open = {
        .name = order->entry->name,
        .stage = order->placed ? ORDER_PLACED : ORDER_INTENDED,
        .digest = order->entry->digest,
        .sequence = order->sequence,
        .account = order->lane->account->alias,
        .directory = order->lane->ca->url,
        .url = order->placed ? order->url : "",
    };
    /* Whose newOrder has not been sent is as good as new. */
    bool untouched = order->step == STEP_PLACE && order->tries == 0;
    if (!lane_hand_back(order->lane, order->item, untouched ? NULL : &open,
                        untouched ? 0 : order->deadline_ms))
        return false;
    order_free(order);
    return true;
}

static void calls_note(struct worker *worker)
{
    for (struct order *order = worker->oldest; order != NULL; order = order->newer)
        order->called = false;
    for (uint32_t i = 0; i < worker->calls.count; i++) {
        const struct call *call = worker->calls.slots[i].object;
        struct order *order = call != NULL && call->out ? order_find(worker, call->order_id) : NULL;
        if (order != NULL)
            order->called = true;
    }
}

void orders_hand_back(struct session *session)
{
    struct worker *worker = session->worker;
    bool handed = false;
    struct order *next;
    calls_note(worker);
    for (struct order *order = worker->oldest; order != NULL; order = next) {
        next = order->newer;
        if (order->session == session && may_hand_back(order) && hand_back(order))
            handed = true;
    }
    if (handed)
        workers_wake(worker->run);
}
