#include "store_start.h"

#include <sys/resource.h>

static void stores_a_pair(void)
{
    mode_t old = umask(0077);
    struct store *store = store_start();
    struct test_job job;
    job_make(&job, STORE_KEY, "www", 1);
    job_do(store, &job);
    CHECK_TEXT(text_of(AT_FDCWD, at("archive/www/1/privkey.pem")), "www 1 privkey.pem\n");
    CHECK_INT(live_check(scratch.path, "www"), 0);
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    job_do(store, &job);
    umask(old);

    CHECK_INT(live_check(scratch.path, "www"), 1);
    char link[64] = "";
    CHECK(readlink(at("live/www"), link, sizeof link - 1) > 0);
    CHECK_TEXT(link, "../archive/www/1");
    CHECK_INT(mode_of(at("archive")), 0700);
    CHECK_INT(mode_of(at("live")), 0700);
    CHECK_INT(mode_of(at("archive/www")), 0755);
    CHECK_INT(mode_of(at("archive/www/1")), 0755);
    CHECK_INT(mode_of(at("archive/www/1/privkey.pem")), 0600);
    CHECK_INT(mode_of(at("archive/www/1/fullchain.pem")), 0644);
    CHECK_INT(folder_entries(at("archive/www/1")), 4);
    CHECK_INT(folder_entries(at("live")), 1);

    struct store_counts counts;
    store_count(store, &counts);
    CHECK_INT(counts.jobs, 2);
    CHECK_INT(counts.failed, 0);
    CHECK_INT(counts.batches, 2);
    CHECK_INT(counts.files, 4);
    CHECK_INT(counts.file_syncs, 4);
    CHECK_INT(counts.folder_syncs, 3 + 2); /* 1, www, archive; then 1, live */
    store_free(store);
}

static void renews(void)
{
    struct store *store = store_start();
    pair_store(store, "www", 1);
    struct test_job job;
    job_make(&job, STORE_KEY, "www", 2);
    job_do(store, &job);
    CHECK_INT(live_check(scratch.path, "www"), 1);
    /* A crashed run left another key, and other owners' leftovers, in the folder. */
    job_make(&job, STORE_KEY, "www", 2);
    job_do(store, &job);
    job_make(&job, STORE_CERTIFICATE, "www", 2);
    job_do(store, &job);
    CHECK_INT(live_check(scratch.path, "www"), 2);
    CHECK_INT(store_live_sequence(scratch.path, "www"), 2);
    CHECK_TEXT(text_of(AT_FDCWD, at("archive/www/1/cert.pem")), "www 1 cert.pem\n");
    store_free(store);
}

static void brings_the_key_with_the_certificate(void)
{
    struct store *store = store_start();
    struct test_job job;
    job_make(&job, STORE_CERTIFICATE, "import", 7);
    job_add_file(&job, "privkey.pem", 0640);
    job.job.uid = getuid();
    job.job.gid = getuid() == 0 ? 4711 : getgid();
    job_do(store, &job);
    CHECK_INT(live_check(scratch.path, "import"), 7);
    struct stat status;
    CHECK_INT(stat(at("live/import/privkey.pem"), &status), 0);
    CHECK_INT(status.st_mode & 07777, 0640);
    CHECK_INT(status.st_uid, getuid());
    CHECK_INT(status.st_gid, job.job.gid);
    store_free(store);
}

static void shares_syncs_in_a_batch(void)
{
    const size_t count = 80;
    struct test_job *jobs = calloc(count, sizeof *jobs);
    CHECK(jobs != NULL);
    struct store *store = store_start_with(32, NULL);
    for (int step = STORE_KEY; step <= STORE_CERTIFICATE; step++) {
        for (size_t i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof name, "site%zu.example", i);
            job_make(&jobs[i], (enum store_step)step, name, 1);
        }
        jobs_do(store, jobs, count);
        for (size_t i = 0; i < count; i++) {
            CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
            CHECK_INT(live_check(scratch.path, jobs[i].name), step == STORE_KEY ? 0 : 1);
        }
    }
    struct store_counts counts;
    store_count(store, &counts);
    CHECK_INT(counts.jobs, 2 * count);
    CHECK(counts.batches >= 2 * count / 32 && counts.batches < 2 * count);
    CHECK_INT(counts.file_syncs, 4 * count);
    /* Two folders a key and one a certificate, and once a batch archive or live. */
    CHECK_INT(counts.folder_syncs, 3 * count + counts.batches);
    store_free(store);
    free(jobs);
}

