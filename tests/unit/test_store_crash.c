/* The store's promises under fire: readers while links are switched, and a process that is killed
 * anywhere. */
#include "store_jobs.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

static struct scratch scratch;
static enum store_mode mode;

/* --- Readers ---------------------------------------------------------------------------------- */

#define READ_NAMES    3
#define READ_SWITCHES 60

struct reader {
    char root[256];
    atomic_bool end;
    unsigned long looked;
    unsigned long switches; /* seen */
};

static void name_make(char *name, size_t size, unsigned index)
{
    snprintf(name, size, "site%u", index);
}

/* As a server reads: each file by its own path. What it read belongs together when the link is the
 * same before and after; sequences only grow, so it cannot have gone away and come back. */
static unsigned pair_read(const char *root, const char *name)
{
    char path[512];
    unsigned before = store_live_sequence(root, name);
    static const char *const files[] = {"privkey.pem", "cert.pem", "chain.pem", "fullchain.pem"};
    unsigned sequences[4] = {0};
    for (size_t i = 0; i < 4 && before > 0; i++) {
        snprintf(path, sizeof path, "%s/live/%s/%s", root, name, files[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK(fd >= 0);
        close(fd);
        snprintf(path, sizeof path, "%s/live/%s", root, name);
        int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(folder >= 0);
        sequences[i] = sequence_of(folder, name, files[i]);
        close(folder);
        CHECK(sequences[i] >= before);
    }
    if (store_live_sequence(root, name) != before)
        return 0;
    for (size_t i = 0; i < 4 && before > 0; i++)
        CHECK_INT(sequences[i], before);
    return before;
}

static void *reader_run(void *context)
{
    struct reader *reader = context;
    unsigned last[READ_NAMES] = {0};
    while (!atomic_load(&reader->end)) {
        for (unsigned i = 0; i < READ_NAMES; i++) {
            char name[32];
            name_make(name, sizeof name, i);
            unsigned whole = live_check(reader->root, name); /* by one look at the folder */
            unsigned read = pair_read(reader->root, name);
            CHECK(whole >= last[i]);
            CHECK(read == 0 || read >= whole);
            reader->switches += whole > last[i];
            last[i] = whole;
            reader->looked++;
        }
    }
    return NULL;
}

static struct store *store_start(store_point *point)
{
    struct store_options options = {
        .mode = mode, .root = scratch.path, .batch = 8, .done = job_done, .point = point};
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_new(&options, &store, &error), error);
    return store;
}

static void readers_never_see_half_a_pair(void)
{
    struct reader reader = {0};
    snprintf(reader.root, sizeof reader.root, "%s", scratch.path);
    pthread_t thread;
    struct store *store = store_start(NULL);
    CHECK_INT(pthread_create(&thread, NULL, reader_run, &reader), 0);
    struct test_job jobs[2 * READ_NAMES];
    for (unsigned sequence = 1; sequence <= READ_SWITCHES; sequence++) {
        for (unsigned i = 0; i < READ_NAMES; i++) {
            char name[32];
            name_make(name, sizeof name, i);
            job_make(&jobs[i], STORE_KEY, name, sequence);
            job_make(&jobs[READ_NAMES + i], STORE_CERTIFICATE, name, sequence);
        }
        jobs_do(store, jobs, sizeof jobs / sizeof jobs[0]);
        for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
            CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
    }
    store_free(store);
    atomic_store(&reader.end, true);
    pthread_join(thread, NULL);
    printf("    %lu looks, %lu switches seen\n", reader.looked, reader.switches);
    CHECK(reader.switches > 0);
}

/* --- Crashes ---------------------------------------------------------------------------------- */

#define CRASH_NAMES     3
#define CRASH_SEQUENCES 2
#define CRASH_JOBS      (CRASH_NAMES * CRASH_SEQUENCES * 2)
/* Each key passes one point and each certificate three, and each job is done once. */
#define CRASH_EVENTS (CRASH_NAMES * CRASH_SEQUENCES * 6)

/* Key and certificate of sequence 1 for all names, then of sequence 2, and so on. */
static struct test_job *crash_jobs_make(void)
{
    struct test_job *jobs = calloc((size_t)CRASH_JOBS, sizeof *jobs);
    CHECK(jobs != NULL);
    for (unsigned i = 0; i < CRASH_JOBS; i++) {
        char name[32];
        name_make(name, sizeof name, i % CRASH_NAMES);
        bool is_key = i / CRASH_NAMES % 2 == 0;
        job_make(&jobs[i], is_key ? STORE_KEY : STORE_CERTIFICATE, name, 1 + i / (2 * CRASH_NAMES));
        jobs[i].job.id = i;
    }
    return jobs;
}

static unsigned crash_at;
static unsigned crash_events;
static int crash_report;

static void crash_event(const char *name)
{
    (void)name;
    if (++crash_events == crash_at)
        raise(SIGKILL);
}

/* The caller hears of it before anything else happens, as a state database would. */
static void crash_done(struct store_job *job)
{
    unsigned char id = (unsigned char)job->id;
    if (!job->ok || write(crash_report, &id, 1) != 1)
        _exit(1);
    crash_event("done");
}

static void crash_child(void)
{
    struct store_options options = {.mode = mode,
                                    .root = scratch.path,
                                    .batch = CRASH_NAMES,
                                    .done = crash_done,
                                    .point = crash_event};
    struct store *store = NULL;
    struct error error = {0};
    CHECK_OK(store_new(&options, &store, &error), error);
    struct test_job *jobs = crash_jobs_make();
    for (unsigned i = 0; i < CRASH_JOBS; i++)
        store_submit(store, &jobs[i].job);
    store_free(store);
    free(jobs);
    _exit(0);
}

/* What was reported as done must be there, and what is live must be whole. */
static void crash_check(const struct test_job *jobs, const bool *done)
{
    for (unsigned i = 0; i < CRASH_JOBS; i++) {
        const struct store_job *job = &jobs[i].job;
        unsigned live = live_check(scratch.path, job->name);
        char path[512];
        if (job->step == STORE_CERTIFICATE && done[i])
            CHECK(live >= job->sequence);
        snprintf(path, sizeof path, "%s/archive/%s/%u/privkey.pem", scratch.path, job->name,
                 job->sequence);
        if (done[i] || live >= job->sequence) {
            CHECK_CONTAINS(text_of(AT_FDCWD, path), job->name);
            struct stat status;
            CHECK_INT(stat(path, &status), 0);
            CHECK_INT(status.st_mode & 07777, 0600);
        }
    }
}

static int entry_hidden(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    return path[walk->base] == '.';
}

/* Runs the same jobs again, as a run after the crash does: those of the sequences that are not over
 * yet. */
static void crash_repeat(struct test_job *jobs)
{
    struct store *store = store_start(NULL);
    unsigned count = 0;
    for (unsigned i = 0; i < CRASH_JOBS; i++)
        if (store_live_sequence(scratch.path, jobs[i].name) <= jobs[i].job.sequence)
            job_make(&jobs[count++], jobs[i].job.step, jobs[i].job.name, jobs[i].job.sequence);
    jobs_do(store, jobs, count);
    for (unsigned i = 0; i < count; i++)
        CHECK_OK(jobs[i].job.ok, jobs[i].job.error);
    store_free(store);
    for (unsigned i = 0; i < CRASH_NAMES; i++) {
        char name[32];
        name_make(name, sizeof name, i);
        CHECK_INT(live_check(scratch.path, name), CRASH_SEQUENCES);
    }
    CHECK_INT(nftw(scratch.path, entry_hidden, 16, FTW_PHYS), 0); /* nothing temporary is left */
}

/* Kills it at its `at_event`-th event (0: never), or from outside after `at_report` reports. Gives
 * how many jobs were reported as done. */
static unsigned crash_once(unsigned at_event, unsigned at_report)
{
    int ends[2];
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        crash_at = at_event;
        crash_report = ends[1];
        crash_child();
    }
    close(ends[1]);
    bool done[CRASH_JOBS] = {false};
    unsigned reports = 0;
    unsigned char id;
    while (read(ends[0], &id, 1) == 1) {
        CHECK(id < CRASH_JOBS);
        done[id] = true;
        if (++reports == at_report)
            CHECK_INT(kill(child, SIGKILL), 0);
    }
    close(ends[0]);
    int status = -1;
    CHECK_INT(waitpid(child, &status, 0), child);
    if (at_event > 0)
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    else
        CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || status == 0);
    struct test_job *jobs = crash_jobs_make();
    crash_check(jobs, done);
    crash_repeat(jobs);
    free(jobs);
    return reports;
}

static void survives_a_kill_at_every_event(void)
{
    unsigned most = 0;
    for (unsigned event = 1; event <= CRASH_EVENTS; event++) {
        struct scratch outer = scratch;
        scratch_make(&scratch);
        unsigned reports = crash_once(event, 0);
        if (reports > most)
            most = reports;
        scratch_remove(&scratch);
        scratch = outer;
    }
    CHECK_INT(most, CRASH_JOBS);
}

static void survives_a_kill_from_outside(void)
{
    for (unsigned report = 2; report < CRASH_JOBS; report += 3) {
        struct scratch outer = scratch;
        scratch_make(&scratch);
        CHECK(crash_once(0, report) >= report);
        scratch_remove(&scratch);
        scratch = outer;
    }
}

static const struct test tests[] = {
    TEST(readers_never_see_half_a_pair),
    TEST(survives_a_kill_at_every_event),
    TEST(survives_a_kill_from_outside),
};

int main(int argc, char **argv)
{
    return store_tests_run(&scratch, &mode, tests, sizeof tests / sizeof tests[0], argc, argv);
}
