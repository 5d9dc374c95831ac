#include "check.h"

#include "aws/policy.h"

static const json_t *statement(const json_t *policy, const char *name)
{
    size_t i;
    const json_t *each;
    json_array_foreach(json_object_get(policy, "Statement"), i,
                       each) if (strcmp(json_string_value(json_object_get(each, "Sid")), name) ==
                                 0) return each;
    return NULL;
}

static void check_texts(const json_t *statement_of, const char *key, const char *const *texts,
                        size_t count)
{
    CHECK(statement_of != NULL);
    const json_t *list = json_object_get(statement_of, key);
    CHECK_INT(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        CHECK_TEXT(json_string_value(json_array_get(list, i)), texts[i]);
}

#define CHECK_TEXTS(statement_of, key, ...)                                \
    do {                                                                   \
        static const char *const check_texts_list[] = {__VA_ARGS__};       \
        check_texts(statement_of, key, check_texts_list,                   \
                    sizeof check_texts_list / sizeof check_texts_list[0]); \
    } while (0)

static json_t *policy_of(const struct policy_needs *needs)
{
    json_t *policy = aws_policy(needs);
    CHECK(policy != NULL);
    CHECK_TEXT(json_string_value(json_object_get(policy, "Version")), "2012-10-17");
    return policy;
}

static void what_is_not_called_is_not_allowed(void)
{
    json_t *policy = policy_of(&(struct policy_needs){.partition = "aws"});
    CHECK_INT(json_array_size(json_object_get(policy, "Statement")), 0);
    json_decref(policy);
    policy = policy_of(&(struct policy_needs){.partition = "aws", .object = "b/k"});
    CHECK_INT(json_array_size(json_object_get(policy, "Statement")), 1);
    CHECK_TEXTS(statement(policy, "AccountsFile"), "Resource", "arn:aws:s3:::b/k");
    CHECK_TEXTS(statement(policy, "AccountsFile"), "Action", "s3:GetObject");
    json_decref(policy);
}

static void resources_are_as_narrow_as_is_known(void)
{
    static const char *const regions[] = {"cn-north-1", "cn-northwest-1"};
    static const char *const zones[] = {"Z1"};
    static const char *const roles[] = {"arn:aws-cn:iam::1:role/r"};
    json_t *policy = policy_of(&(struct policy_needs){.partition = "aws-cn",
                                                      .acm = true,
                                                      .regions = {regions, 2},
                                                      .route53 = true,
                                                      .zones = {zones, 1},
                                                      .roles = {roles, 1}});
    CHECK_TEXTS(statement(policy, "Certificates"), "Resource",
                "arn:aws-cn:acm:cn-north-1:*:certificate/*",
                "arn:aws-cn:acm:cn-northwest-1:*:certificate/*");
    CHECK_TEXTS(statement(policy, "ChallengeRecords"), "Resource",
                "arn:aws-cn:route53:::hostedzone/Z1");
    CHECK_TEXTS(statement(policy, "ChallengeRecordsWait"), "Resource",
                "arn:aws-cn:route53:::change/*");
    CHECK_TEXTS(statement(policy, "Roles"), "Resource", "arn:aws-cn:iam::1:role/r");
    CHECK_TEXTS(statement(policy, "Roles"), "Action", "sts:AssumeRole");
    json_decref(policy);
}

static void only_challenge_records_may_be_changed(void)
{
    json_t *policy = policy_of(&(struct policy_needs){.partition = "aws", .route53 = true});
    const json_t *record = statement(policy, "ChallengeRecords");
    CHECK_TEXTS(record, "Action", "route53:ChangeResourceRecordSets");
    CHECK_TEXTS(record, "Resource", "arn:aws:route53:::hostedzone/*");
    const json_t *condition = json_object_get(record, "Condition");
    CHECK_TEXTS(json_object_get(condition, "ForAllValues:StringEquals"),
                "route53:ChangeResourceRecordSetsRecordTypes", "TXT");
    CHECK_TEXTS(json_object_get(condition, "ForAllValues:StringLike"),
                "route53:ChangeResourceRecordSetsNormalizedRecordNames", "_acme-challenge.*");
    json_decref(policy);
}

static const struct test tests[] = {
    TEST(what_is_not_called_is_not_allowed),
    TEST(resources_are_as_narrow_as_is_known),
    TEST(only_challenge_records_may_be_changed),
};

TESTS_MAIN(tests)