static void keeps_the_order_of_one_certificate(void)
{
    enum { COUNT = 40 };
    struct test_job *jobs = calloc(COUNT, sizeof *jobs);
    CHECK(jobs != NULL);
    struct store *store = store_start();
    for (unsigned i = 0; i < COUNT; i++)
        job_make(&jobs[i], i % 2 == 0 ? STORE_KEY : STORE_CERTIFICATE, "same", 1 + i / 2);
    jobs_do(store, jobs, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
    CHECK_INT(live_check(scratch.path, "same"), COUNT / 2);
    store_free(store);
    free(jobs);
}

static void refuses_what_is_no_job(void)
{
    char long_name[STORE_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"",  ".",         "..",   ".hidden", "a/b",
                                 "/", "new\nline", "\x7f", long_name};
    enum { NAMES = sizeof names / sizeof names[0], COUNT = NAMES + 9 };
    struct test_job *jobs = calloc(COUNT, sizeof *jobs);
    CHECK(jobs != NULL);
    for (size_t i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "ok%zu", i);
        job_make(&jobs[i], STORE_KEY, i < NAMES ? names[i] : name, 1);
    }
    struct store_job *job = &jobs[NAMES].job;
    char *large = calloc(1, STORE_FILE_SIZE_MAX + 1);
    CHECK(large != NULL);
    job[0].name = NULL;
    jobs[NAMES + 1].job.sequence = 0;
    jobs[NAMES + 2].job.file_count = 0;
    jobs[NAMES + 3].job.file_count = STORE_FILES_MAX + 1;
    jobs[NAMES + 4].job.files[0].name = "../privkey.pem";
    jobs[NAMES + 5].job.files[0].data = span_make(large, STORE_FILE_SIZE_MAX + 1);
    job_add_file(&jobs[NAMES + 6], "privkey.pem", 0600);
    jobs[NAMES + 7].job.files[0].data = span_make(large, STORE_FILE_SIZE_MAX);
    long_name[STORE_NAME_MAX] = '\0';
    job_make(&jobs[NAMES + 8], STORE_KEY, long_name, 1);

    struct store *store = store_start();
    jobs_do(store, jobs, COUNT);
    for (size_t i = 0; i < NAMES + 7; i++) {
        CHECK(!jobs[i].job.ok);
        CHECK_INT(jobs[i].job.error.kind, i == NAMES + 5 ? ERROR_LIMIT : ERROR_CONFIG);
    }
    CHECK_OK(jobs[NAMES + 7].job.ok, jobs[NAMES + 7].job.error);
    CHECK_OK(jobs[NAMES + 8].job.ok, jobs[NAMES + 8].job.error);
    CHECK_INT(folder_entries(at("archive")), 2);
    struct store_counts counts;
    store_count(store, &counts);
    CHECK_INT(counts.failed, NAMES + 7);
    job_make(&jobs[0], STORE_CERTIFICATE, long_name, UINT32_MAX);
    job_add_file(&jobs[0], "privkey.pem", 0600);
    job_do(store, &jobs[0]);
    CHECK_INT(live_check(scratch.path, long_name), UINT32_MAX);
    store_free(store);
    free(large);
    free(jobs);
}

