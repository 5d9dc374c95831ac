/* Makes keys of one kind in every way that this machine has, the ways in turn:
 *
 *     bench-keygen-peers RSA|ECDSA BITS ROUNDS WAY[:KEYS]...
 *
 * WAY: auto, ifma or portable (certmill's), openssl, gnutls, or gmp: two searches for a prime by
 * mpz_nextprime, which is what a key by that function costs at least. In each round a way makes
 * KEYS keys, else one. For each way one JSON line: {"way", "by", "ms": [CPU time of each key]}, or
 * {"way", "left_out": why}. */
#include "micro.h"

#include "crypto/key.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#ifdef KEYGEN_GNUTLS
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#endif
#ifdef KEYGEN_GMP
#include <gmp.h>
#endif

#define ROUNDS_MAX     1000000U
#define EACH_MAX       1000U
#define WAYS_MAX       16
#define NAME_SIZE      16
#define PRIME_SIZE_MAX 512U

struct way {
    char name[NAME_SIZE];
    void (*make)(const struct way *way, struct key_spec spec);
    const char *by;       /* who makes them, where that is not the name */
    const char *left_out; /* why it cannot be measured; else NULL */
    struct error error;   /* which left_out may point to */
    unsigned each, made;  /* keys in a round, and so far */
    double *ms;           /* of each key */
    struct crypto_context *context;
};

static double thread_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void certmill_key(const struct way *way, struct key_spec spec)
{
    struct error error;
    EVP_PKEY *key = NULL;
    micro_must(key_generate(way->context, spec, &key, &error), "key_generate", &error);
    key_release(&key);
}

static void openssl_key(const struct way *way, struct key_spec spec)
{
    OSSL_LIB_CTX *library = crypto_library(way->context);
    char curve[NAME_SIZE];
    (void)snprintf(curve, sizeof curve, "P-%u", spec.bits);
    EVP_PKEY *key = spec.type == KEY_RSA
                        ? EVP_PKEY_Q_keygen(library, NULL, "RSA", (size_t)spec.bits)
                        : EVP_PKEY_Q_keygen(library, NULL, "EC", curve);
    if (key == NULL)
        micro_fail("EVP_PKEY_Q_keygen", "no key");
    EVP_PKEY_free(key);
}

#ifdef KEYGEN_GNUTLS
static void gnutls_key(const struct way *way, struct key_spec spec)
{
    (void)way;
    gnutls_ecc_curve_t curve = spec.bits == 256   ? GNUTLS_ECC_CURVE_SECP256R1
                               : spec.bits == 384 ? GNUTLS_ECC_CURVE_SECP384R1
                                                  : GNUTLS_ECC_CURVE_SECP521R1;
    gnutls_pk_algorithm_t type = spec.type == KEY_RSA ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA;
    unsigned bits = spec.type == KEY_RSA ? spec.bits : GNUTLS_CURVE_TO_BITS(curve);
    gnutls_x509_privkey_t key;
    int code = gnutls_x509_privkey_init(&key);
    if (code == GNUTLS_E_SUCCESS)
        code = gnutls_x509_privkey_generate(key, type, bits, 0);
    if (code != GNUTLS_E_SUCCESS)
        micro_fail("gnutls_x509_privkey_generate", gnutls_strerror(code));
    gnutls_x509_privkey_deinit(key);
}
#endif

#ifdef KEYGEN_GMP
static void gmp_prime(const struct way *way, unsigned bits)
{
    unsigned char bytes[PRIME_SIZE_MAX];
    size_t len = bits / 8;
    if (RAND_priv_bytes_ex(crypto_library(way->context), bytes, len, 0) != 1)
        micro_fail("RAND_priv_bytes_ex", "no random numbers");
    bytes[0] |= 0xc0; /* so that the product of two has its full length */
    mpz_t number;
    mpz_init(number);
    mpz_import(number, len, 1, 1, 0, 0, bytes);
    mpz_nextprime(number, number);
    mpz_clear(number);
}

static void gmp_primes(const struct way *way, struct key_spec spec)
{
    gmp_prime(way, spec.bits / 2);
    gmp_prime(way, spec.bits / 2);
}
#endif

