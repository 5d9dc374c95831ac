/* Words of strangers (a CA, a hook, a file) made safe to show on a terminal and to put into a log.
 */
#ifndef CERTMILL_BASE_PRINTABLE_H
#define CERTMILL_BASE_PRINTABLE_H

#include "base/span.h"

/* False for what moves the cursor, takes no room, or turns the writing direction, by which a text
 * can look like another: C0, DEL and C1 controls, line separators, zero-width and bidirectional
 * marks. */
bool printable_is_shown(uint32_t character);

/* The UTF-8 character at the start of the text: its length in bytes, 0 when it is not well-formed
 * or the text is empty; *ret_character is then not set. */
size_t printable_decode(struct span text, uint32_t *ret_character);

/* Copies the text into `out` of `size` bytes (at least 4), NUL-terminated: well-formed UTF-8 only
 * (other bytes become "?"), each run of blanks and control characters becomes one blank, so that no
 * escape sequence, line end or change of the writing direction is left. Text too long for it ends
 * in "...". Returns the length. */
size_t printable_copy(struct span text, char *out, size_t size);

/* The same for what an error says already, which may quote a stranger. Returns false. */
bool printable_error(struct error *error);

#endif
