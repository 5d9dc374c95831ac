/* Orders: RFC 8555 section 7.4, profiles, and RFC 9773 section 5. */
#include "identifiers.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { ORDER_LIFE_S = 7 * SECONDS_PER_DAY };

/* What a new order asks for beside its names. */
struct wish {
    struct ca_names names;
    int64_t not_before, not_after;
    uint16_t profile;
    struct span replaces;
};

static bool time_read(struct ca_call *call, const char *name, int64_t *ret_time)
{
    struct ca_json value = ca_json_get(call->body, name);
    struct span text;
    *ret_time = 0;
    if (value.kind == CA_JSON_NONE)
        return true;
    return (ca_json_string(value, &call->arena, &text) && time_parse_rfc3339(text, ret_time) &&
            *ret_time > 0) ||
           ca_refuse(call, 400, "malformed", "\"%s\" is not a time as RFC 3339 has them", name);
}

static bool profile_read(struct ca_call *call, struct wish *wish)
{
    const struct acme_options *options = &call->acme->options;
    struct ca_json value = ca_json_get(call->body, "profile");
    struct span text;
    if (value.kind == CA_JSON_NONE)
        return true;
    if (!ca_json_string(value, &call->arena, &text))
        return ca_refuse(call, 400, "malformed", "\"profile\" is not a string");
    for (size_t i = 0; i < options->profile_count; i++) {
        if (span_is(text, options->profiles[i].name)) {
            wish->profile = (uint16_t)(i + 1);
            return true;
        }
    }
    return ca_refuse(call, 400, "invalidProfile", "Order includes unrecognized profile \"%.*s\"",
                     text.len < 100 ? (int)text.len : 100, text.data);
}

int64_t ca_profile_lifetime(const struct acme *acme, unsigned profile)
{
    return profile > 0 ? acme->options.profiles[profile - 1].lifetime_s : acme->options.lifetime_s;
}

static bool times_read(struct ca_call *call, struct wish *wish)
{
    TRY(time_read(call, "notBefore", &wish->not_before));
    TRY(time_read(call, "notAfter", &wish->not_after));
    int64_t lifetime = ca_profile_lifetime(call->acme, wish->profile);
    int64_t start = wish->not_before != 0 ? wish->not_before : call->now;
    int64_t end = wish->not_after != 0 ? wish->not_after : start + lifetime;
    if (end <= start || end - start > lifetime)
        return ca_refuse(call, 400, "malformed",
                         "\"notAfter\" is not after \"notBefore\", or too far from it");
    /* DER has no years beyond 9999 to write an end with that lies behind the last of them. */
    return (end > call->now && start <= call->now + lifetime) ||
           ca_refuse(call, 400, "malformed", "\"notBefore\" is too long ago, or too far ahead");
}

/* Does the new order have a name of the one that the certificate was issued for? */
static bool shares_name(struct acme *acme, const struct ca_order *order,
                        const struct ca_names *names)
{
    for (uint32_t i = 0; i < order->authorization_count; i++) {
        const struct ca_authorization *old = ca_authorization_of(acme, order, i);
        for (size_t j = 0; j < names->count; j++) {
            const struct ca_name *name = &names->list[j];
            if (old->is_address == name->is_address && old->wildcard == name->wildcard &&
                span_is(ca_name_base(name), old->name))
                return true;
        }
    }
    return false;
}

/* With the lock: RFC 9773 section 5, in boulder's words. */
static bool replaces_check(struct ca_call *call, const struct wish *wish)
{
    struct acme *acme = call->acme;
    uint32_t id = ca_certificate_by_ari(acme, wish->replaces);
    const struct ca_certificate *certificate = ca_table_at(&acme->certificates, id);
    if (certificate == NULL)
        return ca_refuse(call, 404, "malformed",
                         "could not find an order for the given certificate");
    if (certificate->account != call->account)
        return ca_refuse(call, 403, "unauthorized",
                         "requester account did not request the certificate being replaced by "
                         "this order");
    if (!shares_name(acme, ca_table_at(&acme->orders, certificate->order), &wish->names))
        return ca_refuse(call, 400, "malformed",
                         "identifiers in this order do not match any identifiers in the "
                         "certificate being replaced");
    struct ca_order *other = ca_table_at(&acme->orders, certificate->replaced_by);
    if (other == NULL)
        return true;
    ca_order_refresh(acme, other, call->request->now_us);
    return other->status == CA_INVALID ||
           ca_refuse(call, 409, "alreadyReplaced",
                     "cannot indicate an order replaces a certificate that already has a "
                     "replacement order");
}

