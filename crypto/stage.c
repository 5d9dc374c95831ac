/* One queue, and threads that take one job after the other.
 *
 * They are not bound to cores: a key takes the same CPU time either way (RSA-2048: 4.73 ms bound,
 * 4.79 free, with a standard deviation of 0.13 over eight runs of 300 keys each).
 *
 * A thread makes one key at a time: the search fills the eight lanes of AVX-512 with one key's
 * candidates (RSA-4096: 107.9 tests in 13.5 exponentiations). Several keys side by side would save
 * what is tested behind a prime and the lanes that the last rounds leave empty, at most a twentieth
 * of an RSA-4096 key's time, and would hold back the first of them until the last is found. */
#include "crypto/stage.h"

#include "context_internal.h"
#include "key_der.h"
#include "key_maker.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX   256
#define QUEUE_DEFAULT 1024
#define QUEUE_LEAST   16
/* A queued job that brings its key holds up to 4 KiB of the secure heap. */
#define SECURE_BYTES_A_JOB ((size_t)4 * 1024)
#define CSR_MAX            ((size_t)512 * 1024)

struct crypto_stage {
    const struct crypto_context *context;
    crypto_done *done;
    int niceness;
    size_t queue_limit;
    atomic_bool stopping; /* set under the lock; key generation looks at it without */

    pthread_mutex_t lock; /* all below */
    pthread_cond_t work;
    struct crypto_job *first;
    struct crypto_job **last;
    size_t busy; /* jobs waiting or running */
    struct crypto_stage_counts counts;

