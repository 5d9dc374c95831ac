/* The store's thread: takes what waits in the mailbox, up to a batch at a time. While one batch is
 * synced the next gathers, so that batches grow by themselves when the disk is slow. */
#include "io/store.h"

#include "io/file.h"
#include "store/batch.h"
#include "store/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xxhash.h>

#define BATCH_DEFAULT 256
#define BATCH_MAX     4096
#define ROOT_MODE     0700

enum message_kind { MESSAGE_JOB, MESSAGE_END };

struct store {
    struct mailbox mailbox;
    struct message end;
    store_done *done;
    pthread_t thread;
    struct batch batch;
    uint64_t *name_hashes;   /* of the batch's jobs */
    struct message *waiting; /* taken out of the mailbox, in order */
    struct message **waiting_last;
    bool ending;
    pthread_mutex_t lock; /* for `counts` */
    struct store_counts counts;
};

/* --- Gathering a batch ------------------------------------------------------------------------ */

static void waiting_take(struct store *store)
{
    *store->waiting_last = mailbox_take(&store->mailbox);
    while (*store->waiting_last != NULL)
        store->waiting_last = &(*store->waiting_last)->next;
}

static void waiting_drop_first(struct store *store)
{
    store->waiting = store->waiting->next;
    if (store->waiting == NULL)
        store->waiting_last = &store->waiting;
}

static bool batch_has(const struct store *store, uint64_t hash)
{
    for (size_t i = 0; i < store->batch.count; i++)
        if (store->name_hashes[i] == hash)
            return true;
    return false;
}

/* Two jobs of one certificate never share a batch: the rounds would mix their order. */
static void batch_gather(struct store *store)
{
    struct batch *batch = &store->batch;
    while (store->waiting != NULL && batch->count < batch->capacity) {
        struct message *message = store->waiting;
        if (message->kind == MESSAGE_END) {
            store->ending = true;
        } else {
            struct store_job *job = (struct store_job *)message;
            struct span name = span_of(job->name);
            uint64_t hash = XXH3_64bits(name.data, name.len);
            if (batch_has(store, hash))
                return;
            store->name_hashes[batch->count] = hash;
            batch_add(batch, job);
        }
        waiting_drop_first(store);
    }
}

static void batch_finish(struct store *store)
{
    struct batch *batch = &store->batch;
    pthread_mutex_lock(&store->lock);
    store->counts = batch->counts;
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < batch->count; i++)
        store->done(batch->works[i].job);
    batch->count = 0;
}

static void mailbox_wait(const struct store *store)
{
    struct pollfd wait = {.fd = store->mailbox.event_fd, .events = POLLIN};
    (void)poll(&wait, 1, -1);
}

static void *store_run(void *context)
{
    struct store *store = context;
    for (;;) {
        waiting_take(store);
        batch_gather(store);
        if (store->batch.count > 0) {
            batch_run(&store->batch);
            batch_finish(store);
        } else if (store->ending) {
            return NULL;
        } else {
            mailbox_wait(store);
        }
    }
}

/* --- Making and ending ------------------------------------------------------------------------ */

static int root_open(const char *root, const char *name, struct error *error)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", root, name);
    if (len < 0 || (size_t)len >= sizeof path) {
        error_system(error, ENAMETOOLONG, "opening %s/%s", root, name);
        return -1;
    }
    if (!folder_make(path, ROOT_MODE, error))
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        error_system(error, errno, "opening folder %s", path);
    return fd;
}

/* Half of the descriptors that the process may have are left to others. */
static size_t batch_size(unsigned wanted)
{
    size_t size = wanted == 0 ? BATCH_DEFAULT : wanted < BATCH_MAX ? wanted : BATCH_MAX;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 / WORK_FDS < size)
        size = limit.rlim_cur / 2 / WORK_FDS;
    return size > 0 ? size : 1;
}

