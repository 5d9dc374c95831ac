#include "plan/facts.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Open addressing over the items' names: each slot is an item's index plus one, 0 when free. */
struct index {
    const struct manifest *manifest;
    struct plan_item *items;
    uint32_t *slots;
    size_t mask;
    struct fact *facts;
    struct arena *arena;
    bool no_memory;
};

static const char *item_name(const struct index *index, size_t item)
{
    return index->manifest->entries[index->items[item].entry].name;
}

/* The slot of the name, or the free one where it would be. */
static uint32_t *slot_of(const struct index *index, const char *name)
{
    size_t at = (size_t)XXH3_64bits(name, strlen(name)) & index->mask;
    while (index->slots[at] != 0 && strcmp(item_name(index, index->slots[at] - 1), name) != 0)
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

static bool index_make(struct index *index, size_t count)
{
    size_t size = 16;
    while (size < count * 2)
        size *= 2;
    index->slots = calloc(size, sizeof *index->slots);
    if (index->slots == NULL)
        return false;
    index->mask = size - 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t *slot = slot_of(index, item_name(index, i));
        if (*slot == 0)
            *slot = (uint32_t)(i + 1);
    }
    return true;
}

static bool take_certificate(void *context, const struct state_certificate *row)
{
    const struct index *index = context;
    uint32_t slot = *slot_of(index, row->name);
    if (slot != 0)
        index->facts[slot - 1] =
            (struct fact){.digest = row->digest,
                          .sequence = row->sequence,
                          .deployed_sequence = row->deployed_sequence & 0x7fffffffu,
                          .revoked = row->revoked_at != 0};
    return true;
}

static struct state_order *order_copy(struct arena *arena, const struct state_order *row)
{
    struct state_order *copy = arena_alloc(arena, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *row;
    const char **texts[] = {&copy->name, &copy->account, &copy->directory, &copy->url};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if ((*texts[i] = arena_text(arena, span_of(*texts[i]))) == NULL)
            return NULL;
    return copy;
}

static bool take_order(void *context, const struct state_order *row)
{
    struct index *index = context;
    uint32_t slot = *slot_of(index, row->name);
    if (slot == 0)
        return true;
    struct plan_item *item = &index->items[slot - 1];
    /* The CA would issue for the names of then, not for those of now. */
    if (row->digest != index->manifest->entries[item->entry].digest)
        return true;
    item->order = order_copy(index->arena, row);
    index->no_memory = item->order == NULL;
    return !index->no_memory;
}

bool facts_read(struct state *state, const struct manifest *manifest, struct plan_item *items,
                size_t count, struct arena *arena, struct fact *facts, struct error *error)
{
    struct index index = {.manifest = manifest, .items = items, .facts = facts, .arena = arena};
    if (!index_make(&index, count))
        return error_set(error, ERROR_MEMORY, "no memory for an index of %zu names", count);
    bool ok = state_certificates(state, take_certificate, &index, error) &&
              state_orders(state, take_order, &index, error);
    free(index.slots);
    if (ok && index.no_memory)
        return error_set(error, ERROR_MEMORY, "no memory for the open orders");
    return ok;
}
