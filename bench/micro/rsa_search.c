/* Searches RSA keys on every path this machine has, in turn with OpenSSL's own EVP_PKEY_generate:
 *
 *     bench-rsa-search BITS KEYS [ifma|portable|openssl]...
 *
 * For each way one JSON line: CPU milliseconds a key, median and mean, and for the search where the
 * time goes and how many exponentiations it took. A key's time varies by a factor of two and more,
 * so means of few keys say little. */
#include "micro.h"

#include "crypto/context.h"
#include "rsa/rsa_search.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define KEYS_MAX 1000000U

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

/* What is measured, each way by itself. */
struct way {
    const char *name;
    enum rsa_path path; /* RSA_PATH_AUTO stands for OpenSSL */
    bool wanted;
    struct rsa_search_counts counts;
    double *ms;
};

static void key_make(struct way *way, unsigned bits, struct rsa_numbers *numbers, bool counted)
{
    const struct rsa_caller caller = {.fill = random_fill};
    struct error error;
    if (way->path == RSA_PATH_AUTO) {
        openssl_key(bits);
        return;
    }
    micro_must(rsa_search(bits, way->path, &caller, numbers, counted ? &way->counts : NULL, &error),
               "rsa_search", &error);
}

int main(int argc, char **argv)
{
    struct way ways[] = {{.name = "ifma", .path = RSA_PATH_IFMA},
                         {.name = "portable", .path = RSA_PATH_PORTABLE},
                         {.name = "openssl", .path = RSA_PATH_AUTO}};
    const size_t count = sizeof ways / sizeof ways[0];
    if (argc < 3)
        micro_fail("usage", "bench-rsa-search BITS KEYS [ifma|portable|openssl]...");
    struct error error;
    struct crypto_context *context = NULL;
    unsigned bits = micro_number(argv[1], RSA_BITS_MAX);
    unsigned keys = micro_number(argv[2], KEYS_MAX);
    micro_must(
        crypto_context_new(&(struct crypto_options){.way = CRYPTO_OPENSSL}, &context, &error),
        "context", &error);
    library = crypto_library(context);
    struct rsa_numbers *numbers = rsa_numbers_new();
    for (size_t i = 0; i < count; i++) {
        ways[i].wanted = argc == 3 && rsa_path_available(ways[i].path);
        for (int j = 3; j < argc; j++)
            ways[i].wanted |= strcmp(argv[j], ways[i].name) == 0;
        ways[i].counts.clock_ns = thread_ns;
        ways[i].ms = calloc((size_t)keys + 1, sizeof *ways[i].ms);
        if (ways[i].ms == NULL || numbers == NULL)
            micro_fail("memory", "none");
    }
    /* The first key of each is not counted: it makes tables. */
    for (unsigned key = 0; key <= keys; key++) {
        for (size_t i = 0; i < count; i++) {
            uint64_t start = thread_ns();
            if (ways[i].wanted)
                key_make(&ways[i], bits, numbers, key > 0);
            if (key > 0)
                ways[i].ms[key - 1] = (double)(thread_ns() - start) / 1e6;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (ways[i].wanted) {
            times_print(ways[i].name, bits, ways[i].ms, keys);
            if (ways[i].path != RSA_PATH_AUTO)
                counts_print(&ways[i].counts, keys);
            puts("}");
        }
        free(ways[i].ms);
    }
    rsa_numbers_free(numbers);
    crypto_context_free(context);
    return EXIT_SUCCESS;
}
