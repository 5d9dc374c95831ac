#include "run/finder.h"

#include "run/session.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PAGES_MAX      2000 /* some CAs put three orders on a page */
#define CANDIDATES_MAX 4000 /* the newest are looked at */
#define OUT_MAX        16
#define TRIES_MAX      5
#define REREADS_MAX    500

struct found {
    uint64_t digest; /* of the set of names */
    char *url;       /* NULL once an order has taken it */
};

/* The same for a set of names in any order: a sum of hashes does not depend on it. */
static uint64_t names_digest(const char *const *names, size_t count)
{
    uint64_t digest = count;
    for (size_t i = 0; i < count; i++)
        digest += XXH3_64bits_withSeed(names[i], strlen(names[i]), 0x6f72646572);
    return digest;
}

static void list_fetch(struct finder *finder, const char *url);
static void candidate_fetch(struct finder *finder, const char *url);

static void break_memory(struct worker *worker)
{
    struct error error;
    error_set(&error, ERROR_MEMORY, "no memory for the list of orders");
    worker_break(worker, &error);
}

static void candidates_clear(struct finder *finder)
{
    for (size_t i = 0; i < finder->count; i++)
        free(finder->urls[i]);
    free((void *)finder->urls);
    finder->urls = NULL;
    finder->count = 0;
    for (size_t i = 0; i < finder->found_count; i++)
        free(finder->found[i].url);
    free(finder->found);
    finder->found = NULL;
    finder->found_count = finder->found_capacity = 0;
}

static char *found_take(struct finder *finder, const struct order *order)
{
    uint64_t digest = names_digest(order->entry->domains, order->entry->domain_count);
    for (size_t i = 0; i < finder->found_count; i++) {
        struct found *found = &finder->found[i];
        if (found->url == NULL || found->digest != digest)
            continue;
        char *url = found->url;
        found->url = NULL;
        /* Another worker's order for the same names may have claimed it meanwhile. */
        if (!lane_knows(finder->lane, url))
            return url;
        free(url);
    }
    return NULL;
}

/* Every order that waited goes on: with what was found, or by placing a new order. */
static void finder_end(struct finder *finder)
{
    struct worker *worker = finder->worker;
    uint64_t *ids = finder->waiting;
    size_t count = finder->waiting_count;
    finder->looking = false;
    finder->waiting = NULL;
    finder->waiting_count = finder->waiting_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        struct order *order = order_find(worker, ids[i]);
        if (order == NULL || order->step != STEP_FIND)
            continue;
        free(order->url);
        order->url = found_take(finder, order);
        order->resumed = order->url != NULL;
        order_move(order, order->url != NULL ? STEP_COMMIT : STEP_PLACE);
    }
    free(ids);
    candidates_clear(finder);
}

static bool usable(const struct order_object *object)
{
    return object->status == ORDER_PENDING || object->status == ORDER_READY;
}

static void found_add(struct finder *finder, const struct order_object *object, const char *url)
{
    if (finder->found_count == finder->found_capacity) {
        size_t capacity = finder->found_capacity > 0 ? finder->found_capacity * 2 : 16;
        struct found *found = reallocarray(finder->found, capacity, sizeof *found);
        if (found == NULL) {
            break_memory(finder->worker);
            return;
        }
        finder->found = found;
        finder->found_capacity = capacity;
    }
    finder->found[finder->found_count++] = (struct found){
        .digest = names_digest((const char *const *)object->identifiers, object->identifier_count),
        .url = strdup(url),
    };
}

static void candidates_look(struct finder *finder);
static void list_restart(struct finder *finder);

/* An order of the list that the CA no longer gives is no candidate; one that could not be read may
 * be the one that is looked for. */
static bool is_gone(const struct reply *reply)
{
    return !reply->ok && reply->http->failure == HTTP_ANSWERED && reply->http->status < 500;
}

static void candidate_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct finder *finder = &worker->finders[call->part];
    struct order_object object = {0};
    struct error error;
    finder->out--;
    if (reply->ok && order_object_parse(reply->http->body, &object, &error)) {
        if (usable(&object))
            found_add(finder, &object, call->url);
        order_object_free(&object);
    } else if (!is_gone(reply)) {
        if (finder->rereads++ < REREADS_MAX) {
            candidate_fetch(finder, call->url);
            return;
        }
        finder->incomplete = true;
    }
    candidates_look(finder);
}

static struct call *finder_call(struct finder *finder, enum call_kind kind, const char *url,
                                call_handler *handler)
{
    struct call *call =
        call_new(finder->worker, finder->lane->ca, finder->lane, kind, url, handler);
    if (call != NULL)
        call->part = (uint32_t)(finder - finder->worker->finders);
    return call;
}

