/* Accounts: RFC 8555 sections 7.3 and 7.1.2.1. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTACTS_MAX = 10, ORDERS_A_PAGE = 100, ADDRESS_MAX = 254 };

/* A local part, one '@' and a domain with a dot in it; no header fields (RFC 8555 section 7.3). */
static bool is_address(struct span text)
{
    const char *at = text.len > 0 ? memchr(text.data, '@', text.len) : NULL;
    if (at == NULL || at == text.data || text.len > ADDRESS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] <= ' ' || (unsigned char)text.data[i] >= 0x7f ||
            strchr("?,<>()[]\\\":;", text.data[i]) != NULL)
            return false;
    }
    struct span domain = span_from(text, (size_t)(at - text.data) + 1);
    return domain.len > 0 && memchr(domain.data, '@', domain.len) == NULL &&
           domain.data[0] != '.' && domain.data[domain.len - 1] != '.';
}

static bool contact_check(struct ca_call *call, struct ca_json value, struct span *ret_text)
{
    if (!ca_json_string(value, &call->arena, ret_text))
        return ca_refuse(call, 400, "malformed", "a contact is not a string");
    if (!span_starts(*ret_text, "mailto:"))
        return ca_refuse(call, 400, "unsupportedContact",
                         "contact method of \"%.*s\" is not supported",
                         ret_text->len < 100 ? (int)ret_text->len : 100, ret_text->data);
    if (!is_address(span_from(*ret_text, strlen("mailto:"))))
        return ca_refuse(call, 400, "invalidContact", "contact \"%.*s\" is invalid",
                         ret_text->len < 300 ? (int)ret_text->len : 300, ret_text->data);
    return true;
}

/* *ret_contacts is a JSON array that the caller frees, or NULL for none. */
static bool contacts_read(struct ca_call *call, struct ca_json contact, char **ret_contacts)
{
    struct buf text CLEANUP(buf_free);
    struct ca_out out;
    struct ca_json value;
    unsigned count = 0;
    buf_init(&text, (size_t)16 * 1024);
    *ret_contacts = NULL;
    if (contact.kind == CA_JSON_NONE || contact.kind == CA_JSON_NULL)
        return true;
    if (contact.kind != CA_JSON_ARRAY)
        return ca_refuse(call, 400, "malformed", "\"contact\" is not an array");
    ca_out_init(&out, &text);
    ca_out_open(&out, '[');
    while (ca_json_element(&contact.text, &value)) {
        struct span address;
        if (++count > CONTACTS_MAX)
            return ca_refuse(call, 400, "malformed", "too many contacts provided: more than %d",
                             CONTACTS_MAX);
        TRY(contact_check(call, value, &address));
        ca_out_text(&out, address);
    }
    ca_out_close(&out, ']');
    if (count > 0 && (*ret_contacts = span_duplicate(buf_span(&text))) == NULL)
        return ca_refuse(call, 500, "serverInternal", "no memory");
    return true;
}

static void answer_account(struct ca_call *call, int status, const struct ca_account *account,
                           bool with_location)
{
    struct ca_out out;
    if (with_location)
        ca_header_add(call->response, "location", "%s/acct/%u", call->base, account->id);
    ca_answer_begin(call, status, &out);
    ca_write_account(call, account, &out);
    ca_answer_end(call, &out);
}

/* True when there is one and it was answered for; with the lock. */
static bool answered_existing(struct ca_call *call)
{
    const struct ca_account *account = ca_account_by_key(call->acme, call->key->spki_digest);
    if (account == NULL)
        return false;
    if (account->status == CA_DEACTIVATED)
        (void)ca_refuse(call, 401, "unauthorized",
                        "An account with the provided public key exists but is deactivated");
    else
        answer_account(call, 200, account, true);
    return true;
}

/* With the lock. Takes the contacts. */
static bool account_add(struct ca_call *call, char *contacts, int binding_number)
{
    struct acme *acme = call->acme;
    struct ca_json binding = ca_json_get(call->body, "externalAccountBinding");
    struct ca_account *account = ca_table_add(&acme->accounts);
    if (account == NULL) {
        free(contacts);
        return ca_refuse(call, 500, "serverInternal", "no memory");
    }
    account->id = acme->accounts.count;
    account->status = CA_VALID;
    account->contacts = contacts;
    account->key = call->key;
    ca_key_take(call->key);
    if (binding_number >= 0) {
        acme->eab_spent[binding_number] = true;
        /* The object's text is without its brackets. */
        account->binding = span_duplicate(span_make(binding.text.data - 1, binding.text.len + 2));
    }
    if (!ca_index_add(&acme->keys, ca_key_hash(call->key->spki_digest), account->id))
        return ca_refuse(call, 500, "serverInternal", "no memory");
    answer_account(call, 201, account, true);
    return true;
}

