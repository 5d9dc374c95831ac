/* engine/state: what is committed is remembered, groups share a commit, a reader sees a writer. */
#include "check.h"
#include "state_changes.h"
#include "state_folder.h"

#include "base/clock.h"
#include "state/state.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct state_change placed(const char *name, const char *url)
{
    return (struct state_change){
        .kind = url != NULL ? STATE_ORDER_PLACED : STATE_ORDER_INTENDED,
        .order = {.name = name,
                  .digest = 7,
                  .sequence = 3,
                  .account = "demo",
                  .directory = "https://ca.test/dir",
                  .url = url,
                  .placed_at = NOW},
    };
}

static bool see_order(void *context, const struct state_order *row)
{
    CHECK_INT(row->digest, 7);
    CHECK_INT(row->sequence, 3);
    CHECK_TEXT(row->account, "demo");
    CHECK_TEXT(row->directory, "https://ca.test/dir");
    CHECK_INT(row->placed_at, NOW);
    CHECK_INT(row->stage, row->url[0] != '\0' ? ORDER_PLACED : ORDER_INTENDED);
    found_add(context, row->name);
    if (row->url[0] != '\0')
        found_add(context, row->url);
    return true;
}

static bool see_record(void *context, const struct state_record *row)
{
    CHECK_TEXT(row->solver, "dns-01");
    found_add(context, row->fqdn);
    found_add(context, row->value);
    return true;
}

static bool see_one(void *context, const struct state_certificate *row)
{
    found_add(context, row->name);
    return false;
}

static struct state_certificate row_of(struct state *state, const char *name, struct arena *arena)
{
    struct state_certificate row;
    struct error error;
    CHECK_OK(state_certificate_find(state, name, arena, &row, &error), error);
    return row;
}

static void files_are_private(void)
{
    struct place place;
    place_make(&place);
    CHECK(rmdir(place.folder) == 0);
    mode_t mask = umask(0);
    struct state *state = start_state(&place);
    umask(mask);
    state_put_ok(state, issued("www", 1));
    struct stat status;
    CHECK(stat(place.folder, &status) == 0);
    CHECK_INT(status.st_mode & 07777, 0700);
    CHECK(stat(place.file, &status) == 0);
    CHECK_INT(status.st_mode & 07777, 0600);
    CHECK(stat(place_path(&place, "state.db-wal"), &status) == 0);
    CHECK_INT(status.st_mode & 07777, 0600);
    state_close(state);
    CHECK(stat(place_path(&place, "state.db-wal"), &status) != 0);
    place_remove(&place);
}

