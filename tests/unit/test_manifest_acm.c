/* engine/config/manifest: deploy targets in ACM and the `aws` settings. What is refused is in
 * tests/vectors/config. */
#include "check.h"
#include "scratch.h"

#include "config/manifest.h"
#include "io/file.h"

#define ARN "arn:aws:acm:eu-west-1:123456789012:certificate/a-1"

struct reading {
    struct scratch scratch;
    struct manifest manifest;
    struct accounts accounts;
    struct diagnostics diagnostics;
};

static void reading_make(struct reading *reading, const char *text)
{
    struct error error;
    scratch_make(&reading->scratch);
    diagnostics_init(&reading->diagnostics);
    const char *path = scratch_path(&reading->scratch, "fleet.yaml");
    CHECK_OK(file_write(path, span_of(text), 0600, &error), error);
    struct manifest_options options = {.file = path};
    CHECK_OK(manifest_read(&options, &reading->manifest, &reading->accounts, &reading->diagnostics,
                           &error),
             error);
    for (size_t i = 0; i < reading->diagnostics.count; i++)
        fprintf(stderr, "%s\n", reading->diagnostics.items[i].text);
    CHECK_INT(reading->diagnostics.errors, 0);
}

static void reading_free(struct reading *reading)
{
    manifest_free(&reading->manifest);
    accounts_free(&reading->accounts);
    diagnostics_free(&reading->diagnostics);
    scratch_remove(&reading->scratch);
}

static void targets_are_read_and_inherited(void)
{
    struct reading reading;
    reading_make(&reading,
                 "version: 1\n"
                 "defaults:\n"
                 "  deploy:\n"
                 "    - acm: {profile: a, region: us-east-1, tags: {team: web, x: \"\"}}\n"
                 "    - hook: {command: reload}\n"
                 "    - acm: {profile: a, region: us-gov-west-1}\n"
                 "certificates:\n"
                 "  - a.test\n"
                 "  - domains: b.test\n"
                 "    deploy:\n"
                 "      - acm: {arn: \"" ARN "\"}\n"
                 "      - acm: {}\n"
                 "  - domains: c.test\n"
                 "    deploy: []\n");
    const struct manifest *manifest = &reading.manifest;
    CHECK_INT(manifest->count, 3);
    CHECK(manifest->has_acm);
    const struct deploy_acm *first = manifest->entries[0].acm;
    CHECK_TEXT(first->profile, "a");
    CHECK_TEXT(first->region, "us-east-1");
    CHECK(first->arn == NULL);
    CHECK_INT(first->line, 4);
    CHECK_INT(first->tag_count, 2);
    CHECK_TEXT(first->tags[0].key, "team");
    CHECK_TEXT(first->tags[0].value, "web");
    CHECK_TEXT(first->tags[1].key, "x");
    CHECK_TEXT(first->tags[1].value, "");
    const struct deploy_acm *second = first->next;
    CHECK(second->profile == first->profile);
    CHECK_TEXT(second->region, "us-gov-west-1");
    CHECK_INT(second->tag_count, 0);
    CHECK(second->next == NULL);
    CHECK_TEXT(manifest->entries[0].deploy->command[2], "reload");
    CHECK(manifest->entries[0].deploy->next == NULL);

    const struct deploy_acm *own = manifest->entries[1].acm;
    CHECK(manifest->entries[1].deploy == NULL);
    CHECK(own->profile == NULL);
    CHECK_TEXT(own->arn, ARN);
    CHECK_TEXT(own->region, "eu-west-1"); /* the ARN's */
    CHECK(own->next->profile == NULL && own->next->region == NULL && own->next->arn == NULL);
    CHECK(manifest->entries[2].acm == NULL && manifest->entries[2].deploy == NULL);
    reading_free(&reading);
}

static void settings_have_acms_own_limits(void)
{
    struct reading reading;
    reading_make(&reading, "version: 1\ncertificates: [a.test]\n");
    CHECK(!reading.manifest.has_acm);
    CHECK(reading.manifest.aws.imports_per_second == 1);
    CHECK_INT(reading.manifest.aws.imports_per_year, 5000);
    CHECK_INT(reading.manifest.aws.certificates_limit, 2500);
    CHECK(reading.manifest.aws.drift);
    reading_free(&reading);
    reading_make(&reading, "version: 1\n"
                           "aws: {imports-per-second: 0.25, imports-per-year: 20000,"
                           " certificates-limit: 9000, drift: false, accounts-profile: scm}\n"
                           "certificates: [a.test]\n");
    CHECK(reading.manifest.aws.imports_per_second == 0.25);
    CHECK_INT(reading.manifest.aws.imports_per_year, 20000);
    CHECK_INT(reading.manifest.aws.certificates_limit, 9000);
    CHECK(!reading.manifest.aws.drift);
    CHECK_TEXT(reading.manifest.aws.accounts_profile, "scm");
    reading_free(&reading);
}

static const struct test tests[] = {
    TEST(targets_are_read_and_inherited),
    TEST(settings_have_acms_own_limits),
};

TESTS_MAIN(tests)
