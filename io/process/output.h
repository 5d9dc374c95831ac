/* What a child process wrote: its last bytes, and its last line for an error message. */
#ifndef CERTMILL_PROCESS_OUTPUT_H
#define CERTMILL_PROCESS_OUTPUT_H

#include "base/buf.h"

enum output_state { OUTPUT_MORE, OUTPUT_LATER, OUTPUT_END };

/* `limit` bytes are kept. The buffer's own limit is higher, so that dropping is done seldom. */
void output_init(struct buf *output, size_t limit);

/* Reads once from a non-blocking descriptor. */
enum output_state output_read(struct buf *output, size_t limit, int fd);

/* Drops all but the last `limit` bytes. */
void output_trim(struct buf *output, size_t limit);

/* Writes the last line that is not blank into `text` of `size` bytes, NUL-terminated: no control
 * characters, nothing but UTF-8; "" when there is none. */
void output_last_line(const struct buf *output, char *text, size_t size);

#endif
