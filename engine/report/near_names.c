#include "report/near_names.h"

#include "base/suggest.h"

#include <stdio.h>
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
        unsigned far = suggest_distance(span_of(wanted), span_of(name));
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

char *near_names_text(const struct near_names *near, char *text)
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < near->count; i++)
        len += (size_t)snprintf(text + len, NEAR_NAMES_TEXT_MAX - len, "%s%s",
                                i == 0 ? "; did you mean " : " or ", near->found[i].name);
    if (near->count > 0)
        snprintf(text + len, NEAR_NAMES_TEXT_MAX - len, "?");
    return text;
}
