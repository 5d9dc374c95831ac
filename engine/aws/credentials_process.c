#include "aws/credentials_fetch.h"
#include "aws/credentials_json.h"
#include "aws/shell_words.h"
#include "io/process.h"

#define TIMEOUT_MS 60000 /* it may ask a server, which asks another */

static bool command_run(const char *command_line, int64_t now,
                        struct aws_credentials *ret_credentials, struct error *error)
{
    static const struct credentials_json form = {.token_key = "SessionToken", .versioned = true};
    struct shell_words words CLEANUP(shell_words_free) = {0};
    struct process_result result CLEANUP(process_result_free) = {0};
    struct aws_credentials credentials = {0};
    TRY(shell_words_split(span_of(command_line), &words, error));
    if (words.count == 0)
        return error_set(error, ERROR_CONFIG, "it is empty");
    const struct process_request request = {.command = words.words,
                                            .timeout_ms = TIMEOUT_MS,
                                            .output_limit = CREDENTIALS_JSON_MAX,
                                            .secret_output = true};
    if (!process_run(&request, -1, &result, error) ||
        !process_check(&result, words.words[0], error)) {
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return false;
    }
    TRY(credentials_json_read(buf_span(&result.output), &form, &credentials, error));
    if (credentials.expires_at != 0 && credentials.expires_at <= now) {
        aws_credentials_free(&credentials);
        return error_set(error, ERROR_CONFIG,
                         "what it gave has expired: sign in anew with its tool");
    }
    *ret_credentials = credentials;
    return true;
}

bool credentials_process(const struct profile *profile, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error)
{
    return command_run(profile->settings[SETTING_CREDENTIAL_PROCESS], now, ret_credentials,
                       error) ||
           error_prefix(error, "AWS profile %.100s: credential_process: ", profile->name);
}
