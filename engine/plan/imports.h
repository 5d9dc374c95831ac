/* What the state knows of the ACM targets of the certificates that are planned. */
#ifndef CERTMILL_PLAN_IMPORTS_H
#define CERTMILL_PLAN_IMPORTS_H

#include "plan/item_index.h"

/* Fills `lacking` of all items with ACM targets, makes those deploy_only that lack an import and
 * are not due, and fills plan->profiles. The items' live sequences and reasons must be known.
 * `state` may be NULL: no target has anything then. All goes to the plan's arena. */
bool imports_read(struct state *state, const struct item_index *index, size_t count,
                  struct plan *plan, struct error *error) MUST_USE;

/* How many imports the item brings: all of the entry's targets, or those that lack it. */
size_t imports_of(const struct manifest_entry *entry, const struct plan_item *item);
/* Calls `each` for the targets that imports_of counts. */
void imports_each(const struct manifest_entry *entry, const struct plan_item *item,
                  void (*each)(void *context, const struct deploy_acm *target), void *context);

#endif
