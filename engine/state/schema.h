/* The tables of STATE/state.db and how an older database becomes a newer one. */
#ifndef CERTMILL_STATE_SCHEMA_H
#define CERTMILL_STATE_SCHEMA_H

#include "base/result.h"

#include <sqlite3.h>

/* "ctml", in the database's header: tells certmill's databases from others'. */
#define SCHEMA_APPLICATION_ID 0x63746d6c

struct schema_identity {
    int application_id;
    int version;    /* 0: no tables yet */
    bool is_empty;  /* not one page */
    bool is_ours;   /* the application id is certmill's, or the database is empty */
    bool is_newer;  /* than this program */
    bool is_latest; /* needs no migration */
};

/* Reads the header. Returns an SQLite result code. */
int schema_identify(sqlite3 *database, struct schema_identity *ret_identity) MUST_USE;

/* Brings the tables up to date in one transaction. Returns an SQLite result code. */
int schema_migrate(sqlite3 *database) MUST_USE;

int schema_version_latest(void);

/* Looks for damage at a cost that does not grow with the database: all of a small one, the ends of
 * each table of a large one. SQLITE_OK, or a code; SQLITE_CORRUPT also for what quick_check finds.
 */
int schema_check(sqlite3 *database) MUST_USE;

#endif
