/* No private number is left in memory that was freed: all that is freed while
 * keys are made, written and used is kept here, and looked through. */
#include "pki.h"

#include "crypto/csr.h"

#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_LOOK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_LOOK 0 /* the sanitizer has the functions below */
#endif
#endif
#ifndef CAN_LOOK
#define CAN_LOOK 1
#endif

#define LOG_BYTES ((size_t)512 * 1024 * 1024)

/* Private numbers, in the machine's byte order. */
struct secrets {
    unsigned char number[6][512];
    size_t len[6];
    size_t count;
};

#if CAN_LOOK

static struct {
    unsigned char *bytes; /* touched only as far as it is filled */
    size_t len;
    bool recording;
} freed;

/* glibc's own, under the names that it gives them. */
extern void __libc_free(void *memory);                 /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_malloc(size_t bytes);              /* NOLINT(bugprone-reserved-identifier) */
extern void *__libc_realloc(void *memory, size_t len); /* NOLINT(bugprone-reserved-identifier) */

static void freed_record(const void *memory)
{
    size_t len = malloc_usable_size((void *)memory);
    CHECK(len <= LOG_BYTES - freed.len);
    memcpy(freed.bytes + freed.len, memory, len);
    freed.len += len;
}

void free(void *memory)
{
    if (freed.recording && memory != NULL)
        freed_record(memory);
    __libc_free(memory);
}

/* A block that moves leaves its old place behind. */
void *realloc(void *memory, size_t bytes)
{
    if (!freed.recording || memory == NULL)
        return __libc_realloc(memory, bytes);
    size_t len = malloc_usable_size(memory);
    void *larger = __libc_malloc(bytes);
    if (larger != NULL) {
        memcpy(larger, memory, len < bytes ? len : bytes);
        free(memory);
    }
    return larger;
}

static void recording_begin(void)
{
    if (freed.bytes == NULL)
        freed.bytes = __libc_malloc(LOG_BYTES);
    CHECK(freed.bytes != NULL);
    freed.len = 0;
    freed.recording = true;
}

static void recording_end(void)
{
    freed.recording = false;
}

static bool was_freed(const unsigned char *bytes, size_t len)
{
    return memmem(freed.bytes, freed.len, bytes, len) != NULL;
}

#else

static void recording_begin(void)
{
}

static void recording_end(void)
{
}

static bool was_freed(const unsigned char *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    return false;
}

#endif

/* 16 bytes out of the middle, in either byte order. */
static void check_secrets(const struct secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        unsigned char part[2][16];
        for (size_t at = 0; at < 16; at++)
            part[0][at] = part[1][15 - at] = secrets->number[i][secrets->len[i] / 2 - 8 + at];
        CHECK(!was_freed(part[0], 16));
        CHECK(!was_freed(part[1], 16));
    }
}

static void secrets_read(const EVP_PKEY *key, struct secrets *secrets)
{
    static const char *const rsa[] = {
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    static const char *const ec[] = {OSSL_PKEY_PARAM_PRIV_KEY};
    bool is_rsa = EVP_PKEY_is_a(key, "RSA");
    const char *const *names = is_rsa ? rsa : ec;
    size_t count = is_rsa ? sizeof rsa / sizeof rsa[0] : sizeof ec / sizeof ec[0];
    secrets->count = count;
    for (size_t i = 0; i < count; i++) {
        OSSL_PARAM wanted[] = {OSSL_PARAM_construct_BN(names[i], NULL, 0),
                               OSSL_PARAM_construct_end()};
        CHECK(EVP_PKEY_get_params(key, wanted) == 1);
        secrets->len[i] = wanted[0].return_size;
        CHECK(secrets->len[i] >= 16 && secrets->len[i] <= sizeof secrets->number[i]);
        wanted[0] = OSSL_PARAM_construct_BN(names[i], secrets->number[i], secrets->len[i]);
        CHECK(EVP_PKEY_get_params(key, wanted) == 1);
    }
}

static void key_is_wiped(struct crypto_options options, struct key_spec spec)
{
    static const char *const names[] = {"www.example.com"};
    static struct secrets secrets;
    struct crypto_context *context = NULL;
    struct error error;
    struct secret pem = {0};
    struct buf request;
    CHECK_OK(crypto_context_new(&options, &context, &error), error);
    buf_init(&request, 65536);
    recording_begin();
    EVP_PKEY *key = pki_key(context, spec.type, spec.bits);
    CHECK_OK(csr_make(context, key, names, 1, &request, &error), error);
    CHECK_OK(key_to_pem(context, key, &pem, &error), error);
    secrets_read(key, &secrets);
    secret_free(&pem);
    EVP_PKEY_free(key);
    recording_end();
    check_secrets(&secrets);
    buf_free(&request);
    crypto_context_free(context);
}

static void freed_memory_holds_no_private_number(void)
{
    static const struct {
        struct crypto_options options;
        struct key_spec spec;
    } cases[] = {
        {{.way = CRYPTO_AUTO}, {KEY_RSA, 2048}},     {{.way = CRYPTO_PORTABLE}, {KEY_RSA, 2048}},
        {{.way = CRYPTO_AUTO}, {KEY_RSA, 4096}},     {{.way = CRYPTO_AUTO}, {KEY_ECDSA, 384}},
        {{.way = CRYPTO_OPENSSL}, {KEY_ECDSA, 256}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int round = 0; round < 3; round++)
            key_is_wiped(cases[i].options, cases[i].spec);
}

/* That this test can find something. */
static void freed_memory_is_seen(void)
{
    unsigned char *block = malloc(64);
    static const unsigned char mark[] = "a private number";
    CHECK(block != NULL);
    recording_begin();
    memcpy(block + 20, mark, sizeof mark);
    __asm__ volatile("" : : "r"(block) : "memory"); /* or the compiler leaves it out */
    free(block);
    recording_end();
    CHECK(was_freed(mark, 16) || CAN_LOOK == 0);
}

static const struct test tests[] = {
    TEST(freed_memory_is_seen),
    TEST(freed_memory_holds_no_private_number),
};

TESTS_MAIN(tests)
