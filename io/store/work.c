/* How files come into a SEQUENCE folder.
 *
 * Nobody looks at certificates there before live/NAME points to it, so they get their names at
 * once: a crash may leave half of one, which the same job, done again, replaces.
 *
 * Keys are looked at: a later run uses the key that it finds, for an order may have been finalized
 * with it. So they have a temporary name until all of them is durable; then they are renamed, and
 * then the folder is made durable. The same goes for a file that is to replace one of a run that
 * crashed, and for one that the live pair lacks. */
#include "store/work.h"

#include "file/bytes.h"
#include "store/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_MAX (STORE_NAME_MAX + 8)
#define KEY_FILE      "privkey.pem"

void work_init(struct store_work *work, struct store_job *job)
{
    *work = (struct store_work){.job = job, .name_fd = -1, .sequence_fd = -1};
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        work->files[i].fd = -1;
    job->ok = false;
    job->error = (struct error){0};
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void work_fail_at(struct store_work *work, int failed, const char *what, const char *file)
{
    const struct store_job *job = work->job;
    work->failed = true;
    error_system(&work->job->error, failed, "%s archive/%s/%u%s%s", what, job->name, job->sequence,
                 file != NULL ? "/" : "", file != NULL ? file : "");
}

void work_fail_live(struct store_work *work, int failed, const char *what)
{
    work->failed = true;
    error_system(&work->job->error, failed, "%s live/%s", what, work->job->name);
}

static void temporary_name(char *text, const char *name)
{
    snprintf(text, TEMPORARY_MAX, ".%s.tmp", name);
}

/* --- Is it a job at all? ---------------------------------------------------------------------- */

static bool file_is_valid(const struct store_job *job, size_t index, struct error *error)
{
    const struct store_file *file = &job->files[index];
    if (!name_is_valid(file->name))
        return error_set(error, ERROR_CONFIG, "not a file's name for the store");
    if (file->data.len > STORE_FILE_SIZE_MAX)
        return error_set(error, ERROR_LIMIT, "%s is larger than %u bytes", file->name,
                         STORE_FILE_SIZE_MAX);
    for (size_t i = 0; i < index; i++)
        if (strcmp(job->files[i].name, file->name) == 0)
            return error_set(error, ERROR_CONFIG, "%s is there twice", file->name);
    return true;
}

static bool job_is_valid(const struct store_job *job, struct error *error)
{
    if (!name_is_valid(job->name))
        return error_set(error, ERROR_CONFIG, "not a certificate's name for the store");
    if (job->sequence == 0)
        return error_set(error, ERROR_CONFIG, "%s: the store's sequences begin at 1", job->name);
    if (job->file_count == 0 || job->file_count > STORE_FILES_MAX)
        return error_set(error, ERROR_CONFIG, "%s: 1 to %d files can be stored", job->name,
                         STORE_FILES_MAX);
    for (size_t i = 0; i < job->file_count; i++)
        if (!file_is_valid(job, i, error))
            return error_prefix(error, "%s: ", job->name);
    return true;
}

/* --- Folders ---------------------------------------------------------------------------------- */

/* What live/NAME is now. Anything but a symbolic link is somebody's own and is not replaced. */
static void live_look(struct store_work *work, int live_fd)
{
    char found[LINK_TEXT_MAX];
    char expected[LINK_TEXT_MAX];
    ssize_t len = readlinkat(live_fd, work->job->name, found, sizeof found - 1);
    if (len < 0) {
        if (errno == EINVAL)
            work_fail_live(work, EEXIST, "something that is not a symbolic link is at");
        else if (errno != ENOENT)
            work_fail_live(work, errno, "reading");
        work->is_first = !work->failed;
        return;
    }
    found[len] = '\0';
    link_text(expected, work->job->name, work->job->sequence);
    work->is_live = strcmp(found, expected) == 0;
}

static bool job_brings_key(const struct store_job *job)
{
    if (job->step == STORE_KEY)
        return true;
    for (size_t i = 0; i < job->file_count; i++)
        if (strcmp(job->files[i].name, KEY_FILE) == 0)
            return true;
    return false;
}

static void folders_open(struct store_work *work, int archive_fd)
{
    /* Mostly the key is there, so are the folders, and the upper one need not be synced. */
    if (!job_brings_key(work->job)) {
        work->sequence_fd = sequence_open(archive_fd, work->job->name, work->job->sequence);
        if (work->sequence_fd >= 0)
            return;
    }
    char sequence[16];
    snprintf(sequence, sizeof sequence, "%u", work->job->sequence);
    bool made = false;
    work->name_fd = subfolder_open(archive_fd, work->job->name, &made);
    if (work->name_fd >= 0)
        work->sequence_fd = subfolder_open(work->name_fd, sequence, &made);
    if (work->sequence_fd < 0)
        work_fail_at(work, errno, "opening folder", NULL);
    /* A folder that is there may be left of a run that ended before it was durable; only after a
     * key was stored in it is it known to be. */
    work->sync_parents = made || job_brings_key(work->job);
}

void work_begin(struct store_work *work, int archive_fd, int live_fd)
{
    if (!job_is_valid(work->job, &work->job->error)) {
        work->failed = true;
        return;
    }
    live_look(work, live_fd);
    if (!work->failed)
        folders_open(work, archive_fd);
}

/* --- Files ------------------------------------------------------------------------------------ */

static bool owner_is_given(const struct store_job *job)
{
    return job->uid != (uid_t)-1 || job->gid != (gid_t)-1;
}

/* Until the file has its owner it is closed to all others. */
static mode_t first_mode(const struct store_job *job, const struct store_file *file)
{
    return owner_is_given(job) ? 0600 : file->mode & 0777;
}

static int file_fill(int fd, const struct store_job *job, const struct store_file *file)
{
    if (owner_is_given(job) && fchown(fd, job->uid, job->gid) != 0)
        return errno;
    int failed = mode_set(fd, file->mode & 0777);
    if (failed == 0)
        failed = bytes_write(fd, file->data);
    /* Begins to write it to disk, so that the first of the fsyncs that follow finds all files under
     * way. An error comes again at the fsync. */
    if (failed == 0)
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return failed;
}

/* The live pair is never changed in place, since it would be half a pair in between. */
static bool file_is_present(struct store_work *work, const struct store_file *file)
{
    switch (file_compare(work->sequence_fd, file->name, file->data)) {
    case FILE_MISSING:
        return false;
    case FILE_SAME:
        return true;
    case FILE_DIFFERS:
        work_fail_at(work, EEXIST, "is live and differs:", file->name);
        return false;
    case FILE_UNREADABLE:
    default:
        work_fail_at(work, errno, "reading", file->name);
        return false;
    }
}

/* Makes the file that is to be filled; false with errno. */
static bool file_make(struct store_work *work, size_t index)
{
    const char *name = work->job->files[index].name;
    mode_t mode = first_mode(work->job, &work->job->files[index]);
    struct file_work *own = &work->files[index];
    if (!work->is_live && strcmp(name, KEY_FILE) != 0) {
        own->fd = file_make_new(work->sequence_fd, name, mode);
        own->made = MADE_FILE;
        if (own->fd >= 0 || errno != EEXIST)
            return own->fd >= 0;
    }
    char temporary[TEMPORARY_MAX];
    temporary_name(temporary, name);
    own->fd = temporary_make(work->sequence_fd, temporary, mode);
    own->made = MADE_TEMPORARY;
    work->renames = true;
    return own->fd >= 0;
}

void work_write(struct store_work *work, size_t index, struct shared *shared,
                struct store_counts *counts)
{
    const struct store_file *file = &work->job->files[index];
    struct file_work *own = &work->files[index];
    if (work->is_live && (file_is_present(work, file) || work->failed))
        return;
    if (file->shared && !work->is_live && shared_link(shared, work->job, file, work->sequence_fd)) {
        own->made = MADE_FILE;
        counts->links++;
        return;
    }
    int failed = 0;
    if (!file_make(work, index)) {
        failed = errno;
        own->made = MADE_NOTHING;
    } else {
        failed = file_fill(own->fd, work->job, file);
    }
    if (failed != 0) {
        work_fail_at(work, failed, "writing", file->name);
        return;
    }
    counts->files++;
    counts->bytes += file->data.len;
}

void work_rename(struct store_work *work)
{
    for (size_t i = 0; i < work->job->file_count; i++) {
        const char *name = work->job->files[i].name;
        struct file_work *own = &work->files[i];
        if (own->made != MADE_TEMPORARY)
            continue;
        char temporary[TEMPORARY_MAX];
        temporary_name(temporary, name);
        if (renameat(work->sequence_fd, temporary, work->sequence_fd, name) != 0) {
            work_fail_at(work, errno, "renaming to", name);
            return;
        }
        own->made = MADE_NOTHING;
    }
}

/* --- The switch ------------------------------------------------------------------------------- */

/* From here on the folder may be the live one, whatever fails. */
static void files_keep(struct store_work *work)
{
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        work->files[i].made = MADE_NOTHING;
}

static void point_reach(store_point *point, const char *name)
{
    if (point != NULL)
        point(name);
}

/* The link is there, or is replaced, in one step that nobody sees half of. 0 or an errno. */
static int live_link(struct store_work *work, int live_fd, store_point *point)
{
    const char *name = work->job->name;
    char temporary[TEMPORARY_MAX];
    char target[LINK_TEXT_MAX];
    link_text(target, name, work->job->sequence);
    if (work->is_first) {
        point_reach(point, "before-switch");
        files_keep(work);
        return symlinkat(target, live_fd, name) == 0 ? 0 : errno;
    }
    temporary_name(temporary, name);
    int failed = temporary_link(live_fd, temporary, target);
    if (failed != 0)
        return failed;
    point_reach(point, "before-switch");
    files_keep(work);
    if (renameat(live_fd, temporary, live_fd, name) == 0)
        return 0;
    failed = errno;
    (void)unlinkat(live_fd, temporary, 0);
    return failed;
}

void work_switch(struct store_work *work, int live_fd, store_point *point)
{
    struct stat status;
    int found = fstatat(work->sequence_fd, KEY_FILE, &status, AT_SYMLINK_NOFOLLOW);
    if (found != 0 || !S_ISREG(status.st_mode)) {
        work_fail_at(work, found != 0 ? errno : EINVAL, "no switch without a key:", KEY_FILE);
        return;
    }
    int failed = live_link(work, live_fd, point);
    if (failed != 0) {
        work_fail_live(work, failed, "switching");
        return;
    }
    work->switched = true;
    point_reach(point, "after-switch");
}

static void files_remove(const struct store_work *work)
{
    for (size_t i = 0; i < STORE_FILES_MAX; i++) {
        if (work->files[i].made == MADE_NOTHING)
            continue;
        char temporary[TEMPORARY_MAX];
        const char *name = work->job->files[i].name;
        temporary_name(temporary, name);
        (void)unlinkat(work->sequence_fd, work->files[i].made == MADE_TEMPORARY ? temporary : name,
                       0);
    }
}

void work_end(struct store_work *work)
{
    if (work->failed)
        files_remove(work);
    for (size_t i = 0; i < STORE_FILES_MAX; i++)
        fd_close(&work->files[i].fd);
    fd_close(&work->sequence_fd);
    fd_close(&work->name_fd);
    work->job->ok = !work->failed;
}
