/* What ACM targets hold, and how many imports each account and region took: changes and walks. */
#include "state/state_internal.h"

#include "aws/acm.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400
/* ACM counts imports over 365 days; the day of the import itself is one more. */
#define DAYS_KEPT 366

/* Parameters 1 to 4 are the key. An account that is not known yet leaves the known one. */
const char *const import_sql[CHANGE_COUNT] = {
    [CHANGE_IMPORT_INTENDED] =
        "INSERT INTO import (name, profile, region, given_arn, account, attempted_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        " ON CONFLICT (name, profile, region, given_arn) DO UPDATE SET"
        " account = iif(?5 = '', account, ?5), attempted_at = ?6",
    [CHANGE_IMPORT_PUT] =
        "INSERT OR REPLACE INTO import (name, profile, region, given_arn, account, arn, serial,"
        " sequence, digest, not_after, imported_at, attempted_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [CHANGE_IMPORT_FAILED] =
        "INSERT INTO import (name, profile, region, given_arn, account, last_error, attempted_at,"
        " failures) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)"
        " ON CONFLICT (name, profile, region, given_arn) DO UPDATE SET"
        " account = iif(?5 = '', account, ?5), last_error = ?6, attempted_at = ?7,"
        " failures = failures + 1",
    [CHANGE_IMPORT_DELETE] =
        "DELETE FROM import WHERE name = ?1 AND profile = ?2 AND region = ?3 AND given_arn = ?4",
    [CHANGE_IMPORT_DAY_ADD] =
        "INSERT INTO import_day (account, region, day, imports) VALUES (?1, ?2, ?3, 1)"
        " ON CONFLICT (account, region, day) DO UPDATE SET imports = imports + 1",
    [CHANGE_IMPORT_DAY_FORGET] =
        "DELETE FROM import_day WHERE account = ?1 AND region = ?2 AND day <= ?3",
};

static bool bind_key(sqlite3_stmt *statement, const struct state_import *row)
{
    const char *texts[] = {row->name, row->profile, row->region, row->given_arn};
    return state_bind_texts(statement, 1, texts, 4);
}

static bool put_intended(struct state *state, const struct state_import *row)
{
    sqlite3_stmt *statement = state->changes[CHANGE_IMPORT_INTENDED];
    return bind_key(statement, row) && state_bind_texts(statement, 5, &row->account, 1) &&
           state_bind_numbers(statement, 6, &row->attempted_at, 1) && state_step(statement);
}

static bool put_held(struct state *state, const struct state_import *row)
{
    sqlite3_stmt *statement = state->changes[CHANGE_IMPORT_PUT];
    const char *texts[] = {row->account, row->arn, row->serial};
    int64_t numbers[] = {row->sequence, (int64_t)row->digest, row->not_after, row->imported_at,
                         row->attempted_at};
    return bind_key(statement, row) && state_bind_texts(statement, 5, texts, 3) &&
           state_bind_numbers(statement, 8, numbers, 5) && state_step(statement);
}

static bool put_failed(struct state *state, const struct state_import *row)
{
    sqlite3_stmt *statement = state->changes[CHANGE_IMPORT_FAILED];
    char text[STATE_ERROR_MAX + 1];
    state_error_text_copy(row->last_error != NULL ? row->last_error : "", text);
    const char *texts[] = {row->account, text};
    bool ok = bind_key(statement, row) && state_bind_texts(statement, 5, texts, 2) &&
              state_bind_numbers(statement, 7, &row->attempted_at, 1) && state_step(statement);
    /* The statement outlives `text`. */
    (void)sqlite3_clear_bindings(statement);
    return ok;
}

/* The region of the ARN, for the target may leave it to its profile. */
static struct span region_of(const struct state_import *row)
{
    struct acm_arn arn;
    struct error error;
    return acm_arn_parse(span_of(row->arn), &arn, &error) ? arn.region : span_of(row->region);
}

static bool bind_lane(sqlite3_stmt *statement, const char *account, struct span region)
{
    return state_bind_texts(statement, 1, &account, 1) &&
           sqlite3_bind_text(statement, 2, region.data, (int)region.len, SQLITE_STATIC) ==
               SQLITE_OK;
}

static bool count_import(struct state *state, const struct state_import *row)
{
    struct span region = region_of(row);
    int64_t day = row->attempted_at / DAY_S;
    int64_t forgotten = day - DAYS_KEPT;
    sqlite3_stmt *add = state->changes[CHANGE_IMPORT_DAY_ADD];
    sqlite3_stmt *forget = state->changes[CHANGE_IMPORT_DAY_FORGET];
    return bind_lane(add, row->account, region) && state_bind_numbers(add, 3, &day, 1) &&
           state_step(add) && bind_lane(forget, row->account, region) &&
           state_bind_numbers(forget, 3, &forgotten, 1) && state_step(forget);
}

