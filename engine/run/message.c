#include "run/message.h"

#include "report/report.h"

#include <stdlib.h>
#include <string.h>

static void state_done(struct state_change *change)
{
    struct state_message *message = change->owner;
    mailbox_post(&message->worker->box, &message->message);
}

void crypto_job_done(struct crypto_job *job)
{
    struct crypto_message *message = job->owner;
    mailbox_post(&message->worker->box, &message->message);
}

void store_job_done(struct store_job *job)
{
    struct store_message *message = job->owner;
    mailbox_post(&message->worker->box, &message->message);
}

struct state_message *state_message_new(struct worker *worker, uint64_t order_id,
                                        enum state_change_kind kind)
{
    struct state_message *message = calloc(1, sizeof *message);
    if (message == NULL) {
        struct error error;
        error_set(&error, ERROR_MEMORY, "no memory for a change of the state");
        worker_break(worker, &error);
        return NULL;
    }
    message->message.kind = WORKER_STATE;
    message->worker = worker;
    message->order_id = order_id;
    message->change.kind = kind;
    message->change.owner = message;
    message->change.done = state_done;
    return message;
}

void state_message_post(struct state_message *message)
{
    message->worker->away++;
    state_post(message->worker->run->state, &message->change);
}

static char *copy(const char *text)
{
    return text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

void news_send_waiting(struct worker *worker, const char *host, const char *text, int64_t seconds)
{
    struct news_message *news = calloc(1, sizeof *news);
    if (news == NULL)
        return;
    news->message.kind = MAIN_NEWS;
    news->kind = NEWS_WAITING;
    news->name = copy(host);
    news->text = copy(text);
    news->seconds = (double)seconds;
    mailbox_post(worker->run->main_box, &news->message);
}

void news_send(struct worker *worker, int kind, const struct order *order, const char *name,
               const char *text, const char *advice, const char *type)
{
    struct news_message *news = calloc(1, sizeof *news);
    if (news == NULL)
        return;
    news->message.kind = MAIN_NEWS;
    news->kind = kind;
    news->name = copy(name);
    news->text = copy(text);
    news->advice = copy(advice);
    news->type = copy(type);
    if (order != NULL) {
        news->item = order->item;
        news->sequence = order->sequence;
        news->not_after = order->info.not_after;
        news->seconds = (double)(worker->now_ms - order->started_ms) / 1000;
    }
    mailbox_post(worker->run->main_box, &news->message);
}
