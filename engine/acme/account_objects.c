/* Directory, account, list of orders (RFC 8555 sections 7.1.1, 7.1.2, 7.1.2.1). */
#include "acme/fields.h"
#include "acme/objects.h"

#include <stdlib.h>

#define ORDER_LIST_MAX 10000

/* These are only shown to people: a CA that writes something else there is still a usable CA. */
static bool shown_url(const json_t *meta, const char *key, char **ret_url, struct error *error)
{
    struct error ignored;
    if (field_url(meta, "directory", key, FIELD_OPTIONAL, ret_url, &ignored))
        return true;
    return ignored.kind != ERROR_MEMORY || error_set(error, ERROR_MEMORY, "%s", ignored.text);
}

static bool directory_read(const json_t *object, struct directory *directory, struct error *error)
{
    const struct {
        const char *key;
        enum field_need need;
        char **url;
    } resources[] = {
        {"newNonce", FIELD_REQUIRED, &directory->new_nonce},
        {"newAccount", FIELD_REQUIRED, &directory->new_account},
        {"newOrder", FIELD_REQUIRED, &directory->new_order},
        {"newAuthz", FIELD_OPTIONAL, &directory->new_authz},
        {"revokeCert", FIELD_OPTIONAL, &directory->revoke_cert},
        {"keyChange", FIELD_OPTIONAL, &directory->key_change},
        {"renewalInfo", FIELD_OPTIONAL, &directory->renewal_info},
    };
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++)
        TRY(field_url(object, "directory", resources[i].key, resources[i].need, resources[i].url,
                      error));
    const json_t *meta = json_object_get(object, "meta");
    TRY(shown_url(meta, "termsOfService", &directory->terms_of_service, error));
    TRY(shown_url(meta, "website", &directory->website, error));
    directory->external_account_required = json_flag(meta, "externalAccountRequired", false);
    return true;
}

bool directory_parse(struct span body, struct directory *ret_directory, struct error *error)
{
    CLEANUP(json_release) json_t *object = NULL;
    TRY(fields_parse(body, "directory", &object, error));
    struct directory directory = {0};
    if (!directory_read(object, &directory, error)) {
        directory_free(&directory);
        return false;
    }
    *ret_directory = directory;
    return true;
}

void directory_free(struct directory *directory)
{
    free(directory->new_nonce);
    free(directory->new_account);
    free(directory->new_order);
    free(directory->new_authz);
    free(directory->revoke_cert);
    free(directory->key_change);
    free(directory->renewal_info);
    free(directory->terms_of_service);
    free(directory->website);
    *directory = (struct directory){0};
}

bool account_object_parse(struct span body, struct account_object *ret_account, struct error *error)
{
    static const char *const names[] = {
        [ACCOUNT_VALID] = "valid",
        [ACCOUNT_DEACTIVATED] = "deactivated",
        [ACCOUNT_REVOKED] = "revoked",
    };
    CLEANUP(json_release) json_t *object = NULL;
    TRY(fields_parse(body, "account", &object, error));
    /* Some CAs leave the status out of the answer to newAccount; it came with HTTP 200 or 201. */
    unsigned status = ACCOUNT_VALID;
    TRY(field_status(object, "account", names, sizeof names / sizeof names[0], FIELD_OPTIONAL,
                     &status, error));
    char *orders = NULL;
    TRY(field_url(object, "account", "orders", FIELD_OPTIONAL, &orders, error));
    *ret_account = (struct account_object){.status = status, .orders = orders};
    return true;
}

void account_object_free(struct account_object *account)
{
    free(account->orders);
    *account = (struct account_object){0};
}

bool order_list_parse(struct span body, struct order_list *ret_list, struct error *error)
{
    CLEANUP(json_release) json_t *object = NULL;
    TRY(fields_parse(body, "list of orders", &object, error));
    struct order_list list = {0};
    TRY(field_url_list(object, "list of orders", "orders", FIELD_REQUIRED, ORDER_LIST_MAX,
                       &list.urls, &list.count, error));
    *ret_list = list;
    return true;
}

void order_list_free(struct order_list *list)
{
    texts_free(list->urls, list->count);
    *list = (struct order_list){0};
}