/* Each obstacle fails its own job, in one batch with jobs that succeed. */
static void obstacles_fail_only_their_job(void)
{
    static const char *const names[] = {"file",   "link",     "sequence-link", "temporary-folder",
                                        "target", "live-dir", "live-file",     "live-temporary",
                                        "no-key", "fine",     "fine2"};
    enum { COUNT = sizeof names / sizeof names[0], FAILING = 9 };
    static const int expected[FAILING] = {ENOTDIR, ENOTDIR, ENOTDIR, EISDIR, EISDIR,
                                          EEXIST,  EEXIST,  EISDIR,  ENOENT};
    static const char *const paths[FAILING] = {
        "archive/file/1", "archive/link/1",      "archive/sequence-link/1",
        "1/privkey.pem",  "1/cert.pem",          "live/live-dir",
        "live/live-file", "live/live-temporary", "archive/no-key/1/privkey.pem"};
    struct store *store = store_start();
    struct test_job jobs[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        job_make(&jobs[i], STORE_CERTIFICATE, names[i], 1);
        if (strcmp(names[i], "no-key") != 0)
            job_add_file(&jobs[i], "privkey.pem", 0600);
    }
    CHECK_INT(mkdir(at("elsewhere"), 0755), 0);
    CHECK(close(creat(at("archive/file"), 0600)) == 0);
    CHECK_INT(symlink("../elsewhere", at("archive/link")), 0);
    CHECK_INT(mkdir(at("archive/sequence-link"), 0755), 0);
    CHECK_INT(symlink("../../elsewhere", at("archive/sequence-link/1")), 0);
    CHECK_INT(mkdir(at("archive/temporary-folder"), 0755), 0);
    CHECK_INT(mkdir(at("archive/temporary-folder/1"), 0755), 0);
    CHECK_INT(mkdir(at("archive/temporary-folder/1/.privkey.pem.tmp"), 0755), 0);
    CHECK_INT(mkdir(at("archive/target"), 0755), 0);
    CHECK_INT(mkdir(at("archive/target/1"), 0755), 0);
    CHECK_INT(mkdir(at("archive/target/1/cert.pem"), 0755), 0);
    CHECK_INT(mkdir(at("live/live-dir"), 0755), 0);
    CHECK(close(creat(at("live/live-file"), 0600)) == 0);
    CHECK_INT(symlink("../elsewhere", at("live/live-temporary")), 0);
    CHECK_INT(mkdir(at("live/.live-temporary.tmp"), 0755), 0);

    jobs_do(store, jobs, COUNT);
    for (size_t i = 0; i < FAILING; i++) {
        CHECK(!jobs[i].job.ok);
        CHECK_INT(jobs[i].job.error.kind, ERROR_SYSTEM);
        CHECK_CONTAINS(jobs[i].job.error.text, paths[i]);
        CHECK_CONTAINS(jobs[i].job.error.text, names[i]);
        CHECK_INT(jobs[i].job.error.sys, expected[i]);
    }
    for (size_t i = FAILING; i < COUNT; i++) {
        CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
        CHECK_INT(live_check(scratch.path, names[i]), 1);
    }
    CHECK_INT(folder_entries(at("elsewhere")), 0);
    CHECK_INT(folder_entries(at("archive/target/1")), 1); /* no temporary file is left */
    CHECK_INT(folder_entries(at("live")), 2 + 4);
    store_free(store);
}

