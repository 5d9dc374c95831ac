/* Words of strangers (a CA, a hook) made safe to show on a terminal and to put into a log. */
#ifndef CERTMILL_ACME_PRINTABLE_H
#define CERTMILL_ACME_PRINTABLE_H

#include "base/span.h"

/* Copies the text into `out` of `size` bytes (at least 4), NUL-terminated: well-formed UTF-8 only
 * (other bytes become "?"), each run of blanks and control characters becomes one blank, so that no
 * escape sequence, line end or change of the writing direction is left. Text too long for it ends
 * in "...". Returns the length. */
size_t printable_copy(struct span text, char *out, size_t size);

/* The same for what an error says already, which may quote a stranger. Returns false. */
bool printable_error(struct error *error);

#endif