static bool wish_read(struct ca_call *call, struct wish *wish)
{
    struct ca_json replaces;
    if (!ca_call_has_object(call))
        return false;
    TRY(ca_names_read(call, ca_json_get(call->body, "identifiers"), &wish->names));
    TRY(profile_read(call, wish) && times_read(call, wish));
    replaces = ca_json_get(call->body, "replaces");
    if (replaces.kind == CA_JSON_NONE)
        return true;
    if (!ca_json_string(replaces, &call->arena, &wish->replaces) || wish->replaces.len == 0)
        return ca_refuse(call, 400, "malformed", "\"replaces\" is not a certificate identifier");
    TRY(ca_ari_check(call, wish->replaces));
    pthread_mutex_lock(&call->acme->lock);
    bool good = replaces_check(call, wish);
    pthread_mutex_unlock(&call->acme->lock);
    return good;
}

/* Asks for rate limits. */
static bool may_order(struct ca_call *call, const struct wish *wish)
{
    const struct acme_options *options = &call->acme->options;
    struct acme_refusal refusal = {0};
    if (options->may_order == NULL)
        return true;
    const char **names = arena_alloc(&call->arena, wish->names.count * sizeof *names);
    if (names == NULL)
        return ca_refuse(call, 500, "serverInternal", "no memory");
    for (size_t i = 0; i < wish->names.count; i++)
        names[i] = wish->names.list[i].text;
    if (options->may_order(options->may_order_context,
                           &(struct acme_wish){.account = call->account,
                                               .names = names,
                                               .name_count = wish->names.count,
                                               .renewal = wish->replaces.len > 0,
                                               .now_us = call->request->now_us},
                           &refusal))
        return true;
    if (refusal.retry_after[0] != '\0')
        ca_header_add(call->response, "retry-after", "%s", refusal.retry_after);
    return ca_refuse(call, 429, "rateLimited", "%s", refusal.detail);
}

static uint32_t authorization_make(struct ca_call *call, const struct ca_name *name)
{
    struct acme *acme = call->acme;
    uint32_t id;
    if (acme->options.reuse_authorizations &&
        ca_authorization_find(acme, call->account, ca_name_base(name), name->wildcard, call->now,
                              &id) != NULL)
        return id;
    struct ca_authorization *authorization = ca_table_add(&acme->authorizations);
    if (authorization == NULL)
        return 0;
    id = acme->authorizations.count;
    authorization->account = call->account;
    authorization->is_address = name->is_address;
    authorization->wildcard = name->wildcard;
    authorization->method = CA_METHODS;
    authorization->expires = call->now + acme->options.authorization_life_s;
    authorization->name = arena_text(&acme->texts, ca_name_base(name));
    if (authorization->name == NULL)
        return 0;
    if (acme->options.prevalidated) {
        authorization->method = name->wildcard ? VALIDATE_DNS_01 : VALIDATE_HTTP_01;
        ca_challenge_end(acme, id, NULL, call->now);
    }
    return id;
}

static bool authorizations_make(struct ca_call *call, const struct ca_names *names,
                                struct ca_order *order)
{
    uint32_t *list = &order->authorizations.one;
    if (names->count > 1)
        list = order->authorizations.many =
            arena_alloc(&call->acme->texts, names->count * sizeof *list);
    if (list == NULL)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        list[i] = authorization_make(call, &names->list[i]);
        if (list[i] == 0)
            return false;
        order->authorization_count++;
    }
    return true;
}

static bool account_note(struct ca_account *account, uint32_t order)
{
    if (account->order_count == account->order_capacity) {
        uint32_t capacity = account->order_capacity > 0 ? 2 * account->order_capacity : 16;
        uint32_t *orders = realloc(account->orders, capacity * sizeof *orders);
        if (orders == NULL)
            return false;
        account->orders = orders;
        account->order_capacity = capacity;
    }
    account->orders[account->order_count++] = order;
    return true;
}

