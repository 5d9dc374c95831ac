#include "run/lane.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* "https://HOST[:PORT]/..." to "HOST[:PORT]"; the accounts file's reader has checked the URL. */
void endpoint_host(const char *url, char *host, size_t size)
{
    const char *start = strstr(url, "://");
    start = start != NULL ? start + 3 : url;
    size_t len = strcspn(start, "/?#");
    if (len >= size)
        len = size - 1;
    memcpy(host, start, len);
    host[len] = '\0';
}

static struct ca *ca_for(struct lanes *lanes, const char *url, unsigned workers)
{
    for (size_t i = 0; i < lanes->ca_count; i++)
        if (strcmp(lanes->cas[i].url, url) == 0)
            return &lanes->cas[i];
    struct ca *ca = &lanes->cas[lanes->ca_count];
    ca->url = url;
    ca->index = (unsigned)lanes->ca_count;
    ca->home = ca->index % workers;
    endpoint_host(url, ca->host, sizeof ca->host);
    pace_init(&ca->pace, clock_monotonic_ms());
    lanes->ca_count++;
    return ca;
}

static bool lanes_fill(const struct manifest *manifest, const struct accounts *accounts,
                       const struct plan *plan, const bool *wanted, unsigned workers,
                       size_t *counts, struct lanes *lanes)
{
    struct lane **by_account = calloc(accounts->count + 1, sizeof(struct lane *));
    if (by_account == NULL)
        return false;
    bool complete = true;
    for (size_t i = 0; complete && i < accounts->count; i++) {
        if (wanted != NULL ? !wanted[i] : counts[i] == 0)
            continue;
        struct lane *lane = &lanes->list[lanes->count++];
        pthread_mutex_init(&lane->lock, NULL);
        lane->handed_last = &lane->handed;
        limiter_init(&lane->place_limiter, clock_monotonic_ms());
        lane->account = &accounts->list[i];
        lane->ca = ca_for(lanes, lane->account->endpoint, workers);
        lane->items = calloc(counts[i] + 1, sizeof(struct plan_item *));
        complete = lane->items != NULL;
        by_account[i] = lane;
    }
    for (size_t i = 0; complete && i < plan->due_count; i++) {
        const struct plan_item *item = &plan->due[i];
        if (item->deploy_only)
            continue;
        struct lane *lane = by_account[manifest->entries[item->entry].account];
        lane->items[lane->count++] = item;
        atomic_fetch_add(&lanes->left, 1);
        if (item->order != NULL && item->order->stage == ORDER_PLACED)
            complete = complete && lane_know(lane, item->order->url);
    }
    free(by_account);
    return complete;
}

bool lanes_make(const struct manifest *manifest, const struct accounts *accounts,
                const struct plan *plan, const bool *wanted, unsigned workers,
                struct lanes *ret_lanes, struct error *error)
{
    struct lanes lanes = {0};
    size_t *counts = calloc(accounts->count + 1, sizeof *counts);
    lanes.cas = calloc(accounts->count + 1, sizeof *lanes.cas);
    lanes.list = calloc(accounts->count + 1, sizeof *lanes.list);
    bool complete = counts != NULL && lanes.cas != NULL && lanes.list != NULL;
    for (size_t i = 0; complete && i < plan->due_count; i++)
        if (!plan->due[i].deploy_only)
            counts[manifest->entries[plan->due[i].entry].account]++;
    complete = complete && lanes_fill(manifest, accounts, plan, wanted, workers, counts, &lanes);
    free(counts);
    if (!complete) {
        lanes_free(&lanes);
        return error_set(error, ERROR_MEMORY, "no memory for the lanes of a run");
    }
    *ret_lanes = lanes;
    return true;
}

void lanes_free(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->list[i];
        free((void *)lane->items);
        jws_signer_free(lane->signer);
        free(lane->account_url);
        free(lane->orders_url);
        free(lane->known);
        while (lane->handed_made != NULL) {
            struct handed *handed = lane->handed_made;
            lane->handed_made = handed->next_made;
            free(handed->url);
            free(handed);
        }
        pthread_mutex_destroy(&lane->lock);
    }
    for (size_t i = 0; i < lanes->ca_count; i++) {
        directory_free(&lanes->cas[i].directory);
        pace_free(&lanes->cas[i].pace);
    }
    free(lanes->list);
    free(lanes->cas);
    *lanes = (struct lanes){0};
}

bool lane_has_more(const struct lane *lane)
{
    return atomic_load(&lane->handed_count) > 0 || atomic_load(&lane->next) < lane->count;
}

