/* Where a session's calls wait for their turn. */
#ifndef CERTMILL_RUN_CALL_QUEUE_H
#define CERTMILL_RUN_CALL_QUEUE_H

#include "run/session.h"

void queue_empty(struct call_queue *queue);
void queues_empty(struct session *session);

/* A call belongs into one queue of its session, and is counted there. */
void queue_back(struct call *call);
/* A call that is tried again goes before the new ones: its order is the older one. */
void queue_front(struct call *call);
/* The queue must not be empty. */
struct call *queue_take(struct call_queue *queue);

#endif
