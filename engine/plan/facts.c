#include "plan/facts.h"

struct taking {
    const struct item_index *index;
    struct fact *facts;
    struct arena *arena;
    bool no_memory;
};

static bool take_certificate(void *context, const struct state_certificate *row)
{
    const struct taking *taking = context;
    size_t item;
    if (item_index_find(taking->index, row->name, &item))
        taking->facts[item] =
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
    struct taking *taking = context;
    size_t at;
    if (!item_index_find(taking->index, row->name, &at))
        return true;
    struct plan_item *item = &taking->index->items[at];
    /* The CA would issue for the names of then, not for those of now. */
    if (row->digest != taking->index->manifest->entries[item->entry].digest)
        return true;
    item->order = order_copy(taking->arena, row);
    taking->no_memory = item->order == NULL;
    return !taking->no_memory;
}

bool facts_read(struct state *state, const struct item_index *index, struct arena *arena,
                struct fact *facts, struct error *error)
{
    struct taking taking = {.index = index, .facts = facts, .arena = arena};
    TRY(state_certificates(state, take_certificate, &taking, error) &&
        state_orders(state, take_order, &taking, error));
    return !taking.no_memory || error_set(error, ERROR_MEMORY, "no memory for the open orders");
}
