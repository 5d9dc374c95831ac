#include "aws/credentials_fetch.h"
#include "report/near_names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REGION_MAX 63 /* a label of a host name */

const char *environment_get(const struct aws_profiles *profiles, const char *name)
{
    const struct aws_environment *environment = &profiles->environment;
    const char *value =
        environment->get != NULL ? environment->get(environment->context, name) : getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool switch_is_on(const char *value)
{
    return value != NULL && strcasecmp(value, "true") == 0;
}

static const char *environment_first(const struct aws_profiles *profiles, const char *name,
                                     const char *other)
{
    const char *value = environment_get(profiles, name);
    return value != NULL ? value : environment_get(profiles, other);
}

static bool said_keep(struct aws_profiles *profiles, const char *value, const char **ret_text,
                      struct error *error)
{
    if (value == NULL)
        return true;
    *ret_text = arena_text(&profiles->arena, span_of(value));
    return *ret_text != NULL || error_set(error, ERROR_MEMORY, "no memory for the AWS profiles");
}

static bool environment_read(struct aws_profiles *profiles, struct error *error)
{
    struct profile_environment *said = &profiles->said;
    return said_keep(profiles, environment_first(profiles, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
                     &said->profile, error) &&
           said_keep(profiles, environment_first(profiles, "AWS_REGION", "AWS_DEFAULT_REGION"),
                     &said->region, error) &&
           said_keep(profiles, environment_get(profiles, "AWS_CA_BUNDLE"), &said->ca_bundle, error);
}

bool aws_profiles_new(const struct aws_environment *environment, struct aws_profiles **ret_profiles,
                      struct error *error)
{
    struct aws_profiles *profiles = calloc(1, sizeof *profiles);
    if (profiles == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the AWS profiles");
    if (environment != NULL)
        profiles->environment = *environment;
    arena_init(&profiles->arena);
    pthread_mutex_init(&profiles->region_lock, NULL);
    if (!credentials_cache_new(&profiles->cache, error) || !environment_read(profiles, error) ||
        !profile_files_read(profiles, error)) {
        aws_profiles_free(profiles);
        return false;
    }
    *ret_profiles = profiles;
    return true;
}

void aws_profiles_free(struct aws_profiles *profiles)
{
    if (profiles == NULL)
        return;
    credentials_cache_free(profiles->cache);
    profile_files_free(profiles);
    arena_free(&profiles->arena);
    pthread_mutex_destroy(&profiles->region_lock);
    free(profiles);
}

const char *aws_profile_default(const struct aws_profiles *profiles)
{
    return profiles->said.profile != NULL ? profiles->said.profile : "default";
}

const char *aws_profile_name(const struct aws_profiles *profiles, size_t index)
{
    return index < profiles->count ? profiles->list[index].name : NULL;
}

const struct profile *profile_find(const struct aws_profiles *profiles, const char *name)
{
    for (size_t i = 0; i < profiles->count; i++)
        if (strcmp(profiles->list[i].name, name) == 0)
            return &profiles->list[i];
    return NULL;
}

const char *profile_setting(const struct profile *profile, enum setting setting)
{
    return profile != NULL ? profile->settings[setting] : NULL;
}

bool profile_get(const struct aws_profiles *profiles, const char *name,
                 const struct profile **ret_profile, struct error *error)
{
    const char *wanted = name != NULL ? name : aws_profile_default(profiles);
    const struct profile *found = profile_find(profiles, wanted);
    if (found == NULL && strcmp(wanted, "default") != 0) {
        char text[NEAR_NAMES_TEXT_MAX];
        struct near_names near;
        near_names_init(&near, wanted);
        for (size_t i = 0; i < profiles->count; i++)
            near_names_offer(&near, profiles->list[i].name);
        return error_set(error, ERROR_CONFIG, "there is no AWS profile %.100s in %s and %s%s",
                         wanted, profiles->config_file, profiles->credentials_file,
                         near_names_text(&near, text));
    }
    *ret_profile = found;
    return true;
}

static bool region_check(const char *region, const char *where, struct error *error)
{
    size_t len = strlen(region);
    bool ok = len <= REGION_MAX && region[0] != '-' && region[len - 1] != '-';
    for (size_t i = 0; i < len; i++)
        ok &= (region[i] >= 'a' && region[i] <= 'z') || (region[i] >= '0' && region[i] <= '9') ||
              region[i] == '-';
    return ok || error_set(error, ERROR_CONFIG,
                           "the AWS region \"%.40s\" of %s is none, as it is no part of a host "
                           "name: us-east-1 is one",
                           region, where);
}

/* Asked of the instance once, and only where its credentials are the ones: elsewhere nobody would
 * answer, and it would take seconds. */
static const char *region_of_instance(struct aws_profiles *profiles, const char *name)
{
    struct source source;
    struct error none;
    if (!source_of(profiles, name, &source, &none) ||
        (source.kind != SOURCE_INSTANCE && !(source.kind == SOURCE_ROLE && source.base == NULL &&
                                             source.base_kind == SOURCE_INSTANCE)))
        return NULL;
    pthread_mutex_lock(&profiles->region_lock);
    if (!profiles->region_asked &&
        !instance_region(profiles, source.profile, &profiles->region_of_instance, &none))
        profiles->region_of_instance = NULL;
    profiles->region_asked = true;
    pthread_mutex_unlock(&profiles->region_lock);
    return profiles->region_of_instance;
}

bool aws_profile_region(struct aws_profiles *profiles, const char *profile, const char **ret_region,
                        struct error *error)
{
    const struct profile *found = NULL;
    TRY(profile_get(profiles, profile, &found, error));
    const char *own = profile_setting(found, SETTING_REGION); /* then it is found */
    const char *said = profiles->said.region;
    const char *region = profile != NULL && own != NULL ? own : said != NULL ? said : own;
    if (region == NULL)
        region = region_of_instance(profiles, profile);
    if (region == NULL)
        return error_set(error, ERROR_CONFIG,
                         "AWS profile %.100s has no region: set \"region\" in %s, or AWS_REGION",
                         profile != NULL ? profile : aws_profile_default(profiles),
                         profiles->config_file);
    const char *where = region == said  ? "AWS_REGION"
                        : region == own ? found->name
                                        : "the instance's metadata";
    TRY(region_check(region, where, error));
    *ret_region = region;
    return true;
}

const char *aws_profile_ca_bundle(struct aws_profiles *profiles, const char *profile)
{
    if (profiles->said.ca_bundle != NULL)
        return profiles->said.ca_bundle;
    const struct profile *found =
        profile_find(profiles, profile != NULL ? profile : aws_profile_default(profiles));
    return profile_setting(found, SETTING_CA_BUNDLE);
}
