/* What ACM holds in an account and region, by one walk over ListCertificates: against it a
 * certificate that has not changed is compared without a call of its own. */
#include "deploy/acm_internal.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX  4000 /* some 1,000,000 certificates */
#define LIST_TRIES 1    /* more than the client's own */

static const struct backoff between_tries = {.first_ms = 2000, .cap_ms = 30000};

void acm_list_free(struct acm_list *list)
{
    arena_free(&list->arena);
    free(list->held);
    *list = (struct acm_list){0};
}

static int by_arn(const void *left, const void *right)
{
    const struct acm_held *a = left;
    const struct acm_held *b = right;
    return strcmp(a->arn, b->arn);
}

const struct acm_held *acm_list_find(const struct acm_list *list, const char *arn)
{
    struct acm_held wanted = {.arn = arn};
    if (list->count == 0)
        return NULL;
    return bsearch(&wanted, list->held, list->count, sizeof *list->held, by_arn);
}

static bool held_add(struct acm_list *list, const struct acm_summary *summary)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 256;
        struct acm_held *grown = reallocarray(list->held, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        list->held = grown;
        list->capacity = capacity;
    }
    struct acm_held held = {
        .arn = arena_text(&list->arena, span_of(summary->arn)),
        .names = acm_names_digest(summary->names, summary->name_count),
        .domain = acm_names_digest(&summary->domain, 1),
        .not_after = summary->not_after,
        .imported_at = summary->imported_at,
        .more_names = summary->more_names || summary->name_count == 0,
    };
    if (held.arn == NULL)
        return false;
    list->held[list->count++] = held;
    return true;
}

static bool page_read(struct acm_lane *lane, struct span body, struct error *error)
{
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    struct acm_summary *rows = NULL;
    size_t count = 0;
    const char *next = NULL;
    TRY(acm_list_read(body, &arena, &rows, &count, &next, error));
    for (size_t i = 0; i < count; i++) {
        bool imported = rows[i].type[0] == '\0' || strcmp(rows[i].type, "IMPORTED") == 0;
        if (imported && !held_add(&lane->fresh, &rows[i]))
            return error_set(error, ERROR_MEMORY, "no memory for a list of ACM");
    }
    if (next != NULL && ++lane->list_pages >= PAGES_MAX)
        return error_set(error, ERROR_LIMIT, "ListCertificates does not end after %d pages",
                         PAGES_MAX);
    free(lane->list_next);
    lane->list_next = next != NULL ? strdup(next) : NULL;
    return next == NULL || lane->list_next != NULL ||
           error_set(error, ERROR_MEMORY, "no memory for a list of ACM");
}

static void list_end(struct acm_lane *lane, const struct error *error)
{
    free(lane->list_next);
    lane->list_next = NULL;
    lane->list_pages = lane->list_tries = 0;
    lane->list_number = lane->lists_begun;
    lane->listing = error == NULL ? ACM_LIST_DONE : ACM_LIST_FAILED;
    bool first = !lane->listed;
    lane->listed = true;
    if (error == NULL) {
        acm_list_free(&lane->list);
        lane->list = lane->fresh;
        lane->fresh = (struct acm_list){0};
        if (lane->list.count > 0)
            qsort(lane->list.held, lane->list.count, sizeof *lane->list.held, by_arn);
        acm_quota_listed(lane);
        return;
    }
    acm_list_free(&lane->fresh);
    lane->list_error = *error;
    if (first)
        acm_warning(lane->deployer, "",
                    "AWS account %s, %s: whether ACM still holds what was imported is not known: "
                    "%s",
                    lane->account, lane->region, error->text);
}

static const char *list_profile(const struct acm_lane *lane)
{
    if (lane->waiting.first != NULL)
        return lane->waiting.first->profile->name;
    if (lane->watching.first != NULL)
        return lane->watching.first->profile->name;
    return lane->searching.first != NULL ? lane->searching.first->job->profile->name : NULL;
}

static bool page_ask(struct acm_lane *lane, struct error *error)
{
    struct buf body CLEANUP(buf_free);
    buf_init(&body, (size_t)64 * 1024);
    if (!acm_list_body(lane->list_next, true, &body))
        return error_set(error, ERROR_MEMORY, "no memory for a list of ACM");
    if (lane->list_next == NULL) {
        lane->list_profile = list_profile(lane);
        lane->lists_begun++;
    }
    return acm_send(lane->deployer, lane->id, lane->list_profile, lane->region, "ListCertificates",
                    &body, error);
}

void acm_list_run(struct acm_lane *lane)
{
    if (lane->listing != ACM_LIST_WANTED || !acm_lane_wants_list(lane) ||
        lane->list_at_ms > lane->deployer->now_ms ||
        acm_pace_wait_ms(&lane->lists, lane->deployer->now_ms) > 0)
        return;
    struct error error;
    acm_pace_take(&lane->lists);
    lane->listing = ACM_LIST_OUT;
    if (!page_ask(lane, &error))
        list_end(lane, &error);
}

static bool may_pass(enum aws_outcome outcome)
{
    return outcome == AWS_BUSY || outcome == AWS_FAILED || outcome == AWS_UNREACHABLE ||
           outcome == AWS_UNCLEAR;
}

static bool is_worth_another(const struct acm_lane *lane, const struct aws_reply *reply)
{
    if (reply->outcome == AWS_THROTTLED)
        return !acm_pace_is_stuck(&lane->lists, lane->deployer->now_ms);
    return may_pass(reply->outcome) && lane->list_tries < LIST_TRIES;
}

void acm_list_reply(struct acm_lane *lane, const struct aws_reply *reply)
{
    struct error error;
    acm_lane_learn(lane, NULL, false, reply);
    if (reply->outcome == AWS_OK) {
        lane->list_tries = 0;
        if (!page_read(lane, reply->body, &error))
            list_end(lane, &error);
        else if (lane->list_next != NULL)
            lane->listing = ACM_LIST_WANTED;
        else
            list_end(lane, NULL);
    } else if (is_worth_another(lane, reply)) {
        /* The pace waits for what was throttled. */
        if (reply->outcome != AWS_THROTTLED)
            lane->list_at_ms =
                lane->deployer->now_ms + backoff_ms(&between_tries, lane->list_tries++, -1, 0,
                                                    jitter_next(&lane->deployer->jitter));
        lane->listing = ACM_LIST_WANTED;
        lane->list_late = true;
    } else {
        list_end(lane, &reply->error);
        if (may_pass(reply->outcome))
            acm_lane_doubt(lane);
    }
}