static bool is_validating(struct acme *acme, const struct ca_order *order)
{
    for (uint32_t i = 0; i < order->authorization_count; i++) {
        if (ca_authorization_is_tried(ca_authorization_of(acme, order, i)))
            return true;
    }
    return false;
}

/* Only while the CA is at work: an order that waits for its client is no reason to wait. */
static void retry_after(struct ca_call *call, const struct ca_order *order)
{
    if (call->mood->retry_after != NULL &&
        (order->status == CA_PROCESSING ||
         (order->status == CA_PENDING && is_validating(call->acme, order))))
        ca_header_add(call->response, "retry-after", "%s", call->mood->retry_after);
}

void ca_answer_order(struct ca_call *call, int status, uint32_t id)
{
    struct ca_order *order = ca_table_at(&call->acme->orders, id);
    struct ca_out out;
    ca_order_refresh(call->acme, order, call->request->now_us);
    retry_after(call, order);
    /* RFC 8555 section 7.4: of a new order, and after finalize. */
    if (call->endpoint != CA_ORDER)
        ca_header_add(call->response, "location", "%s/order/%u", call->base, id);
    ca_answer_begin(call, status, &out);
    ca_write_order(call, id, &out);
    ca_answer_end(call, &out);
}

/* With the lock. */
static bool order_make(struct ca_call *call, const struct wish *wish)
{
    struct acme *acme = call->acme;
    if (wish->replaces.len > 0)
        TRY(replaces_check(call, wish)); /* another thread may have been faster */
    struct ca_order *order = ca_table_add(&acme->orders);
    if (order == NULL)
        return ca_refuse(call, 500, "serverInternal", "no memory");
    uint32_t id = acme->orders.count;
    /* Nobody can ask for an order of account 0, which is what it is until it is whole. */
    order->expires = call->now + ORDER_LIFE_S;
    order->profile = wish->profile;
    order->not_before = wish->not_before;
    order->not_after = wish->not_after;
    if (wish->replaces.len > 0)
        order->replaces = arena_text(&acme->texts, wish->replaces);
    if (!authorizations_make(call, &wish->names, order) ||
        (acme->options.orders_list &&
         !account_note(ca_table_at(&acme->accounts, call->account), id)))
        return ca_refuse(call, 500, "serverInternal", "no memory");
    order->account = call->account;
    if (wish->replaces.len > 0) {
        struct ca_certificate *certificate =
            ca_table_at(&acme->certificates, ca_certificate_by_ari(acme, wish->replaces));
        certificate->replaced_by = id;
    }
    ca_answer_order(call, 201, id);
    return true;
}

void ca_serve_new_order(struct ca_call *call)
{
    struct wish wish = {0};
    if (!wish_read(call, &wish) || !may_order(call, &wish))
        return;
    pthread_mutex_lock(&call->acme->lock);
    (void)order_make(call, &wish);
    pthread_mutex_unlock(&call->acme->lock);
}

struct ca_order *ca_call_order(struct ca_call *call, const char *prefix, uint32_t *ret_id)
{
    struct span rest;
    uint64_t id = ca_path_number(call, prefix, &rest);
    struct ca_order *order = ca_table_at(&call->acme->orders, id);
    if (order == NULL || order->account == 0 || rest.len > 0) {
        (void)ca_refuse(call, 404, "malformed", "No order found for account ID %u", call->account);
        return NULL;
    }
    if (order->account != call->account) {
        (void)ca_refuse(call, 403, "unauthorized",
                        "Account that authenticated the request does not own the specified order");
        return NULL;
    }
    ca_order_refresh(call->acme, order, call->request->now_us);
    *ret_id = (uint32_t)id;
    return order;
}

void ca_serve_order(struct ca_call *call)
{
    uint32_t id;
    if (!ca_call_is_get(call))
        return;
    pthread_mutex_lock(&call->acme->lock);
    if (ca_call_order(call, "/order/", &id) != NULL)
        ca_answer_order(call, 200, id);
    pthread_mutex_unlock(&call->acme->lock);
}
