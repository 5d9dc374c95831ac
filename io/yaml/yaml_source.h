/* The bytes that libyaml reads: from memory or a descriptor, with a ceiling on the whole and on
 * what comes between two items, and with the line of any byte of the piece given out last. */
#ifndef CERTMILL_IO_YAML_SOURCE_H
#define CERTMILL_IO_YAML_SOURCE_H

#include "base/span.h"

#define YAML_PIECE ((size_t)64 * 1024)

struct yaml_source {
    int fd;            /* -1: from memory */
    bool close_fd;     /* not for standard input */
    struct span rest;  /* memory not given out yet */
    char *block;       /* what was read from fd last */
    struct span piece; /* what was given out last */
    uint64_t offset;   /* of the piece */
    size_t line;       /* of the piece's first byte, from 1 */
    size_t column;
    uint64_t bytes_max;
    uint64_t gap_max; /* libyaml gathers a value, and skips a comment, before it shows them */
    uint64_t bytes_since_item;
    bool failed;
    struct error error;
};

/* libyaml's yaml_read_handler_t. */
int yaml_source_read(void *data, unsigned char *out, size_t size, size_t *ret_count);

/* The place of the byte at `offset`, or of the nearest one that is still known. */
void yaml_source_place(const struct yaml_source *source, uint64_t offset, size_t *ret_line,
                       size_t *ret_column);

#endif
