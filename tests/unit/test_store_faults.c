/* The store on disks that are full or cannot be written, and in containers without io_uring. */
#include "no_ring.h"
#include "store_jobs.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static struct scratch scratch;
static enum store_mode mode;

static bool store_start(enum store_mode wanted, struct store **ret_store, struct error *error)
{
    struct store_options options = {.mode = wanted, .root = scratch.path, .done = job_done};
    return store_new(&options, ret_store, error);
}

static void in_child(void (*run)(void))
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run();
        exit(0);
    }
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

/* --- A file system of its own ----------------------------------------------------------------- */

static bool disk_mount(const char *options)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("tmpfs", scratch.path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
        return true;
    printf("    skipped: no file system can be mounted: %s\n", strerrordesc_np(errno));
    return false;
}

static void full_disk(void)
{
    enum { COUNT = 12, SIZE = 16384 };
    if (!disk_mount("size=160k"))
        return;
    static char large[SIZE];
    static struct test_job jobs[COUNT];
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_start(mode, &store, &error), error);
    job_make(&jobs[0], STORE_CERTIFICATE, "full0", 1);
    job_add_file(&jobs[0], "privkey.pem", 0600);
    jobs_do(store, jobs, 1);
    CHECK_OK(jobs[0].job.ok, jobs[0].job.error);
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "full%zu", i);
        job_make(&jobs[i], STORE_CERTIFICATE, name, 2);
        job_add_file(&jobs[i], "privkey.pem", 0600);
        jobs[i].job.files[i % 3].data = span_make(large, SIZE);
    }
    jobs_do(store, jobs, COUNT);
    size_t failed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        unsigned live = store_live_sequence(scratch.path, jobs[i].name);
        CHECK_INT(live, jobs[i].job.ok ? 2 : i == 0 ? 1 : 0);
        if (jobs[i].job.ok)
            continue;
        failed++;
        CHECK_INT(jobs[i].job.error.sys, ENOSPC);
        CHECK_CONTAINS(jobs[i].job.error.text, "No space left on device");
        CHECK_CONTAINS(jobs[i].job.error.text, jobs[i].name);
    }
    CHECK(failed > 0 && failed < COUNT);
    store_free(store);
}

static void read_only_disk(void)
{
    if (!disk_mount("size=1m"))
        return;
    static struct test_job job;
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_start(mode, &store, &error), error);
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    job_add_file(&job, "privkey.pem", 0600);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(mount(NULL, scratch.path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    job_make(&job, STORE_KEY, "www", 2);
    jobs_do(store, &job, 1);
    CHECK(!job.job.ok);
    CHECK_INT(job.job.error.sys, EROFS);
    CHECK_CONTAINS(job.job.error.text, "archive/www/2");
    CHECK_INT(live_check(scratch.path, "www"), 1);
    store_free(store);
}

static void without_permission(void)
{
    struct store *store = NULL;
    struct error error = {0};
    CHECK_INT(chmod(scratch.path, 0755), 0);
    if (geteuid() == 0)
        CHECK_INT(setgid(65534) | setuid(65534), 0);
    else
        CHECK_INT(chmod(scratch.path, 0500), 0);
    CHECK(!store_start(mode, &store, &error));
    CHECK_INT(error.sys, EACCES);
    CHECK_CONTAINS(error.text, scratch.path);
    CHECK(store == NULL);
    if (geteuid() != 65534)
        CHECK_INT(chmod(scratch.path, 0700), 0);
}

static void fails_when_the_disk_is_full(void)
{
    in_child(full_disk);
}

static void fails_when_the_disk_is_read_only(void)
{
    in_child(read_only_disk);
}

static void fails_without_permission(void)
{
    in_child(without_permission);
}

/* --- io_uring forbidden ----------------------------------------------------------------------- */

static void ring_answers(int answer, const char *words)
{
    if (!ring_forbid(SYS_io_uring_setup, answer)) {
        printf("    skipped: no system call filter here\n");
        return;
    }
    struct store *store = NULL;
    struct error error = {0};
    CHECK(!store_start(STORE_RING, &store, &error));
    CHECK_INT(error.sys, answer);
    CHECK_CONTAINS(error.text, words);
    CHECK_OK(store_start(STORE_AUTO, &store, &error), error);
    CHECK_INT(store_mode_used(store), STORE_SYNC);
    static struct test_job job;
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    job_add_file(&job, "privkey.pem", 0600);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(live_check(scratch.path, "www"), 1);
    store_free(store);
}

static void ring_not_permitted(void)
{
    ring_answers(EPERM, "io_uring is forbidden here");
}

static void ring_not_there(void)
{
    ring_answers(ENOSYS, "io_uring is missing in this kernel");
}

/* The ring can be made, and then takes nothing: the store goes on by plain calls. */
static void ring_dead(void)
{
    if (mode != STORE_RING || !ring_forbid(SYS_io_uring_enter, EPERM))
        return;
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_start(STORE_RING, &store, &error), error);
    static struct test_job jobs[10];
    for (unsigned sequence = 1; sequence <= 2; sequence++) {
        for (size_t i = 0; i < 10; i++) {
            char name[16];
            snprintf(name, sizeof name, "dead%zu", i);
            job_make(&jobs[i], STORE_CERTIFICATE, name, sequence);
            job_add_file(&jobs[i], "privkey.pem", 0600);
        }
        jobs_do(store, jobs, 10);
        for (size_t i = 0; i < 10; i++) {
            CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
            CHECK_INT(live_check(scratch.path, jobs[i].name), sequence);
        }
    }
    store_free(store);
}

static void survives_a_dead_ring(void)
{
    in_child(ring_dead);
}

static void falls_back_where_the_ring_is_forbidden(void)
{
    in_child(ring_not_permitted);
}

static void falls_back_where_the_ring_is_missing(void)
{
    in_child(ring_not_there);
}

static const struct test tests[] = {
    TEST(fails_when_the_disk_is_full),
    TEST(fails_when_the_disk_is_read_only),
    TEST(fails_without_permission),
    TEST(falls_back_where_the_ring_is_forbidden),
    TEST(falls_back_where_the_ring_is_missing),
    TEST(survives_a_dead_ring),
};

int main(int argc, char **argv)
{
    return store_tests_run(&scratch, &mode, tests, sizeof tests / sizeof tests[0], argc, argv);
}
