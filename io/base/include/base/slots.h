/* A table of pointers under ids with a generation: the id of a removed object never finds another.
 * Such ids go across asynchronous edges, where a pointer could outlive its object. */
#ifndef CERTMILL_BASE_SLOTS_H
#define CERTMILL_BASE_SLOTS_H

#include "base/result.h"

#include <stdint.h>

struct slot {
    void *object; /* NULL when free */
    uint32_t generation;
    uint32_t next_free;
};

struct slots {
    struct slot *slots;
    uint32_t count; /* slots ever used */
    uint32_t capacity;
    uint32_t first_free;
    uint32_t live;
};

void slots_init(struct slots *slots);
void slots_free(struct slots *slots); /* the objects are the caller's */

/* The id is never 0. False only without memory. */
bool slots_add(struct slots *slots, void *object, uint64_t *ret_id) MUST_USE;
void *slots_get(const struct slots *slots, uint64_t id); /* NULL when it is gone */
void slots_remove(struct slots *slots, uint64_t id);

#endif
