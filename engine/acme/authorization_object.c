/* The authorization and its challenges (RFC 8555 sections 7.1.4 and 8). */
#include "acme/fields.h"
#include "acme/objects.h"
#include "base/printable.h"

#include <stdlib.h>
#include <string.h>

#define CHALLENGES_MAX 100

static const char *const authorization_statuses[] = {
    [AUTHORIZATION_PENDING] = "pending", [AUTHORIZATION_VALID] = "valid",
    [AUTHORIZATION_INVALID] = "invalid", [AUTHORIZATION_DEACTIVATED] = "deactivated",
    [AUTHORIZATION_EXPIRED] = "expired", [AUTHORIZATION_REVOKED] = "revoked",
};

static const char *const challenge_statuses[] = {
    [CHALLENGE_PENDING] = "pending",
    [CHALLENGE_PROCESSING] = "processing",
    [CHALLENGE_VALID] = "valid",
    [CHALLENGE_INVALID] = "invalid",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *authorization_status_name(enum authorization_status status)
{
    return (size_t)status < COUNT(authorization_statuses) ? authorization_statuses[status]
                                                          : "unknown";
}

/* The token becomes part of a path and of a URL: nothing but base64url's alphabet (RFC 8555 section
 * 8.3). */
bool acme_token_check(struct span token, struct error *error)
{
    if (token.len == 0 || token.len > ACME_TOKEN_MAX)
        return error_set(error, ERROR_PROTOCOL, "a token of %zu bytes", token.len);
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return error_set(error, ERROR_PROTOCOL, "a token that is not base64url");
    }
    return true;
}

static bool wanted_challenge_read(const json_t *challenge,
                                  struct authorization_object *authorization, struct error *error)
{
    unsigned status = CHALLENGE_PENDING;
    TRY(field_status(challenge, "challenge", challenge_statuses, COUNT(challenge_statuses),
                     FIELD_REQUIRED, &status, error));
    const json_t *token = json_object_get(challenge, "token");
    if (!json_is_string(token))
        return error_set(error, ERROR_PROTOCOL, "challenge: token is missing");
    struct span text = span_make(json_string_value(token), json_string_length(token));
    if (!acme_token_check(text, error))
        return error_prefix(error, "challenge: ");
    TRY(field_url(challenge, "challenge", "url", FIELD_REQUIRED, &authorization->challenge_url,
                  error));
    memcpy(authorization->token, text.data, text.len);
    authorization->token[text.len] = '\0';
    authorization->challenge_status = status;
    authorization->has_challenge = true;
    return true;
}

static void offered_append(const char *type, struct authorization_object *authorization)
{
    char clean[32];
    size_t len = printable_copy(span_of(type), clean, sizeof clean);
    size_t used = strlen(authorization->offered);
    size_t gap = used > 0 ? 2 : 0;
    if (used + gap + len >= sizeof authorization->offered)
        return;
    memcpy(authorization->offered + used, ", ", gap);
    memcpy(authorization->offered + used + gap, clean, len + 1);
}

/* Keeps the error of a failed challenge rather than one of a challenge that is tried again. */
static void challenge_error_read(const json_t *challenge,
                                 struct authorization_object *authorization)
{
    const json_t *fault = json_object_get(challenge, "error");
    const char *status = json_text(challenge, "status", ACME_TOKEN_MAX);
    bool failed = status != NULL && strcmp(status, "invalid") == 0;
    if (!json_is_object(fault) || (authorization->has_error && !failed))
        return;
    authorization->has_error = true;
    problem_from_json(fault, &authorization->error);
}

static bool challenges_read(const json_t *object, enum challenge_type wanted,
                            struct authorization_object *authorization, struct error *error)
{
    bool pending = authorization->status == AUTHORIZATION_PENDING;
    const json_t *list = json_object_get(object, "challenges");
    /* A name that the CA validated by other means has no challenges. */
    if (!json_is_array(list) && pending)
        return error_set(error, ERROR_PROTOCOL, "authorization: challenges is not a list");
    size_t count = json_array_size(list);
    if (count > CHALLENGES_MAX)
        return error_set(error, ERROR_LIMIT, "authorization: %zu challenges, the limit is %d",
                         count, CHALLENGES_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *challenge = json_array_get(list, i);
        const char *type = json_text(challenge, "type", ACME_TOKEN_MAX);
        if (type == NULL)
            continue; /* nothing that could be answered */
        offered_append(type, authorization);
        challenge_error_read(challenge, authorization);
        bool is_wanted = wanted != CHALLENGE_NONE && strcmp(type, challenge_type_name(wanted)) == 0;
        if (pending && is_wanted && !authorization->has_challenge)
            TRY(wanted_challenge_read(challenge, authorization, error));
    }
    return true;
}

static bool authorization_read(const json_t *object, enum challenge_type wanted,
                               struct authorization_object *authorization, struct error *error)
{
    unsigned status;
    TRY(field_status(object, "authorization", authorization_statuses, COUNT(authorization_statuses),
                     FIELD_REQUIRED, &status, error));
    authorization->status = status;
    char *identifier = NULL;
    TRY(identifier_read(json_object_get(object, "identifier"), "authorization", &identifier,
                        error));
    authorization->identifier = identifier;
    authorization->wildcard = json_flag(object, "wildcard", false);
    /* Section 7.1.4 wants the name without it; some CAs leave it there. */
    if (strncmp(identifier, "*.", 2) == 0) {
        memmove(identifier, identifier + 2, strlen(identifier + 2) + 1);
        authorization->wildcard = true;
    }
    return challenges_read(object, wanted, authorization, error);
}

bool authorization_object_parse(struct span body, enum challenge_type wanted,
                                struct authorization_object *ret_authorization, struct error *error)
{
    CLEANUP(json_release) json_t *object = NULL;
    TRY(fields_parse(body, "authorization", &object, error));
    struct authorization_object authorization = {0};
    if (!authorization_read(object, wanted, &authorization, error)) {
        authorization_object_free(&authorization);
        return false;
    }
    *ret_authorization = authorization;
    return true;
}

void authorization_object_free(struct authorization_object *authorization)
{
    free(authorization->identifier);
    free(authorization->challenge_url);
    *authorization = (struct authorization_object){0};
}
