#include "issuer_keys.h"

#include "context_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A run sees a handful of issuers; more only push each other out. */
#define KEYS_KEPT 16
/* RSA of 4,096 bits takes 550 bytes; larger keys are decoded every time. */
#define PUBLIC_KEY_MAX 600

struct issuer_key {
    unsigned char der[PUBLIC_KEY_MAX];
    size_t len; /* 0: free */
    EVP_PKEY *key;
};

struct issuer_keys {
    pthread_mutex_t lock;
    struct issuer_key kept[KEYS_KEPT];
    size_t next; /* to be replaced */
};

struct issuer_keys *issuer_keys_new(void)
{
    struct issuer_keys *keys = calloc(1, sizeof *keys);
    if (keys != NULL)
        pthread_mutex_init(&keys->lock, NULL);
    return keys;
}

void issuer_keys_free(struct issuer_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < KEYS_KEPT; i++)
        EVP_PKEY_free(keys->kept[i].key);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

static EVP_PKEY *find(struct issuer_keys *keys, struct span public_key)
{
    EVP_PKEY *found = NULL;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < KEYS_KEPT && found == NULL; i++) {
        const struct issuer_key *kept = &keys->kept[i];
        if (kept->len == public_key.len && kept->key != NULL &&
            memcmp(kept->der, public_key.data, kept->len) == 0 && EVP_PKEY_up_ref(kept->key) == 1)
            found = kept->key;
    }
    pthread_mutex_unlock(&keys->lock);
    return found;
}

static void keep(struct issuer_keys *keys, struct span public_key, EVP_PKEY *key)
{
    if (public_key.len > PUBLIC_KEY_MAX || EVP_PKEY_up_ref(key) != 1)
        return;
    pthread_mutex_lock(&keys->lock);
    struct issuer_key *place = &keys->kept[keys->next];
    keys->next = (keys->next + 1) % KEYS_KEPT;
    EVP_PKEY *replaced = place->key;
    memcpy(place->der, public_key.data, public_key.len);
    place->len = public_key.len;
    place->key = key;
    EVP_PKEY_free(replaced);
    pthread_mutex_unlock(&keys->lock);
}

EVP_PKEY *issuer_keys_get(const struct crypto_context *context, struct span public_key)
{
    struct issuer_keys *keys = crypto_issuer_keys(context);
    EVP_PKEY *key = find(keys, public_key);
    if (key != NULL)
        return key;
    const unsigned char *at = (const unsigned char *)public_key.data;
    key = d2i_PUBKEY_ex(NULL, &at, (long)public_key.len, crypto_library(context),
                        crypto_properties(context));
    ERR_clear_error();
    if (key != NULL)
        keep(keys, public_key, key);
    return key;
}

void issuer_keys_put(const struct crypto_context *context, EVP_PKEY *key)
{
    struct issuer_keys *keys = crypto_issuer_keys(context);
    if (key == NULL)
        return;
    pthread_mutex_lock(&keys->lock);
    EVP_PKEY_free(key);
    pthread_mutex_unlock(&keys->lock);
}
