#include "io/file.h"

#include "file/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_CHUNK ((size_t)64 << 10)

static void fd_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool open_failed(int failed, const char *name, struct error *error)
{
    if (failed != ENOENT)
        return error_system(error, failed, "opening %s", name);
    error_set(error, ERROR_NOT_FOUND, "%s does not exist", name);
    if (error != NULL)
        error->sys = failed;
    return false;
}

/* Opened without waiting, so that a FIFO in the file's place cannot hang the program. */
static int file_open(const char *path)
{
    if (strcmp(path, "-") == 0)
        return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* Room for the next read: as much as the ceiling allows, and one byte on the stack past it. */
static bool file_fill(int fd, const char *path, struct buf *out, struct error *error)
{
    for (;;) {
        size_t left = out->limit > out->len ? out->limit - out->len : 0;
        size_t want = left < READ_CHUNK ? left : READ_CHUNK;
        char extra;
        char *at = &extra;
        if (want > 0) {
            at = buf_reserve(out, want);
            if (at == NULL)
                return error_set(error, ERROR_MEMORY, "no memory to read %s", path);
        }
        ssize_t got = read(fd, at, want > 0 ? want : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(error, errno, "reading %s", path);
        if (got == 0)
            return true;
        if (want == 0)
            return error_set(error, ERROR_LIMIT, "%s is larger than %zu bytes", path, out->limit);
        out->len += (size_t)got;
        out->data[out->len] = '\0';
    }
}

bool file_read(const char *path, struct buf *out, struct stat *status, struct error *error)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    int fd CLEANUP(fd_close) = file_open(path);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) != 0)
        return open_failed(errno, name, error);
    if (name == path && !S_ISREG(found.st_mode))
        return error_set(error, ERROR_CONFIG, "%s is not a regular file", name);
    size_t before = out->len;
    if (!file_fill(fd, name, out, error)) {
        if (out->data != NULL) {
            if (out->secret)
                explicit_bzero(out->data + before, out->len - before);
            out->len = before;
            out->data[before] = '\0';
        }
        return false;
    }
    if (status != NULL)
        *status = found;
    return true;
}

/* "FOLDER/.FILE.XXXXXX" for mkostemp. */
static bool temporary_name(const char *path, char *text, size_t size, struct error *error)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    int len = snprintf(text, size, "%.*s.%s.XXXXXX", (int)(file - path), path, file);
    if (len < 0 || (size_t)len >= size)
        return error_system(error, ENAMETOOLONG, "writing %s", path);
    return true;
}

/* fsyncs the folder that holds `path`, which is shorter than PATH_MAX. */
static bool parent_sync(const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return folder_sync(folder, error);
}

static int temporary_fill(int fd, struct span data, mode_t mode)
{
    int failed = bytes_write(fd, data);
    if (failed == 0 && fchmod(fd, mode) != 0)
        failed = errno;
    return failed != 0 ? failed : bytes_sync(fd);
}

bool file_write(const char *path, struct span data, mode_t mode, struct error *error)
{
    char temporary[PATH_MAX];
    TRY(temporary_name(path, temporary, sizeof temporary, error));
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return error_system(error, errno, "writing %s", path);
    int failed = temporary_fill(fd, data, mode);
    close(fd);
    if (failed == 0 && rename(temporary, path) != 0)
        failed = errno;
    if (failed != 0) {
        (void)unlink(temporary);
        return error_system(error, failed, "writing %s", path);
    }
    return parent_sync(path, error);
}

bool folder_sync(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_system(error, errno, "opening folder %s", path);
    int failed = bytes_sync(fd);
    close(fd);
    if (failed != 0)
        return error_system(error, failed, "making folder %s durable", path);
    return true;
}

/* One component, whose parent exists. */
static bool folder_make_one(const char *path, mode_t mode, struct error *error)
{
    if (mkdir(path, mode) != 0) {
        if (errno == EEXIST)
            return true;
        return error_system(error, errno, "making folder %s", path);
    }
    int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* The umask may have taken bits away. */
    if (fd < 0 || fchmod(fd, mode) != 0)
        return error_system(error, errno, "making folder %s", path);
    return parent_sync(path, error);
}

bool folder_make(const char *path, mode_t mode, struct error *error)
{
    char prefix[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof prefix)
        return error_system(error, ENAMETOOLONG, "making folder %s", path);
    memcpy(prefix, path, len + 1);
    while (len > 1 && prefix[len - 1] == '/')
        prefix[--len] = '\0';
    for (size_t i = 1; i < len; i++) {
        if (prefix[i] != '/' || prefix[i - 1] == '/')
            continue;
        prefix[i] = '\0';
        TRY(folder_make_one(prefix, mode, error));
        prefix[i] = '/';
    }
    TRY(folder_make_one(prefix, mode, error));
    struct stat status;
    if (stat(prefix, &status) != 0)
        return error_system(error, errno, "making folder %s", path);
    if (!S_ISDIR(status.st_mode))
        return error_system(error, ENOTDIR, "making folder %s", path);
    return true;
}
