/* The two ways behind bulk_read. */
#ifndef CERTMILL_IO_FILE_BULK_READ_H
#define CERTMILL_IO_FILE_BULK_READ_H

#include "io/bulk_read.h"

#define BULK_OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* When it fails with *ret_started false, no file was read: io_uring is missing or forbidden. */
bool bulk_read_ring(const struct bulk_read *request, bool *ret_started,
                    struct error *error) MUST_USE;

/* Gives one result to the caller: `got` bytes of the at most file_limit + 1 that were asked for, or
 * a negative errno. */
void bulk_deliver(const struct bulk_read *request, size_t index, const char *data, int64_t got);

#endif
