/* Many small files read at once: io_uring with many open-read-close chains in flight, or plain
 * system calls where there is none. For the planner, which reads every live certificate. */
#ifndef CERTMILL_IO_BULK_READ_H
#define CERTMILL_IO_BULK_READ_H

#include "base/span.h"
#include "io/store.h"

#define BULK_FILE_LIMIT_MAX (1 << 20)

/* Asks for the path of file `index`: writes it (NUL-terminated) into `path` of `size` bytes, false
 * to skip the file. */
typedef bool bulk_path(void *context, size_t index, char *path, size_t size);

/* One file's content, valid during the call; or `system_error` (an errno, EFBIG past the ceiling)
 * with an empty span. Called in any order, on the calling thread, once for each file not skipped.
 */
typedef void bulk_content(void *context, size_t index, struct span content, int system_error);

struct bulk_read {
    enum store_mode mode;
    size_t count;
    size_t file_limit; /* bytes of one file at most, 1 to BULK_FILE_LIMIT_MAX */
    bulk_path *path;
    bulk_content *content;
    void *context;
};

/* False when the ring itself fails; a file that cannot be read is the callback's. */
bool bulk_read(const struct bulk_read *request, struct error *error) MUST_USE;

#endif
