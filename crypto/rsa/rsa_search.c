#include "rsa/rsa_search.h"

#include "rsa/hunt.h"
#include "rsa/ifma.h"
#include "rsa/stride.h"

#include <openssl/crypto.h>
#include <string.h>

/* Lengths and rounds by FIPS 186-5: tables A.1 (probable primes) and B.1. */
static const struct size {
    unsigned bits;
    unsigned auxiliary_bits, auxiliary_rounds;
    unsigned rounds;
    unsigned bound_ifma, bound_portable; /* of the sieve; by measurement, bench-rsa-search */
} sizes[] = {{2048, 141, 38, 5, 1U << 17, 1U << 18},
             {3072, 171, 41, 4, 1U << 19, 1U << 19},
             {4096, 201, 44, 4, 1U << 20, 1U << 20}};

#define AUXILIARY_WINDOW  512
#define AUXILIARY_BOUND   2048
#define AUXILIARY_WINDOWS 16
/* A sequence is searched for 20 candidates a bit (B.9 step 8), a window holds four a bit. */
#define WINDOW_PER_BIT 4
#define WINDOWS        5
/* The numbers of a good pair of primes fail a check less often than once in 2^90. */
#define ATTEMPTS 3

/* The 64 topmost bits of the square root of 2, of which p may not be less than 2^(bits / 2 - 1)
 * times. */
#define ROOT_OF_2 0xb504f333f9de6484U

/* All of a search; secret. */
struct search {
    const struct size *size;
    struct hunt hunt;
    uint64_t auxiliary[2][2][RSA_LIMBS_MAX]; /* [r1 or r2][of p or q] */
    uint64_t x[2][RSA_LIMBS_MAX];            /* where the searches for p and q began */
};

bool rsa_path_available(enum rsa_path path)
{
    return path != RSA_PATH_IFMA || ifma_available();
}

const char *rsa_path_name(enum rsa_path path)
{
    static const char *const names[] = {
        [RSA_PATH_AUTO] = "auto", [RSA_PATH_IFMA] = "ifma", [RSA_PATH_PORTABLE] = "portable"};
    return (size_t)path < sizeof names / sizeof names[0] ? names[path] : "unknown";
}

struct rsa_numbers *rsa_numbers_new(void)
{
    return OPENSSL_secure_zalloc(sizeof(struct rsa_numbers));
}

void rsa_numbers_wipe(struct rsa_numbers *numbers)
{
    OPENSSL_cleanse(numbers, sizeof *numbers);
}

void rsa_numbers_free(struct rsa_numbers *numbers)
{
    OPENSSL_secure_clear_free(numbers, sizeof *numbers);
}

/* A random odd number, and the odd numbers behind it. */
static bool auxiliary_begin(struct hunt *hunt, unsigned which, struct error *error)
{
    struct sequence *sequence = &hunt->sequences[which];
    TRY(random_bits(&hunt->pool, hunt->bits, sequence->start, error));
    sequence->start[0] |= 1;
    sequence->stride[0] = 2;
    return true;
}

/* Step 3 and 4 of B.9. */
static bool prime_begin(struct hunt *hunt, unsigned which, struct error *error)
{
    struct search *search = hunt->context;
    uint64_t *x = search->x[which];
    bool fits = false;
    for (unsigned drawn = 0; !fits && drawn < RANDOM_DRAWS; drawn++) {
        TRY(random_bits(&hunt->pool, hunt->bits, x, error));
        if (x[LIMBS_OF(hunt->bits) - 1] > ROOT_OF_2)
            TRY(stride_make(search->auxiliary[0][which], search->auxiliary[1][which],
                            search->size->auxiliary_bits, x, hunt->bits, &hunt->sequences[which],
                            &fits, error));
    }
    return fits || random_failed(error);
}

/* Both r1 or both r2. */
static bool auxiliary_find(struct search *search, unsigned number, struct error *error)
{
    struct hunt *hunt = &search->hunt;
    const struct size *size = search->size;
    hunt->bits = size->auxiliary_bits;
    hunt->rounds = size->auxiliary_rounds;
    hunt->windows_max = AUXILIARY_WINDOWS;
    hunt->begin = auxiliary_begin;
    hunt->sieve.limbs = LIMBS_OF(hunt->bits);
    hunt->sieve.stride_limbs = 1;
    hunt->sieve.window = AUXILIARY_WINDOW;
    hunt->sieve.bound = AUXILIARY_BOUND;
    hunt->sieve.coprime = false;
    TRY(hunt_run(hunt, error));
    memcpy(search->auxiliary[number], hunt->primes, sizeof search->auxiliary[number]);
    return true;
}

