#include "state/state_internal.h"

const char *certificate_status_name(enum certificate_status status)
{
    static const char *const names[] = {
        [CERTIFICATE_UNKNOWN] = "unknown",
        [CERTIFICATE_ISSUED] = "issued",
        [CERTIFICATE_FAILED] = "failed",
        [CERTIFICATE_PENDING] = "pending",
    };
    return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

const char *state_text_at(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text != NULL ? text : "";
}

unsigned state_unsigned_at(sqlite3_stmt *row, int column)
{
    int64_t value = sqlite3_column_int64(row, column);
    return value > 0 && value <= UINT32_MAX ? (unsigned)value : 0;
}

#define CERTIFICATE_COLUMNS                                                     \
    "SELECT name, status, digest, sequence, not_before, not_after, issued_at, " \
    "serial, issuer, key, account, directory, names, failures, attempted_at, "  \
    "last_error, deployed_sequence, revoked_at FROM certificate "

static struct state_certificate certificate_at(sqlite3_stmt *row)
{
    unsigned status = state_unsigned_at(row, 1);
    return (struct state_certificate){
        .name = state_text_at(row, 0),
        .status =
            status <= CERTIFICATE_PENDING ? (enum certificate_status)status : CERTIFICATE_UNKNOWN,
        .digest = (uint64_t)sqlite3_column_int64(row, 2),
        .sequence = state_unsigned_at(row, 3),
        .not_before = sqlite3_column_int64(row, 4),
        .not_after = sqlite3_column_int64(row, 5),
        .issued_at = sqlite3_column_int64(row, 6),
        .serial = state_text_at(row, 7),
        .issuer = state_text_at(row, 8),
        .key = state_text_at(row, 9),
        .account = state_text_at(row, 10),
        .directory = state_text_at(row, 11),
        .names = state_text_at(row, 12),
        .failures = state_unsigned_at(row, 13),
        .attempted_at = sqlite3_column_int64(row, 14),
        .last_error = state_text_at(row, 15),
        .deployed_sequence = state_unsigned_at(row, 16),
        .revoked_at = sqlite3_column_int64(row, 17),
    };
}

bool state_walk(struct state *state, const char *sql,
                bool (*each)(void *context, sqlite3_stmt *row), void *context, struct error *error)
{
    sqlite3 *database = state_reader(state);
    sqlite3_stmt *statement;
    TRY(state_prepare(state, database, sql, &statement, error));
    int code;
    do
        code = sqlite3_step(statement);
    while (code == SQLITE_ROW && each(context, statement));
    bool ok = code == SQLITE_ROW || code == SQLITE_DONE ||
              state_error(state->path, database, "reading the state database", error);
    sqlite3_finalize(statement);
    return ok;
}

struct certificate_walk {
    bool (*each)(void *context, const struct state_certificate *row);
    void *context;
};

static bool certificate_row(void *context, sqlite3_stmt *row)
{
    struct certificate_walk *to = context;
    struct state_certificate certificate = certificate_at(row);
    return to->each(to->context, &certificate);
}

bool state_certificates(struct state *state,
                        bool (*each)(void *context, const struct state_certificate *row),
                        void *context, struct error *error)
{
    struct certificate_walk to = {each, context};
    return state_walk(state, CERTIFICATE_COLUMNS "ORDER BY name", certificate_row, &to, error);
}

struct order_walk {
    bool (*each)(void *context, const struct state_order *row);
    void *context;
};

static bool order_row(void *context, sqlite3_stmt *row)
{
    struct order_walk *to = context;
    struct state_order order = {
        .name = state_text_at(row, 0),
        .stage = sqlite3_column_int64(row, 1) == ORDER_PLACED ? ORDER_PLACED : ORDER_INTENDED,
        .digest = (uint64_t)sqlite3_column_int64(row, 2),
        .sequence = state_unsigned_at(row, 3),
        .account = state_text_at(row, 4),
        .directory = state_text_at(row, 5),
        .url = state_text_at(row, 6),
        .placed_at = sqlite3_column_int64(row, 7),
    };
    return to->each(to->context, &order);
}

bool state_orders(struct state *state, bool (*each)(void *context, const struct state_order *row),
                  void *context, struct error *error)
{
    struct order_walk to = {each, context};
    return state_walk(state,
                      "SELECT name, stage, digest, sequence, account, directory, url, placed_at "
                      "FROM open_order ORDER BY name",
                      order_row, &to, error);
}

struct record_walk {
    bool (*each)(void *context, const struct state_record *row);
    void *context;
};

static bool record_row(void *context, sqlite3_stmt *row)
{
    struct record_walk *to = context;
    struct state_record record = {
        .name = state_text_at(row, 0),
        .solver = state_text_at(row, 1),
        .fqdn = state_text_at(row, 2),
        .value = state_text_at(row, 3),
    };
    return to->each(to->context, &record);
}

bool state_records(struct state *state, bool (*each)(void *context, const struct state_record *row),
                   void *context, struct error *error)
{
    struct record_walk to = {each, context};
    return state_walk(state,
                      "SELECT name, solver, fqdn, value FROM solver_record "
                      "ORDER BY name, solver, fqdn, value",
                      record_row, &to, error);
}

static bool keep_texts(struct arena *arena, struct state_certificate *row)
{
    const char **texts[] = {&row->name,    &row->serial,    &row->issuer, &row->key,
                            &row->account, &row->directory, &row->names,  &row->last_error};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if ((*texts[i] = arena_text(arena, span_of(*texts[i]))) == NULL)
            return false;
    return true;
}

bool state_certificate_find(struct state *state, const char *name, struct arena *arena,
                            struct state_certificate *ret_row, struct error *error)
{
    sqlite3 *database = state_reader(state);
    if (state->find == NULL)
        TRY(state_prepare(state, database, CERTIFICATE_COLUMNS "WHERE name = ?1", &state->find,
                          error));
    int code = sqlite3_bind_text(state->find, 1, name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(state->find);
    bool ok = false;
    if (code == SQLITE_ROW) {
        struct state_certificate row = certificate_at(state->find);
        ok = keep_texts(arena, &row) || error_set(error, ERROR_MEMORY, "no memory for a row");
        if (ok)
            *ret_row = row;
    } else if (code == SQLITE_DONE) {
        error_set(error, ERROR_NOT_FOUND, "the state knows no certificate %s", name);
    } else {
        state_error(state->path, database, "reading the state database", error);
    }
    sqlite3_reset(state->find);
    sqlite3_clear_bindings(state->find);
    return ok;
}
