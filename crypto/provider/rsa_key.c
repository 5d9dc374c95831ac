/* A key, as OpenSSL's key management knows it. Its private numbers are kept twice: in OpenSSL's own
 * key, which does all the work, and on the secure heap in the form that OpenSSL's exports have. For
 * OpenSSL 3.0 would write an export of its key to ordinary memory, and leave it there. */
#include "provider/provider.h"

#include "native.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <string.h>

struct rsa_key {
    const struct provider *provider;
    EVP_PKEY *openssl; /* of the child library context; NULL: no key yet */
    bool has_private;
    /* of a key of the search; 0 bits otherwise */
    unsigned bits;
    unsigned char modulus[RSA_BYTES_MAX];
    unsigned char *secrets;
};

#define NUMBERS 8 /* n, e, d, p, q, dp, dq, qinv */

struct rsa_key *rsa_key_new(void *provider)
{
    struct rsa_key *key = OPENSSL_zalloc(sizeof *key);
    if (key != NULL)
        key->provider = provider;
    return key;
}

static size_t secrets_len(unsigned bits)
{
    return (size_t)bits / 16 * 7; /* d, and five numbers of half its length */
}

void rsa_key_free(void *context)
{
    struct rsa_key *key = context;
    if (key == NULL)
        return;
    EVP_PKEY_free(key->openssl);
    OPENSSL_secure_clear_free(key->secrets, secrets_len(key->bits));
    OPENSSL_free(key);
}

static void to_native(unsigned char *native, const unsigned char *big_endian, size_t len)
{
    memcpy(native, big_endian, len);
    native_swap(native, len);
}

static bool secrets_keep(struct rsa_key *key, const struct rsa_numbers *numbers)
{
    size_t whole = numbers->bits / 8;
    size_t half = whole / 2;
    const unsigned char *const halves[] = {numbers->p, numbers->q, numbers->dp, numbers->dq,
                                           numbers->qinv};
    unsigned char *at = OPENSSL_secure_malloc(secrets_len(numbers->bits));
    if (at == NULL)
        return false;
    key->bits = numbers->bits;
    key->has_private = true;
    key->secrets = at;
    to_native(key->modulus, numbers->n, whole);
    to_native(at, numbers->d, whole);
    at += whole;
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++, at += half)
        to_native(at, halves[i], half);
    return true;
}

/* `numbers` has room for NUMBERS and the end. They point into the key. */
static void secrets_list(const struct rsa_key *key, bool with_private, OSSL_PARAM *numbers)
{
    static unsigned exponent = RSA_EXPONENT;
    static const char *const halves[] = {
        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    size_t whole = key->bits / 8;
    unsigned char *at = key->secrets;
    *numbers++ =
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, (unsigned char *)key->modulus, whole);
    *numbers++ = OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &exponent);
    if (with_private) {
        *numbers++ = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_D, at, whole);
        at += whole;
        for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++, at += whole / 2)
            *numbers++ = OSSL_PARAM_construct_BN(halves[i], at, whole / 2);
    }
    *numbers = OSSL_PARAM_construct_end();
}

/* A key that a slip of the processor spoiled must not get out. */
static bool pairwise_test(const struct rsa_key *key)
{
    static const unsigned char digest[32] = "certmill tests a new RSA key...";
    static char padding[] = OSSL_PKEY_RSA_PAD_MODE_PKCSV15;
    static char hash[] = "SHA256";
    const OSSL_PARAM wanted[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, padding, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end()};
    unsigned char signature[RSA_BYTES_MAX];
    size_t len = sizeof signature;
    EVP_PKEY_CTX *user =
        EVP_PKEY_CTX_new_from_pkey(key->provider->library, key->openssl, PROVIDER_ELSEWHERE);
    bool ok = user != NULL && EVP_PKEY_sign_init_ex(user, wanted) == 1 &&
              EVP_PKEY_sign(user, signature, &len, digest, sizeof digest) == 1 &&
              EVP_PKEY_verify_init_ex(user, wanted) == 1 &&
              EVP_PKEY_verify(user, signature, len, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(user);
    if (!ok)
        ERR_raise_data(ERR_LIB_PROV, PROV_R_GENERATE_ERROR,
                       "the new key does not verify what it signed");
    return ok;
}

struct rsa_key *rsa_key_of_numbers(const struct provider *provider, EVP_PKEY_CTX *maker,
                                   const struct rsa_numbers *numbers)
{
    OSSL_PARAM list[NUMBERS + 1];
    struct rsa_key *key = rsa_key_new((void *)provider);
    if (key == NULL || !secrets_keep(key, numbers)) {
        rsa_key_free(key);
        ERR_raise(ERR_LIB_PROV, ERR_R_MALLOC_FAILURE);
        return NULL;
    }
    secrets_list(key, true, list);
    if (!rsa_numbers_fit(provider, numbers)) {
        ERR_raise_data(ERR_LIB_PROV, PROV_R_GENERATE_ERROR, "the new key's numbers do not fit");
    } else if (EVP_PKEY_fromdata(maker, &key->openssl, EVP_PKEY_KEYPAIR, list) == 1 &&
               pairwise_test(key)) {
        return key;
    }
    rsa_key_free(key);
    return NULL;
}

struct rsa_key *rsa_key_of_openssl(const struct provider *provider, EVP_PKEY *made)
{
    struct rsa_key *key = rsa_key_new((void *)provider);
    if (key == NULL) {
        EVP_PKEY_free(made);
        return NULL;
    }
    key->openssl = made;
    key->has_private = true;
    return key;
}

static int key_has(const void *context, int selection)
{
    const struct rsa_key *key = context;
    if (key == NULL || ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 && key->openssl == NULL))
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key->has_private;
}

