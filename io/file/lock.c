#include "io/file.h"

#include "file/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define PROCESS_TEXT_MAX 16

/* Names the holder from what it wrote. Between its lock and its write the file may still hold the
 * number of an older, dead process, which is not named. */
static bool lock_busy(int fd, const char *path, struct error *error)
{
    char text[PROCESS_TEXT_MAX];
    ssize_t len = pread(fd, text, sizeof text, 0);
    uint64_t process = 0;
    if (len > 0 && span_to_u64(span_trim(span_make(text, (size_t)len)), INT32_MAX, &process) &&
        process > 0 && (kill((pid_t)process, 0) == 0 || errno == EPERM))
        return error_set(error, ERROR_BUSY, "%s is held by process %d", path, (int)process);
    return error_set(error, ERROR_BUSY, "%s is held by another process", path);
}

static int lock_describe(int fd)
{
    char text[PROCESS_TEXT_MAX];
    int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) < 0)
        return errno;
    return bytes_write(fd, span_make(text, (size_t)len));
}

bool file_lock(const char *path, int *ret_fd, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return error_system(error, errno, "opening lock %s", path);
    int failed = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (failed == EWOULDBLOCK) {
        lock_busy(fd, path, error);
        close(fd);
        return false;
    }
    struct stat held = {0};
    struct stat named = {0};
    if (failed == 0 && (fstat(fd, &held) != 0 || lstat(path, &named) != 0))
        failed = errno;
    /* Somebody removed the file in between: the lock would be on a file that no one else sees. */
    if (failed == 0 && (held.st_ino != named.st_ino || held.st_dev != named.st_dev))
        failed = ESTALE;
    if (failed == 0)
        failed = lock_describe(fd);
    if (failed != 0) {
        close(fd);
        return error_system(error, failed, "taking lock %s", path);
    }
    *ret_fd = fd;
    return true;
}