    unsigned thread_count;
    pthread_t threads[THREADS_MAX];
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static unsigned key_rank(struct key_spec spec)
{
    if (spec.type == KEY_RSA)
        return spec.bits == 2048 ? 0 : spec.bits == 3072 ? 1 : 2;
    return spec.bits == 256 ? 0 : spec.bits == 384 ? 1 : 2;
}

/* The key, its PEM and the CSR; what is half made when something fails goes again. */
static bool job_make(const struct crypto_stage *stage, struct key_maker *maker,
                     struct crypto_job *job)
{
    EVP_PKEY *key CLEANUP(key_release) = NULL;
    struct secret pem CLEANUP(secret_free) = {0};
    bool given = job->key_pem.len > 0;
    if (given) {
        TRY(key_from_pem(stage->context, secret_span(&job->key_pem), &key, &job->error));
    } else {
        TRY(key_maker_generate(maker, stage->context, job->spec, &key, &job->error));
    }
    TRY(key_public_der(key, &job->public_key, &job->error));
    struct span public_der = buf_span(&job->public_key);
    if (!given)
        TRY(key_to_pem_with(key, public_der, &pem, &job->error));
    TRY(csr_make_with(stage->context, key, public_der, job->names, job->name_count, &job->csr,
                      &job->error));
    job->key = key;
    key = NULL;
    if (!given) {
        job->key_pem = pem;
        pem = (struct secret){0};
    }
    job->made_key = !given;
    return true;
}

static void job_run(struct crypto_stage *stage, struct key_maker *maker, struct crypto_job *job)
{
    uint64_t start = clock_us(CLOCK_THREAD_CPUTIME_ID);
    job->ok = job_make(stage, maker, job);
    job->cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - start;
    if (!job->ok) {
        buf_free(&job->csr);
        buf_free(&job->public_key);
    }
}

/* A higher nice value needs no privilege. On Linux it is a thread's own. */
static void thread_be_nice(int niceness)
{
    if (niceness == 0)
        return;
    id_t thread = (id_t)gettid();
    errno = 0;
    int now = getpriority(PRIO_PROCESS, thread);
    if (now != -1 || errno == 0)
        setpriority(PRIO_PROCESS, thread, now + niceness);
}

/* The next job; NULL when the stage ends and nothing waits. *ret_cancelled: it shall not run. */
static struct crypto_job *job_take(struct crypto_stage *stage, bool *ret_cancelled)
{
    pthread_mutex_lock(&stage->lock);
    while (stage->first == NULL && !stage->stopping)
        pthread_cond_wait(&stage->work, &stage->lock);
    struct crypto_job *job = stage->first;
    if (job != NULL) {
        stage->first = job->next;
        if (stage->first == NULL)
            stage->last = &stage->first;
        job->next = NULL;
    }
    *ret_cancelled = stage->stopping;
    pthread_mutex_unlock(&stage->lock);
    return job;
}

/* Counts before `done`, because the job is the caller's from there on. */
static void job_end(struct crypto_stage *stage, struct crypto_job *job)
{
    pthread_mutex_lock(&stage->lock);
    stage->busy--;
    stage->counts.jobs++;
    stage->counts.queue_us += job->queue_us;
    if (job->ok && job->made_key) {
        unsigned rank = key_rank(job->spec);
        stage->counts.keys[job->spec.type][rank]++;
        stage->counts.cpu_us[job->spec.type][rank] += job->cpu_us;
    }
    pthread_mutex_unlock(&stage->lock);
    stage->done(job);
}

static void *thread_main(void *argument)
{
    struct crypto_stage *stage = argument;
    struct key_maker maker CLEANUP(key_maker_free) = {.stopping = &stage->stopping};
    struct crypto_job *job;
    bool cancelled;
    thread_be_nice(stage->niceness);
    while ((job = job_take(stage, &cancelled)) != NULL) {
        job->queue_us = clock_us(CLOCK_MONOTONIC) - job->queue_us;
        if (cancelled)
            error_set(&job->error, ERROR_CANCELLED, "the run is ending");
        else
            job_run(stage, &maker, job);
        job_end(stage, job);
    }
    return NULL;
}

static size_t queue_default(void)
{
    struct crypto_secure_heap heap;
    crypto_secure_heap(&heap);
    size_t fitting = heap.bytes / 2 / SECURE_BYTES_A_JOB;
    if (fitting < QUEUE_LEAST)
        return QUEUE_LEAST;
    return fitting < QUEUE_DEFAULT ? fitting : QUEUE_DEFAULT;
}

bool crypto_stage_new(const struct crypto_context *context,
                      const struct crypto_stage_options *options, struct crypto_stage **ret_stage,
                      struct error *error)
{
    unsigned threads = options->threads != 0 ? options->threads : crypto_core_count();
    if (threads > THREADS_MAX)
        return error_set(error, ERROR_CONFIG, "%u crypto threads, the limit is %d", threads,
                         THREADS_MAX);
    struct crypto_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the crypto stage");
    stage->context = context;
    stage->done = options->done;
    stage->niceness = options->niceness;
    stage->queue_limit = options->queue_limit != 0 ? options->queue_limit : queue_default();
    stage->last = &stage->first;
    pthread_mutex_init(&stage->lock, NULL);
    pthread_cond_init(&stage->work, NULL);
    for (; stage->thread_count < threads; stage->thread_count++) {
        int fault = pthread_create(&stage->threads[stage->thread_count], NULL, thread_main, stage);
        if (fault != 0) {
            crypto_stage_free(stage);
            return error_system(error, fault, "starting crypto threads");
        }
    }
    *ret_stage = stage;
    return true;
}

bool crypto_stage_submit(struct crypto_stage *stage, struct crypto_job *job)
{
    job->next = NULL;
    job->key = NULL;
    buf_init(&job->csr, CSR_MAX);
    buf_init(&job->public_key, KEY_PUBLIC_DER_MAX);
    job->made_key = false;
    job->ok = false;
    job->cpu_us = 0;
    job->error = (struct error){0};
    job->queue_us = clock_us(CLOCK_MONOTONIC); /* the thread makes a duration of it */
    pthread_mutex_lock(&stage->lock);
    bool room = stage->busy < stage->queue_limit && !stage->stopping;
    if (room) {
        stage->busy++;
        *stage->last = job;
        stage->last = &job->next;
        pthread_cond_signal(&stage->work);
    }
    pthread_mutex_unlock(&stage->lock);
    return room;
}

void crypto_stage_count(struct crypto_stage *stage, struct crypto_stage_counts *ret_counts)
{
    pthread_mutex_lock(&stage->lock);
    *ret_counts = stage->counts;
    pthread_mutex_unlock(&stage->lock);
}

void crypto_stage_stop(struct crypto_stage *stage)
{
    pthread_mutex_lock(&stage->lock);
    stage->stopping = true;
    pthread_cond_broadcast(&stage->work);
    pthread_mutex_unlock(&stage->lock);
}

void crypto_stage_free(struct crypto_stage *stage)
{
    if (stage == NULL)
        return;
    crypto_stage_stop(stage);
    for (unsigned i = 0; i < stage->thread_count; i++)
        pthread_join(stage->threads[i], NULL);
    pthread_cond_destroy(&stage->work);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
}
