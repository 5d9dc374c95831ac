/* crypto/provider by OpenSSL's interface: keys of every size and way, what OpenSSL does with them,
 * what is left to OpenSSL, and how a generation is watched and ended. */
#include "provider_fixture.h"

static void encrypts(OSSL_LIB_CTX *library, EVP_PKEY *key)
{
    static const unsigned char text[] = "a secret";
    unsigned char hidden[512], shown[512];
    size_t hidden_len = sizeof hidden;
    size_t shown_len = sizeof shown;
    EVP_PKEY_CTX *user = EVP_PKEY_CTX_new_from_pkey(library, key, NULL);
    CHECK(EVP_PKEY_encrypt_init(user) == 1 &&
          EVP_PKEY_CTX_set_rsa_padding(user, RSA_PKCS1_OAEP_PADDING) == 1 &&
          EVP_PKEY_encrypt(user, hidden, &hidden_len, text, sizeof text) == 1);
    CHECK(EVP_PKEY_decrypt_init(user) == 1 &&
          EVP_PKEY_CTX_set_rsa_padding(user, RSA_PKCS1_OAEP_PADDING) == 1 &&
          EVP_PKEY_decrypt(user, shown, &shown_len, hidden, hidden_len) == 1);
    CHECK_INT(shown_len, sizeof text);
    CHECK(memcmp(shown, text, sizeof text) == 0);
    EVP_PKEY_CTX_free(user);
}

/* As PKCS#8, and back by OpenSSL's provider and by this one. */
static void goes_round(OSSL_LIB_CTX *library, EVP_PKEY *key)
{
    static const char *const queries[] = {NULL, "?provider=certmill", "provider!=certmill"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        BIO *text = BIO_new(BIO_s_mem());
        CHECK(PEM_write_bio_PKCS8PrivateKey(text, key, NULL, NULL, 0, NULL, NULL) == 1);
        EVP_PKEY *back = PEM_read_bio_PrivateKey_ex(text, NULL, NULL, NULL, library, queries[i]);
        CHECK(back != NULL);
        CHECK_INT(EVP_PKEY_eq(key, back), 1);
        CHECK_INT(EVP_PKEY_eq(back, key), 1);
        signs(library, key, back, RSA_PKCS1_PADDING);
        signs(library, back, key, RSA_PKCS1_PADDING);
        EVP_PKEY_free(back);
        BIO_free(text);
    }
}

static const char *const number_names[] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,           OSSL_PKEY_PARAM_RSA_D,
    OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,     OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

#define NUMBERS (sizeof number_names / sizeof number_names[0])

static void numbers_equal(const EVP_PKEY *one, const EVP_PKEY *other)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        BIGNUM *a = NULL;
        BIGNUM *b = NULL;
        CHECK(EVP_PKEY_get_bn_param(one, number_names[i], &a) == 1);
        CHECK(EVP_PKEY_get_bn_param(other, number_names[i], &b) == 1);
        CHECK(BN_cmp(a, b) == 0);
        BN_clear_free(a);
        BN_clear_free(b);
    }
}

/* EVP_PKEY_todata and EVP_PKEY_fromdata, to each provider, whole and public alone. */
static void is_exported(OSSL_LIB_CTX *library, EVP_PKEY *key)
{
    static const char *const queries[] = {PROVIDER_PROPERTIES, PROVIDER_ELSEWHERE};
    static const int selections[] = {EVP_PKEY_KEYPAIR, EVP_PKEY_PUBLIC_KEY};
    for (size_t i = 0; i < 4; i++) {
        OSSL_PARAM *numbers = NULL;
        EVP_PKEY *back = NULL;
        int selection = selections[i / 2];
        EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(library, "RSA", queries[i % 2]);
        CHECK(EVP_PKEY_todata(key, selection, &numbers) == 1);
        CHECK((OSSL_PARAM_locate(numbers, OSSL_PKEY_PARAM_RSA_D) != NULL) == (i < 2));
        CHECK(EVP_PKEY_fromdata_init(maker) == 1 &&
              EVP_PKEY_fromdata(maker, &back, selection, numbers) == 1);
        CHECK_TEXT(provider_of(back), i % 2 == 0 ? PROVIDER_NAME : "default");
        CHECK_INT(EVP_PKEY_eq(key, back), 1);
        signs(library, key, back, RSA_PKCS1_PSS_PADDING);
        if (selection == EVP_PKEY_KEYPAIR) {
            numbers_equal(key, back);
            EVP_PKEY *again = EVP_PKEY_dup(back);
            CHECK(again != NULL);
            numbers_equal(key, again);
            EVP_PKEY_free(again);
        } else {
            /* There is nothing to sign with. */
            EVP_MD_CTX *md = EVP_MD_CTX_new();
            unsigned char signature[512];
            size_t len = sizeof signature;
            CHECK(EVP_DigestSignInit_ex(md, NULL, "SHA256", library, NULL, back, NULL) != 1 ||
                  EVP_DigestSign(md, signature, &len, signature, 1) != 1);
            EVP_MD_CTX_free(md);
            ERR_clear_error();
        }
        EVP_PKEY_free(back);
        OSSL_PARAM_free(numbers);
        EVP_PKEY_CTX_free(maker);
    }
}