bool import_apply(struct state *state, const struct state_change *change)
{
    const struct state_import *row = &change->import;
    if (change->kind == STATE_IMPORT_INTENDED)
        return put_intended(state, row);
    if (change->kind == STATE_IMPORT_KEPT)
        return put_held(state, row);
    if (change->kind == STATE_IMPORTED)
        return put_held(state, row) && count_import(state, row);
    if (change->kind == STATE_IMPORT_FAILED)
        return put_failed(state, row);
    sqlite3_stmt *statement = state->changes[CHANGE_IMPORT_DELETE];
    return bind_key(statement, row) && state_step(statement);
}

struct import_walk {
    bool (*each)(void *context, const struct state_import *row);
    void *context;
};

#define IMPORT_COLUMNS                                                         \
    "SELECT name, profile, region, given_arn, account, arn, sequence, digest," \
    " serial, not_after, imported_at, attempted_at, failures, last_error FROM import "
#define IMPORT_ORDER "ORDER BY name, profile, region, given_arn"

static struct state_import import_at(sqlite3_stmt *row)
{
    return (struct state_import){
        .name = state_text_at(row, 0),
        .profile = state_text_at(row, 1),
        .region = state_text_at(row, 2),
        .given_arn = state_text_at(row, 3),
        .account = state_text_at(row, 4),
        .arn = state_text_at(row, 5),
        .sequence = state_unsigned_at(row, 6),
        .digest = (uint64_t)sqlite3_column_int64(row, 7),
        .serial = state_text_at(row, 8),
        .not_after = sqlite3_column_int64(row, 9),
        .imported_at = sqlite3_column_int64(row, 10),
        .attempted_at = sqlite3_column_int64(row, 11),
        .failures = state_unsigned_at(row, 12),
        .last_error = state_text_at(row, 13),
    };
}

static bool import_row(void *context, sqlite3_stmt *row)
{
    struct import_walk *to = context;
    struct state_import import = import_at(row);
    return to->each(to->context, &import);
}

bool state_imports(struct state *state, bool (*each)(void *context, const struct state_import *row),
                   void *context, struct error *error)
{
    struct import_walk to = {each, context};
    return state_walk(state, IMPORT_COLUMNS IMPORT_ORDER, import_row, &to, error);
}

struct state_import_cursor {
    struct state *state;
    sqlite3_stmt *statement;
    bool waits; /* the statement's row was not given out yet */
    bool ended;
};

bool state_import_cursor_open(struct state *state, const char *from,
                              struct state_import_cursor **ret_cursor, struct error *error)
{
    struct state_import_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to read the imports");
    cursor->state = state;
    bool ok =
        state_prepare(state, state_reader(state), IMPORT_COLUMNS "WHERE name >= ?1 " IMPORT_ORDER,
                      &cursor->statement, error);
    if (ok && sqlite3_bind_text(cursor->statement, 1, from != NULL ? from : "", -1,
                                SQLITE_TRANSIENT) != SQLITE_OK)
        ok = error_set(error, ERROR_MEMORY, "no memory to read the imports");
    if (!ok) {
        state_import_cursor_close(cursor);
        return false;
    }
    *ret_cursor = cursor;
    return true;
}

void state_import_cursor_close(struct state_import_cursor *cursor)
{
    if (cursor == NULL)
        return;
    sqlite3_finalize(cursor->statement);
    free(cursor);
}

static bool cursor_step(struct state_import_cursor *cursor, struct error *error)
{
    int code = sqlite3_step(cursor->statement);
    cursor->waits = code == SQLITE_ROW;
    cursor->ended = code != SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return true;
    return state_error(cursor->state->path, state_reader(cursor->state),
                       "reading the state database", error);
}

bool state_import_cursor_next(struct state_import_cursor *cursor, const char *name,
                              struct state_import *ret_row, bool *ret_found, struct error *error)
{
    *ret_found = false;
    for (;;) {
        if (!cursor->waits && !cursor->ended)
            TRY(cursor_step(cursor, error));
        if (cursor->ended)
            return true;
        int order = strcmp(state_text_at(cursor->statement, 0), name);
        if (order > 0)
            return true;
        cursor->waits = false;
        if (order < 0)
            continue;
        *ret_row = import_at(cursor->statement);
        *ret_found = true;
        return true;
    }
}

struct day_walk {
    bool (*each)(void *context, const struct state_import_day *row);
    void *context;
};

static bool day_row(void *context, sqlite3_stmt *row)
{
    struct day_walk *to = context;
    struct state_import_day day = {
        .account = state_text_at(row, 0),
        .region = state_text_at(row, 1),
        .day = sqlite3_column_int64(row, 2),
        .imports = state_unsigned_at(row, 3),
    };
    return to->each(to->context, &day);
}

bool state_import_days(struct state *state,
                       bool (*each)(void *context, const struct state_import_day *row),
                       void *context, struct error *error)
{
    struct day_walk to = {each, context};
    return state_walk(state,
                      "SELECT account, region, day, imports FROM import_day"
                      " ORDER BY account, region, day",
                      day_row, &to, error);
}
