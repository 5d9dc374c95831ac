/* Keys of the search are RSA keys, by OpenSSL's judgement, and made as FIPS 186-5 A.1.6 says. */
#include "rsa/hunt.h"
#include "rsa/stride.h"
#include "rsa_deceivers.h"
#include "rsa_fixture.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

static BN_CTX *scratch;

static const enum rsa_path paths[] = {RSA_PATH_IFMA, RSA_PATH_PORTABLE};

#define PATHS (sizeof paths / sizeof paths[0])

struct key {
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qinv;
};

static struct key key_of(const struct rsa_numbers *numbers)
{
    int whole = (int)numbers->bits / 8;
    int half = whole / 2;
    struct key key = {.n = BN_bin2bn(numbers->n, whole, NULL),
                      .e = BN_new(),
                      .d = BN_bin2bn(numbers->d, whole, NULL),
                      .p = BN_bin2bn(numbers->p, half, NULL),
                      .q = BN_bin2bn(numbers->q, half, NULL),
                      .dp = BN_bin2bn(numbers->dp, half, NULL),
                      .dq = BN_bin2bn(numbers->dq, half, NULL),
                      .qinv = BN_bin2bn(numbers->qinv, half, NULL)};
    CHECK(BN_set_word(key.e, RSA_EXPONENT) == 1);
    return key;
}

static void key_free(struct key *key)
{
    BN_free(key->n);
    BN_free(key->e);
    BN_free(key->d);
    BN_free(key->p);
    BN_free(key->q);
    BN_free(key->dp);
    BN_free(key->dq);
    BN_free(key->qinv);
}

static void prime_check(const BIGNUM *prime, unsigned bits)
{
    BIGNUM *less_1 = BN_dup(prime);
    BIGNUM *square = BN_new();
    CHECK_INT(BN_num_bits(prime), bits / 2);
    CHECK(BN_check_prime(prime, scratch, NULL) == 1);
    CHECK(BN_sub_word(less_1, 1) == 1 && BN_mod_word(less_1, RSA_EXPONENT) != 0);
    /* at least the square root of 2 times 2^(bits / 2 - 1) */
    CHECK(BN_sqr(square, prime, scratch) == 1);
    CHECK_INT(BN_num_bits(square), bits);
    BN_free(less_1);
    BN_free(square);
}

/* Where both hold, n has exactly `bits` bits. */
static void numbers_check(const struct rsa_numbers *numbers, unsigned bits)
{
    struct key key = key_of(numbers);
    BIGNUM *product = BN_new();
    CHECK_INT(numbers->bits, bits);
    prime_check(key.p, bits);
    prime_check(key.q, bits);
    CHECK(BN_cmp(key.p, key.q) > 0);
    CHECK(BN_sub(product, key.p, key.q) == 1);
    CHECK(BN_num_bits(product) > (int)bits / 2 - 100);
    CHECK(BN_mul(product, key.p, key.q, scratch) == 1 && BN_cmp(product, key.n) == 0);
    CHECK_INT(BN_num_bits(key.n), bits);
    CHECK(BN_num_bits(key.d) > (int)bits / 2);
    /* e d = 1 modulo p - 1 and q - 1, and d is the least such number */
    BIGNUM *p_1 = BN_dup(key.p);
    BIGNUM *q_1 = BN_dup(key.q);
    BIGNUM *common = BN_new();
    CHECK(BN_sub_word(p_1, 1) == 1 && BN_sub_word(q_1, 1) == 1);
    CHECK(BN_gcd(common, p_1, q_1, scratch) == 1 && BN_mul(product, p_1, q_1, scratch) == 1 &&
          BN_div(product, NULL, product, common, scratch) == 1);
    CHECK(BN_cmp(key.d, product) < 0);
    CHECK(BN_mod_mul(common, key.d, key.e, product, scratch) == 1 && BN_is_one(common));
    CHECK(BN_mod(common, key.d, p_1, scratch) == 1 && BN_cmp(common, key.dp) == 0);
    CHECK(BN_mod(common, key.d, q_1, scratch) == 1 && BN_cmp(common, key.dq) == 0);
    CHECK(BN_mod_mul(common, key.q, key.qinv, key.p, scratch) == 1 && BN_is_one(common));
    CHECK(BN_cmp(key.qinv, key.p) < 0);
    BN_free(p_1);
    BN_free(q_1);
    BN_free(common);
    BN_free(product);
    key_free(&key);
}