static void key_is_good(OSSL_LIB_CTX *library, EVP_PKEY *key, unsigned bits)
{
    struct key_spec spec;
    CHECK_TEXT(provider_of(key), PROVIDER_NAME);
    CHECK(EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA);
    CHECK_INT(EVP_PKEY_get_bits(key), bits);
    CHECK_INT(EVP_PKEY_get_size(key), bits / 8);
    CHECK_INT(EVP_PKEY_get_security_bits(key), bits == 2048 ? 112 : bits == 3072 ? 128 : 152);
    CHECK(key_spec_of(key, &spec) && spec.type == KEY_RSA && spec.bits == bits);
    check_passes(library, key);
    signs(library, key, key, RSA_PKCS1_PADDING);
    signs(library, key, key, RSA_PKCS1_PSS_PADDING);
    encrypts(library, key);
    goes_round(library, key);
    is_exported(library, key);
    EVP_PKEY *twin = EVP_PKEY_dup(key);
    CHECK(twin != NULL);
    numbers_equal(key, twin);
    CHECK_INT(EVP_PKEY_eq(key, twin), 1);
    EVP_PKEY_free(twin);
}

static void keys_of_every_size_and_path(void)
{
    static const unsigned sizes[] = {2048, 3072, 4096};
    for (int own_first = 0; own_first < 2; own_first++) {
        struct library library = library_new(own_first == 1);
        for (size_t i = 0; i < 2 * PATHS; i++) {
            if (!can_go(i % PATHS))
                continue;
            for (size_t s = 0; s < 3; s++) {
                const OSSL_PARAM wanted[] = {OSSL_PARAM_construct_utf8_string(
                                                 PROVIDER_PARAM_PATH, (char *)paths[i % PATHS], 0),
                                             OSSL_PARAM_construct_end()};
                EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, sizes[s]);
                CHECK(EVP_PKEY_CTX_set_params(maker, wanted) == 1);
                /* One generation after another, as the crypto stage does. */
                EVP_PKEY *key = key_make(maker);
                EVP_PKEY *other = key_make(maker);
                CHECK_INT(EVP_PKEY_eq(key, other), 0);
                if (i < PATHS)
                    key_is_good(library.context, key, sizes[s]);
                else
                    all_checks_pass(library.context, key);
                EVP_PKEY_free(key);
                EVP_PKEY_free(other);
                EVP_PKEY_CTX_free(maker);
                if (i >= PATHS)
                    break;
            }
        }
        library_free(&library);
    }
    CHECK_INT(ERR_peek_error(), 0);
}

/* As in programs that load the module. */
static void keys_are_made_without_a_secure_heap(void)
{
    struct crypto_secure_heap heap;
    CHECK_INT(CRYPTO_secure_malloc_initialized(), 0);
    crypto_secure_heap(&heap);
    CHECK_INT(heap.bytes, 0);
    CHECK_INT(heap.used, 0);
    struct library library = library_new(false);
    EVP_PKEY *key = key_of(library.context, 2048);
    all_checks_pass(library.context, key);
    EVP_PKEY_free(key);
    library_free(&library);
}

static BIGNUM *number_of(const EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    return EVP_PKEY_get_bn_param(key, name, &number) == 1 ? number : NULL;
}

