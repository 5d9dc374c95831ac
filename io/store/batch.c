/* What must be on disk before what:
 *
 *   key:          privkey.pem, by a temporary name -> its name -> SEQUENCE -> done
 *                 NAME, archive -> done
 *   certificate:  files, SEQUENCE -> live/NAME -> live -> done
 *
 * Each arrow is an fsync of the left before the right begins, for all jobs of the batch together,
 * in two rounds: all but the SEQUENCE folders of keys, and live; then these. A certificate with a
 * file that must have a temporary name too (work.c) needs one round more. A job that fails drops
 * out; the others go on. */
#include "store/batch.h"

#include "file/bytes.h"

#include <stdlib.h>

bool batch_new(size_t capacity, struct batch *ret_batch, struct error *error)
{
    struct batch batch = {.archive_fd = -1, .live_fd = -1, .capacity = capacity};
    batch.works = calloc(capacity, sizeof *batch.works);
    batch.targets = calloc(BATCH_TARGETS(capacity), sizeof *batch.targets);
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
    work_init(&batch->works[batch->count++], job);
}

/* --- What a round makes durable --------------------------------------------------------------- */

static void target_add(struct batch *batch, int fd, struct store_work *work, const char *file)
{
    batch->targets[batch->target_count++] =
        (struct sync_target){.fd = fd, .work = work, .file = file};
}

static void target_failed(struct batch *batch, const struct sync_target *target)
{
    if (target->work != NULL) {
        work_fail_at(target->work, target->error,
                     target->file != NULL ? "making durable:" : "making durable: folder",
                     target->file);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (work->failed)
            continue;
        if (target->fd == batch->archive_fd && work->sync_parents)
            work_fail_at(work, target->error, "making durable: folder", NULL);
        else if (target->fd == batch->live_fd && work->switched)
            work_fail_live(work, target->error, "switched, but not known to be durable:");
    }
}

/* Makes all targets durable, and fails the jobs of those that cannot be. */
static void targets_sync(struct batch *batch)
{
    if (batch->target_count == 0)
        return;
    size_t led = batch->one_leads && batch->target_count > 1;
    if (led > 0)
        batch->targets[0].error = bytes_sync(batch->targets[0].fd);
    batch->syncer->sync(batch->syncer, batch->targets + led, batch->target_count - led);
    for (size_t i = 0; i < batch->target_count; i++) {
        const struct sync_target *target = &batch->targets[i];
        if (target->work != NULL && target->file != NULL)
            batch->counts.file_syncs++;
        else
            batch->counts.folder_syncs++;
        if (target->error != 0)
            target_failed(batch, target);
    }
    batch->target_count = 0;
}

/* --- Rounds ----------------------------------------------------------------------------------- */

static void round_write(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        work_begin(work, batch->archive_fd, batch->live_fd);
        for (size_t f = 0; f < work->job->file_count && !work->failed; f++)
            work_write(work, f, batch->shared, &batch->counts);
    }
}

static void round_sync(struct batch *batch)
{
    bool sync_archive = false;
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (work->failed)
            continue;
        for (size_t f = 0; f < work->job->file_count; f++)
            if (work->files[f].fd >= 0)
                target_add(batch, work->files[f].fd, work, work->job->files[f].name);
        if (!work->renames)
            target_add(batch, work->sequence_fd, work, NULL);
        if (work->sync_parents)
            target_add(batch, work->name_fd, work, NULL);
        sync_archive |= work->sync_parents;
    }
    if (sync_archive)
        target_add(batch, batch->archive_fd, NULL, NULL);
    targets_sync(batch);
}

static void round_rename(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (!work->failed && work->renames)
            work_rename(work);
    }
}

static void renamed_add(struct batch *batch, enum store_step step)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (!work->failed && work->renames && work->job->step == step)
            target_add(batch, work->sequence_fd, work, NULL);
    }
}

static void round_points(const struct batch *batch, enum store_step step, const char *name)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->point != NULL && !batch->works[i].failed && batch->works[i].job->step == step)
            batch->point(name);
}

static void round_switch(struct batch *batch)
{
    bool switched = false;
    for (size_t i = 0; i < batch->count; i++) {
        struct store_work *work = &batch->works[i];
        if (work->failed || work->job->step != STORE_CERTIFICATE)
            continue;
        work_switch(work, batch->live_fd, batch->point);
        switched |= work->switched;
    }
    if (switched)
        target_add(batch, batch->live_fd, NULL, NULL);
}

void batch_run(struct batch *batch)
{
    round_write(batch);
    round_sync(batch);
    round_rename(batch);
    renamed_add(batch, STORE_CERTIFICATE);
    targets_sync(batch);
    round_points(batch, STORE_CERTIFICATE, "files-written");
    round_switch(batch);
    renamed_add(batch, STORE_KEY);
    targets_sync(batch);
    round_points(batch, STORE_KEY, "key-durable");
    for (size_t i = 0; i < batch->count; i++) {
        work_end(&batch->works[i]);
        batch->counts.jobs++;
        batch->counts.failed += batch->works[i].failed;
    }
    batch->counts.batches++;
}