static void candidate_fetch(struct finder *finder, const char *url)
{
    struct call *call = finder_call(finder, CALL_CANDIDATE, url, candidate_reply);
    if (call == NULL)
        return;
    finder->out++;
    call_submit(call);
}

static void candidates_look(struct finder *finder)
{
    while (finder->count > 0 && finder->out < OUT_MAX && !finder->worker->broken) {
        char *url = finder->urls[--finder->count];
        candidate_fetch(finder, url);
        free(url);
    }
    if (finder->out > 0 || finder->count > 0)
        return;
    /* To take a half-read list for the whole would place an order twice. */
    if (finder->again || (finder->incomplete && ++finder->tries < TRIES_MAX))
        list_restart(finder);
    else
        finder_end(finder);
}

static bool candidates_add(struct finder *finder, struct order_list *list)
{
    char **urls = reallocarray(finder->urls, finder->count + list->count + 1, sizeof *finder->urls);
    if (urls == NULL)
        return false;
    finder->urls = urls;
    for (size_t i = 0; i < list->count; i++) {
        if (lane_knows(finder->lane, list->urls[i]))
            continue;
        finder->urls[finder->count++] = list->urls[i];
        list->urls[i] = NULL;
    }
    return true;
}

/* The newest orders stand last on the list: drop the oldest. */
static void candidates_cut(struct finder *finder)
{
    if (finder->count <= CANDIDATES_MAX)
        return;
    size_t drop = finder->count - CANDIDATES_MAX;
    for (size_t i = 0; i < drop; i++)
        free(finder->urls[i]);
    memmove((void *)finder->urls, (void *)(finder->urls + drop),
            CANDIDATES_MAX * sizeof *finder->urls);
    finder->count = CANDIDATES_MAX;
}

static void list_reply(struct worker *worker, struct call *call, const struct reply *reply)
{
    struct finder *finder = &worker->finders[call->part];
    struct order_list list = {0};
    struct error error;
    finder->out--;
    char *next = NULL;
    if (reply->ok && order_list_parse(reply->http->body, &list, &error)) {
        if (!candidates_add(finder, &list))
            break_memory(worker);
        order_list_free(&list);
        for (size_t i = 0; i < reply->http->link_count; i++)
            if (span_is(reply->http->links[i].relation, "next") && next == NULL &&
                acme_url_check(reply->http->links[i].url, NULL))
                next = span_duplicate(reply->http->links[i].url);
    } else if (!is_gone(reply) && finder->rereads++ < REREADS_MAX) {
        list_fetch(finder, call->url);
        return;
    } else {
        finder->incomplete = !is_gone(reply);
    }
    if (next != NULL && finder->pages < PAGES_MAX) {
        list_fetch(finder, next);
        free(next);
        return;
    }
    free(next);
    if (finder->again) {
        list_restart(finder);
        return;
    }
    candidates_cut(finder);
    candidates_look(finder);
}

static void list_fetch(struct finder *finder, const char *url)
{
    struct call *call = finder_call(finder, CALL_ORDER_LIST, url, list_reply);
    if (call == NULL)
        return;
    finder->pages++;
    finder->out++;
    call_submit(call);
}

/* Orders that asked after the list was fetched may be missing on it. */
static void list_restart(struct finder *finder)
{
    finder->again = finder->incomplete = false;
    finder->pages = 0;
    candidates_clear(finder);
    list_fetch(finder, finder->lane->orders_url);
}

static bool waiting_add(struct finder *finder, uint64_t id)
{
    if (finder->waiting_count == finder->waiting_capacity) {
        size_t capacity = finder->waiting_capacity > 0 ? finder->waiting_capacity * 2 : 16;
        uint64_t *waiting = reallocarray(finder->waiting, capacity, sizeof *waiting);
        if (waiting == NULL)
            return false;
        finder->waiting = waiting;
        finder->waiting_capacity = capacity;
    }
    finder->waiting[finder->waiting_count++] = id;
    return true;
}

void finder_ask(struct order *order)
{
    struct worker *worker = order->worker;
    struct finder *finder = &worker->finders[order->lane - worker->run->lanes->list];
    if (order->lane->orders_url == NULL) {
        order_move(order, STEP_PLACE);
        return;
    }
    if (!waiting_add(finder, order->id)) {
        break_memory(worker);
        return;
    }
    if (finder->looking) {
        finder->again = true;
        return;
    }
    finder->worker = worker;
    finder->lane = order->lane;
    finder->looking = true;
    finder->incomplete = false;
    finder->tries = finder->rereads = 0;
    finder->pages = 0;
    list_fetch(finder, order->lane->orders_url);
}

void finders_free(struct worker *worker)
{
    for (size_t i = 0; i < worker->run->lanes->count; i++)
        candidates_clear(&worker->finders[i]);
    for (size_t i = 0; i < worker->run->lanes->count; i++)
        free(worker->finders[i].waiting);
    free(worker->finders);
}
