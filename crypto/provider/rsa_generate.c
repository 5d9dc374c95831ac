/* One generation after another: by the search where that makes such keys, else by OpenSSL's own. */
#include "provider/provider.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define BITS_DEFAULT  2048 /* as OpenSSL's */
#define PATH_NAME_MAX 64   /* longer ones are no name of a path anyway */

/* The stages that OpenSSL's own generation tells a callback of. */
enum { STAGE_CANDIDATES = 0, STAGE_PRIME = 3 };

struct generation {
    const struct provider *provider;
    EVP_PKEY_CTX *elsewhere; /* OpenSSL's own generation, which has all parameters too */
    EVP_PKEY_CTX *maker;     /* ready for EVP_PKEY_fromdata; NULL until the first key */
    enum rsa_path path;
    size_t bits, primes;
    bool exponent_is_usual;
    /* of the key that is being made */
    OSSL_CALLBACK *callback;
    void *callback_context;
    int asked;
};

void *rsa_generation_new(void *context, int selection, const OSSL_PARAM params[])
{
    const struct provider *provider = context;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return NULL;
    struct generation *generation = OPENSSL_zalloc(sizeof *generation);
    if (generation == NULL)
        return NULL;
    generation->provider = provider;
    generation->path = provider->path;
    generation->bits = BITS_DEFAULT;
    generation->primes = RSA_DEFAULT_PRIME_NUM;
    generation->exponent_is_usual = true;
    generation->elsewhere =
        EVP_PKEY_CTX_new_from_name(provider->library, "RSA", PROVIDER_ELSEWHERE);
    if (generation->elsewhere == NULL || EVP_PKEY_keygen_init(generation->elsewhere) != 1 ||
        !rsa_generation_set(generation, params)) {
        rsa_generation_free(generation);
        return NULL;
    }
    return generation;
}

void rsa_generation_free(void *context)
{
    struct generation *generation = context;
    if (generation == NULL)
        return;
    EVP_PKEY_CTX_free(generation->elsewhere);
    EVP_PKEY_CTX_free(generation->maker);
    OPENSSL_free(generation);
}

const OSSL_PARAM *rsa_generation_settable(void *generation, void *provider)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_DEFN(OSSL_PKEY_PARAM_RSA_BITS, OSSL_PARAM_UNSIGNED_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PKEY_PARAM_RSA_PRIMES, OSSL_PARAM_UNSIGNED_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PKEY_PARAM_RSA_E, OSSL_PARAM_UNSIGNED_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN(PROVIDER_PARAM_PATH, OSSL_PARAM_UTF8_STRING, NULL, 0), OSSL_PARAM_END};
    (void)generation;
    (void)provider;
    return settable;
}

static bool exponent_set(struct generation *generation, const OSSL_PARAM *given)
{
    BIGNUM *exponent = NULL;
    if (OSSL_PARAM_get_BN(given, &exponent) != 1)
        return false;
    generation->exponent_is_usual = BN_is_word(exponent, RSA_EXPONENT) == 1;
    BN_free(exponent);
    return true;
}

int rsa_generation_set(void *context, const OSSL_PARAM params[])
{
    struct generation *generation = context;
    if (params == NULL || params[0].key == NULL)
        return 1;
    /* It knows best which values are good. */
    if (EVP_PKEY_CTX_set_params(generation->elsewhere, params) != 1)
        return 0;
    const OSSL_PARAM *given = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_BITS);
    if (given != NULL && OSSL_PARAM_get_size_t(given, &generation->bits) != 1)
        return 0;
    given = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_PRIMES);
    if (given != NULL && OSSL_PARAM_get_size_t(given, &generation->primes) != 1)
        return 0;
    given = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E);
    if (given != NULL && !exponent_set(generation, given))
        return 0;
    /* A copy: the text of a parameter need not end in a NUL. */
    char path[PATH_NAME_MAX];
    char *at = path;
    given = OSSL_PARAM_locate_const(params, PROVIDER_PARAM_PATH);
    return given == NULL || (OSSL_PARAM_get_utf8_string(given, &at, sizeof path) == 1 &&
                             provider_path_read(path, &generation->path));
}

