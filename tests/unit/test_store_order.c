/* What reaches the disk before what, and what an fsync or a link that fails does. This program's
 * own fsync, renameat, linkat and symlinkat stand before the C library's: they note the path, and
 * can fail. The order is made above the ring or the plain calls, so STORE_SYNC stands for both. */
#include "store_jobs.h"

#include <limits.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define EVENTS_MAX 200

static struct scratch scratch;

static struct {
    pthread_mutex_t lock;
    char events[EVENTS_MAX][160]; /* "sync archive/www", "rename live/www" */
    size_t count;
    const char *fail_path; /* an fsync of this path gives fail_error, `fails` times */
    int fail_error;
    int fails;
    int link_error; /* what the next `link_fails` links give */
    int link_fails;
    bool is_xfs; /* says that it is, where one fsync goes before the others */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The path of a descriptor below the scratch folder, false for any other. */
static bool path_of(int fd, char *path, size_t size)
{
    char link[64];
    char target[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, target, sizeof target - 1);
    size_t root = strlen(scratch.path);
    if (len <= 0 || (size_t)len <= root || memcmp(target, scratch.path, root) != 0)
        return false;
    target[len] = '\0';
    return snprintf(path, size, "%s", target + root + 1) < (int)size;
}

static void event_note(const char *what, const char *path)
{
    CHECK(disk.count < EVENTS_MAX);
    snprintf(disk.events[disk.count++], sizeof disk.events[0], "%s %s", what, path);
}

/* Their names for the linker; C's own declarations stay as they are. */
int disk_fsync(int fd) __asm__("fsync");
int disk_renameat(int from_fd, const char *from, int to_fd, const char *to) __asm__("renameat");
int disk_linkat(int from_fd, const char *from, int to_fd, const char *to,
                int flags) __asm__("linkat");
int disk_symlinkat(const char *target, int folder_fd, const char *name) __asm__("symlinkat");
int disk_fstatfs(int fd, struct statfs *status) __asm__("fstatfs64");

int disk_fsync(int fd)
{
    char path[128];
    int failed = 0;
    pthread_mutex_lock(&disk.lock);
    if (path_of(fd, path, sizeof path)) {
        if (disk.fails > 0 && strcmp(path, disk.fail_path) == 0) {
            disk.fails--;
            failed = disk.fail_error;
        }
        event_note(failed != 0 ? "failed" : "sync", path);
    }
    pthread_mutex_unlock(&disk.lock);
    if (failed != 0) {
        errno = failed;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void entry_note(const char *what, int folder_fd, const char *name)
{
    char folder[100];
    char path[128];
    pthread_mutex_lock(&disk.lock);
    if (path_of(folder_fd, folder, sizeof folder)) {
        CHECK(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
        event_note(what, path);
    }
    pthread_mutex_unlock(&disk.lock);
}

int disk_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    if (disk.link_fails > 0) {
        disk.link_fails--;
        errno = disk.link_error;
        return -1;
    }
    entry_note("link", to_fd, to);
    return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
}

int disk_symlinkat(const char *target, int folder_fd, const char *name)
{
    entry_note("symlink", folder_fd, name);
    return (int)syscall(SYS_symlinkat, target, folder_fd, name);
}

int disk_fstatfs(int fd, struct statfs *status)
{
    CHECK(fd >= 0);
    *status = (struct statfs){.f_type = disk.is_xfs ? XFS_SUPER_MAGIC : EXT4_SUPER_MAGIC};
    return 0;
}

int disk_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    entry_note("rename", to_fd, to);
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

/* Where the event is, counted from 1; 0 when it never was. */
static size_t when(const char *event)
{
    for (size_t i = 0; i < disk.count; i++)
        if (strcmp(disk.events[i], event) == 0)
            return i + 1;
    return 0;
}

static bool when_from(const char *event, size_t first, size_t last)
{
    return when(event) >= first && when(event) <= last;
}

static void disk_reset(const char *fail_path, int fail_error, int fails)
{
    disk.count = 0;
    disk.fail_path = fail_path;
    disk.fail_error = fail_error;
    disk.fails = fails;
    disk.link_fails = 0;
}

static struct store *store_start(void)
{
    struct store_options options = {.mode = STORE_SYNC, .root = scratch.path, .done = job_done};
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_new(&options, &store, &error), error);
    disk_reset("", 0, 0);
    return store;
}

static void every_step_is_durable_before_the_next(void)
{
    struct store *store = store_start();
    struct test_job job;
    job_make(&job, STORE_KEY, "www", 1);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(disk.count, 5);
    CHECK(when_from("sync archive/www/1/.privkey.pem.tmp", 1, 3));
    CHECK(when_from("sync archive/www", 1, 3));
    CHECK(when_from("sync archive", 1, 3));
    CHECK_INT(when("rename archive/www/1/privkey.pem"), 4);
    CHECK_INT(when("sync archive/www/1"), 5);

    disk_reset("", 0, 0);
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(disk.count, 6);
    CHECK(when_from("sync archive/www/1/cert.pem", 1, 4));
    CHECK(when_from("sync archive/www/1/chain.pem", 1, 4));
    CHECK(when_from("sync archive/www/1/fullchain.pem", 1, 4));
    CHECK(when_from("sync archive/www/1", 1, 4));
    CHECK_INT(when("symlink live/www"), 5);
    CHECK_INT(when("sync live"), 6);

    job_make(&job, STORE_KEY, "www", 2);
    jobs_do(store, &job, 1);
    disk_reset("", 0, 0);
    job_make(&job, STORE_CERTIFICATE, "www", 2);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(disk.count, 7);
    CHECK(when_from("sync archive/www/2", 1, 4));
    CHECK_INT(when("symlink live/.www.tmp"), 5);
    CHECK_INT(when("rename live/www"), 6);
    CHECK_INT(when("sync live"), 7);
    store_free(store);
}

/* A run that crashed left what may be half of a file: it is replaced by a whole one, and the link
 * is switched only when that is durable. */
static void a_file_that_is_there_is_replaced_durably(void)
{
    struct store *store = store_start();
    struct test_job job;
    job_make(&job, STORE_KEY, "www", 1);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK(close(creat(scratch_path(&scratch, "archive/www/1/chain.pem"), 0600)) == 0);
    disk_reset("", 0, 0);
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(disk.count, 7);
    CHECK(when_from("sync archive/www/1/cert.pem", 1, 3));
    CHECK(when_from("sync archive/www/1/.chain.pem.tmp", 1, 3));
    CHECK(when_from("sync archive/www/1/fullchain.pem", 1, 3));
    CHECK_INT(when("rename archive/www/1/chain.pem"), 4);
    CHECK_INT(when("sync archive/www/1"), 5);
    CHECK_INT(when("symlink live/www"), 6);
    CHECK_INT(when("sync live"), 7);
    CHECK_INT(live_check(scratch.path, "www"), 1);

    /* The live pair lacks a file: readers see none, or all of it. */
    CHECK_INT(unlink(scratch_path(&scratch, "live/www/chain.pem")), 0);
    disk_reset("", 0, 0);
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(when("sync archive/www/1/.chain.pem.tmp"), 1);
    CHECK_INT(when("rename archive/www/1/chain.pem"), 2);
    CHECK_INT(when("sync archive/www/1"), 3);
    CHECK_INT(live_check(scratch.path, "www"), 1);
    store_free(store);
}

/* --- One file for many certificates ----------------------------------------------------------- */

static void sharing_store(struct store *store, const char *name)
{
    struct test_job job;
    job_make(&job, STORE_CERTIFICATE, name, 1);
    job_add_file(&job, "privkey.pem", 0600);
    job.job.files[1].data = SPAN_LITERAL("the chain");
    job.job.files[1].shared = true;
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
}

static unsigned long names_of_chain(const char *name)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "live/%s/chain.pem", name);
    CHECK_INT(stat(scratch_path(&scratch, path), &status), 0);
    return status.st_nlink;
}

