/* engine/deploy/acm_deployer: imports into a small ACM, run after run over one state. */
#include "acm_world.h"

static void first_import_makes_one_and_notes_its_arn(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 1);
    CHECK_TEXT(held(0)->tag, "www");
    check_held(0, "www", 1);
    struct seen row = rows();
    CHECK_INT(row.rows, 1);
    CHECK_TEXT(row.arn, held(0)->arn);
    CHECK_TEXT(row.account, ACCOUNT);
    CHECK_INT(row.sequence, 1);
    CHECK_INT(world.counts.imports, 1);
    CHECK_TEXT(world.warnings, "");
}

static void renewal_keeps_the_arn(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(world.acm.count, 1);
    CHECK_INT(held(0)->imports, 2);
    check_held(0, "www", 2);
    CHECK_INT(rows().sequence, 2);
    CHECK_TEXT(rows().arn, held(0)->arn);
}

static void unchanged_content_is_not_sent(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.imports, 1);
    CHECK_INT(world.counts.unchanged, 1);
}

static void unchanged_one_is_watched_without_a_call_of_its_own(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_INT(world.acm.describes, 0);
    CHECK_INT(rows().imported_at, world.acm.now);
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_INT(world.acm.describes, 0);
    CHECK_INT(world.acm.imports, 1);
}

static void many_go_to_many_accounts_and_regions(void)
{
    struct deploy_acm fourth = {.profile = NULL, .region = NULL};
    struct deploy_acm third = {.profile = "two", .region = REGION_2, .next = &fourth};
    struct deploy_acm second = {.profile = "two", .region = REGION, .next = &third};
    struct deploy_acm first = {.profile = "one", .region = REGION_2, .next = &second};
    struct manifest_entry entries[8];
    char names[8][8];
    struct acm_deployer *deployer = deployer_open();
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "c%zu", i);
        issue(names[i], 1);
        entries[i] = entry_of(names[i], &first);
        acm_deployer_add(deployer, &entries[i], 1);
    }
    deployer_close(deployer);
    CHECK_INT(world.report_count, 8);
    for (size_t i = 0; i < 8; i++) {
        CHECK_TEXT(world.reports[i].error, "");
        CHECK_INT(world.reports[i].imports, 4);
    }
    CHECK_INT(world.acm.count, 32);
    CHECK_INT(world.acm.lists, 4);
    CHECK_INT(world.acm.identities, 3);
    CHECK_INT(rows().rows, 32);
}

static void entry_without_targets_is_done(void)
{
    struct manifest_entry entry = entry_of("www", NULL);
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.calls, 0);
}

static void drift_is_found_and_mended(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    issue("other", 7);
    CHECK_ADDED(&entry, 1, 1);
    CHECK(watch(&entry, 1)->entry == NULL);
    snprintf(held(0)->serial, sizeof held(0)->serial, "0b:ad");
    held(0)->not_after += 5;
    const struct report *report = watch(&entry, 1);
    CHECK(report->ok && report->entry == &entry);
    CHECK_INT(report->imports, 1);
    CHECK_CONTAINS(world.warnings, "holds another certificate (serial 0bad");
    CHECK_INT(world.counts.repaired, 1);
    check_held(0, "www", 1);
    CHECK_INT(world.acm.count, 1);
}

static void certificate_of_the_same_dates_is_told_by_when_it_was_imported(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK(watch(&entry, 1)->entry == NULL);
    snprintf(held(0)->serial, sizeof held(0)->serial, "0b:ad");
    held(0)->imported_at += 1000;
    CHECK_INT(watch(&entry, 1)->imports, 1);
    CHECK_CONTAINS(world.warnings, "0bad");
}

static void drift_is_left_alone_when_not_wanted(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    held(0)->not_after += 5;
    world.manifest.aws.drift = false;
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_INT(world.acm.imports, 1);
}

static void deleted_one_is_imported_as_new(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    held(0)->deleted = true;
    CHECK_INT(watch(&entry, 1)->imports, 1);
    CHECK_CONTAINS(world.warnings, "was deleted in ACM");
    CHECK_CONTAINS(world.warnings, held(0)->arn);
    CHECK_INT(world.acm.count, 2);
    CHECK_INT(rows().rows, 1);
    CHECK_TEXT(rows().arn, held(1)->arn);
    CHECK_TEXT(held(1)->tag, "www");
}

static void given_arn_is_adopted(void)
{
    issue("www", 1);
    struct fake_held *foreign = fake_new(&world.acm, ACCOUNT, REGION);
    snprintf(foreign->serial, sizeof foreign->serial, "01");
    snprintf(foreign->names, sizeof foreign->names, "\"a.example\",\"gone.example\"");
    struct deploy_acm target = {.profile = "one", .region = REGION, .arn = foreign->arn};
    struct manifest_entry entry = entry_of("www", &target);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 1);
    check_held(0, "www", 1);
    CHECK_CONTAINS(world.warnings, "gone.example");
    CHECK_TEXT(rows().arn, foreign->arn);
    CHECK_ADDED(&entry, 1, 0);
}

