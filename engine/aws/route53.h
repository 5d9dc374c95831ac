/* Amazon Route 53 (docs.aws.amazon.com/Route53, API reference 2013-04-01): requests and replies for
 * TXT record sets. Pure: aws/client.h sends them.
 *
 * Names are in lower case without the final dot. Values are as Route 53 has them, in quotes (see
 * route53_quote), and are compared byte by byte. */
#ifndef CERTMILL_AWS_ROUTE53_H
#define CERTMILL_AWS_ROUTE53_H

#include "base/arena.h"
#include "base/buf.h"

#define ROUTE53_NAME_MAX      254 /* with the NUL */
#define ROUTE53_ZONE_ID_MAX   33  /* with the NUL */
#define ROUTE53_CHANGE_ID_MAX 65  /* likewise */
#define ROUTE53_BODY_MAX      ((size_t)2 << 20)
#define ROUTE53_PAGE          300 /* record sets of one page, AWS's maximum */
#define ROUTE53_ZONES_PAGE    100 /* likewise of zones */

/* Of one ChangeResourceRecordSets; UPSERT counts twice in both. */
#define ROUTE53_RECORDS_MAX    1000
#define ROUTE53_CHARACTERS_MAX 32000

/* The only record set of a name and type TXT. */
struct route53_set {
    const char *name;
    unsigned ttl;
    const char *const *values;
    size_t value_count;
};

enum route53_action {
    ROUTE53_CREATE, /* refused when there is a set of the name */
    ROUTE53_DELETE, /* refused unless TTL and values are the same */
    ROUTE53_UPSERT,
};

/* The body of a ChangeResourceRecordSets, which does all its changes or none. A DELETE and a CREATE
 * of one name replace its set only if nobody has changed it. */
struct route53_batch {
    struct buf body;
    size_t changes;
    size_t records, characters; /* as AWS counts them */
};

void route53_batch_init(struct route53_batch *batch);
void route53_batch_free(struct route53_batch *batch);
/* What a change adds to the two counts. */
void route53_change_size(enum route53_action action, const struct route53_set *set, size_t *records,
                         size_t *characters);
bool route53_batch_has_room(const struct route53_batch *batch, size_t records, size_t characters);
bool route53_batch_add(struct route53_batch *batch, enum route53_action action,
                       const struct route53_set *set) MUST_USE;
bool route53_batch_end(struct route53_batch *batch) MUST_USE;

/* A TXT value as Route 53 writes it: strings of up to 255 bytes in quotes, separated by blanks;
 * quotes and backslashes after a backslash, bytes that are not printable ASCII as \ooo. */
bool route53_quote(struct buf *out, struct span value) MUST_USE;

/* "com.example._acme-challenge." for "_acme-challenge.example.com": the order of Route 53's lists
 * is that of such texts, byte by byte. `reversed` has ROUTE53_NAME_MAX + 1 bytes. */
void route53_name_reverse(const char *name, char *reversed);
/* Lower case, and Route 53's escapes (\052 for '*') undone. False when it does not fit. */
bool route53_name_read(struct span text, char name[ROUTE53_NAME_MAX]) MUST_USE;

struct route53_zone_row {
    const char *id; /* without "/hostedzone/" */
    const char *name;
    bool is_private;
};

/* ListHostedZones and ListHostedZonesByName. *ret_marker: where the next page of the former begins,
 * NULL at the last. */
bool route53_zones_read(struct span body, struct arena *arena, struct route53_zone_row **ret_zones,
                        size_t *ret_count, const char **ret_marker, struct error *error) MUST_USE;
/* ChangeResourceRecordSets and GetChange: the change's id without "/change/", and whether all of
 * Route 53's servers have it. */
bool route53_change_read(struct span body, char id[ROUTE53_CHANGE_ID_MAX], bool *ret_in_sync,
                         struct error *error) MUST_USE;

/* A row of ListResourceRecordSets. Other types have no values. */
struct route53_set_row {
    struct route53_set set;
    bool is_txt;   /* of type TXT */
    bool is_plain; /* without set identifier and alias: could be replaced by CREATE and DELETE */
};
bool route53_sets_read(struct span body, struct arena *arena, struct route53_set_row **ret_sets,
                       size_t *ret_count, bool *ret_more, struct error *error) MUST_USE;

/* What AWS says of a change batch that it refused (InvalidChangeBatch, InvalidInput): one sentence
 * for each change that is wrong. */
struct route53_refusals {
    struct span *sentences; /* in the arena */
    size_t count;
};
bool route53_refusals_read(struct span body, struct arena *arena,
                           struct route53_refusals *ret_refusals, struct error *error) MUST_USE;
/* The sentence about the name, empty when there is none. */
struct span route53_refusal_of(const struct route53_refusals *refusals, const char *name);

#endif
