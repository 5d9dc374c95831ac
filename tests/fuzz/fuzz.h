/* What the fuzz targets share. A target is one file fuzz_NAME.c: fuzz_input reads the input as the
 * program would read it from a stranger, and REQUIREs what must hold of whatever was made of it.
 * libFuzzer has the main function. Longer runs: tests/fuzz/run. */
#ifndef CERTMILL_FUZZ_H
#define CERTMILL_FUZZ_H

#include "base/buf.h"

/* Once, before the first input. Targets without anything to prepare have an empty one. */
void fuzz_prepare(void);
/* The bytes end where their memory ends; the empty input is {NULL, 0}. */
void fuzz_input(struct span input);

/* Ends the run with the place; libFuzzer then keeps the input. */
#define REQUIRE(condition)                             \
    do {                                               \
        if (!(condition))                              \
            fuzz_fail(__FILE__, __LINE__, #condition); \
    } while (0)

void fuzz_fail(const char *file, int line, const char *condition) __attribute__((noreturn));

/* An error that is set and can be shown: with a kind, a text that ends, and no control characters.
 */
void fuzz_require_error(const struct error *error);
/* One line for a terminal or a log: well-formed UTF-8 without control characters, line separators,
 * and marks that turn the direction of writing. */
void fuzz_require_line(const char *text);
/* The part lies inside of the whole (an empty one anywhere). */
void fuzz_require_inside(struct span part, struct span whole);

#endif
