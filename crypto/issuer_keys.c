#include "issuer_keys.h"

#include "context_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A run sees a handful of issuers; more only push each other out. */
#define KEYS_KEPT 16
/* RSA of 4,096 bits takes 550 bytes; larger keys are decoded every time. */
#define PUBLIC_KEY_MAX 600
#define SIGNED_KEPT    4

struct issuer_key {
    unsigned char der[PUBLIC_KEY_MAX];
    size_t len;
    EVP_PKEY *key;
    unsigned pays_after; /* uses; 0: never has a table */
    _Atomic(struct ecdsa_verifier *) verifier;
    atomic_uint uses;
    /* Under the lock of the keys: */
    unsigned holders; /* the table of keys is one of them */
    unsigned char signed_by_it[SIGNED_KEPT][ISSUER_DIGEST];
    unsigned signed_count;
};

struct issuer_keys {
    pthread_mutex_t lock;
    struct issuer_key *kept[KEYS_KEPT];
    size_t next; /* to be replaced */
};

struct issuer_keys *issuer_keys_new(void)
{
    struct issuer_keys *keys = calloc(1, sizeof *keys);
    if (keys != NULL)
        pthread_mutex_init(&keys->lock, NULL);
    return keys;
}

/* Under the lock, so that whoever frees a key comes after its last reader also for tools that
 * cannot see OpenSSL count references. */
static void let_go(struct issuer_key *key)
{
    if (key == NULL || --key->holders > 0)
        return;
    ecdsa_verifier_free(atomic_load(&key->verifier));
    EVP_PKEY_free(key->key);
    free(key);
}

void issuer_keys_free(struct issuer_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < KEYS_KEPT; i++)
        let_go(keys->kept[i]);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

static struct issuer_key *find(struct issuer_keys *keys, struct span public_key)
{
    struct issuer_key *found = NULL;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < KEYS_KEPT && found == NULL; i++) {
        struct issuer_key *kept = keys->kept[i];
        if (kept != NULL && kept->len == public_key.len &&
            memcmp(kept->der, public_key.data, kept->len) == 0)
            found = kept;
    }
    if (found != NULL) {
        found->holders++;
        atomic_fetch_add(&found->uses, 1);
    }
    pthread_mutex_unlock(&keys->lock);
    return found;
}

static void keep(struct issuer_keys *keys, struct issuer_key *key)
{
    pthread_mutex_lock(&keys->lock);
    struct issuer_key **place = &keys->kept[keys->next];
    keys->next = (keys->next + 1) % KEYS_KEPT;
    let_go(*place);
    *place = key;
    key->holders++;
    pthread_mutex_unlock(&keys->lock);
}

static struct issuer_key *decode(const struct crypto_context *context, struct span public_key)
{
    struct issuer_key *key = calloc(1, sizeof *key);
    if (key == NULL)
        return NULL;
    const unsigned char *at = (const unsigned char *)public_key.data;
    key->holders = 1;
    key->key = d2i_PUBKEY_ex(NULL, &at, (long)public_key.len, crypto_library(context),
                             crypto_properties(context));
    ERR_clear_error();
    struct key_spec spec;
    if (key->key == NULL) {
        free(key);
        return NULL;
    }
    /* Who prescribes a provider gets it. */
    if (crypto_properties(context) == NULL && key_spec_of(key->key, &spec))
        key->pays_after = ecdsa_verifier_pays_after(spec);
    return key;
}

struct issuer_key *issuer_keys_get(const struct crypto_context *context, struct span public_key)
{
    struct issuer_keys *keys = crypto_issuer_keys(context);
    struct issuer_key *key = find(keys, public_key);
    if (key != NULL)
        return key;
    key = decode(context, public_key);
    if (key != NULL && public_key.len <= PUBLIC_KEY_MAX) {
        memcpy(key->der, public_key.data, public_key.len);
        key->len = public_key.len;
        keep(keys, key);
    }
    return key;
}

void issuer_keys_put(const struct crypto_context *context, struct issuer_key *key)
{
    struct issuer_keys *keys = crypto_issuer_keys(context);
    pthread_mutex_lock(&keys->lock);
    let_go(key);
    pthread_mutex_unlock(&keys->lock);
}

EVP_PKEY *issuer_key_pkey(const struct issuer_key *key)
{
    return key->key;
}

const struct ecdsa_verifier *issuer_key_verifier(const struct crypto_context *context,
                                                 struct issuer_key *key)
{
    struct ecdsa_verifier *verifier = atomic_load(&key->verifier);
    if (verifier != NULL || key->pays_after == 0 || atomic_load(&key->uses) < key->pays_after)
        return verifier;
    /* Two threads may make it at once; the second one's is dropped. */
    struct ecdsa_verifier *none = NULL;
    struct error error;
    if (!ecdsa_verifier_new(context, key->key, &verifier, &error))
        return NULL;
    if (atomic_compare_exchange_strong(&key->verifier, &none, verifier))
        return verifier;
    ecdsa_verifier_free(verifier);
    return none;
}

bool issuer_key_has_signed(const struct crypto_context *context, const struct issuer_key *key,
                           const unsigned char *digest)
{
    struct issuer_keys *keys = crypto_issuer_keys(context);
    bool known = false;
    pthread_mutex_lock(&keys->lock);
    unsigned count = key->signed_count < SIGNED_KEPT ? key->signed_count : SIGNED_KEPT;
    for (unsigned i = 0; i < count && !known; i++)
        known = memcmp(key->signed_by_it[i], digest, ISSUER_DIGEST) == 0;
    pthread_mutex_unlock(&keys->lock);
    return known;
}

void issuer_key_note_signed(const struct crypto_context *context, struct issuer_key *key,
                            const unsigned char *digest)
{
    struct issuer_keys *keys = crypto_issuer_keys(context);
    pthread_mutex_lock(&keys->lock);
    memcpy(key->signed_by_it[key->signed_count++ % SIGNED_KEPT], digest, ISSUER_DIGEST);
    pthread_mutex_unlock(&keys->lock);
}
