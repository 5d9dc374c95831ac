/* Opening and closing STATE/state.db.
 *
 * A writer's connection: WAL and synchronous=FULL, so that a commit is durable when it returns and
 * readers never wait for it. A reader's connection is opened for writing too where the file allows
 * it, with query_only set: SQLite needs that to make and to clean up the -wal and -shm files beside
 * the database. Where the folder cannot be written the database is opened as immutable, which is
 * right only when there is no -wal file with content, that is, when no run died or goes on. */
#include "state/schema.h"
#include "state/state_internal.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000
#define PATH_LIMIT      4096
#define VALUE_LIMIT     (1024 * 1024) /* bytes of one text or row */

static bool damage_error(const char *path, const char *how, struct error *error)
{
    return error_set(error, ERROR_STATE,
                     "%s is damaged (%s): move it and the files -wal and -shm beside it away and "
                     "run again; certificates are read back from live/, lost are only notes on "
                     "open orders and past failures",
                     path, how);
}

bool state_error(const char *path, sqlite3 *database, const char *what, struct error *error)
{
    int code = sqlite3_errcode(database) & 0xff;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return damage_error(path, sqlite3_errmsg(database), error);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return error_set(error, ERROR_BUSY, "%s: another process keeps %s locked", what, path);
    if (code == SQLITE_NOMEM)
        return error_set(error, ERROR_MEMORY, "%s: no memory", what);
    int system_error = sqlite3_system_errno(database);
    if ((code == SQLITE_CANTOPEN || code == SQLITE_IOERR) && system_error != 0) {
        error_set(error, ERROR_STATE, "%s: %s: %s: %s", what, path, sqlite3_errmsg(database),
                  strerrordesc_np(system_error));
        return false;
    }
    return error_set(error, ERROR_STATE, "%s: %s: %s", what, path, sqlite3_errmsg(database));
}

bool state_prepare(const struct state *state, sqlite3 *database, const char *sql,
                   sqlite3_stmt **ret_statement, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        return state_error(state->path, database, "preparing a statement", error);
    *ret_statement = statement;
    return true;
}

sqlite3 *state_reader(const struct state *state)
{
    return state->reader != NULL ? state->reader : state->database;
}

/* The path as a file: URI (RFC 3986), the only way to ask for immutable. */
static bool uri_make(const char *path, struct buf *uri)
{
    TRY(buf_append_text(uri, path[0] == '/' ? "file://" : "file:"));
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == '%' || *c == '?' || *c == '#')
            TRY(buf_printf(uri, "%%%02X", (unsigned)*c));
        else
            TRY(buf_append_char(uri, *c));
    }
    return buf_append_text(uri, "?immutable=1");
}

static int connection_open(const char *path, int flags, const char *settings, sqlite3 **database)
{
    sqlite3_close(*database);
    *database = NULL;
    int code = sqlite3_open_v2(path, database,
                               flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code != SQLITE_OK)
        return code;
    sqlite3_extended_result_codes(*database, 1);
    sqlite3_busy_timeout(*database, BUSY_TIMEOUT_MS);
    sqlite3_limit(*database, SQLITE_LIMIT_LENGTH, VALUE_LIMIT);
    sqlite3_db_config(*database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite3_exec(*database, settings, NULL, NULL, NULL);
}

/* Is there a -wal file with changes in it, or might there be? */
static bool wal_has_content(const char *path)
{
    struct buf wal;
    buf_init(&wal, PATH_LIMIT);
    struct stat status;
    bool has = !buf_printf(&wal, "%s-wal", path) ||
               (stat(buf_text(&wal), &status) == 0 ? status.st_size > 0 : errno != ENOENT);
    buf_free(&wal);
    return has;
}

static int open_immutable(const char *path, const char *settings, sqlite3 **database)
{
    struct buf uri;
    buf_init(&uri, (size_t)PATH_LIMIT * 3);
    int code = uri_make(path, &uri)
                   ? connection_open(buf_text(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                                     settings, database)
                   : SQLITE_NOMEM;
    buf_free(&uri);
    return code;
}

static bool reader_open(const char *path, sqlite3 **ret_database, struct error *error)
{
    static const char settings[] = "PRAGMA query_only=ON; PRAGMA cell_size_check=ON;"
                                   "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;"
                                   "SELECT count(*) FROM sqlite_schema";
    sqlite3 *database = NULL;
    int code = connection_open(path, SQLITE_OPEN_READWRITE, settings, &database);
    int primary = code & 0xff;
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) && !wal_has_content(path))
        code = open_immutable(path, settings, &database);
    if (code != SQLITE_OK) {
        state_error(path, database, "opening the state database", error);
        sqlite3_close(database);
        return false;
    }
    *ret_database = database;
    return true;
}

bool state_open_reader(const struct state *state, sqlite3 **ret_database, struct error *error)
{
    return reader_open(state->path, ret_database, error);
}

