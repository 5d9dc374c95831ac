/* Finds a plan's items by the names of their certificates. */
#ifndef CERTMILL_PLAN_ITEM_INDEX_H
#define CERTMILL_PLAN_ITEM_INDEX_H

#include "plan/planner.h"

/* Open addressing: each slot is an item's index plus one, 0 when free. The items must stay where
 * they are. */
struct item_index {
    const struct manifest *manifest;
    struct plan_item *items;
    uint32_t *slots;
    size_t mask;
};

bool item_index_make(const struct manifest *manifest, struct plan_item *items, size_t count,
                     struct item_index *ret_index, struct error *error) MUST_USE;
void item_index_free(struct item_index *index);

/* False when no item has the name. */
bool item_index_find(const struct item_index *index, const char *name, size_t *ret_item) MUST_USE;

#endif
