#include "plan/item_index.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char *item_name(const struct item_index *index, size_t item)
{
    return index->manifest->entries[index->items[item].entry].name;
}

/* The slot of the name, or the free one where it would be. */
static uint32_t *slot_of(const struct item_index *index, const char *name)
{
    size_t at = (size_t)XXH3_64bits(name, strlen(name)) & index->mask;
    while (index->slots[at] != 0 && strcmp(item_name(index, index->slots[at] - 1), name) != 0)
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

bool item_index_make(const struct manifest *manifest, struct plan_item *items, size_t count,
                     struct item_index *ret_index, struct error *error)
{
    struct item_index index = {.manifest = manifest, .items = items};
    size_t size = 16;
    while (size < count * 2)
        size *= 2;
    index.slots = calloc(size, sizeof *index.slots);
    if (index.slots == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an index of %zu names", count);
    index.mask = size - 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t *slot = slot_of(&index, item_name(&index, i));
        if (*slot == 0)
            *slot = (uint32_t)(i + 1);
    }
    *ret_index = index;
    return true;
}

void item_index_free(struct item_index *index)
{
    free(index->slots);
    *index = (struct item_index){0};
}

bool item_index_find(const struct item_index *index, const char *name, size_t *ret_item)
{
    uint32_t slot = *slot_of(index, name);
    if (slot != 0)
        *ret_item = slot - 1;
    return slot != 0;
}
