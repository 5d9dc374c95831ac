/* Searches RSA keys on every path this machine has, in turn with OpenSSL's own EVP_PKEY_generate:
 *
 *     bench-rsa-search BITS KEYS [OPENSSL_KEYS]
 *
 * For each way one JSON line: CPU milliseconds a key, median and mean, and for the search where the
 * time goes and how many exponentiations it took. OpenSSL makes as many keys unless told otherwise.
 * A key's time varies by a factor of two and more, so means of few keys say little. */
#include "micro.h"

#include "crypto/context.h"
#include "rsa/rsa_search.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define KEYS_MAX 1000000U

static const enum rsa_path paths[] = {RSA_PATH_IFMA, RSA_PATH_PORTABLE};

#define WAYS (sizeof paths / sizeof paths[0] + 1) /* OpenSSL's is the last */

static OSSL_LIB_CTX *library;

static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static bool random_fill(void *context, unsigned char *bytes, size_t len)
{
    (void)context;
    return RAND_priv_bytes_ex(library, bytes, len, 0) == 1;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void times_print(const char *way, unsigned bits, double *ms, unsigned count)
{
    double sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += ms[i];
    qsort(ms, count, sizeof *ms, ascending);
    printf("{\"way\": \"%s\", \"bits\": %u, \"keys\": %u, \"median_ms\": %.3f, \"mean_ms\": %.3f",
           way, bits, count, count > 0 ? ms[count / 2] : 0, count > 0 ? sum / count : 0);
}

static void counts_print(const struct rsa_search_counts *counts, unsigned keys)
{
    static const char *const phases[] = {[RSA_PHASE_AUXILIARY] = "auxiliary",
                                         [RSA_PHASE_SIEVE] = "sieve",
                                         [RSA_PHASE_FIRST_TESTS] = "first_tests",
                                         [RSA_PHASE_CONFIRMATION] = "confirmation",
                                         [RSA_PHASE_NUMBERS] = "numbers"};
    for (unsigned i = 0; i < RSA_PHASES; i++)
        printf(", \"%s_ms\": %.3f", phases[i], (double)counts->ns[i] / keys / 1e6);
    printf(", \"sieves\": %.3f, \"first_tests\": %.2f, \"exponentiations\": %.2f",
           (double)counts->sieves / keys, (double)counts->first_tests / keys,
           (double)counts->exponentiations / keys);
}

static void openssl_key(unsigned bits)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(library, NULL, "RSA", (size_t)bits);
    if (key == NULL)
        micro_fail("EVP_PKEY_Q_keygen", "no key");
    EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        micro_fail("usage", "bench-rsa-search BITS KEYS [OPENSSL_KEYS]");
    struct error error;
    struct crypto_context *context = NULL;
    unsigned bits = micro_number(argv[1], RSA_BITS_MAX);
    unsigned keys = micro_number(argv[2], KEYS_MAX);
    unsigned openssl_keys = argc == 4 ? micro_number(argv[3], keys) : keys;
    micro_must(crypto_context_new(&(struct crypto_options){0}, &context, &error), "context",
               &error);
    library = crypto_library(context);
    struct rsa_caller caller = {.fill = random_fill};
    struct rsa_numbers *numbers = rsa_numbers_new();
    struct rsa_search_counts counts[WAYS];
    double *ms[WAYS];
    unsigned done[WAYS] = {0};
    for (unsigned way = 0; way < WAYS; way++) {
        counts[way] = (struct rsa_search_counts){.clock_ns = thread_ns};
        ms[way] = calloc(keys + 1, sizeof **ms);
        if (ms[way] == NULL || numbers == NULL)
            micro_fail("memory", "none");
    }
    /* One key of each without a clock: tables are made. */
    for (unsigned key = 0; key <= keys; key++) {
        for (unsigned way = 0; way < WAYS; way++) {
            bool openssl = way == WAYS - 1;
            if (openssl ? key > openssl_keys : !rsa_path_available(paths[way]))
                continue;
            struct rsa_search_counts unwanted = {0};
            uint64_t start = thread_ns();
            if (openssl)
                openssl_key(bits);
            else
                micro_must(rsa_search(bits, paths[way], &caller, numbers,
                                      key > 0 ? &counts[way] : &unwanted, &error),
                           "rsa_search", &error);
            if (key > 0)
                ms[way][done[way]++] = (double)(thread_ns() - start) / 1e6;
        }
    }
    for (unsigned way = 0; way < WAYS; way++) {
        if (done[way] > 0) {
            bool openssl = way == WAYS - 1;
            times_print(openssl ? "openssl" : rsa_path_name(paths[way]), bits, ms[way], done[way]);
            if (!openssl)
                counts_print(&counts[way], done[way]);
            puts("}");
        }
        free(ms[way]);
    }
    rsa_numbers_free(numbers);
    crypto_context_free(context);
    return EXIT_SUCCESS;
}
