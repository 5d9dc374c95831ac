/* Small files: read whole with a ceiling, written atomically and durably, locked. */
#ifndef CERTMILL_IO_FILE_H
#define CERTMILL_IO_FILE_H

#include "base/buf.h"

#include <sys/stat.h>

/* Appends the whole file to *out (whose limit is the ceiling). `status` may be NULL.
 * ERROR_NOT_FOUND when there is none; refuses anything but a regular file (or, with the path "-",
 * standard input). On failure *out holds what it held before. */
bool file_read(const char *path, struct buf *out, struct stat *status,
               struct error *error) MUST_USE;

/* Durable: temporary file beside it, write, fsync, rename, fsync of the folder. The mode is exact,
 * whatever the umask, and never wider than 0600 before all is written. A symbolic link at `path` is
 * replaced, not followed. A crash may leave ".<file>.XXXXXX" behind. */
bool file_write(const char *path, struct span data, mode_t mode, struct error *error) MUST_USE;

/* mkdir -p; new folders get exactly `mode`, and their parents are fsynced. */
bool folder_make(const char *path, mode_t mode, struct error *error) MUST_USE;
bool folder_sync(const char *path, struct error *error) MUST_USE;

/* Takes an exclusive lock (flock) on the file (made when missing, 0600), without waiting, and
 * writes this process's number into it. ERROR_BUSY names the process that holds it. The lock ends
 * when the descriptor is closed or the process dies; the file stays and means nothing by itself. */
bool file_lock(const char *path, int *ret_fd, struct error *error) MUST_USE;

#endif
