/* STATE/enrolled.yaml, for the commands that need no manifest. */
#ifndef CERTMILL_CLI_ENROLLED_FILE_H
#define CERTMILL_CLI_ENROLLED_FILE_H

#include "cli/options.h"

#include <limits.h>

struct enrolled_file {
    char path[PATH_MAX];
    const char *state_folder;
};

/* Where it is: --state, else the default state folder. */
bool enrolled_file_at(const struct command_options *options, struct enrolled_file *ret_file,
                      struct error *error) MUST_USE;
/* The options with the manifest they name, else with this file, which then has to be there. The
 * options' text points into *file. */
bool enrolled_file_options(const struct command_options *options, struct enrolled_file *file,
                           struct command_options *ret_options, struct error *error) MUST_USE;

#endif
