/* One call of a deploy hook's command. */
#ifndef CERTMILL_DEPLOY_COMMAND_H
#define CERTMILL_DEPLOY_COMMAND_H

#include "config/manifest.h"

/* Runs it and waits. Fails when it does not end with 0: the error names the command, how it ended
 * and its last words; ERROR_CANCELLED when `cancel_fd` ended it. `environment` and `input` as for
 * process_run. */
bool hook_command_run(const char *const *command, unsigned timeout_s,
                      const char *const *environment, struct span input, int cancel_fd,
                      struct error *error) MUST_USE;

/* The variables for one certificate: CERTMILL_NAME, CERTMILL_DOMAINS, CERTMILL_LIVE,
 * RENEWED_LINEAGE, RENEWED_DOMAINS. */
#define COMMAND_VARIABLES 5
struct command_environment {
    struct buf text; /* the variables, each with its NUL */
    const char *variables[COMMAND_VARIABLES + 1];
};
bool command_environment_make(const char *state_folder, const struct manifest_entry *entry,
                              struct command_environment *ret_environment) MUST_USE;
void command_environment_free(struct command_environment *environment);

/* Appends {"name":..., "sequence":..., "domains":[...], "live":"..."} and a line end. */
bool command_line_append(const char *state_folder, const struct manifest_entry *entry,
                         unsigned sequence, struct buf *out) MUST_USE;

bool commands_equal(const char *const *a, const char *const *b);
uint64_t command_digest(const char *const *command); /* the same for equal commands */

#endif