static void openssl_check(const struct rsa_numbers *numbers)
{
    struct key key = key_of(numbers);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    CHECK(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, key.n) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, key.e) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, key.d) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_FACTOR1, key.p) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_FACTOR2, key.q) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT1, key.dp) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT2, key.dq) == 1 &&
          OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, key.qinv) == 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    CHECK(EVP_PKEY_fromdata_init(maker) == 1 &&
          EVP_PKEY_fromdata(maker, &pkey, EVP_PKEY_KEYPAIR, params) == 1);
    EVP_PKEY_CTX *checker = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    CHECK_INT(EVP_PKEY_check(checker), 1);
    EVP_PKEY_CTX_free(checker);
    EVP_PKEY_CTX_free(maker);
    EVP_PKEY_free(pkey);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    key_free(&key);
}

static void keys_check(enum rsa_path path, unsigned bits, unsigned count)
{
    struct error error;
    struct rsa_numbers *numbers = rsa_numbers_new();
    struct rsa_search_counts counts = {0};
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(rsa_search(bits, path, &openssl_caller, numbers, &counts, &error), error);
        numbers_check(numbers, bits);
        if (i % 8 == 0)
            openssl_check(numbers);
        rsa_numbers_wipe(numbers);
    }
    CHECK_INT(counts.confirmations - counts.refused, 2 * count);
    CHECK(counts.sieves >= count && counts.first_tests >= 2 * count);
    rsa_numbers_free(numbers);
}

static void keys_of_every_size_and_path(void)
{
    static const struct {
        unsigned bits, count[PATHS];
    } cases[] = {{2048, {120, 24}}, {3072, {10, 3}}, {4096, {6, 2}}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t i = 0; i < PATHS; i++)
            if (rsa_path_available(paths[i]))
                keys_check(paths[i], cases[c].bits, cases[c].count[i]);
    keys_check(RSA_PATH_AUTO, 2048, 1);
}

