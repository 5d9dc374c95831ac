/* crypto/provider as a module, certmill.so, that a program loads and unloads. */
#include "provider_fixture.h"

#include <dlfcn.h>
#include <malloc.h>

#define LOADS 50
/* One load makes tables of 660 KB; what OpenSSL itself may keep is far below that. */
#define GROWTH_MAX ((size_t)256 * 1024)

static void load_and_unload(bool with_key)
{
    char folder[] = CERTMILL_MODULE;
    *strrchr(folder, '/') = '\0';
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    CHECK(library != NULL && OSSL_PROVIDER_set_default_search_path(library, folder) == 1);
    OSSL_PROVIDER *usual = OSSL_PROVIDER_load(library, "default");
    OSSL_PROVIDER *own = OSSL_PROVIDER_load(library, PROVIDER_NAME);
    CHECK(usual != NULL && own != NULL);
    if (with_key) {
        EVP_PKEY *key = key_of(library, 2048);
        CHECK_TEXT(provider_of(key), PROVIDER_NAME);
        signs(library, key, key, RSA_PKCS1_PADDING);
        EVP_PKEY_free(key);
    }
    OSSL_PROVIDER_unload(own);
    OSSL_PROVIDER_unload(usual);
    OSSL_LIB_CTX_free(library);
}

static bool is_loaded(void)
{
    void *module = dlopen(CERTMILL_MODULE, RTLD_NOLOAD | RTLD_LAZY);
    if (module != NULL)
        dlclose(module);
    return module != NULL;
}

/* The leak sanitizer, where that is, finds everything that nobody can reach any more; elsewhere the
 * allocator is asked. */
static void unloading_leaves_nothing(void)
{
    load_and_unload(true);
    CHECK(!is_loaded());
    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < LOADS; i++)
        load_and_unload(i % 2 == 0);
    CHECK(!is_loaded());
    size_t after = mallinfo2().uordblks;
    printf("%zu bytes more after %d times\n", after > before ? after - before : 0, LOADS);
    CHECK(after <= before + GROWTH_MAX);
    CHECK_INT(ERR_peek_error(), 0);
}

/* Another instance goes on when one is unloaded. */
static void instances_share_the_tables(void)
{
    struct library built_in = library_new(false);
    struct library other = library_new(false);
    EVP_PKEY_free(key_of(built_in.context, 2048));
    EVP_PKEY_free(key_of(other.context, 2048));
    library_free(&other);
    EVP_PKEY *key = key_of(built_in.context, 2048);
    check_passes(built_in.context, key);
    EVP_PKEY_free(key);
    library_free(&built_in);
}

static const struct test tests[] = {
    TEST(unloading_leaves_nothing),
    TEST(instances_share_the_tables),
};

TESTS_MAIN(tests)
