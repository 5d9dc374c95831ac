/* The parts of profiles and their credentials that the module's own files share. */
#ifndef CERTMILL_AWS_PROFILE_SET_H
#define CERTMILL_AWS_PROFILE_SET_H

#include "aws/profile.h"
#include "base/arena.h"

#include <pthread.h>

#define AWS_SERVICES (AWS_STS + 1)

/* What a profile may say, keys apart. */
enum setting {
    SETTING_REGION,
    SETTING_ROLE_ARN,
    SETTING_SOURCE_PROFILE,
    SETTING_CREDENTIAL_SOURCE,
    SETTING_EXTERNAL_ID,
    SETTING_ROLE_SESSION_NAME,
    SETTING_DURATION_SECONDS,
    SETTING_MFA_SERIAL,
    SETTING_WEB_IDENTITY_TOKEN_FILE,
    SETTING_CREDENTIAL_PROCESS,
    SETTING_SSO_ACCOUNT_ID,
    SETTING_SSO_ROLE_NAME,
    SETTING_LOGIN_SESSION,
    SETTING_SERVICES,
    SETTING_ENDPOINT_URL,
    SETTING_IGNORE_ENDPOINT_URLS,
    SETTING_USE_FIPS,
    SETTING_USE_DUALSTACK,
    SETTING_CA_BUNDLE,
    SETTING_METADATA_ENDPOINT,
    SETTING_METADATA_ENDPOINT_MODE,
    SETTINGS,
};

/* A key pair of one file. */
struct profile_keys {
    const char *key_id; /* NULL: none */
    struct secret secret_key;
    struct secret session_token; /* len 0: none */
};

/* The config file's section with the credentials file's on top of it. */
struct profile {
    const char *name;
    const char *settings[SETTINGS];  /* NULL: not there, or empty */
    struct profile_keys credentials; /* of the credentials file */
    struct profile_keys config;      /* of the config file */
};

/* A section [services NAME]. */
struct profile_services {
    const char *name;
    const char *endpoints[AWS_SERVICES]; /* NULL: none */
};

/* From the environment, read once. */
struct profile_environment {
    const char *profile, *region, *ca_bundle; /* NULL: not set */
};

struct credentials_cache;

struct aws_profiles {
    struct aws_environment environment;
    struct profile_environment said;
    struct arena arena;
    const char *config_file, *credentials_file; /* as looked for */
    struct profile *list;
    size_t count, capacity;
    struct profile_services *services;
    size_t services_count, services_capacity;
    struct credentials_cache *cache;
    pthread_mutex_t region_lock; /* of the next two, and of the arena after the profiles are made */
    bool region_asked;
    const char *region_of_instance; /* NULL: it has none */
};

/* NULL when it is not set or empty. */
const char *environment_get(const struct aws_profiles *profiles, const char *name);
/* "true" in any case, as the AWS CLI reads switches. */
bool switch_is_on(const char *value);

/* profile_files.c: reads both files into the profiles. */
bool profile_files_read(struct aws_profiles *profiles, struct error *error) MUST_USE;
/* The path with $NAME, ${NAME} and a leading ~ filled in, in the arena. */
bool profile_path_expand(struct aws_profiles *profiles, const char *path, const char **ret_path,
                         struct error *error) MUST_USE;
void profile_files_free(struct aws_profiles *profiles);

const struct profile *profile_find(const struct aws_profiles *profiles, const char *name);
/* The profile, NULL for the default one. *ret_profile is NULL when that is in no file and nobody
 * named it. */
bool profile_get(const struct aws_profiles *profiles, const char *name,
                 const struct profile **ret_profile, struct error *error) MUST_USE;
/* NULL for a NULL profile. */
const char *profile_setting(const struct profile *profile, enum setting setting);

/* Where a profile's credentials come from. */
enum source_kind {
    SOURCE_ENVIRONMENT,
    SOURCE_ROLE,
    SOURCE_WEB_IDENTITY,
    SOURCE_CREDENTIALS_FILE,
    SOURCE_PROCESS,
    SOURCE_CONFIG_FILE,
    SOURCE_CONTAINER,
    SOURCE_INSTANCE,
};

struct source {
    enum source_kind kind;
    const struct profile *profile; /* NULL: the default one, which is in no file */
    const char *role_arn;          /* SOURCE_ROLE, SOURCE_WEB_IDENTITY */
    const char *session_name;      /* likewise; NULL: certmill's own */
    const char *token_file;        /* SOURCE_WEB_IDENTITY */
    const struct profile *base;    /* SOURCE_ROLE: whose credentials assume it; NULL: base_kind's */
    enum source_kind base_kind;
    bool again;   /* they were fetched before: a file is read anew */
    bool is_last; /* nothing says that it is the one: the others are not there */
};

/* profile_source.c. Both go by the files and the environment alone. */
bool source_of(const struct aws_profiles *profiles, const char *profile, struct source *ret_source,
               struct error *error) MUST_USE;
/* As the source_profile of another: the environment and the machine do not count. */
bool source_of_base(const struct aws_profiles *profiles, const struct profile *profile,
                    struct source *ret_source, struct error *error) MUST_USE;

/* credentials.c */
bool credentials_cache_new(struct credentials_cache **ret_cache, struct error *error) MUST_USE;
void credentials_cache_free(struct credentials_cache *cache);
/* As aws_credentials_get, for what assumes a role: the credentials of a source_profile, or (NULL)
 * of a credential_source. */
bool credentials_of_base(struct aws_profiles *profiles, const struct source *role, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error) MUST_USE;
/* The one with this key id has expired. */
void credentials_of_base_expire(struct aws_profiles *profiles, const struct source *role,
                                const char *key_id);

#endif