static int key_match(const void *one, const void *other, int selection)
{
    const struct rsa_key *a = one;
    const struct rsa_key *b = other;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return 1;
    return a->openssl != NULL && b->openssl != NULL && EVP_PKEY_eq(a->openssl, b->openssl) == 1;
}

static int key_validate(const void *context, int selection, int how)
{
    const struct rsa_key *key = context;
    bool with_public = (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
    bool with_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    if (!with_public && !with_private)
        return 1;
    EVP_PKEY_CTX *checker =
        key->openssl == NULL
            ? NULL
            : EVP_PKEY_CTX_new_from_pkey(key->provider->library, key->openssl, PROVIDER_ELSEWHERE);
    if (checker == NULL)
        return 0;
    int good;
    if (with_public && with_private)
        good = EVP_PKEY_check(checker);
    else if (with_private)
        good = EVP_PKEY_private_check(checker);
    else
        good = how == OSSL_KEYMGMT_VALIDATE_QUICK_CHECK ? EVP_PKEY_public_check_quick(checker)
                                                        : EVP_PKEY_public_check(checker);
    EVP_PKEY_CTX_free(checker);
    return good == 1;
}

static int key_import(void *context, int selection, const OSSL_PARAM params[])
{
    struct rsa_key *key = context;
    EVP_PKEY *openssl = NULL;
    EVP_PKEY_CTX *maker =
        EVP_PKEY_CTX_new_from_name(key->provider->library, "RSA", PROVIDER_ELSEWHERE);
    bool ok = key->openssl == NULL && maker != NULL && EVP_PKEY_fromdata_init(maker) == 1 &&
              EVP_PKEY_fromdata(maker, &openssl, selection, (OSSL_PARAM *)params) == 1;
    EVP_PKEY_CTX_free(maker);
    if (!ok)
        return 0;
    key->openssl = openssl;
    key->has_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
                       OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_D) != NULL;
    return 1;
}

static int key_export(void *context, int selection, OSSL_CALLBACK *take, void *take_context)
{
    const struct rsa_key *key = context;
    if (key->openssl == NULL)
        return 0;
    if (key->secrets == NULL)
        return EVP_PKEY_export(key->openssl, selection, take, take_context);
    OSSL_PARAM list[NUMBERS + 1] = {OSSL_PARAM_construct_end()};
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0)
        secrets_list(key, (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0, list);
    return take(list, take_context);
}

#define NUMBER(name)   OSSL_PARAM_BN(name, NULL, 0)
#define PUBLIC_NUMBERS NUMBER(OSSL_PKEY_PARAM_RSA_N), NUMBER(OSSL_PKEY_PARAM_RSA_E)
#define PRIVATE_NUMBERS                                                             \
    NUMBER(OSSL_PKEY_PARAM_RSA_D), NUMBER(OSSL_PKEY_PARAM_RSA_FACTOR1),             \
        NUMBER(OSSL_PKEY_PARAM_RSA_FACTOR2), NUMBER(OSSL_PKEY_PARAM_RSA_EXPONENT1), \
        NUMBER(OSSL_PKEY_PARAM_RSA_EXPONENT2), NUMBER(OSSL_PKEY_PARAM_RSA_COEFFICIENT1)

static const OSSL_PARAM *key_types(int selection)
{
    static const OSSL_PARAM all[] = {PUBLIC_NUMBERS, PRIVATE_NUMBERS, OSSL_PARAM_END};
    static const OSSL_PARAM open[] = {PUBLIC_NUMBERS, OSSL_PARAM_END};
    static const OSSL_PARAM none[] = {OSSL_PARAM_END};
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
        return all;
    return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? open : none;
}

static const OSSL_PARAM *key_gettable(void *provider)
{
    static const OSSL_PARAM gettable[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        PUBLIC_NUMBERS,
        PRIVATE_NUMBERS,
        OSSL_PARAM_END};
    (void)provider;
    return gettable;
}

static int key_get(void *context, OSSL_PARAM params[])
{
    const struct rsa_key *key = context;
    return key->openssl != NULL && EVP_PKEY_get_params(key->openssl, params) == 1;
}

static const char *key_operation(int operation)
{
    (void)operation;
    return "RSA";
}

#define FUNCTION(function) ((void (*)(void))(function))

const OSSL_DISPATCH rsa_key_functions[] = {
    {OSSL_FUNC_KEYMGMT_NEW, FUNCTION(rsa_key_new)},
    {OSSL_FUNC_KEYMGMT_FREE, FUNCTION(rsa_key_free)},
    {OSSL_FUNC_KEYMGMT_GEN_INIT, FUNCTION(rsa_generation_new)},
    {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, FUNCTION(rsa_generation_set)},
    {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, FUNCTION(rsa_generation_settable)},
    {OSSL_FUNC_KEYMGMT_GEN, FUNCTION(rsa_generation_run)},
    {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, FUNCTION(rsa_generation_free)},
    {OSSL_FUNC_KEYMGMT_HAS, FUNCTION(key_has)},
    {OSSL_FUNC_KEYMGMT_MATCH, FUNCTION(key_match)},
    {OSSL_FUNC_KEYMGMT_VALIDATE, FUNCTION(key_validate)},
    {OSSL_FUNC_KEYMGMT_IMPORT, FUNCTION(key_import)},
    {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FUNCTION(key_types)},
    {OSSL_FUNC_KEYMGMT_EXPORT, FUNCTION(key_export)},
    {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FUNCTION(key_types)},
    {OSSL_FUNC_KEYMGMT_GET_PARAMS, FUNCTION(key_get)},
    {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FUNCTION(key_gettable)},
    {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FUNCTION(key_operation)},
    {0, NULL}};
