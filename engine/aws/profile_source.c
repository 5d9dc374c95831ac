/* Where credentials come from, in the order of the AWS CLI (botocore, credentials.py,
 * create_credential_resolver):
 *
 *   1. the environment's keys, unless a profile is named
 *   2. the profile's role_arn, assumed with source_profile or credential_source
 *   3. web identity: the environment's (unless a profile is named), the profile's
 *   4. SSO, which certmill leaves to "aws configure export-credentials"
 *   5. keys of the credentials file
 *   6. credential_process
 *   7. keys of the config file
 *   8. the container's, then the instance's credentials */
#include "aws/profile_set.h"

#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 16 /* roles that are assumed one by the other */

static bool has_keys(const struct profile *profile)
{
    return profile->credentials.key_id != NULL || profile->credentials.secret_key.len > 0 ||
           profile->config.key_id != NULL || profile->config.secret_key.len > 0;
}

static bool has_role(const struct profile *profile)
{
    return profile->settings[SETTING_ROLE_ARN] != NULL &&
           profile->settings[SETTING_WEB_IDENTITY_TOKEN_FILE] == NULL;
}

static bool environment_source(const struct aws_profiles *profiles, struct source *source,
                               struct error *error)
{
    if (environment_get(profiles, "AWS_SECRET_ACCESS_KEY") == NULL)
        return error_set(error, ERROR_CONFIG,
                         "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not: set both, or "
                         "name a profile");
    source->kind = SOURCE_ENVIRONMENT;
    return true;
}

static bool keys_check(const struct profile *profile, const struct profile_keys *keys,
                       const char *file, struct error *error)
{
    if (keys->secret_key.len > 0)
        return true;
    return error_set(error, ERROR_CONFIG,
                     "AWS profile %.100s has aws_access_key_id in %s, and no "
                     "aws_secret_access_key there: a pair is needed",
                     profile->name, file);
}

static bool credential_source_read(const struct profile *profile, struct source *source,
                                   struct error *error)
{
    static const struct {
        const char *name;
        enum source_kind kind;
    } known[] = {
        {"Environment", SOURCE_ENVIRONMENT},
        {"Ec2InstanceMetadata", SOURCE_INSTANCE},
        {"EcsContainer", SOURCE_CONTAINER},
    };
    const char *name = profile->settings[SETTING_CREDENTIAL_SOURCE];
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0) {
            source->base_kind = known[i].kind;
            return true;
        }
    }
    return error_set(error, ERROR_CONFIG,
                     "AWS profile %.100s: credential_source is \"%.40s\", not Environment, "
                     "Ec2InstanceMetadata or EcsContainer",
                     profile->name, name);
}

static bool base_find(const struct aws_profiles *profiles, const struct profile *profile,
                      struct source *source, struct error *error)
{
    const char *name = profile->settings[SETTING_SOURCE_PROFILE];
    source->base = profile_find(profiles, name);
    if (source->base == NULL)
        return error_set(error, ERROR_CONFIG,
                         "AWS profile %.100s: its source_profile %.100s is in neither %s nor %s",
                         profile->name, name, profiles->config_file, profiles->credentials_file);
    return true;
}

static bool role_read(const struct aws_profiles *profiles, const struct profile *profile,
                      struct source *source, struct error *error)
{
    bool has_base = profile->settings[SETTING_SOURCE_PROFILE] != NULL;
    bool has_kind = profile->settings[SETTING_CREDENTIAL_SOURCE] != NULL;
    *source = (struct source){.kind = SOURCE_ROLE,
                              .profile = profile,
                              .role_arn = profile->settings[SETTING_ROLE_ARN],
                              .session_name = profile->settings[SETTING_ROLE_SESSION_NAME]};
    if (profile->settings[SETTING_MFA_SERIAL] != NULL)
        return error_set(error, ERROR_CONFIG,
                         "AWS profile %.100s has mfa_serial: a batch run has no terminal to ask "
                         "for the code; use a role that needs none, or a profile with "
                         "credential_process",
                         profile->name);
    if (has_base && has_kind)
        return error_set(error, ERROR_CONFIG,
                         "AWS profile %.100s has both source_profile and credential_source: one "
                         "must go",
                         profile->name);
    if (!has_base && !has_kind)
        return error_set(error, ERROR_CONFIG,
                         "AWS profile %.100s has role_arn, and neither source_profile nor "
                         "credential_source, which say who assumes the role",
                         profile->name);
    return has_kind ? credential_source_read(profile, source, error)
                    : base_find(profiles, profile, source, error);
}

