#include "context_internal.h"
#include "issuer_keys.h"
#include "provider/provider.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROVIDERS_MAX 16

struct crypto_context {
    OSSL_LIB_CTX *library;
    OSSL_PROVIDER *providers[PROVIDERS_MAX];
    size_t provider_count;
    char *properties;
    enum crypto_way way;
    const char *rsa_path; /* the provider's; NULL: OpenSSL makes RSA keys */
    EVP_MD *sha256;
    EVP_MD *sha384; /* NULL when the provider has none, as the next */
    EVP_MD *sha512;
    EVP_MAC *hmac;
    struct issuer_keys *issuer_keys;
};

const char *const crypto_way_words[] = {[CRYPTO_AUTO] = "auto",
                                        [CRYPTO_IFMA] = "ifma",
                                        [CRYPTO_PORTABLE] = "portable",
                                        [CRYPTO_OPENSSL] = "openssl",
                                        NULL};

/* `retain` keeps OpenSSL's rule that "default" is there as long as nobody loads a provider. */
static bool provider_load(struct crypto_context *context, const char *name, bool retain,
                          struct error *error)
{
    if (context->provider_count == PROVIDERS_MAX)
        return error_set(error, ERROR_CONFIG, "more than %d OpenSSL providers", PROVIDERS_MAX);
    OSSL_PROVIDER *provider = OSSL_PROVIDER_try_load(context->library, name, retain);
    if (provider == NULL) {
        crypto_error(error, "loading it");
        error_prefix(error, "OpenSSL provider \"%s\": ", name);
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return false;
    }
    context->providers[context->provider_count++] = provider;
    return true;
}

static bool providers_load(struct crypto_context *context, const struct crypto_options *options,
                           struct error *error)
{
    if (OSSL_PROVIDER_add_builtin(context->library, PROVIDER_NAME, certmill_provider_init) != 1)
        return crypto_error(error, "OpenSSL provider \"" PROVIDER_NAME "\"");
    if (options->openssl_config != NULL &&
        OSSL_LIB_CTX_load_config(context->library, options->openssl_config) != 1) {
        crypto_error(error, "loading it");
        error_prefix(error, "OpenSSL configuration %s: ", options->openssl_config);
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return false;
    }
    static const char *const usual[] = {"default", NULL};
    const char *const *names = options->providers;
    if (names == NULL && options->openssl_config == NULL)
        names = usual;
    for (; names != NULL && *names != NULL; names++)
        TRY(provider_load(context, *names, false, error));
    return true;
}

static bool is_own_way(const struct crypto_options *options)
{
    return options->way != CRYPTO_OPENSSL && options->providers == NULL &&
           options->property_query == NULL &&
           (options->way != CRYPTO_AUTO || options->openssl_config == NULL);
}

static bool own_way_make(struct crypto_context *context, enum crypto_way way, struct error *error)
{
    if (way == CRYPTO_IFMA && !rsa_path_available(RSA_PATH_IFMA))
        return error_set(error, ERROR_CONFIG,
                         "crypto \"ifma\": this processor has no AVX-512 IFMA");
    TRY(provider_load(context, PROVIDER_NAME, true, error));
    const char *path = NULL;
    OSSL_PARAM wanted[] = {OSSL_PARAM_construct_utf8_ptr(PROVIDER_PARAM_PATH, (char **)&path, 0),
                           OSSL_PARAM_construct_end()};
    if (OSSL_PROVIDER_get_params(context->providers[context->provider_count - 1], wanted) != 1 ||
        path == NULL)
        return crypto_error(error, "OpenSSL provider \"" PROVIDER_NAME "\"");
    context->rsa_path = way == CRYPTO_AUTO ? path : crypto_way_words[way];
    context->way = way;
    return true;
}

static bool algorithms_fetch(struct crypto_context *context, struct error *error)
{
    if (context->properties != NULL &&
        EVP_set_default_properties(context->library, context->properties) != 1) {
        ERR_clear_error();
        return error_set(error, ERROR_CONFIG, "OpenSSL property query \"%s\" is malformed",
                         context->properties);
    }
    context->sha256 = EVP_MD_fetch(context->library, "SHA256", context->properties);
    context->sha384 = EVP_MD_fetch(context->library, "SHA384", context->properties);
    context->sha512 = EVP_MD_fetch(context->library, "SHA512", context->properties);
    context->hmac = EVP_MAC_fetch(context->library, "HMAC", context->properties);
    if (context->sha256 == NULL || context->hmac == NULL) {
        crypto_error(error, "looking for SHA-256 and HMAC");
        error_prefix(error, "OpenSSL's providers (property query \"%s\"): ",
                     context->properties != NULL ? context->properties : "");
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return false;
    }
    ERR_clear_error();
    return true;
}

