/* The operator's files, read and checked for a command. */
#ifndef CERTMILL_CLI_INPUTS_H
#define CERTMILL_CLI_INPUTS_H

#include "aws/profile.h"
#include "cli/options.h"
#include "config/manifest.h"

struct inputs {
    struct manifest manifest;
    struct accounts accounts;
    const char *state_folder;      /* --state, the manifest's, or the default */
    struct aws_profiles *profiles; /* NULL: the manifest needs none */
    size_t warnings;
};

/* Reads the manifest and the accounts file that the options name. Says on standard error what is
 * wrong with them, and what is only odd. False when there is any error: the command then ends with
 * ENDING_USAGE. Free with inputs_free either way. */
bool inputs_read(const struct command_options *options, struct inputs *ret_inputs) MUST_USE;
/* The same for a manifest that is not written yet; data NULL: as inputs_read. */
bool inputs_read_text(const struct command_options *options, struct span text,
                      struct inputs *ret_inputs) MUST_USE;
/* The manifest alone, without the accounts file. */
bool inputs_read_manifest(const struct command_options *options,
                          struct inputs *ret_inputs) MUST_USE;
void inputs_free(struct inputs *inputs);

/* The state folder; no file is read when --state alone is given. The text lives as
 * long as `inputs`, which is to be freed either way. */
bool inputs_state_folder(const struct command_options *options, struct inputs *ret_inputs) MUST_USE;

#endif
