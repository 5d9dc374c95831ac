/* What a CA may ask for (challenge tokens, server names) and the answers: a hash table behind one
 * mutex. */
#ifndef CERTMILL_RESPONDER_TOKENS_H
#define CERTMILL_RESPONDER_TOKENS_H

#include "io/responder.h"

#include <pthread.h>

struct token_entry;

struct token_bucket {
    struct token_entry *first;
};

struct tokens {
    pthread_mutex_t lock;
    struct token_bucket *buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

void tokens_init(struct tokens *tokens);
void tokens_free(struct tokens *tokens);

/* As responder_put and responder_remove, for any bytes as a token. */
bool tokens_put(struct tokens *tokens, struct span token, struct span answer) MUST_USE;
void tokens_remove(struct tokens *tokens, struct span token);

/* Copies the answer into `answer` of RESPONDER_ANSWER_MAX bytes; false when there is none. */
bool tokens_find(struct tokens *tokens, struct span token, char *answer, size_t *ret_len) MUST_USE;

#endif
