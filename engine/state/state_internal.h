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
    CHANGE_RECORD_PUT,
    CHANGE_RECORD_DELETE,
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

/* Ends the writer after what was posted. */
void state_stop(struct state *state);

#endif
