/* Which known names come close to one that was mistyped. */
#ifndef CERTMILL_REPORT_NEAR_NAMES_H
#define CERTMILL_REPORT_NEAR_NAMES_H

#include "base/span.h"

#define NEAR_NAMES_MAX      3
#define NEAR_NAME_SIZE      256
#define NEAR_NAMES_TEXT_MAX ((size_t)NEAR_NAMES_MAX * (NEAR_NAME_SIZE + 16))

struct near_names {
    const char *wanted;
    struct {
        char name[NEAR_NAME_SIZE];
        unsigned distance;
    } found[NEAR_NAMES_MAX]; /* the nearest first */
    size_t count;
};

void near_names_init(struct near_names *near, const char *wanted);
/* Keeps the name when it is near: a third of the letters may differ, or one name holds the other.
 */
void near_names_offer(struct near_names *near, const char *name);
/* Fills `text` of NEAR_NAMES_TEXT_MAX bytes and returns it: "; did you mean A or B?", or "". */
char *near_names_text(const struct near_names *near, char *text);

#endif
