/* What the load CA knows: accounts, orders, authorizations, certificates. Everything is in memory,
 * under one lock, which is held for a microsecond or two: signatures, CSRs and certificates are
 * seen to outside of it. Entries never move and are never freed before the CA, so that what does
 * not change in them (names, keys of authorizations, DER) may be read without the lock.
 *
 * An order of one name with its authorization and certificate takes about 1.1 KiB, so that a
 * million fits into 2 GiB. */
#ifndef CERTMILL_CA_ACME_STATE_H
#define CERTMILL_CA_ACME_STATE_H

#include "account_key.h"
#include "ca/acme.h"
#include "nonces.h"
#include "tables.h"

#include <pthread.h>

/* RFC 8555 section 7.1.6. One list for all: which object has which is in status.c. */
enum ca_status {
    CA_PENDING,
    CA_READY,
    CA_PROCESSING,
    CA_VALID,
    CA_INVALID,
    CA_DEACTIVATED,
    CA_EXPIRED,
};
const char *ca_status_name(enum ca_status status);

struct ca_account {
    uint32_t id;
    enum ca_status status; /* valid or deactivated */
    struct ca_key *key;
    char *contacts; /* a JSON array, or NULL */
    char *binding;  /* the externalAccountBinding as it came, or NULL */
    uint32_t *orders;
    uint32_t order_count;
    uint32_t order_capacity;
    uint32_t renew_through; /* certificates up to this id are to be renewed now */
};

enum { CA_METHODS = VALIDATE_TLS_ALPN_01 + 1 };

/* Why a name was not validated, or an order failed. */
struct ca_failure {
    const char *type; /* static */
    int status;
    char *detail;
};

struct ca_authorization {
    uint32_t account;
    uint8_t status;
    bool is_address;
    bool wildcard;
    uint8_t method;                 /* that was tried; CA_METHODS: none */
    uint8_t challenges[CA_METHODS]; /* statuses; of those that are offered */
    int64_t expires;
    int64_t validated;
    int64_t valid_at_us; /* processing by a clock: 0 unless "always valid" */
    char *name;          /* without "*."; in the arena */
    struct ca_failure *failure;
};

struct ca_order {
    uint32_t account;
    uint8_t status;
    bool issuing;     /* a thread is at its certificate */
    uint16_t profile; /* number + 1; 0: none */
    uint32_t authorization_count;
    uint32_t certificate; /* 0: none yet */
    union {
        uint32_t one;
        uint32_t *many; /* when there are more; in the arena */
    } authorizations;
    int64_t expires;
    int64_t not_before, not_after; /* 0: not asked for */
    int64_t valid_at_us;           /* while processing */
    char *replaces;                /* or NULL; in the arena */
    struct ca_failure *failure;
};

struct ca_certificate {
    uint32_t account; /* 0: not issued yet */
    uint32_t order;
    uint32_t replaced_by; /* an order; 0: none */
    uint32_t der_len;
    char *der; /* in the arena */
    int64_t not_before, not_after;
    int64_t revoked; /* when; 0: not */
    uint8_t reason;
    uint8_t intermediate;
    uint8_t serial_len;
    unsigned char serial[ISSUER_SERIAL_MAX];
};

struct acme {
    struct acme_options options;
    struct issuer *issuer;
    struct validator *validator;
    struct crypto_context *crypto;
    struct ca_nonces *nonces;
    unsigned char token_key[32];
    _Atomic int64_t now_us; /* the latest time that a request came with */
    pthread_mutex_t lock;

    /* Under the lock. */
    struct ca_table accounts, orders, authorizations, certificates;
    struct ca_index keys;  /* accounts by the digest of their key */
    struct ca_index valid; /* the latest valid authorization of an account for a name */
    bool *eab_spent;       /* by number of the key */
    struct arena texts;
    uint32_t *revoked; /* certificates */
    size_t revoked_count, revoked_capacity;
    uint32_t renew_through; /* certificates of all accounts */
    struct acme_counts counts;
};

/* These want the lock, but for those that take no `acme`. */
uint64_t ca_key_hash(const unsigned char *spki_digest);
struct ca_account *ca_account_by_key(struct acme *acme, const unsigned char *spki_digest);
uint32_t ca_order_authorization(const struct ca_order *order, uint32_t number);
struct ca_authorization *ca_authorization_of(struct acme *acme, const struct ca_order *order,
                                             uint32_t number);

/* The account's valid authorization for a name, or NULL. */
struct ca_authorization *ca_authorization_find(struct acme *acme, uint32_t account,
                                               struct span name, bool wildcard, int64_t now,
                                               uint32_t *ret_id);
/* Without memory for the index it is not found later. */
void ca_authorization_note_valid(struct acme *acme, uint32_t id);

/* Its validation has begun and has not ended. */
bool ca_authorization_is_tried(const struct ca_authorization *authorization);

/* Status changes that time or other objects bring: each is looked at when it is asked for. */
void ca_authorization_refresh(struct acme *acme, uint32_t id, int64_t now_us);
void ca_order_refresh(struct acme *acme, struct ca_order *order, int64_t now_us);

/* Ends a validation: RFC 8555 section 7.1.6. The failure is NULL for a good end, and is owned by
 * the authorization then. */
void ca_challenge_end(struct acme *acme, uint32_t id, struct ca_failure *failure, int64_t now);
struct ca_failure *ca_failure_new(const char *type, int status, const char *detail);
void ca_failure_free(struct ca_failure *failure);

/* Is the challenge offered for the identifier? */
bool ca_method_fits(const struct ca_authorization *authorization, enum validation_method method);
const char *ca_method_name(enum validation_method method); /* "http-01" */

/* base64url of 32 bytes, and a NUL. Unknown to those who do not know the CA's key. */
#define CA_TOKEN_TEXT 44
bool ca_token(const struct acme *acme, uint32_t authorization, enum validation_method method,
              char *token) MUST_USE;

/* validation_done, for the validator. */
void ca_validation_done(void *context, const struct validation_result *result);

#endif
