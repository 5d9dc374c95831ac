#include "run/call_queue.h"

void queue_empty(struct call_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

void queues_empty(struct session *session)
{
    queue_empty(&session->nonce_queue);
    queue_empty(&session->other_queue);
    for (size_t i = 0; i < session->worker->run->lanes->count; i++)
        queue_empty(&session->place_queues[i]);
    session->queued = session->placing = 0;
}

static struct call_queue *queue_of(const struct call *call)
{
    struct session *session = call->session;
    if (call->kind == CALL_NEW_ORDER)
        return &session->place_queues[call->lane - session->worker->run->lanes->list];
    return call->kind == CALL_NONCE ? &session->nonce_queue : &session->other_queue;
}

static void queue_count(struct call *call, size_t more)
{
    call->session->queued += more;
    if (call->kind == CALL_NEW_ORDER)
        call->session->placing += more;
}

void queue_back(struct call *call)
{
    struct call_queue *queue = queue_of(call);
    call->next = NULL;
    *queue->last = call;
    queue->last = &call->next;
    queue_count(call, 1);
}

void queue_front(struct call *call)
{
    struct call_queue *queue = queue_of(call);
    call->next = queue->first;
    if (queue->first == NULL)
        queue->last = &call->next;
    queue->first = call;
    queue_count(call, 1);
}

struct call *queue_take(struct call_queue *queue)
{
    struct call *call = queue->first;
    queue->first = call->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue_count(call, (size_t)-1);
    return call;
}
