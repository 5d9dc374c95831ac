/* Inside the command line parser: what its two files share. */
#ifndef CERTMILL_CLI_OPTIONS_PARSER_H
#define CERTMILL_CLI_OPTIONS_PARSER_H

#include "cli/options.h"

struct parser {
    struct command_options options;
    struct error *error;
};

/* Sets the error: the command's name, what is wrong, and where to read more. Returns false. */
bool parser_error(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);

/* Takes one option; `value` is NULL for those without one. */
bool parser_take(struct parser *parser, const struct option_spec *spec, const char *value) MUST_USE;

#endif
