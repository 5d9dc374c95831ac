#include "aws/profile_set.h"
#include "aws/shell_words.h"
#include "io/ini.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the order of enum setting. */
static const char *const setting_keys[SETTINGS] = {
    "region",
    "role_arn",
    "source_profile",
    "credential_source",
    "external_id",
    "role_session_name",
    "duration_seconds",
    "mfa_serial",
    "web_identity_token_file",
    "credential_process",
    "sso_account_id",
    "sso_role_name",
    "login_session",
    "services",
    "endpoint_url",
    "ignore_configured_endpoint_urls",
    "use_fips_endpoint",
    "use_dualstack_endpoint",
    "ca_bundle",
    "ec2_metadata_service_endpoint",
    "ec2_metadata_service_endpoint_mode",
};

/* The names of a [services] section, in the order of enum aws_service. */
static const char *const service_keys[AWS_SERVICES] = {"acm", "route_53", "s3", "sts"};

static bool memory_error(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory for the AWS profiles");
}

static bool text_keep(struct aws_profiles *profiles, struct span text, const char **ret_text,
                      struct error *error)
{
    const char *kept = arena_text(&profiles->arena, text);
    if (kept == NULL)
        return memory_error(error);
    *ret_text = kept;
    return true;
}

static bool secret_keep(const char *value, const char *file, struct secret *secret,
                        struct error *error)
{
    if (value == NULL || value[0] == '\0')
        return true;
    secret_free(secret);
    return secret_copy(span_of(value), secret) ||
           error_set(error, ERROR_MEMORY, "no secure memory for the secrets of %s", file);
}

/* Paths. */

static bool home_append(const struct aws_profiles *profiles, struct buf *out)
{
    const char *home = environment_get(profiles, "HOME");
    struct passwd entry, *found = NULL;
    char text[4096];
    if (home == NULL && getpwuid_r(getuid(), &entry, text, sizeof text, &found) == 0 &&
        found != NULL)
        home = found->pw_dir;
    return buf_append_text(out, home != NULL ? home : "~");
}

static bool is_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* A variable that is not set stays as it is written. */
static bool variable_append(const struct aws_profiles *profiles, struct span *rest, struct buf *out)
{
    char name[128];
    bool braces = rest->len > 1 && rest->data[1] == '{';
    size_t start = braces ? 2 : 1, end = start;
    while (end < rest->len && (braces ? rest->data[end] != '}' : is_name(rest->data[end])))
        end++;
    size_t whole = end + (braces && end < rest->len ? 1 : 0);
    const char *value = NULL;
    if (end > start && end - start < sizeof name && (!braces || whole > end)) {
        snprintf(name, sizeof name, "%.*s", (int)(end - start), rest->data + start);
        value = environment_get(profiles, name);
    }
    struct span text = value != NULL ? span_of(value) : span_make(rest->data, whole);
    *rest = span_from(*rest, whole);
    return buf_append_span(out, text);
}

bool profile_path_expand(struct aws_profiles *profiles, const char *path, const char **ret_path,
                         struct error *error)
{
    struct buf out CLEANUP(buf_free);
    struct span rest = span_of(path);
    buf_init(&out, PATH_MAX);
    bool ok = true;
    if (rest.len > 0 && rest.data[0] == '~' && (rest.len == 1 || rest.data[1] == '/')) {
        ok = home_append(profiles, &out);
        rest = span_from(rest, 1);
    }
    while (ok && rest.len > 0) {
        if (rest.data[0] == '$') {
            ok = variable_append(profiles, &rest, &out);
        } else {
            ok = buf_append_char(&out, rest.data[0]);
            rest = span_from(rest, 1);
        }
    }
    if (!ok)
        return error_set(error, ERROR_CONFIG, "a path of AWS's files is too long");
    return text_keep(profiles, buf_span(&out), ret_path, error);
}

/* Profiles. */

/* The profile of this name, added when it is new; NULL without memory. */
static struct profile *profile_take(struct aws_profiles *profiles, const char *name)
{
    const struct profile *known = profile_find(profiles, name);
    if (known != NULL)
        return &profiles->list[known - profiles->list];
    if (profiles->count == profiles->capacity) {
        size_t more = profiles->capacity == 0 ? 16 : profiles->capacity * 2;
        struct profile *larger = reallocarray(profiles->list, more, sizeof *larger);
        if (larger == NULL)
            return NULL;
        profiles->list = larger;
        profiles->capacity = more;
    }
    const char *kept = arena_text(&profiles->arena, span_of(name));
    if (kept == NULL)
        return NULL;
    struct profile *added = &profiles->list[profiles->count++];
    *added = (struct profile){.name = kept};
    return added;
}

static void keys_free(struct profile_keys *keys)
{
    secret_free(&keys->secret_key);
    secret_free(&keys->session_token);
    *keys = (struct profile_keys){0};
}

static bool keys_take(struct aws_profiles *profiles, const struct ini *ini, size_t section,
                      const char *file, struct profile_keys *keys, struct error *error)
{
    const char *key_id = ini_value(ini, section, "aws_access_key_id");
    const char *token = ini_value(ini, section, "aws_security_token"); /* its old name goes first */
    if (token == NULL || token[0] == '\0')
        token = ini_value(ini, section, "aws_session_token");
    if (key_id != NULL && key_id[0] != '\0')
        TRY(text_keep(profiles, span_of(key_id), &keys->key_id, error));
    return secret_keep(ini_value(ini, section, "aws_secret_access_key"), file, &keys->secret_key,
                       error) &&
           secret_keep(token, file, &keys->session_token, error);
}

