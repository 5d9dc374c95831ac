/* A pool of anti-replay nonces (RFC 8555 section 6.5) for one worker and one CA. A nonce goes out
 * once; those of every answer come back in; old ones are dropped, for CAs let them die. */
#ifndef CERTMILL_ACME_NONCE_H
#define CERTMILL_ACME_NONCE_H

#include "base/span.h"

#define NONCE_MAX        256
#define NONCE_AGE_MAX_MS ((int64_t)30 * 60 * 1000)

struct nonce_pool;

struct nonce_pool *nonce_pool_new(size_t limit) MUST_USE; /* keeps at most `limit`, the newest */
void nonce_pool_free(struct nonce_pool *pool);

/* Ignores what is not a nonce: empty, too long, not base64url. */
void nonce_put(struct nonce_pool *pool, struct span nonce, int64_t now_ms);
/* Takes the newest into `text` of NONCE_MAX + 1 bytes; false when there is none young enough. */
bool nonce_take(struct nonce_pool *pool, int64_t now_ms, char *text) MUST_USE;
size_t nonce_count(const struct nonce_pool *pool);

#endif
