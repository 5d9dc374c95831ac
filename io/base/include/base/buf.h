/* A growing byte buffer with a ceiling. Always ends in a NUL that `len` does not count. */
#ifndef CERTMILL_BASE_BUF_H
#define CERTMILL_BASE_BUF_H

#include "base/span.h"

struct buf {
    char *data;
    size_t len;
    size_t capacity;
    size_t limit; /* appending past it fails */
    bool secret;  /* wiped when it grows, is cleared or freed */
};

void buf_init(struct buf *buf, size_t limit);
void buf_init_secret(struct buf *buf, size_t limit);
void buf_free(struct buf *buf);  /* and leaves it empty, ready for use */
void buf_clear(struct buf *buf); /* keeps the memory */

/* Each returns false when the ceiling or the memory is reached; the buffer keeps what it held. */
bool buf_append(struct buf *buf, const void *data, size_t len) MUST_USE;
bool buf_append_span(struct buf *buf, struct span span) MUST_USE;
bool buf_append_text(struct buf *buf, const char *text) MUST_USE;
bool buf_append_char(struct buf *buf, char c) MUST_USE;
bool buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Makes room for `more` bytes and returns where they go; the caller adds to len. NULL on failure.
 */
char *buf_reserve(struct buf *buf, size_t more) MUST_USE;

/* "" when nothing was ever appended; never NULL. Valid until the next append. */
const char *buf_text(const struct buf *buf);
struct span buf_span(const struct buf *buf);

#endif
