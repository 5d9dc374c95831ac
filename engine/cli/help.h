/* What certmill says about itself. */
#ifndef CERTMILL_CLI_HELP_H
#define CERTMILL_CLI_HELP_H

#include "cli/options.h"

#include <stdio.h>

/* The help of the command, or the overview when that is NULL. */
void help_print(FILE *out, const struct command *command);
/* certmill's version and those of the libraries it runs with. */
void help_version(FILE *out);

#endif
