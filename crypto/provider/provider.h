/* The OpenSSL provider "certmill": RSA keys by the search of crypto/rsa, for whoever asks for the
 * property provider=certmill. Built into certmill, and a module for the openssl program and others.
 *
 * It makes keys and keeps them. All that is done with a key (signing, writing, checking) is done by
 * the provider that OpenSSL would have taken without this one: OpenSSL exports the key to it, or
 * this provider asks it through a child library context. So it is too with keys that the search
 * does not make: other lengths than 2048, 3072 and 4096 bits, other exponents than 65537, and more
 * than two primes. */
#ifndef CERTMILL_CRYPTO_PROVIDER_H
#define CERTMILL_CRYPTO_PROVIDER_H

#include "rsa/rsa_search.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/types.h>

#define PROVIDER_NAME "certmill"
/* What asks for a key of the search, and for all others. */
#define PROVIDER_PROPERTIES "provider=" PROVIDER_NAME
#define PROVIDER_ELSEWHERE  "provider!=" PROVIDER_NAME

/* Which way the search goes, as text: "auto" (the default), "ifma" or "portable". In openssl.cnf it
 * stands in the provider's section; as a parameter of one key generation it goes before that; asked
 * of the provider it is the way taken, "ifma" or "portable". */
#define PROVIDER_PARAM_PATH "path"

/* For OSSL_PROVIDER_add_builtin. */
OSSL_provider_init_fn certmill_provider_init;

/* One instance: of one library context. */
struct provider {
    const OSSL_CORE_HANDLE *core;
    OSSL_LIB_CTX *library; /* the child: OpenSSL's own RSA */
    OSSL_LIB_CTX *random;  /* whose random bytes keys are made of */
    enum rsa_path path;
};

/* False, with OpenSSL's error set, for an unknown name and a way that this processor cannot go. */
bool provider_path_read(const char *name, enum rsa_path *ret_path) MUST_USE;

/* Whether the numbers of a key belong together. Signatures alone do not tell: OpenSSL does without
 * the values of the Chinese remainder theorem where these are wrong, others give a prime away. */
bool rsa_numbers_fit(const struct provider *provider, const struct rsa_numbers *numbers) MUST_USE;

/* An RSA key of the provider. */
struct rsa_key;

struct rsa_key *rsa_key_new(void *provider);
void rsa_key_free(void *context);
/* A key of the search: makes OpenSSL's of it with `maker`, which is ready for EVP_PKEY_fromdata,
 * and tests that it verifies what it signs. NULL with OpenSSL's error set. */
struct rsa_key *rsa_key_of_numbers(const struct provider *provider, EVP_PKEY_CTX *maker,
                                   const struct rsa_numbers *numbers) MUST_USE;
/* Takes over a key that OpenSSL made. NULL without memory; the key is freed then. */
struct rsa_key *rsa_key_of_openssl(const struct provider *provider, EVP_PKEY *made) MUST_USE;

extern const OSSL_DISPATCH rsa_key_functions[];

OSSL_FUNC_keymgmt_gen_init_fn rsa_generation_new;
OSSL_FUNC_keymgmt_gen_set_params_fn rsa_generation_set;
OSSL_FUNC_keymgmt_gen_settable_params_fn rsa_generation_settable;
OSSL_FUNC_keymgmt_gen_fn rsa_generation_run;
OSSL_FUNC_keymgmt_gen_cleanup_fn rsa_generation_free;

#endif
