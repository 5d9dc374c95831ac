/* engine/state: what is committed is there after a crash, a full disk ends all writing, damage is
 * named, and a reader writes nothing. */
#include "check.h"
#include "state_changes.h"
#include "state_folder.h"

#include "state/schema.h"
#include "state/state.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_open_error(const struct place *place, bool read_only, enum error_kind kind,
                              const char *part)
{
    struct state *state = NULL;
    struct error error;
    CHECK(!state_open(place->folder, read_only, &state, &error));
    CHECK(state == NULL);
    CHECK_CONTAINS(error.text, part);
    CHECK_INT(error.kind, kind);
}

#define CRASH_CHANGES 20000

static void report_number(struct state_change *change)
{
    uint32_t number = (uint32_t)change->id;
    if (!change->ok || write((int)(intptr_t)change->owner, &number, sizeof number) < 0)
        _exit(3);
}

/* Posts until it is killed; writes the number of each committed change into the pipe. */
static void post_until_killed(const struct place *place, int pipe_fd)
{
    static struct state_change changes[CRASH_CHANGES];
    static char names[CRASH_CHANGES][16];
    struct state *state = start_state(place);
    for (uint32_t i = 0; i < CRASH_CHANGES; i++) {
        snprintf(names[i], sizeof names[i], "n%05u", i);
        changes[i] = issued(names[i], i + 1);
        changes[i].id = i;
        changes[i].owner = (void *)(intptr_t)pipe_fd;
        changes[i].done = report_number;
        state_post(state, &changes[i]);
    }
    for (;;)
        pause();
}

static bool mark_present(void *context, const struct state_certificate *row)
{
    bool *present = context;
    unsigned long number = strtoul(row->name + 1, NULL, 10);
    CHECK(number < CRASH_CHANGES);
    CHECK_INT(row->sequence, number + 1);
    present[number] = true;
    return true;
}

static void a_kill_loses_nothing_that_was_done(void)
{
    static const size_t kill_after[] = {1, 200, 5000};
    for (size_t round = 0; round < sizeof kill_after / sizeof kill_after[0]; round++) {
        struct place place;
        place_make(&place);
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            close(ends[0]);
            post_until_killed(&place, ends[1]);
        }
        close(ends[1]);
        static bool done[CRASH_CHANGES];
        memset(done, 0, sizeof done);
        size_t count = 0;
        uint32_t number;
        while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number) {
            CHECK(number < CRASH_CHANGES);
            done[number] = true;
            if (++count == kill_after[round])
                CHECK(kill(child, SIGKILL) == 0);
        }
        close(ends[0]);
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        CHECK(count >= kill_after[round]);
        struct state *state = open_state(&place, false);
        static bool present[CRASH_CHANGES];
        memset(present, 0, sizeof present);
        struct error error;
        CHECK_OK(state_certificates(state, mark_present, present, &error), error);
        for (size_t i = 0; i < CRASH_CHANGES; i++)
            CHECK(present[i] || !done[i]);
        state_close(state);
        place_remove(&place);
    }
}

/* In a child, for the limit is the whole process's: files cannot grow past 400 KiB. */
static int post_on_full_disk(const struct place *place)
{
    signal(SIGXFSZ, SIG_IGN);
    struct state *state = start_state(place);
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)400 * 1024, RLIM_INFINITY}) == 0);
    unsigned good = 0;
    struct state_change change;
    for (;; good++) {
        char name[16];
        snprintf(name, sizeof name, "n%05u", good);
        change = issued(name, 1);
        if (!state_put(state, &change))
            break;
        CHECK(good < 10000);
    }
    CHECK(good > 0);
    CHECK_INT(change.error.kind, ERROR_STATE);
    CHECK_CONTAINS(change.error.text, place->file);
    char first[ERROR_TEXT_MAX];
    memcpy(first, change.error.text, sizeof first);
    /* Room again: still nothing is written, and the cause stays the first one. */
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0);
    for (int i = 0; i < 3; i++) {
        change = issued("later", 1);
        CHECK(!state_put(state, &change));
        CHECK_TEXT(change.error.text, first);
    }
    struct found found;
    FIND(state_certificates, see_certificate, state, found);
    CHECK_INT(found.count, good);
    state_close(state);
    state = open_state(place, false);
    FIND(state_certificates, see_certificate, state, found);
    CHECK_INT(found.count, good);
    state_close(state);
    return 0;
}

static void a_full_disk_ends_all_writing(void)
{
    struct place place;
    place_make(&place);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        exit(post_on_full_disk(&place));
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    place_remove(&place);
}

