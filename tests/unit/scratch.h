/* A temporary folder for one test: made under $TMPDIR or /tmp, removed with all it holds. */
#ifndef CERTMILL_TEST_SCRATCH_H
#define CERTMILL_TEST_SCRATCH_H

#include "check.h"

#include <dirent.h>
#include <ftw.h>
#include <unistd.h>

struct scratch {
    char path[256];
    char *paths[4]; /* what scratch_path gave last */
    unsigned next;
};

static inline void scratch_make(struct scratch *scratch)
{
    const char *base = getenv("TMPDIR");
    *scratch = (struct scratch){0};
    snprintf(scratch->path, sizeof scratch->path, "%s/certmill-test-XXXXXX",
             base != NULL ? base : "/tmp");
    CHECK(mkdtemp(scratch->path) != NULL);
}

static inline int scratch_remove_entry(const char *path, const struct stat *status, int type,
                                       struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void scratch_remove(struct scratch *scratch)
{
    CHECK_INT(nftw(scratch->path, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    for (size_t i = 0; i < sizeof scratch->paths / sizeof scratch->paths[0]; i++)
        free(scratch->paths[i]);
}

/* Valid until the fourth call after this one. */
static inline const char *scratch_path(struct scratch *scratch, const char *name)
{
    char **path = &scratch->paths[scratch->next++ % 4];
    free(*path);
    CHECK(asprintf(path, "%s/%s", scratch->path, name) > 0);
    return *path;
}

static inline void scratch_before(void *context)
{
    scratch_make(context);
}

static inline void scratch_after(void *context)
{
    scratch_remove(context);
}

/* As tests_run, each test in a new folder. */
static inline int scratch_tests_run(struct scratch *scratch, const struct test *tests, size_t count,
                                    int argc, char **argv)
{
    return tests_run_around(tests, count, argc, argv, scratch_before, scratch_after, scratch);
}

/* How many entries a folder holds, hidden ones too; -1 when it cannot be read. */
static inline int folder_entries(const char *path)
{
    DIR *listing = opendir(path);
    if (listing == NULL)
        return -1;
    int count = 0;
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count - 2;
}

#endif
