/* Which status follows from what (RFC 8555 section 7.1.6):
 *
 *   challenge      pending -> processing -> valid | invalid
 *   authorization  pending -> valid | invalid | expired | deactivated;  valid -> expired |
 *                  deactivated
 *   order          pending -> ready -> processing -> valid;  pending, ready -> invalid
 *
 * Nothing runs in the background: an object's status is brought up to date when it is looked at. */
#include "state.h"

#include "base/base64.h"
#include "context_internal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

const char *ca_status_name(enum ca_status status)
{
    static const char *const names[] = {"pending", "ready",       "processing", "valid",
                                        "invalid", "deactivated", "expired"};
    return names[status];
}

const char *ca_method_name(enum validation_method method)
{
    static const char *const names[] = {"http-01", "dns-01", "tls-alpn-01"};
    return names[method];
}

/* RFC 8738 section 7 knows no dns-01 for addresses; wildcards need it. */
bool ca_method_fits(const struct ca_authorization *authorization, enum validation_method method)
{
    if (authorization->wildcard)
        return method == VALIDATE_DNS_01;
    return !authorization->is_address || method != VALIDATE_DNS_01;
}

bool ca_token(const struct acme *acme, uint32_t authorization, enum validation_method method,
              char *token)
{
    unsigned char input[sizeof acme->token_key + 5];
    unsigned char digest[32];
    struct buf text CLEANUP(buf_free);
    buf_init(&text, CA_TOKEN_TEXT);
    memcpy(input, acme->token_key, sizeof acme->token_key);
    memcpy(input + sizeof acme->token_key, &authorization, 4);
    input[sizeof input - 1] = (unsigned char)method;
    TRY(EVP_Digest(input, sizeof input, digest, NULL, crypto_sha256(acme->crypto), NULL) == 1 &&
        base64url_append(&text, digest, sizeof digest));
    memcpy(token, buf_text(&text), CA_TOKEN_TEXT);
    return true;
}

uint64_t ca_key_hash(const unsigned char *spki_digest)
{
    return ca_hash(span_make(spki_digest, CA_KEY_DIGEST), 0);
}

struct ca_account *ca_account_by_key(struct acme *acme, const unsigned char *spki_digest)
{
    size_t position = 0;
    uint32_t id;
    while ((id = ca_index_next(&acme->keys, ca_key_hash(spki_digest), &position)) != 0) {
        struct ca_account *account = ca_table_at(&acme->accounts, id);
        if (memcmp(account->key->spki_digest, spki_digest, CA_KEY_DIGEST) == 0)
            return account;
    }
    return NULL;
}

uint32_t ca_order_authorization(const struct ca_order *order, uint32_t number)
{
    return order->authorization_count == 1 ? order->authorizations.one
                                           : order->authorizations.many[number];
}

struct ca_authorization *ca_authorization_of(struct acme *acme, const struct ca_order *order,
                                             uint32_t number)
{
    return ca_table_at(&acme->authorizations, ca_order_authorization(order, number));
}

static uint64_t name_hash(uint32_t account, struct span name, bool wildcard)
{
    return ca_hash(name, ((uint64_t)account << 1) | wildcard);
}

static struct ca_authorization *valid_entry(struct acme *acme, uint32_t account, struct span name,
                                            bool wildcard, uint32_t *ret_id)
{
    size_t position = 0;
    uint32_t id;
    while ((id = ca_index_next(&acme->valid, name_hash(account, name, wildcard), &position)) != 0) {
        struct ca_authorization *found = ca_table_at(&acme->authorizations, id);
        if (found->account == account && found->wildcard == wildcard &&
            span_is(name, found->name)) {
            *ret_id = id;
            return found;
        }
    }
    return NULL;
}

struct ca_authorization *ca_authorization_find(struct acme *acme, uint32_t account,
                                               struct span name, bool wildcard, int64_t now,
                                               uint32_t *ret_id)
{
    struct ca_authorization *found = valid_entry(acme, account, name, wildcard, ret_id);
    return found != NULL && found->status == CA_VALID && found->expires > now ? found : NULL;
}

void ca_authorization_note_valid(struct acme *acme, uint32_t id)
{
    struct ca_authorization *authorization = ca_table_at(&acme->authorizations, id);
    struct span name = span_of(authorization->name);
    uint64_t hash = name_hash(authorization->account, name, authorization->wildcard);
    uint32_t earlier = 0;
    if (valid_entry(acme, authorization->account, name, authorization->wildcard, &earlier) != NULL)
        (void)ca_index_change(&acme->valid, hash, earlier, id);
    else if (!ca_index_add(&acme->valid, hash, id))
        return;
}

