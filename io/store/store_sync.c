/* fsync by plain system calls, from a few threads at once: file systems make one commit of their
 * journal of fsyncs that wait together, and one of each that comes alone. On a busy disk that is
 * 50 certificates a second with one thread where it is over 1,000 with these. */
#include "store/syncer.h"

#include "file/bytes.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* They sleep in the disk's queue and need no core. */
#define SYNC_THREADS 31

struct plain_syncer {
    struct syncer syncer;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t work;  /* there are targets, or it ends */
    pthread_cond_t idle;  /* all targets are done */
    struct sync_target *targets;
    size_t count;
    size_t next;
    size_t done;
    bool ending;
    pthread_t threads[SYNC_THREADS];
    size_t thread_count;
};

/* Syncs targets until none is left to begin; enters and leaves with the lock. */
static void targets_sync(struct plain_syncer *self)
{
    while (self->next < self->count) {
        struct sync_target *target = &self->targets[self->next++];
        pthread_mutex_unlock(&self->lock);
        target->error = bytes_sync(target->fd);
        pthread_mutex_lock(&self->lock);
        if (++self->done == self->count)
            pthread_cond_signal(&self->idle);
    }
}

static void *thread_run(void *context)
{
    struct plain_syncer *self = context;
    pthread_mutex_lock(&self->lock);
    while (!self->ending) {
        targets_sync(self);
        if (!self->ending)
            pthread_cond_wait(&self->work, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void plain_sync(struct syncer *syncer, struct sync_target *targets, size_t count)
{
    struct plain_syncer *self = (struct plain_syncer *)syncer;
    pthread_mutex_lock(&self->lock);
    self->targets = targets;
    self->count = count;
    self->next = self->done = 0;
    if (count > 1)
        pthread_cond_broadcast(&self->work);
    targets_sync(self);
    while (self->done < self->count)
        pthread_cond_wait(&self->idle, &self->lock);
    self->count = self->next = self->done = 0;
    pthread_mutex_unlock(&self->lock);
}

static void plain_free(struct syncer *syncer)
{
    struct plain_syncer *self = (struct plain_syncer *)syncer;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_broadcast(&self->work);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < self->thread_count; i++)
        pthread_join(self->threads[i], NULL);
    pthread_cond_destroy(&self->work);
    pthread_cond_destroy(&self->idle);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Fewer threads, even none, only make it slower: the caller's own syncs too. */
static void threads_start(struct plain_syncer *self, size_t count)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (self->thread_count < count &&
           pthread_create(&self->threads[self->thread_count], NULL, thread_run, self) == 0)
        (void)pthread_setname_np(self->threads[self->thread_count++], "store-sync");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool syncer_plain_new(size_t most, struct syncer **ret_syncer, struct error *error)
{
    struct plain_syncer *self = calloc(1, sizeof *self);
    if (self == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the store");
    self->syncer = (struct syncer){.mode = STORE_SYNC, .sync = plain_sync, .free = plain_free};
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->work, NULL);
    pthread_cond_init(&self->idle, NULL);
    threads_start(self, most - 1 < SYNC_THREADS ? most - 1 : SYNC_THREADS);
    *ret_syncer = &self->syncer;
    return true;
}
