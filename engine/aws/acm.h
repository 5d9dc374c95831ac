/* AWS Certificate Manager (docs.aws.amazon.com/acm, API reference): requests and replies. Pure:
 * aws/client.h sends them. */
#ifndef CERTMILL_AWS_ACM_H
#define CERTMILL_AWS_ACM_H

#include "aws/client.h"
#include "base/arena.h"
#include "crypto/certificate.h"

#define ACM_ARN_MAX  256
#define ACM_TAGS_MAX 50
#define ACM_TAG_NAME \
    "certmill:name" /* set at the first import, so that a lost answer is found again */

struct acm_tag {
    const char *key, *value;
};

/* "arn:aws:acm:us-east-1:123456789012:certificate/...": its parts point into it. */
struct acm_arn {
    struct span partition, region, account, id;
};
bool acm_arn_parse(struct span text, struct acm_arn *ret_arn, struct error *error) MUST_USE;

/* Two serial numbers in hex, of whatever many leading zeros (DER puts one before a high bit). */
bool acm_serial_equal(const char *a, const char *b);

/* Of a set of names, whatever their order and case, to find certificates of the same names. */
uint64_t acm_names_digest(const char *const *names, size_t count);

/* A row of ListCertificates. What a server leaves out is 0 or "". */
struct acm_summary {
    const char *arn;
    const char *domain;
    const char *const *names; /* subject alternative names, at most 100 by AWS */
    size_t name_count;
    bool more_names; /* HasAdditionalSubjectAlternativeNames */
    const char *type, *status, *key_algorithm;
    int64_t not_before, not_after, imported_at;
    bool in_use;
};

/* DescribeCertificate. */
struct acm_detail {
    struct acm_summary summary;
    const char *serial; /* lower-case hex without colons, for acm_serial_equal; "" when not given */
    const char *const *in_use_by; /* ARNs of load balancers, distributions, ... */
    size_t in_use_count;
    const char *const *key_usages, *const *extended_key_usages; /* names as ACM gives them */
    size_t key_usage_count, extended_key_usage_count;
};

/* The bodies: JSON appended to `body`, which the caller made. */
struct acm_import {
    struct span certificate, chain, key; /* PEM; the chain may be empty */
    const char *arn;                     /* NULL: a new one */
    const struct acm_tag *tags;          /* only without ARN */
    size_t tag_count;
};
/* `body` is one of buf_init_secret, for it holds the private key. jansson never sees the key, so
 * that no copy of it is left in memory that nobody wipes. */
bool acm_import_body(const struct acm_import *import, struct buf *body,
                     struct error *error) MUST_USE;
/* All key types (ACM lists RSA_2048 alone unless told), as many a page as surely fit into a reply.
 * `next` may be NULL. `imported_only` leaves out those that wait for validation, as no imported one
 * does; ACM has no filter for the type. */
bool acm_list_body(const char *next, bool imported_only, struct buf *body) MUST_USE;
bool acm_arn_body(const char *arn, struct buf *body) MUST_USE; /* Describe, ListTags */
bool acm_tags_body(const char *arn, const struct acm_tag *tags, size_t count,
                   struct buf *body) MUST_USE; /* AddTagsToCertificate */

/* The replies; texts go to the arena, made printable. An error is ERROR_PROTOCOL or ERROR_MEMORY.
 * `arn` has room for ACM_ARN_MAX + 1 bytes. */
bool acm_import_read(struct span body, char *arn, struct error *error) MUST_USE;
/* *ret_next: NULL at the last page. */
bool acm_list_read(struct span body, struct arena *arena, struct acm_summary **ret_list,
                   size_t *ret_count, const char **ret_next, struct error *error) MUST_USE;
bool acm_describe_read(struct span body, struct arena *arena, struct acm_detail *ret_detail,
                       struct error *error) MUST_USE;
bool acm_tags_read(struct span body, struct arena *arena, struct acm_tag **ret_tags,
                   size_t *ret_count, struct error *error) MUST_USE;

#endif