static void leftovers_do_not_confuse(void)
{
    struct store *store = store_start();
    struct test_job job;
    CHECK_INT(mkdir(at("archive/www"), 0755), 0);
    CHECK_INT(mkdir(at("archive/www/1"), 0755), 0);
    int fd = open(at("victim"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_INT(write(fd, "victim", 6), 6);
    close(fd);
    /* Half a key with a loose mode, which is also another file's second name; a planted link. */
    CHECK_INT(link(at("victim"), at("archive/www/1/.privkey.pem.tmp")), 0);
    CHECK_INT(symlink("../../../victim", at("archive/www/1/.cert.pem.tmp")), 0);
    CHECK_INT(symlink("../../../victim", at("archive/www/1/chain.pem")), 0);
    CHECK_INT(link(at("victim"), at("archive/www/1/privkey.pem")), 0);
    CHECK_INT(link(at("victim"), at("archive/www/1/cert.pem")), 0);
    CHECK_INT(symlink("../archive/www/8", at("live/www")), 0);
    CHECK_INT(symlink("../archive/www/9", at("live/.www.tmp")), 0);
    job_make(&job, STORE_KEY, "www", 1);
    job_do(store, &job);
    job_make(&job, STORE_CERTIFICATE, "www", 1);
    job_do(store, &job);
    CHECK_INT(live_check(scratch.path, "www"), 1);
    CHECK_TEXT(text_of(AT_FDCWD, at("victim")), "victim");
    CHECK_INT(folder_entries(at("archive/www/1")), 4);
    CHECK_INT(folder_entries(at("live")), 1);
    store_free(store);
}

static void never_changes_the_live_pair_in_place(void)
{
    struct store *store = store_start();
    pair_store(store, "www", 3);
    struct stat before;
    CHECK_INT(stat(at("live/www/cert.pem"), &before), 0);
    pair_store(store, "www", 3); /* the same again is done already */
    struct stat after;
    CHECK_INT(stat(at("live/www/cert.pem"), &after), 0);
    CHECK_INT(after.st_ino, before.st_ino);

    static const char *const data[] = {"www 3 cert.pex\n", "short", "www 3 cert.pem\nand more", ""};
    struct test_job job;
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        job_make(&job, STORE_CERTIFICATE, "www", 3);
        job.job.files[0].data = span_of(data[i]);
        jobs_do(store, &job, 1);
        CHECK(!job.job.ok);
        CHECK_INT(job.job.error.sys, EEXIST);
        CHECK_CONTAINS(job.job.error.text, "archive/www/3/cert.pem");
    }
    job_make(&job, STORE_KEY, "www", 3);
    job.job.files[0].data = SPAN_LITERAL("another key");
    jobs_do(store, &job, 1);
    CHECK(!job.job.ok);
    CHECK(strstr(job.job.error.text, "another key") == NULL);
    CHECK_INT(live_check(scratch.path, "www"), 3);
    store_free(store);
}

static void a_short_write_fails_only_its_job(void)
{
    enum { LARGE = 100000, COUNT = 6 };
    char *large = calloc(1, LARGE);
    CHECK(large != NULL);
    struct store *store = store_start();
    pair_store(store, "job1", 1);
    struct test_job jobs[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "job%zu", i);
        job_make(&jobs[i], STORE_CERTIFICATE, name, 2);
        job_add_file(&jobs[i], "privkey.pem", 0600);
        if (i % 2 == 1)
            jobs[i].job.files[2].data = span_make(large, LARGE);
    }
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = LARGE / 2, .rlim_max = limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    jobs_do(store, jobs, COUNT);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(jobs[i].job.ok == (i % 2 == 0));
        CHECK_INT(live_check(scratch.path, jobs[i].name), i % 2 == 0 ? 2 : i == 1 ? 1 : 0);
        if (i % 2 == 1) {
            CHECK_INT(jobs[i].job.error.sys, EFBIG);
            CHECK_CONTAINS(jobs[i].job.error.text, "/2/fullchain.pem");
        }
    }
    CHECK_INT(folder_entries(at("archive/job1/2")), 0);
    jobs_do(store, jobs, COUNT); /* and again, now that there is room */
    for (size_t i = 1; i < COUNT; i += 2)
        CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
    store_free(store);
    free(large);
}

static void works_with_few_descriptors(void)
{
    enum { COUNT = 60 };
    struct test_job *jobs = calloc(COUNT, sizeof *jobs);
    CHECK(jobs != NULL);
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit small = {.rlim_cur = 64, .rlim_max = limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &small), 0);
    struct store *store = store_start();
    for (unsigned i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "few%u", i);
        job_make(&jobs[i], STORE_CERTIFICATE, name, 1);
        job_add_file(&jobs[i], "privkey.pem", 0600);
    }
    jobs_do(store, jobs, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
    store_free(store);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    free(jobs);
}

static char points_seen[256];

static void point_note(const char *name)
{
    size_t len = strlen(points_seen);
    snprintf(points_seen + len, sizeof points_seen - len, "%s %u\n", name,
             store_live_sequence(scratch.path, "www"));
}

static void reaches_the_points_in_order(void)
{
    points_seen[0] = '\0';
    struct store *store = store_start_with(0, point_note);
    pair_store(store, "www", 1);
    struct test_job job;
    job_make(&job, STORE_CERTIFICATE, "other", 1); /* no key: never switched */
    jobs_do(store, &job, 1);
    CHECK(!job.job.ok);
    store_free(store);
    CHECK_TEXT(points_seen, "key-durable 0\nfiles-written 0\nbefore-switch 0\nafter-switch 1\n"
                            "files-written 1\n");
}

static struct store *resubmit_store;
static struct test_job resubmit_job;

static void done_resubmits(struct store_job *job)
{
    if (job != &resubmit_job.job)
        store_submit(resubmit_store, &resubmit_job.job);
}

