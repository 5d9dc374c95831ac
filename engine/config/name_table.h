/* A hash table from a text to a number (XXH3, open addressing). The texts are not copied: they must
 * live as long as the table. */
#ifndef CERTMILL_CONFIG_NAME_TABLE_H
#define CERTMILL_CONFIG_NAME_TABLE_H

#include "base/span.h"

struct name_slot {
    const char *text; /* NULL: free */
    uint32_t hash;
    uint32_t value;
};

struct name_table {
    struct name_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void name_table_init(struct name_table *table);
void name_table_free(struct name_table *table);

/* NULL when it is not there; valid until the next put. */
const struct name_slot *name_table_find(const struct name_table *table, struct span text);
/* Puts a text that is not there yet. False only without memory. */
bool name_table_put(struct name_table *table, const char *text, uint32_t value) MUST_USE;

#endif