bool crypto_context_new(const struct crypto_options *options, struct crypto_context **ret_context,
                        struct error *error)
{
    TRY(crypto_secure_heap_make(options->secure_heap_bytes, error));
    struct crypto_context *context = calloc(1, sizeof *context);
    if (context == NULL || (context->library = OSSL_LIB_CTX_new()) == NULL ||
        (context->issuer_keys = issuer_keys_new()) == NULL) {
        crypto_context_free(context);
        return error_set(error, ERROR_MEMORY, "no memory for OpenSSL's context");
    }
    if (options->property_query != NULL &&
        (context->properties = strdup(options->property_query)) == NULL) {
        crypto_context_free(context);
        return error_set(error, ERROR_MEMORY, "no memory for OpenSSL's context");
    }
    context->way = CRYPTO_OPENSSL;
    if (!providers_load(context, options, error) || !algorithms_fetch(context, error) ||
        (is_own_way(options) && !own_way_make(context, options->way, error))) {
        crypto_context_free(context);
        return false;
    }
    *ret_context = context;
    return true;
}

void crypto_context_free(struct crypto_context *context)
{
    if (context == NULL)
        return;
    issuer_keys_free(context->issuer_keys);
    EVP_MD_free(context->sha256);
    EVP_MD_free(context->sha384);
    EVP_MD_free(context->sha512);
    EVP_MAC_free(context->hmac);
    while (context->provider_count > 0)
        OSSL_PROVIDER_unload(context->providers[--context->provider_count]);
    OSSL_LIB_CTX_free(context->library);
    free(context->properties);
    free(context);
}

OSSL_LIB_CTX *crypto_library(const struct crypto_context *context)
{
    return context->library;
}

const char *crypto_properties(const struct crypto_context *context)
{
    return context->properties;
}

const EVP_MD *crypto_sha256(const struct crypto_context *context)
{
    return context->sha256;
}

const EVP_MD *crypto_digest(const struct crypto_context *context, const char *name)
{
    if (strcmp(name, "SHA256") == 0)
        return context->sha256;
    return strcmp(name, "SHA384") == 0 ? context->sha384 : context->sha512;
}

EVP_MAC *crypto_hmac(const struct crypto_context *context)
{
    return context->hmac;
}

enum crypto_way crypto_way(const struct crypto_context *context)
{
    return context->way;
}

const char *crypto_rsa_path(const struct crypto_context *context)
{
    return context->rsa_path;
}

struct issuer_keys *crypto_issuer_keys(const struct crypto_context *context)
{
    return context->issuer_keys;
}

/* A quarter free is not much for a key of 4096 bits, whose pieces are up to 4 KiB and in which the
 * heap may be broken up. */
static bool secure_heap_is_short(void)
{
    struct crypto_secure_heap heap;
    crypto_secure_heap(&heap);
    return heap.used > heap.bytes - heap.bytes / 4;
}

bool crypto_error(struct error *error, const char *what)
{
    /* The first entry is the cause; the later ones are what became of it on the way up. The data of
     * an entry (file names, algorithm names) comes with it; OpenSSL puts no key bytes there. */
    const char *data = NULL;
    int flags = 0;
    unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    char detail[ERROR_TEXT_MAX / 2] = "";
    if (code != 0 && data != NULL && (flags & ERR_TXT_STRING) != 0 && data[0] != '\0')
        snprintf(detail, sizeof detail, " (%.200s)", data);
    ERR_clear_error();
    if (secure_heap_is_short())
        return error_set(error, ERROR_MEMORY, "%s: the secure heap is full", what);
    if (code == 0)
        return error_set(error, ERROR_CRYPTO, "%s: OpenSSL refused without a reason", what);
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return error_set(error, ERROR_MEMORY, "%s: no memory", what);
    const char *reason = ERR_reason_error_string(code);
    if (reason == NULL)
        return error_set(error, ERROR_CRYPTO, "%s: OpenSSL error %#lx%s", what, code, detail);
    return error_set(error, ERROR_CRYPTO, "%s: %s%s", what, reason, detail);
}