/* False: the generation shall end. */
static bool tell(const struct generation *generation, int stage, int count)
{
    if (generation->callback == NULL)
        return true;
    const OSSL_PARAM news[] = {OSSL_PARAM_construct_int(OSSL_GEN_PARAM_POTENTIAL, &stage),
                               OSSL_PARAM_construct_int(OSSL_GEN_PARAM_ITERATION, &count),
                               OSSL_PARAM_construct_end()};
    return generation->callback(news, generation->callback_context) != 0;
}

static bool search_goes_on(void *context)
{
    struct generation *generation = context;
    return tell(generation, STAGE_CANDIDATES, generation->asked++);
}

/* Of the keys of the search, in bits (NIST SP 800-57 part 1 and SP 800-56B): FIPS 186-5 A.1.6 asks
 * as much of the random generator. */
static unsigned strength_of(size_t bits)
{
    return bits == 2048 ? 112 : bits == 3072 ? 128 : 152;
}

static bool random_fill(void *context, unsigned char *bytes, size_t len)
{
    const struct generation *generation = context;
    return RAND_priv_bytes_ex(generation->provider->random, bytes, len,
                              strength_of(generation->bits)) == 1;
}

static int openssl_tells(EVP_PKEY_CTX *context)
{
    const struct generation *generation = EVP_PKEY_CTX_get_app_data(context);
    return tell(generation, EVP_PKEY_CTX_get_keygen_info(context, 0),
                EVP_PKEY_CTX_get_keygen_info(context, 1));
}

static struct rsa_key *generate_elsewhere(struct generation *generation)
{
    EVP_PKEY *made = NULL;
    EVP_PKEY_CTX_set_app_data(generation->elsewhere, generation);
    EVP_PKEY_CTX_set_cb(generation->elsewhere, openssl_tells);
    if (EVP_PKEY_generate(generation->elsewhere, &made) != 1)
        return NULL;
    return rsa_key_of_openssl(generation->provider, made);
}

static bool search(struct generation *generation, struct rsa_numbers *ret_numbers)
{
    const struct rsa_caller caller = {
        .fill = random_fill, .go_on = search_goes_on, .context = generation};
    struct error error;
    if (rsa_search((unsigned)generation->bits, generation->path, &caller, ret_numbers, NULL,
                   &error))
        return tell(generation, STAGE_PRIME, 0) && tell(generation, STAGE_PRIME, 1);
    if (error.kind == ERROR_MEMORY)
        ERR_raise(ERR_LIB_PROV, ERR_R_MALLOC_FAILURE);
    else
        ERR_raise_data(ERR_LIB_PROV, PROV_R_GENERATE_ERROR, "%s", error.text);
    return false;
}

static struct rsa_key *generate(struct generation *generation)
{
    const struct provider *provider = generation->provider;
    if (generation->maker == NULL) {
        EVP_PKEY_CTX *maker =
            EVP_PKEY_CTX_new_from_name(provider->library, "RSA", PROVIDER_ELSEWHERE);
        if (maker == NULL || EVP_PKEY_fromdata_init(maker) != 1) {
            EVP_PKEY_CTX_free(maker);
            return NULL;
        }
        generation->maker = maker;
    }
    struct rsa_numbers *numbers = rsa_numbers_new();
    if (numbers == NULL) {
        ERR_raise(ERR_LIB_PROV, ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    generation->asked = 0;
    struct rsa_key *key = search(generation, numbers)
                              ? rsa_key_of_numbers(provider, generation->maker, numbers)
                              : NULL;
    rsa_numbers_free(numbers);
    return key;
}

static bool is_searched_for(const struct generation *generation)
{
    return (generation->bits == 2048 || generation->bits == 3072 || generation->bits == 4096) &&
           generation->primes == RSA_DEFAULT_PRIME_NUM && generation->exponent_is_usual;
}

void *rsa_generation_run(void *context, OSSL_CALLBACK *callback, void *callback_context)
{
    struct generation *generation = context;
    generation->callback = callback;
    generation->callback_context = callback_context;
    return is_searched_for(generation) ? generate(generation) : generate_elsewhere(generation);
}
