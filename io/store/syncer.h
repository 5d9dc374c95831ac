/* How the store makes many descriptors durable: one interface, and two ways behind it. */
#ifndef CERTMILL_IO_STORE_SYNCER_H
#define CERTMILL_IO_STORE_SYNCER_H

#include "io/store.h"

struct sync_target {
    int fd;
    int error;  /* set by sync: 0 when durable, else an errno */
    void *work; /* the caller's, as the next */
    const char *file;
};

struct syncer {
    enum store_mode mode;
    /* fsyncs all of them; one that fails does not keep the others from it. */
    void (*sync)(struct syncer *syncer, struct sync_target *targets, size_t count);
    void (*free)(struct syncer *syncer);
};

/* fsync through io_uring, `depth` at once. */
bool syncer_ring_new(unsigned depth, struct syncer **ret_syncer, struct error *error) MUST_USE;
/* fsync from a few threads; `most` is how many targets there can be at once, at least 1. */
bool syncer_plain_new(size_t most, struct syncer **ret_syncer, struct error *error) MUST_USE;

#endif
