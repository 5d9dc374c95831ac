/* The state database for commands that only look. */
#ifndef CERTMILL_CLI_STATE_READING_H
#define CERTMILL_CLI_STATE_READING_H

#include "state/state.h"

/* *ret_state is NULL when no run has made a database there yet. */
bool state_reading_open(const char *folder, struct state **ret_state, struct error *error) MUST_USE;
void state_reading_close(struct state **state); /* for CLEANUP; NULL inside is allowed */

#endif