static void account_make(struct ca_call *call, char *contacts, int binding_number)
{
    struct acme *acme = call->acme;
    pthread_mutex_lock(&acme->lock);
    if (answered_existing(call)) {
        free(contacts); /* made by another thread meanwhile */
    } else if (binding_number >= 0 && acme->options.eab_once && acme->eab_spent[binding_number]) {
        free(contacts);
        (void)ca_refuse(call, 403, "unauthorized",
                        "The account is not awaiting external account binding");
    } else {
        (void)account_add(call, contacts, binding_number);
    }
    pthread_mutex_unlock(&acme->lock);
}

void ca_serve_new_account(struct ca_call *call)
{
    struct acme *acme = call->acme;
    char *contacts;
    int binding_number;
    if (!ca_call_has_object(call))
        return;
    pthread_mutex_lock(&acme->lock);
    bool answered = answered_existing(call);
    pthread_mutex_unlock(&acme->lock);
    if (answered)
        return;
    if (ca_json_get(call->body, "onlyReturnExisting").kind == CA_JSON_TRUE) {
        (void)ca_refuse(call, 400, "accountDoesNotExist",
                        "unable to find existing account for only-return-existing request");
        return;
    }
    if (acme->options.terms != NULL &&
        ca_json_get(call->body, "termsOfServiceAgreed").kind != CA_JSON_TRUE) {
        ca_header_add(call->response, "link", "<%s>;rel=\"terms-of-service\"", acme->options.terms);
        (void)ca_refuse(call, 403, "userActionRequired",
                        "Provided account did not agree to the terms of service");
        return;
    }
    if (ca_binding_check(call, ca_json_get(call->body, "externalAccountBinding"),
                         &binding_number) &&
        contacts_read(call, ca_json_get(call->body, "contact"), &contacts))
        account_make(call, contacts, binding_number);
}

/* An account sees only itself. */
static bool is_own(struct ca_call *call, uint64_t id)
{
    if (id == 0)
        return ca_refuse(call, 404, "malformed", "There is no such account");
    return id == call->account ||
           ca_refuse(call, 403, "unauthorized", "Request signing key did not match account key");
}

static void account_update(struct ca_call *call, struct ca_json contact, bool deactivate)
{
    struct acme *acme = call->acme;
    char *contacts;
    if (!contacts_read(call, contact, &contacts))
        return;
    pthread_mutex_lock(&acme->lock);
    struct ca_account *account = ca_table_at(&acme->accounts, call->account);
    if (deactivate) {
        account->status = CA_DEACTIVATED;
        free(contacts);
    } else {
        free(account->contacts);
        account->contacts = contacts;
    }
    answer_account(call, 200, account, false);
    pthread_mutex_unlock(&acme->lock);
}

void ca_serve_account(struct ca_call *call)
{
    struct span rest = {NULL, 0};
    uint64_t id = ca_path_number(call, "/acct/", &rest);
    if (!is_own(call, rest.len == 0 ? id : 0))
        return;
    if (call->body.kind == CA_JSON_NONE) {
        pthread_mutex_lock(&call->acme->lock);
        answer_account(call, 200, ca_table_at(&call->acme->accounts, id), false);
        pthread_mutex_unlock(&call->acme->lock);
        return;
    }
    if (!ca_call_has_object(call))
        return;
    struct ca_json contact = ca_json_get(call->body, "contact");
    struct ca_json status = ca_json_get(call->body, "status");
    bool deactivate = span_is(status.text, "deactivated");
    if (status.kind != CA_JSON_NONE && !deactivate && !span_is(status.text, "valid"))
        (void)ca_refuse(call, 400, "malformed", "Invalid account status");
    else if (contact.kind == CA_JSON_NONE && !deactivate)
        (void)ca_refuse(call, 400, "malformed",
                        "Use POST-as-GET to retrieve account data instead of doing an empty "
                        "update");
    else
        account_update(call, contact, deactivate);
}

/* The number behind "?cursor="; 0 without one. */
static bool cursor_read(struct span rest, uint64_t *ret_cursor)
{
    static const char name[] = "?cursor=";
    *ret_cursor = 0;
    return rest.len == 0 || (span_starts(rest, name) &&
                             span_to_u64(span_from(rest, strlen(name)), UINT32_MAX, ret_cursor));
}

static void answer_orders(struct ca_call *call, const struct ca_account *account, uint64_t from)
{
    struct ca_out out;
    unsigned shown = 0;
    ca_answer_begin(call, 200, &out);
    ca_out_key(&out, "orders");
    ca_out_open(&out, '[');
    for (; from < account->order_count && shown < ORDERS_A_PAGE; from++) {
        struct ca_order *order = ca_table_at(&call->acme->orders, account->orders[from]);
        ca_order_refresh(call->acme, order, call->request->now_us);
        /* RFC 8555 section 7.1.2.1: orders that are invalid should not be there. */
        if (order->status == CA_INVALID)
            continue;
        ca_out_printf(&out, "%s/order/%u", call->base, account->orders[from]);
        shown++;
    }
    ca_out_close(&out, ']');
    ca_answer_end(call, &out);
    if (from < account->order_count)
        ca_link(call, "next", "/orders/%u?cursor=%llu", account->id, (unsigned long long)from);
}