static void an_issue_is_remembered(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    state_put_ok(state, placed("www", "https://ca.test/order/1"));
    state_put_ok(state, issued("www", 4));
    state_close(state);
    state = open_state(&place, false);
    struct arena arena;
    arena_init(&arena);
    struct state_certificate row = row_of(state, "www", &arena);
    CHECK_TEXT(row.name, "www");
    CHECK_INT(row.status, CERTIFICATE_ISSUED);
    CHECK(row.digest == 0xfedcba9876543210);
    CHECK_INT(row.sequence, 4);
    CHECK_INT(row.not_before, NOW);
    CHECK_INT(row.not_after, NOW + 90 * 86400);
    CHECK_INT(row.issued_at, NOW + 5);
    CHECK_INT(row.attempted_at, NOW + 4);
    CHECK_TEXT(row.serial, "01ab");
    CHECK_TEXT(row.issuer, "Test CA");
    CHECK_TEXT(row.key, "ECDSA-P256");
    CHECK_TEXT(row.account, "demo");
    CHECK_TEXT(row.directory, "https://ca.test/dir");
    CHECK_TEXT(row.names, "a.test,b.test");
    CHECK_TEXT(row.last_error, "");
    CHECK_INT(row.failures, 0);
    CHECK_INT(row.deployed_sequence, 0);
    struct found found;
    FIND(state_orders, see_order, state, found);
    CHECK_INT(found.count, 0);
    struct error error;
    CHECK(!state_certificate_find(state, "ww", &arena, &row, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    arena_free(&arena);
    state_close(state);
    place_remove(&place);
}

static struct state_change failed(const char *name, const char *text, bool keep_order)
{
    return (struct state_change){
        .kind = STATE_FAILED,
        .keep_order = keep_order,
        .certificate = {.name = name, .attempted_at = NOW + 9, .last_error = text}};
}

static void a_failure_keeps_what_is_live(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    state_put_ok(state, issued("www", 4));
    state_put_ok(state, placed("www", "https://ca.test/order/2"));
    state_put_ok(state, failed("www", "refused", true));
    state_put_ok(state, failed("www", "refused again", true));
    struct arena arena;
    arena_init(&arena);
    struct found found;
    struct state_certificate row = row_of(state, "www", &arena);
    CHECK_INT(row.status, CERTIFICATE_FAILED);
    CHECK_INT(row.failures, 2);
    CHECK_INT(row.attempted_at, NOW + 9);
    CHECK_TEXT(row.last_error, "refused again");
    CHECK_INT(row.sequence, 4);
    CHECK_TEXT(row.serial, "01ab");
    FIND(state_orders, see_order, state, found);
    CHECK_TEXT(found.names, "www https://ca.test/order/2 ");
    state_put_ok(state, failed("www", "gone", false));
    FIND(state_orders, see_order, state, found);
    CHECK_INT(found.count, 0);
    state_put_ok(state, failed("new", "never had one", false));
    CHECK_INT(row_of(state, "new", &arena).failures, 1);
    CHECK_INT(row_of(state, "new", &arena).sequence, 0);
    state_put_ok(state,
                 (struct state_change){.kind = STATE_DEPLOYED,
                                       .certificate = {.name = "www", .deployed_sequence = 4}});
    state_put_ok(state, issued("www", 5));
    row = row_of(state, "www", &arena);
    CHECK_INT(row.failures, 0);
    CHECK_TEXT(row.last_error, "");
    CHECK_INT(row.deployed_sequence, 4);
    CHECK_INT(row.status, CERTIFICATE_ISSUED);
    state_put_ok(state,
                 (struct state_change){.kind = STATE_DEPLOYED,
                                       .certificate = {.name = "lost", .deployed_sequence = 9}});
    CHECK_INT(row_of(state, "lost", &arena).deployed_sequence, 9);
    CHECK_INT(row_of(state, "lost", &arena).status, CERTIFICATE_UNKNOWN);
    state_put_ok(state, (struct state_change){.kind = STATE_REVOKED,
                                              .certificate = {.name = "www", .revoked_at = 77}});
    CHECK_INT(row_of(state, "www", &arena).revoked_at, 77);
    CHECK_INT(row_of(state, "www", &arena).sequence, 5);
    state_put_ok(state, issued("www", 6));
    CHECK_INT(row_of(state, "www", &arena).revoked_at, 0);
    arena_free(&arena);
    state_close(state);
    place_remove(&place);
}

static void long_errors_are_cut_between_characters(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct arena arena;
    arena_init(&arena);
    /* 1023 bytes and then a character of two. */
    char text[1200];
    memset(text, 'x', 1023);
    memcpy(text + 1023, "\xc3\xbc tail", sizeof "\xc3\xbc tail");
    state_put_ok(state, failed("www", text, false));
    struct state_certificate row = row_of(state, "www", &arena);
    CHECK_INT(strlen(row.last_error), 1023);
    state_put_ok(state, failed("www", text + 1, false));
    row = row_of(state, "www", &arena);
    CHECK_INT(strlen(row.last_error), STATE_ERROR_MAX);
    CHECK_TEXT(row.last_error + 1021, "x\xc3\xbc");
    state_put_ok(state, failed("www", "cut \xe2\x82... \xff end", false));
    CHECK_TEXT(row_of(state, "www", &arena).last_error, "cut ??... ? end");
    state_put_ok(state, failed("www", NULL, false));
    CHECK_TEXT(row_of(state, "www", &arena).last_error, "");
    arena_free(&arena);
    state_close(state);
    place_remove(&place);
}

static void orders_and_records_come_and_go(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct found found;
    state_put_ok(state, placed("b", NULL));
    state_put_ok(state, placed("a", NULL));
    FIND(state_orders, see_order, state, found);
    CHECK_TEXT(found.names, "a b ");
    state_put_ok(state, placed("b", "u2"));
    state_put_ok(state, placed("c", "u3"));
    FIND(state_orders, see_order, state, found);
    CHECK_TEXT(found.names, "a b u2 c u3 ");
    state_put_ok(state, (struct state_change){.kind = STATE_PENDING,
                                              .certificate = {.name = "b", .attempted_at = NOW}});
    struct arena arena;
    arena_init(&arena);
    CHECK_INT(row_of(state, "b", &arena).status, CERTIFICATE_PENDING);
    state_put_ok(state, (struct state_change){.kind = STATE_ORDER_GONE, .order = {.name = "b"}});
    CHECK_INT(row_of(state, "b", &arena).status, CERTIFICATE_UNKNOWN);
    CHECK_INT(row_of(state, "b", &arena).attempted_at, NOW);
    FIND(state_orders, see_order, state, found);
    CHECK_TEXT(found.names, "a c u3 ");
    arena_free(&arena);
    const struct state_record record = {"a", "dns-01", "_acme-challenge.a.test", "v1"};
    state_put_ok(state, (struct state_change){.kind = STATE_RECORD_MADE, .record = record});
    state_put_ok(state, (struct state_change){.kind = STATE_RECORD_MADE, .record = record});
    FIND(state_records, see_record, state, found);
    CHECK_TEXT(found.names, "_acme-challenge.a.test v1 ");
    state_put_ok(state, (struct state_change){.kind = STATE_RECORD_REMOVED, .record = record});
    FIND(state_records, see_record, state, found);
    CHECK_INT(found.count, 0);
    state_put_ok(state, issued("z", 1));
    state_put_ok(state, issued("m", 1));
    FIND(state_certificates, see_certificate, state, found);
    CHECK_TEXT(found.names, "b m z ");
    FIND(state_certificates, see_one, state, found);
    CHECK_TEXT(found.names, "b ");
    CHECK_TEXT(certificate_status_name(CERTIFICATE_PENDING), "pending");
    CHECK_TEXT(certificate_status_name((enum certificate_status)99), "unknown");
    state_close(state);
    place_remove(&place);
}

struct gate {
    sem_t reached;
    sem_t open;
};

static void wait_at_gate(struct state_change *change)
{
    struct gate *gate = change->owner;
    sem_post(&gate->reached);
    while (sem_wait(&gate->open) != 0)
        ;
}

/* While the writer is busy with one change, 1,000 others gather: they share one commit. */
static void a_group_shares_one_commit(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct gate gate;
    sem_init(&gate.reached, 0, 0);
    sem_init(&gate.open, 0, 0);
    struct state_change first = issued("first", 1);
    first.owner = &gate;
    first.done = wait_at_gate;
    state_post(state, &first);
    while (sem_wait(&gate.reached) != 0)
        ;
    enum { COUNT = 1000 };
    static struct state_change changes[COUNT];
    static char names[COUNT][16];
    sem_t done;
    sem_init(&done, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        changes[i] = issued(names[i], 1);
        changes[i].owner = &done;
        changes[i].done = state_change_wake;
        state_post(state, &changes[i]);
    }
    struct state_counts counts;
    state_count(state, &counts);
    CHECK_INT(counts.commits, 1);
    sem_post(&gate.open);
    for (int i = 0; i < COUNT; i++)
        while (sem_wait(&done) != 0)
            ;
    state_count(state, &counts);
    CHECK_INT(counts.commits, 2);
    CHECK_INT(counts.changes, COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        CHECK(changes[i].ok);
    state_close(state);
    sem_destroy(&done);
    sem_destroy(&gate.reached);
    sem_destroy(&gate.open);
    place_remove(&place);
}

static void closing_commits_what_was_posted(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    static struct state_change changes[100];
    static char names[100][16];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        changes[i] = issued(names[i], 1);
        state_post(state, &changes[i]);
    }
    state_close(state);
    for (int i = 0; i < 100; i++)
        CHECK(changes[i].ok);
    state = open_state(&place, true);
    struct found found;
    FIND(state_certificates, see_certificate, state, found);
    CHECK_INT(found.count, 100);
    struct error error;
    CHECK(!state_start(state, 0, &error));
    CHECK_CONTAINS(error.text, "for reading only");
    state_close(state);
    state_close(NULL);
    place_remove(&place);
}

static void a_reader_sees_a_running_writer(void)
{
    struct place place;
    place_make(&place);
    struct state *writer = start_state(&place);
    state_put_ok(writer, issued("one", 1));
    /* Another process, as `certmill list` is. */
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct state *state = open_state(&place, true);
        struct found found;
        FIND(state_certificates, see_certificate, state, found);
        _exit(strcmp(found.names, "one ") == 0 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    state_put_ok(writer, issued("two", 1));
    struct found found;
    FIND(state_certificates, see_certificate, writer, found);
    CHECK_TEXT(found.names, "one two ");
    state_close(writer);
    place_remove(&place);
}

/* Not a check: prints how many rows a second go in and come out. */
static void many_rows(void)
{
    const char *wanted = getenv("CERTMILL_TEST_ROWS");
    size_t count = wanted != NULL ? strtoul(wanted, NULL, 10) : 100000;
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct state_change *changes = calloc(count, sizeof *changes);
    char(*names)[24] = calloc(count, sizeof *names);
    CHECK(changes != NULL && names != NULL);
    sem_t done;
    sem_init(&done, 0, 0);
    int64_t start = clock_monotonic_ms();
    for (size_t i = 0; i < count; i++) {
        /* Spread over the names, as earliest expiry first does. */
        snprintf(names[i], sizeof names[i], "name-%08zx", i * 2654435761U & 0xffffffff);
        changes[i] = issued(names[i], 1);
        changes[i].owner = &done;
        changes[i].done = state_change_wake;
        state_post(state, &changes[i]);
    }
    for (size_t i = 0; i < count; i++)
        while (sem_wait(&done) != 0)
            ;
    int64_t written = clock_monotonic_ms();
    for (size_t i = 0; i < count; i++)
        CHECK(changes[i].ok);
    struct state_counts counts;
    state_count(state, &counts);
    state_close(state);
    int64_t closed = clock_monotonic_ms();
    state = open_state(&place, true);
    int64_t opened = clock_monotonic_ms();
    struct found found;
    FIND(state_certificates, see_certificate, state, found);
    CHECK_INT(found.count, count);
    printf("  %zu rows in %lld ms (%lld a second), %llu commits; closed in %lld ms, opened in %lld "
           "ms, read in %lld ms\n",
           count, (long long)(written - start),
           (long long)((int64_t)count * 1000 / (written - start + 1)),
           (unsigned long long)counts.commits, (long long)(closed - written),
           (long long)(opened - closed), (long long)(clock_monotonic_ms() - opened));
    state_close(state);
    sem_destroy(&done);
    free(changes);
    free(names);
    place_remove(&place);
}

static const struct test tests[] = {
    TEST(files_are_private),
    TEST(an_issue_is_remembered),
    TEST(a_failure_keeps_what_is_live),
    TEST(long_errors_are_cut_between_characters),
    TEST(orders_and_records_come_and_go),
    TEST(a_group_shares_one_commit),
    TEST(closing_commits_what_was_posted),
    TEST(a_reader_sees_a_running_writer),
    TEST(many_rows),
};

TESTS_MAIN(tests)
