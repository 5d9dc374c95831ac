#include "provider/provider.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <string.h>

#ifndef CERTMILL_VERSION
#define CERTMILL_VERSION "unknown"
#endif

bool provider_path_read(const char *name, enum rsa_path *ret_path)
{
    for (enum rsa_path path = RSA_PATH_AUTO; path <= RSA_PATH_PORTABLE; path++) {
        if (strcmp(name, rsa_path_name(path)) != 0)
            continue;
        if (!rsa_path_available(path)) {
            ERR_raise_data(ERR_LIB_PROV, PROV_R_NOT_SUPPORTED,
                           "path %s: this processor has no AVX-512 IFMA", name);
            return false;
        }
        *ret_path = path;
        return true;
    }
    ERR_raise_data(ERR_LIB_PROV, PROV_R_INVALID_CONFIG_DATA,
                   "path \"%.40s\" is not auto, ifma or portable", name);
    return false;
}

static const OSSL_PARAM *provider_gettable(void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_BUILDINFO, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN(PROVIDER_PARAM_PATH, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_END};
    (void)provider;
    return gettable;
}

static const char *path_taken(const struct provider *provider)
{
    enum rsa_path path = provider->path;
    if (path == RSA_PATH_AUTO)
        path = rsa_path_available(RSA_PATH_IFMA) ? RSA_PATH_IFMA : RSA_PATH_PORTABLE;
    return rsa_path_name(path);
}

static int provider_get(void *context, OSSL_PARAM params[])
{
    const struct {
        const char *name, *text;
    } texts[] = {{OSSL_PROV_PARAM_NAME, "certmill's RSA key generation"},
                 {OSSL_PROV_PARAM_VERSION, CERTMILL_VERSION},
                 {OSSL_PROV_PARAM_BUILDINFO, CERTMILL_VERSION},
                 {PROVIDER_PARAM_PATH, path_taken(context)}};
    OSSL_PARAM *wanted;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        wanted = OSSL_PARAM_locate(params, texts[i].name);
        if (wanted != NULL && OSSL_PARAM_set_utf8_ptr(wanted, texts[i].text) != 1)
            return 0;
    }
    wanted = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    return wanted == NULL || OSSL_PARAM_set_int(wanted, 1) == 1;
}

static const OSSL_ALGORITHM *provider_query(void *provider, int operation, int *no_cache)
{
    /* The names under which OpenSSL's own providers have it, so that it is the same algorithm. */
    static const OSSL_ALGORITHM keys[] = {{"RSA:rsaEncryption:1.2.840.113549.1.1.1",
                                           PROVIDER_PROPERTIES, rsa_key_functions,
                                           "RSA keys by certmill's search"},
                                          {NULL, NULL, NULL, NULL}};
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : NULL;
}

static void provider_free(void *context)
{
    struct provider *provider = context;
    OSSL_LIB_CTX_free(provider->library);
    OPENSSL_free(provider);
    rsa_search_release();
}

/* What openssl.cnf says. */
static bool provider_configure(struct provider *provider, OSSL_FUNC_core_get_params_fn *get_params)
{
    const char *path = NULL;
    OSSL_PARAM wanted[] = {OSSL_PARAM_construct_utf8_ptr(PROVIDER_PARAM_PATH, (char **)&path, 0),
                           OSSL_PARAM_construct_end()};
    if (get_params == NULL || get_params(provider->core, wanted) != 1 || path == NULL)
        return true;
    return provider_path_read(path, &provider->path);
}

/* A child context has random generators of its own, by OpenSSL's defaults. The program's are
 * better: they are as the section [random] of its openssl.cnf says. But what the core calls its
 * context is one of this libcrypto only where the core is: a program may be linked with another. */
static OSSL_LIB_CTX *random_of(const struct provider *provider,
                               OSSL_FUNC_core_get_libctx_fn *get_library,
                               OSSL_FUNC_CRYPTO_malloc_fn *malloc_of_core)
{
    if (get_library == NULL || malloc_of_core != CRYPTO_malloc)
        return provider->library;
    return (OSSL_LIB_CTX *)get_library(provider->core);
}

int certmill_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *upcalls,
                           const OSSL_DISPATCH **ret_functions, void **ret_context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))provider_free},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))provider_gettable},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))provider_get},
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))provider_query},
        {0, NULL}};
    OSSL_FUNC_core_get_params_fn *get_params = NULL;
    OSSL_FUNC_core_get_libctx_fn *get_library = NULL;
    OSSL_FUNC_CRYPTO_malloc_fn *malloc_of_core = NULL;
    for (const OSSL_DISPATCH *call = upcalls; call->function_id != 0; call++) {
        if (call->function_id == OSSL_FUNC_CORE_GET_PARAMS)
            get_params = OSSL_FUNC_core_get_params(call);
        else if (call->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
            get_library = OSSL_FUNC_core_get_libctx(call);
        else if (call->function_id == OSSL_FUNC_CRYPTO_MALLOC)
            malloc_of_core = OSSL_FUNC_CRYPTO_malloc(call);
    }
    struct provider *provider = OPENSSL_zalloc(sizeof *provider);
    if (provider == NULL)
        return 0;
    rsa_search_hold();
    provider->core = core;
    provider->path = RSA_PATH_AUTO;
    if (!provider_configure(provider, get_params) ||
        (provider->library = OSSL_LIB_CTX_new_child(core, upcalls)) == NULL) {
        provider_free(provider);
        return 0;
    }
    provider->random = random_of(provider, get_library, malloc_of_core);
    *ret_functions = functions;
    *ret_context = provider;
    return 1;
}
