/* Of a key that was made and freed nothing is left in this process: neither on the heap nor on the
 * stack, in whatever form the search has it. All memory that can be written is looked through, for
 * single limbs and digits.
 *
 * The key is made on a thread of its own, which then waits: its stack stays as the search left it.
 * What is looked for is kept under a mask, or it would find itself. */
#include "provider_fixture.h"
#include "rsa_fixture.h"

#include "rsa/ifma.h"

#include <fcntl.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_LOOK 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_LOOK 0 /* their shadow is terabytes */
#endif
#endif
#ifndef CAN_LOOK
#define CAN_LOOK 1
#endif

#define STACK_BYTES ((size_t)1024 * 1024)
#define WORDS_MAX   2048
#define FILTER_BITS 20

static volatile uint64_t mask = 0x9e3779b97f4a7c15U;

/* The key's limbs and digits under the mask, and a filter of them by their lowest bits. */
static struct {
    uint64_t word[WORDS_MAX];
    size_t count;
    unsigned char filter[(1U << FILTER_BITS) / 8];
} wanted;

/* Each scan's mappings, and what was found where. */
static char maps[256 * 1024];
static struct {
    size_t count;
    char where[256];
} found;

static void word_want(uint64_t word)
{
    /* A small one may stand anywhere. */
    if (word >> 40 == 0)
        return;
    CHECK(wanted.count < WORDS_MAX);
    word ^= mask;
    wanted.word[wanted.count++] = word;
    size_t bit = word & ((1U << FILTER_BITS) - 1);
    wanted.filter[bit / 8] |= (unsigned char)(1U << bit % 8);
}

/* As limbs in either byte order, and in radix 2^52. All but the topmost, which have fewer bits. */
static void number_want(const uint64_t *limbs, unsigned count)
{
    for (unsigned i = 0; i + 1 < count; i++) {
        word_want(limbs[i]);
        word_want(__builtin_bswap64(limbs[i]));
    }
    for (unsigned at = 0; at + IFMA_DIGIT_BITS < count * LIMB_BITS; at += IFMA_DIGIT_BITS)
        word_want(limbs_bits(limbs, count, at) & IFMA_DIGIT_MASK);
}

static void bytes_want(const unsigned char *big_endian, size_t len)
{
    static unsigned char bytes[RSA_BYTES_MAX];
    static uint64_t limbs[RSA_BYTES_MAX / 8];
    CHECK(len <= sizeof bytes && len % 8 == 0);
    for (size_t i = 0; i < len; i++)
        bytes[i] = big_endian[len - 1 - i];
    limbs_from_bytes(limbs, (unsigned)len / 8, bytes);
    number_want(limbs, (unsigned)len / 8);
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(limbs, sizeof limbs);
}

static __attribute__((noinline)) void numbers_want(const struct rsa_numbers *numbers)
{
    size_t whole = numbers->bits / 8;
    memset(&wanted, 0, sizeof wanted);
    bytes_want(numbers->d, whole);
    bytes_want(numbers->p, whole / 2);
    bytes_want(numbers->q, whole / 2);
    bytes_want(numbers->dp, whole / 2);
    bytes_want(numbers->dq, whole / 2);
    bytes_want(numbers->qinv, whole / 2);
}

static bool is_wanted(uint64_t masked)
{
    size_t bit = masked & ((1U << FILTER_BITS) - 1);
    if ((wanted.filter[bit / 8] >> bit % 8 & 1) == 0)
        return false;
    for (size_t i = 0; i < wanted.count; i++)
        if (wanted.word[i] == masked)
            return true;
    return false;
}

static void range_scan(const unsigned char *from, const unsigned char *to, const char *line)
{
    uint64_t hidden_by = mask;
    for (const unsigned char *at = from; at + 8 <= to; at++) {
        uint64_t word;
        memcpy(&word, at, 8);
        if (is_wanted(word ^ hidden_by)) {
            if (found.count++ == 0)
                snprintf(found.where, sizeof found.where, "%p in %.*s", (const void *)at,
                         (int)strcspn(line, "\n"), line);
        }
    }
}

static void maps_read(void)
{
    size_t len = 0;
    ssize_t had;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    while ((had = read(file, maps + len, sizeof maps - 1 - len)) > 0)
        len += (size_t)had;
    CHECK(had == 0 && len < sizeof maps - 1);
    maps[len] = '\0';
    close(file);
}

/* What building the list left on this thread's stack. */
static __attribute__((noinline)) void own_stack_wipe(void)
{
    unsigned char below[256 * 1024];
    OPENSSL_cleanse(below, sizeof below);
}

