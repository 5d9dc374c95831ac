/* What is wrong with the operator's files: every error at once, each with file, line, column and
 * field.
 *
 *   fleet.yaml:12:5: certificates[3].challenge: "http" is not allowed: use none, http-01, ... */
#ifndef CERTMILL_CONFIG_DIAGNOSTICS_H
#define CERTMILL_CONFIG_DIAGNOSTICS_H

#include "base/arena.h"

/* After this many the rest is counted, not kept; warnings leave room for errors. */
#define DIAGNOSTICS_MAX          100
#define DIAGNOSTICS_WARNINGS_MAX 50

struct diagnostic {
    bool warning;
    const char *text; /* the whole line, ready to print */
};

struct diagnostics {
    struct arena arena;
    struct diagnostic items[DIAGNOSTICS_MAX];
    size_t count;
    size_t errors; /* kept and not */
    size_t warnings;
};

void diagnostics_init(struct diagnostics *diagnostics);
void diagnostics_free(struct diagnostics *diagnostics);

/* `line` and `column` count from 1; line 0 leaves both out; `field` may be NULL. The text says what
 * is wrong and what is allowed; it never holds a secret. */
void diagnostics_error(struct diagnostics *diagnostics, const char *file, size_t line,
                       size_t column, const char *field, const char *format, ...) PRINTF_LIKE(6, 7);
void diagnostics_warning(struct diagnostics *diagnostics, const char *file, size_t line,
                         size_t column, const char *field, const char *format, ...)
    PRINTF_LIKE(6, 7);

#endif