/* The start is the first number from x on that is 1 modulo 2 r1 and -1 modulo 2 r2. */
static void strides_are_those_of_the_standard(void)
{
    static const struct {
        unsigned auxiliary, bits;
    } cases[] = {{141, 1024}, {171, 1536}, {201, 2048}};
    static struct sequence sequence;
    struct error error;
    for (unsigned i = 0; i < 60; i++) {
        unsigned auxiliary = cases[i % 3].auxiliary;
        unsigned bits = cases[i % 3].bits;
        uint64_t limbs[3][RSA_LIMBS_MAX];
        BIGNUM *r[2];
        for (unsigned n = 0; n < 2; n++) {
            r[n] = BN_new();
            CHECK(BN_generate_prime_ex(r[n], (int)auxiliary, 0, NULL, NULL, NULL) == 1);
            big_to(r[n], limbs[n]);
        }
        random_number(limbs[2], bits);
        limbs[2][LIMBS_OF(bits) - 1] &= ~(1ULL << 62); /* room above it */
        bool fits = false;
        CHECK_OK(
            stride_make(limbs[0], limbs[1], auxiliary, limbs[2], bits, &sequence, &fits, &error),
            error);
        CHECK(fits);
        BIGNUM *x = big_of(limbs[2], LIMBS_OF(bits));
        BIGNUM *start = big_of(sequence.start, LIMBS_OF(bits));
        BIGNUM *stride = big_of(sequence.stride, LIMBS_OF(2 * auxiliary + 1));
        BIGNUM *wanted = BN_new();
        BIGNUM *rest = BN_new();
        CHECK(BN_mul(wanted, r[0], r[1], scratch) == 1 && BN_lshift1(wanted, wanted) == 1);
        CHECK(BN_cmp(wanted, stride) == 0);
        CHECK(BN_cmp(start, x) >= 0 && BN_sub(rest, start, x) == 1 && BN_cmp(rest, stride) < 0);
        CHECK(BN_lshift1(r[0], r[0]) == 1 && BN_lshift1(r[1], r[1]) == 1);
        CHECK(BN_sub(rest, start, BN_value_one()) == 1 && BN_mod(rest, rest, r[0], scratch) == 1 &&
              BN_is_zero(rest));
        CHECK(BN_add(rest, start, BN_value_one()) == 1 && BN_mod(rest, rest, r[1], scratch) == 1 &&
              BN_is_zero(rest));
        /* Hardly below the top there is none. */
        memset(limbs[2], 0xff, LIMBS_OF(bits) * sizeof limbs[2][0]);
        CHECK_OK(
            stride_make(limbs[0], limbs[1], auxiliary, limbs[2], bits, &sequence, &fits, &error),
            error);
        CHECK(!fits);
        BN_free(r[0]);
        BN_free(r[1]);
        BN_free(x);
        BN_free(start);
        BN_free(stride);
        BN_free(wanted);
        BN_free(rest);
    }
}

/* A hunt on small numbers: odd numbers of 141 bits from given starts on. */
static struct hunt hunt;

static BIGNUM *hunt_starts[2][2]; /* the first and the second of each sequence */
static unsigned hunt_begun[2];

static bool hunt_begin(struct hunt *self, unsigned which, struct error *error)
{
    (void)error;
    CHECK(hunt_begun[which] < 2);
    big_to(hunt_starts[which][hunt_begun[which]++], self->sequences[which].start);
    self->sequences[which].stride[0] = 2;
    return true;
}

static BIGNUM *hunt_start_random(void)
{
    uint64_t limbs[RSA_LIMBS_MAX];
    random_number(limbs, 141);
    limbs[2] &= ~(1ULL << 11); /* far from the top */
    limbs[0] |= 1;
    return big_of(limbs, 3);
}

static BIGNUM *prime_from(const BIGNUM *start)
{
    BIGNUM *prime = BN_dup(start);
    while (BN_check_prime(prime, scratch, NULL) != 1)
        CHECK(BN_add_word(prime, 2) == 1);
    return prime;
}

/* The first prime from hunt_starts[0][begun[0] - 1] on, and likewise for the other sequence. */
static void hunt_check(enum rsa_path path, unsigned window, unsigned windows_max,
                       struct rsa_search_counts *counts, const unsigned begun[2])
{
    struct error error;
    memset(&hunt, 0, sizeof hunt);
    memset(hunt_begun, 0, sizeof hunt_begun);
    hunt.pool.caller = &openssl_caller;
    hunt.counts = counts;
    hunt.bits = 141;
    hunt.rounds = 10;
    hunt.windows_max = windows_max;
    hunt.begin = hunt_begin;
    hunt.sieve = (struct sieve){
        .limbs = 3, .stride_limbs = 1, .window = window, .bound = 1000, .path = path};
    CHECK_OK(tester_new(path, &hunt.tester, &error), error);
    CHECK_OK(hunt_run(&hunt, &error), error);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_INT(hunt_begun[i], begun[i]);
        BIGNUM *wanted = prime_from(hunt_starts[i][begun[i] - 1]);
        BIGNUM *had = big_of(hunt.primes[i], 3);
        CHECK(BN_cmp(wanted, had) == 0);
        BN_free(wanted);
        BN_free(had);
    }
    tester_free(hunt.tester);
}

