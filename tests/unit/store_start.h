/* A store in a folder of the test's, and what its tests do with it. Each test runs with every mode
 * of the store in turn. */
#ifndef CERTMILL_TEST_STORE_START_H
#define CERTMILL_TEST_STORE_START_H

#include "store_jobs.h"

static struct scratch scratch;
static enum store_mode mode;

static inline const char *at(const char *name)
{
    return scratch_path(&scratch, name);
}

static inline struct store *store_start_with(unsigned batch, store_point *point)
{
    struct store_options options = {
        .mode = mode, .root = scratch.path, .batch = batch, .done = job_done, .point = point};
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_new(&options, &store, &error), error);
    CHECK_INT(store_mode_used(store), mode);
    return store;
}

static inline struct store *store_start(void)
{
    return store_start_with(0, NULL);
}

static inline void job_do(struct store *store, struct test_job *job)
{
    jobs_do(store, job, 1);
    CHECK_OK(job->job.ok, job->job.error);
}

static inline int mode_of(const char *path)
{
    struct stat status;
    CHECK_INT(lstat(path, &status), 0);
    return (int)(status.st_mode & 07777);
}

static inline void pair_store(struct store *store, const char *name, unsigned sequence)
{
    struct test_job job;
    job_make(&job, STORE_KEY, name, sequence);
    job_do(store, &job);
    job_make(&job, STORE_CERTIFICATE, name, sequence);
    job_do(store, &job);
}

static inline struct store_counts counts_of(struct store *store)
{
    struct store_counts counts;
    store_count(store, &counts);
    return counts;
}

#endif