static bool syncer_new(enum store_mode mode, size_t batch, struct syncer **ret_syncer,
                       struct error *error)
{
    unsigned depth = (unsigned)BATCH_TARGETS(batch);
    if (depth > 512)
        depth = 512;
    if (mode == STORE_RING)
        return syncer_ring_new(depth, ret_syncer, error);
    if (mode == STORE_AUTO && syncer_ring_new(depth, ret_syncer, NULL))
        return true;
    return syncer_plain_new(BATCH_TARGETS(batch), ret_syncer, error);
}

/* Signals are for the threads that expect them; also, a write past RLIMIT_FSIZE then is an error
 * and not the end of the process. */
static int thread_start(struct store *store)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&store->thread, NULL, store_run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        (void)pthread_setname_np(store->thread, "store");
    return failed;
}

/* Whatever is there of it, without the thread. */
static void store_release(struct store *store)
{
    struct batch *batch = &store->batch;
    if (batch->syncer != NULL)
        batch->syncer->free(batch->syncer);
    shared_free(batch->shared);
    if (batch->archive_fd >= 0)
        close(batch->archive_fd);
    if (batch->live_fd >= 0)
        close(batch->live_fd);
    batch_free(batch);
    free(store->name_hashes);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* On XFS, fsyncs that begin together force the log each for itself; after one has forced it, those
 * of what was written before find little to do. (Batches of 64: 164 to 143 us of CPU a certificate,
 * 829 to 1,342 certificates a second.) On ext4 with a journal they share its commit anyway, and
 * without one they have nothing to share. */
static bool one_leads(int folder_fd)
{
    struct statfs status;
    return fstatfs(folder_fd, &status) == 0 && status.f_type == XFS_SUPER_MAGIC;
}

static bool store_open(struct store *store, const struct store_options *options, size_t size,
                       struct error *error)
{
    struct batch *batch = &store->batch;
    TRY(batch_new(size, batch, error));
    batch->point = options->point;
    batch->archive_fd = root_open(options->root, "archive", error);
    TRY(batch->archive_fd >= 0);
    batch->one_leads = one_leads(batch->archive_fd);
    batch->shared = shared_new(batch->archive_fd);
    if (batch->shared == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the store");
    batch->live_fd = root_open(options->root, "live", error);
    TRY(batch->live_fd >= 0);
    TRY(syncer_new(options->mode, size, &batch->syncer, error));
    TRY(mailbox_init(&store->mailbox, error));
    int failed = thread_start(store);
    if (failed == 0)
        return true;
    mailbox_free(&store->mailbox);
    return error_system(error, failed, "starting the store's thread");
}

bool store_new(const struct store_options *options, struct store **ret_store, struct error *error)
{
    size_t size = batch_size(options->batch);
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the store");
    store->done = options->done;
    store->waiting_last = &store->waiting;
    store->batch.archive_fd = store->batch.live_fd = -1;
    pthread_mutex_init(&store->lock, NULL);
    store->name_hashes = calloc(size, sizeof *store->name_hashes);
    bool ok = store->name_hashes != NULL
                  ? store_open(store, options, size, error)
                  : error_set(error, ERROR_MEMORY, "no memory for the store");
    if (!ok) {
        store_release(store);
        return false;
    }
    *ret_store = store;
    return true;
}

void store_submit(struct store *store, struct store_job *job)
{
    job->message.kind = MESSAGE_JOB;
    mailbox_post(&store->mailbox, &job->message);
}

enum store_mode store_mode_used(const struct store *store)
{
    return store->batch.syncer->mode;
}

void store_count(struct store *store, struct store_counts *ret_counts)
{
    pthread_mutex_lock(&store->lock);
    *ret_counts = store->counts;
    pthread_mutex_unlock(&store->lock);
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    store->end.kind = MESSAGE_END;
    mailbox_post(&store->mailbox, &store->end);
    pthread_join(store->thread, NULL);
    mailbox_free(&store->mailbox);
    store_release(store);
}