static void context_make(struct way *way, enum crypto_way who, struct key_spec spec)
{
    if (!crypto_context_new(&(struct crypto_options){.way = who}, &way->context, &way->error))
        way->left_out = way->error.text;
    else if (way->make == certmill_key)
        way->by = key_way(way->context, spec);
}

/* The way of this name, to make keys of this kind. */
static void way_find(struct way *way, struct key_spec spec)
{
    enum crypto_way who = CRYPTO_OPENSSL;
    way->by = way->name;
    if (strcmp(way->name, "openssl") == 0) {
        way->make = openssl_key;
    } else if (strcmp(way->name, "gnutls") == 0) {
#ifdef KEYGEN_GNUTLS
        way->make = gnutls_key;
#else
        way->left_out = "built without libgnutls28-dev";
#endif
    } else if (strcmp(way->name, "gmp") == 0) {
#ifdef KEYGEN_GMP
        way->make = gmp_primes;
#else
        way->left_out = "built without libgmp-dev";
#endif
        if (spec.type != KEY_RSA)
            way->left_out = "only for RSA";
    } else {
        way->make = certmill_key;
        for (who = CRYPTO_AUTO; strcmp(way->name, crypto_way_words[who]) != 0;)
            if (crypto_way_words[++who] == NULL)
                micro_fail(way->name, "no such way");
    }
    if (way->left_out == NULL)
        context_make(way, who, spec);
}

/* "ifma" or "ifma:4". */
static void way_read(struct way *way, char *word, struct key_spec spec, unsigned rounds)
{
    char *colon = strchr(word, ':');
    size_t len = colon != NULL ? (size_t)(colon - word) : strlen(word);
    if (len >= sizeof way->name)
        micro_fail(word, "no such way");
    memcpy(way->name, word, len);
    way->each = colon != NULL ? micro_number(colon + 1, EACH_MAX) : 1;
    way->ms = calloc((size_t)rounds * way->each + 1, sizeof *way->ms);
    if (way->ms == NULL)
        micro_fail("memory", "none");
    way_find(way, spec);
}

static void way_measure(struct way *way, struct key_spec spec)
{
    for (unsigned i = 0; i < way->each; i++) {
        double begin_ms = thread_ms();
        way->make(way, spec);
        way->ms[way->made++] = thread_ms() - begin_ms;
    }
}

static void way_print(const struct way *way)
{
    if (way->left_out != NULL) {
        printf("{\"way\": \"%s\", \"left_out\": \"", way->name);
        for (const char *c = way->left_out; *c != '\0'; c++) /* as JSON: other people's words */
            putchar(*c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? '\'' : *c);
        puts("\"}");
        return;
    }
    printf("{\"way\": \"%s\", \"by\": \"%s\", \"ms\": [", way->name, way->by);
    for (unsigned i = 0; i < way->made; i++)
        printf("%s%.4f", i > 0 ? ", " : "", way->ms[i]);
    puts("]}");
}

int main(int argc, char **argv)
{
    static struct way ways[WAYS_MAX];
    if (argc < 5 || argc - 4 > WAYS_MAX)
        micro_fail("usage", "bench-keygen-peers RSA|ECDSA BITS ROUNDS WAY[:KEYS]...");
    size_t count = (size_t)argc - 4;
    struct key_spec spec = {.type = strcmp(argv[1], "RSA") == 0 ? KEY_RSA : KEY_ECDSA,
                            .bits = micro_number(argv[2], UINT16_MAX)};
    unsigned rounds = micro_number(argv[3], ROUNDS_MAX);
    if (!key_spec_is_valid(spec))
        micro_fail(argv[2], "certmill makes no such key");
    for (size_t i = 0; i < count; i++) {
        way_read(&ways[i], argv[i + 4], spec, rounds);
        /* One that is not counted: it makes tables, and seeds generators. */
        if (ways[i].left_out == NULL)
            ways[i].make(&ways[i], spec);
    }
    /* Each round begins with another one, so that none always follows the same. */
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            struct way *way = &ways[(i + round) % count];
            if (way->left_out == NULL)
                way_measure(way, spec);
        }
    }
    for (size_t i = 0; i < count; i++) {
        way_print(&ways[i]);
        free(ways[i].ms);
        crypto_context_free(ways[i].context);
    }
    return EXIT_SUCCESS;
}
