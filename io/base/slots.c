#include "base/slots.h"

#include <stdlib.h>

#define NO_SLOT UINT32_MAX

void slots_init(struct slots *slots)
{
    *slots = (struct slots){.first_free = NO_SLOT};
}

void slots_free(struct slots *slots)
{
    free(slots->slots);
    slots_init(slots);
}

bool slots_add(struct slots *slots, void *object, uint64_t *ret_id)
{
    uint32_t index = slots->first_free;
    if (index != NO_SLOT) {
        slots->first_free = slots->slots[index].next_free;
    } else {
        if (slots->count == slots->capacity) {
            uint32_t capacity = slots->capacity > 0 ? slots->capacity * 2 : 64;
            struct slot *grown = reallocarray(slots->slots, capacity, sizeof *grown);
            if (grown == NULL)
                return false;
            slots->slots = grown;
            slots->capacity = capacity;
        }
        index = slots->count++;
        slots->slots[index] = (struct slot){.generation = 1};
    }
    slots->slots[index].object = object;
    slots->live++;
    *ret_id = (uint64_t)slots->slots[index].generation << 32 | index;
    return true;
}

static struct slot *slot_find(const struct slots *slots, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (index >= slots->count)
        return NULL;
    struct slot *slot = &slots->slots[index];
    return slot->object != NULL && slot->generation == id >> 32 ? slot : NULL;
}

void *slots_get(const struct slots *slots, uint64_t id)
{
    struct slot *slot = slot_find(slots, id);
    return slot != NULL ? slot->object : NULL;
}

void slots_remove(struct slots *slots, uint64_t id)
{
    struct slot *slot = slot_find(slots, id);
    if (slot == NULL)
        return;
    slot->object = NULL;
    slot->generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
    slot->next_free = slots->first_free;
    slots->first_free = (uint32_t)id;
    slots->live--;
}
