#include "report/near_names.h"

#include <string.h>

#define DISTANCE_MAX 4 /* letters, at most */

void near_names_init(struct near_names *near, const char *wanted)
{
    near->wanted = wanted;
    near->count = 0;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance between texts shorter than NEAR_NAME_SIZE. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned row[NEAR_NAME_SIZE];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned above = row[j];
            unsigned changed = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = least(changed, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_length];
}

/* 0 when it is not near at all: an equal name is not offered. */
static unsigned nearness(const char *wanted, const char *name)
{
    size_t wanted_length = strlen(wanted);
    size_t length = strlen(name);
    if (wanted_length == 0 || wanted_length >= NEAR_NAME_SIZE || length >= NEAR_NAME_SIZE)
        return 0;
    unsigned limit = least(DISTANCE_MAX, (unsigned)wanted_length / 3 + 1);
    size_t difference = wanted_length > length ? wanted_length - length : length - wanted_length;
    if (difference <= limit) {
        unsigned far = distance(wanted, wanted_length, name, length);
        if (far <= limit)
            return far;
    }
    bool holds = wanted_length >= 3 && length >= 3 &&
                 (strstr(name, wanted) != NULL || strstr(wanted, name) != NULL);
    return holds ? DISTANCE_MAX + 1 : 0;
}

void near_names_offer(struct near_names *near, const char *name)
{
    unsigned far = nearness(near->wanted, name);
    if (far == 0)
        return;
    size_t at = near->count;
    while (at > 0 && near->found[at - 1].distance > far)
        at--;
    if (at == NEAR_NAMES_MAX)
        return;
    size_t last = near->count < NEAR_NAMES_MAX ? near->count++ : NEAR_NAMES_MAX - 1;
    memmove(&near->found[at + 1], &near->found[at], (last - at) * sizeof near->found[0]);
    memcpy(near->found[at].name, name, strlen(name) + 1);
    near->found[at].distance = far;
}
