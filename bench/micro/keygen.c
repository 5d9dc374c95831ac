/* Makes private keys as certmill's crypto stage does, on so many threads:
 *
 *     bench-keygen RSA|ECDSA BITS KEYS THREADS [auto|ifma|portable|openssl]
 *
 * What a fleet of such keys costs at least: the network's part of a run must hide behind it. Prints
 * a JSON object; key_sd_s is the standard deviation of one key's CPU time, which says how well the
 * cost of so many keys is known. */
#include "micro.h"

#include "crypto/key.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define KEYS_MAX    100000000U
#define THREADS_MAX 256

struct work {
    const struct crypto_context *context;
    struct key_spec spec;
    unsigned left; /* taken one by one, so that no thread waits for a slow key of another */
    pthread_mutex_t lock;
    double sum_s, sum_of_squares;
};

static double thread_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void work_note(struct work *work, double cost_s)
{
    pthread_mutex_lock(&work->lock);
    work->sum_s += cost_s;
    work->sum_of_squares += cost_s * cost_s;
    pthread_mutex_unlock(&work->lock);
}

static double work_deviation_s(const struct work *work, unsigned keys)
{
    if (keys < 2)
        return 0;
    double variance = (work->sum_of_squares - work->sum_s * work->sum_s / keys) / (keys - 1);
    return variance > 0 ? sqrt(variance) : 0;
}

static bool work_take(struct work *work)
{
    unsigned left = __atomic_load_n(&work->left, __ATOMIC_RELAXED);
    while (left > 0) {
        if (__atomic_compare_exchange_n(&work->left, &left, left - 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

static void *keys_make(void *argument)
{
    struct work *work = argument;
    struct error error;
    while (work_take(work)) {
        EVP_PKEY *key = NULL;
        double begin_s = thread_cpu_s();
        micro_must(key_generate(work->context, work->spec, &key, &error), "key_generate", &error);
        work_note(work, thread_cpu_s() - begin_s);
        key_release(&key);
    }
    return NULL;
}

static enum crypto_way way_of(const char *word)
{
    for (unsigned i = 0; word != NULL && crypto_way_words[i] != NULL; i++)
        if (strcmp(word, crypto_way_words[i]) == 0)
            return (enum crypto_way)i;
    if (word != NULL)
        micro_fail(word, "no such way");
    return CRYPTO_AUTO;
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6)
        micro_fail("usage", "bench-keygen RSA|ECDSA BITS KEYS THREADS [WAY]");
    struct error error;
    struct crypto_context *context = NULL;
    pthread_t threads[THREADS_MAX];
    unsigned keys = micro_number(argv[3], KEYS_MAX);
    unsigned count = micro_number(argv[4], THREADS_MAX);
    struct work work = {.spec = {.type = strcmp(argv[1], "RSA") == 0 ? KEY_RSA : KEY_ECDSA,
                                 .bits = micro_number(argv[2], UINT16_MAX)},
                        .left = keys,
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    if (!key_spec_is_valid(work.spec))
        micro_fail(argv[2], "certmill makes no such key");
    micro_must(
        crypto_context_new(&(struct crypto_options){.way = way_of(argv[5])}, &context, &error),
        "context", &error);
    work.context = context;
    struct micro_time start = micro_start();
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, keys_make, &work) != 0)
            micro_fail("pthread_create", "no thread");
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    printf("{\"keys\": %u, \"wall_s\": %.6f, \"cpu_s\": %.6f, \"key_sd_s\": %.6f}\n", keys,
           micro_wall_s() - start.wall_s, micro_cpu_s() - start.cpu_s,
           work_deviation_s(&work, keys));
    crypto_context_free(context);
    return EXIT_SUCCESS;
}