struct ca_failure *ca_failure_new(const char *type, int status, const char *detail)
{
    struct ca_failure *failure = calloc(1, sizeof *failure);
    if (failure == NULL)
        return NULL;
    failure->type = type;
    failure->status = status;
    failure->detail = strdup(detail);
    if (failure->detail == NULL) {
        free(failure);
        return NULL;
    }
    return failure;
}

void ca_failure_free(struct ca_failure *failure)
{
    if (failure == NULL)
        return;
    free(failure->detail);
    free(failure);
}

void ca_challenge_end(struct acme *acme, uint32_t id, struct ca_failure *failure, int64_t now)
{
    struct ca_authorization *authorization = ca_table_at(&acme->authorizations, id);
    enum ca_status end = failure != NULL ? CA_INVALID : CA_VALID;
    authorization->challenges[authorization->method] = (uint8_t)end;
    authorization->valid_at_us = 0;
    authorization->validated = now;
    ca_failure_free(authorization->failure);
    authorization->failure = failure;
    /* A client may have deactivated it meanwhile. */
    if (authorization->status != CA_PENDING)
        return;
    authorization->status = (uint8_t)end;
    if (end == CA_VALID) {
        authorization->expires = now + acme->options.authorization_life_s;
        ca_authorization_note_valid(acme, id);
    }
}

bool ca_authorization_is_tried(const struct ca_authorization *authorization)
{
    return authorization->status == CA_PENDING && authorization->method < CA_METHODS;
}

void ca_authorization_refresh(struct acme *acme, uint32_t id, int64_t now_us)
{
    struct ca_authorization *authorization = ca_table_at(&acme->authorizations, id);
    if (authorization->valid_at_us != 0 && authorization->valid_at_us <= now_us)
        ca_challenge_end(acme, id, NULL, authorization->valid_at_us / 1000000);
    if ((authorization->status == CA_PENDING || authorization->status == CA_VALID) &&
        authorization->expires <= now_us / 1000000)
        authorization->status = CA_EXPIRED;
}

static void order_fail(struct ca_order *order, const struct ca_failure *cause)
{
    order->status = CA_INVALID;
    if (cause != NULL)
        order->failure = ca_failure_new(cause->type, cause->status, cause->detail);
}

/* An order that waits for its authorizations, or for its CSR. */
static void order_refresh_waiting(struct acme *acme, struct ca_order *order, int64_t now_us)
{
    bool all_valid = true;
    if (order->expires <= now_us / 1000000) {
        order_fail(order, NULL);
        return;
    }
    for (uint32_t i = 0; i < order->authorization_count; i++) {
        const struct ca_authorization *authorization = ca_authorization_of(acme, order, i);
        ca_authorization_refresh(acme, ca_order_authorization(order, i), now_us);
        if (authorization->status != CA_PENDING && authorization->status != CA_VALID) {
            order_fail(order, authorization->failure);
            return;
        }
        all_valid = all_valid && authorization->status == CA_VALID;
    }
    order->status = all_valid ? CA_READY : CA_PENDING;
}

void ca_order_refresh(struct acme *acme, struct ca_order *order, int64_t now_us)
{
    if (order->status == CA_PENDING || order->status == CA_READY)
        order_refresh_waiting(acme, order, now_us);
    else if (order->status == CA_PROCESSING && !order->issuing && order->valid_at_us <= now_us)
        order->status = CA_VALID;
}

/* RFC 8555 section 6.7 has these types for what a CA finds at a validation. */
static const char *validation_type(const char *problem, int *ret_status)
{
    static const struct {
        const char *type;
        int status;
    } types[] = {{"connection", 400},
                 {"dns", 400},
                 {"tls", 400},
                 {"unauthorized", 403},
                 {"incorrectResponse", 403}};
    for (size_t i = 0; problem != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(problem, types[i].type) == 0) {
            *ret_status = types[i].status;
            return types[i].type;
        }
    }
    *ret_status = 403;
    return "unauthorized";
}

static struct ca_failure *result_failure(const struct validation_result *result)
{
    int status;
    const char *type = validation_type(result->problem, &status);
    return ca_failure_new(type, status, result->detail != NULL ? result->detail : "");
}

void ca_validation_done(void *context, const struct validation_result *result)
{
    struct acme *acme = context;
    struct ca_failure *failure = NULL;
    /* A failure that cannot be noted leaves the challenge at `processing`. */
    if (!result->valid && (failure = result_failure(result)) == NULL)
        return;
    pthread_mutex_lock(&acme->lock);
    const struct ca_authorization *authorization = ca_table_at(&acme->authorizations, result->id);
    if (authorization != NULL && authorization->method < CA_METHODS &&
        authorization->challenges[authorization->method] == CA_PROCESSING)
        ca_challenge_end(acme, (uint32_t)result->id, failure, acme->now_us / 1000000);
    else
        ca_failure_free(failure);
    pthread_mutex_unlock(&acme->lock);
}
