/* Makes private keys as certmill's crypto stage does, on so many threads:
 *
 *     bench-keygen RSA|ECDSA BITS KEYS THREADS
 *
 * What a fleet of such keys costs at least: the network's part of a run must hide behind it. */
#include "micro.h"

#include "crypto/key.h"

#include <pthread.h>
#include <string.h>

#define KEYS_MAX    100000000U
#define THREADS_MAX 256

struct work {
    const struct crypto_context *context;
    struct key_spec spec;
    unsigned left; /* taken one by one, so that no thread waits for a slow key of another */
};

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
        micro_must(key_generate(work->context, work->spec, &key, &error), "key_generate", &error);
        key_release(&key);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        micro_fail("usage", "bench-keygen RSA|ECDSA BITS KEYS THREADS");
    struct error error;
    struct crypto_context *context = NULL;
    pthread_t threads[THREADS_MAX];
    unsigned keys = micro_number(argv[3], KEYS_MAX);
    unsigned count = micro_number(argv[4], THREADS_MAX);
    struct work work = {.spec = {.type = strcmp(argv[1], "RSA") == 0 ? KEY_RSA : KEY_ECDSA,
                                 .bits = micro_number(argv[2], UINT16_MAX)},
                        .left = keys};
    if (!key_spec_is_valid(work.spec))
        micro_fail(argv[2], "certmill makes no such key");
    micro_must(crypto_context_new(&(struct crypto_options){0}, &context, &error), "context",
               &error);
    work.context = context;
    struct micro_time start = micro_start();
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, keys_make, &work) != 0)
            micro_fail("pthread_create", "no thread");
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    micro_print("keys", keys, start);
    crypto_context_free(context);
    return EXIT_SUCCESS;
}