static void given_arn_that_holds_it_already_is_only_noted(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    struct deploy_acm target = {.profile = "one", .region = REGION, .arn = held(0)->arn};
    struct manifest_entry given = entry_of("www", &target);
    CHECK_ADDED(&given, 1, 0);
    CHECK_INT(rows().rows, 2);
    CHECK_INT(world.acm.imports, 1);
}

static void check_refused(const struct manifest_entry *entry, const char *words)
{
    const struct report *report = add(entry, 1);
    CHECK(!report->ok && report->entry == entry);
    CHECK_CONTAINS(report->error, words);
    CHECK(rows().error[0] != 0 && rows().failures > 0);
    CHECK_INT(world.counts.failed, 1);
    CHECK_INT(world.acm.imports, 0);
}

static void given_arn_that_cannot_be_taken_is_an_error(void)
{
    issue("www", 1);
    struct deploy_acm target = {.profile = "one",
                                .region = REGION,
                                .arn = "arn:aws:acm:us-east-1:" ACCOUNT ":certificate/none"};
    struct manifest_entry entry = entry_of("www", &target);
    check_refused(&entry, "is not there: correct `arn`");
    target.arn = "arn:aws:acm:us-east-1:" ACCOUNT_2 ":certificate/none";
    check_refused(&entry, "of account " ACCOUNT_2);
    target.arn = "arn:aws:acm:eu-west-1:" ACCOUNT ":certificate/none";
    check_refused(&entry, "of region eu-west-1");
    struct fake_held *issued = fake_new(&world.acm, ACCOUNT, REGION);
    snprintf(issued->type, sizeof issued->type, "AMAZON_ISSUED");
    target.arn = issued->arn;
    check_refused(&entry, "AMAZON_ISSUED");
}

static void given_arn_of_another_certificate_is_an_error(void)
{
    struct manifest_entry entries[2] = {entry_of("www", &one)};
    world.manifest.entries = entries;
    world.manifest.count = 2;
    issue("www", 1);
    issue("new", 1);
    CHECK_ADDED(&entries[0], 1, 1);
    struct deploy_acm given = {.profile = "one", .region = REGION, .arn = held(0)->arn};
    entries[1] = entry_of("new", &given);
    const struct report *report = add(&entries[1], 1);
    CHECK(!report->ok && report->imports == 0);
    CHECK_CONTAINS(report->error, "is what www is imported to");
    check_held(0, "www", 1);
    /* renamed: nothing of the manifest has it */
    entries[0].name = "old";
    CHECK_ADDED(&entries[1], 1, 1);
    check_held(0, "new", 1);
    CHECK_INT(world.acm.count, 1);
}

static void what_acm_would_refuse_is_not_sent(void)
{
    issue_until("www", 1, "DNS:a.example,DNS:b.example", clock_unix() - 10);
    struct manifest_entry entry = entry_of("www", &one);
    check_refused(&entry, "expired");
    CHECK_CONTAINS(world.reports[0].error, "not sent to ACM");
    CHECK_INT(rows().failures, 1);
    /* and the next try is none that was lost */
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(rows().failures, 0);
}

static void quotas_are_warned_of(void)
{
    struct manifest_entry entries[] = {entry_of("a", &one), entry_of("b", &one),
                                       entry_of("c", &one)};
    world.manifest.aws.certificates_limit = 3;
    world.manifest.aws.imports_per_year = 2;
    for (size_t i = 0; i < 3; i++) {
        issue(entries[i].name, 1);
        CHECK_ADDED(&entries[i], 1, 1);
        if (i == 0)
            CHECK_TEXT(world.warnings, "");
    }
    CHECK_CONTAINS(world.warnings, "3 of 3 imported certificates are there: ACM may refuse more");
    CHECK_CONTAINS(world.warnings, "3 of 2 imports of 365 days");
}

static void renamed_profile_takes_its_rows_along(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    struct deploy_acm again = {.profile = "again", .region = REGION};
    struct manifest_entry renamed = entry_of("www", &again);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_ADDED(&renamed, 1, 0);
    CHECK_INT(rows().rows, 1);
    CHECK_TEXT(rows().profile, "again");
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(rows().rows, 1);
    CHECK_INT(world.acm.count, 1);
}

