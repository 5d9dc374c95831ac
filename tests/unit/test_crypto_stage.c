/* crypto/stage: thousands of jobs over threads, a full queue, keys that are brought along, failing
 * jobs, and the end of a run with jobs waiting and keys being made. */
#include "pki.h"

#include "crypto/stage.h"
#include "key_maker.h"
#include "rsa/rsa_search.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

static const char *const names[] = {"www.example.com", "example.com"};

/* Collects what has ended, and can hold the stage's threads inside `done`. */
struct desk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t ended, ok, cancelled, failed;
    size_t inside; /* threads in desk_done */
    bool hold;
    int niceness;
};

static void desk_init(struct desk *desk)
{
    *desk = (struct desk){.hold = false};
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->changed, NULL);
}

static void desk_drop(struct desk *desk)
{
    pthread_cond_destroy(&desk->changed);
    pthread_mutex_destroy(&desk->lock);
}

static void desk_done(struct crypto_job *job)
{
    struct desk *desk = job->owner;
    pthread_mutex_lock(&desk->lock);
    desk->inside++;
    pthread_cond_broadcast(&desk->changed);
    while (desk->hold)
        pthread_cond_wait(&desk->changed, &desk->lock);
    desk->inside--;
    desk->ended++;
    desk->ok += job->ok;
    desk->cancelled += job->error.kind == ERROR_CANCELLED;
    desk->failed += !job->ok && job->error.kind != ERROR_CANCELLED;
    desk->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

/* Waits until `*counter` has reached `wanted`; a run of the tests has its own deadline. */
static void desk_wait(struct desk *desk, const size_t *counter, size_t wanted)
{
    pthread_mutex_lock(&desk->lock);
    while (*counter < wanted)
        pthread_cond_wait(&desk->changed, &desk->lock);
    pthread_mutex_unlock(&desk->lock);
}

static void desk_hold(struct desk *desk, bool hold)
{
    pthread_mutex_lock(&desk->lock);
    desk->hold = hold;
    pthread_cond_broadcast(&desk->changed);
    pthread_mutex_unlock(&desk->lock);
}

static struct crypto_job *jobs_make(struct desk *desk, size_t count, struct key_spec spec)
{
    struct crypto_job *jobs = calloc(count, sizeof *jobs);
    CHECK(jobs != NULL);
    for (size_t i = 0; i < count; i++)
        jobs[i] = (struct crypto_job){
            .id = i, .owner = desk, .spec = spec, .names = names, .name_count = 2};
    return jobs;
}

static void job_drop(struct crypto_job *job)
{
    key_release(&job->key);
    secret_free(&job->key_pem);
    buf_free(&job->csr);
    buf_free(&job->public_key);
}

/* The PEM holds the key, and the CSR is for it. */
static void job_check(const struct crypto_context *context, struct crypto_job *job)
{
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK_OK(job->ok, job->error);
    CHECK(CRYPTO_secure_allocated(job->key_pem.data));
    CHECK_OK(key_from_pem(context, secret_span(&job->key_pem), &key, &error), error);
    CHECK_INT(EVP_PKEY_eq(key, job->key), 1);
    EVP_PKEY_free(key);
    unsigned char *public_der = NULL;
    int public_len = i2d_PUBKEY(job->key, &public_der);
    CHECK(public_len > 0 &&
          span_equal(buf_span(&job->public_key), span_make(public_der, (size_t)public_len)));
    OPENSSL_free(public_der);
    const unsigned char *at = (const unsigned char *)job->csr.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)job->csr.len);
    CHECK(request != NULL);
    CHECK_INT(EVP_PKEY_eq(X509_REQ_get0_pubkey(request), job->key), 1);
    CHECK_INT(X509_REQ_verify(request, job->key), 1);
    X509_REQ_free(request);
}

static struct crypto_stage *stage_make(const struct crypto_context *context, unsigned threads,
                                       size_t queue_limit)
{
    struct error error;
    struct crypto_stage *stage = NULL;
    struct crypto_stage_options options = {
        .threads = threads, .queue_limit = queue_limit, .niceness = 5, .done = desk_done};
    CHECK_OK(crypto_stage_new(context, &options, &stage, &error), error);
    return stage;
}

