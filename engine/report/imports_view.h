/* How `list` and `status` show what ACM holds of a certificate. */
#ifndef CERTMILL_REPORT_IMPORTS_VIEW_H
#define CERTMILL_REPORT_IMPORTS_VIEW_H

#include "base/json.h"
#include "state/state.h"

/* What a target has of the certificate whose live sequence is given: "imported", "behind" (an
 * earlier one, or none yet), "failed" (and what it has may be behind), "intended" (an import may
 * have been sent). */
const char *import_state_name(const struct state_import *row, unsigned sequence);

/* The cell of a table: the ARN of the only target, "12 targets", "12 targets, 2 not up to
 * date", "" without any. */
#define IMPORTS_CELL_MAX 320
bool imports_cell(struct state_import_cursor *cursor, const char *name, unsigned sequence,
                  char *text, struct error *error) MUST_USE;

/* An array with an object for each target. */
bool imports_json(struct state_import_cursor *cursor, const char *name, unsigned sequence,
                  json_t **ret_list, struct error *error) MUST_USE;

#endif
