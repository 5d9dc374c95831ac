/* Jobs for the store's tests, whose data say which certificate and sequence they belong to, and a
 * wait for many of them. */
#ifndef CERTMILL_TEST_STORE_JOBS_H
#define CERTMILL_TEST_STORE_JOBS_H

#include "check.h"
#include "io/store.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_SECONDS 50

struct test_job {
    struct store_job job;
    char name[300];
    char data[STORE_FILES_MAX][400];
};

struct job_wait {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t done;
};

#define JOB_WAIT                                               \
    {                                                          \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 \
    }

static inline void job_done(struct store_job *job)
{
    struct job_wait *wait = job->owner;
    pthread_mutex_lock(&wait->lock);
    wait->done++;
    pthread_cond_signal(&wait->changed);
    pthread_mutex_unlock(&wait->lock);
}

static inline void job_add_file(struct test_job *job, const char *file, mode_t mode)
{
    size_t at = job->job.file_count++;
    snprintf(job->data[at], sizeof job->data[at], "%s %u %s\n", job->name, job->job.sequence, file);
    job->job.files[at] =
        (struct store_file){.name = file, .data = span_of(job->data[at]), .mode = mode};
}

/* The job must stay where it is from now on. */
static inline void job_make(struct test_job *job, enum store_step step, const char *name,
                            unsigned sequence)
{
    struct test_job made = {.job = {.step = step, .sequence = sequence}};
    made.job.uid = (uid_t)-1;
    made.job.gid = (gid_t)-1;
    snprintf(made.name, sizeof made.name, "%s", name);
    *job = made; /* `name` may be the job's own */
    job->job.name = job->name;
    if (step == STORE_KEY) {
        job_add_file(job, "privkey.pem", 0600);
    } else {
        job_add_file(job, "cert.pem", 0644);
        job_add_file(job, "chain.pem", 0644);
        job_add_file(job, "fullchain.pem", 0644);
    }
}

/* Submits them all and waits until all are done, well or not. */
static inline void jobs_do(struct store *store, struct test_job *jobs, size_t count)
{
    struct job_wait wait = JOB_WAIT;
    for (size_t i = 0; i < count; i++) {
        jobs[i].job.owner = &wait;
        store_submit(store, &jobs[i].job);
    }
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += WAIT_SECONDS;
    pthread_mutex_lock(&wait.lock);
    while (wait.done < count)
        CHECK_INT(pthread_cond_timedwait(&wait.changed, &wait.lock, &deadline), 0);
    pthread_mutex_unlock(&wait.lock);
}

/* A file's text, "" when it is not there. Up to three may be in use. */
static inline const char *text_of(int folder_fd, const char *path)
{
    static _Thread_local char texts[3][1024];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 3];
    int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof texts[0] - 1) : 0;
    CHECK(len >= 0);
    text[len] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

/* The sequence that "NAME SEQUENCE FILE" in the folder speaks of, 0 when there is none. */
static inline unsigned sequence_of(int folder_fd, const char *name, const char *file)
{
    const char *text = text_of(folder_fd, file);
    size_t len = strlen(name);
    char *end;
    if (strncmp(text, name, len) != 0 || text[len] != ' ')
        return 0;
    unsigned long sequence = strtoul(text + len, &end, 10);
    size_t file_len = strlen(file);
    if (*end != ' ' || strncmp(end + 1, file, file_len) != 0 ||
        strcmp(end + 1 + file_len, "\n") != 0)
        return 0;
    return (unsigned)sequence;
}

/* live/NAME is absent (0), or a whole pair, of which the sequence is given. */
static inline unsigned live_check(const char *root, const char *name)
{
    char path[1024];
    struct stat status;
    snprintf(path, sizeof path, "%s/live/%s", root, name);
    if (lstat(path, &status) < 0) {
        CHECK_INT(errno, ENOENT);
        return 0;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    unsigned sequence = sequence_of(fd, name, "privkey.pem");
    CHECK(sequence > 0);
    CHECK_INT(sequence_of(fd, name, "cert.pem"), sequence);
    CHECK_INT(sequence_of(fd, name, "chain.pem"), sequence);
    CHECK_INT(sequence_of(fd, name, "fullchain.pem"), sequence);
    close(fd);
    return sequence;
}

/* Says which mode the tests that follow run in; false when this kernel lacks io_uring. */
static inline bool store_mode_start(enum store_mode mode)
{
    struct scratch scratch;
    scratch_make(&scratch);
    struct store_options options = {.mode = mode, .root = scratch.path, .done = job_done};
    struct store *store = NULL;
    struct error error = {0};
    bool there = store_new(&options, &store, &error);
    store_free(store);
    scratch_remove(&scratch);
    const char *name = mode == STORE_RING ? "STORE_RING" : "STORE_SYNC";
    if (!there) {
        printf("--- %s is skipped: %s\n", name, error.text);
        CHECK(mode == STORE_RING);
    } else {
        printf("--- %s\n", name);
    }
    return there;
}

/* As scratch_tests_run, once for each mode that there is, which the tests find in *mode. */
static inline int store_tests_run(struct scratch *scratch, enum store_mode *mode,
                                  const struct test *tests, size_t count, int argc, char **argv)
{
    int failed = 0;
    for (int m = STORE_RING; m <= STORE_SYNC; m++) {
        *mode = (enum store_mode)m;
        if (store_mode_start(*mode))
            failed |= scratch_tests_run(scratch, tests, count, argc, argv);
    }
    return failed;
}

#endif