static void hunt_starts_free(void)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned j = 0; j < 2; j++) {
            BN_free(hunt_starts[i][j]);
            hunt_starts[i][j] = NULL;
        }
    }
}

/* However short the windows are. */
static void hunts_find_the_first_prime(void)
{
    static const unsigned once[2] = {1, 1};
    for (unsigned round = 0; round < 40; round++) {
        struct rsa_search_counts counts = {0};
        if (!rsa_path_available(paths[round % 2]))
            continue;
        hunt_starts[0][0] = hunt_start_random();
        hunt_starts[1][0] = hunt_start_random();
        hunt_check(paths[round % 2], round % 4 < 2 ? 16 : 512, 1000, &counts, once);
        hunt_starts_free();
    }
}

/* A number that deceives the first test is refused, and the hunt goes on behind it. */
static void hunts_refuse_deceivers(void)
{
    static const unsigned once[2] = {1, 1};
    for (size_t d = 0; d < DECEIVERS; d++) {
        if (deceivers[d].bits != 141 || deceivers[d].carmichael)
            continue;
        for (unsigned round = 0; round < 8; round++) {
            struct rsa_search_counts counts = {0};
            if (!rsa_path_available(paths[round % 2]))
                continue;
            unsigned which = round / 2 % 2;
            BIGNUM *factor = NULL;
            CHECK(BN_hex2bn(&factor, deceivers[d].hex) > 0);
            BIGNUM *number = BN_dup(factor);
            CHECK(BN_lshift1(number, number) == 1 && BN_sub_word(number, 1) == 1 &&
                  BN_mul(number, number, factor, scratch) == 1 &&
                  BN_sub_word(number, 2 * (BN_ULONG)(round / 4)) == 1);
            hunt_starts[which][0] = number;
            hunt_starts[1 - which][0] = hunt_start_random();
            hunt_check(paths[round % 2], 256, 1000, &counts, once);
            CHECK_INT(counts.refused, 1);
            CHECK_INT(counts.confirmations, 3);
            BN_free(factor);
            hunt_starts_free();
        }
    }
}

/* Where a window would pass the highest number, and after as many windows as are allowed, a
 * sequence begins anew. */
static void hunts_begin_anew(void)
{
    static const unsigned twice[2] = {2, 1};
    for (unsigned round = 0; round < 8; round++) {
        struct rsa_search_counts counts = {0};
        if (!rsa_path_available(paths[round % 2]))
            continue;
        BIGNUM *first = BN_new();
        BIGNUM *second = hunt_start_random();
        BN_zero(first);
        if (round < 4) { /* 2^141 - 255 */
            CHECK(BN_set_bit(first, 141) == 1 && BN_sub_word(first, 255) == 1);
        } else { /* behind a prime: no other comes for three windows of 16 */
            do {
                BN_free(first);
                BIGNUM *random = hunt_start_random();
                first = prime_from(random);
                BN_free(random);
                CHECK(BN_add_word(first, 2) == 1);
                BIGNUM *next = prime_from(first);
                CHECK(BN_sub(next, next, first) == 1);
                bool near = BN_num_bits(next) <= 7;
                BN_free(next);
                if (!near)
                    break;
            } while (true);
            /* and the second attempt soon finds one */
            BN_free(second);
            BIGNUM *random = hunt_start_random();
            second = prime_from(random);
            BN_free(random);
        }
        hunt_starts[0][0] = first;
        hunt_starts[0][1] = second;
        BIGNUM *random = hunt_start_random();
        hunt_starts[1][0] = prime_from(random);
        BN_free(random);
        hunt_check(paths[round % 2], round < 4 ? 512 : 16, round < 4 ? 5 : 3, &counts, twice);
        hunt_starts_free();
    }
}