static void run_sql(const struct place *place, const char *sql)
{
    sqlite3 *database;
    CHECK(sqlite3_open(place->file, &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(database);
}

static void other_schemas_are_told_apart(void)
{
    struct place place;
    place_make(&place);
    state_close(open_state(&place, false));
    run_sql(&place, "PRAGMA user_version=77");
    expect_open_error(&place, false, ERROR_STATE, "newer certmill (schema 77");
    expect_open_error(&place, true, ERROR_STATE, "newer certmill (schema 77");
    CHECK(unlink(place.file) == 0);

    run_sql(&place, "CREATE TABLE t (a); PRAGMA application_id=305419896");
    expect_open_error(&place, false, ERROR_STATE, "another program (application id 0x12345678)");
    CHECK(unlink(place.file) == 0);
    run_sql(&place, "CREATE TABLE t (a)");
    expect_open_error(&place, false, ERROR_STATE, "another program");
    CHECK(unlink(place.file) == 0);

    /* Ours, but from before the first schema: a reader leaves it alone, a writer updates it. */
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d", SCHEMA_APPLICATION_ID);
    run_sql(&place, sql);
    expect_open_error(&place, true, ERROR_STATE, "older certmill (schema 0");
    struct state *state = start_state(&place);
    state_put_ok(state, issued("www", 1));
    state_close(state);
    state_close(open_state(&place, true));
    place_remove(&place);
}

static void damage_is_named(void)
{
    struct place place;
    place_make(&place);
    int fd = open(place.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char garbage[8192];
    memset(garbage, 'g', sizeof garbage);
    CHECK(write(fd, garbage, sizeof garbage) == (ssize_t)sizeof garbage);
    close(fd);
    expect_open_error(&place, false, ERROR_STATE, "is damaged");
    expect_open_error(&place, true, ERROR_STATE, "move it and the files");
    CHECK(unlink(place.file) == 0);

    struct state *state = start_state(&place);
    static struct state_change changes[500];
    static char names[500][16];
    for (int i = 0; i < 500; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        changes[i] = issued(names[i], 1);
        state_post(state, &changes[i]);
    }
    state_close(state);
    /* A page in the middle overwritten. */
    fd = open(place.file, O_RDWR | O_CLOEXEC);
    CHECK(pwrite(fd, garbage, 4096, (off_t)4096 * 5) == 4096);
    close(fd);
    expect_open_error(&place, false, ERROR_STATE, "is damaged");
    /* The end missing. */
    CHECK(truncate(place.file, (off_t)4096 * 4) == 0);
    expect_open_error(&place, true, ERROR_STATE, "is damaged");
    CHECK(unlink(place.file) == 0);
    place_remove(&place);
}

static void reading_makes_no_files(void)
{
    struct place place;
    place_make(&place);
    expect_open_error(&place, true, ERROR_NOT_FOUND, "there is no state database");
    CHECK(access(place.file, F_OK) != 0);
    int fd = open(place.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    expect_open_error(&place, true, ERROR_NOT_FOUND, "is empty");
    /* An empty file is what a crash at the very start leaves. */
    state_close(open_state(&place, false));
    state_close(open_state(&place, true));
    CHECK(access(place_path(&place, "state.db-wal"), F_OK) != 0);
    CHECK(access(place_path(&place, "state.db-shm"), F_OK) != 0);
    place_remove(&place);
}

/* A folder in which no file can be made is like a read-only file system to SQLite. */
static void a_reader_works_where_nothing_can_be_written(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    state_put_ok(state, issued("www", 1));
    state_close(state);
    CHECK(chmod(place.file, 0444) == 0);
    CHECK(chmod(place.folder, 0555) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (geteuid() == 0)
            CHECK(setgid(65534) == 0 && setuid(65534) == 0);
        state = open_state(&place, true);
        struct found found;
        FIND(state_certificates, see_certificate, state, found);
        CHECK_TEXT(found.names, "www ");
        state_close(state);
        expect_open_error(&place, false, ERROR_STATE, place.file);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(chmod(place.folder, 0700) == 0);
    place_remove(&place);
}

static const struct test tests[] = {
    TEST(a_kill_loses_nothing_that_was_done),
    TEST(a_full_disk_ends_all_writing),
    TEST(other_schemas_are_told_apart),
    TEST(damage_is_named),
    TEST(reading_makes_no_files),
    TEST(a_reader_works_where_nothing_can_be_written),
};

TESTS_MAIN(tests)
