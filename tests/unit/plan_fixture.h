/* For tests of engine/plan: a plan over a few manifest entries in a folder of its own. */
#ifndef CERTMILL_TEST_PLAN_FIXTURE_H
#define CERTMILL_TEST_PLAN_FIXTURE_H

#include "check.h"
#include "live_files.h"
#include "scratch.h"
#include "state_changes.h"

#include "base/clock.h"
#include "plan/planner.h"

#define DAY  ((int64_t)SECONDS_PER_DAY)
#define HOUR ((int64_t)3600)
#define NOW  ((int64_t)1800000000) /* 2027-01-15T08:00:00Z */

static const struct key_spec p256 = {KEY_ECDSA, 256};

static inline struct manifest_entry entry_of(const char *name, const char *const *domains,
                                             uint32_t count, uint64_t digest)
{
    return (struct manifest_entry){.name = name,
                                   .domains = domains,
                                   .domain_count = count,
                                   .account_alias = "demo",
                                   .key = {KEY_ECDSA, 256},
                                   .renew_before_days = 30,
                                   .digest = digest};
}

static const char *const one_domain[] = {"a.test"};

static inline struct manifest_entry simple_entry(const char *name)
{
    return entry_of(name, one_domain, 1, 11);
}

/* A plan over `count` entries in the scratch folder. */
struct planned {
    struct scratch scratch;
    struct manifest manifest;
    struct state *state;
    struct plan plan;
    struct plan_options options;
};

static inline void planned_make(struct planned *planned, struct manifest_entry *entries,
                                size_t count)
{
    *planned = (struct planned){0};
    scratch_make(&planned->scratch);
    planned->manifest.entries = entries;
    planned->manifest.count = count;
    planned->options = (struct plan_options){
        .state_folder = planned->scratch.path, .mode = STORE_AUTO, .now = NOW, .want_later = true};
}

static inline void planned_run(struct planned *planned)
{
    struct error error;
    plan_free(&planned->plan);
    CHECK_OK(
        plan_make(&planned->manifest, planned->state, &planned->options, &planned->plan, &error),
        error);
}

static inline void planned_free(struct planned *planned)
{
    plan_free(&planned->plan);
    state_close(planned->state);
    scratch_remove(&planned->scratch);
}

static inline const char *due_names(const struct planned *planned)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < planned->plan.due_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 planned->manifest.entries[planned->plan.due[i].entry].name);
    return text;
}

static inline const struct plan_item *item_of(const struct planned *planned, const char *name)
{
    const struct plan *plan = &planned->plan;
    for (size_t i = 0; i < plan->due_count; i++)
        if (strcmp(planned->manifest.entries[plan->due[i].entry].name, name) == 0)
            return &plan->due[i];
    for (size_t i = 0; i < plan->later_count; i++)
        if (strcmp(planned->manifest.entries[plan->later[i].entry].name, name) == 0)
            return &plan->later[i];
    fprintf(stderr, "no item %s\n", name);
    exit(1);
}

static inline void put_live(const struct planned *planned, const char *name, unsigned sequence,
                            int64_t not_before, int64_t not_after)
{
    live_sample_put(planned->scratch.path, name, sequence,
                    &(struct live_sample){.not_before = not_before,
                                          .not_after = not_after,
                                          .names = "DNS:a.test",
                                          .key = p256,
                                          .serial = 1});
}

static inline struct state_change open_order(const char *name, uint64_t digest)
{
    return (struct state_change){.kind = STATE_ORDER_PLACED,
                                 .order = {.name = name,
                                           .digest = digest,
                                           .sequence = 5,
                                           .account = "demo",
                                           .directory = "https://ca.test/dir",
                                           .url = "https://ca.test/order/9",
                                           .placed_at = NOW - DAY}};
}

#endif