static void finishes_all_when_freed(void)
{
    enum { COUNT = 30 };
    struct test_job *jobs = calloc(COUNT, sizeof *jobs);
    CHECK(jobs != NULL);
    struct store_options options = {
        .mode = mode, .root = scratch.path, .batch = 4, .done = done_resubmits};
    struct error error = {0};
    CHECK_OK(store_new(&options, &resubmit_store, &error), error);
    job_make(&resubmit_job, STORE_KEY, "again", 1);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "free%u", i);
        job_make(&jobs[i], STORE_KEY, i == 0 ? "first" : name, 1);
        jobs[i].job.owner = NULL;
    }
    store_submit(resubmit_store, &jobs[0].job);
    store_free(resubmit_store);
    CHECK(jobs[0].job.ok);
    CHECK(resubmit_job.job.ok);

    options.done = job_done;
    struct store *store = NULL;
    CHECK_OK(store_new(&options, &store, &error), error);
    struct job_wait wait = JOB_WAIT;
    for (unsigned i = 1; i < COUNT; i++) {
        jobs[i].job.owner = &wait;
        store_submit(store, &jobs[i].job);
    }
    store_free(store);
    CHECK_INT(wait.done, COUNT - 1);
    for (unsigned i = 1; i < COUNT; i++)
        CHECK(jobs[i].job.ok);
    CHECK_INT(folder_entries(at("archive")), COUNT + 1);
    store_free(NULL);
    free(jobs);
}

static void finds_sequences(void)
{
    struct store *store = store_start();
    struct error error = {0};
    unsigned sequence = 7;
    CHECK_OK(store_last_sequence(scratch.path, "www", &sequence, &error), error);
    CHECK_INT(sequence, 0);
    CHECK_INT(store_live_sequence(scratch.path, "www"), 0);
    pair_store(store, "www", 9);
    pair_store(store, "www", 10);
    static const char *const others[] = {"archive/www/011", "archive/www/x12", "archive/www/-1",
                                         "archive/www/99999999999"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK_INT(mkdir(at(others[i]), 0755), 0);
    CHECK_INT(symlink("10", at("archive/www/13")), 0);
    CHECK(close(creat(at("archive/www/14"), 0600)) == 0);
    CHECK_OK(store_last_sequence(scratch.path, "www", &sequence, &error), error);
    CHECK_INT(sequence, 10);
    CHECK_INT(store_live_sequence(scratch.path, "www"), 10);
    static const char *const links[] = {
        "/archive/www/3",  "../archive/other/3", "3",
        "../archive/www/", "../archive/www/0",   "../archive/www/3/"};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        CHECK_INT(unlink(at("live/www")), 0);
        CHECK_INT(symlink(links[i], at("live/www")), 0);
        CHECK_INT(store_live_sequence(scratch.path, "www"), 0);
    }
    sequence = 7;
    CHECK(!store_last_sequence(scratch.path, "../www", &sequence, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(close(creat(at("archive/plain"), 0600)) == 0);
    CHECK(!store_last_sequence(scratch.path, "plain", &sequence, &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK_INT(sequence, 7);
    CHECK_INT(store_live_sequence(scratch.path, ".."), 0);
    store_free(store);
}

static void refuses_bad_roots(void)
{
    struct store_options options = {.mode = mode, .done = job_done};
    struct store *store = NULL;
    struct error error = {0};
    CHECK(close(creat(at("file"), 0600)) == 0);
    options.root = at("file");
    CHECK(!store_new(&options, &store, &error));
    CHECK_INT(error.sys, ENOTDIR);
    CHECK_INT(mkdir(at("root"), 0700), 0);
    CHECK_INT(mkdir(at("elsewhere"), 0700), 0);
    CHECK_INT(symlink("../elsewhere", at("root/live")), 0);
    options.root = at("root");
    CHECK(!store_new(&options, &store, &error));
    CHECK_CONTAINS(error.text, "root/live");
    CHECK(store == NULL);
    options.root = at("new/root");
    CHECK_OK(store_new(&options, &store, &error), error);
    store_free(store);
    CHECK_INT(mode_of(at("new/root/live")), 0700);
}

static const struct test tests[] = {
    TEST(stores_a_pair),
    TEST(renews),
    TEST(brings_the_key_with_the_certificate),
    TEST(shares_syncs_in_a_batch),
    TEST(keeps_the_order_of_one_certificate),
    TEST(refuses_what_is_no_job),
    TEST(obstacles_fail_only_their_job),
    TEST(leftovers_do_not_confuse),
    TEST(never_changes_the_live_pair_in_place),
    TEST(a_short_write_fails_only_its_job),
    TEST(works_with_few_descriptors),
    TEST(reaches_the_points_in_order),
    TEST(finishes_all_when_freed),
    TEST(finds_sequences),
    TEST(refuses_bad_roots),
};

int main(int argc, char **argv)
{
    return store_tests_run(&scratch, &mode, tests, sizeof tests / sizeof tests[0], argc, argv);
}
