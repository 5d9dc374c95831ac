/* Thousands of keys of the search, each put to EVP_PKEY_check, on all cores: that both factors are
 * primes (64 rounds of Miller and Rabin) and that all numbers fit together. Most are of 2048 bits,
 * for a check takes six times as long as such a key does, and fifty times for 4096. */
#include "context_internal.h"
#include "provider_fixture.h"

#include <getopt.h>
#include <stdatomic.h>

/* As many as half a minute on two cores is enough for. */
#define KEYS_IFMA     2000
#define KEYS_PORTABLE 500 /* a key takes as long as its check */
#define KEYS_MAX      100000000
#define THREADS_MAX   256

enum { SIZES = 3 };
static const unsigned sizes[SIZES] = {2048, 3072, 4096};

static struct {
    OSSL_LIB_CTX *library;
    unsigned wanted;
    atomic_uint begun;
    atomic_uint done[SIZES][PATHS];
} run;

/* Of 100 keys one has 3072 bits and one 4096; of 20 one is of the path that others take. */
static size_t size_of_key(unsigned number)
{
    return number % 100 == 99 ? 2 : number % 100 == 49 ? 1 : 0;
}

static size_t path_of_key(unsigned number)
{
    return can_go(0) && number / 100 % 20 != number % 20 ? 0 : 1;
}

static EVP_PKEY_CTX *maker_of(size_t size, size_t path)
{
    const OSSL_PARAM wanted[] = {
        OSSL_PARAM_construct_utf8_string(PROVIDER_PARAM_PATH, (char *)paths[path], 0),
        OSSL_PARAM_construct_end()};
    EVP_PKEY_CTX *maker = maker_new(run.library, PROVIDER_PROPERTIES, sizes[size]);
    CHECK(EVP_PKEY_CTX_set_params(maker, wanted) == 1);
    return maker;
}

static void *thread_main(void *argument)
{
    EVP_PKEY_CTX *makers[SIZES][PATHS] = {{NULL}};
    for (unsigned number; (number = atomic_fetch_add(&run.begun, 1)) < run.wanted;) {
        size_t size = size_of_key(number);
        size_t path = path_of_key(number);
        if (makers[size][path] == NULL)
            makers[size][path] = maker_of(size, path);
        EVP_PKEY *key = key_make(makers[size][path]);
        CHECK_TEXT(provider_of(key), PROVIDER_NAME);
        CHECK_INT(EVP_PKEY_get_bits(key), sizes[size]);
        check_passes(run.library, key);
        EVP_PKEY_free(key);
        atomic_fetch_add(&run.done[size][path], 1);
        if (number > 0 && number % 1000 == 0) {
            printf("%u of %u\n", number, run.wanted);
            fflush(stdout);
        }
    }
    for (size_t i = 0; i < SIZES * PATHS; i++)
        EVP_PKEY_CTX_free(makers[i / PATHS][i % PATHS]);
    return argument;
}

static void keys_are_good(unsigned count)
{
    pthread_t threads[THREADS_MAX];
    unsigned thread_count = crypto_core_count();
    thread_count = thread_count < THREADS_MAX ? thread_count : THREADS_MAX;
    run.wanted = count;
    for (unsigned i = 0; i < thread_count; i++)
        CHECK(pthread_create(&threads[i], NULL, thread_main, NULL) == 0);
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    unsigned sum = 0;
    for (size_t size = 0; size < SIZES; size++) {
        for (size_t path = 0; path < PATHS; path++) {
            if (run.done[size][path] > 0)
                printf("RSA-%u, %s: %u keys are good\n", sizes[size], paths[path],
                       run.done[size][path]);
            sum += run.done[size][path];
        }
    }
    CHECK_INT(sum, count);
    printf("%u keys passed EVP_PKEY_check of %s\n", sum, OpenSSL_version(OPENSSL_VERSION));
}

/* That the check can fail: a wrong bit in any number. */
static void bad_keys_are_found(void)
{
    static const char *const names[] = {
        OSSL_PKEY_PARAM_RSA_N,           OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_FACTOR1,     OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1,   OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    EVP_PKEY *good = key_of(run.library, 2048);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        OSSL_PARAM *numbers = NULL;
        EVP_PKEY *bad = NULL;
        EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(run.library, "RSA", PROVIDER_PROPERTIES);
        CHECK(EVP_PKEY_todata(good, EVP_PKEY_KEYPAIR, &numbers) == 1);
        ((unsigned char *)OSSL_PARAM_locate(numbers, names[i])->data)[50] ^= 4;
        CHECK(EVP_PKEY_fromdata_init(maker) == 1 &&
              EVP_PKEY_fromdata(maker, &bad, EVP_PKEY_KEYPAIR, numbers) == 1);
        EVP_PKEY_CTX *checker = EVP_PKEY_CTX_new_from_pkey(run.library, bad, NULL);
        CHECK(EVP_PKEY_check(checker) != 1);
        EVP_PKEY_CTX_free(checker);
        EVP_PKEY_CTX_free(maker);
        EVP_PKEY_free(bad);
        OSSL_PARAM_free(numbers);
    }
    EVP_PKEY_free(good);
    ERR_clear_error();
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"keys", required_argument, NULL, 'k'},
                                            {NULL, 0, NULL, 0}};
    unsigned long count = can_go(0) ? KEYS_IFMA : KEYS_PORTABLE;
    int option;
    while ((option = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
        if (option == 'k')
            count = strtoul(optarg, NULL, 10);
        if (option == '?' || count < 1 || count > KEYS_MAX) {
            fprintf(stderr, "usage: %s [--keys NUMBER]\n", argv[0]);
            return 2;
        }
    }
    printf("this processor has %sAVX-512 IFMA: %lu keys\n", can_go(0) ? "" : "no ", count);
    struct error error;
    CHECK_OK(crypto_secure_heap_make(0, &error), error);
    struct library library = library_new(false);
    run.library = library.context;
    bad_keys_are_found();
    keys_are_good((unsigned)count);
    library_free(&library);
    return 0;
}
