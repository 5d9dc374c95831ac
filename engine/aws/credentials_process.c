#include "aws/credentials_fetch.h"
#include "aws/shell_words.h"
#include "base/clock.h"
#include "base/json.h"
#include "io/process.h"

#include <string.h>

#define OUTPUT_MAX ((size_t)64 * 1024)
#define TIMEOUT_MS 60000 /* it may ask a server, which asks another */
#define TEXT_MAX   ((size_t)32 * 1024)

static void text_wipe(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text != NULL)
        explicit_bzero((char *)(uintptr_t)text, json_string_length(json_object_get(object, key)));
}

static bool expiration_read(const json_t *reply, int64_t now, int64_t *ret_time,
                            struct error *error)
{
    const json_t *value = json_object_get(reply, "Expiration");
    *ret_time = 0;
    if (value == NULL || json_is_null(value))
        return true;
    if (!time_parse_rfc3339(span_of(json_string_value(value)), ret_time))
        return error_set(error, ERROR_CONFIG,
                         "its Expiration is no time of the form 2026-11-23T12:00:00Z");
    return *ret_time > now ||
           error_set(error, ERROR_CONFIG, "what it gave has expired: sign in anew with its tool");
}

static bool reply_take(const json_t *reply, int64_t now, struct aws_credentials *ret_credentials,
                       struct error *error)
{
    struct credentials_text text = {
        .key_id = span_of(json_text(reply, "AccessKeyId", TEXT_MAX)),
        .secret_key = span_of(json_text(reply, "SecretAccessKey", TEXT_MAX)),
        .session_token = span_of(json_text(reply, "SessionToken", TEXT_MAX)),
    };
    if (json_number(reply, "Version", 0) != 1)
        return error_set(error, ERROR_CONFIG, "its answer is not of \"Version\": 1");
    return expiration_read(reply, now, &text.expires_at, error) &&
           credentials_make(&text, "its answer", ret_credentials, error);
}

static bool reply_read(struct span output, int64_t now, struct aws_credentials *ret_credentials,
                       struct error *error)
{
    json_t *reply;
    struct error malformed; /* it quotes the text, which holds a secret */
    if (!json_parse(span_trim(output), OUTPUT_MAX, &reply, &malformed))
        return error_set(error, ERROR_CONFIG, "its answer is no JSON object");
    bool ok = reply_take(reply, now, ret_credentials, error);
    text_wipe(reply, "SecretAccessKey");
    text_wipe(reply, "SessionToken");
    json_decref(reply);
    return ok;
}

static bool command_run(const char *command_line, int64_t now,
                        struct aws_credentials *ret_credentials, struct error *error)
{
    struct shell_words words CLEANUP(shell_words_free) = {0};
    struct process_result result CLEANUP(process_result_free) = {0};
    TRY(shell_words_split(span_of(command_line), &words, error));
    if (words.count == 0)
        return error_set(error, ERROR_CONFIG, "it is empty");
    const struct process_request request = {.command = words.words,
                                            .timeout_ms = TIMEOUT_MS,
                                            .output_limit = OUTPUT_MAX,
                                            .secret_output = true};
    if (!process_run(&request, -1, &result, error) ||
        !process_check(&result, words.words[0], error)) {
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return false;
    }
    return reply_read(buf_span(&result.output), now, ret_credentials, error);
}

bool credentials_process(const struct profile *profile, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error)
{
    return command_run(profile->settings[SETTING_CREDENTIAL_PROCESS], now, ret_credentials,
                       error) ||
           error_prefix(error, "AWS profile %.100s: credential_process: ", profile->name);
}
