#include "rsa/hunt.h"

#include <openssl/crypto.h>
#include <string.h>

uint64_t phase_start(const struct rsa_search_counts *counts)
{
    return counts->clock_ns != NULL ? counts->clock_ns() : 0;
}

void phase_end(struct rsa_search_counts *counts, enum rsa_phase phase, uint64_t start_ns)
{
    if (counts->clock_ns != NULL)
        counts->ns[phase] += counts->clock_ns() - start_ns;
}

/* sum = start + index * stride; false when that has more than `bits` bits. */
static bool candidate_at(const struct hunt *hunt, unsigned which, unsigned index, uint64_t *sum)
{
    const struct sequence *sequence = &hunt->sequences[which];
    uint64_t stride[RSA_LIMBS_MAX] = {0};
    unsigned limbs = hunt->sieve.limbs;
    memcpy(stride, sequence->stride, hunt->sieve.stride_limbs * sizeof *stride);
    uint64_t above = limbs_add_product(sum, sequence->start, index, stride, limbs);
    above |= limbs_bits(sum, limbs, hunt->bits);
    OPENSSL_cleanse(stride, sizeof stride);
    return above == 0;
}

/* A sequence whose window would reach past the highest number begins anew, as in step 6 of B.9. It
 * gives up a few candidates that are still below, which hardly ever happens. */
static bool sequence_begin(struct hunt *hunt, unsigned which, struct error *error)
{
    uint64_t end[RSA_LIMBS_MAX];
    bool fits = false;
    for (unsigned drawn = 0; !fits && drawn < RANDOM_DRAWS; drawn++) {
        TRY(hunt->begin(hunt, which, error));
        fits = candidate_at(hunt, which, hunt->sieve.window, end);
    }
    OPENSSL_cleanse(end, sizeof end);
    hunt->windows[which] = 0;
    return fits || random_failed(error);
}

static bool windows_sieve(struct hunt *hunt, unsigned one, unsigned other, struct error *error)
{
    uint64_t start = phase_start(hunt->counts);
    TRY(sieve_run(&hunt->sieve, &hunt->sequences[one], &hunt->sequences[other], error));
    hunt->next[one] = hunt->next[other] = 0;
    hunt->windows[one]++;
    hunt->windows[other] += one != other;
    hunt->counts->sieves++;
    phase_end(hunt->counts, RSA_PHASE_SIEVE, start);
    return true;
}

static bool window_next(struct hunt *hunt, unsigned which, struct error *error)
{
    uint64_t start[RSA_LIMBS_MAX];
    /* There is room for this window, for the last one was only sieved because there was. */
    candidate_at(hunt, which, hunt->sieve.window, start);
    memcpy(hunt->sequences[which].start, start, hunt->sieve.limbs * sizeof *start);
    if (hunt->windows[which] == hunt->windows_max ||
        !candidate_at(hunt, which, hunt->sieve.window, start))
        TRY(sequence_begin(hunt, which, error));
    OPENSSL_cleanse(start, sizeof start);
    return windows_sieve(hunt, which, which, error);
}

/* Adds up to `wanted` candidates of a sequence, at least one. */
static bool candidates_add(struct hunt *hunt, unsigned which, unsigned wanted, unsigned *indices,
                           struct error *error)
{
    struct sequence *sequence = &hunt->sequences[which];
    unsigned window = hunt->sieve.window;
    for (unsigned taken = 0; taken < wanted;) {
        unsigned from = hunt->next[which];
        const unsigned char *at = memchr(sequence->struck + from, 0, window - from);
        if (at == NULL && taken > 0)
            break; /* the next window comes with the next batch */
        if (at == NULL) {
            TRY(window_next(hunt, which, error));
            continue;
        }
        unsigned index = (unsigned)(at - sequence->struck);
        unsigned lane = hunt->candidates.count++;
        candidate_at(hunt, which, index, hunt->candidates.number[lane]);
        indices[lane] = index;
        hunt->next[which] = index + 1;
        taken++;
    }
    return true;
}

/* One exponentiation of all lanes, shared by the sequences that still seek. */
static bool batch_run(struct hunt *hunt, struct error *error)
{
    unsigned indices[RSA_LANES] = {0};
    unsigned end[3] = {0};
    unsigned lanes = tester_lanes(hunt->tester);
    unsigned seeking = (unsigned)!hunt->found[0] + (unsigned)!hunt->found[1];
    unsigned share = lanes / seeking > 0 ? lanes / seeking : 1;
    hunt->candidates.count = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!hunt->found[i] && hunt->candidates.count < lanes)
            TRY(candidates_add(hunt, i, share, indices, error));
        end[i + 1] = hunt->candidates.count;
    }
    unsigned likely = 0;
    uint64_t start = phase_start(hunt->counts);
    TRY(tester_first(hunt->tester, &hunt->candidates, &likely, error));
    phase_end(hunt->counts, RSA_PHASE_FIRST_TESTS, start);
    hunt->counts->exponentiations++;
    hunt->counts->first_tests += hunt->candidates.count;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned lane = end[i]; lane < end[i + 1] && !hunt->found[i]; lane++) {
            if ((likely >> lane & 1) == 0)
                continue;
            /* The first along the stride counts; those behind it are looked at again should it
             * turn out to be none. */
            hunt->found[i] = true;
            hunt->next[i] = indices[lane] + 1;
            memcpy(hunt->primes[i], hunt->candidates.number[lane], sizeof hunt->primes[i]);
        }
    }
    return true;
}

static bool confirm(struct hunt *hunt, bool confirmed[2], struct error *error)
{
    uint64_t start = phase_start(hunt->counts);
    unsigned who[2] = {0};
    unsigned prime = 0;
    hunt->candidates.count = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (confirmed[i])
            continue;
        unsigned lane = hunt->candidates.count++;
        who[lane] = i;
        memcpy(hunt->candidates.number[lane], hunt->primes[i], sizeof hunt->primes[i]);
    }
    TRY(tester_confirm(hunt->tester, &hunt->candidates, hunt->rounds, &hunt->pool,
                       &hunt->counts->exponentiations, &prime, error));
    for (unsigned lane = 0; lane < hunt->candidates.count; lane++) {
        bool good = (prime >> lane & 1) != 0;
        confirmed[who[lane]] = hunt->found[who[lane]] = good;
        hunt->counts->refused += !good;
    }
    hunt->counts->confirmations += hunt->candidates.count;
    phase_end(hunt->counts, RSA_PHASE_CONFIRMATION, start);
    return true;
}

bool hunt_run(struct hunt *hunt, struct error *error)
{
    const struct rsa_caller *caller = hunt->pool.caller;
    bool confirmed[2] = {false, false};
    for (unsigned i = 0; i < 2; i++) {
        TRY(sequence_begin(hunt, i, error));
        hunt->found[i] = false;
    }
    hunt->candidates.bits = hunt->bits;
    TRY(windows_sieve(hunt, 0, 1, error));
    while (!confirmed[0] || !confirmed[1]) {
        if (caller->go_on != NULL && !caller->go_on(caller->context))
            return error_set(error, ERROR_CANCELLED, "the search for an RSA key was ended");
        if (hunt->found[0] && hunt->found[1])
            TRY(confirm(hunt, confirmed, error));
        else
            TRY(batch_run(hunt, error));
    }
    return true;
}
