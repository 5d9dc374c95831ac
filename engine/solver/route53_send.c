/* Requests out, at the pace that AWS allows, and replies in. */
#include "solver/route53_internal.h"

#include <stdlib.h>
#include <string.h>

/* Route 53's limit of an account. */
#define REQUESTS_PER_SECOND 10.0
#define BURST               5.0
#define BACKOFF_FIRST_MS    1000.0
#define BACKOFF_CAP_MS      30000.0
#define BACKOFF_DOUBLES_MAX 5

double route53_work_random(const struct route53_work *work)
{
    return work->options.caller.random(work->options.caller.context);
}

int64_t route53_work_backoff_ms(const struct route53_work *work, unsigned tries)
{
    double wait_ms = BACKOFF_FIRST_MS;
    for (unsigned i = 1; i < tries && i <= BACKOFF_DOUBLES_MAX; i++)
        wait_ms *= 2;
    if (wait_ms > BACKOFF_CAP_MS)
        wait_ms = BACKOFF_CAP_MS;
    return (int64_t)(wait_ms * (0.5 + route53_work_random(work) / 2));
}

struct route53_account *route53_account_of(struct route53_work *work, const char *profile)
{
    for (struct route53_account *account = work->accounts; account != NULL; account = account->next)
        if (profile == NULL || account->profile == NULL ? account->profile == profile
                                                        : strcmp(account->profile, profile) == 0)
            return account;
    struct route53_account *account = calloc(1, sizeof *account);
    if (account == NULL)
        return NULL;
    account->profile = profile != NULL ? strdup(profile) : NULL;
    if (profile != NULL && account->profile == NULL) {
        free(account);
        return NULL;
    }
    account->tokens = BURST;
    account->next = work->accounts;
    work->accounts = account;
    return account;
}

bool route53_account_may_send(struct route53_work *work, struct route53_account *account)
{
    if (work->now_ms < account->paused_until_ms) {
        route53_wake_at(work, account->paused_until_ms);
        return false;
    }
    double gained = (double)(work->now_ms - account->filled_ms) * REQUESTS_PER_SECOND / 1000;
    account->filled_ms = work->now_ms;
    account->tokens = account->tokens + gained < BURST ? account->tokens + gained : BURST;
    if (account->tokens < 1) {
        route53_wake_at(work, work->now_ms + 1 +
                                  (int64_t)((1 - account->tokens) * 1000 / REQUESTS_PER_SECOND));
        return false;
    }
    account->tokens -= 1;
    return true;
}

void route53_account_refused(struct route53_work *work, struct route53_account *account)
{
    account->throttled++;
    account->tokens = 0;
    account->paused_until_ms = work->now_ms + route53_work_backoff_ms(work, account->throttled);
}

void route53_account_served(struct route53_account *account)
{
    account->throttled = 0;
}

bool route53_request_send(struct route53_work *work, const struct request *request,
                          struct aws_request *call, struct error *error)
{
    const struct route53_caller *caller = &work->options.caller;
    struct request *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a request to Route 53");
    *copy = *request;
    if (!slots_add(&work->requests, copy, &call->id)) {
        free(copy);
        return error_set(error, ERROR_MEMORY, "no memory for a request to Route 53");
    }
    call->service = AWS_ROUTE53;
    call->tell_throttled = true;
    if (caller->send(caller->context, call, error))
        return true;
    slots_remove(&work->requests, call->id);
    free(copy);
    return false;
}

static struct route53_account *request_account(const struct request *request)
{
    switch (request->kind) {
    case REQUEST_ZONES:
        return request->loader->account;
    case REQUEST_CHANGE:
    case REQUEST_WAIT:
        return request->change->zone->account;
    case REQUEST_SETS:
        break;
    }
    return request->zone->account;
}

void route53_work_reply(struct route53_work *work, const struct aws_reply *reply, int64_t now_ms)
{
    struct request *request = slots_get(&work->requests, reply->id);
    work->now_ms = now_ms;
    if (request == NULL)
        return;
    slots_remove(&work->requests, reply->id);
    if (reply->outcome == AWS_THROTTLED)
        route53_account_refused(work, request_account(request));
    else if (reply->status != 0)
        route53_account_served(request_account(request));
    switch (request->kind) {
    case REQUEST_ZONES:
        route53_loader_reply(work, request->loader, reply);
        break;
    case REQUEST_CHANGE:
        route53_change_reply(work, request, reply);
        break;
    case REQUEST_SETS:
        route53_sets_reply(work, request, reply);
        break;
    case REQUEST_WAIT:
        route53_wait_reply(work, request, reply);
        break;
    }
    free(request);
}
