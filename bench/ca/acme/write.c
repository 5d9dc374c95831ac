/* The objects of RFC 8555 section 7.1 as JSON. */
#include "call.h"

#include <string.h>

static void write_url(struct ca_call *call, struct ca_out *out, const char *path, uint64_t id)
{
    ca_out_printf(out, "%s%s%llu", call->base, path, (unsigned long long)id);
}

static void write_failure(const struct ca_failure *failure, struct ca_out *out)
{
    ca_out_key(out, "error");
    ca_out_open(out, '{');
    ca_problem_members(out, failure->type, span_of(failure->detail), failure->status);
    ca_out_close(out, '}');
}

void ca_write_account(struct ca_call *call, const struct ca_account *account, struct ca_out *out)
{
    ca_out_pair(out, "status", ca_status_name(account->status));
    if (account->contacts != NULL) {
        ca_out_key(out, "contact");
        ca_out_raw(out, span_of(account->contacts));
    }
    if (call->acme->options.orders_list) {
        ca_out_key(out, "orders");
        write_url(call, out, "/orders/", account->id);
    }
    ca_out_key(out, "key");
    ca_out_raw(out, span_of(account->key->jwk));
    if (account->binding != NULL) {
        ca_out_key(out, "externalAccountBinding");
        ca_out_raw(out, span_of(account->binding));
    }
}

static void write_identifier(const struct ca_authorization *authorization, bool with_star,
                             struct ca_out *out)
{
    ca_out_open(out, '{');
    ca_out_pair(out, "type", authorization->is_address ? "ip" : "dns");
    ca_out_key(out, "value");
    if (with_star && authorization->wildcard)
        ca_out_printf(out, "*.%s", authorization->name);
    else
        ca_out_text(out, span_of(authorization->name));
    ca_out_close(out, '}');
}

static void write_wishes(struct ca_call *call, const struct ca_order *order, struct ca_out *out)
{
    if (order->profile > 0)
        ca_out_pair(out, "profile", call->acme->options.profiles[order->profile - 1].name);
    if (order->not_before != 0) {
        ca_out_key(out, "notBefore");
        ca_out_time(out, order->not_before);
    }
    if (order->not_after != 0) {
        ca_out_key(out, "notAfter");
        ca_out_time(out, order->not_after);
    }
    if (order->replaces != NULL)
        ca_out_pair(out, "replaces", order->replaces);
}

void ca_write_order(struct ca_call *call, uint32_t id, struct ca_out *out)
{
    const struct ca_order *order = ca_table_at(&call->acme->orders, id);
    ca_out_pair(out, "status", ca_status_name(order->status));
    ca_out_key(out, "expires");
    ca_out_time(out, order->expires);
    ca_out_key(out, "identifiers");
    ca_out_open(out, '[');
    for (uint32_t i = 0; i < order->authorization_count; i++)
        write_identifier(ca_authorization_of(call->acme, order, i), true, out);
    ca_out_close(out, ']');
    write_wishes(call, order, out);
    ca_out_key(out, "authorizations");
    ca_out_open(out, '[');
    for (uint32_t i = 0; i < order->authorization_count; i++)
        write_url(call, out, "/authz/", ca_order_authorization(order, i));
    ca_out_close(out, ']');
    ca_out_key(out, "finalize");
    write_url(call, out, "/finalize/", id);
    if (order->status == CA_VALID) {
        ca_out_key(out, "certificate");
        write_url(call, out, "/cert/", order->certificate);
    }
    if (order->failure != NULL)
        write_failure(order->failure, out);
}

void ca_write_challenge(struct ca_call *call, uint32_t id, enum validation_method method,
                        struct ca_out *out)
{
    const struct ca_authorization *authorization = ca_table_at(&call->acme->authorizations, id);
    enum ca_status status = authorization->challenges[method];
    char token[CA_TOKEN_TEXT];
    if (!ca_token(call->acme, id, method, token)) {
        out->failed = true;
        return;
    }
    ca_out_pair(out, "type", ca_method_name(method));
    ca_out_key(out, "url");
    ca_out_printf(out, "%s/chall/%u/%s", call->base, id, ca_method_name(method));
    ca_out_pair(out, "token", token);
    ca_out_pair(out, "status", ca_status_name(status));
    if (status == CA_VALID) {
        ca_out_key(out, "validated");
        ca_out_time(out, authorization->validated);
    }
    if (status == CA_INVALID && authorization->failure != NULL)
        write_failure(authorization->failure, out);
}

void ca_write_authorization(struct ca_call *call, uint32_t id, struct ca_out *out)
{
    const struct ca_authorization *authorization = ca_table_at(&call->acme->authorizations, id);
    ca_out_pair(out, "status", ca_status_name(authorization->status));
    ca_out_key(out, "expires");
    ca_out_time(out, authorization->expires);
    ca_out_key(out, "identifier");
    write_identifier(authorization, false, out);
    if (authorization->wildcard) {
        ca_out_key(out, "wildcard");
        ca_out_flag(out, true);
    }
    ca_out_key(out, "challenges");
    ca_out_open(out, '[');
    for (int i = 0; i < CA_METHODS; i++) {
        enum validation_method method = (enum validation_method)i;
        /* RFC 8555 section 7.1.4: an authorization that has ended shows what was tried. */
        if (authorization->status == CA_PENDING ? !ca_method_fits(authorization, method)
                                                : authorization->method != method)
            continue;
        ca_out_open(out, '{');
        ca_write_challenge(call, id, method, out);
        ca_out_close(out, '}');
    }
    ca_out_close(out, ']');
}
