/* crypto/provider in its surroundings: what the operator may set, certmill's own contexts, TLS, a
 * full secure heap, and many threads. */
#include "provider_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

/* A configuration as an operator writes it. */
static OSSL_LIB_CTX *configured(const char *path_line, const char *random_lines)
{
    char text[512];
    char file[256];
    snprintf(text, sizeof text,
             "openssl_conf = main\n[main]\nproviders = list\nalg_section = algorithms\n"
             "random = three\n"
             "[algorithms]\ndefault_properties = ?provider=certmill\n"
             "[list]\ndefault = one\ncertmill = two\n[one]\nactivate = 1\n"
             "[two]\nactivate = 1\n%s\n[three]\n%s\n",
             path_line, random_lines);
    pki_file(span_of(text), file, sizeof file);
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    CHECK(OSSL_PROVIDER_add_builtin(library, PROVIDER_NAME, certmill_provider_init) == 1);
    CHECK(OSSL_LIB_CTX_load_config(library, file) == 1);
    unlink(file);
    return library;
}

/* OpenSSL goes on without a provider that refuses its configuration. */
static void refuses_configuration(const char *path_line)
{
    OSSL_LIB_CTX *library = configured(path_line, "");
    CHECK_INT(OSSL_PROVIDER_available(library, PROVIDER_NAME), 0);
    CHECK_INT(OSSL_PROVIDER_available(library, "default"), 1);
    OSSL_LIB_CTX_free(library);
    ERR_clear_error();
}

static void configurations_choose_the_path(void)
{
    static const struct {
        const char *line, *path; /* NULL: the processor's */
    } cases[] = {{"", NULL}, {"path = auto", NULL}, {"path = portable", "portable"}};
    const char *best = rsa_path_available(RSA_PATH_IFMA) ? "ifma" : "portable";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OSSL_LIB_CTX *library = configured(cases[i].line, "");
        const char *path = NULL;
        const char *name = NULL;
        OSSL_PARAM wanted[] = {
            OSSL_PARAM_construct_utf8_ptr(PROVIDER_PARAM_PATH, (char **)&path, 0),
            OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, (char **)&name, 0),
            OSSL_PARAM_construct_end()};
        OSSL_PROVIDER *provider = OSSL_PROVIDER_load(library, PROVIDER_NAME);
        CHECK(provider != NULL && OSSL_PROVIDER_get_params(provider, wanted) == 1);
        CHECK_TEXT(path, cases[i].path != NULL ? cases[i].path : best);
        CHECK_CONTAINS(name, "certmill");
        EVP_PKEY *key = EVP_PKEY_Q_keygen(library, NULL, "RSA", (size_t)2048);
        CHECK(key != NULL);
        CHECK_TEXT(provider_of(key), PROVIDER_NAME);
        EVP_PKEY_free(key);
        OSSL_PROVIDER_unload(provider);
        OSSL_LIB_CTX_free(library);
    }
    refuses_configuration("path = fastest");
    if (!rsa_path_available(RSA_PATH_IFMA))
        refuses_configuration("path = ifma");

    struct library library = library_new(false);
    EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, 2048);
    const OSSL_PARAM bad[] = {
        OSSL_PARAM_construct_utf8_string(PROVIDER_PARAM_PATH, (char *)"fastest", 0),
        OSSL_PARAM_construct_end()};
    CHECK(EVP_PKEY_CTX_set_params(maker, bad) != 1);
    EVP_PKEY_CTX_free(maker);
    ERR_clear_error();
    library_free(&library);
}

/* Keys are made of the random numbers that openssl.cnf names, and of none where these are weaker
 * than the key. */
