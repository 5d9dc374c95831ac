/* Which certificates asked for which `once` hooks, grouped by command. */
#ifndef CERTMILL_DEPLOY_ONCE_H
#define CERTMILL_DEPLOY_ONCE_H

#include "config/manifest.h"

/* One certificate that waits for one hook. */
struct once_use {
    const struct deploy_hook *hook;
    uint64_t digest; /* of the command */
    size_t item;     /* the deployer's index of the certificate */
    size_t index;    /* in the order in which they were added */
    size_t group;    /* set by once_group: the index of the group's first */
};

struct once_uses {
    struct once_use *uses;
    size_t count, capacity;
};

bool once_add(struct once_uses *uses, const struct deploy_hook *hook, size_t item) MUST_USE;
void once_free(struct once_uses *uses);

/* Sorts the uses so that those of equal commands stand together: the groups in the order in which
 * their commands first came, the uses of a group in the order in which they were added. */
void once_group(struct once_uses *uses);

#endif
