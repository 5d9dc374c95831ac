/* Memory that is freed all at once: for what lives as long as the thing it was read from. */
#ifndef CERTMILL_BASE_ARENA_H
#define CERTMILL_BASE_ARENA_H

#include "base/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
};

void arena_init(struct arena *arena);
void arena_free(struct arena *arena);

/* Zeroed, aligned for any type; NULL without memory. Lives until arena_free. */
void *arena_alloc(struct arena *arena, size_t size) MUST_USE;
/* A NUL-terminated copy, packed without alignment; NULL without memory. */
char *arena_text(struct arena *arena, struct span text) MUST_USE;

#endif
