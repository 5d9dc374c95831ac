#include "deploy/once.h"

#include "deploy/command.h"

#include <stdlib.h>
#include <string.h>

bool once_add(struct once_uses *uses, const struct deploy_hook *hook, size_t item)
{
    if (uses->count == uses->capacity) {
        size_t capacity = uses->capacity > 0 ? uses->capacity * 2 : 64;
        struct once_use *grown = reallocarray(uses->uses, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        uses->uses = grown;
        uses->capacity = capacity;
    }
    uses->uses[uses->count] = (struct once_use){
        .hook = hook, .digest = command_digest(hook->command), .item = item, .index = uses->count};
    uses->count++;
    return true;
}

void once_free(struct once_uses *uses)
{
    free(uses->uses);
    *uses = (struct once_uses){0};
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_commands(const char *const *a, const char *const *b)
{
    for (size_t i = 0;; i++) {
        if (a[i] == NULL || b[i] == NULL)
            return (a[i] != NULL) - (b[i] != NULL);
        int order = strcmp(a[i], b[i]);
        if (order != 0)
            return order;
    }
}

static int by_command(const void *left, const void *right)
{
    const struct once_use *a = left;
    const struct once_use *b = right;
    int order = compare_numbers(a->digest, b->digest);
    if (order == 0)
        order = compare_commands(a->hook->command, b->hook->command);
    return order != 0 ? order : compare_numbers(a->index, b->index);
}

static int by_group(const void *left, const void *right)
{
    const struct once_use *a = left;
    const struct once_use *b = right;
    int order = compare_numbers(a->group, b->group);
    return order != 0 ? order : compare_numbers(a->index, b->index);
}

void once_group(struct once_uses *uses)
{
    if (uses->count == 0)
        return;
    qsort(uses->uses, uses->count, sizeof *uses->uses, by_command);
    for (size_t i = 0; i < uses->count; i++) {
        struct once_use *use = &uses->uses[i];
        bool same = i > 0 && commands_equal(use->hook->command, use[-1].hook->command);
        use->group = same ? use[-1].group : use->index;
    }
    qsort(uses->uses, uses->count, sizeof *uses->uses, by_group);
}
