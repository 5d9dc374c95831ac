/* The ACME accounts file from S3. */
#ifndef CERTMILL_AWS_ACCOUNTS_SOURCE_H
#define CERTMILL_AWS_ACCOUNTS_SOURCE_H

#include "aws/profile.h"

struct accounts_source {
    const char *profile;           /* NULL: the manifest's, else the default one */
    const char *region;            /* NULL: the profile's, else us-east-1; S3 names the right one */
    struct aws_profiles *profiles; /* NULL: the first fetch makes them, for the caller to free */
};

/* An accounts_fetch (config/manifest.h); the context is a struct accounts_source. The URL is
 * "s3://bucket/key" as the AWS CLI takes it: the key is not encoded. Errors are for the operator:
 * which permission, bucket or key is missing, and whether it may pass. */
bool accounts_source_fetch(void *context, const char *url, const char *profile, struct buf *text,
                           struct buf *etag, struct error *error) MUST_USE;

#endif