void ca_serve_orders(struct ca_call *call)
{
    struct span rest;
    uint64_t cursor;
    uint64_t id = ca_path_number(call, "/orders/", &rest);
    if (!ca_call_is_get(call) || !is_own(call, id))
        return;
    if (!call->acme->options.orders_list || !cursor_read(rest, &cursor)) {
        (void)ca_refuse(call, 404, "malformed", "There is no such list of orders");
        return;
    }
    pthread_mutex_lock(&call->acme->lock);
    answer_orders(call, ca_table_at(&call->acme->accounts, id), cursor);
    pthread_mutex_unlock(&call->acme->lock);
}

/* The inner JWS (section 7.3.5): by the new key, for the same URL, without a nonce. */
static bool inner_check(struct ca_call *call, const struct ca_jws *inner, struct ca_key **ret_key)
{
    struct error error;
    if (inner->jwk.kind == CA_JSON_NONE || inner->kid.len > 0)
        return ca_refuse(call, 400, "malformed", "No JWK in inner JWS header");
    if (inner->has_nonce)
        return ca_refuse(call, 400, "malformed", "Inner JWS must not have a nonce");
    if (!ca_jws_is_for(inner, call))
        return ca_refuse(call, 400, "malformed",
                         "JWS header parameter \"url\" differs for inner and outer JWS");
    if (!ca_key_read(call->acme->crypto, inner->jwk, ret_key, &error))
        return ca_refuse(call, 400, "badPublicKey", "%s", error.text);
    if (ca_algorithm_find(inner->algorithm) == (*ret_key)->algorithm &&
        ca_key_verify(*ret_key, inner->input, inner->signature))
        return true;
    ca_key_release(*ret_key);
    *ret_key = NULL;
    return ca_refuse(call, 400, "malformed", "inner JWS error: JWS verification error");
}

static bool change_check(struct ca_call *call, struct span payload)
{
    struct ca_json change;
    struct span account;
    struct ca_key *old = NULL;
    char url[CA_BASE_MAX + 32];
    (void)snprintf(url, sizeof url, "%s/acct/%u", call->base, call->account);
    if (!ca_json_read(payload, &change) ||
        !ca_json_string(ca_json_get(change, "account"), &call->arena, &account))
        return ca_refuse(call, 400, "malformed", "Error unmarshaling key roll-over inner JWS body");
    if (!span_is(account, url))
        return ca_refuse(call, 400, "malformed",
                         "Key roll-over inner JWS body contains wrong account ID");
    if (!ca_key_read(call->acme->crypto, ca_json_get(change, "oldKey"), &old, NULL))
        return ca_refuse(call, 400, "malformed",
                         "Key roll-over inner JWS body contains a malformed old key");
    bool same = memcmp(old->spki_digest, call->key->spki_digest, CA_KEY_DIGEST) == 0;
    ca_key_release(old);
    return same || ca_refuse(call, 400, "malformed",
                             "Key roll-over inner JWS body JSON contains wrong old key");
}

/* With the lock. */
static void key_put(struct ca_call *call, struct ca_key *key)
{
    struct acme *acme = call->acme;
    struct ca_account *account = ca_table_at(&acme->accounts, call->account);
    const struct ca_account *other = ca_account_by_key(acme, key->spki_digest);
    if (account->key != call->key) {
        (void)ca_refuse(call, 403, "unauthorized", "The account has another key now");
    } else if (other == account) {
        (void)ca_refuse(call, 400, "malformed", "New and old key are identical");
    } else if (other != NULL) {
        ca_header_add(call->response, "location", "%s/acct/%u", call->base, other->id);
        (void)ca_refuse(call, 409, "malformed", "New key is already in use for another account");
    } else if (!ca_index_add(&acme->keys, ca_key_hash(key->spki_digest), account->id)) {
        (void)ca_refuse(call, 500, "serverInternal", "no memory");
    } else {
        /* The old key's entry stays in the index, where it is compared with the new key. */
        ca_key_release(account->key);
        account->key = key;
        ca_key_take(key);
        answer_account(call, 200, account, false);
    }
}

void ca_serve_key_change(struct ca_call *call)
{
    struct ca_jws inner;
    struct ca_key *key = NULL;
    struct error error;
    if (!ca_call_has_object(call))
        return;
    if (!ca_jws_read(call->body, &call->arena, &inner, &error)) {
        (void)ca_refuse(call, 400, "malformed", "inner JWS error: %s", error.text);
        return;
    }
    if (!inner_check(call, &inner, &key))
        return;
    if (change_check(call, inner.payload)) {
        pthread_mutex_lock(&call->acme->lock);
        key_put(call, key);
        pthread_mutex_unlock(&call->acme->lock);
    }
    ca_key_release(key);
}
