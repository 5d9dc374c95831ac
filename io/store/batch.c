/* What must be on disk before what:
 *
 *   files (by temporary names) -> their names in SEQUENCE -> SEQUENCE, NAME, archive
 *     -> STORE_KEY is done;  STORE_CERTIFICATE: live/NAME -> live -> done
 *
 * Each arrow is an fsync of the left before the right begins, for all jobs of the batch together. A
 * job that fails drops out; the others go on. */
#include "store/batch.h"

#include "file/bytes.h"
#include "store/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_MAX (STORE_NAME_MAX + 8)
#define KEY_FILE      "privkey.pem"

bool batch_new(size_t capacity, struct batch *ret_batch, struct error *error)
{
    struct batch batch = {.archive_fd = -1, .live_fd = -1, .capacity = capacity};
    batch.works = calloc(capacity, sizeof *batch.works);
    batch.targets = calloc(capacity * STORE_FILES_MAX + 1, sizeof *batch.targets);
    if (batch.works == NULL || batch.targets == NULL) {
        batch_free(&batch);
        return error_set(error, ERROR_MEMORY, "no memory for the store");
    }
    *ret_batch = batch;
    return true;
}

void batch_free(struct batch *batch)
{
    free(batch->works);
    free(batch->targets);
}

void batch_add(struct batch *batch, struct store_job *job)
{
    struct store_work *work = &batch->works[batch->count++];
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

/* "archive/NAME/SEQUENCE", and "/FILE" when there is one. */
static void work_fail_at(struct store_work *work, int failed, const char *what, const char *file)
{
    const struct store_job *job = work->job;
    work->failed = true;
    error_system(&work->job->error, failed, "%s archive/%s/%u%s%s", what, job->name, job->sequence,
                 file != NULL ? "/" : "", file != NULL ? file : "");
}

static void work_fail_live(struct store_work *work, int failed, const char *what)
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
static void live_look(const struct batch *batch, struct store_work *work)
{
    char found[LINK_TEXT_MAX];
    char expected[LINK_TEXT_MAX];
    ssize_t len = readlinkat(batch->live_fd, work->job->name, found, sizeof found - 1);
    if (len < 0) {
        if (errno == EINVAL)
            work_fail_live(work, EEXIST, "something that is not a symbolic link is at");
        else if (errno != ENOENT)
            work_fail_live(work, errno, "reading");
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

static void folders_open(const struct batch *batch, struct store_work *work)
{
    char sequence[16];
    snprintf(sequence, sizeof sequence, "%u", work->job->sequence);
    bool made = false;
    work->name_fd = subfolder_open(batch->archive_fd, work->job->name, &made);
    if (work->name_fd >= 0)
        work->sequence_fd = subfolder_open(work->name_fd, sequence, &made);
    if (work->sequence_fd < 0)
        work_fail_at(work, errno, "opening folder", NULL);
    /* A folder that is there may be left of a run that ended before it was durable; only after a
     * key was stored in it is it known to be. */
    work->sync_parents = made || job_brings_key(work->job);
}

/* --- Files ------------------------------------------------------------------------------------ */

static int temporary_fill(int fd, const struct store_job *job, const struct store_file *file)
{
    if ((job->uid != (uid_t)-1 || job->gid != (gid_t)-1) && fchown(fd, job->uid, job->gid) != 0)
        return errno;
    if (fchmod(fd, file->mode & 0777) != 0)
        return errno;
    int failed = bytes_write(fd, file->data);
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

static void file_write_temporary(struct batch *batch, struct store_work *work, size_t index)
{
    const struct store_file *file = &work->job->files[index];
    struct file_work *own = &work->files[index];
    if (work->is_live) {
        own->present = file_is_present(work, file);
        if (own->present || work->failed)
            return;
    }
    char temporary[TEMPORARY_MAX];
    temporary_name(temporary, file->name);
    own->fd = temporary_open(work->sequence_fd, temporary);
    own->temporary = own->fd >= 0;
    int failed = own->fd >= 0 ? temporary_fill(own->fd, work->job, file) : errno;
    if (failed != 0) {
        work_fail_at(work, failed, "writing", file->name);
        return;
    }
    batch->counts.files++;
    batch->counts.bytes += file->data.len;
}

static void file_rename(struct store_work *work, size_t index)
{
    const char *name = work->job->files[index].name;
    struct file_work *own = &work->files[index];
    if (!own->temporary)
        return;
    char temporary[TEMPORARY_MAX];
    temporary_name(temporary, name);
    if (renameat(work->sequence_fd, temporary, work->sequence_fd, name) != 0)
        work_fail_at(work, errno, "renaming to", name);
    else
        own->temporary = false;
}

/* --- Rounds ----------------------------------------------------------------------------------- */

static void round_write(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (!job_is_valid(work->job, &work->job->error)) {
            work->failed = true;
            continue;
        }
        live_look(batch, work);
        if (!work->failed)
            folders_open(batch, work);
        for (size_t f = 0; f < work->job->file_count && !work->failed; f++)
            file_write_temporary(batch, work, f);
    }
}

static void target_add(struct batch *batch, size_t *count, int fd, struct store_work *work,
                       const char *file)
{
    batch->targets[(*count)++] = (struct sync_target){.fd = fd, .work = work, .file = file};
}

static void round_sync_files(struct batch *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        for (size_t f = 0; f < work->job->file_count && !work->failed; f++)
            if (work->files[f].fd >= 0)
                target_add(batch, &count, work->files[f].fd, work, work->job->files[f].name);
    }
    batch->syncer->sync(batch->syncer, batch->targets, count);
    batch->counts.file_syncs += count;
    for (size_t i = 0; i < count; i++)
        if (batch->targets[i].error != 0)
            work_fail_at(batch->targets[i].work, batch->targets[i].error,
                         "making durable:", batch->targets[i].file);
}

static void round_rename(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        for (size_t f = 0; f < STORE_FILES_MAX; f++)
            fd_close(&work->files[f].fd);
        for (size_t f = 0; f < work->job->file_count && !work->failed; f++)
            file_rename(work, f);
    }
}

static void round_sync_folders(struct batch *batch)
{
    size_t count = 0;
    bool sync_archive = false;
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (work->failed)
            continue;
        target_add(batch, &count, work->sequence_fd, work, NULL);
        if (work->sync_parents)
            target_add(batch, &count, work->name_fd, work, NULL);
        sync_archive |= work->sync_parents;
    }
    size_t archive_at = count;
    if (sync_archive)
        target_add(batch, &count, batch->archive_fd, NULL, NULL);
    batch->syncer->sync(batch->syncer, batch->targets, count);
    batch->counts.folder_syncs += count;
    for (size_t i = 0; i < archive_at; i++)
        if (batch->targets[i].error != 0)
            work_fail_at(batch->targets[i].work, batch->targets[i].error, "making durable: folder",
                         NULL);
    if (!sync_archive || batch->targets[archive_at].error == 0)
        return;
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->works[i].failed && batch->works[i].sync_parents)
            work_fail_at(&batch->works[i], batch->targets[archive_at].error,
                         "making durable: folder", NULL);
}

