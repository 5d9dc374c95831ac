/* engine/state: what ACM targets hold, imports a day, and the schema that had no tables for them.
 */
#include "check.h"
#include "state_changes.h"
#include "state_folder.h"

#include "state/state.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#define DAY            86400
#define ARN_OF(region) "arn:aws:acm:" region ":123456789012:certificate/one"
#define ARN            ARN_OF("us-east-1")

static struct state_change import_of(enum state_change_kind kind, const char *name,
                                     const char *region)
{
    return (struct state_change){
        .kind = kind,
        .import = {.name = name,
                   .profile = "prod",
                   .region = region,
                   .account = "123456789012",
                   .arn = ARN,
                   .sequence = 3,
                   .digest = 0xfedcba9876543210,
                   .serial = "01ab",
                   .not_after = NOW + 90 * (int64_t)DAY,
                   .imported_at = NOW,
                   .attempted_at = NOW + 1},
    };
}

/* The rows as text, one a line. */
struct rows {
    size_t count;
    char text[2048];
};

static bool see_import(void *context, const struct state_import *row)
{
    struct rows *rows = context;
    rows->count++;
    size_t used = strlen(rows->text);
    snprintf(rows->text + used, sizeof rows->text - used,
             "%s|%s|%s|%s|%s|%s|%u|%llx|%s|%lld|%lld|%lld|%u|%.40s\n", row->name, row->profile,
             row->region, row->given_arn, row->account, row->arn, row->sequence,
             (unsigned long long)row->digest, row->serial, (long long)row->not_after,
             (long long)row->imported_at, (long long)row->attempted_at, row->failures,
             row->last_error);
    return true;
}

static bool see_first(void *context, const struct state_import *row)
{
    (void)see_import(context, row);
    return false;
}

static bool see_day(void *context, const struct state_import_day *row)
{
    struct rows *rows = context;
    rows->count++;
    size_t used = strlen(rows->text);
    snprintf(rows->text + used, sizeof rows->text - used, "%s|%s|%lld|%u\n", row->account,
             row->region, (long long)row->day, row->imports);
    return true;
}

static void an_import_is_remembered(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct rows rows;
    /* Before it is sent: all that is known is that it may have been. */
    struct state_change intended = import_of(STATE_IMPORT_INTENDED, "www", "us-east-1");
    intended.import.account = NULL;
    state_put_ok(state, intended);
    FIND(state_imports, see_import, state, rows);
    CHECK_TEXT(rows.text, "www|prod|us-east-1||||0|0||0|0|1800000001|0|\n");
    FIND(state_import_days, see_day, state, rows);
    CHECK_INT(rows.count, 0);

    state_put_ok(state, import_of(STATE_IMPORTED, "www", "us-east-1"));
    static const char held[] = "www|prod|us-east-1||123456789012|" ARN
                               "|3|fedcba9876543210|01ab|1807776000|1800000000|1800000001|0|\n";
    FIND(state_imports, see_import, state, rows);
    CHECK_TEXT(rows.text, held);
    state_close(state);
    state = open_state(&place, true);
    FIND(state_imports, see_import, state, rows);
    CHECK_TEXT(rows.text, held);
    FIND(state_import_days, see_day, state, rows);
    CHECK_TEXT(rows.text, "123456789012|us-east-1|20833|1\n");
    state_close(state);
    place_remove(&place);
}

static void a_failure_keeps_what_is_held(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct rows rows;
    state_put_ok(state, import_of(STATE_IMPORTED, "www", "us-east-1"));
    for (int i = 0; i < 2; i++) {
        struct state_change failed = import_of(STATE_IMPORT_FAILED, "www", "us-east-1");
        failed.import = (struct state_import){.name = "www",
                                              .profile = "prod",
                                              .region = "us-east-1",
                                              .attempted_at = NOW + 7,
                                              .last_error = i == 0 ? "down" : "cut \xe2\x82"};
        state_put_ok(state, failed);
    }
    FIND(state_imports, see_import, state, rows);
    CHECK_TEXT(rows.text, "www|prod|us-east-1||123456789012|" ARN
                          "|3|fedcba9876543210|01ab|1807776000|1800000000|1800000007|2|cut ??\n");
    /* An attempt that begins keeps it too. */
    struct state_change intended = import_of(STATE_IMPORT_INTENDED, "www", "us-east-1");
    intended.import.attempted_at = NOW + 8;
    intended.import.arn = "";
    state_put_ok(state, intended);
    FIND(state_imports, see_import, state, rows);
    CHECK_CONTAINS(rows.text, ARN "|3|");
    CHECK_CONTAINS(rows.text, "|1800000008|2|cut ??");
    state_put_ok(state, import_of(STATE_IMPORT_KEPT, "www", "us-east-1"));
    FIND(state_imports, see_import, state, rows);
    CHECK_CONTAINS(rows.text, "|1800000001|0|\n");
    /* One that never was imported. */
    struct state_change failed = import_of(STATE_IMPORT_FAILED, "new", "us-east-1");
    failed.import.last_error = NULL;
    state_put_ok(state, failed);
    FIND(state_imports, see_first, state, rows);
    CHECK_TEXT(rows.text, "new|prod|us-east-1||123456789012||0|0||0|0|1800000001|1|\n");
    state_close(state);
    place_remove(&place);
}