/* As OpenSSL's own generation makes them, but kept here. */
static void other_keys_are_openssls(void)
{
    struct library library = library_new(false);
    EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, 1024);
    EVP_PKEY *key = key_make(maker);
    CHECK_TEXT(provider_of(key), PROVIDER_NAME);
    CHECK_INT(EVP_PKEY_get_bits(key), 1024);
    all_checks_pass(library.context, key);
    signs(library.context, key, key, RSA_PKCS1_PADDING);
    goes_round(library.context, key);
    is_exported(library.context, key);
    EVP_PKEY_free(key);

    BIGNUM *three = BN_new();
    CHECK(BN_set_word(three, 3) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(maker, 2048) == 1);
    CHECK(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(maker, three) == 1);
    key = key_make(maker);
    BIGNUM *exponent = number_of(key, OSSL_PKEY_PARAM_RSA_E);
    CHECK(exponent != NULL && BN_is_word(exponent, 3) == 1);
    CHECK_INT(EVP_PKEY_get_bits(key), 2048);
    BN_free(exponent);
    EVP_PKEY_free(key);
    CHECK(BN_set_word(three, RSA_EXPONENT) == 1);
    CHECK(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(maker, three) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_primes(maker, 3) == 1);
    key = key_make(maker);
    BIGNUM *third = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR3);
    CHECK(third != NULL);
    BN_clear_free(third);
    EVP_PKEY_free(key);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_primes(maker, 2) == 1);
    key = key_make(maker);
    CHECK(number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR3) == NULL);
    EVP_PKEY_free(key);
    BN_free(three);

    CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(maker, 100) != 1);
    EVP_PKEY_CTX_free(maker);
    maker = EVP_PKEY_CTX_new_from_name(library.context, "RSA-PSS", "?provider=certmill");
    key = NULL;
    CHECK(maker != NULL && EVP_PKEY_keygen_init(maker) == 1 &&
          EVP_PKEY_CTX_set_rsa_keygen_bits(maker, 1024) == 1 &&
          EVP_PKEY_generate(maker, &key) == 1);
    CHECK_TEXT(provider_of(key), "default");
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    ERR_clear_error();
    library_free(&library);
}

static void queries_choose(void)
{
    struct library library = library_new(false);
    static const struct {
        const char *query, *provider;
    } cases[] = {{"provider=certmill", PROVIDER_NAME},
                 {"?provider=certmill", PROVIDER_NAME},
                 {"provider=default", "default"},
                 {"?fips=yes,provider=certmill", PROVIDER_NAME},
                 {"provider!=certmill", "default"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EVP_KEYMGMT *found = EVP_KEYMGMT_fetch(library.context, "RSA", cases[i].query);
        CHECK(found != NULL);
        CHECK_TEXT(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(found)), cases[i].provider);
        EVP_KEYMGMT_free(found);
    }
    CHECK(EVP_KEYMGMT_fetch(library.context, "RSA", "fips=yes,provider=certmill") == NULL);
    CHECK(EVP_KEYMGMT_fetch(library.context, "EC", "provider=certmill") == NULL);
    /* As a default of the whole library context. */
    CHECK(EVP_set_default_properties(library.context, "?provider=certmill") == 1);
    EVP_PKEY_CTX *maker = maker_new(library.context, NULL, 2048);
    EVP_PKEY *key = key_make(maker);
    key_is_good(library.context, key, 2048);
    EVP_PKEY_free(key);
    CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(maker, 512) == 1);
    key = key_make(maker);
    check_passes(library.context, key);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    ERR_clear_error();
    library_free(&library);
}

/* A parameter's text ends where its length says, and may be missing. */
static void paths_are_read_by_length(void)
{
    static const struct {
        const char *text;
        size_t len;
        bool good;
    } cases[] = {{"portable", 8, true},       {"portable", 4, false}, {"portables", 8, true},
                 {"portables", 9, false},     {"auto", 0, false},     {NULL, 0, false},
                 {"portable\0more", 13, true}};
    struct library library = library_new(false);
    EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, 2048);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* Of its own, for the address sanitizer to see what is read behind it. */
        char *text = cases[i].len > 0 ? malloc(cases[i].len) : NULL;
        if (text != NULL)
            memcpy(text, cases[i].text, cases[i].len);
        const OSSL_PARAM wanted[] = {{PROVIDER_PARAM_PATH, OSSL_PARAM_UTF8_STRING, text,
                                      cases[i].len, OSSL_PARAM_UNMODIFIED},
                                     OSSL_PARAM_construct_end()};
        CHECK_INT(EVP_PKEY_CTX_set_params(maker, wanted) == 1, cases[i].good);
        free(text);
    }
    EVP_PKEY_CTX_free(maker);
    ERR_clear_error();
    library_free(&library);
}

