/* AWS Signature Version 4 (docs.aws.amazon.com/IAM, "Create a signed AWS API request"). Pure: the
 * time is an argument, nothing is sent. */
#ifndef CERTMILL_AWS_SIGN_H
#define CERTMILL_AWS_SIGN_H

#include "aws/profile.h"

/* A query parameter as meant, not encoded. */
struct aws_parameter {
    const char *name;
    struct span value; /* may be empty */
};

struct aws_sign_request {
    const char *method;
    struct span host; /* with the port when it is not the scheme's */
    struct span path; /* as meant, not encoded; "" is "/". S3's is encoded once and kept as it is,
                         the others' normalized and encoded twice in the canonical request */
    const struct aws_parameter *query; /* in any order */
    size_t query_count;
    struct span content_type; /* empty: no such header */
    const char *target;       /* X-Amz-Target; NULL: no such header */
    struct span body;
    const char *service; /* "acm" */
    const char *region;
    int64_t now; /* unix seconds, the server's as far as is known */
};

/* What goes on the wire. */
struct aws_signed {
    struct buf target;        /* path and query, percent-encoded as it was signed */
    struct buf authorization; /* "AWS4-HMAC-SHA256 Credential=..., ..." */
    char date[17];            /* X-Amz-Date: 20261123T120000Z */
    char content_sha256[65];  /* X-Amz-Content-Sha256, sent (and signed) for S3 only */
    struct buf canonical;     /* the canonical request, for tests; holds no secret but the token */
};

/* Signs host, x-amz-date, and content-type, x-amz-target, x-amz-security-token,
 * x-amz-content-sha256 where they are sent. Free with aws_signed_free, which wipes. */
bool aws_sign(const struct aws_sign_request *request, const struct aws_credentials *credentials,
              struct aws_signed *ret_signed, struct error *error) MUST_USE;
void aws_signed_free(struct aws_signed *signed_request);

#endif
