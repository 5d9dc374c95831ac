/* AWS profiles: what the environment, ~/.aws/config and ~/.aws/credentials say of each, with the
 * precedence of the AWS CLI (docs.aws.amazon.com/cli, "Configuration and credential file
 * settings"), and the credentials that come of it. */
#ifndef CERTMILL_AWS_PROFILE_H
#define CERTMILL_AWS_PROFILE_H

#include "crypto/context.h"

#include <stdint.h>

enum aws_service { AWS_ACM, AWS_ROUTE53, AWS_S3, AWS_STS };
const char *aws_service_name(enum aws_service service); /* as in a signature's scope: "acm" */

/* The process's environment, as an argument. NULL for `get`: getenv. */
struct aws_environment {
    const char *(*get)(void *context, const char *name);
    void *context;
};

/* All profiles of one process. Every function may be called from any thread. */
struct aws_profiles;

/* Reads both files (at most 1 MiB each; a missing one is empty) and the environment. An error names
 * file and line and never quotes a value. Free with aws_profiles_free, which wipes the secrets. */
bool aws_profiles_new(const struct aws_environment *environment, struct aws_profiles **ret_profiles,
                      struct error *error) MUST_USE;
void aws_profiles_free(struct aws_profiles *profiles);

/* The profile that a NULL profile stands for: AWS_PROFILE, else "default". */
const char *aws_profile_default(const struct aws_profiles *profiles);
/* Names of all profiles of both files, without repeats, as they come; NULL past the last. */
const char *aws_profile_name(const struct aws_profiles *profiles, size_t index);
/* ERROR_CONFIG when the profile (NULL: the default one) is not there, with near names and the files
 * that were looked in; or when it is there and cannot be used (a loop of source_profile, half a key
 * pair, credential_source unknown, SSO, which needs "aws configure export-credentials" as
 * credential_process). Sends nothing. The default profile need not be in a file. */
bool aws_profile_check(struct aws_profiles *profiles, const char *profile,
                       struct error *error) MUST_USE;
/* Where the profile's credentials come from, in words, into `text` of AWS_SOURCE_MAX bytes. Errors
 * are those of aws_profile_check. */
#define AWS_SOURCE_MAX 512
bool aws_profile_source(struct aws_profiles *profiles, const char *profile, char *text,
                        struct error *error) MUST_USE;
/* The ARNs of the roles that are assumed for the profile, its own first; NULL past the last, and
 * for a profile that cannot be used. */
const char *aws_profile_role(struct aws_profiles *profiles, const char *profile, size_t index);
/* AWS_REGION, AWS_DEFAULT_REGION, the profile's, that of the instance whose credentials the profile
 * has (asked once, for seconds at most); ERROR_CONFIG without any. With an explicit profile its own
 * region goes before the environment's, as one run has many profiles. The text lives as long as the
 * profiles. */
bool aws_profile_region(struct aws_profiles *profiles, const char *profile, const char **ret_region,
                        struct error *error) MUST_USE;
/* The endpoint's URL without a final slash into `url` of AWS_ENDPOINT_MAX bytes:
 * AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's services section, its endpoint_url
 * (AWS_IGNORE_CONFIGURED_ENDPOINT_URLS), else AWS's own for the region, partition (aws, aws-cn,
 * aws-us-gov), use_fips_endpoint and use_dualstack_endpoint. Route 53 has one endpoint a partition.
 */
#define AWS_ENDPOINT_MAX 512
bool aws_profile_endpoint(struct aws_profiles *profiles, const char *profile,
                          enum aws_service service, const char *region, char *url,
                          struct error *error) MUST_USE;
/* The region in a signature: the given one, but Route 53's of the partition. */
const char *aws_signing_region(enum aws_service service, const char *region);
const char *aws_partition(const char *region); /* "aws", "aws-cn", ...: as in an ARN */
/* AWS_CA_BUNDLE, ca_bundle; NULL: the system's. */
const char *aws_profile_ca_bundle(struct aws_profiles *profiles, const char *profile);

struct aws_credentials {
    char key_id[129];
    struct secret secret_key;
    struct secret session_token; /* len 0: none */
    int64_t expires_at;          /* unix seconds; 0: never */
};
void aws_credentials_free(struct aws_credentials *credentials);

/* A copy of the profile's credentials, for the caller to free. Fetched once and kept; fetched anew
 * when less than five minutes are left of them. Fetching may take seconds (STS AssumeRole, a
 * credential_process, container and instance metadata), with ceilings of its own, and is done once
 * for many threads that ask. An error says in plain words what is wrong with the profile and what
 * to do: ERROR_CONFIG for what the operator must mend, ERROR_NETWORK for what may pass. */
bool aws_credentials_get(struct aws_profiles *profiles, const char *profile, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error) MUST_USE;
/* For how many seconds more a get tells the last failure again, without fetching; 0: it fetches. */
int64_t aws_credentials_retry_s(struct aws_profiles *profiles, const char *profile, int64_t now);
/* AWS said that the one with this key id has expired: the next get fetches anew, keys of the
 * credentials file by reading that again. When the same come again, that get and those of the next
 * 30 s fail with words that say who has to renew them. */
void aws_credentials_expire(struct aws_profiles *profiles, const char *profile, const char *key_id);

#endif