/* How many limbs and digits there are in this process. */
static size_t memory_scan(void)
{
    own_stack_wipe();
    memset(&found, 0, sizeof found);
    maps_read();
    size_t bytes = 0;
    for (const char *line = maps; *line != '\0'; line += strcspn(line, "\n") + 1) {
        char *end;
        uintptr_t from = strtoull(line, &end, 16);
        uintptr_t to = strtoull(end + 1, &end, 16);
        if (end[1] != 'r' || end[2] != 'w')
            continue;
        /* The kernel's addresses are numbers. */
        range_scan((const unsigned char *)from, /* NOLINT(performance-no-int-to-ptr) */
                   (const unsigned char *)to,   /* NOLINT(performance-no-int-to-ptr) */
                   line);
        bytes += to - from;
    }
    CHECK(bytes > STACK_BYTES); /* the maker's stack at least */
    return found.count;
}

static void check_nothing_left(const char *what, unsigned bits)
{
    size_t count = memory_scan();
    if (count > 0) {
        fprintf(stderr, "%s, %u bits: %zu words of the key are left, the first at %s\n", what, bits,
                count, found.where);
        exit(1);
    }
}

/* One key. The maker and the test take turns, by the barrier. */
struct job {
    pthread_barrier_t turn;
    unsigned bits;
    enum rsa_path path;
    struct rsa_numbers *numbers; /* of a search */
    OSSL_LIB_CTX *library;       /* for a key of the provider */
    EVP_PKEY *key;
};

static void turn(struct job *job)
{
    int result = pthread_barrier_wait(&job->turn);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

/* What the vector registers hold, for whatever is spilled next. */
static void registers_store(void)
{
#ifdef __x86_64__
    static unsigned char registers[32 * 64];
    if (!ifma_available())
        return;
    __asm__ volatile("vmovdqu64 %%zmm0, 0(%0)\n\t"
                     "vmovdqu64 %%zmm1, 64(%0)\n\t"
                     "vmovdqu64 %%zmm2, 128(%0)\n\t"
                     "vmovdqu64 %%zmm3, 192(%0)\n\t"
                     "vmovdqu64 %%zmm4, 256(%0)\n\t"
                     "vmovdqu64 %%zmm5, 320(%0)\n\t"
                     "vmovdqu64 %%zmm6, 384(%0)\n\t"
                     "vmovdqu64 %%zmm7, 448(%0)\n\t"
                     "vmovdqu64 %%zmm8, 512(%0)\n\t"
                     "vmovdqu64 %%zmm9, 576(%0)\n\t"
                     "vmovdqu64 %%zmm10, 640(%0)\n\t"
                     "vmovdqu64 %%zmm11, 704(%0)\n\t"
                     "vmovdqu64 %%zmm12, 768(%0)\n\t"
                     "vmovdqu64 %%zmm13, 832(%0)\n\t"
                     "vmovdqu64 %%zmm14, 896(%0)\n\t"
                     "vmovdqu64 %%zmm15, 960(%0)\n\t"
                     "vmovdqu64 %%zmm16, 1024(%0)\n\t"
                     "vmovdqu64 %%zmm17, 1088(%0)\n\t"
                     "vmovdqu64 %%zmm18, 1152(%0)\n\t"
                     "vmovdqu64 %%zmm19, 1216(%0)\n\t"
                     "vmovdqu64 %%zmm20, 1280(%0)\n\t"
                     "vmovdqu64 %%zmm21, 1344(%0)\n\t"
                     "vmovdqu64 %%zmm22, 1408(%0)\n\t"
                     "vmovdqu64 %%zmm23, 1472(%0)\n\t"
                     "vmovdqu64 %%zmm24, 1536(%0)\n\t"
                     "vmovdqu64 %%zmm25, 1600(%0)\n\t"
                     "vmovdqu64 %%zmm26, 1664(%0)\n\t"
                     "vmovdqu64 %%zmm27, 1728(%0)\n\t"
                     "vmovdqu64 %%zmm28, 1792(%0)\n\t"
                     "vmovdqu64 %%zmm29, 1856(%0)\n\t"
                     "vmovdqu64 %%zmm30, 1920(%0)\n\t"
                     "vmovdqu64 %%zmm31, 1984(%0)\n\t"
                     :
                     : "r"(registers)
                     : "memory");
#endif
}

static void *search_thread(void *argument)
{
    struct job *job = argument;
    struct error error;
    CHECK_OK(rsa_search(job->bits, job->path, &openssl_caller, job->numbers, NULL, &error), error);
    registers_store();
    turn(job); /* the list is made, the numbers are freed, the memory is scanned */
    turn(job);
    return NULL;
}

static void *provider_thread(void *argument)
{
    struct job *job = argument;
    EVP_PKEY_CTX *maker = maker_new(job->library, PROVIDER_PROPERTIES, job->bits);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(PROVIDER_PARAM_PATH, (char *)rsa_path_name(job->path), 0),
        OSSL_PARAM_construct_end()};
    CHECK(EVP_PKEY_CTX_set_params(maker, params) == 1);
    job->key = key_make(maker);
    turn(job); /* the list is made */
    turn(job);
    EVP_PKEY_free(job->key);
    EVP_PKEY_CTX_free(maker);
    turn(job); /* the memory is scanned */
    turn(job);
    return NULL;
}

static unsigned char *maker_stack;