#define MANY 3000

static void thousands_of_jobs(void)
{
    struct crypto_context *context = pki_context();
    struct desk desk;
    desk_init(&desk);
    struct crypto_stage *stage = stage_make(context, 4, 64);
    struct crypto_job *jobs = jobs_make(&desk, MANY, (struct key_spec){KEY_ECDSA, 256});
    for (size_t i = 0; i < MANY; i++)
        while (!crypto_stage_submit(stage, &jobs[i])) {
            pthread_mutex_lock(&desk.lock);
            size_t ended = desk.ended;
            pthread_mutex_unlock(&desk.lock);
            desk_wait(&desk, &desk.ended, ended + (ended < i ? 1 : 0));
        }
    desk_wait(&desk, &desk.ended, MANY);
    struct crypto_stage_counts counts;
    crypto_stage_count(stage, &counts);
    CHECK_INT(counts.jobs, MANY);
    CHECK_INT(counts.keys[KEY_ECDSA][0], MANY);
    CHECK_INT(counts.keys[KEY_RSA][0], 0);
    uint64_t cpu_us = 0;
    uint64_t queue_us = 0;
    for (size_t i = 0; i < MANY; i++) {
        CHECK(jobs[i].made_key);
        cpu_us += jobs[i].cpu_us;
        queue_us += jobs[i].queue_us;
        if (i % 50 == 0)
            job_check(context, &jobs[i]);
        if (i > 0)
            CHECK_INT(EVP_PKEY_eq(jobs[i].key, jobs[i - 1].key), 0);
    }
    CHECK(cpu_us > 0);
    CHECK_INT(counts.cpu_us[KEY_ECDSA][0], cpu_us);
    CHECK_INT(counts.queue_us, queue_us);
    CHECK_INT(desk.ok, MANY);
    int nicer = getpriority(PRIO_PROCESS, 0) + 5;
    CHECK_INT(desk.niceness, nicer < 19 ? nicer : 19); /* nothing is nicer than 19 */
    for (size_t i = 0; i < MANY; i++)
        job_drop(&jobs[i]);
    crypto_stage_free(stage);
    free(jobs);
    desk_drop(&desk);
    crypto_context_free(context);
}

static void keys_of_every_kind(void)
{
    struct crypto_context *context = pki_context();
    struct desk desk;
    desk_init(&desk);
    struct crypto_stage *stage = stage_make(context, 2, 0);
    struct crypto_job *jobs = jobs_make(&desk, PKI_SPECS, (struct key_spec){KEY_RSA, 2048});
    for (size_t i = 0; i < PKI_SPECS; i++) {
        jobs[i].spec = pki_specs[i];
        CHECK(crypto_stage_submit(stage, &jobs[i]));
    }
    desk_wait(&desk, &desk.ended, PKI_SPECS);
    struct crypto_stage_counts counts;
    crypto_stage_count(stage, &counts);
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct key_spec spec;
        job_check(context, &jobs[i]);
        CHECK(key_spec_of(jobs[i].key, &spec) && key_spec_equal(spec, pki_specs[i]));
        CHECK_INT(counts.keys[spec.type][i % 3], 1);
        job_drop(&jobs[i]);
    }
    crypto_stage_free(stage);
    free(jobs);
    desk_drop(&desk);
    crypto_context_free(context);
}

