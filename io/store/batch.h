/* The steps of the jobs of one batch, in rounds. */
#ifndef CERTMILL_IO_STORE_BATCH_H
#define CERTMILL_IO_STORE_BATCH_H

#include "store/syncer.h"
#include "store/work.h"

/* What one round can make durable: all that each job holds, and the two folders that all share. */
#define BATCH_TARGETS(jobs) ((jobs)*WORK_FDS + 2)

struct batch {
    struct syncer *syncer;
    bool one_leads; /* one fsync of a round goes before the others */
    store_point *point;
    int archive_fd;
    int live_fd;
    struct shared *shared;
    struct store_work *works; /* `capacity` of them, `count` in use */
    size_t count;
    size_t capacity;
    struct sync_target *targets; /* room for all that one round syncs */
    size_t target_count;
    struct store_counts counts;
};

bool batch_new(size_t capacity, struct batch *ret_batch, struct error *error) MUST_USE;
void batch_free(
    struct batch *batch); /* the syncer, the folders and what is shared are the caller's */

void batch_add(struct batch *batch, struct store_job *job);

/* Does all jobs, which then have their result, and adds to the counts. The caller empties it. */
void batch_run(struct batch *batch);

#endif
