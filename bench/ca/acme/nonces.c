#include "nonces.h"

#include "base/base64.h"
#include "crypto/context.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* 2^27 bits are 16 MiB, which the system gives a page at a time. At 50,000 requests a second an
 * idle client's nonces last 44 minutes. */
#define WINDOW ((uint64_t)1 << 27)

/* What is encrypted: the rest of the block is zero, so that made-up nonces do not decrypt to it. */
struct plain {
    uint64_t number_and_magic; /* number in the lower 48 bits */
    uint32_t time;             /* unix seconds, until 2106 */
    uint32_t magic;
};
#define BLOCK 16
_Static_assert(sizeof(struct plain) == BLOCK, "one block of AES");

struct ca_nonces {
    pthread_mutex_t lock;
    EVP_CIPHER_CTX *encrypt;
    EVP_CIPHER_CTX *decrypt;
    uint64_t next;
    int64_t life_s;
    uint64_t *used;
};

static EVP_CIPHER_CTX *block_cipher(EVP_CIPHER *cipher, const unsigned char *key, int encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL && (EVP_CipherInit_ex2(context, cipher, key, NULL, encrypt, NULL) != 1 ||
                            EVP_CIPHER_CTX_set_padding(context, 0) != 1)) {
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    return context;
}

bool ca_nonces_new(const unsigned char *key, OSSL_LIB_CTX *library, int64_t life_s,
                   struct ca_nonces **ret_nonces, struct error *error)
{
    struct ca_nonces *nonces = calloc(1, sizeof *nonces);
    if (nonces == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for nonces");
    pthread_mutex_init(&nonces->lock, NULL);
    nonces->life_s = life_s;
    nonces->used = calloc(WINDOW / 64, sizeof *nonces->used);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(library, "AES-128-ECB", NULL);
    if (cipher != NULL) {
        nonces->encrypt = block_cipher(cipher, key, 1);
        nonces->decrypt = block_cipher(cipher, key, 0);
    }
    EVP_CIPHER_free(cipher);
    if (nonces->encrypt == NULL || nonces->decrypt == NULL || nonces->used == NULL) {
        ca_nonces_free(nonces);
        return crypto_error(error, "preparing nonces");
    }
    *ret_nonces = nonces;
    return true;
}

void ca_nonces_free(struct ca_nonces *nonces)
{
    if (nonces == NULL)
        return;
    EVP_CIPHER_CTX_free(nonces->encrypt);
    EVP_CIPHER_CTX_free(nonces->decrypt);
    pthread_mutex_destroy(&nonces->lock);
    free(nonces->used);
    free(nonces);
}

static bool block_convert(EVP_CIPHER_CTX *context, const void *in, void *out)
{
    int len = 0;
    return EVP_CipherUpdate(context, out, &len, in, BLOCK) == 1 && len == BLOCK;
}

bool ca_nonce_make(struct ca_nonces *nonces, int64_t now, char *text)
{
    unsigned char block[BLOCK];
    struct buf out;
    pthread_mutex_lock(&nonces->lock);
    uint64_t number = nonces->next++;
    nonces->used[number % WINDOW / 64] &= ~((uint64_t)1 << (number % 64));
    struct plain plain = {.number_and_magic = number, .time = (uint32_t)now};
    bool ok = block_convert(nonces->encrypt, &plain, block);
    pthread_mutex_unlock(&nonces->lock);
    buf_init(&out, 64);
    ok = ok && base64url_append(&out, block, BLOCK) && out.len == CA_NONCE_TEXT - 1;
    if (ok)
        memcpy(text, buf_text(&out), CA_NONCE_TEXT);
    buf_free(&out);
    return ok;
}

bool ca_nonce_use(struct ca_nonces *nonces, struct span text, int64_t now)
{
    struct plain plain = {0};
    struct buf block CLEANUP(buf_free);
    buf_init(&block, 64);
    if (text.len != CA_NONCE_TEXT - 1 || !base64url_decode(text, &block) || block.len != BLOCK)
        return false;
    pthread_mutex_lock(&nonces->lock);
    bool good = block_convert(nonces->decrypt, block.data, &plain) && plain.magic == 0;
    uint64_t number = plain.number_and_magic;
    good = good && number < nonces->next && nonces->next - number <= WINDOW &&
           now < (int64_t)plain.time + nonces->life_s;
    if (good) {
        uint64_t *word = &nonces->used[number % WINDOW / 64];
        uint64_t bit = (uint64_t)1 << (number % 64);
        good = (*word & bit) == 0;
        *word |= bit;
    }
    pthread_mutex_unlock(&nonces->lock);
    return good;
}

uint64_t ca_nonces_made(struct ca_nonces *nonces)
{
    pthread_mutex_lock(&nonces->lock);
    uint64_t made = nonces->next;
    pthread_mutex_unlock(&nonces->lock);
    return made;
}
