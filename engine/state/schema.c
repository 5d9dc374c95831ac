#include "state/schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A whole check reads every page: 20 ms for this many bytes. */
#define SCHEMA_CHECK_WHOLE_BYTES ((int64_t)8 * 1024 * 1024)

/* migrations[n] brings version n to n + 1. Never edit one that has been released: add another.
 *
 * The tables are clustered by name (WITHOUT ROWID), so that a walk by name reads pages in order and
 * a change touches one page, without a second tree for an index. Digests are the bits of an
 * unsigned number in a signed one. */
static const char *const migrations[] = {
    "CREATE TABLE certificate ("
    "  name TEXT NOT NULL PRIMARY KEY,"
    "  status INTEGER NOT NULL DEFAULT 0,"
    "  digest INTEGER NOT NULL DEFAULT 0,"
    "  sequence INTEGER NOT NULL DEFAULT 0,"
    "  not_before INTEGER NOT NULL DEFAULT 0,"
    "  not_after INTEGER NOT NULL DEFAULT 0,"
    "  issued_at INTEGER NOT NULL DEFAULT 0,"
    "  serial TEXT NOT NULL DEFAULT '',"
    "  issuer TEXT NOT NULL DEFAULT '',"
    "  key TEXT NOT NULL DEFAULT '',"
    "  account TEXT NOT NULL DEFAULT '',"
    "  directory TEXT NOT NULL DEFAULT '',"
    "  names TEXT NOT NULL DEFAULT '',"
    "  failures INTEGER NOT NULL DEFAULT 0,"
    "  attempted_at INTEGER NOT NULL DEFAULT 0,"
    "  last_error TEXT NOT NULL DEFAULT '',"
    "  deployed_sequence INTEGER NOT NULL DEFAULT 0"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE open_order ("
    "  name TEXT NOT NULL PRIMARY KEY,"
    "  stage INTEGER NOT NULL,"
    "  digest INTEGER NOT NULL,"
    "  sequence INTEGER NOT NULL,"
    "  account TEXT NOT NULL,"
    "  directory TEXT NOT NULL,"
    "  url TEXT NOT NULL,"
    "  placed_at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE solver_record ("
    "  name TEXT NOT NULL,"
    "  solver TEXT NOT NULL,"
    "  fqdn TEXT NOT NULL,"
    "  value TEXT NOT NULL,"
    "  PRIMARY KEY (name, solver, fqdn, value)"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE import ("
    "  name TEXT NOT NULL,"
    "  profile TEXT NOT NULL,"
    "  region TEXT NOT NULL,"
    "  given_arn TEXT NOT NULL,"
    "  account TEXT NOT NULL DEFAULT '',"
    "  arn TEXT NOT NULL DEFAULT '',"
    "  sequence INTEGER NOT NULL DEFAULT 0,"
    "  digest INTEGER NOT NULL DEFAULT 0,"
    "  serial TEXT NOT NULL DEFAULT '',"
    "  not_after INTEGER NOT NULL DEFAULT 0,"
    "  imported_at INTEGER NOT NULL DEFAULT 0,"
    "  attempted_at INTEGER NOT NULL DEFAULT 0,"
    "  failures INTEGER NOT NULL DEFAULT 0,"
    "  last_error TEXT NOT NULL DEFAULT '',"
    "  PRIMARY KEY (name, profile, region, given_arn)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE import_day ("
    "  account TEXT NOT NULL,"
    "  region TEXT NOT NULL,"
    "  day INTEGER NOT NULL,"
    "  imports INTEGER NOT NULL,"
    "  PRIMARY KEY (account, region, day)"
    ") STRICT, WITHOUT ROWID;",
    "ALTER TABLE certificate ADD COLUMN revoked_at INTEGER NOT NULL DEFAULT 0;",
};

int schema_version_latest(void)
{
    return (int)(sizeof migrations / sizeof migrations[0]);
}

static int read_number(sqlite3 *database, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    int end = sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_CORRUPT;
}

int schema_identify(sqlite3 *database, struct schema_identity *ret_identity)
{
    int64_t application_id;
    int64_t version;
    int64_t pages;
    int code = read_number(database, "PRAGMA application_id", &application_id);
    if (code == SQLITE_OK)
        code = read_number(database, "PRAGMA user_version", &version);
    if (code == SQLITE_OK)
        code = read_number(database, "PRAGMA page_count", &pages);
    if (code != SQLITE_OK)
        return code;
    /* A crash between turning WAL on and making the tables leaves a page without a schema. */
    int64_t tables = 0;
    if (pages > 0 && application_id == 0)
        code = read_number(database, "SELECT count(*) FROM sqlite_schema", &tables);
    if (code != SQLITE_OK)
        return code;
    bool is_empty = application_id == 0 && version == 0 && tables == 0;
    *ret_identity = (struct schema_identity){
        .application_id = (int)application_id,
        .version = (int)version,
        .is_empty = is_empty,
        .is_ours = is_empty || (application_id == SCHEMA_APPLICATION_ID && version >= 0),
        .is_newer = version > schema_version_latest(),
        .is_latest = version == schema_version_latest(),
    };
    return SQLITE_OK;
}

static int run(sqlite3 *database, const char *sql)
{
    return sqlite3_exec(database, sql, NULL, NULL, NULL);
}

int schema_migrate(sqlite3 *database)
{
    int code = run(database, "BEGIN IMMEDIATE");
    if (code != SQLITE_OK)
        return code;
    /* Read again under the lock: another process may have been faster. */
    int64_t version = 0;
    code = read_number(database, "PRAGMA user_version", &version);
    for (int64_t i = version; code == SQLITE_OK && i < schema_version_latest(); i++)
        code = run(database, migrations[i]);
    char sql[128];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
             SCHEMA_APPLICATION_ID, schema_version_latest());
    if (code == SQLITE_OK)
        code = run(database, sql);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(database))
        (void)run(database, "ROLLBACK");
    return code;
}

static int check_whole(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    bool sound = code == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    int end = sqlite3_finalize(statement);
    return sound ? SQLITE_OK : end != SQLITE_OK ? end : SQLITE_CORRUPT;
}

int schema_check(sqlite3 *database)
{
    int64_t pages = 0;
    int64_t page_size = 0;
    int code = read_number(database, "PRAGMA page_count", &pages);
    if (code == SQLITE_OK)
        code = read_number(database, "PRAGMA page_size", &page_size);
    if (code != SQLITE_OK)
        return code;
    if (pages * page_size <= SCHEMA_CHECK_WHOLE_BYTES)
        return check_whole(database);
    static const char *const ends[] = {
        "SELECT (SELECT max(name) FROM certificate) >= (SELECT min(name) FROM certificate)",
        "SELECT (SELECT max(name) FROM open_order) >= (SELECT min(name) FROM open_order)",
        "SELECT (SELECT max(name) FROM solver_record) >= (SELECT min(name) FROM solver_record)",
        "SELECT (SELECT max(name) FROM import) >= (SELECT min(name) FROM import)",
        "SELECT (SELECT max(account) FROM import_day) >= (SELECT min(account) FROM import_day)",
    };
    int64_t ordered = 0;
    for (size_t i = 0; code == SQLITE_OK && i < sizeof ends / sizeof ends[0]; i++)
        code = read_number(database, ends[i], &ordered);
    return code;
}
