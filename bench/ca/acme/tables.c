#include "tables.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PAGE_ENTRIES = 1024 };

void ca_table_init(struct ca_table *table, size_t entry_size)
{
    *table = (struct ca_table){.entry_size = entry_size};
}

void ca_table_free(struct ca_table *table)
{
    for (size_t i = 0; i < table->page_count; i++)
        free(table->pages[i]);
    free(table->pages);
    *table = (struct ca_table){.entry_size = table->entry_size};
}

static bool page_add(struct ca_table *table)
{
    void **pages = realloc(table->pages, (table->page_count + 1) * sizeof *pages);
    if (pages == NULL)
        return false;
    table->pages = pages;
    pages[table->page_count] = calloc(PAGE_ENTRIES, table->entry_size);
    if (pages[table->page_count] == NULL)
        return false;
    table->page_count++;
    return true;
}

static void *entry_at(const struct ca_table *table, size_t place)
{
    return (char *)table->pages[place / PAGE_ENTRIES] + place % PAGE_ENTRIES * table->entry_size;
}

void *ca_table_add(struct ca_table *table)
{
    if (table->count == UINT32_MAX ||
        (table->count == table->page_count * PAGE_ENTRIES && !page_add(table)))
        return NULL;
    return entry_at(table, table->count++);
}

void *ca_table_at(const struct ca_table *table, uint64_t id)
{
    return id > 0 && id <= table->count ? entry_at(table, id - 1) : NULL;
}

void ca_index_free(struct ca_index *index)
{
    free(index->entries);
    *index = (struct ca_index){0};
}

static void index_put(struct ca_index *index, uint64_t hash, uint32_t id)
{
    size_t place = hash & (index->capacity - 1);
    while (index->entries[place].id != 0)
        place = (place + 1) & (index->capacity - 1);
    index->entries[place] = (struct ca_index_entry){hash, id};
}

static bool index_grow(struct ca_index *index)
{
    struct ca_index bigger = {.capacity = index->capacity > 0 ? 2 * index->capacity : 256,
                              .count = index->count};
    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (bigger.entries == NULL)
        return false;
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->entries[i].id != 0)
            index_put(&bigger, index->entries[i].hash, index->entries[i].id);
    }
    free(index->entries);
    *index = bigger;
    return true;
}

bool ca_index_add(struct ca_index *index, uint64_t hash, uint32_t id)
{
    if (4 * (index->count + 1) > 3 * index->capacity && !index_grow(index))
        return false;
    index_put(index, hash, id);
    index->count++;
    return true;
}

uint32_t ca_index_next(const struct ca_index *index, uint64_t hash, size_t *position)
{
    while (index->capacity > 0) {
        size_t place = (hash + *position) & (index->capacity - 1);
        const struct ca_index_entry *entry = &index->entries[place];
        if (entry->id == 0)
            return 0;
        ++*position;
        if (entry->hash == hash)
            return entry->id;
    }
    return 0;
}

bool ca_index_change(struct ca_index *index, uint64_t hash, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < index->capacity; i++) {
        struct ca_index_entry *entry = &index->entries[(hash + i) & (index->capacity - 1)];
        if (entry->id == 0)
            return false;
        if (entry->hash == hash && entry->id == from) {
            entry->id = to;
            return true;
        }
    }
    return false;
}

uint64_t ca_hash(struct span bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}