static void targets_are_told_apart(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct rows rows;
    state_put_ok(state, import_of(STATE_IMPORTED, "b", "us-east-1"));
    state_put_ok(state, import_of(STATE_IMPORTED, "a", "us-east-1"));
    state_put_ok(state, import_of(STATE_IMPORTED, "a", "eu-west-1"));
    struct state_change given = import_of(STATE_IMPORT_KEPT, "a", "us-east-1");
    given.import.given_arn = ARN;
    state_put_ok(state, given);
    FIND(state_imports, see_import, state, rows);
    CHECK_INT(rows.count, 4);
    const char *first = strstr(rows.text, "a|prod|eu-west-1||");
    const char *second = strstr(rows.text, "a|prod|us-east-1||");
    const char *third = strstr(rows.text, "a|prod|us-east-1|" ARN "|");
    CHECK(first == rows.text && second > first && third > second);
    CHECK(strstr(rows.text, "\nb|prod") > third);
    state_put_ok(state, import_of(STATE_IMPORT_GONE, "a", "us-east-1"));
    FIND(state_imports, see_import, state, rows);
    CHECK_INT(rows.count, 3);
    CHECK(strstr(rows.text, "a|prod|us-east-1||") == NULL);
    FIND(state_imports, see_first, state, rows);
    CHECK_INT(rows.count, 1);
    state_close(state);
    place_remove(&place);
}

static void days_count_imports_and_are_forgotten(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct rows rows;
    static const int64_t days[] = {0, 0, 1, 366};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct state_change change = import_of(STATE_IMPORTED, "www", "us-east-1");
        change.import.attempted_at = NOW + days[i] * DAY;
        state_put_ok(state, change);
        state_put_ok(state, import_of(STATE_IMPORT_KEPT, "www", "us-east-1"));
    }
    /* A target without region lies where its ARN says. */
    struct state_change elsewhere = import_of(STATE_IMPORTED, "www", "");
    elsewhere.import.arn = ARN_OF("eu-west-1");
    state_put_ok(state, elsewhere);
    FIND(state_import_days, see_day, state, rows);
    CHECK_TEXT(rows.text, "123456789012|eu-west-1|20833|1\n"
                          "123456789012|us-east-1|20834|1\n"
                          "123456789012|us-east-1|21199|1\n");
    state_close(state);
    place_remove(&place);
}

static void run_sql(const struct place *place, const char *sql)
{
    sqlite3 *database;
    CHECK(sqlite3_open(place->file, &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(database);
}

static void a_schema_without_imports_is_brought_up_to_date(void)
{
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    state_put_ok(state, issued("www", 1));
    state_close(state);
    run_sql(&place, "DROP TABLE import; DROP TABLE import_day; "
                    "ALTER TABLE certificate DROP COLUMN revoked_at; PRAGMA user_version=1");
    struct error error;
    CHECK(!state_open(place.folder, true, &state, &error));
    CHECK_CONTAINS(error.text, "older certmill (schema 1");
    state = start_state(&place);
    state_put_ok(state, import_of(STATE_IMPORTED, "www", "us-east-1"));
    state_close(state);
    state = open_state(&place, true);
    struct found found;
    FIND(state_certificates, see_certificate, state, found);
    CHECK_TEXT(found.names, "www ");
    struct rows rows;
    FIND(state_imports, see_import, state, rows);
    CHECK_INT(rows.count, 1);
    state_close(state);
    place_remove(&place);
}

/* More than the size up to which all of a database is checked: the pages of the imports are. */
static void damage_in_a_large_table_is_named(void)
{
    struct place place;
    place_make(&place);
    state_close(open_state(&place, false));
    run_sql(&place, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                    " WHERE i < 60000) INSERT INTO import (name, profile, region, given_arn, arn)"
                    " SELECT printf('n%07d', i), 'p', 'us-east-1', '', printf('%0100d', i)"
                    " FROM n; PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3 *database;
    sqlite3_stmt *statement;
    CHECK(sqlite3_open(place.file, &database) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(database, "SELECT rootpage FROM sqlite_schema WHERE name = 'import'",
                             -1, &statement, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(statement) == SQLITE_ROW);
    int64_t page = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    int fd = open(place.file, O_RDWR | O_CLOEXEC);
    CHECK(lseek(fd, 0, SEEK_END) > (off_t)8 * 1024 * 1024);
    char garbage[4096];
    memset(garbage, 'g', sizeof garbage);
    CHECK(pwrite(fd, garbage, sizeof garbage, (off_t)(page - 1) * 4096) == sizeof garbage);
    close(fd);
    struct state *state = NULL;
    struct error error;
    CHECK(!state_open(place.folder, true, &state, &error));
    CHECK_CONTAINS(error.text, "is damaged");
    CHECK(!state_open(place.folder, false, &state, &error));
    CHECK_CONTAINS(error.text, "is damaged");
    place_remove(&place);
}

static const struct test tests[] = {
    TEST(an_import_is_remembered),
    TEST(a_failure_keeps_what_is_held),
    TEST(targets_are_told_apart),
    TEST(days_count_imports_and_are_forgotten),
    TEST(a_schema_without_imports_is_brought_up_to_date),
    TEST(damage_in_a_large_table_is_named),
};

TESTS_MAIN(tests)
