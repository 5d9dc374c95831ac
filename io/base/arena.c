#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK ((size_t)64 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}

static void *arena_take(struct arena *arena, size_t size, size_t align)
{
    struct arena_block *block = arena->blocks;
    size_t at = block != NULL ? (block->used + align - 1) & ~(align - 1) : 0;
    if (block == NULL || at > block->size || size > block->size - at) {
        if (size > SIZE_MAX / 2)
            return NULL;
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        block = malloc(sizeof *block + room);
        if (block == NULL)
            return NULL;
        block->size = room;
        block->used = 0;
        /* A large one-off goes behind the current block, whose room is still of use. */
        if (size > ARENA_BLOCK / 2 && arena->blocks != NULL) {
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
        at = 0;
    }
    block->used = at + size;
    arena->used += size;
    return block->data + at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *data = arena_take(arena, size, alignof(max_align_t));
    if (data != NULL)
        memset(data, 0, size);
    return data;
}

char *arena_text(struct arena *arena, struct span text)
{
    char *copy = arena_take(arena, text.len + 1, 1);
    if (copy == NULL)
        return NULL;
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}
