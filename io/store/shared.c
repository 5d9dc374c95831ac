#include "store/shared.h"

#include "file/bytes.h"
#include "store/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FOLDER ".shared"
/* A run meets a chain or two for each account; those beyond are files of their own. */
#define KINDS_MAX 64
/* Full files in a row: at 65,000 links each that is 65 million certificates. */
#define NUMBER_MAX 1000
#define NAME_SIZE  96

/* One content, mode and owner. */
struct kind {
    XXH128_hash_t content;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    unsigned number; /* of the file that is in use */
    int fd;          /* of that file, which keeps its inode from being another's; -1: none */
    struct stat status;
};

struct shared {
    int archive_fd;
    int folder_fd; /* -1 until it is needed */
    bool off;      /* it does not work here */
    struct kind kinds[KINDS_MAX];
    size_t count;
};

struct shared *shared_new(int archive_fd)
{
    struct shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->archive_fd = archive_fd;
    shared->folder_fd = -1;
    return shared;
}

void shared_free(struct shared *shared)
{
    if (shared == NULL)
        return;
    for (size_t i = 0; i < shared->count; i++)
        if (shared->kinds[i].fd >= 0)
            close(shared->kinds[i].fd);
    if (shared->folder_fd >= 0)
        close(shared->folder_fd);
    free(shared);
}

/* NULL when there is no room for another. */
static struct kind *kind_find(struct shared *shared, const struct store_job *job,
                              const struct store_file *file, bool *ret_new)
{
    const struct kind wanted = {
        .content = XXH3_128bits(file->data.data, file->data.len),
        .mode = file->mode & 0777,
        .uid = job->uid,
        .gid = job->gid,
        .number = 1,
        .fd = -1,
    };
    for (size_t i = 0; i < shared->count; i++) {
        struct kind *kind = &shared->kinds[i];
        if (XXH128_isEqual(kind->content, wanted.content) && kind->mode == wanted.mode &&
            kind->uid == wanted.uid && kind->gid == wanted.gid)
            return kind;
    }
    if (shared->count == KINDS_MAX)
        return NULL;
    struct kind *kind = &shared->kinds[shared->count++];
    *kind = wanted;
    *ret_new = true;
    return kind;
}

static void kind_name(char *name, const struct kind *kind)
{
    int len =
        snprintf(name, NAME_SIZE, "%016llx%016llx-%03o", (unsigned long long)kind->content.high64,
                 (unsigned long long)kind->content.low64, (unsigned)kind->mode);
    if (kind->uid != (uid_t)-1 || kind->gid != (gid_t)-1)
        len +=
            snprintf(name + len, NAME_SIZE - (size_t)len, "-%d-%d", (int)kind->uid, (int)kind->gid);
    if (kind->number > 1)
        snprintf(name + len, NAME_SIZE - (size_t)len, ".%u", kind->number);
}

static bool folder_open(struct shared *shared, bool make)
{
    bool made = false;
    if (shared->folder_fd < 0 && make)
        shared->folder_fd = subfolder_open(shared->archive_fd, FOLDER, &made);
    else if (shared->folder_fd < 0)
        shared->folder_fd =
            openat(shared->archive_fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return shared->folder_fd >= 0;
}

static void file_close(struct kind *kind)
{
    if (kind->fd >= 0)
        close(kind->fd);
    kind->fd = -1;
}

/* --- The file that links are made to ---------------------------------------------------------- */

/* Takes into use what an earlier run left. It has its name only since it is durable. */
static bool file_find(struct shared *shared, struct kind *kind, struct span data)
{
    char name[NAME_SIZE];
    kind_name(name, kind);
    if (!folder_open(shared, false) || file_compare(shared->folder_fd, name, data) != FILE_SAME)
        return false;
    kind->fd = openat(shared->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (kind->fd < 0)
        return false;
    /* Without a wish, the owner is whoever makes the file: that is whom a file made now gets. */
    uid_t uid = kind->uid == (uid_t)-1 ? geteuid() : kind->uid;
    const struct stat *status = &kind->status;
    if (fstat(kind->fd, &kind->status) == 0 && S_ISREG(status->st_mode) &&
        (status->st_mode & 07777) == kind->mode && status->st_uid == uid &&
        (kind->gid == (gid_t)-1 || status->st_gid == kind->gid))
        return true;
    file_close(kind);
    return false;
}

static bool file_fill(int fd, const struct kind *kind, struct span data)
{
    if ((kind->uid != (uid_t)-1 || kind->gid != (gid_t)-1) && fchown(fd, kind->uid, kind->gid) != 0)
        return false;
    return mode_set(fd, kind->mode) == 0 && bytes_write(fd, data) == 0 && bytes_sync(fd) == 0;
}

/* The folder need not be durable: a file that it loses still is what its links point to. */
static bool file_make(struct shared *shared, struct kind *kind, struct span data)
{
    char name[NAME_SIZE];
    char temporary[NAME_SIZE + 8];
    kind_name(name, kind);
    snprintf(temporary, sizeof temporary, ".%s.tmp", name);
    if (!folder_open(shared, true))
        return false;
    int fd = temporary_make(shared->folder_fd, temporary, 0600);
    if (fd < 0)
        return false;
    if (file_fill(fd, kind, data) && fstat(fd, &kind->status) == 0 &&
        renameat(shared->folder_fd, temporary, shared->folder_fd, name) == 0) {
        kind->fd = fd;
        return true;
    }
    close(fd);
    (void)unlinkat(shared->folder_fd, temporary, 0);
    return false;
}

/* The name is still that of the file that was checked, and nobody wrote to it since, or made it
 * another's. */
static bool file_is_good(const struct shared *shared, const struct kind *kind)
{
    struct stat now;
    const struct stat *then = &kind->status;
    char name[NAME_SIZE];
    kind_name(name, kind);
    return fstatat(shared->folder_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_dev == then->st_dev && now.st_ino == then->st_ino &&
           now.st_size == then->st_size && now.st_mode == then->st_mode &&
           now.st_uid == then->st_uid && now.st_gid == then->st_gid &&
           now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

/* --- Links ------------------------------------------------------------------------------------ */

/* 0 or an errno. */
static int link_make(const struct shared *shared, const struct kind *kind, int folder_fd,
                     const char *file)
{
    char name[NAME_SIZE];
    kind_name(name, kind);
    return linkat(shared->folder_fd, name, folder_fd, file, 0) == 0 ? 0 : errno;
}

bool shared_link(struct shared *shared, const struct store_job *job, const struct store_file *file,
                 int folder_fd)
{
    bool is_new = false;
    struct kind *kind =
        shared->off || file->data.len == 0 ? NULL : kind_find(shared, job, file, &is_new);
    if (kind == NULL)
        return false;
    if (kind->fd >= 0 && !file_is_good(shared, kind))
        file_close(kind);
    bool made = false;
    while (!made && kind->number <= NUMBER_MAX) {
        if (kind->fd < 0 && !file_find(shared, kind, file->data)) {
            if (is_new)
                return false;
            made = file_make(shared, kind, file->data);
            if (!made)
                break;
        }
        int failed = link_make(shared, kind, folder_fd, file->name);
        if (failed == 0)
            return true;
        if (failed == EEXIST)
            return false;
        file_close(kind);
        /* Somebody removed the file: it is made anew for the next certificate. */
        if (failed == ENOENT)
            return false;
        if (failed != EMLINK)
            break;
        kind->number++;
    }
    shared->off = true;
    return false;
}