static pthread_t maker_start(struct job *job, void *(*run)(void *))
{
    pthread_attr_t attributes;
    pthread_t maker;
    CHECK(pthread_barrier_init(&job->turn, NULL, 2) == 0);
    CHECK(pthread_attr_init(&attributes) == 0 &&
          pthread_attr_setstack(&attributes, maker_stack, STACK_BYTES) == 0);
    CHECK(pthread_create(&maker, &attributes, run, job) == 0);
    pthread_attr_destroy(&attributes);
    return maker;
}

static void maker_end(struct job *job, pthread_t maker)
{
    turn(job);
    CHECK(pthread_join(maker, NULL) == 0);
    pthread_barrier_destroy(&job->turn);
}

static void search_check(unsigned bits, enum rsa_path path)
{
    struct job job = {.bits = bits, .path = path, .numbers = rsa_numbers_new()};
    pthread_t maker = maker_start(&job, search_thread);
    turn(&job);
    numbers_want(job.numbers);
    /* As long as they are there they are seen. */
    CHECK(memory_scan() >= bits / 64);
    rsa_numbers_free(job.numbers);
    check_nothing_left(rsa_path_name(path), bits);
    maker_end(&job, maker);
}

static __attribute__((noinline)) void key_want(const EVP_PKEY *key)
{
    static const char *const names[] = {
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    static unsigned char bytes[RSA_BYTES_MAX];
    static uint64_t limbs[RSA_BYTES_MAX / 8];
    memset(&wanted, 0, sizeof wanted);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        memset(bytes, 0, sizeof bytes);
        OSSL_PARAM params[] = {OSSL_PARAM_construct_BN(names[i], bytes, sizeof bytes),
                               OSSL_PARAM_construct_end()};
        CHECK(EVP_PKEY_get_params(key, params) == 1); /* in the machine's order */
        memcpy(limbs, bytes, sizeof bytes);
        unsigned count = sizeof limbs / sizeof limbs[0];
        while (count > 0 && limbs[count - 1] == 0)
            count--;
        CHECK(count > 8);
        number_want(limbs, count);
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(limbs, sizeof limbs);
}

static void provider_check(OSSL_LIB_CTX *library, unsigned bits, enum rsa_path path)
{
    struct job job = {.bits = bits, .path = path, .library = library};
    pthread_t maker = maker_start(&job, provider_thread);
    turn(&job);
    key_want(job.key);
    CHECK(memory_scan() >= bits / 64);
    turn(&job);
    turn(&job);
    check_nothing_left("provider", bits);
    maker_end(&job, maker);
}

static const unsigned sizes[] = {2048, 3072, 4096};

#define SIZES (sizeof sizes / sizeof sizes[0])

static void searches_leave_nothing(void)
{
    static const enum rsa_path ways[] = {RSA_PATH_IFMA, RSA_PATH_PORTABLE};
    for (size_t size = 0; size < SIZES; size++)
        for (size_t way = 0; way < 2; way++)
            for (unsigned i = 0; i < (size == 0 ? 4U : 1U); i++)
                if (rsa_path_available(ways[way]))
                    search_check(sizes[size], ways[way]);
}

static void keys_of_the_provider_leave_nothing(void)
{
    struct library library = library_new(false);
    for (size_t size = 0; size < SIZES; size++)
        for (unsigned i = 0; i < 2; i++)
            provider_check(library.context, sizes[size],
                           i % 2 == 0 ? RSA_PATH_AUTO : RSA_PATH_PORTABLE);
    library_free(&library);
}

/* The search's memory is OpenSSL's secure heap then. */
static void nor_do_they_on_the_secure_heap(void)
{
    CHECK(CRYPTO_secure_malloc_init((size_t)4 * 1024 * 1024, 64) != 0);
    searches_leave_nothing();
    keys_of_the_provider_leave_nothing();
    CHECK(CRYPTO_secure_malloc_done() == 1);
}

/* That a single limb or digit would be found, here in a lane. */
static void digits_are_seen(void)
{
    static struct ifma_digit digits[40];
    search_check(2048, RSA_PATH_AUTO);
    for (size_t i = 0; i < wanted.count; i += 97) {
        digits[7].lane[3] = wanted.word[i] ^ mask;
        __asm__ volatile("" : : "r"(digits) : "memory");
        CHECK(memory_scan() >= 1);
    }
    memset(digits, 0, sizeof digits);
    __asm__ volatile("" : : "r"(digits) : "memory");
    check_nothing_left("the test", 2048);
}

static const struct test tests[] = {
    TEST(digits_are_seen),
    TEST(searches_leave_nothing),
    TEST(keys_of_the_provider_leave_nothing),
    TEST(nor_do_they_on_the_secure_heap),
};

int main(int argc, char **argv)
{
    if (!CAN_LOOK) {
        puts("skipped: a sanitizer's memory cannot be looked through");
        return 0;
    }
    CHECK(posix_memalign((void **)&maker_stack, 4096, STACK_BYTES) == 0);
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