static void configurations_choose_the_random_numbers(void)
{
    static const struct {
        const char *lines, *generator;
        unsigned bits;
        bool good;
    } cases[] = {{"", "CTR-DRBG", 2048, true},
                 {"random = HASH-DRBG\ndigest = SHA512", "HASH-DRBG", 4096, true},
                 {"random = HASH-DRBG\ndigest = SHA1", "HASH-DRBG", 3072, true},
                 {"random = HASH-DRBG\ndigest = SHA1", "HASH-DRBG", 4096, false},
                 {"random = NO-DRBG", NULL, 2048, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        OSSL_LIB_CTX *library = configured("", cases[i].lines);
        EVP_PKEY_CTX *maker = maker_new(library, PROVIDER_PROPERTIES, cases[i].bits);
        EVP_PKEY *key = NULL;
        CHECK_INT(EVP_PKEY_generate(maker, &key) == 1, cases[i].good);
        if (cases[i].generator != NULL)
            CHECK_TEXT(EVP_RAND_get0_name(EVP_RAND_CTX_get0_rand(RAND_get0_private(library))),
                       cases[i].generator);
        EVP_PKEY_free(key);
        EVP_PKEY_CTX_free(maker);
        OSSL_LIB_CTX_free(library);
        ERR_clear_error();
    }
}

/* After a fork both go on with the same generation, but never with the same numbers. */
static void forks_make_other_keys(void)
{
    struct library library = library_new(false);
    EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, 2048);
    EVP_PKEY_free(key_make(maker));
    int ends[2];
    unsigned char moduli[2][256];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    EVP_PKEY *key = key_make(maker);
    BIGNUM *modulus = NULL;
    CHECK(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1 &&
          BN_bn2binpad(modulus, moduli[child == 0], 256) == 256);
    if (child == 0)
        _exit(write(ends[1], moduli[1], 256) == 256 ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_INT(read(ends[0], moduli[1], 256), 256);
    CHECK(memcmp(moduli[0], moduli[1], 256) != 0);
    close(ends[0]);
    close(ends[1]);
    BN_free(modulus);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    library_free(&library);
}

/* What the application has in OpenSSL's queue of errors is there still, and nothing else. */
static void errors_of_others_stay(void)
{
    struct library library = library_new(false);
    for (size_t i = 0; i < PATHS; i++) {
        const OSSL_PARAM wanted[] = {
            OSSL_PARAM_construct_utf8_string(PROVIDER_PARAM_PATH, (char *)paths[i], 0),
            OSSL_PARAM_construct_end()};
        if (!can_go(i))
            continue;
        ERR_raise(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT);
        EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, 2048);
        CHECK(EVP_PKEY_CTX_set_params(maker, wanted) == 1);
        EVP_PKEY_free(key_make(maker));
        EVP_PKEY_CTX_free(maker);
        CHECK_INT(ERR_GET_LIB(ERR_get_error()), ERR_LIB_USER);
        CHECK_INT(ERR_get_error(), 0);
    }
    library_free(&library);
}

/* The provider alone can do nothing, and says so. */
static void nothing_is_done_without_openssls_own(void)
{
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    CHECK(OSSL_PROVIDER_add_builtin(library, PROVIDER_NAME, certmill_provider_init) == 1);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_load(library, PROVIDER_NAME);
    CHECK(provider != NULL);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(library, "RSA", NULL);
    CHECK(maker == NULL || EVP_PKEY_keygen_init(maker) != 1);
    CHECK(ERR_peek_error() != 0);
    ERR_clear_error();
    EVP_PKEY_CTX_free(maker);
    OSSL_PROVIDER_unload(provider);
    OSSL_LIB_CTX_free(library);
}

/* What certmill itself makes: by default, as told, and as the operator's OpenSSL says. */
static void contexts_choose_the_way(void)
{
    static const char *const usual[] = {"default", NULL};
    static const char *const both[] = {"default", PROVIDER_NAME, NULL};
    const char *best = rsa_path_available(RSA_PATH_IFMA) ? "ifma" : "portable";
    const struct {
        struct crypto_options options;
        const char *way, *provider;
    } cases[] = {
        {{0}, best, PROVIDER_NAME},
        {{.way = CRYPTO_PORTABLE}, "portable", PROVIDER_NAME},
        {{.way = CRYPTO_IFMA}, "ifma", PROVIDER_NAME},
        {{.way = CRYPTO_OPENSSL}, "openssl", "default"},
        {{.providers = usual}, "openssl", "default"},
        {{.way = CRYPTO_PORTABLE, .providers = usual}, "openssl", "default"},
        {{.property_query = "?fips=yes"}, "openssl", "default"},
        {{.providers = both, .property_query = "?provider=certmill"}, "openssl", PROVIDER_NAME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct crypto_context *context = NULL;
        struct error error;
        if (cases[i].options.way == CRYPTO_IFMA && !rsa_path_available(RSA_PATH_IFMA)) {
            CHECK(!crypto_context_new(&cases[i].options, &context, &error));
            CHECK_INT(error.kind, ERROR_CONFIG);
            continue;
        }
        CHECK_OK(crypto_context_new(&cases[i].options, &context, &error), error);
        CHECK_TEXT(key_way(context, (struct key_spec){KEY_RSA, 2048}), cases[i].way);
        CHECK_TEXT(key_way(context, (struct key_spec){KEY_ECDSA, 256}), "openssl");
        EVP_PKEY *key = pki_key(context, KEY_RSA, 2048);
        CHECK_TEXT(provider_of(key), cases[i].provider);
        check_passes(crypto_library(context), key);
        EVP_PKEY_free(key);
        crypto_context_free(context);
    }
}

/* TLS 1.3 in memory: the key signs the handshake. */
static void tls_takes_the_key(void)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_RSA, 2048);
    CHECK_TEXT(provider_of(key), PROVIDER_NAME);
    X509 *certificate = pki_certificate(&(struct pki_wish){.common_name = "localhost", .key = key});
    OSSL_LIB_CTX *library = crypto_library(context);
    SSL_CTX *server_context = SSL_CTX_new_ex(library, NULL, TLS_server_method());
    SSL_CTX *client_context = SSL_CTX_new_ex(library, NULL, TLS_client_method());
    CHECK(SSL_CTX_use_certificate(server_context, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server_context, key) == 1);
    CHECK(SSL_CTX_check_private_key(server_context) == 1);
    SSL *server = SSL_new(server_context);
    SSL *client = SSL_new(client_context);
    BIO *one = NULL;
    BIO *other = NULL;
    CHECK(BIO_new_bio_pair(&one, 65536, &other, 65536) == 1);
    SSL_set_bio(server, one, one);
    SSL_set_bio(client, other, other);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int turn = 0; turn < 8 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client));
         turn++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
    CHECK(SSL_is_init_finished(server) && SSL_is_init_finished(client));
    X509 *shown = SSL_get1_peer_certificate(client);
    CHECK(shown != NULL && X509_cmp(shown, certificate) == 0);
    X509_free(shown);
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    X509_free(certificate);
    EVP_PKEY_free(key);
    crypto_context_free(context);
    ERR_clear_error();
}

