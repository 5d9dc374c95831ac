/* What `certmill list` and `certmill status NAME` show of the state. */
#ifndef CERTMILL_REPORT_LIST_H
#define CERTMILL_REPORT_LIST_H

#include "base/json.h"
#include "state/state.h"

#include <stdio.h>

struct list_options {
    const char *glob;    /* over names (fnmatch), or NULL */
    const char *account; /* an alias, or NULL */
    int64_t now;         /* unix seconds */
    bool json;           /* an array, element by element */
};

/* Every certificate of the state by name. None at all is no error. */
bool list_print(FILE *out, struct state *state, const struct list_options *options,
                struct error *error) MUST_USE;

struct status_options {
    const char *state_folder;
    const char *name;
    int64_t now;
    bool json;
    bool wants_deploy; /* the manifest has deploy targets for it */
};

/* All that is known of one certificate: the state's row, its open order, the live files and whether
 * they are what the state says, and what to do next. `state` may be NULL (no database yet): then
 * only the live files speak. ERROR_NOT_FOUND, with the names that come close, when neither knows
 * the name. */
bool status_print(FILE *out, struct state *state, const struct status_options *options,
                  struct error *error) MUST_USE;

/* The members of a row, for both. NULL without memory. */
json_t *list_row_json(const struct state_certificate *row, int64_t now) MUST_USE;

#endif
