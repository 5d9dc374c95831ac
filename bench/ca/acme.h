/* The load CA's protocol: RFC 8555, RFC 8738, RFC 9773, profiles. State is in memory. Answers a
 * request at once; what takes time (validation, issuance) is a point in time that later requests
 * are compared with. */
#ifndef CERTMILL_CA_ACME_H
#define CERTMILL_CA_ACME_H

#include "ca/exchange.h"
#include "ca/issuer.h"
#include "ca/validate.h"

struct acme;

struct acme_eab_key {
    const char *id;
    struct span key; /* raw bytes */
};

struct acme_profile {
    const char *name, *description;
    int64_t lifetime_s; /* of its certificates */
};

/* A new order that a client asks for: its nonce and signature are good, its names are accepted. */
struct acme_wish {
    uint64_t account;
    const char *const *names; /* lower case, "*.example.com" with its star */
    size_t name_count;
    bool renewal; /* `replaces` names a certificate of the account: RFC 9773 section 5 */
    int64_t now_us;
};
struct acme_refusal {
    char detail[160];
    char retry_after[40]; /* "" for none */
};
/* False refuses the order as rateLimited, with 429, before anything is made for it. On any of the
 * server's threads, several at once; outside of the CA's lock or in it. Never waits. */
typedef bool acme_may_order(void *context, const struct acme_wish *wish,
                            struct acme_refusal *ret_refusal);

/* Texts are borrowed and must outlive the CA. */
struct acme_options {
    bool eab_required;
    bool eab_once; /* a key id is spent by its first account, as at Sectigo */
    const struct acme_eab_key *eab_keys;
    size_t eab_key_count;
    /* Authorizations come back `valid`, and orders `ready`: pre-validated names, as at Sectigo. */
    bool prevalidated;
    bool always_valid; /* challenges become valid without a look */
    bool reuse_authorizations;
    bool orders_list;                 /* accounts have a list of orders */
    int64_t lifetime_s;               /* of certificates without a profile; 0: 90 days */
    int64_t nonce_life_s;             /* 0: 24 h */
    int64_t authorization_life_s;     /* 0: 30 days */
    unsigned names_max;               /* an order; 0: 100 */
    const char *const *refused_names; /* these and all below them: rejectedIdentifier; or NULL */
    const struct acme_profile *profiles;
    size_t profile_count;
    const char *website, *terms, *caa; /* of the directory's meta; NULL: absent */
    acme_may_order *may_order;         /* rate limits by account and names; NULL: none */
    void *may_order_context;
    uint64_t seed; /* of the tokens when `predictable`, else unused */
    bool predictable;
};

/* What weather tells the protocol about one request. */
struct acme_mood {
    bool reject_nonce;       /* the nonce is spent, and refused as badNonce */
    int64_t processing_us;   /* finalize: how long the order stays `processing`; 0: answered
                                `valid` at once */
    int64_t validation_us;   /* challenge: how long validation waits before it looks */
    const char *retry_after; /* of answers that say `pending` or `processing`; NULL: none */
};

struct acme_counts {
    uint64_t accounts, orders, authorizations, issued, revoked, nonces_given, nonces_refused,
        problems;
};

/* `validator` may be NULL when `prevalidated` or `always_valid`. Both must outlive the CA. */
bool acme_new(const struct acme_options *options, struct issuer *issuer,
              struct validator *validator, struct acme **ret_acme, struct error *error) MUST_USE;
void acme_free(struct acme *acme);

/* What the path asks for, without a look at the state. */
enum ca_endpoint acme_endpoint(struct span path);

/* Answers; under CA_OTHER what certificates point to, /issuer/N and /crl/N. Thread-safe: signatures
 * are checked and made outside of the lock. */
void acme_answer(struct acme *acme, enum ca_endpoint endpoint, const struct ca_request *request,
                 const struct acme_mood *mood, struct ca_response *response);

/* For the control port: an ARI window in the past for every certificate of the account (0: of all),
 * as after a mass revocation. */
void acme_suggest_renewal(struct acme *acme, uint64_t account);

void acme_count(struct acme *acme, struct acme_counts *ret_counts);

/* Writes a problem document (RFC 7807) with a type below urn:ietf:params:acme:error:. */
void acme_problem(struct ca_response *response, int status, const char *type, const char *format,
                  ...) PRINTF_LIKE(4, 5);

/* Adds a fresh Replay-Nonce, for answers that weather makes in the protocol's place. */
void acme_add_nonce(struct acme *acme, const struct ca_request *request,
                    struct ca_response *response);

#endif
