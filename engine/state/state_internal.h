/* What the parts of the state share: open.c (files and schema), read.c, write.c. */
#ifndef CERTMILL_STATE_STATE_INTERNAL_H
#define CERTMILL_STATE_STATE_INTERNAL_H

#include "state/state.h"

#include <sqlite3.h>
#include <stdatomic.h>

#define STATE_FILE "state.db"

enum change_statement {
    CHANGE_BEGIN,
    CHANGE_COMMIT,
    CHANGE_ROLLBACK,
    CHANGE_ORDER_PUT,
    CHANGE_ORDER_DELETE,
    CHANGE_PENDING_END,
    CHANGE_ISSUED,
    CHANGE_FAILED,
    CHANGE_PENDING,
    CHANGE_DEPLOYED,
    CHANGE_REVOKED,
    CHANGE_RECORD_PUT,
    CHANGE_RECORD_DELETE,
    CHANGE_IMPORT_INTENDED,
    CHANGE_IMPORT_PUT,
    CHANGE_IMPORT_FAILED,
    CHANGE_IMPORT_DELETE,
    CHANGE_IMPORT_DAY_ADD,
    CHANGE_IMPORT_DAY_FORGET,
    CHANGE_COUNT,
};

struct state {
    char *path;
    bool read_only;
    /* The writer thread's from state_start on; until then reading uses it too. */
    sqlite3 *database;
    sqlite3 *reader;    /* made by state_start */
    sqlite3_stmt *find; /* of the connection that reads */

    bool started;
    pthread_t thread;
    struct mailbox mailbox;
    struct message stop;
    sqlite3_stmt *changes[CHANGE_COUNT];
    unsigned gather_ms;
    struct error failure; /* the writer's; kind ERROR_NONE while all is well */
    atomic_uint_least64_t change_count;
    atomic_uint_least64_t commit_count;
};

/* The connection that reading functions use now. */
sqlite3 *state_reader(const struct state *state);

/* Opens one more connection to the same database, for reading. */
bool state_open_reader(const struct state *state, sqlite3 **ret_database,
                       struct error *error) MUST_USE;

/* Sets the error from what the connection last reported, with advice where there is some. */
bool state_error(const char *path, sqlite3 *database, const char *what, struct error *error);

bool state_prepare(const struct state *state, sqlite3 *database, const char *sql,
                   sqlite3_stmt **ret_statement, struct error *error) MUST_USE;

/* Values into a statement, from parameter `first` on; NULL texts as "". Texts must live until the
 * statement's next use, or until its bindings are cleared. */
bool state_bind_texts(sqlite3_stmt *statement, int first, const char *const *texts, size_t count);
bool state_bind_numbers(sqlite3_stmt *statement, int first, const int64_t *numbers, size_t count);
/* Runs a statement whose values are bound. */
bool state_step(sqlite3_stmt *statement);
/* Copies at most STATE_ERROR_MAX bytes of whole UTF-8 sequences; "?" for a byte that belongs to
 * none (an error's text may have been cut within one), so that what is kept can be written as JSON.
 */
void state_error_text_copy(const char *text, char *copy);

/* Columns of a row: "" for no text, 0 for a number that does not fit. */
const char *state_text_at(sqlite3_stmt *row, int column);
unsigned state_unsigned_at(sqlite3_stmt *row, int column);
/* Calls `each` with the statement for every row, until it says false. */
bool state_walk(struct state *state, const char *sql,
                bool (*each)(void *context, sqlite3_stmt *row), void *context,
                struct error *error) MUST_USE;

/* Applies a change of an import within the transaction. */
bool import_apply(struct state *state, const struct state_change *change);
extern const char *const import_sql[CHANGE_COUNT]; /* the statements of imports; else NULL */

/* Ends the writer after what was posted. */
void state_stop(struct state *state);

#endif
