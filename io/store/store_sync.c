#include "store/syncer.h"

#include "file/bytes.h"

#include <stdlib.h>

static void plain_sync(struct syncer *syncer, struct sync_target *targets, size_t count)
{
    (void)syncer;
    for (size_t i = 0; i < count; i++)
        targets[i].error = bytes_sync(targets[i].fd);
}

static void plain_free(struct syncer *syncer)
{
    free(syncer);
}

bool syncer_plain_new(struct syncer **ret_syncer, struct error *error)
{
    struct syncer *syncer = malloc(sizeof *syncer);
    if (syncer == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the store");
    *syncer = (struct syncer){.mode = STORE_SYNC, .sync = plain_sync, .free = plain_free};
    *ret_syncer = syncer;
    return true;
}
