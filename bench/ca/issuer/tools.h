/* What one thread at a time needs to sign and to verify: OpenSSL's contexts, prepared once, random
 * bytes drawn in bulk, and a buffer to write in. Taken from the issuer for one operation and given
 * back, so that there are as many as threads were ever busy at once. */
#ifndef CERTMILL_CA_ISSUER_TOOLS_H
#define CERTMILL_CA_ISSUER_TOOLS_H

#include "crypto/key.h"

#include <pthread.h>

#define TOOLS_CURVES  3
#define TOOLS_RANDOM  512
#define SIGNATURE_MAX 1024 /* an RSA signature of 8,192 bits */

/* A public key on one curve whose point is replaced for every signature: to make the key anew takes
 * 14 us, to replace its point 1. */
struct curve_verifier {
    EVP_PKEY *key;
    EVP_PKEY_CTX *context;
};

struct tools {
    struct tools *next;
    struct curve_verifier curves[TOOLS_CURVES]; /* by rank: P-256, P-384, P-521 */
    EVP_PKEY_CTX *rsa_maker;
    EVP_PKEY_CTX **signers; /* one for each of the shop's keys */
    unsigned char random[TOOLS_RANDOM];
    size_t random_left;
    unsigned char *frame;
    size_t frame_size;
};

#define SHOP_KEYS_MAX 80

/* Where the tools are kept, and what they are made for. */
struct tool_shop {
    const struct crypto_context *context;
    EVP_PKEY *keys[SHOP_KEYS_MAX];
    size_t key_count;
    pthread_mutex_t lock;
    struct tools *idle;
};

bool tool_shop_init(struct tool_shop *shop, const struct crypto_context *context,
                    struct error *error) MUST_USE;
void tool_shop_free(struct tool_shop *shop); /* and the keys */

/* Takes over the key. All keys come before the first tools. Gives its number. */
size_t tool_shop_add(struct tool_shop *shop, EVP_PKEY *key);

/* NULL without memory. */
struct tools *tools_take(struct tool_shop *shop);
void tools_give(struct tool_shop *shop, struct tools *tools);

/* Room to write in, until the tools are given back. NULL without memory. */
unsigned char *tools_frame(struct tools *tools, size_t size);

bool tools_random(const struct tool_shop *shop, struct tools *tools, unsigned char *bytes,
                  size_t len, struct error *error) MUST_USE;

bool tool_shop_hash(const struct tool_shop *shop, const char *digest, struct span data,
                    unsigned char *hash, size_t *ret_len) MUST_USE;

/* Signs with the key of this number, as signature_algorithm_of its kind has it. `signature` has
 * SIGNATURE_MAX bytes. */
bool tools_sign(const struct tool_shop *shop, struct tools *tools, size_t key, struct key_spec spec,
                struct span data, unsigned char *signature, size_t *ret_len,
                struct error *error) MUST_USE;

/* A public key as bytes. */
struct public_numbers {
    struct key_spec spec;
    struct span point; /* ECDSA: 04 x y */
    struct span modulus, exponent;
};
enum verdict { VERDICT_GOOD, VERDICT_BAD_KEY, VERDICT_BAD_SIGNATURE };
enum verdict tools_verify(const struct tool_shop *shop, struct tools *tools,
                          const struct public_numbers *numbers, const char *digest,
                          struct span data, struct span signature);

#endif
