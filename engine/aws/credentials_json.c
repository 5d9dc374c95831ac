#include "aws/credentials_json.h"

#include "aws/credentials_fetch.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/printable.h"

#include <string.h>

#define TEXT_MAX ((size_t)32 * 1024)

/* jansson's memory is not wiped when it is freed. */
static void text_wipe(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        explicit_bzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
}

static bool expiration_read(const json_t *reply, bool must_expire, int64_t *ret_time,
                            struct error *error)
{
    const json_t *value = json_object_get(reply, "Expiration");
    *ret_time = 0;
    if (!must_expire && (value == NULL || json_is_null(value)))
        return true;
    return time_parse_rfc3339(span_of(json_string_value(value)), ret_time) ||
           error_set(error, ERROR_CONFIG,
                     "its Expiration is no time of the form 2026-11-23T12:00:00Z");
}

static bool refused(const json_t *reply, const char *message, struct error *error)
{
    char words[256];
    const char *code = json_text(reply, "Code", 256);
    (void)printable_copy(span_of(message), words, sizeof words);
    error_set(error, ERROR_CONFIG, "it says %s%s%s", code != NULL ? code : "",
              code != NULL ? ": " : "", words);
    return printable_error(error);
}

static bool reply_take(const json_t *reply, const struct credentials_json *form,
                       struct aws_credentials *ret_credentials, struct error *error)
{
    struct credentials_text text = {
        .key_id = span_of(json_text(reply, "AccessKeyId", TEXT_MAX)),
        .secret_key = span_of(json_text(reply, "SecretAccessKey", TEXT_MAX)),
        .session_token = span_of(json_text(reply, form->token_key, TEXT_MAX)),
    };
    const char *message = json_text(reply, "Message", TEXT_MAX);
    if (form->versioned && json_number(reply, "Version", 0) != 1)
        return error_set(error, ERROR_CONFIG, "its answer is not of \"Version\": 1");
    if (text.key_id.len == 0 && message != NULL)
        return refused(reply, message, error);
    return expiration_read(reply, form->must_expire, &text.expires_at, error) &&
           credentials_make(&text, "its answer", ret_credentials, error);
}

bool credentials_json_read(struct span text, const struct credentials_json *form,
                           struct aws_credentials *ret_credentials, struct error *error)
{
    json_t *reply;
    struct error malformed; /* it may quote the text, which holds a secret */
    if (!json_parse(span_trim(text), CREDENTIALS_JSON_MAX, &reply, &malformed))
        return error_set(error, ERROR_CONFIG, "its answer is no JSON object");
    bool ok = reply_take(reply, form, ret_credentials, error);
    text_wipe(reply, "SecretAccessKey");
    text_wipe(reply, form->token_key);
    json_decref(reply);
    return ok;
}
