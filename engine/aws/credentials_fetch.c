#include "aws/credentials_fetch.h"

#include "base/clock.h"
#include "io/ini.h"

#include <string.h>

#define SECRET_MAX 256
#define TOKEN_MAX  ((size_t)16 * 1024)

/* Letters that can stand in a header, without blanks. */
static bool is_graphic(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return true;
}

static bool text_check(struct span text, size_t max, const char *what, const char *where,
                       struct error *error)
{
    if (text.len == 0)
        return error_set(error, ERROR_CONFIG, "%s: there is no %s", where, what);
    if (text.len > max)
        return error_set(error, ERROR_CONFIG, "%s: the %s is longer than %zu bytes", where, what,
                         max);
    return is_graphic(text) ||
           error_set(error, ERROR_CONFIG,
                     "%s: the %s holds a blank, a line end or another character that AWS's never "
                     "have",
                     where, what);
}

bool credentials_make(const struct credentials_text *text, const char *where,
                      struct aws_credentials *ret_credentials, struct error *error)
{
    struct aws_credentials made = {.expires_at = text->expires_at};
    TRY(text_check(text->key_id, sizeof made.key_id - 1, "access key id", where, error));
    TRY(text_check(text->secret_key, SECRET_MAX, "secret access key", where, error));
    if (text->session_token.len > 0)
        TRY(text_check(text->session_token, TOKEN_MAX, "session token", where, error));
    memcpy(made.key_id, text->key_id.data, text->key_id.len);
    if (!secret_copy(text->secret_key, &made.secret_key) ||
        (text->session_token.len > 0 && !secret_copy(text->session_token, &made.session_token))) {
        aws_credentials_free(&made);
        return error_set(error, ERROR_MEMORY, "no secure memory for AWS credentials");
    }
    *ret_credentials = made;
    return true;
}

static bool environment_fetch(struct aws_profiles *profiles, int64_t now,
                              struct aws_credentials *ret_credentials, struct error *error)
{
    const char *token = environment_get(profiles, "AWS_SECURITY_TOKEN"); /* its old name first */
    const char *ends = environment_get(profiles, "AWS_CREDENTIAL_EXPIRATION");
    if (token == NULL)
        token = environment_get(profiles, "AWS_SESSION_TOKEN");
    struct credentials_text text = {
        .key_id = span_of(environment_get(profiles, "AWS_ACCESS_KEY_ID")),
        .secret_key = span_of(environment_get(profiles, "AWS_SECRET_ACCESS_KEY")),
        .session_token = span_of(token),
    };
    if (ends != NULL && !time_parse_rfc3339(span_of(ends), &text.expires_at))
        return error_set(error, ERROR_CONFIG,
                         "AWS_CREDENTIAL_EXPIRATION is no time of the form 2026-11-23T12:00:00Z");
    if (text.expires_at != 0 && text.expires_at <= now)
        return error_set(error, ERROR_CONFIG,
                         "the AWS credentials of the environment have expired "
                         "(AWS_CREDENTIAL_EXPIRATION): sign in anew");
    return credentials_make(&text, "the environment", ret_credentials, error);
}

static bool file_fetch(const struct profile_keys *keys, const char *file, const char *profile,
                       struct aws_credentials *ret_credentials, struct error *error)
{
    const struct credentials_text text = {
        .key_id = span_of(keys->key_id),
        .secret_key = secret_span(&keys->secret_key),
        .session_token = secret_span(&keys->session_token),
    };
    return credentials_make(&text, file, ret_credentials, error) ||
           error_prefix(error, "AWS profile %.100s: ", profile);
}

static void ini_release(struct ini **ini)
{
    ini_free(*ini);
}

/* Tools that sign in for a few hours write the keys of the next hours there while a run goes on. */
static bool file_fetch_again(const char *file, const char *profile,
                             struct aws_credentials *ret_credentials, struct error *error)
{
    struct ini *ini CLEANUP(ini_release) = NULL;
    TRY(ini_read_file(file, &ini, error));
    for (size_t i = 0; i < ini_section_count(ini); i++) {
        if (strcmp(ini_section_name(ini, i), profile) != 0)
            continue;
        const char *token = ini_value(ini, i, "aws_security_token");
        if (token == NULL || token[0] == '\0')
            token = ini_value(ini, i, "aws_session_token");
        const struct credentials_text text = {
            .key_id = span_of(ini_value(ini, i, "aws_access_key_id")),
            .secret_key = span_of(ini_value(ini, i, "aws_secret_access_key")),
            .session_token = span_of(token),
        };
        return credentials_make(&text, file, ret_credentials, error);
    }
    return error_set(error, ERROR_CONFIG, "%s: the profile is gone", file);
}

bool credentials_fetch(struct aws_profiles *profiles, const struct source *source, int64_t now,
                       struct aws_credentials *ret_credentials, struct error *error)
{
    const struct profile *profile = source->profile;
    switch (source->kind) {
    case SOURCE_ENVIRONMENT:
        return environment_fetch(profiles, now, ret_credentials, error);
    case SOURCE_CREDENTIALS_FILE:
        if (source->again)
            return file_fetch_again(profiles->credentials_file, profile->name, ret_credentials,
                                    error) ||
                   error_prefix(error, "AWS profile %.100s: ", profile->name);
        return file_fetch(&profile->credentials, profiles->credentials_file, profile->name,
                          ret_credentials, error);
    case SOURCE_CONFIG_FILE:
        return file_fetch(&profile->config, profiles->config_file, profile->name, ret_credentials,
                          error);
    case SOURCE_PROCESS:
        return credentials_process(profile, now, ret_credentials, error);
    case SOURCE_ROLE:
    case SOURCE_WEB_IDENTITY:
        return credentials_sts(profiles, source, now, ret_credentials, error);
    case SOURCE_CONTAINER:
        return credentials_container(profiles, ret_credentials, error);
    case SOURCE_INSTANCE:
        break;
    }
    if (credentials_instance(profiles, profile, now, ret_credentials, error))
        return true;
    /* Most machines that are silent here are no instances. */
    if (source->is_last && !source->again && error != NULL)
        error->kind = ERROR_CONFIG;
    return source->is_last &&
           error_prefix(error,
                        "AWS profile %.100s has no credentials: run \"aws configure\", or set "
                        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; what was tried last is ",
                        profile != NULL ? profile->name : "default");
}
