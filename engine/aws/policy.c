#include "aws/policy.h"

#include <stdio.h>

/* The longest ARN that is made here: S3's, of a bucket and a key of 1,024 bytes. */
#define ARN_MAX 1200

/* A list of ARNs or actions, under construction; `failed` when memory ran out. */
struct statements {
    json_t *list;
    bool failed;
};

static json_t *texts_json(const char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < count; i++)
        if (json_array_append_new(list, json_string(texts[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

/* Takes the resource, and the condition, which may be NULL. */
static void statement_add(struct statements *statements, const char *name,
                          const char *const *actions, size_t count, json_t *resource,
                          json_t *condition)
{
    json_t *statement =
        json_pack("{s:s, s:s, s:o, s:o, s:o*}", "Sid", name, "Effect", "Allow", "Action",
                  texts_json(actions, count), "Resource", resource, "Condition", condition);
    if (statement == NULL || json_array_append_new(statements->list, statement) != 0)
        statements->failed = true;
}

/* `format` with each of the texts, or with "*" when there are none. */
static json_t *arns(const struct policy_list *texts, const char *before, const char *partition,
                    const char *middle, const char *after)
{
    static const char *const any[] = {"*"};
    const struct policy_list all = {any, 1};
    const struct policy_list *used = texts->count > 0 ? texts : &all;
    json_t *list = json_array();
    for (size_t i = 0; i < used->count; i++) {
        char arn[ARN_MAX];
        snprintf(arn, sizeof arn, "%s%s%s%s%s", before, partition, middle, used->texts[i], after);
        (void)json_array_append_new(list, json_string(arn));
    }
    return list;
}

static void acm_add(struct statements *statements, const struct policy_needs *needs)
{
    static const char *const actions[] = {"acm:ImportCertificate", "acm:DescribeCertificate",
                                          "acm:ListTagsForCertificate", "acm:AddTagsToCertificate"};
    static const char *const list[] = {"acm:ListCertificates"};
    /* A new certificate gets the tag certmill:name, which is added by its import already. */
    statement_add(statements, "Certificates", actions, sizeof actions / sizeof actions[0],
                  arns(&needs->regions, "arn:", needs->partition, ":acm:", ":*:certificate/*"),
                  NULL);
    /* Cannot be narrowed to a resource. */
    statement_add(statements, "CertificatesFind", list, 1, json_string("*"), NULL);
}

static void s3_add(struct statements *statements, const struct policy_needs *needs)
{
    static const char *const actions[] = {"s3:GetObject"};
    const struct policy_list object = {&needs->object, 1};
    statement_add(statements, "AccountsFile", actions, 1,
                  arns(&object, "arn:", needs->partition, ":s3:::", ""), NULL);
}

/* TXT records of _acme-challenge names alone (Route 53, "Using IAM policy conditions for
 * fine-grained access control"). */
static json_t *challenge_condition(void)
{
    return json_pack("{s:{s:[s], s:[s, s, s]}, s:{s:[s]}}", "ForAllValues:StringEquals",
                     "route53:ChangeResourceRecordSetsRecordTypes", "TXT",
                     "route53:ChangeResourceRecordSetsActions", "CREATE", "UPSERT", "DELETE",
                     "ForAllValues:StringLike",
                     "route53:ChangeResourceRecordSetsNormalizedRecordNames", "_acme-challenge.*");
}

static void route53_add(struct statements *statements, const struct policy_needs *needs)
{
    static const char *const change[] = {"route53:ChangeResourceRecordSets"};
    static const char *const list[] = {"route53:ListResourceRecordSets"};
    static const char *const find[] = {"route53:ListHostedZones", "route53:ListHostedZonesByName"};
    static const char *const wait[] = {"route53:GetChange"};
    static const struct policy_list any = {NULL, 0};
    const char *partition = needs->partition;
    statement_add(statements, "ChallengeRecords", change, 1,
                  arns(&needs->zones, "arn:", partition, ":route53:::hostedzone/", ""),
                  challenge_condition());
    statement_add(statements, "ChallengeRecordsRead", list, 1,
                  arns(&needs->zones, "arn:", partition, ":route53:::hostedzone/", ""), NULL);
    statement_add(statements, "ChallengeRecordsWait", wait, 1,
                  arns(&any, "arn:", partition, ":route53:::change/", ""), NULL);
    statement_add(statements, "ZonesFind", find, 2, json_string("*"), NULL);
}

json_t *aws_policy(const struct policy_needs *needs)
{
    static const char *const assume[] = {"sts:AssumeRole"};
    struct statements statements = {.list = json_array()};
    if (needs->acm)
        acm_add(&statements, needs);
    if (needs->object != NULL)
        s3_add(&statements, needs);
    if (needs->route53)
        route53_add(&statements, needs);
    if (needs->roles.count > 0)
        statement_add(&statements, "Roles", assume, 1,
                      texts_json(needs->roles.texts, needs->roles.count), NULL);
    if (statements.failed) {
        json_decref(statements.list);
        return NULL;
    }
    return json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements.list);
}