static bool settings_take(struct aws_profiles *profiles, const struct ini *ini, size_t section,
                          struct profile *profile, struct error *error)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *value = ini_value(ini, section, setting_keys[i]);
        if (value != NULL && value[0] != '\0')
            TRY(text_keep(profiles, span_of(value), &profile->settings[i], error));
    }
    return true;
}

/* The file's section of a profile; of [default] and [profile default] the later one counts alone,
 * as two names of the same profile are not two parts of it. */
static bool config_profile(struct aws_profiles *profiles, const struct ini *ini, size_t section,
                           const char *name, struct error *error)
{
    struct profile *profile = profile_take(profiles, name);
    if (profile == NULL)
        return memory_error(error);
    memset(profile->settings, 0, sizeof profile->settings);
    keys_free(&profile->config);
    return settings_take(profiles, ini, section, profile, error) &&
           keys_take(profiles, ini, section, profiles->config_file, &profile->config, error);
}

static bool config_services(struct aws_profiles *profiles, const struct ini *ini, size_t section,
                            const char *name, struct error *error)
{
    if (profiles->services_count == profiles->services_capacity) {
        size_t more = profiles->services_capacity == 0 ? 4 : profiles->services_capacity * 2;
        struct profile_services *larger = reallocarray(profiles->services, more, sizeof *larger);
        if (larger == NULL)
            return memory_error(error);
        profiles->services = larger;
        profiles->services_capacity = more;
    }
    struct profile_services added = {0};
    TRY(text_keep(profiles, span_of(name), &added.name, error));
    for (size_t i = 0; i < AWS_SERVICES; i++) {
        struct span url = ini_nested(ini_value(ini, section, service_keys[i]), "endpoint_url");
        if (url.len > 0)
            TRY(text_keep(profiles, url, &added.endpoints[i], error));
    }
    profiles->services[profiles->services_count++] = added;
    return true;
}

/* [default], [profile NAME], [profile "NAME"], [services NAME]; others, such as [sso-session NAME]
 * and [plugins], are not certmill's. */
static bool config_section(struct aws_profiles *profiles, const struct ini *ini, size_t section,
                           struct error *error)
{
    const char *header = ini_section_name(ini, section);
    if (strcmp(header, "default") == 0)
        return config_profile(profiles, ini, section, header, error);
    bool is_profile = strncmp(header, "profile", 7) == 0;
    bool is_services = strncmp(header, "services", 8) == 0;
    struct shell_words words CLEANUP(shell_words_free) = {0};
    struct error ignored;
    if ((!is_profile && !is_services) || !shell_words_split(span_of(header), &words, &ignored) ||
        words.count != 2)
        return true;
    return is_profile ? config_profile(profiles, ini, section, words.words[1], error)
                      : config_services(profiles, ini, section, words.words[1], error);
}

/* The section's name is the profile's, as it stands there. */
static bool credentials_section(struct aws_profiles *profiles, const struct ini *ini,
                                size_t section, struct error *error)
{
    struct profile *profile = profile_take(profiles, ini_section_name(ini, section));
    if (profile == NULL)
        return memory_error(error);
    return settings_take(profiles, ini, section, profile, error) &&
           keys_take(profiles, ini, section, profiles->credentials_file, &profile->credentials,
                     error);
}

static void ini_release(struct ini **ini)
{
    ini_free(*ini);
}

static bool file_take(struct aws_profiles *profiles, const char *path,
                      bool (*take)(struct aws_profiles *, const struct ini *, size_t,
                                   struct error *),
                      struct error *error)
{
    struct ini *ini CLEANUP(ini_release) = NULL;
    struct error failed;
    struct stat status;
    /* As the AWS CLI: AWS_CONFIG_FILE=/dev/null is none. */
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return true;
    if (!ini_read_file(path, &ini, &failed)) {
        if (failed.kind == ERROR_NOT_FOUND)
            return true;
        if (error != NULL)
            *error = failed;
        return false;
    }
    for (size_t i = 0; i < ini_section_count(ini); i++)
        TRY(take(profiles, ini, i, error));
    return true;
}

static bool path_find(struct aws_profiles *profiles, const char *variable, const char *usual,
                      const char **ret_path, struct error *error)
{
    const char *path = environment_get(profiles, variable);
    return profile_path_expand(profiles, path != NULL ? path : usual, ret_path, error);
}

bool profile_files_read(struct aws_profiles *profiles, struct error *error)
{
    return path_find(profiles, "AWS_CONFIG_FILE", "~/.aws/config", &profiles->config_file, error) &&
           path_find(profiles, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials",
                     &profiles->credentials_file, error) &&
           file_take(profiles, profiles->config_file, config_section, error) &&
           file_take(profiles, profiles->credentials_file, credentials_section, error);
}

void profile_files_free(struct aws_profiles *profiles)
{
    for (size_t i = 0; i < profiles->count; i++) {
        keys_free(&profiles->list[i].credentials);
        keys_free(&profiles->list[i].config);
    }
    free(profiles->list);
    free(profiles->services);
}
