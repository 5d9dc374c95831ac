/* The state's rows come by name, so that those of one certificate follow each other: its targets
 * are ticked off, and with the next name it is known which ones lack. */
#include "plan/imports.h"

#include "config/name_table.h"

#include <stdlib.h>
#include <string.h>

/* As many as a certificate can have targets (manifest_deploy.c) fit; of more the rest counts as
 * lacking, which costs a look at ACM. */
#define TICKS_MAX 1024

struct imports_walk {
    const struct item_index *index;
    struct plan *plan;
    struct arena *arena;
    struct plan_item *item; /* whose rows come now, or NULL */
    const struct manifest_entry *entry;
    bool ticks[TICKS_MAX]; /* its targets, in the manifest's order, that have the certificate */
    size_t ticked;
    struct name_table profiles; /* to their index */
    size_t profile_capacity;
    bool no_memory;
};

static const struct deploy_acm *const none_lacks[] = {NULL};

static size_t target_count(const struct manifest_entry *entry)
{
    size_t count = 0;
    for (const struct deploy_acm *target = entry->acm; target != NULL; target = target->next)
        count++;
    return count;
}

/* The rows of the item are over. */
static void item_end(struct imports_walk *walk)
{
    struct plan_item *item = walk->item;
    if (item == NULL)
        return;
    walk->item = NULL;
    size_t count = target_count(walk->entry);
    item->lacking = none_lacks;
    if (walk->ticked == count)
        return;
    const struct deploy_acm **lacking =
        arena_alloc(walk->arena, (count - walk->ticked + 1) * sizeof(const struct deploy_acm *));
    if (lacking == NULL) {
        walk->no_memory = true;
        return;
    }
    size_t used = 0;
    size_t at = 0;
    for (const struct deploy_acm *target = walk->entry->acm; target != NULL;
         target = target->next, at++)
        if (at >= TICKS_MAX || !walk->ticks[at])
            lacking[used++] = target;
    lacking[used] = NULL;
    item->lacking = lacking;
}

static void item_begin(struct imports_walk *walk, const char *name)
{
    size_t at;
    if (!item_index_find(walk->index, name, &at))
        return;
    struct plan_item *item = &walk->index->items[at];
    const struct manifest_entry *entry = &walk->index->manifest->entries[item->entry];
    if (entry->acm == NULL)
        return;
    walk->item = item;
    walk->entry = entry;
    walk->ticked = 0;
    memset(walk->ticks, 0, sizeof walk->ticks);
}

static bool is_target(const struct deploy_acm *target, const struct state_import *row)
{
    return strcmp(target->profile != NULL ? target->profile : "", row->profile) == 0 &&
           strcmp(target->region != NULL ? target->region : "", row->region) == 0 &&
           strcmp(target->arn != NULL ? target->arn : "", row->given_arn) == 0;
}

static bool has_live(const struct plan_item *item, const struct state_import *row)
{
    return row->sequence != 0 && row->sequence == item->sequence && row->failures == 0 &&
           row->arn[0] != '\0';
}

static void target_tick(struct imports_walk *walk, const struct state_import *row)
{
    size_t at = 0;
    if (!has_live(walk->item, row))
        return;
    for (const struct deploy_acm *target = walk->entry->acm; target != NULL && at < TICKS_MAX;
         target = target->next, at++) {
        if (walk->ticks[at] || !is_target(target, row))
            continue;
        walk->ticks[at] = true;
        walk->ticked++;
        return;
    }
}

static bool profile_add(struct imports_walk *walk, const struct state_import *row)
{
    struct plan *plan = walk->plan;
    if (plan->profile_count == walk->profile_capacity) {
        size_t capacity = walk->profile_capacity > 0 ? walk->profile_capacity * 2 : 16;
        struct plan_profile *grown = arena_alloc(walk->arena, capacity * sizeof *grown);
        TRY(grown != NULL);
        if (plan->profile_count > 0)
            memcpy(grown, plan->profiles, plan->profile_count * sizeof *grown);
        plan->profiles = grown;
        walk->profile_capacity = capacity;
    }
    struct plan_profile *added = &plan->profiles[plan->profile_count];
    added->profile = arena_text(walk->arena, span_of(row->profile));
    added->account = arena_text(walk->arena, span_of(row->account));
    TRY(added->profile != NULL && added->account != NULL);
    TRY(name_table_put(&walk->profiles, added->profile, (uint32_t)plan->profile_count));
    plan->profile_count++;
    return true;
}

/* A profile that leads to another account than before is found out by the run. */
static void profile_note(struct imports_walk *walk, const struct state_import *row)
{
    if (row->account[0] == '\0' || name_table_find(&walk->profiles, span_of(row->profile)) != NULL)
        return;
    walk->no_memory = walk->no_memory || !profile_add(walk, row);
}

static bool take_import(void *context, const struct state_import *row)
{
    struct imports_walk *walk = context;
    profile_note(walk, row);
    if (walk->item != NULL && strcmp(walk->entry->name, row->name) != 0)
        item_end(walk);
    if (walk->item == NULL)
        item_begin(walk, row->name);
    if (walk->item != NULL)
        target_tick(walk, row);
    return !walk->no_memory;
}

static int profile_compare(const void *a, const void *b)
{
    return strcmp(((const struct plan_profile *)a)->profile,
                  ((const struct plan_profile *)b)->profile);
}

bool imports_read(struct state *state, const struct item_index *index, size_t count,
                  struct plan *plan, struct error *error)
{
    if (state != NULL) {
        struct imports_walk walk = {.index = index, .plan = plan, .arena = &plan->arena};
        name_table_init(&walk.profiles);
        bool ok = state_imports(state, take_import, &walk, error);
        name_table_free(&walk.profiles);
        TRY(ok);
        item_end(&walk);
        if (walk.no_memory)
            return error_set(error, ERROR_MEMORY, "no memory for the imports");
        if (plan->profile_count > 1)
            qsort(plan->profiles, plan->profile_count, sizeof plan->profiles[0], profile_compare);
    }
    for (size_t i = 0; i < count; i++) {
        struct plan_item *item = &index->items[i];
        if (index->manifest->entries[item->entry].acm == NULL || item->reason != DUE_NOT)
            item->lacking = NULL;
        else if (item->lacking == NULL || item->lacking[0] != NULL)
            item->deploy_only = true;
    }
    return true;
}

size_t imports_of(const struct manifest_entry *entry, const struct plan_item *item)
{
    size_t count = 0;
    if (item->lacking == NULL)
        return target_count(entry);
    while (item->lacking[count] != NULL)
        count++;
    return count;
}

void imports_each(const struct manifest_entry *entry, const struct plan_item *item,
                  void (*each)(void *context, const struct deploy_acm *target), void *context)
{
    if (item->lacking != NULL)
        for (size_t i = 0; item->lacking[i] != NULL; i++)
            each(context, item->lacking[i]);
    else
        for (const struct deploy_acm *target = entry->acm; target != NULL; target = target->next)
            each(context, target);
}
