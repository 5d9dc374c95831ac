#include "file/bulk_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

void bulk_deliver(const struct bulk_read *request, size_t index, const char *data, int64_t got)
{
    static const struct span nothing = {.data = "", .len = 0};
    if (got < 0)
        request->content(request->context, index, nothing, (int)-got);
    else if ((uint64_t)got > request->file_limit)
        request->content(request->context, index, nothing, EFBIG);
    else
        request->content(request->context, index, span_make(data, (size_t)got), 0);
}

/* Gives the bytes read, or a negative errno. */
static int64_t file_fill(int fd, char *data, size_t size)
{
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = read(fd, data + filled, size - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    return (int64_t)filled;
}

static bool bulk_read_plain(const struct bulk_read *request, struct error *error)
{
    size_t size = request->file_limit + 1;
    char *data = malloc(size);
    if (data == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to read files");
    char path[PATH_MAX];
    for (size_t i = 0; i < request->count; i++) {
        if (!request->path(request->context, i, path, sizeof path))
            continue;
        int fd = open(path, BULK_OPEN_FLAGS);
        if (fd < 0) {
            bulk_deliver(request, i, data, -errno);
            continue;
        }
        int64_t got = file_fill(fd, data, size);
        close(fd);
        bulk_deliver(request, i, data, got);
    }
    free(data);
    return true;
}

bool bulk_read(const struct bulk_read *request, struct error *error)
{
    if (request->file_limit == 0 || request->file_limit > BULK_FILE_LIMIT_MAX)
        return error_set(error, ERROR_LIMIT, "1 to %d bytes of a file can be read in bulk",
                         BULK_FILE_LIMIT_MAX);
    bool started = false;
    if (request->mode == STORE_SYNC)
        return bulk_read_plain(request, error);
    if (bulk_read_ring(request, &started, error))
        return true;
    if (started || request->mode == STORE_RING)
        return false;
    return bulk_read_plain(request, error);
}