static void keys_brought_along_are_used(void)
{
    struct crypto_context *context = pki_context();
    struct desk desk;
    struct error error;
    desk_init(&desk);
    struct crypto_stage *stage = stage_make(context, 1, 8);
    struct crypto_job *jobs = jobs_make(&desk, 3, (struct key_spec){KEY_ECDSA, 256});
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 384);
    CHECK_OK(key_to_pem(context, key, &jobs[0].key_pem, &error), error);
    char *pem = jobs[0].key_pem.data;
    CHECK(secret_copy(SPAN_LITERAL("-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE "
                                   "KEY-----\n"),
                      &jobs[1].key_pem));
    static const char *const wrong[] = {"not a name"};
    jobs[2].names = wrong;
    jobs[2].name_count = 1;
    for (size_t i = 0; i < 3; i++)
        CHECK(crypto_stage_submit(stage, &jobs[i]));
    desk_wait(&desk, &desk.ended, 3);
    job_check(context, &jobs[0]);
    CHECK_INT(EVP_PKEY_eq(jobs[0].key, key), 1);
    CHECK(!jobs[0].made_key && jobs[0].key_pem.data == pem);
    /* Failed jobs: nothing half made is left, what was given stays. */
    CHECK(!jobs[1].ok && jobs[1].key == NULL && jobs[1].csr.len == 0);
    CHECK_INT(jobs[1].error.kind, ERROR_CONFIG);
    CHECK(strstr(jobs[1].error.text, "U0VD") == NULL);
    CHECK_CONTAINS(jobs[1].key_pem.data, "U0VDUkVU");
    CHECK(!jobs[2].ok && jobs[2].key == NULL && jobs[2].key_pem.data == NULL);
    CHECK_CONTAINS(jobs[2].error.text, "not a name");
    struct crypto_stage_counts counts;
    crypto_stage_count(stage, &counts);
    CHECK_INT(counts.jobs, 3);
    CHECK_INT(counts.keys[KEY_ECDSA][0] + counts.keys[KEY_ECDSA][1], 0);
    for (size_t i = 0; i < 3; i++)
        job_drop(&jobs[i]);
    EVP_PKEY_free(key);
    crypto_stage_free(stage);
    free(jobs);
    desk_drop(&desk);
    crypto_context_free(context);
}

static void a_full_queue_refuses(void)
{
    struct crypto_context *context = pki_context();
    struct desk desk;
    desk_init(&desk);
    struct crypto_stage *stage = stage_make(context, 1, 4);
    struct crypto_job *jobs = jobs_make(&desk, 6, (struct key_spec){KEY_ECDSA, 256});
    /* The first job ends and holds the only thread; then there is room for four more. */
    desk_hold(&desk, true);
    CHECK(crypto_stage_submit(stage, &jobs[0]));
    desk_wait(&desk, &desk.inside, 1);
    for (size_t i = 1; i < 5; i++)
        CHECK(crypto_stage_submit(stage, &jobs[i]));
    CHECK(!crypto_stage_submit(stage, &jobs[5]));
    CHECK(!crypto_stage_submit(stage, &jobs[5]));
    desk_hold(&desk, false);
    desk_wait(&desk, &desk.ended, 5);
    CHECK(crypto_stage_submit(stage, &jobs[5]));
    desk_wait(&desk, &desk.ended, 6);
    CHECK_INT(desk.ok, 6);
    crypto_stage_free(stage);
    for (size_t i = 0; i < 6; i++)
        job_drop(&jobs[i]);
    free(jobs);
    desk_drop(&desk);
    crypto_context_free(context);
}

static void *free_stage(void *stage)
{
    crypto_stage_free(stage);
    return NULL;
}

static void waiting_jobs_end_as_cancelled(void)
{
    enum {
        WAITING = 50,
        LATE =
            10000, /* as many as may be taken before the other thread has come to end the stage */
    };
    struct crypto_context *context = pki_context();
    struct desk desk;
    desk_init(&desk);
    struct crypto_stage *stage = stage_make(context, 1, WAITING + LATE);
    struct crypto_job *jobs = jobs_make(&desk, WAITING + LATE, (struct key_spec){KEY_ECDSA, 256});
    size_t count = 0;
    desk_hold(&desk, true);
    for (; count < WAITING; count++)
        CHECK(crypto_stage_submit(stage, &jobs[count]));
    desk_wait(&desk, &desk.inside, 1); /* one has run, the others wait behind it */
    pthread_t ender;
    CHECK(pthread_create(&ender, NULL, free_stage, stage) == 0);
    /* A stage that ends takes nothing more: that is how it shows that it ends. */
    while (count < WAITING + LATE && crypto_stage_submit(stage, &jobs[count])) {
        count++;
        sched_yield();
    }
    desk_hold(&desk, false);
    CHECK(pthread_join(ender, NULL) == 0);
    CHECK_INT(desk.ended, count);
    CHECK_INT(desk.failed, 0);
    CHECK(desk.ok >= 1 && desk.cancelled == count - desk.ok);
    CHECK(count == WAITING + LATE || desk.ok == 1);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(jobs[i].error.kind, jobs[i].ok ? ERROR_NONE : ERROR_CANCELLED);
        CHECK(jobs[i].ok || (jobs[i].key == NULL && jobs[i].key_pem.data == NULL));
        job_drop(&jobs[i]);
    }
    free(jobs);
    desk_drop(&desk);
    crypto_context_free(context);
}