static void a_shared_file_is_durable_before_it_is_linked(void)
{
    struct store *store = store_start();
    sharing_store(store, "a");
    disk_reset("", 0, 0);
    sharing_store(store, "b");
    CHECK_CONTAINS(disk.events[0], "sync archive/.shared/.");
    CHECK_CONTAINS(disk.events[0], ".tmp");
    CHECK_CONTAINS(disk.events[1], "rename archive/.shared/");
    CHECK_TEXT(disk.events[2], "link archive/b/1/chain.pem");
    CHECK_INT(when("sync archive/b/1/chain.pem"), 0);
    CHECK(when("sync archive/b/1") > when("rename archive/b/1/privkey.pem"));
    CHECK(when("symlink live/b") > when("sync archive/b/1"));
    disk_reset("", 0, 0);
    sharing_store(store, "c");
    CHECK_TEXT(disk.events[0], "link archive/c/1/chain.pem");
    CHECK(when("sync archive/c/1") > 1);
    CHECK_INT(names_of_chain("c"), 3);
    store_free(store);
}

static void a_full_shared_file_gets_a_successor(void)
{
    struct store *store = store_start();
    sharing_store(store, "a");
    sharing_store(store, "b");
    disk.link_error = EMLINK;
    disk.link_fails = 1;
    sharing_store(store, "c");
    sharing_store(store, "d");
    CHECK_INT(disk.link_fails, 0);
    CHECK_INT(names_of_chain("b"), 2);
    CHECK_INT(names_of_chain("d"), 3);
    CHECK_INT(folder_entries(scratch_path(&scratch, "archive/.shared")), 2);
    store_free(store);
}

