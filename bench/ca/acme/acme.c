#include "call.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_LIFETIME_S = 90 * 86400,
    DEFAULT_NONCE_LIFE_S = 86400,
    DEFAULT_AUTHORIZATION_LIFE_S = 30 * 86400,
    DEFAULT_NAMES_MAX = 100,
};

static bool keys_make(struct acme *acme, struct error *error)
{
    /* Never by the seed: a nonce of the run before would be good again. */
    unsigned char nonce_key[CA_NONCE_KEY];
    if (RAND_bytes(nonce_key, sizeof nonce_key) != 1 ||
        RAND_bytes(acme->token_key, sizeof acme->token_key) != 1)
        return crypto_error(error, "making keys");
    if (acme->options.predictable) {
        memset(acme->token_key, 0, sizeof acme->token_key);
        memcpy(acme->token_key, &acme->options.seed, sizeof acme->options.seed);
    }
    return ca_nonces_new(nonce_key, crypto_library(acme->crypto), acme->options.nonce_life_s,
                         &acme->nonces, error);
}

static void options_complete(struct acme_options *options)
{
    if (options->lifetime_s == 0)
        options->lifetime_s = DEFAULT_LIFETIME_S;
    if (options->nonce_life_s == 0)
        options->nonce_life_s = DEFAULT_NONCE_LIFE_S;
    if (options->authorization_life_s == 0)
        options->authorization_life_s = DEFAULT_AUTHORIZATION_LIFE_S;
    if (options->names_max == 0)
        options->names_max = DEFAULT_NAMES_MAX;
    if (options->names_max > ISSUER_NAMES_MAX)
        options->names_max = ISSUER_NAMES_MAX;
}

bool acme_new(const struct acme_options *options, struct issuer *issuer,
              struct validator *validator, struct acme **ret_acme, struct error *error)
{
    if (validator == NULL && !options->prevalidated && !options->always_valid)
        return error_set(error, ERROR_CONFIG, "nothing validates names");
    struct acme *acme = calloc(1, sizeof *acme);
    if (acme == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the CA");
    acme->options = *options;
    options_complete(&acme->options);
    acme->issuer = issuer;
    acme->validator = validator;
    pthread_mutex_init(&acme->lock, NULL);
    arena_init(&acme->texts);
    ca_table_init(&acme->accounts, sizeof(struct ca_account));
    ca_table_init(&acme->orders, sizeof(struct ca_order));
    ca_table_init(&acme->authorizations, sizeof(struct ca_authorization));
    ca_table_init(&acme->certificates, sizeof(struct ca_certificate));
    acme->eab_spent = calloc(options->eab_key_count + 1, sizeof *acme->eab_spent);
    if (acme->eab_spent == NULL ||
        !crypto_context_new(&(struct crypto_options){0}, &acme->crypto, error) ||
        !keys_make(acme, error)) {
        acme_free(acme);
        return false;
    }
    if (validator != NULL)
        validator_report_to(validator, ca_validation_done, acme);
    *ret_acme = acme;
    return true;
}

void acme_free(struct acme *acme)
{
    if (acme == NULL)
        return;
    for (uint32_t id = 1; id <= acme->accounts.count; id++) {
        struct ca_account *account = ca_table_at(&acme->accounts, id);
        ca_key_release(account->key);
        free(account->contacts);
        free(account->binding);
        free(account->orders);
    }
    for (uint32_t id = 1; id <= acme->orders.count; id++)
        ca_failure_free(((struct ca_order *)ca_table_at(&acme->orders, id))->failure);
    for (uint32_t id = 1; id <= acme->authorizations.count; id++)
        ca_failure_free(
            ((struct ca_authorization *)ca_table_at(&acme->authorizations, id))->failure);
    ca_table_free(&acme->accounts);
    ca_table_free(&acme->orders);
    ca_table_free(&acme->authorizations);
    ca_table_free(&acme->certificates);
    ca_index_free(&acme->keys);
    ca_index_free(&acme->valid);
    arena_free(&acme->texts);
    ca_nonces_free(acme->nonces);
    crypto_context_free(acme->crypto);
    pthread_mutex_destroy(&acme->lock);
    free(acme->eab_spent);
    free(acme->revoked);
    free(acme);
}

void acme_suggest_renewal(struct acme *acme, uint64_t account)
{
    pthread_mutex_lock(&acme->lock);
    struct ca_account *one = ca_table_at(&acme->accounts, account);
    if (account == 0)
        acme->renew_through = acme->certificates.count;
    else if (one != NULL)
        one->renew_through = acme->certificates.count;
    pthread_mutex_unlock(&acme->lock);
}

void acme_count(struct acme *acme, struct acme_counts *ret_counts)
{
    pthread_mutex_lock(&acme->lock);
    *ret_counts = acme->counts;
    ret_counts->accounts = acme->accounts.count;
    ret_counts->orders = acme->orders.count;
    ret_counts->authorizations = acme->authorizations.count;
    pthread_mutex_unlock(&acme->lock);
    ret_counts->nonces_given = ca_nonces_made(acme->nonces);
}