/* d, p and q that FIPS 186-5 does not allow. */
static void near_primes_are_refused(void)
{
    struct error error;
    struct rsa_numbers *numbers = rsa_numbers_new();
    BIGNUM *prime = BN_new();
    uint64_t limbs[2][RSA_LIMBS_MAX];
    CHECK(BN_generate_prime_ex(prime, 1024, 0, NULL, NULL, NULL) == 1);
    do
        CHECK(BN_generate_prime_ex(prime, 1024, 0, NULL, NULL, NULL) == 1);
    while (BN_mod_word(prime, RSA_EXPONENT) == 1 || BN_is_bit_set(prime, 950));
    big_to(prime, limbs[0]);
    for (unsigned apart = 1; apart <= 2; apart++) {
        /* 2^900 and 2^950 apart */
        CHECK(apart == 1 ? BN_set_bit(prime, 900) == 1 : BN_set_bit(prime, 950) == 1);
        do
            CHECK(BN_add_word(prime, 2) == 1);
        while (BN_check_prime(prime, scratch, NULL) != 1 || BN_mod_word(prime, RSA_EXPONENT) == 1);
        big_to(prime, limbs[1]);
        bool good = apart == 1;
        CHECK_OK(numbers_make(limbs[0], limbs[1], 2048, numbers, &good, &error), error);
        CHECK_INT(good, apart == 2);
    }
    BN_free(prime);
    rsa_numbers_free(numbers);
}

/* To the number: 2^(bits - 100) apart is too near, one more is not. */
static void distances_are_exact(void)
{
    for (size_t size = 3; size < PRIME_SIZES; size++) {
        unsigned bits = prime_bits[size];
        BIGNUM *number = BN_new();
        BIGNUM *other = BN_new();
        BN_zero(number);
        CHECK(BN_set_bit(number, (int)bits - 1) == 1);
        for (int more = -1; more <= 1; more++) {
            uint64_t limbs[2][RSA_LIMBS_MAX];
            CHECK(BN_copy(other, number) != NULL && BN_set_bit(other, (int)bits - 100) == 1);
            CHECK((more < 0 ? BN_sub_word(other, 1) : BN_add_word(other, (BN_ULONG)more)) == 1);
            big_to(number, limbs[0]);
            big_to(other, limbs[1]);
            CHECK_INT(far_apart(limbs[0], limbs[1], bits), more == 1);
            CHECK_INT(far_apart(limbs[1], limbs[0], bits), more == 1);
            CHECK(!far_apart(limbs[0], limbs[0], bits));
            CHECK(BN_lshift(other, BN_value_one(), (int)bits - 2) == 1);
            big_to(other, limbs[1]);
            CHECK(far_apart(limbs[1], limbs[0], bits));
        }
        BN_free(number);
        BN_free(other);
    }
}

static unsigned fills_left;

static bool fill_some(void *context, unsigned char *bytes, size_t len)
{
    return fills_left-- > 0 && caller_fill(context, bytes, len);
}

static unsigned steps_left;

static bool go_on_some(void *context)
{
    (void)context;
    return steps_left-- > 0;
}

static bool fill_same(void *context, unsigned char *bytes, size_t len)
{
    memset(bytes, *(const unsigned char *)context, len);
    return true;
}

/* Neither a key nor a search without end. */
static void a_stuck_source_makes_no_key(void)
{
    static const unsigned char stuck[] = {0, 0x01, 0x55, 0xff};
    static const struct rsa_numbers nothing;
    struct rsa_numbers *numbers = rsa_numbers_new();
    struct error error;
    for (size_t i = 0; i < PATHS * sizeof stuck; i++) {
        unsigned char byte = stuck[i / PATHS];
        const struct rsa_caller caller = {.fill = fill_same, .context = &byte};
        if (!rsa_path_available(paths[i % PATHS]))
            continue;
        CHECK(!rsa_search(2048, paths[i % PATHS], &caller, numbers, NULL, &error));
        CHECK_INT(error.kind, ERROR_CRYPTO);
    }
    CHECK(memcmp(numbers, &nothing, sizeof nothing) == 0);
    rsa_numbers_free(numbers);
}

