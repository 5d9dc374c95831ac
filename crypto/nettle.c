#include "nettle.h"

#include "context_internal.h"
#include "key_der.h"
#include "native.h"
#include "signed_der.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#ifdef CERTMILL_NETTLE

#include <gmp.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <pthread.h>
#include <stdlib.h>

#define OPENSSL_3_2 0x30200000UL
#define HASH_MAX    64

/* nettle keeps numbers, and what it computes with, in GMP's memory, and wipes nothing. So here
 * GMP's memory is wiped when it is freed, all of it in this process. What was allocated before was
 * allocated by malloc as well. */
static void memory_free(void *memory, size_t bytes)
{
    OPENSSL_cleanse(memory, bytes);
    free(memory);
}

/* GMP knows no failure. */
static void *memory_new(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL)
        abort();
    return memory;
}

static void *memory_resize(void *memory, size_t bytes, size_t wanted)
{
    void *larger = memory_new(wanted);
    memcpy(larger, memory, bytes < wanted ? bytes : wanted);
    memory_free(memory, bytes);
    return larger;
}

static void memory_wipe_begin(void)
{
    mp_set_memory_functions(memory_new, memory_resize, memory_free);
}

bool nettle_is_better(const struct crypto_context *context, struct key_spec spec)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (crypto_way(context) == CRYPTO_OPENSSL || spec.type != KEY_ECDSA || spec.bits != 384 ||
        OpenSSL_version_num() >= OPENSSL_3_2)
        return false;
    pthread_once(&once, memory_wipe_begin);
    return true;
}

struct random_source {
    OSSL_LIB_CTX *library;
    bool failed;
};

/* nettle draws until a number is in range, and cannot be told that there are no random bytes: it
 * gets a number that is, and what comes of it is thrown away. */
static void random_fill(void *context, size_t len, uint8_t *bytes)
{
    struct random_source *source = context;
    if (!source->failed && RAND_priv_bytes_ex(source->library, bytes, len, 0) == 1)
        return;
    source->failed = true;
    memset(bytes, 1, len);
}

static void number_put(unsigned char *bytes, size_t width, const mpz_t number)
{
    size_t len = (mpz_sizeinbase(number, 2) + 7) / 8;
    memset(bytes, 0, width);
    if (len <= width)
        mpz_export(bytes + width - len, NULL, 1, 1, 1, 0, number);
}

/* What the functions called have left on the stack. */
static __attribute__((noinline)) void stack_wipe(void)
{
    unsigned char below[16 * 1024];
    OPENSSL_cleanse(below, sizeof below);
}

/* A private number and its point 04 x y, big-endian.
 *
 * There is no trial signature as of RSA keys: 65 of the 85 us that a key takes are the
 * multiplication, and to do it again (65 us), or to sign and verify (350 us), costs more than the
 * key. EVP_PKEY_fromdata finds a point that a slip of the processor has put off the curve; a number
 * that does not belong to its point is found by the CA, which verifies the request's signature. */
static bool pair_make(OSSL_LIB_CTX *library, unsigned char *private, unsigned char *public,
                      size_t width)
{
    struct random_source source = {.library = library};
    struct ecc_scalar scalar;
    struct ecc_point point;
    mpz_t x, y;
    ecc_scalar_init(&scalar, nettle_get_secp_384r1());
    ecc_point_init(&point, nettle_get_secp_384r1());
    mpz_inits(x, y, NULL);
    ecc_scalar_random(&scalar, &source, random_fill);
    ecc_point_mul_g(&point, &scalar);
    ecc_point_get(&point, x, y);
    public[0] = POINT_CONVERSION_UNCOMPRESSED;
    number_put(public + 1, width, x);
    number_put(public + 1 + width, width, y);
    ecc_scalar_get(&scalar, x);
    number_put(private, width, x);
    mpz_clears(x, y, NULL);
    ecc_point_clear(&point);
    ecc_scalar_clear(&scalar);
    stack_wipe();
    return !source.failed;
}

