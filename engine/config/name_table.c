#include "config/name_table.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CAPACITY_FIRST 64

void name_table_init(struct name_table *table)
{
    *table = (struct name_table){0};
}

void name_table_free(struct name_table *table)
{
    free(table->slots);
    *table = (struct name_table){0};
}

/* Seeded by where the table lies, so that no file can be made whose names all collide. */
static uint32_t text_hash(const struct name_table *table, struct span text)
{
    return (uint32_t)XXH3_64bits_withSeed(text.data, text.len, (XXH64_hash_t)(uintptr_t)table);
}

/* The text's slot, or the free one where it belongs. */
static struct name_slot *slot_of(const struct name_table *table, struct span text, uint32_t hash)
{
    size_t at = hash & (table->capacity - 1);
    for (;; at = (at + 1) & (table->capacity - 1)) {
        struct name_slot *slot = &table->slots[at];
        if (slot->text == NULL || (slot->hash == hash && span_is(text, slot->text)))
            return slot;
    }
}

const struct name_slot *name_table_find(const struct name_table *table, struct span text)
{
    if (table->capacity == 0)
        return NULL;
    const struct name_slot *slot = slot_of(table, text, text_hash(table, text));
    return slot->text != NULL ? slot : NULL;
}

static bool table_grow(struct name_table *table)
{
    size_t capacity = table->capacity > 0 ? table->capacity * 2 : CAPACITY_FIRST;
    struct name_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++) {
        const struct name_slot *old = &table->slots[i];
        if (old->text == NULL)
            continue;
        size_t at = old->hash & (capacity - 1);
        while (slots[at].text != NULL)
            at = (at + 1) & (capacity - 1);
        slots[at] = *old;
    }
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

bool name_table_put(struct name_table *table, const char *text, uint32_t value)
{
    if (table->count * 4 >= table->capacity * 3 && !table_grow(table))
        return false;
    struct span span = span_of(text);
    uint32_t hash = text_hash(table, span);
    *slot_of(table, span, hash) = (struct name_slot){.text = text, .hash = hash, .value = value};
    table->count++;
    return true;
}