static void without_links_each_has_its_own_file(void)
{
    static const int errors[] = {EPERM, EXDEV, EOPNOTSUPP, EMLINK};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct store *store = store_start();
        disk.link_error = errors[i];
        disk.link_fails = INT_MAX;
        for (int n = 0; n < 3; n++) {
            char name[16];
            snprintf(name, sizeof name, "%zu-%d", i, n);
            disk.count = 0;
            sharing_store(store, name);
            CHECK_INT(names_of_chain(name), 1);
        }
        store_free(store);
    }
}

/* A crash between the switch and the end: the same jobs again must sync again, for nobody knows
 * what of the first time is durable. */
static void a_repeated_job_syncs_the_folders_again(void)
{
    struct store *store = store_start();
    struct test_job job;
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    job_add_file(&job, "privkey.pem", 0600);
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK(when("sync archive/www") > 0 && when("sync archive") > 0);
    for (int step = STORE_KEY; step <= STORE_CERTIFICATE; step++) {
        disk_reset("", 0, 0);
        job_make(&job, (enum store_step)step, "www", 1);
        jobs_do(store, &job, 1);
        CHECK_OK(job.job.ok, job.job.error);
        CHECK(when("sync archive/www/1") > 0);
        CHECK((when("sync archive/www") > 0) == (step == STORE_KEY));
        CHECK((when("sync live") > 0) == (step == STORE_CERTIFICATE));
    }
    store_free(store);
}

/* --- fsync fails ------------------------------------------------------------------------------ */

static struct test_job pair[2];

/* A job of "bad" and one of "fine", together, while one fsync of a path fails. */
static void pair_do(struct store *store, const char *fail_path, enum store_step step,
                    unsigned sequence)
{
    static const char *const names[] = {"bad", "fine"};
    for (size_t i = 0; i < 2; i++) {
        job_make(&pair[i], step, names[i], sequence);
        if (step == STORE_CERTIFICATE)
            job_add_file(&pair[i], "privkey.pem", 0600);
    }
    disk_reset(fail_path, EIO, 1);
    jobs_do(store, pair, 2);
    CHECK_INT(disk.fails, 0);
}