static const struct plan_item *handed_take(struct lane *lane, int64_t *deadline_ms)
{
    pthread_mutex_lock(&lane->lock);
    struct handed *handed = lane->handed;
    if (handed != NULL) {
        if (handed->deadline_ms > 0)
            *deadline_ms = handed->deadline_ms;
        lane->handed = handed->next;
        if (lane->handed == NULL)
            lane->handed_last = &lane->handed;
        atomic_fetch_sub(&lane->handed_count, 1);
    }
    pthread_mutex_unlock(&lane->lock);
    return handed != NULL ? &handed->item : NULL;
}

const struct plan_item *lane_take(struct lane *lane, int64_t *deadline_ms)
{
    const struct plan_item *item =
        atomic_load(&lane->handed_count) > 0 ? handed_take(lane, deadline_ms) : NULL;
    if (item != NULL)
        return item;
    size_t at = atomic_fetch_add(&lane->next, 1);
    return at < lane->count ? lane->items[at] : NULL;
}

bool lane_hand_back(struct lane *lane, const struct plan_item *item,
                    const struct state_order *order, int64_t deadline_ms)
{
    struct handed *handed = calloc(1, sizeof *handed);
    if (handed == NULL)
        return false;
    handed->item = *item;
    handed->item.order = NULL;
    handed->deadline_ms = deadline_ms;
    if (order != NULL) {
        handed->url = strdup(order->url);
        if (handed->url == NULL) {
            free(handed);
            return false;
        }
        handed->order = *order;
        handed->order.url = handed->url;
        handed->item.order = &handed->order;
    }
    pthread_mutex_lock(&lane->lock);
    handed->next_made = lane->handed_made;
    lane->handed_made = handed;
    *lane->handed_last = handed;
    lane->handed_last = &handed->next;
    atomic_fetch_add(&lane->handed_count, 1);
    pthread_mutex_unlock(&lane->lock);
    return true;
}

static uint64_t url_hash(const char *url)
{
    uint64_t hash = XXH3_64bits(url, strlen(url));
    return hash != 0 ? hash : 1;
}

static void known_insert(uint64_t *table, size_t capacity, uint64_t hash)
{
    size_t at = (size_t)hash & (capacity - 1);
    while (table[at] != 0 && table[at] != hash)
        at = (at + 1) & (capacity - 1);
    table[at] = hash;
}

bool lane_know(struct lane *lane, const char *url)
{
    pthread_mutex_lock(&lane->lock);
    bool known = true;
    if ((lane->known_count + 1) * 2 > lane->known_capacity) {
        size_t capacity = lane->known_capacity > 0 ? lane->known_capacity * 2 : 256;
        uint64_t *table = calloc(capacity, sizeof *table);
        known = table != NULL;
        if (known) {
            for (size_t i = 0; i < lane->known_capacity; i++)
                if (lane->known[i] != 0)
                    known_insert(table, capacity, lane->known[i]);
            free(lane->known);
            lane->known = table;
            lane->known_capacity = capacity;
        }
    }
    if (known) {
        known_insert(lane->known, lane->known_capacity, url_hash(url));
        lane->known_count++;
    }
    pthread_mutex_unlock(&lane->lock);
    return known;
}

bool lane_knows(struct lane *lane, const char *url)
{
    uint64_t hash = url_hash(url);
    bool found = false;
    pthread_mutex_lock(&lane->lock);
    if (lane->known_capacity > 0) {
        size_t at = (size_t)hash & (lane->known_capacity - 1);
        while (lane->known[at] != 0 && lane->known[at] != hash)
            at = (at + 1) & (lane->known_capacity - 1);
        found = lane->known[at] == hash;
    }
    pthread_mutex_unlock(&lane->lock);
    return found;
}

void lane_wait_until(struct lane *lane, int64_t until_ms)
{
    int64_t now = atomic_load(&lane->orders_wait_until_ms);
    while (until_ms > now &&
           !atomic_compare_exchange_weak(&lane->orders_wait_until_ms, &now, until_ms))
        continue;
}

void lane_refuse(struct lane *lane, const struct error *error, const struct problem *problem)
{
    pthread_mutex_lock(&lane->lock);
    if (atomic_load(&lane->status) != LANE_REFUSED) {
        lane->refusal.error = *error;
        if (problem != NULL)
            lane->refusal.problem = *problem;
        /* Publishes what was written: readers look at the status first. */
        atomic_store_explicit(&lane->status, LANE_REFUSED, memory_order_release);
    }
    pthread_mutex_unlock(&lane->lock);
}