/* The profile's own, without roles; false in *ret_found when it has none. */
static bool own_source(const struct aws_profiles *profiles, const struct profile *profile,
                       bool with_environment, struct source *source, bool *ret_found,
                       struct error *error)
{
    const char *token_file =
        with_environment ? environment_get(profiles, "AWS_WEB_IDENTITY_TOKEN_FILE") : NULL;
    const char *role = with_environment ? environment_get(profiles, "AWS_ROLE_ARN") : NULL;
    const char *session =
        with_environment ? environment_get(profiles, "AWS_ROLE_SESSION_NAME") : NULL;
    *source = (struct source){.profile = profile};
    *ret_found = true;
    if (token_file == NULL)
        token_file = profile_setting(profile, SETTING_WEB_IDENTITY_TOKEN_FILE);
    if (token_file != NULL) {
        source->kind = SOURCE_WEB_IDENTITY;
        source->token_file = token_file;
        source->role_arn = role != NULL ? role : profile_setting(profile, SETTING_ROLE_ARN);
        source->session_name =
            session != NULL ? session : profile_setting(profile, SETTING_ROLE_SESSION_NAME);
        return source->role_arn != NULL ||
               error_set(error, ERROR_CONFIG,
                         "a web identity token file is given, and no role: set AWS_ROLE_ARN, or "
                         "role_arn in the profile");
    }
    *ret_found = profile != NULL;
    if (profile == NULL)
        return true;
    if (profile->settings[SETTING_SSO_ACCOUNT_ID] != NULL ||
        profile->settings[SETTING_SSO_ROLE_NAME] != NULL ||
        profile->settings[SETTING_LOGIN_SESSION] != NULL)
        return error_set(error, ERROR_CONFIG,
                         "AWS profile %.100s signs in by a browser (SSO): make another profile "
                         "with \"credential_process = aws configure export-credentials --profile "
                         "%.100s\" and name that one",
                         profile->name, profile->name);
    if (profile->credentials.key_id != NULL) {
        source->kind = SOURCE_CREDENTIALS_FILE;
        return keys_check(profile, &profile->credentials, profiles->credentials_file, error);
    }
    if (profile->settings[SETTING_CREDENTIAL_PROCESS] != NULL) {
        source->kind = SOURCE_PROCESS;
        return true;
    }
    if (profile->config.key_id != NULL) {
        source->kind = SOURCE_CONFIG_FILE;
        return keys_check(profile, &profile->config, profiles->config_file, error);
    }
    *ret_found = false;
    return true;
}

bool source_of_base(const struct aws_profiles *profiles, const struct profile *profile,
                    struct source *ret_source, struct error *error)
{
    bool found;
    if (has_role(profile) && !has_keys(profile))
        return role_read(profiles, profile, ret_source, error);
    TRY(own_source(profiles, profile, false, ret_source, &found, error));
    return found || error_set(error, ERROR_CONFIG,
                              "AWS profile %.100s is the source_profile of another, and has no "
                              "credentials",
                              profile->name);
}

