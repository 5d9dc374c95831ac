/* Waits until all of Route 53's servers have a change. Changes that were made together get there
 * together: so only the oldest of an account is asked for again and again, and the others when it
 * is through. */
#include "solver/route53_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_FIRST_MS ((int64_t)1000)
#define POLL_CAP_MS   ((int64_t)5000)

static int64_t poll_delay_ms(unsigned polls)
{
    int64_t delay_ms = POLL_FIRST_MS * (1 + (int64_t)polls);
    return delay_ms < POLL_CAP_MS ? delay_ms : POLL_CAP_MS;
}

void route53_wait_add(struct route53_work *work, struct change *change)
{
    struct change **at = &change->zone->account->waits;
    while (*at != NULL)
        at = &(*at)->next;
    *at = change;
    change->next = NULL;
    change->poll_ms = ROUTE53_NEVER;
    change->release_ms = ROUTE53_NEVER;
    change->deadline_ms = work->now_ms + work->options.timeout_ms;
}

struct change *route53_wait_find(const struct route53_work *work, const struct name *name)
{
    (void)work;
    struct change *change = name->zone->account->waits;
    while (change != NULL && (name->change == 0 || change->number != name->change))
        change = change->next;
    return change;
}

static void wait_remove(struct change *change)
{
    struct change **at = &change->zone->account->waits;
    while (*at != change)
        at = &(*at)->next;
    *at = change->next;
    route53_change_free(change);
}

static void tasks_fail(struct route53_work *work, struct change *change, const struct error *error)
{
    struct tasks tasks;
    route53_tasks_init(&tasks);
    route53_tasks_move(&change->tasks, &tasks);
    for (struct task *task; (task = route53_tasks_take(&tasks)) != NULL;)
        route53_task_undo(work, task, error);
}

static void wait_fail(struct route53_work *work, struct change *change, const struct error *error)
{
    tasks_fail(work, change, error);
    wait_remove(change);
}

static void wait_end(struct route53_work *work, struct change *change)
{
    for (struct task *task; (task = route53_tasks_take(&change->tasks)) != NULL;)
        route53_task_settle(work, task);
    wait_remove(change);
}

static void wait_ask(struct route53_work *work, struct change *change)
{
    char path[ROUTE53_CHANGE_ID_MAX + 64];
    struct error error = {0};
    snprintf(path, sizeof path, "/2013-04-01/change/%s", change->id);
    struct aws_request call = {
        .profile = change->zone->account->profile,
        .method = HTTP_GET,
        .path = span_of(path),
        .action = "route53:GetChange",
    };
    const struct request request = {.kind = REQUEST_WAIT, .change = change};
    change->polls++;
    change->poll_ms = ROUTE53_NEVER;
    if (route53_request_send(work, &request, &call, &error))
        change->asking = true;
    else
        wait_fail(work, change, &error);
}

static void wait_pump(struct route53_work *work, struct change *change)
{
    struct error error = {0};
    if (change->asking)
        return;
    if (change->tasks.count == 0) {
        wait_remove(change);
    } else if (change->release_ms <= work->now_ms) {
        wait_end(work, change);
    } else if (change->release_ms != ROUTE53_NEVER) {
        route53_wake_at(work, change->release_ms);
    } else if (change->deadline_ms <= work->now_ms) {
        error_set(&error, ERROR_NETWORK,
                  "Route 53 has not brought the change to all of its servers in %lld s",
                  (long long)(work->options.timeout_ms / 1000));
        wait_fail(work, change, &error);
    } else if (change->poll_ms <= work->now_ms) {
        if (route53_account_may_send(work, change->zone->account))
            wait_ask(work, change);
    } else {
        route53_wake_at(work, change->poll_ms);
        route53_wake_at(work, change->deadline_ms);
    }
}

void route53_waits_pump(struct route53_work *work, struct route53_account *account)
{
    struct change *oldest = account->waits;
    while (oldest != NULL && oldest->release_ms != ROUTE53_NEVER)
        oldest = oldest->next;
    if (oldest != NULL && !oldest->asking && oldest->poll_ms == ROUTE53_NEVER)
        oldest->poll_ms = work->now_ms + poll_delay_ms(oldest->polls);
    struct change *next;
    for (struct change *change = account->waits; change != NULL; change = next) {
        next = change->next;
        wait_pump(work, change);
    }
}

static void in_sync(struct route53_work *work, struct change *change)
{
    change->release_ms = work->now_ms + work->options.propagation_ms;
    for (struct change *other = change->zone->account->waits; other != NULL; other = other->next)
        if (!other->asking && other->release_ms == ROUTE53_NEVER)
            other->poll_ms = work->now_ms;
}

void route53_wait_reply(struct route53_work *work, const struct request *request,
                        const struct aws_reply *reply)
{
    struct change *change = request->change;
    char id[ROUTE53_CHANGE_ID_MAX];
    struct error error = {0};
    bool is_in_sync = false;
    change->asking = false;
    switch (reply->outcome) {
    case AWS_OK:
        if (!route53_change_read(reply->body, id, &is_in_sync, &error))
            wait_fail(work, change, &error);
        else if (is_in_sync)
            in_sync(work, change);
        return;
    case AWS_THROTTLED:
    case AWS_BUSY:
    case AWS_FAILED:
    case AWS_UNCLEAR:
    case AWS_UNREACHABLE:
        return; /* asked again in a while */
    default:
        wait_fail(work, change, &reply->error);
    }
}

void route53_waits_give_up(struct route53_work *work, struct route53_account *account,
                           const struct error *error)
{
    for (struct change *change = account->waits; change != NULL; change = change->next)
        tasks_fail(work, change, error);
}