static void failures_leave_no_key(void)
{
    struct error error;
    static const struct rsa_numbers nothing;
    struct rsa_numbers *numbers = rsa_numbers_new();
    const struct rsa_caller poor = {.fill = fill_some};
    const struct rsa_caller hasty = {.fill = caller_fill, .go_on = go_on_some};
    for (size_t i = 0; i < PATHS; i++) {
        if (!rsa_path_available(paths[i])) {
            CHECK(!rsa_search(2048, paths[i], &openssl_caller, numbers, NULL, &error));
            CHECK_INT(error.kind, ERROR_CONFIG);
            continue;
        }
        for (unsigned few = 0; few < 6; few++) {
            fills_left = steps_left = few;
            CHECK(!rsa_search(2048, paths[i], &poor, numbers, NULL, &error));
            CHECK_INT(error.kind, ERROR_CRYPTO);
            CHECK(!rsa_search(2048, paths[i], &hasty, numbers, NULL, &error));
            CHECK_INT(error.kind, ERROR_CANCELLED);
        }
    }
    static const unsigned others[] = {0, 512, 1024, 2047, 8192};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(!rsa_search(others[i], RSA_PATH_AUTO, &openssl_caller, numbers, NULL, &error));
        CHECK_INT(error.kind, ERROR_CONFIG);
    }
    CHECK(memcmp(numbers, &nothing, sizeof nothing) == 0);
    rsa_numbers_free(numbers);
}

static void paths_have_names(void)
{
    CHECK_TEXT(rsa_path_name(RSA_PATH_AUTO), "auto");
    CHECK_TEXT(rsa_path_name(RSA_PATH_IFMA), "ifma");
    CHECK_TEXT(rsa_path_name(RSA_PATH_PORTABLE), "portable");
    CHECK(rsa_path_available(RSA_PATH_AUTO) && rsa_path_available(RSA_PATH_PORTABLE));
}

/* What OpenSSL says when it cannot compute is taken out of its queue of errors, and what others put
 * there stays. */
static void errors_of_others_stay(void)
{
    static struct sequence sequence;
    static struct candidates even = {.bits = 1024, .count = 1};
    struct error error;
    uint64_t limbs[2][RSA_LIMBS_MAX];
    bool fits = false;
    unsigned likely = 0;
    struct tester *tester = NULL;
    random_number(limbs[0], 141);
    random_number(limbs[1], 1024);
    random_number(even.number[0], 1024);
    even.number[0][0] &= ~1ULL;
    CHECK_OK(tester_new(RSA_PATH_PORTABLE, &tester, &error), error);
    ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
    CHECK(!stride_make(limbs[0], limbs[0], 141, limbs[1], 1024, &sequence, &fits, &error));
    CHECK_INT(error.kind, ERROR_CRYPTO);
    CHECK(!tester_first(tester, &even, &likely, &error));
    CHECK_INT(error.kind, ERROR_CRYPTO);
    CHECK_INT(ERR_GET_LIB(ERR_get_error()), ERR_LIB_USER);
    CHECK_INT(ERR_get_error(), 0);
    tester_free(tester);
}

static const struct test tests[] = {
    TEST(paths_have_names),
    TEST(strides_are_those_of_the_standard),
    TEST(hunts_find_the_first_prime),
    TEST(hunts_refuse_deceivers),
    TEST(hunts_begin_anew),
    TEST(near_primes_are_refused),
    TEST(distances_are_exact),
    TEST(failures_leave_no_key),
    TEST(a_stuck_source_makes_no_key),
    TEST(errors_of_others_stay),
    TEST(keys_of_every_size_and_path),
};

int main(int argc, char **argv)
{
    scratch = BN_CTX_new();
    int result = tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
    BN_CTX_free(scratch);
    return result;
}