/* A provider whose search for an RSA key never ends by itself. */
static struct desk endless_desk; /* `inside`: searches under way */

static void *endless_new(void *provider)
{
    (void)provider;
    return OPENSSL_zalloc(1);
}

static void *endless_begin(void *provider, int selection, const OSSL_PARAM params[])
{
    (void)selection;
    (void)params;
    return endless_new(provider);
}

static void *endless_search(void *search, OSSL_CALLBACK *callback, void *context)
{
    int stage = 0;
    int count = 0;
    const OSSL_PARAM news[] = {OSSL_PARAM_construct_int(OSSL_GEN_PARAM_POTENTIAL, &stage),
                               OSSL_PARAM_construct_int(OSSL_GEN_PARAM_ITERATION, &count),
                               OSSL_PARAM_construct_end()};
    (void)search;
    CHECK(callback(news, context) != 0);
    pthread_mutex_lock(&endless_desk.lock);
    endless_desk.inside++;
    pthread_cond_broadcast(&endless_desk.changed);
    pthread_mutex_unlock(&endless_desk.lock);
    while (callback(news, context) != 0)
        sched_yield();
    pthread_mutex_lock(&endless_desk.lock);
    endless_desk.inside--;
    pthread_mutex_unlock(&endless_desk.lock);
    return NULL;
}

static int endless_set(void *search, const OSSL_PARAM params[])
{
    (void)search;
    (void)params;
    return 1;
}

static const OSSL_PARAM *endless_settable(void *search, void *provider)
{
    static const OSSL_PARAM settable[] = {OSSL_PARAM_uint(OSSL_PKEY_PARAM_RSA_BITS, NULL),
                                          OSSL_PARAM_uint(OSSL_PKEY_PARAM_RSA_E, NULL),
                                          OSSL_PARAM_END};
    (void)search;
    (void)provider;
    return settable;
}

static void endless_free(void *any)
{
    OPENSSL_free(any);
}

static int endless_has(const void *key, int selection)
{
    (void)key;
    (void)selection;
    return 0;
}

static const OSSL_ALGORITHM *endless_query(void *provider, int operation, int *no_cache)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_KEYMGMT_NEW, (void (*)(void))endless_new},
        {OSSL_FUNC_KEYMGMT_FREE, (void (*)(void))endless_free},
        {OSSL_FUNC_KEYMGMT_GEN_INIT, (void (*)(void))endless_begin},
        {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (void (*)(void))endless_set},
        {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (void (*)(void))endless_settable},
        {OSSL_FUNC_KEYMGMT_GEN, (void (*)(void))endless_search},
        {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (void (*)(void))endless_free},
        {OSSL_FUNC_KEYMGMT_HAS, (void (*)(void))endless_has},
        {0, NULL}};
    static const OSSL_ALGORITHM keys[] = {{"RSA", "provider=endless", functions, NULL},
                                          {NULL, NULL, NULL, NULL}};
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : NULL;
}

static int endless_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *upcalls,
                        const OSSL_DISPATCH **ret_functions, void **ret_context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))endless_query}, {0, NULL}};
    (void)upcalls;
    *ret_functions = functions;
    *ret_context = (void *)core;
    return 1;
}

