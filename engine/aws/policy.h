/* The least that an IAM policy must allow for certmill's calls (docs.aws.amazon.com, "Service
 * Authorization Reference"). Pure. */
#ifndef CERTMILL_AWS_POLICY_H
#define CERTMILL_AWS_POLICY_H

#include "base/json.h"

struct policy_list {
    const char *const *texts;
    size_t count;
};

/* What is called. */
struct policy_needs {
    const char *partition; /* "aws", as aws_partition gives it */
    bool acm;
    struct policy_list regions; /* of imports; none: any */
    const char *object;         /* in S3, "bucket/key"; NULL: none */
    bool route53;
    struct policy_list zones; /* ids; none: any */
    struct policy_list roles; /* ARNs of roles that are assumed */
};

/* The caller releases it. NULL without memory. A policy without statement has an empty list. */
json_t *aws_policy(const struct policy_needs *needs) MUST_USE;

#endif
