/* Credentials as JSON: what a credential_process, a container and an instance answer. */
#ifndef CERTMILL_AWS_CREDENTIALS_JSON_H
#define CERTMILL_AWS_CREDENTIALS_JSON_H

#include "aws/profile.h"

#define CREDENTIALS_JSON_MAX ((size_t)64 * 1024)

struct credentials_json {
    const char *token_key; /* the session token's name: "Token", "SessionToken" */
    bool versioned;        /* "Version" must be 1 */
    bool must_expire;
};

/* Reads AccessKeyId, SecretAccessKey, the token and Expiration. Errors quote nothing of the text
 * but its Code and Message, by which a metadata service says why it has none. */
bool credentials_json_read(struct span text, const struct credentials_json *form,
                           struct aws_credentials *ret_credentials, struct error *error) MUST_USE;

#endif
