/* Authorizations and challenges: RFC 8555 section 7.5. */
#include "call.h"

#include <stdio.h>
#include <string.h>

/* The authorization by the number in the path, if it is the account's; with the lock. */
static struct ca_authorization *own_authorization(struct ca_call *call, const char *prefix,
                                                  uint32_t *ret_id, struct span *ret_rest)
{
    struct acme *acme = call->acme;
    uint64_t id = ca_path_number(call, prefix, ret_rest);
    struct ca_authorization *authorization = ca_table_at(&acme->authorizations, id);
    if (authorization == NULL || authorization->name == NULL) {
        (void)ca_refuse(call, 404, "malformed", "There is no such authorization");
        return NULL;
    }
    if (authorization->account != call->account) {
        (void)ca_refuse(call, 403, "unauthorized",
                        "Account authorizing the request is not the owner of the authorization");
        return NULL;
    }
    ca_authorization_refresh(acme, (uint32_t)id, call->request->now_us);
    *ret_id = (uint32_t)id;
    return authorization;
}

static void retry_after(struct ca_call *call, const struct ca_authorization *authorization)
{
    if (call->mood->retry_after != NULL && ca_authorization_is_tried(authorization))
        ca_header_add(call->response, "retry-after", "%s", call->mood->retry_after);
}

/* The payload of an update can only be {"status": "deactivated"} (section 7.5.2). */
static bool update_check(struct ca_call *call)
{
    if (call->body.kind == CA_JSON_NONE)
        return true;
    struct ca_json status = ca_json_get(call->body, "status");
    return span_is(status.text, "deactivated") ||
           ca_refuse(call, 400, "malformed",
                     "Malformed authorization update, status must be \"deactivated\"");
}

void ca_serve_authorization(struct ca_call *call)
{
    uint32_t id;
    struct span rest = {0};
    struct ca_out out;
    if (!update_check(call))
        return;
    pthread_mutex_lock(&call->acme->lock);
    struct ca_authorization *authorization = own_authorization(call, "/authz/", &id, &rest);
    if (authorization != NULL && rest.len > 0) {
        (void)ca_refuse(call, 404, "malformed", "There is no such authorization");
    } else if (authorization != NULL) {
        if (call->body.kind != CA_JSON_NONE &&
            (authorization->status == CA_PENDING || authorization->status == CA_VALID))
            authorization->status = CA_DEACTIVATED;
        retry_after(call, authorization);
        ca_answer_begin(call, 200, &out);
        ca_write_authorization(call, id, &out);
        ca_answer_end(call, &out);
    }
    pthread_mutex_unlock(&call->acme->lock);
}

static bool method_read(struct span rest, const struct ca_authorization *authorization,
                        enum validation_method *ret_method)
{
    if (rest.len == 0)
        return false;
    for (int i = 0; i < CA_METHODS; i++) {
        enum validation_method method = (enum validation_method)i;
        if (span_is(span_from(rest, 1), ca_method_name(method)) &&
            ca_method_fits(authorization, method)) {
            *ret_method = method;
            return true;
        }
    }
    return false;
}

static bool validation_submit(struct ca_call *call, uint32_t id,
                              const struct ca_authorization *authorization)
{
    struct acme *acme = call->acme;
    const struct ca_account *account = ca_table_at(&acme->accounts, authorization->account);
    enum validation_method method = (enum validation_method)authorization->method;
    char token[CA_TOKEN_TEXT];
    char key_authorization[CA_TOKEN_TEXT + sizeof account->key->thumbprint];
    if (!ca_token(acme, id, method, token))
        return false;
    (void)snprintf(key_authorization, sizeof key_authorization, "%s.%s", token,
                   account->key->thumbprint);
    return validator_submit(acme->validator,
                            &(struct validation){.id = id,
                                                 .method = method,
                                                 .is_address = authorization->is_address,
                                                 .identifier = authorization->name,
                                                 .token = token,
                                                 .key_authorization = key_authorization,
                                                 .wait_us = call->mood->validation_us});
}

/* Starts the validation (section 7.5.1); with the lock. */
static bool challenge_start(struct ca_call *call, uint32_t id,
                            struct ca_authorization *authorization, enum validation_method method)
{
    enum ca_status status = authorization->challenges[method];
    if (status != CA_PENDING)
        return ca_refuse(call, 400, "malformed",
                         "Cannot update challenge with status %s, only status pending",
                         ca_status_name(status));
    if (authorization->status != CA_PENDING)
        return ca_refuse(call, 400, "malformed",
                         "Cannot update challenge of an authorization "
                         "with status %s, only status pending",
                         ca_status_name((enum ca_status)authorization->status));
    /* One at a time: the authorization has one failure to show. */
    if (authorization->method < CA_METHODS)
        return ca_refuse(call, 400, "malformed",
                         "Another challenge of the authorization is being "
                         "tried");
    authorization->method = (uint8_t)method;
    authorization->challenges[method] = CA_PROCESSING;
    if (call->acme->options.always_valid) {
        authorization->valid_at_us = call->request->now_us + call->mood->validation_us;
        return true;
    }
    if (call->acme->validator != NULL && validation_submit(call, id, authorization))
        return true;
    authorization->method = CA_METHODS;
    authorization->challenges[method] = CA_PENDING;
    return ca_refuse(call, 500, "serverInternal", "the validation could not be started");
}

static bool start_payload_check(struct ca_call *call)
{
    if (call->body.kind == CA_JSON_NONE)
        return true;
    TRY(ca_call_has_object(call));
    return ca_json_get(call->body, "keyAuthorization").kind == CA_JSON_NONE ||
           ca_refuse(call, 400, "malformed",
                     "Challenge response body contained legacy KeyAuthorization field, POST body "
                     "should be `{}`");
}

void ca_serve_challenge(struct ca_call *call)
{
    uint32_t id;
    struct span rest = {0};
    struct ca_out out;
    enum validation_method method;
    if (!start_payload_check(call))
        return;
    pthread_mutex_lock(&call->acme->lock);
    struct ca_authorization *authorization = own_authorization(call, "/chall/", &id, &rest);
    if (authorization != NULL && !method_read(rest, authorization, &method)) {
        (void)ca_refuse(call, 404, "malformed", "There is no such challenge");
    } else if (authorization != NULL && (call->body.kind == CA_JSON_NONE ||
                                         challenge_start(call, id, authorization, method))) {
        ca_link(call, "up", "/authz/%u", id);
        if (authorization->challenges[method] == CA_PROCESSING)
            retry_after(call, authorization);
        ca_answer_begin(call, 200, &out);
        ca_write_challenge(call, id, method, &out);
        ca_answer_end(call, &out);
    }
    pthread_mutex_unlock(&call->acme->lock);
}
