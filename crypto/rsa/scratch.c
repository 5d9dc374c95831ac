#include "rsa/tester.h"

#include "crypto/context.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 64

/* Half of the secure heap is left to the keys themselves: a search needs 100 KiB of it, and with
 * many threads a key that was found would find no room. Where the provider is a module, the heap is
 * its program's: there may be none, or one of unknown size, which is tried. */
static bool secure_heap_has_room(size_t bytes)
{
    struct crypto_secure_heap heap;
    if (CRYPTO_secure_malloc_initialized() != 1)
        return false;
    crypto_secure_heap(&heap);
    return heap.bytes == 0 || heap.used + bytes <= heap.bytes / 2;
}

void *scratch_new(size_t bytes)
{
    /* The heap hands out blocks of powers of two, aligned to their size. */
    void *memory = NULL;
    if (secure_heap_has_room(bytes)) {
        ERR_set_mark(); /* newer versions report a full heap */
        memory = OPENSSL_secure_zalloc(bytes);
        ERR_pop_to_mark();
    }
    if (memory != NULL && (uintptr_t)memory % LINE_BYTES == 0)
        return memory;
    OPENSSL_secure_free(memory);
    /* Many threads may want more than that, and a key must be made nevertheless. */
    memory = aligned_alloc(LINE_BYTES, (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

void scratch_free(void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    if (CRYPTO_secure_allocated(memory) == 1) {
        OPENSSL_secure_clear_free(memory, bytes);
    } else {
        OPENSSL_cleanse(memory, bytes);
        free(memory);
    }
}

static bool fill(struct random_pool *pool, unsigned bits, uint64_t *number, struct error *error)
{
    unsigned count = LIMBS_OF(bits);
    size_t len = (size_t)count * 8;
    if (pool->left < len) {
        pool->left = 0;
        if (!pool->caller->fill(pool->caller->context, pool->bytes, sizeof pool->bytes))
            return error_set(error, ERROR_CRYPTO, "there are no random bytes for an RSA key");
        pool->left = sizeof pool->bytes;
    }
    pool->left -= len;
    limbs_from_bytes(number, count, pool->bytes + pool->left);
    OPENSSL_cleanse(pool->bytes + pool->left, len);
    if (bits % LIMB_BITS != 0)
        number[count - 1] &= (1ULL << (bits % LIMB_BITS)) - 1;
    return true;
}

bool random_bits(struct random_pool *pool, unsigned bits, uint64_t *ret_number, struct error *error)
{
    TRY(fill(pool, bits, ret_number, error));
    ret_number[(bits - 1) / LIMB_BITS] |= 1ULL << ((bits - 1) % LIMB_BITS);
    return true;
}

bool random_failed(struct error *error)
{
    return error_set(error, ERROR_CRYPTO, "the random numbers for an RSA key are not random");
}

/* A base of a Miller-Rabin round: 2 to limit - 2. */
bool random_base(struct random_pool *pool, const uint64_t *limit, unsigned bits,
                 uint64_t *ret_number, struct error *error)
{
    static const uint64_t two[RSA_LIMBS_MAX] = {2};
    unsigned count = LIMBS_OF(bits);
    uint64_t highest[RSA_LIMBS_MAX];
    limbs_subtract(highest, limit, two, count);
    bool ok = true;
    bool is_base = false;
    for (unsigned drawn = 0; ok && !is_base && drawn < RANDOM_DRAWS; drawn++) {
        ok = fill(pool, bits, ret_number, error);
        is_base = ok && (limbs_less(ret_number, two, count) |
                         limbs_less(highest, ret_number, count)) == 0;
    }
    OPENSSL_cleanse(highest, sizeof highest);
    return is_base || (ok && random_failed(error));
}
