/* The secure heap and what lies on it. Apart from the context, for the provider's module needs no
 * more than this. */
#include "context_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#define SECURE_HEAP_DEFAULT ((size_t)4 * 1024 * 1024)
#define SECURE_HEAP_SMALL   ((size_t)1024 * 1024)
/* A search for RSA primes works on 104 KiB, and half of the heap is for what waits. */
#define SECURE_HEAP_A_CORE ((size_t)256 * 1024)
#define SECURE_HEAP_MAX    ((size_t)1024 * 1024 * 1024)
/* The private number of the smallest key: the heap's pieces are powers of two from here on. */
#define SECURE_PIECE ((size_t)32)

/* OpenSSL has one secure heap a process and does not tell later whether it could be locked, so this
 * is the one thing in crypto/ that outlives a context. */
static struct {
    pthread_mutex_t lock;
    size_t bytes; /* 0: not made yet */
    bool locked;
} secure_heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

unsigned crypto_core_count(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) > 0)
        return (unsigned)CPU_COUNT(&cores);
    return 1;
}

/* Half of what may be locked, because io_uring and other libraries lock memory too. Below 1 MiB the
 * heap would be too small to work with: then it is made larger than what can be locked. It still
 * has its guard pages and stays out of core dumps. */
static size_t secure_heap_default(void)
{
    struct rlimit limit;
    size_t bytes = SECURE_HEAP_DEFAULT;
    while (bytes < SECURE_HEAP_A_CORE * crypto_core_count())
        bytes *= 2;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        while (bytes > SECURE_HEAP_SMALL && bytes > limit.rlim_cur / 2)
            bytes /= 2;
    return bytes;
}

bool crypto_secure_heap_make(size_t bytes, struct error *error)
{
    if (bytes == 0)
        bytes = secure_heap_default();
    if (bytes > SECURE_HEAP_MAX)
        return error_set(error, ERROR_CONFIG, "a secure heap of %zu bytes, the limit is %zu", bytes,
                         SECURE_HEAP_MAX);
    size_t size = SECURE_PIECE * 2;
    while (size < bytes)
        size *= 2;
    bool ok = true;
    pthread_mutex_lock(&secure_heap.lock);
    if (secure_heap.bytes == 0) {
        int made = CRYPTO_secure_malloc_init(size, SECURE_PIECE);
        ok = made != 0;
        if (ok) {
            secure_heap.bytes = size;
            secure_heap.locked = made == 1;
        }
    }
    pthread_mutex_unlock(&secure_heap.lock);
    return ok || error_set(error, ERROR_MEMORY, "no secure heap of %zu bytes", size);
}

void crypto_secure_heap(struct crypto_secure_heap *ret_heap)
{
    pthread_mutex_lock(&secure_heap.lock);
    /* OpenSSL 3.0 crashes when it is asked what a heap that was never made holds. */
    size_t used = CRYPTO_secure_malloc_initialized() == 1 ? CRYPTO_secure_used() : 0;
    *ret_heap = (struct crypto_secure_heap){
        .bytes = secure_heap.bytes, .used = used, .locked = secure_heap.locked};
    pthread_mutex_unlock(&secure_heap.lock);
}

bool secret_make(size_t len, struct secret *ret_secret, struct error *error)
{
    char *data = OPENSSL_secure_zalloc(len + 1);
    if (data == NULL) {
        ERR_clear_error();
        return error_set(error, ERROR_MEMORY, "the secure heap is full");
    }
    *ret_secret = (struct secret){.data = data, .len = len};
    return true;
}

bool secret_copy(struct span bytes, struct secret *ret_secret)
{
    struct secret copy = {0};
    if (!secret_make(bytes.len, &copy, NULL) || copy.data == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(copy.data, bytes.data, bytes.len);
    *ret_secret = copy;
    return true;
}

void secret_free(struct secret *secret)
{
    if (secret->data != NULL)
        OPENSSL_secure_clear_free(secret->data, secret->len + 1);
    *secret = (struct secret){0};
}

struct span secret_span(const struct secret *secret)
{
    return (struct span){.data = secret->data != NULL ? secret->data : "", .len = secret->len};
}
