/* Whether the time of the primality tests tells a secret, after dudect (Reparaz, Balasch and
 * Verbauwhede, "Dude, is my code constant time?", 2017): the same work on one fixed secret and on
 * random ones, in random order, and Welch's t of the two sets of times.
 *
 * A machine that does other things as well makes some times long, so the longest tenth is left out,
 * and an operation fails only when |t| is beyond the threshold in three runs in a row. Compiled
 * with PLANTED_LEAK it has a leak of its own, which must be found. */
#include "rsa/ifma.h"
#include "rsa/portable.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS      3
#define THRESHOLD 30.0
#define KEPT      0.9 /* of the times, the shortest */
/* The caches and the clock of the processor settle first. */
#define WARM_UP 50

typedef uint64_t limbs_of_lanes[RSA_LANES][RSA_LIMBS_MAX];

/* What is measured on. Numbers are 3 modulo 4, as a round's time may tell how often 2 divides a
 * number less 1. */
static struct {
    struct ifma ifma;
    struct portable *portable;
    unsigned bits;
    limbs_of_lanes numbers, bases;
    limbs_of_lanes fixed_numbers, fixed_bases;
} work;

static volatile unsigned verdict; /* keeps the work from being optimized away */

static uint64_t random_limb(void)
{
    static uint64_t state = 88172645463325252U; /* xorshift */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

#ifdef PLANTED_LEAK
/* What a subtraction of the modulus where it is needed would do. */
static void leak(void)
{
    if (work.numbers[0][1] != 0) /* never so with the fixed secret */
        for (unsigned i = 0; i < 4 * work.bits; i++)
            verdict = i;
}
#else
static void leak(void)
{
}
#endif

static const uint64_t (*numbers(void))[RSA_LIMBS_MAX]
{
    return (const uint64_t(*)[RSA_LIMBS_MAX])work.numbers;
}

static void square_prepare(void)
{
    ifma_set_moduli(&work.ifma, work.bits, numbers());
    for (unsigned lane = 0; lane < RSA_LANES; lane++)
        ifma_put(&work.ifma, work.ifma.x, lane, work.bases[lane], LIMBS_OF(work.bits));
}

static void square_run(void)
{
    for (unsigned i = 0; i < 16; i++)
        ifma_square(&work.ifma, (unsigned)work.numbers[0][0] >> 8 & 0xff);
    verdict = (unsigned)work.ifma.x[0].lane[0];
}

static void multiply_run(void)
{
    for (unsigned i = 0; i < 16; i++)
        ifma_multiply(&work.ifma);
    verdict = (unsigned)work.ifma.x[0].lane[0];
}

static void multiply_prepare(void)
{
    square_prepare();
    memcpy(work.ifma.y, work.ifma.x, sizeof work.ifma.y);
}

static void nothing_prepare(void)
{
}

static void first_run(void)
{
    verdict = ifma_first_tests(&work.ifma, work.bits, numbers());
}

static void round_run(void)
{
    verdict =
        ifma_rounds(&work.ifma, work.bits, numbers(), (const uint64_t(*)[RSA_LIMBS_MAX])work.bases);
}

static void demand(bool ok, const struct error *error)
{
    if (!ok) {
        fprintf(stderr, "%s\n", error->text);
        exit(2);
    }
}

static void portable_prepare(void)
{
    struct error error;
    demand(portable_set(work.portable, work.numbers[0], work.bits, &error), &error);
}

static void portable_run(void)
{
    struct error error;
    bool likely = false;
    demand(portable_first(work.portable, &likely, &error), &error);
    verdict = likely;
}

static const struct operation {
    const char *name;
    void (*prepare)(void); /* is not measured */
    void (*run)(void);
    bool ifma;
    unsigned bits;
    unsigned times; /* measured in the short form */
} operations[] = {
    {"squaring", square_prepare, square_run, true, 141, 4000},
    {"squaring", square_prepare, square_run, true, 1024, 2000},
    {"squaring", square_prepare, square_run, true, 1536, 2000},
    {"squaring", square_prepare, square_run, true, 2048, 1000},
    {"multiplication", multiply_prepare, multiply_run, true, 1024, 2000},
    {"multiplication", multiply_prepare, multiply_run, true, 2048, 1000},
    {"base-2 test", nothing_prepare, first_run, true, 141, 2000},
    {"base-2 test", nothing_prepare, first_run, true, 1024, 300},
    {"base-2 test", nothing_prepare, first_run, true, 2048, 100},
    {"round", nothing_prepare, round_run, true, 1024, 200},
    {"base-2 test, portable", portable_prepare, portable_run, false, 1024, 400},
    {"base-2 test, portable", portable_prepare, portable_run, false, 2048, 100},
};

/* A secret of either class; both are made, and one is taken without a branch, so that the caches
 * and the branch predictor know nothing of the class. */
static void secret_make(bool fixed)
{
    uint64_t mask = 0 - (uint64_t)fixed;
    unsigned count = LIMBS_OF(work.bits);
    uint64_t top = 1ULL << ((work.bits - 1) % LIMB_BITS);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        for (unsigned i = 0; i < count; i++) {
            uint64_t number = random_limb();
            uint64_t base = random_limb();
            if (i == 0)
                number |= 3;
            if (i == count - 1) {
                number = (number & (top - 1)) | top;
                base &= top - 1;
            }
            work.numbers[lane][i] = (number & ~mask) | (work.fixed_numbers[lane][i] & mask);
            work.bases[lane][i] = (base & ~mask) | (work.fixed_bases[lane][i] & mask);
        }
    }
}

