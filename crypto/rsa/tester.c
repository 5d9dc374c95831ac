#include "rsa/tester.h"

#include "rsa/ifma.h"
#include "rsa/portable.h"

#include <openssl/crypto.h>
#include <string.h>

struct tester {
    struct ifma *ifma; /* only where that is the path */
    uint64_t bases[RSA_LANES][RSA_LIMBS_MAX];
    struct candidates lanes;
    enum rsa_path path;
    struct portable *portable; /* only where that is the path */
};

bool tester_new(enum rsa_path path, struct tester **ret_tester, struct error *error)
{
    struct tester *tester = scratch_new(sizeof *tester);
    if (tester == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a search of primes");
    tester->path = path;
    bool ok = true;
    if (path == RSA_PATH_PORTABLE) {
        ok = portable_new(&tester->portable, error);
    } else {
        tester->ifma = scratch_new(sizeof *tester->ifma);
        if (tester->ifma == NULL)
            ok = error_set(error, ERROR_MEMORY, "no memory for a search of primes");
    }
    if (!ok) {
        tester_free(tester);
        return false;
    }
    *ret_tester = tester;
    return true;
}

void tester_free(struct tester *tester)
{
    if (tester == NULL)
        return;
    portable_free(tester->portable);
    scratch_free(tester->ifma, sizeof *tester->ifma);
    scratch_free(tester, sizeof *tester);
}

unsigned tester_lanes(const struct tester *tester)
{
    return tester->path == RSA_PATH_IFMA ? RSA_LANES : 1;
}

/* Lanes that nobody wants do as the first. */
static void lanes_fill(struct tester *tester, const struct candidates *candidates)
{
    tester->lanes = *candidates;
    for (unsigned i = candidates->count; i < RSA_LANES; i++)
        memcpy(tester->lanes.number[i], candidates->number[0], sizeof candidates->number[0]);
}

bool tester_first(struct tester *tester, const struct candidates *candidates, unsigned *ret_likely,
                  struct error *error)
{
    if (tester->path == RSA_PATH_PORTABLE) {
        bool likely = false;
        TRY(portable_set(tester->portable, candidates->number[0], candidates->bits, error));
        TRY(portable_first(tester->portable, &likely, error));
        *ret_likely = likely;
        return true;
    }
    lanes_fill(tester, candidates);
    *ret_likely = ifma_first_tests(tester->ifma, candidates->bits,
                                   (const uint64_t(*)[RSA_LIMBS_MAX])tester->lanes.number) &
                  ((1U << candidates->count) - 1);
    return true;
}

bool tester_round(struct tester *tester, const struct candidates *candidates,
                  const uint64_t bases[RSA_LANES][RSA_LIMBS_MAX], unsigned *ret_passed,
                  struct error *error)
{
    unsigned passed = 0;
    if (tester->path == RSA_PATH_IFMA) {
        lanes_fill(tester, candidates);
        for (unsigned i = 0; i < RSA_LANES; i++)
            memcpy(tester->bases[i], bases[i < candidates->count ? i : 0], sizeof bases[0]);
        passed = ifma_rounds(tester->ifma, candidates->bits,
                             (const uint64_t(*)[RSA_LIMBS_MAX])tester->lanes.number,
                             (const uint64_t(*)[RSA_LIMBS_MAX])tester->bases);
    }
    for (unsigned i = 0; i < candidates->count && tester->path == RSA_PATH_PORTABLE; i++) {
        bool one = false;
        TRY(portable_set(tester->portable, candidates->number[i], candidates->bits, error));
        TRY(portable_round(tester->portable, bases[i], &one, error));
        passed |= (unsigned)one << i;
    }
    *ret_passed = passed & ((1U << candidates->count) - 1);
    return true;
}

static bool portable_confirm(struct tester *tester, const struct candidates *candidates,
                             unsigned rounds, struct random_pool *pool, unsigned *runs,
                             unsigned *ret_prime, struct error *error)
{
    unsigned prime = 0;
    for (unsigned i = 0; i < candidates->count; i++) {
        const uint64_t *number = candidates->number[i];
        bool passed = true;
        TRY(portable_set(tester->portable, number, candidates->bits, error));
        for (unsigned round = 0; passed && round < rounds; round++) {
            TRY(random_base(pool, number, candidates->bits, tester->bases[0], error));
            TRY(portable_round(tester->portable, tester->bases[0], &passed, error));
            ++*runs;
        }
        prime |= (unsigned)passed << i;
    }
    *ret_prime = prime;
    return true;
}

bool tester_confirm(struct tester *tester, const struct candidates *candidates, unsigned rounds,
                    struct random_pool *pool, unsigned *runs, unsigned *ret_prime,
                    struct error *error)
{
    if (tester->path == RSA_PATH_PORTABLE)
        return portable_confirm(tester, candidates, rounds, pool, runs, ret_prime, error);
    /* All rounds of all numbers in a row, eight at a time. */
    unsigned wanted = rounds * candidates->count;
    unsigned prime = (1U << candidates->count) - 1;
    tester->lanes.bits = candidates->bits;
    for (unsigned done = 0; done < wanted; done += RSA_LANES) {
        for (unsigned i = 0; i < RSA_LANES; i++) {
            /* Those past the end are one round more of the last number. */
            unsigned round = done + i < wanted ? done + i : wanted - 1;
            const uint64_t *number = candidates->number[round / rounds];
            memcpy(tester->lanes.number[i], number, sizeof candidates->number[0]);
            TRY(random_base(pool, number, candidates->bits, tester->bases[i], error));
        }
        unsigned passed = ifma_rounds(tester->ifma, candidates->bits,
                                      (const uint64_t(*)[RSA_LIMBS_MAX])tester->lanes.number,
                                      (const uint64_t(*)[RSA_LIMBS_MAX])tester->bases);
        ++*runs;
        for (unsigned i = 0; i < RSA_LANES; i++) {
            unsigned round = done + i < wanted ? done + i : wanted - 1;
            if ((passed >> i & 1) == 0)
                prime &= ~(1U << (round / rounds));
        }
    }
    *ret_prime = prime;
    return true;
}
