#include "store/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SUBFOLDER_MODE 0755

bool name_is_valid(const char *name)
{
    /* A '.' in front would be "..", or one of the store's own temporary names. */
    if (name == NULL || name[0] == '\0' || name[0] == '.')
        return false;
    size_t len = 0;
    for (; name[len] != '\0'; len++)
        if (len == STORE_NAME_MAX || name[len] == '/' || (unsigned char)name[len] < 0x20 ||
            name[len] == 0x7f)
            return false;
    return true;
}

void link_text(char *text, const char *name, unsigned sequence)
{
    snprintf(text, LINK_TEXT_MAX, "../archive/%s/%u", name, sequence);
}

int mode_set(int fd, mode_t mode)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno;
    return (status.st_mode & 07777) == mode || fchmod(fd, mode) == 0 ? 0 : errno;
}

int sequence_open(int archive_fd, const char *name, unsigned sequence)
{
    char path[STORE_NAME_MAX + 16];
    snprintf(path, sizeof path, "%s/%u", name, sequence);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, archive_fd, path, &how, sizeof how);
}

int subfolder_open(int folder_fd, const char *name, bool *made)
{
    bool is_new = mkdirat(folder_fd, name, SUBFOLDER_MODE) == 0;
    if (!is_new && errno != EEXIST)
        return -1;
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int failed = is_new ? mode_set(fd, SUBFOLDER_MODE) : 0;
    if (failed != 0) {
        close(fd);
        errno = failed;
        return -1;
    }
    *made |= is_new;
    return fd;
}

int file_make_new(int folder_fd, const char *name, mode_t mode)
{
    /* O_EXCL: never somebody else's file, nor through a link, nor one with another mode. */
    return openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

int temporary_make(int folder_fd, const char *name, mode_t mode)
{
    int fd = file_make_new(folder_fd, name, mode);
    if (fd >= 0 || errno != EEXIST)
        return fd;
    if (unlinkat(folder_fd, name, 0) != 0)
        return -1;
    return file_make_new(folder_fd, name, mode);
}

int temporary_link(int folder_fd, const char *name, const char *target)
{
    if (symlinkat(target, folder_fd, name) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    if (unlinkat(folder_fd, name, 0) != 0 || symlinkat(target, folder_fd, name) != 0)
        return errno;
    return 0;
}

static enum comparison descriptor_compare(int fd, struct span data)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return FILE_UNREADABLE;
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != data.len)
        return FILE_DIFFERS;
    char part[4096];
    enum comparison result = FILE_SAME;
    while (data.len > 0 && result == FILE_SAME) {
        ssize_t got = read(fd, part, data.len < sizeof part ? data.len : sizeof part);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            result = FILE_UNREADABLE;
        else if (got == 0 || memcmp(part, data.data, (size_t)got) != 0)
            result = FILE_DIFFERS;
        else
            data = span_from(data, (size_t)got);
    }
    int failed = errno;
    explicit_bzero(part, sizeof part); /* it may be a private key */
    errno = failed;
    return result;
}

enum comparison file_compare(int folder_fd, const char *name, struct span data)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? FILE_MISSING : FILE_UNREADABLE;
    enum comparison result = descriptor_compare(fd, data);
    int failed = errno;
    close(fd);
    errno = failed;
    return result;
}

/* The number of a SEQUENCE folder's name as the store writes it; 0 for any other name. */
static unsigned sequence_parse(const char *name)
{
    uint64_t sequence;
    if (name[0] == '0' || !span_to_u64(span_of(name), UINT_MAX, &sequence))
        return 0;
    return (unsigned)sequence;
}

static bool entry_is_folder(int folder_fd, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    struct stat status;
    return fstatat(folder_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
}

bool store_last_sequence(const char *root, const char *name, unsigned *ret_sequence,
                         struct error *error)
{
    char path[PATH_MAX];
    if (!name_is_valid(name))
        return error_set(error, ERROR_CONFIG, "not a certificate's name for the store");
    int len = snprintf(path, sizeof path, "%s/archive/%s", root, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return error_system(error, ENAMETOOLONG, "reading %s/archive", root);
    DIR *folder = opendir(path);
    if (folder == NULL && errno == ENOENT) {
        *ret_sequence = 0;
        return true;
    }
    if (folder == NULL)
        return error_system(error, errno, "reading %s", path);
    unsigned last = 0;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        unsigned sequence = sequence_parse(entry->d_name);
        if (sequence > last && entry_is_folder(dirfd(folder), entry))
            last = sequence;
    }
    int failed = errno;
    closedir(folder);
    if (failed != 0)
        return error_system(error, failed, "reading %s", path);
    *ret_sequence = last;
    return true;
}

unsigned store_live_sequence(const char *root, const char *name)
{
    char path[PATH_MAX];
    char found[LINK_TEXT_MAX];
    char expected[LINK_TEXT_MAX];
    if (!name_is_valid(name))
        return 0;
    int len = snprintf(path, sizeof path, "%s/live/%s", root, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return 0;
    ssize_t size = readlink(path, found, sizeof found - 1);
    if (size <= 0)
        return 0;
    found[size] = '\0';
    const char *slash = strrchr(found, '/');
    unsigned sequence = slash != NULL ? sequence_parse(slash + 1) : 0;
    if (sequence == 0)
        return 0;
    link_text(expected, name, sequence);
    return strcmp(found, expected) == 0 ? sequence : 0;
}