static void point_reach(const struct batch *batch, const char *name)
{
    if (batch->point != NULL)
        batch->point(name);
}

static void round_points(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_work *work = &batch->works[i];
        if (!work->failed)
            point_reach(batch, work->job->step == STORE_KEY ? "key-durable" : "files-written");
    }
}

/* --- The switch ------------------------------------------------------------------------------- */

static void live_switch(const struct batch *batch, struct store_work *work)
{
    const char *name = work->job->name;
    struct stat status;
    int found = fstatat(work->sequence_fd, KEY_FILE, &status, AT_SYMLINK_NOFOLLOW);
    if (found != 0 || !S_ISREG(status.st_mode)) {
        work_fail_at(work, found != 0 ? errno : EINVAL, "no switch without a key:", KEY_FILE);
        return;
    }
    char temporary[TEMPORARY_MAX];
    char target[LINK_TEXT_MAX];
    temporary_name(temporary, name);
    link_text(target, name, work->job->sequence);
    int failed = temporary_link(batch->live_fd, temporary, target);
    if (failed == 0) {
        point_reach(batch, "before-switch");
        if (renameat(batch->live_fd, temporary, batch->live_fd, name) != 0) {
            failed = errno;
            (void)unlinkat(batch->live_fd, temporary, 0);
        }
    }
    if (failed != 0)
        work_fail_live(work, failed, "switching");
    else
        point_reach(batch, "after-switch");
}

static void round_switch(struct batch *batch)
{
    struct sync_target live = {.fd = batch->live_fd};
    bool switched = false;
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (work->failed || work->job->step != STORE_CERTIFICATE)
            continue;
        live_switch(batch, work);
        switched |= !work->failed;
    }
    if (!switched)
        return;
    batch->syncer->sync(batch->syncer, &live, 1);
    batch->counts.folder_syncs++;
    for (size_t i = 0; i < batch->count && live.error != 0; i++)
        if (!batch->works[i].failed && batch->works[i].job->step == STORE_CERTIFICATE)
            work_fail_live(&batch->works[i], live.error, "switched, but not known to be durable:");
}

static void work_end(struct batch *batch, struct store_work *work)
{
    for (size_t f = 0; f < STORE_FILES_MAX; f++) {
        fd_close(&work->files[f].fd);
        if (!work->files[f].temporary)
            continue;
        char temporary[TEMPORARY_MAX];
        temporary_name(temporary, work->job->files[f].name);
        (void)unlinkat(work->sequence_fd, temporary, 0);
    }
    fd_close(&work->sequence_fd);
    fd_close(&work->name_fd);
    work->job->ok = !work->failed;
    batch->counts.jobs++;
    batch->counts.failed += work->failed;
}

void batch_run(struct batch *batch)
{
    round_write(batch);
    round_sync_files(batch);
    round_rename(batch);
    round_sync_folders(batch);
    round_points(batch);
    round_switch(batch);
    for (size_t i = 0; i < batch->count; i++)
        work_end(batch, &batch->works[i]);
    batch->counts.batches++;
}