static bool primes_find(struct search *search, struct error *error)
{
    struct hunt *hunt = &search->hunt;
    const struct size *size = search->size;
    hunt->bits = size->bits / 2;
    hunt->rounds = size->rounds;
    hunt->windows_max = WINDOWS;
    hunt->begin = prime_begin;
    hunt->sieve.limbs = LIMBS_OF(hunt->bits);
    hunt->sieve.stride_limbs = LIMBS_OF(2 * size->auxiliary_bits + 1);
    hunt->sieve.window = WINDOW_PER_BIT * hunt->bits;
    hunt->sieve.bound = hunt->sieve.path == RSA_PATH_IFMA ? size->bound_ifma : size->bound_portable;
    hunt->sieve.coprime = true;
    return hunt_run(hunt, error);
}

/* What the auxiliary primes cost is counted as theirs, whatever the phase. */
static bool auxiliaries_find(struct search *search, struct error *error)
{
    struct rsa_search_counts *counts = search->hunt.counts;
    struct rsa_search_counts own = {0};
    uint64_t start = phase_start(counts);
    search->hunt.counts = &own;
    bool ok = auxiliary_find(search, 0, error) && auxiliary_find(search, 1, error);
    search->hunt.counts = counts;
    counts->refused += own.refused;
    phase_end(counts, RSA_PHASE_AUXILIARY, start);
    return ok;
}

static bool search_run(struct search *search, struct rsa_numbers *ret_numbers, struct error *error)
{
    bool good = false;
    for (unsigned attempt = 0; attempt < ATTEMPTS && !good; attempt++) {
        TRY(auxiliaries_find(search, error));
        TRY(primes_find(search, error));
        uint64_t start = phase_start(search->hunt.counts);
        if (far_apart(search->x[0], search->x[1], search->hunt.bits))
            TRY(numbers_make(search->hunt.primes[0], search->hunt.primes[1], search->size->bits,
                             ret_numbers, &good, error));
        phase_end(search->hunt.counts, RSA_PHASE_NUMBERS, start);
    }
    return good || error_set(error, ERROR_CRYPTO,
                             "no RSA key passes the checks: the random numbers are not random");
}

static const struct size *size_of(unsigned bits)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].bits == bits)
            return &sizes[i];
    return NULL;
}

/* Overwrites what the functions called have left on the stack: limbs, spilled registers. */
static __attribute__((noinline)) void stack_wipe(void)
{
    unsigned char below[16 * 1024];
    OPENSSL_cleanse(below, sizeof below);
}

bool rsa_search(unsigned bits, enum rsa_path path, const struct rsa_caller *caller,
                struct rsa_numbers *ret_numbers, struct rsa_search_counts *counts,
                struct error *error)
{
    struct rsa_search_counts unwanted = {0};
    const struct size *size = size_of(bits);
    if (size == NULL)
        return error_set(error, ERROR_CONFIG, "RSA keys of %u bits are not searched for here",
                         bits);
    if (!rsa_path_available(path))
        return error_set(error, ERROR_CONFIG, "this processor has no AVX-512 IFMA");
    if (path == RSA_PATH_AUTO)
        path = ifma_available() ? RSA_PATH_IFMA : RSA_PATH_PORTABLE;
    struct search *search = scratch_new(sizeof *search);
    if (search == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a search of primes");
    search->size = size;
    search->hunt.pool.caller = caller;
    search->hunt.counts = counts != NULL ? counts : &unwanted;
    search->hunt.context = search;
    search->hunt.sieve.path = path;
    bool ok =
        tester_new(path, &search->hunt.tester, error) && search_run(search, ret_numbers, error);
    tester_free(search->hunt.tester);
    scratch_free(search, sizeof *search);
    stack_wipe();
    if (ifma_available())
        ifma_wipe_registers();
    return ok;
}
