/* Memory for millions of things: tables whose entries never move, and an index by hash. No locks:
 * the CA's lock guards them. */
#ifndef CERTMILL_CA_ACME_TABLES_H
#define CERTMILL_CA_ACME_TABLES_H

#include "base/span.h"

/* Entries of one size under ids from 1. */
struct ca_table {
    void **pages;
    size_t page_count;
    size_t entry_size;
    uint32_t count;
};

void ca_table_init(struct ca_table *table, size_t entry_size);
void ca_table_free(struct ca_table *table);
/* A zeroed entry, whose id is then table->count; NULL without memory. Valid until ca_table_free. */
void *ca_table_add(struct ca_table *table) MUST_USE;
void *ca_table_at(const struct ca_table *table, uint64_t id); /* NULL when there is none */

/* Hashes to ids; several entries may have the same hash, the caller compares. */
struct ca_index {
    struct ca_index_entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};
struct ca_index_entry {
    uint64_t hash;
    uint32_t id; /* 0: free */
};

void ca_index_free(struct ca_index *index);
bool ca_index_add(struct ca_index *index, uint64_t hash, uint32_t id) MUST_USE;
/* The next id under the hash, 0 at the end. *position is 0 at first. */
uint32_t ca_index_next(const struct ca_index *index, uint64_t hash, size_t *position);
/* Puts another id in the place of one under the hash; false when it is not there. */
bool ca_index_change(struct ca_index *index, uint64_t hash, uint32_t from, uint32_t to);

uint64_t ca_hash(struct span bytes, uint64_t seed);

#endif
