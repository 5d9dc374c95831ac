/* Places in flight: how many orders of a worker a CA deals with at once. An order that only waits
 * for a while gives its place back, so that another can use it; when its wait is over it takes one
 * again, and waits on when there is none: before any new order begins. */
#include "run/order.h"

/* One more for so many places. */
#define AHEAD_SHARE 16

void order_set_active(struct order *order, bool active)
{
    if (order->active == active)
        return;
    order->active = active;
    order->session->active_orders += active ? 1u : -1u;
    atomic_fetch_add(&order->session->ca->active, active ? 1u : -1u);
}

void order_set_committing(struct order *order, bool committing)
{
    if (order->committing == committing)
        return;
    order->committing = committing;
    order->session->committing_orders += committing ? 1u : -1u;
}

/* While an order's commit is under way nothing of it is at the CA: a few are begun so much earlier
 * that the places are used. */
static unsigned begun_ahead(const struct session *session)
{
    unsigned most = session->active_max / AHEAD_SHARE;
    return session->committing_orders < most ? session->committing_orders : most;
}

bool session_has_place(const struct session *session)
{
    return session->active_orders < session->active_max + begun_ahead(session);
}

void order_wake(struct worker *worker, uint64_t id)
{
    struct order *order = order_find(worker, id);
    if (order == NULL || order->wake_at_ms == 0 || worker->now_ms < order->wake_at_ms)
        return;
    if (!order->active && !session_has_place(order->session)) {
        /* Its wait goes on: whatever ends waiting orders finds it. */
        if (!timers_add(&order->session->returning, order->wake_at_ms, id))
            order_no_memory(worker);
        return;
    }
    order->wake_at_ms = 0;
    if (order_handlers_of(order)->wake != NULL)
        order_handlers_of(order)->wake(order);
}

void orders_return(struct session *session)
{
    struct worker *worker = session->worker;
    uint64_t id;
    while (session_has_place(session) && timers_take_due(&session->returning, worker->now_ms, &id))
        order_wake(worker, id);
}