static void an_arn_stays_when_the_manifest_gives_it_no_more(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    struct deploy_acm given = {.profile = "one", .region = REGION, .arn = held(0)->arn};
    struct manifest_entry fixed = entry_of("www", &given);
    issue("www", 2);
    CHECK_ADDED(&fixed, 2, 1);
    issue("www", 3);
    CHECK_ADDED(&entry, 3, 1);
    CHECK_INT(world.acm.count, 1);
    check_held(0, "www", 3);
}

/* As it is after an adoption by the manifest: there is no row without the given ARN. */
static void a_given_arn_leaves_its_row(void)
{
    struct manifest_entry other = entry_of("other", &one);
    issue("other", 1);
    CHECK_ADDED(&other, 1, 1);
    struct deploy_acm given = {.profile = "one", .region = REGION, .arn = held(0)->arn};
    struct manifest_entry fixed = entry_of("www", &given);
    issue("www", 1);
    CHECK_ADDED(&fixed, 1, 1);
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(world.acm.count, 1);
    check_held(0, "www", 2);
}

static void profile_of_another_account_is_a_new_target(void)
{
    struct deploy_acm moved = {.profile = "moved", .region = REGION};
    struct manifest_entry entry = entry_of("www", &moved);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    profiles_open(ACCOUNT_2);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_CONTAINS(world.warnings, "was of account " ACCOUNT " and is now of " ACCOUNT_2);
    CHECK_INT(world.acm.count, 2);
    CHECK_INT(rows().rows, 1);
    CHECK_TEXT(rows().account, ACCOUNT_2);
    CHECK_TEXT(rows().arn, held(1)->arn);
}

/* As AWS_REGION in a cron job differs from the one in a shell. */
static void profile_of_another_region_is_a_new_target(void)
{
    struct deploy_acm anywhere = {0};
    struct manifest_entry entry = entry_of("www", &anywhere);
    struct error error;
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    aws_profiles_free(world.profiles);
    CHECK_OK(file_write(world.config,
                        span_of("[default]\nregion = " REGION_2 "\naws_access_key_id = AKIA" ACCOUNT
                                "\naws_secret_access_key = s\n"),
                        0600, &error),
             error);
    CHECK_OK(aws_profiles_new(&(struct aws_environment){.get = env_get}, &world.profiles, &error),
             error);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_CONTAINS(world.warnings, "was of region " REGION " and is now of " REGION_2);
    CHECK_INT(world.acm.count, 2);
    CHECK_TEXT(held(1)->region, REGION_2);
    CHECK_TEXT(rows().arn, held(1)->arn);
    CHECK_INT(held(0)->imports, 1);
}

static void targets_are_checked_before_anything_is_sent(void)
{
    struct deploy_acm second = {.profile = "nobody", .region = REGION, .line = 9};
    struct deploy_acm first = {.profile = "one", .line = 8, .next = &second};
    struct manifest_entry entries[] = {entry_of("a", &first), entry_of("b", &first)};
    struct error error;
    world.manifest.entries = entries;
    world.manifest.count = 2;
    world.manifest.file = "m.yaml";
    CHECK(!acm_targets_check(&world.manifest, world.profiles, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "m.yaml:8: ");
    CHECK_CONTAINS(error.text, "; m.yaml:9: ");
    CHECK_CONTAINS(error.text, "nobody");
    entries[0].acm = entries[1].acm = &one;
    CHECK_OK(acm_targets_check(&world.manifest, world.profiles, &error), error);
    CHECK_INT(world.acm.calls, 0);
    world.manifest.entries = NULL;
}

static const struct test tests[] = {
    TEST(first_import_makes_one_and_notes_its_arn),
    TEST(renewal_keeps_the_arn),
    TEST(unchanged_content_is_not_sent),
    TEST(unchanged_one_is_watched_without_a_call_of_its_own),
    TEST(many_go_to_many_accounts_and_regions),
    TEST(entry_without_targets_is_done),
    TEST(drift_is_found_and_mended),
    TEST(certificate_of_the_same_dates_is_told_by_when_it_was_imported),
    TEST(drift_is_left_alone_when_not_wanted),
    TEST(deleted_one_is_imported_as_new),
    TEST(given_arn_is_adopted),
    TEST(given_arn_that_holds_it_already_is_only_noted),
    TEST(given_arn_that_cannot_be_taken_is_an_error),
    TEST(given_arn_of_another_certificate_is_an_error),
    TEST(what_acm_would_refuse_is_not_sent),
    TEST(quotas_are_warned_of),
    TEST(renamed_profile_takes_its_rows_along),
    TEST(an_arn_stays_when_the_manifest_gives_it_no_more),
    TEST(a_given_arn_leaves_its_row),
    TEST(profile_of_another_account_is_a_new_target),
    TEST(profile_of_another_region_is_a_new_target),
    TEST(targets_are_checked_before_anything_is_sent),
};

WORLD_TESTS_MAIN(tests)
