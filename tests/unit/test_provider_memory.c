/* crypto/provider without memory: whichever allocation of OpenSSL's fails while a key is made,
 * there is no key, an error, and nothing left behind. */
#include "provider_fixture.h"

/* The allocation that fails, counted from when it is set; 0: none. */
static _Thread_local unsigned failing;

static bool fails(void)
{
    return failing > 0 && --failing == 0;
}

static void *allocate(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return len == 0 || fails() ? NULL : malloc(len);
}

static void *reallocate(void *memory, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    if (len == 0) {
        free(memory);
        return NULL;
    }
    return fails() ? NULL : realloc(memory, len);
}

static void release(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* A key, or none and an error. */
static bool generation_is_sound(OSSL_LIB_CTX *library, EVP_PKEY_CTX *maker, unsigned which)
{
    EVP_PKEY *key = NULL;
    failing = which;
    bool ok = EVP_PKEY_generate(maker, &key) == 1;
    bool all_allocated = failing > 0;
    failing = 0;
    CHECK_INT(key != NULL, ok);
    CHECK(ok || ERR_peek_error() != 0);
    if (ok)
        signs(library, key, key, RSA_PKCS1_PADDING);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return all_allocated;
}

static void every_allocation_fails_once(void)
{
    struct library library = library_new(false);
    for (size_t i = 0; i < PATHS; i++) {
        const OSSL_PARAM wanted[] = {
            OSSL_PARAM_construct_utf8_string(PROVIDER_PARAM_PATH, (char *)paths[i], 0),
            OSSL_PARAM_construct_end()};
        if (!can_go(i))
            continue;
        EVP_PKEY_CTX *maker = maker_new(library.context, PROVIDER_PROPERTIES, 2048);
        CHECK(EVP_PKEY_CTX_set_params(maker, wanted) == 1);
        /* The first key fetches algorithms and makes generators, which is OpenSSL's own affair. */
        CHECK(generation_is_sound(library.context, maker, 0) == false);
        unsigned which = 1;
        while (!generation_is_sound(library.context, maker, which))
            which++;
        printf("%s: %u allocations\n", paths[i], which - 1);
        CHECK(which > 10);
        EVP_PKEY_CTX_free(maker);
    }
    library_free(&library);
}

static const struct test tests[] = {TEST(every_allocation_fails_once)};

int main(int argc, char **argv)
{
    CHECK(CRYPTO_set_mem_functions(allocate, reallocate, release) == 1);
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
