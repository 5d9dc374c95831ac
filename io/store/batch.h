/* The steps of the jobs of one batch, in rounds. */
#ifndef CERTMILL_IO_STORE_BATCH_H
#define CERTMILL_IO_STORE_BATCH_H

#include "store/syncer.h"

/* Descriptors that one job holds at once: its files and the two folders. */
#define WORK_FDS (STORE_FILES_MAX + 2)

struct file_work {
    int fd;
    bool present;   /* it is there and the same: nothing to write */
    bool temporary; /* its temporary name exists */
};

struct store_work {
    struct store_job *job;
    struct file_work files[STORE_FILES_MAX];
    int name_fd; /* archive/NAME, and below it SEQUENCE */
    int sequence_fd;
    bool sync_parents; /* archive and archive/NAME may hold what is not durable */
    bool is_live;      /* live/NAME points to this SEQUENCE already */
    bool failed;
};

struct batch {
    struct syncer *syncer;
    store_point *point;
    int archive_fd;
    int live_fd;
    struct store_work *works; /* `capacity` of them, `count` in use */
    size_t count;
    size_t capacity;
    struct sync_target *targets; /* room for all that one round syncs */
    struct store_counts counts;
};

bool batch_new(size_t capacity, struct batch *ret_batch, struct error *error) MUST_USE;
void batch_free(struct batch *batch); /* the syncer and the folders are the caller's */

void batch_add(struct batch *batch, struct store_job *job);

/* Does all jobs, which then have their result, and adds to the counts. The caller empties it. */
void batch_run(struct batch *batch);

#endif