bool nettle_key_make(const struct crypto_context *context, struct key_spec spec,
                     EVP_PKEY_CTX *maker, EVP_PKEY **ret_key, struct error *error)
{
    static char group[] = "P-384";
    unsigned char public[1 + 2 * KEY_POINT_MAX];
    size_t width = key_field_width(spec.bits);
    struct secret private CLEANUP(secret_free) = {0};
    TRY(secret_make(width, &private, error));
    unsigned char *number = (unsigned char *)private.data;
    if (!pair_make(crypto_library(context), number, public, width))
        return crypto_error(error, "drawing random numbers");
    native_swap(number, width);
    OSSL_PARAM parts[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, 1 + 2 * width),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, number, width),
        OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    if (EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, parts) != 1)
        return crypto_error(error, "keeping the key");
    *ret_key = key;
    return true;
}

/* SEQUENCE { INTEGER r, INTEGER s } */
static void signature_put(struct der_writer *writer, const struct dsa_signature *pair, size_t width)
{
    unsigned char number[KEY_POINT_MAX];
    number_put(number, width, pair->s);
    der_put_unsigned(writer, number, width);
    number_put(number, width, pair->r);
    der_put_unsigned(writer, number, width);
    der_wrap(writer, DER_SEQUENCE, 0);
}

static bool hash_sign(OSSL_LIB_CTX *library, const struct ecc_scalar *scalar,
                      const unsigned char *hash, size_t hash_len, size_t width,
                      struct der_writer *writer)
{
    struct random_source source = {.library = library};
    struct dsa_signature pair;
    dsa_signature_init(&pair);
    ecdsa_sign(scalar, &source, random_fill, hash_len, hash, &pair);
    if (!source.failed)
        signature_put(writer, &pair, width);
    dsa_signature_clear(&pair);
    return !source.failed && !writer->full;
}

/* Takes the private number, big-endian. */
static bool scalar_set(struct ecc_scalar *scalar, const unsigned char *number, size_t width)
{
    mpz_t value;
    mpz_init(value);
    mpz_import(value, width, 1, 1, 1, 0, number);
    bool ok = ecc_scalar_set(scalar, value) == 1;
    mpz_clear(value);
    return ok;
}

static bool private_read(const EVP_PKEY *key, size_t width, struct secret *ret_private)
{
    struct secret private = {0};
    TRY(secret_make(width, &private, NULL));
    if (!key_private_number(key, (unsigned char *)private.data, width, NULL)) {
        secret_free(&private);
        return false;
    }
    *ret_private = private;
    return true;
}

bool nettle_sign(const struct crypto_context *context, const EVP_PKEY *key, struct key_spec spec,
                 struct span info, unsigned char *signature, size_t *len)
{
    unsigned char hash[HASH_MAX];
    unsigned hash_len = 0;
    size_t width = key_field_width(spec.bits);
    struct secret private CLEANUP(secret_free) = {0};
    struct ecc_scalar scalar;
    struct der_writer writer;
    const EVP_MD *digest = crypto_digest(context, signature_algorithm_of(spec)->digest);
    if (digest == NULL || EVP_Digest(info.data, info.len, hash, &hash_len, digest, NULL) != 1 ||
        !private_read(key, width, &private)) {
        ERR_clear_error();
        return false;
    }
    der_writer_init(&writer, signature, *len);
    ecc_scalar_init(&scalar, nettle_get_secp_384r1());
    bool ok = scalar_set(&scalar, (const unsigned char *)private.data, width) &&
              hash_sign(crypto_library(context), &scalar, hash, hash_len, width, &writer);
    ecc_scalar_clear(&scalar);
    stack_wipe();
    ERR_clear_error();
    if (!ok)
        return false;
    *len = der_written(&writer);
    memmove(signature, writer.at, *len);
    return true;
}

#else

bool nettle_is_better(const struct crypto_context *context, struct key_spec spec)
{
    (void)context;
    (void)spec;
    return false;
}

bool nettle_key_make(const struct crypto_context *context, struct key_spec spec,
                     EVP_PKEY_CTX *maker, EVP_PKEY **ret_key, struct error *error)
{
    (void)context;
    (void)spec;
    (void)maker;
    (void)ret_key;
    return error_set(error, ERROR_CONFIG, "this certmill was built without nettle");
}

bool nettle_sign(const struct crypto_context *context, const EVP_PKEY *key, struct key_spec spec,
                 struct span info, unsigned char *signature, size_t *len)
{
    (void)context;
    (void)key;
    (void)spec;
    (void)info;
    (void)signature;
    (void)len;
    return false;
}

#endif