/* A little more than 2^(bits - 1), to base 2: long rows of zeros, for what would stop at them.
 * Another number in each lane, as a round does with equal ones what they share only once. */
static void fixed_make(void)
{
    memset(work.fixed_numbers, 0, sizeof work.fixed_numbers);
    memset(work.fixed_bases, 0, sizeof work.fixed_bases);
    for (unsigned lane = 0; lane < RSA_LANES; lane++) {
        work.fixed_numbers[lane][0] = 3 + 4 * lane;
        work.fixed_numbers[lane][(work.bits - 1) / LIMB_BITS] |= 1ULL
                                                                 << ((work.bits - 1) % LIMB_BITS);
        work.fixed_bases[lane][0] = 2;
    }
}

static int by_time(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

struct sample {
    uint64_t ns;
    bool fixed;
};

/* Welch's t of the times up to `longest`, positive where the fixed secret takes longer. */
static double welch(const struct sample *samples, size_t count, uint64_t longest)
{
    double number[2] = {0};
    double mean[2] = {0};
    double squares[2] = {0};
    for (size_t i = 0; i < count; i++) {
        if (samples[i].ns > longest)
            continue;
        double value = (double)samples[i].ns;
        size_t class = samples[i].fixed;
        number[class] += 1;
        double off = value - mean[class];
        mean[class] += off / number[class];
        squares[class] += off * (value - mean[class]);
    }
    /* A class that was left out whole is slower than the other, beyond all doubt. */
    if (number[0] < 2 || number[1] < 2)
        return number[1] < 2 ? INFINITY : -INFINITY;
    double error =
        squares[0] / (number[0] - 1) / number[0] + squares[1] / (number[1] - 1) / number[1];
    double apart = mean[1] - mean[0];
    return error > 0 ? apart / sqrt(error) : apart == 0 ? 0 : copysign(INFINITY, apart);
}

static double run(const struct operation *operation, size_t count)
{
    struct sample *samples = calloc(count, sizeof *samples);
    uint64_t *sorted = calloc(count, sizeof *sorted);
    if (samples == NULL || sorted == NULL)
        exit(2);
    for (size_t i = 0; i < count + WARM_UP; i++) {
        bool fixed = random_limb() >> 63 != 0;
        secret_make(fixed);
        operation->prepare();
        uint64_t start = now_ns();
        operation->run();
        leak();
        uint64_t ns = now_ns() - start;
        if (i >= WARM_UP) {
            samples[i - WARM_UP] = (struct sample){.ns = ns, .fixed = fixed};
            sorted[i - WARM_UP] = ns;
        }
    }
    qsort(sorted, count, sizeof *sorted, by_time);
    double t = welch(samples, count, sorted[(size_t)((double)(count - 1) * KEPT)]);
    free(samples);
    free(sorted);
    return t;
}

/* False when the time depends on the secret. */
static bool measure(const struct operation *operation, size_t factor, double threshold)
{
    work.bits = operation->bits;
    fixed_make();
    printf("%s of %u bits, %zu times: t =", operation->name, operation->bits,
           operation->times * factor);
    for (unsigned i = 0; i < RUNS; i++) {
        double t = run(operation, operation->times * factor);
        printf(" %.1f", t);
        fflush(stdout);
        if (!(fabs(t) > threshold)) {
            putchar('\n');
            return true;
        }
    }
    puts(": the time depends on the secret");
    return false;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"times", required_argument, NULL, 'n'},
                                            {"threshold", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    size_t factor = 1;
    double threshold = THRESHOLD;
    int option;
    while ((option = getopt_long(argc, argv, "n:t:", options, NULL)) != -1) {
        if (option == 'n')
            factor = strtoul(optarg, NULL, 10);
        else if (option == 't')
            threshold = strtod(optarg, NULL);
        if (option == '?' || factor < 1 || factor > 100000 || !(threshold > 0)) {
            fprintf(stderr,
                    "usage: %s [--times FACTOR] [--threshold T]\n"
                    "FACTOR times as many measurements, and the |t| to fail beyond (%.0f)\n",
                    argv[0], THRESHOLD);
            return 2;
        }
    }
    struct error error;
    demand(portable_new(&work.portable, &error), &error);
    bool constant = true;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (!operations[i].ifma || ifma_available())
            constant = measure(&operations[i], factor, threshold) && constant;
    portable_free(work.portable);
    return constant ? 0 : 1;
}
