/* ACME resources (RFC 8555 section 7.1), parsed once from the CA's JSON into typed structures.
 * Every list and text has a ceiling; URLs must be http or https, absolute, and printable. */
#ifndef CERTMILL_ACME_OBJECTS_H
#define CERTMILL_ACME_OBJECTS_H

#include "acme/problem.h"
#include "config/manifest.h"

#define ACME_BODY_MAX           ((size_t)1024 * 1024)
#define ACME_URL_MAX            2048
#define ACME_TOKEN_MAX          256
#define ACME_AUTHORIZATIONS_MAX 1000

/* Whether a URL of the CA (in a document or a Location header) may be used: absolute, http or
 * https, of at most ACME_URL_MAX printable characters, without credentials. The error says only
 * what is wrong; the caller puts before it whose URL it is. */
bool acme_url_check(struct span url, struct error *error) MUST_USE;
/* Base64url of at most ACME_TOKEN_MAX bytes: safe as a file name and in a path. */
bool acme_token_check(struct span token, struct error *error) MUST_USE;

struct directory {
    char *new_nonce, *new_account, *new_order;                 /* always there */
    char *new_authz, *revoke_cert, *key_change, *renewal_info; /* NULL when not offered */
    char *terms_of_service, *website;                          /* NULL when not given */
    bool external_account_required;
};
/* Each _parse gives memory of its own, freed by the _free of its type (which takes an all-zero
 * one). */
bool directory_parse(struct span body, struct directory *ret_directory,
                     struct error *error) MUST_USE;
void directory_free(struct directory *directory);

enum account_status { ACCOUNT_VALID, ACCOUNT_DEACTIVATED, ACCOUNT_REVOKED };
struct account_object {
    enum account_status status;
    char *orders; /* the list's URL, NULL when not given */
};
bool account_object_parse(struct span body, struct account_object *ret_account,
                          struct error *error) MUST_USE;
void account_object_free(struct account_object *account);

enum order_status { ORDER_PENDING, ORDER_READY, ORDER_PROCESSING, ORDER_VALID, ORDER_INVALID };
const char *order_status_name(enum order_status status);

struct order_object {
    enum order_status status;
    char **authorizations; /* maybe none, but in a pending order (it may be empty there) */
    size_t authorization_count;
    char **identifiers; /* values only, lower case */
    size_t identifier_count;
    char *finalize;    /* required unless the order is invalid */
    char *certificate; /* NULL until valid (required then) */
    bool has_error;
    struct problem error;
    int64_t expires; /* unix seconds; 0: not given */
};
bool order_object_parse(struct span body, struct order_object *ret_order,
                        struct error *error) MUST_USE;
void order_object_free(struct order_object *order);

enum authorization_status {
    AUTHORIZATION_PENDING,
    AUTHORIZATION_VALID,
    AUTHORIZATION_INVALID,
    AUTHORIZATION_DEACTIVATED,
    AUTHORIZATION_EXPIRED,
    AUTHORIZATION_REVOKED,
};
const char *authorization_status_name(enum authorization_status status);

enum challenge_status {
    CHALLENGE_PENDING,
    CHALLENGE_PROCESSING,
    CHALLENGE_VALID,
    CHALLENGE_INVALID,
};

struct authorization_object {
    enum authorization_status status;
    char *identifier; /* without "*." */
    bool wildcard;
    /* The challenge of the wanted type, when it is offered; only for a pending authorization. */
    bool has_challenge;
    enum challenge_status challenge_status;
    char *challenge_url;
    char token[ACME_TOKEN_MAX + 1]; /* base64url, checked */
    char offered[128];              /* types offered, comma-separated, for the error message */
    bool has_error;                 /* the error of whichever challenge failed */
    struct problem error;
};
bool authorization_object_parse(struct span body, enum challenge_type wanted,
                                struct authorization_object *ret_authorization,
                                struct error *error) MUST_USE;
void authorization_object_free(struct authorization_object *authorization);

/* An account's list of orders (section 7.1.2.1). */
struct order_list {
    char **urls;
    size_t count;
};
bool order_list_parse(struct span body, struct order_list *ret_list, struct error *error) MUST_USE;
void order_list_free(struct order_list *list);

/* Request payloads. Each appends the JSON to *out; false only without memory, or past its limit.
 * `email` and `external_binding` (the JSON of a JWS) may be empty. With `only_existing` nothing
 * else about the account is said (section 7.3.1). */
bool payload_new_account(const char *email, bool terms_agreed, bool only_existing,
                         struct span external_binding, struct buf *out) MUST_USE;
bool payload_new_order(const char *const *names, size_t count, struct buf *out) MUST_USE;
bool payload_finalize(struct span csr_der, struct buf *out) MUST_USE;
/* RFC 8555 section 7.6; `reason` (RFC 5280 section 5.3.1) below 0: none. */
bool payload_revoke(struct span certificate_der, int reason, struct buf *out) MUST_USE;

#endif
