/* The crypto stage: threads that make keys and CSRs while the network waits for authorizations.
 *
 * The queue is bounded, so that a fast CA cannot pile up keys in memory; the threads run at a lower
 * scheduling priority than the network workers. */
#ifndef CERTMILL_CRYPTO_STAGE_H
#define CERTMILL_CRYPTO_STAGE_H

#include "crypto/csr.h"

#include <stdint.h>

struct crypto_stage;

/* One job: a key (made, or read back from `key_pem`) and a CSR for it. The caller owns the job
 * until stage_submit, and again from the moment `done` is called; names stay valid that long. */
struct crypto_job {
    struct crypto_job *next; /* the stage's */
    uint64_t id;             /* the caller's: whose job this is */
    void *owner;             /* the caller's: where the result goes */
    struct key_spec spec;
    struct secret key_pem; /* in: a key to use instead of making one (len 0: make one);
                              out: the key's PEM, for the caller to store and free */
    const char *const *names;
    size_t name_count;
    EVP_PKEY *key;         /* out; the caller frees it */
    struct buf public_key; /* out: DER, as key_public_der gives it; the caller frees it */
    struct buf csr;        /* out: DER; the caller frees it */
    bool made_key;         /* out: false when key_pem was given */
    bool ok;               /* out */
    uint64_t queue_us;     /* out: time spent waiting for a thread */
    uint64_t cpu_us;       /* out: CPU time of this thread for the job */
    struct error error;
};

/* Called on a stage thread for each job that ends, cancelled ones (ERROR_CANCELLED) too. A job that
 * failed leaves no key, no CSR and no PEM but the one that was given. What has ended is no longer
 * counted in the queue: the caller frees key_pem as soon as it is stored, for the secure heap is
 * small. */
typedef void crypto_done(struct crypto_job *job);

struct crypto_stage_options {
    unsigned threads;   /* 0: one a core */
    size_t queue_limit; /* jobs waiting or running; 0: a default that the secure heap can hold */
    int niceness;       /* added to the threads' nice value; 0 leaves it */
    crypto_done *done;
};

bool crypto_stage_new(const struct crypto_context *context,
                      const struct crypto_stage_options *options, struct crypto_stage **ret_stage,
                      struct error *error) MUST_USE;

/* False when the queue is full (try again after a job has ended) or the stage is ending: the job
 * stays the caller's. Sets all that is marked "out" to nothing, so these must hold nothing. */
bool crypto_stage_submit(struct crypto_stage *stage, struct crypto_job *job) MUST_USE;

struct crypto_stage_counts {
    uint64_t keys[2][3];   /* [KEY_RSA or KEY_ECDSA][size by rank]: keys made */
    uint64_t cpu_us[2][3]; /* CPU time of their jobs */
    uint64_t queue_us;     /* waiting time, all jobs */
    uint64_t jobs;
};
void crypto_stage_count(struct crypto_stage *stage, struct crypto_stage_counts *ret_counts);

/* From here on no key is worth waiting for: jobs that wait end as cancelled at once, one whose RSA
 * key is being made within milliseconds, and submit refuses. Any thread; again does nothing. */
void crypto_stage_stop(struct crypto_stage *stage);

/* Stops the stage, and waits for its threads. */
void crypto_stage_free(struct crypto_stage *stage);

#endif
