/* Getting credentials from where they are: a file each kind. None of these keeps anything. */
#ifndef CERTMILL_AWS_CREDENTIALS_FETCH_H
#define CERTMILL_AWS_CREDENTIALS_FETCH_H

#include "aws/profile_set.h"

/* Fills the credentials from texts as they came, each checked for what it may be. `where` says in
 * an error whose they are. */
struct credentials_text {
    struct span key_id, secret_key, session_token;
    int64_t expires_at; /* 0: never */
};
bool credentials_make(const struct credentials_text *text, const char *where,
                      struct aws_credentials *ret_credentials, struct error *error) MUST_USE;

/* By the source's kind; may block for seconds. `base` are the credentials that assume a role. */
bool credentials_fetch(struct aws_profiles *profiles, const struct source *source, int64_t now,
                       struct aws_credentials *ret_credentials, struct error *error) MUST_USE;

/* credentials_process.c: the profile's credential_process (docs.aws.amazon.com/sdkref, "Process
 * credential provider"). */
bool credentials_process(const struct profile *profile, int64_t now,
                         struct aws_credentials *ret_credentials, struct error *error) MUST_USE;

/* credentials_metadata.c */
bool credentials_container(struct aws_profiles *profiles, struct aws_credentials *ret_credentials,
                           struct error *error) MUST_USE;
bool credentials_instance(struct aws_profiles *profiles, const struct profile *profile, int64_t now,
                          struct aws_credentials *ret_credentials, struct error *error) MUST_USE;
/* Allocates from the profiles' arena: one thread at a time. */
bool instance_region(struct aws_profiles *profiles, const struct profile *profile,
                     const char **ret_region, struct error *error) MUST_USE;

/* credentials_sts.c: a role, assumed with the credentials of the source's base or with a web
 * identity. */
bool credentials_sts(struct aws_profiles *profiles, const struct source *source, int64_t now,
                     struct aws_credentials *ret_credentials, struct error *error) MUST_USE;

#endif