/* The file is made here, not by SQLite, for its mode: 0600; -wal and -shm take it over. */
static bool file_make(const char *folder, const char *path, struct error *error)
{
    if (mkdir(folder, S_IRWXU) != 0 && errno != EEXIST)
        return error_system(error, errno, "making %s", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return errno == EEXIST || error_system(error, errno, "making %s", path);
    bool ok = fchmod(fd, S_IRUSR | S_IWUSR) == 0;
    int system_error = errno;
    close(fd);
    return ok || error_system(error, system_error, "making %s", path);
}

static bool file_exists(const char *path, struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? error_set(error, ERROR_NOT_FOUND, "there is no state database at %s yet", path)
                   : error_system(error, errno, "reading %s", path);
    return status.st_size > 0 ||
           error_set(error, ERROR_NOT_FOUND, "the state database %s is empty", path);
}

static bool identity_check(const struct state *state, const struct schema_identity *identity,
                           struct error *error)
{
    if (!identity->is_ours)
        return error_set(error, ERROR_STATE,
                         "%s is a database of another program (application id 0x%08x): choose "
                         "another state folder, or move the file away",
                         state->path, (unsigned)identity->application_id);
    if (identity->is_newer)
        return error_set(error, ERROR_STATE,
                         "%s was written by a newer certmill (schema %d, this one knows %d): use "
                         "that version",
                         state->path, identity->version, schema_version_latest());
    if (state->read_only && identity->is_empty)
        return error_set(error, ERROR_NOT_FOUND, "the state database %s is empty", state->path);
    if (state->read_only && !identity->is_latest)
        return error_set(error, ERROR_STATE,
                         "%s was written by an older certmill (schema %d, this one knows %d): the "
                         "next run brings it up to date",
                         state->path, identity->version, schema_version_latest());
    return true;
}

static bool writer_open(struct state *state, struct error *error)
{
    if (connection_open(state->path, SQLITE_OPEN_READWRITE,
                        "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
                        "PRAGMA cache_size=-32768; SELECT count(*) FROM sqlite_schema",
                        &state->database) != SQLITE_OK)
        return state_error(state->path, state->database, "opening the state database", error);
    return true;
}

/* Only after the file is known to be certmill's: WAL mode is written into the file. A checkpoint at
 * 32 MiB instead of 4 writes pages that change again in the same run less often. */
static bool writer_set_up(struct state *state, const struct schema_identity *identity,
                          struct error *error)
{
    if (sqlite3_exec(state->database,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=8192",
                     NULL, NULL, NULL) != SQLITE_OK)
        return state_error(state->path, state->database, "opening the state database", error);
    if (sqlite3_db_readonly(state->database, "main") != 0)
        return error_set(error, ERROR_STATE, "%s cannot be written: check its owner and mode",
                         state->path);
    if (!identity->is_latest && schema_migrate(state->database) != SQLITE_OK)
        return state_error(state->path, state->database, "bringing the state database up to date",
                           error);
    return true;
}

static bool open_and_check(struct state *state, const char *folder, struct error *error)
{
    if (state->read_only) {
        TRY(file_exists(state->path, error));
        TRY(reader_open(state->path, &state->database, error));
    } else {
        TRY(file_make(folder, state->path, error));
        TRY(writer_open(state, error));
    }
    struct schema_identity identity;
    if (schema_identify(state->database, &identity) != SQLITE_OK)
        return state_error(state->path, state->database, "opening the state database", error);
    TRY(identity_check(state, &identity, error));
    if (!state->read_only)
        TRY(writer_set_up(state, &identity, error));
    int code = schema_check(state->database);
    if (code == SQLITE_CORRUPT && sqlite3_errcode(state->database) == SQLITE_OK)
        return damage_error(state->path, "its check found a fault", error);
    if (code != SQLITE_OK)
        return state_error(state->path, state->database, "checking the state database", error);
    return true;
}

bool state_open(const char *folder, bool read_only, struct state **ret_state, struct error *error)
{
    struct buf path;
    buf_init(&path, PATH_LIMIT);
    struct state *state = calloc(1, sizeof *state);
    if (state == NULL || !buf_printf(&path, "%s/" STATE_FILE, folder) ||
        (state->path = span_duplicate(buf_span(&path))) == NULL) {
        buf_free(&path);
        free(state);
        return error_set(error, ERROR_MEMORY, "no memory for the state, or its path is too long");
    }
    buf_free(&path);
    state->read_only = read_only;
    if (!open_and_check(state, folder, error)) {
        state_close(state);
        return false;
    }
    *ret_state = state;
    return true;
}

void state_close(struct state *state)
{
    if (state == NULL)
        return;
    if (state->started)
        state_stop(state);
    sqlite3_finalize(state->find);
    for (size_t i = 0; i < CHANGE_COUNT; i++)
        sqlite3_finalize(state->changes[i]);
    sqlite3_close(state->reader);
    sqlite3_close(state->database);
    free(state->path);
    free(state);
}