static void a_full_secure_heap_makes_no_key(void)
{
    struct crypto_context *context = pki_context();
    OSSL_LIB_CTX *library = crypto_library(context);
    struct crypto_secure_heap heap;
    EVP_PKEY_CTX *maker = maker_new(library, PROVIDER_PROPERTIES, 2048);
    EVP_PKEY_free(key_make(maker)); /* seeds the random generators, which stay */
    crypto_secure_heap(&heap);
    size_t used = heap.used;
    static void *blocks[200000];
    size_t count = 0;
    for (size_t size = heap.bytes / 4; size >= 32; size /= 2)
        while (count < sizeof blocks / sizeof blocks[0] &&
               (blocks[count] = OPENSSL_secure_malloc(size)) != NULL)
            count++;
    EVP_PKEY *key = NULL;
    ERR_clear_error();
    CHECK(EVP_PKEY_generate(maker, &key) != 1);
    CHECK(key == NULL);
    struct error error;
    crypto_error(&error, "making a key");
    CHECK_INT(error.kind, ERROR_MEMORY);
    CHECK_CONTAINS(error.text, "the secure heap is full");
    while (count > 0)
        OPENSSL_secure_free(blocks[--count]);
    key = key_make(maker);
    check_passes(library, key);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    crypto_secure_heap(&heap);
    CHECK_INT(heap.used, used);
    crypto_context_free(context);
}

#define THREADS         4
#define KEYS_OF_THREADS 6

static void *thread_makes_keys(void *argument)
{
    OSSL_LIB_CTX *library = argument;
    EVP_PKEY_CTX *maker = maker_new(library, PROVIDER_PROPERTIES, 2048);
    for (int i = 0; i < KEYS_OF_THREADS; i++) {
        EVP_PKEY *key = key_make(maker);
        signs(library, key, key, RSA_PKCS1_PADDING);
        EVP_PKEY_free(key);
    }
    EVP_PKEY_CTX_free(maker);
    return NULL;
}

static void *thread_uses_key(void *argument)
{
    EVP_PKEY *key = argument;
    for (int i = 0; i < KEYS_OF_THREADS; i++) {
        OSSL_PARAM *numbers = NULL;
        CHECK(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &numbers) == 1);
        OSSL_PARAM_free(numbers);
        CHECK_INT(EVP_PKEY_get_bits(key), 2048);
        EVP_PKEY *twin = EVP_PKEY_dup(key);
        CHECK_INT(EVP_PKEY_eq(key, twin), 1);
        EVP_PKEY_free(twin);
    }
    return NULL;
}

static void threads_share_it(void)
{
    struct library library = library_new(false);
    EVP_PKEY *key = key_of(library.context, 2048);
    pthread_t threads[2 * THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, thread_makes_keys, library.context) == 0);
        CHECK(pthread_create(&threads[THREADS + i], NULL, thread_uses_key, key) == 0);
    }
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    EVP_PKEY_free(key);
    library_free(&library);
}

static const struct test tests[] = {
    TEST(configurations_choose_the_path),
    TEST(configurations_choose_the_random_numbers),
    TEST(forks_make_other_keys),
    TEST(errors_of_others_stay),
    TEST(nothing_is_done_without_openssls_own),
    TEST(contexts_choose_the_way),
    TEST(tls_takes_the_key),
    TEST(a_full_secure_heap_makes_no_key),
    TEST(threads_share_it),
};

TESTS_MAIN(tests)