/* Who unloads the providers keeps the keys. */
static void keys_outlive_the_providers(void)
{
    struct library library = library_new(false);
    EVP_PKEY *key = key_of(library.context, 2048);
    signs(library.context, key, key, RSA_PKCS1_PADDING);
    OSSL_PROVIDER_unload(library.providers[1]);
    CHECK_INT(EVP_PKEY_get_bits(key), 2048);
    EVP_PKEY *twin = EVP_PKEY_dup(key);
    CHECK(twin != NULL);
    CHECK_INT(EVP_PKEY_eq(key, twin), 1);
    OSSL_PROVIDER_unload(library.providers[0]);
    CHECK_INT(EVP_PKEY_get_bits(twin), 2048);
    EVP_PKEY_free(key);
    EVP_PKEY_free(twin);
    ERR_clear_error();
    OSSL_LIB_CTX_free(library.context);
}

struct watch {
    unsigned calls, primes, calls_left;
};

static int watch_called(EVP_PKEY_CTX *maker)
{
    struct watch *watch = EVP_PKEY_CTX_get_app_data(maker);
    watch->calls++;
    watch->primes += EVP_PKEY_CTX_get_keygen_info(maker, 0) == 3;
    return watch->calls_left-- > 0;
}

/* Whoever makes the key. */
static void generations_are_watched_and_ended(void)
{
    static const unsigned sizes[] = {2048, 1024};
    struct library library = library_new(false);
    for (size_t i = 0; i < 2; i++) {
        struct watch watch = {.calls_left = UINT_MAX};
        EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, sizes[i]);
        EVP_PKEY_CTX_set_app_data(maker, &watch);
        EVP_PKEY_CTX_set_cb(maker, watch_called);
        EVP_PKEY_free(key_make(maker));
        CHECK(watch.calls > 3);
        CHECK_INT(watch.primes, 2);
        for (unsigned calls = 0; calls < 3; calls++) {
            EVP_PKEY *key = NULL;
            watch = (struct watch){.calls_left = calls};
            CHECK(EVP_PKEY_generate(maker, &key) != 1);
            CHECK(key == NULL);
            CHECK_INT(watch.calls, calls + 1);
            ERR_clear_error();
        }
        watch = (struct watch){.calls_left = UINT_MAX};
        EVP_PKEY_free(key_make(maker));
        EVP_PKEY_CTX_free(maker);
    }
    library_free(&library);
}

static void sound(const struct rsa_numbers *numbers, bool wanted)
{
    struct library library = library_new(false);
    const struct provider *provider = OSSL_PROVIDER_get0_provider_ctx(library.providers[1]);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(library.context, "RSA", PROVIDER_ELSEWHERE);
    CHECK(maker != NULL && EVP_PKEY_fromdata_init(maker) == 1);
    struct rsa_key *key = rsa_key_of_numbers(provider, maker, numbers);
    CHECK((key != NULL) == wanted);
    rsa_key_free(key);
    EVP_PKEY_CTX_free(maker);
    library_free(&library);
    ERR_clear_error();
}

static bool random_fill(void *context, unsigned char *bytes, size_t len)
{
    (void)context;
    return RAND_priv_bytes(bytes, (int)len) == 1;
}

/* One wrong bit anywhere, as a slip of the processor makes it. */
static void spoiled_keys_are_kept_back(void)
{
    const struct rsa_caller caller = {.fill = random_fill};
    struct rsa_numbers *numbers = rsa_numbers_new();
    struct error error;
    CHECK_OK(rsa_search(2048, RSA_PATH_AUTO, &caller, numbers, NULL, &error), error);
    sound(numbers, true);
    unsigned char *const parts[] = {numbers->n,  numbers->d,  numbers->p,   numbers->q,
                                    numbers->dp, numbers->dq, numbers->qinv};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        parts[i][77] ^= 0x10;
        sound(numbers, false);
        parts[i][77] ^= 0x10;
    }
    sound(numbers, true);
    rsa_numbers_free(numbers);
}

static const struct test tests[] = {
    TEST(keys_are_made_without_a_secure_heap),
    TEST(keys_of_every_size_and_path),
    TEST(other_keys_are_openssls),
    TEST(queries_choose),
    TEST(generations_are_watched_and_ended),
    TEST(spoiled_keys_are_kept_back),
    TEST(paths_are_read_by_length),
    TEST(keys_outlive_the_providers),
};

TESTS_MAIN(tests)