/* However the stage ends, the keys that its threads are at would take for ever. */
static void keys_being_made_are_given_up(bool by_free)
{
    enum { THREADS = 2, JOBS = 5 };
    struct crypto_context *context = NULL;
    struct error error;
    struct desk desk;
    const struct crypto_options endless = {.property_query = "?provider=endless"};
    CHECK_OK(crypto_context_new(&endless, &context, &error), error);
    CHECK(OSSL_PROVIDER_add_builtin(crypto_library(context), "endless", endless_init) == 1);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(crypto_library(context), "endless");
    CHECK(provider != NULL);
    desk_init(&desk);
    desk_init(&endless_desk);
    struct crypto_stage *stage = stage_make(context, THREADS, JOBS);
    struct crypto_job *jobs = jobs_make(&desk, JOBS, (struct key_spec){KEY_RSA, 2048});
    for (size_t i = 0; i < JOBS; i++)
        CHECK(crypto_stage_submit(stage, &jobs[i]));
    desk_wait(&endless_desk, &endless_desk.inside, THREADS);
    if (!by_free) {
        crypto_stage_stop(stage);
        desk_wait(&desk, &desk.ended, JOBS);
        CHECK(!crypto_stage_submit(stage, &jobs[0]));
        crypto_stage_stop(stage);
    }
    crypto_stage_free(stage);
    CHECK_INT(desk.ended, JOBS);
    CHECK_INT(desk.cancelled, JOBS);
    CHECK_INT(endless_desk.inside, 0);
    for (size_t i = 0; i < JOBS; i++) {
        CHECK(jobs[i].key == NULL && jobs[i].key_pem.data == NULL && jobs[i].csr.data == NULL);
        job_drop(&jobs[i]);
    }
    free(jobs);
    desk_drop(&endless_desk);
    desk_drop(&desk);
    OSSL_PROVIDER_unload(provider);
    crypto_context_free(context);
}

static void a_stage_that_is_freed_gives_up(void)
{
    keys_being_made_are_given_up(true);
}

static void a_stage_that_is_stopped_gives_up(void)
{
    keys_being_made_are_given_up(false);
}

/* Each looks whether to stop, and makes keys again when it need not. */
static void every_way_of_rsa_can_be_stopped(void)
{
    static const enum crypto_way ways[] = {CRYPTO_IFMA, CRYPTO_PORTABLE, CRYPTO_OPENSSL};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct crypto_context *context = NULL;
        struct error error;
        if (ways[i] == CRYPTO_IFMA && !rsa_path_available(RSA_PATH_IFMA))
            continue;
        const struct crypto_options options = {.way = ways[i]};
        CHECK_OK(crypto_context_new(&options, &context, &error), error);
        atomic_bool stopping = true;
        struct key_maker maker = {.stopping = &stopping};
        EVP_PKEY *key = NULL;
        for (unsigned bits = 2048; bits <= 4096; bits += 1024) {
            struct key_spec spec = {KEY_RSA, bits};
            CHECK(!key_maker_generate(&maker, context, spec, &key, &error));
            CHECK_INT(error.kind, ERROR_CANCELLED);
            CHECK(key == NULL);
            CHECK_INT(ERR_peek_error(), 0);
        }
        atomic_store(&stopping, false);
        CHECK_OK(
            key_maker_generate(&maker, context, (struct key_spec){KEY_RSA, 2048}, &key, &error),
            error);
        EVP_PKEY_free(key);
        key_maker_free(&maker);
        crypto_context_free(context);
    }
}

static void options_have_limits(void)
{
    struct crypto_context *context = pki_context();
    struct error error;
    struct crypto_stage *stage = NULL;
    struct crypto_stage_options options = {.threads = 100000, .done = desk_done};
    CHECK(!crypto_stage_new(context, &options, &stage, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    crypto_stage_free(NULL);
    options.threads = 0; /* one a core; ends with nothing done */
    CHECK_OK(crypto_stage_new(context, &options, &stage, &error), error);
    crypto_stage_free(stage);
    crypto_context_free(context);
}

static const struct test tests[] = {
    TEST(thousands_of_jobs),
    TEST(keys_of_every_kind),
    TEST(keys_brought_along_are_used),
    TEST(a_full_queue_refuses),
    TEST(waiting_jobs_end_as_cancelled),
    TEST(a_stage_that_is_freed_gives_up),
    TEST(a_stage_that_is_stopped_gives_up),
    TEST(every_way_of_rsa_can_be_stopped),
    TEST(options_have_limits),
};

TESTS_MAIN(tests)