/* Follows the chain of roles to its end, so that a loop is found before anything is sent. */
static bool chain_check(const struct aws_profiles *profiles, const struct source *source,
                        struct error *error)
{
    struct source at = *source;
    for (unsigned depth = 0; at.kind == SOURCE_ROLE && at.base != NULL; depth++) {
        bool assumes_itself = at.base == at.profile && !has_keys(at.base);
        if (assumes_itself || depth == CHAIN_MAX)
            return error_set(error, ERROR_CONFIG,
                             "AWS profile %.100s: its source_profile leads round in a loop",
                             source->profile->name);
        struct source next;
        TRY(source_of_base(profiles, at.base, &next, error));
        at = next;
    }
    return true;
}

static bool container_is_near(const struct aws_profiles *profiles)
{
    return environment_get(profiles, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
           environment_get(profiles, "AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL;
}

bool source_of(const struct aws_profiles *profiles, const char *name, struct source *ret_source,
               struct error *error)
{
    const struct profile *profile = NULL;
    struct source source = {0};
    TRY(profile_get(profiles, name, &profile, error));
    if (name == NULL && environment_get(profiles, "AWS_ACCESS_KEY_ID") != NULL) {
        source.profile = profile;
        TRY(environment_source(profiles, &source, error));
    } else if (profile != NULL && has_role(profile)) {
        TRY(role_read(profiles, profile, &source, error));
        TRY(chain_check(profiles, &source, error));
    } else {
        bool found;
        TRY(own_source(profiles, profile, name == NULL, &source, &found, error));
        source.is_last = !found;
        if (!found)
            source.kind = container_is_near(profiles) ? SOURCE_CONTAINER : SOURCE_INSTANCE;
    }
    *ret_source = source;
    return true;
}

bool aws_profile_check(struct aws_profiles *profiles, const char *profile, struct error *error)
{
    struct source source;
    return source_of(profiles, profile, &source, error);
}

const char *aws_profile_role(struct aws_profiles *profiles, const char *profile, size_t index)
{
    struct source source;
    struct error none;
    if (!source_of(profiles, profile, &source, &none))
        return NULL;
    for (; index > 0; index--) {
        if (source.kind != SOURCE_ROLE || source.base == NULL ||
            !source_of_base(profiles, source.base, &source, &none))
            return NULL;
    }
    return source.kind == SOURCE_ROLE ? source.role_arn : NULL;
}

static const char *kind_text(enum source_kind kind)
{
    switch (kind) {
    case SOURCE_ENVIRONMENT:
        return "the environment";
    case SOURCE_CONTAINER:
        return "the container's credentials";
    default:
        return "the instance's metadata";
    }
}

bool aws_profile_source(struct aws_profiles *profiles, const char *profile, char *text,
                        struct error *error)
{
    struct source source;
    TRY(source_of(profiles, profile, &source, error));
    switch (source.kind) {
    case SOURCE_ROLE:
        snprintf(text, AWS_SOURCE_MAX, "role %s, assumed with %s%s", source.role_arn,
                 source.base != NULL ? "profile " : "",
                 source.base != NULL ? source.base->name : kind_text(source.base_kind));
        return true;
    case SOURCE_WEB_IDENTITY:
        snprintf(text, AWS_SOURCE_MAX, "role %s, assumed with the web identity in %s",
                 source.role_arn, source.token_file);
        return true;
    case SOURCE_CREDENTIALS_FILE:
        snprintf(text, AWS_SOURCE_MAX, "keys in %s", profiles->credentials_file);
        return true;
    case SOURCE_CONFIG_FILE:
        snprintf(text, AWS_SOURCE_MAX, "keys in %s", profiles->config_file);
        return true;
    case SOURCE_PROCESS:
        snprintf(text, AWS_SOURCE_MAX, "the profile's credential_process");
        return true;
    case SOURCE_ENVIRONMENT:
    case SOURCE_CONTAINER:
    case SOURCE_INSTANCE:
        break;
    }
    snprintf(text, AWS_SOURCE_MAX, "%s", kind_text(source.kind));
    return true;
}
