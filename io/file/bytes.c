#include "file/bytes.h"

#include <errno.h>
#include <unistd.h>

int bytes_write(int fd, struct span data)
{
    while (data.len > 0) {
        ssize_t wrote = write(fd, data.data, data.len);
        if (wrote < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        /* No file system should, and going on would be for ever. */
        if (wrote == 0)
            return EIO;
        data = span_from(data, (size_t)wrote);
    }
    return 0;
}

int bytes_sync(int fd)
{
    while (fsync(fd) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}