static void bad_failed(const char *path)
{
    CHECK(!pair[0].job.ok);
    CHECK_INT(pair[0].job.error.sys, EIO);
    CHECK_CONTAINS(pair[0].job.error.text, path);
    CHECK_CONTAINS(pair[0].job.error.text, "Input/output error");
}

static void a_failed_sync_fails_only_its_job(void)
{
    struct store *store = store_start();
    static const char *const paths[] = {"archive/bad/2/cert.pem", "archive/bad/3", "archive/bad"};
    static const char *const named[] = {"archive/bad/2/cert.pem", "archive/bad/3", "archive/bad/4"};
    pair_do(store, "archive/bad/1/.privkey.pem.tmp", STORE_KEY, 1);
    bad_failed("archive/bad/1/privkey.pem");
    CHECK_OK(pair[1].job.ok, pair[1].job.error);
    CHECK_TEXT(text_of(AT_FDCWD, scratch_path(&scratch, "archive/bad/1/privkey.pem")), "");
    for (unsigned i = 0; i < 3; i++) {
        pair_do(store, paths[i], STORE_CERTIFICATE, i + 2);
        bad_failed(named[i]);
        CHECK_OK(pair[1].job.ok, pair[1].job.error);
        CHECK_INT(live_check(scratch.path, "bad"), 0);
        CHECK_INT(live_check(scratch.path, "fine"), i + 2);
    }
    for (unsigned i = 0; i < 3; i++) {
        char folder[32];
        snprintf(folder, sizeof folder, "archive/bad/%u", i + 2);
        /* Nothing is left but a key, when that was whole. */
        CHECK_INT(folder_entries(scratch_path(&scratch, folder)), i == 1 ? 1 : 0);
    }
    store_free(store);
}

static void a_failed_sync_of_a_shared_folder_fails_all_that_need_it(void)
{
    struct store *store = store_start();
    struct test_job job;
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    job_add_file(&job, "privkey.pem", 0600);
    disk_reset("archive", EIO, 1);
    jobs_do(store, &job, 1);
    CHECK(!job.job.ok);
    CHECK_INT(job.job.error.sys, EIO);
    CHECK_INT(live_check(scratch.path, "www"), 0);

    disk_reset("live", EIO, 1);
    jobs_do(store, &job, 1);
    CHECK(!job.job.ok);
    CHECK(when("sync archive/www") > 0 && when("sync archive") > 0);
    CHECK_CONTAINS(job.job.error.text, "switched, but not known to be durable: live/www");
    CHECK_INT(live_check(scratch.path, "www"), 1);

    disk_reset("live", EINTR, 3); /* a signal is no failure */
    jobs_do(store, &job, 1);
    CHECK_OK(job.job.ok, job.job.error);
    CHECK_INT(disk.fails, 0);
    store_free(store);
}

static void the_same_where_one_goes_before_the_others(void)
{
    disk.is_xfs = true;
    every_step_is_durable_before_the_next();
    a_failed_sync_fails_only_its_job();
    disk.is_xfs = false;
}

static const struct test tests[] = {
    TEST(every_step_is_durable_before_the_next),
    TEST(a_file_that_is_there_is_replaced_durably),
    TEST(a_shared_file_is_durable_before_it_is_linked),
    TEST(a_full_shared_file_gets_a_successor),
    TEST(without_links_each_has_its_own_file),
    TEST(a_repeated_job_syncs_the_folders_again),
    TEST(a_failed_sync_fails_only_its_job),
    TEST(the_same_where_one_goes_before_the_others),
    TEST(a_failed_sync_of_a_shared_folder_fails_all_that_need_it),
};

int main(int argc, char **argv)
{
    return scratch_tests_run(&scratch, tests, sizeof tests / sizeof tests[0], argc, argv);
}
