/* engine/deploy/acm_deployer when calls fail, answers are lost, and runs end before their end. */
#include "acm_world.h"

static void throttled_import_goes_on_later(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_THROTTLE, 0, 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.counts.throttled, 1);
    CHECK_INT(world.acm.count, 1);
}

static void lost_answer_makes_no_second_certificate(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_LOST, 0, 1);
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.count, 1);
    CHECK_INT(world.acm.imports, 1);
    CHECK_TEXT(rows().arn, held(0)->arn);
    CHECK_INT(rows().sequence, 1);
}

static void answer_that_was_an_error_is_repeated(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_ERROR, 0, 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 1);
}

/* As a run that was killed between the import and its note in the state leaves it. */
static void intend(const char *name)
{
    state_put_ok(world.state, (struct state_change){.kind = STATE_IMPORT_INTENDED,
                                                    .import = {.name = name,
                                                               .profile = "one",
                                                               .region = REGION,
                                                               .given_arn = "",
                                                               .account = ACCOUNT,
                                                               .arn = "",
                                                               .serial = "",
                                                               .last_error = "",
                                                               .attempted_at = clock_unix()}});
}

static void import_that_a_crash_lost_is_found_by_its_serial(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    issue("other", 1);
    struct manifest_entry other = entry_of("other", &one);
    CHECK_ADDED(&other, 1, 1);
    CHECK_ADDED(&entry, 1, 1);
    struct state_change gone = {.kind = STATE_IMPORT_GONE,
                                .import = {.name = "www",
                                           .profile = "one",
                                           .region = REGION,
                                           .given_arn = "",
                                           .account = "",
                                           .arn = "",
                                           .serial = "",
                                           .last_error = ""}};
    state_put_ok(world.state, gone);
    intend("www");
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.count, 2);
    CHECK_TEXT(rows().arn, held(1)->arn);
}

static void import_that_a_crash_lost_is_found_by_its_tag(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    state_put_ok(world.state, (struct state_change){.kind = STATE_IMPORT_GONE,
                                                    .import = {.name = "www",
                                                               .profile = "one",
                                                               .region = REGION,
                                                               .given_arn = "",
                                                               .account = "",
                                                               .arn = "",
                                                               .serial = "",
                                                               .last_error = ""}});
    intend("www");
    /* issued anew since, so that the serial is another */
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(world.acm.count, 1);
    CHECK(world.acm.tag_lists > 0);
    check_held(0, "www", 2);
}

static void certificate_of_another_name_is_not_taken_for_a_lost_one(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    struct fake_held *foreign = fake_new(&world.acm, ACCOUNT, REGION);
    snprintf(foreign->names, sizeof foreign->names, "\"a.example\",\"b.example\"");
    snprintf(foreign->serial, sizeof foreign->serial, "01");
    snprintf(foreign->tag, sizeof foreign->tag, "mail");
    issue("www", 1);
    intend("www");
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 2);
}

static void one_that_fails_stops_no_other(void)
{
    struct deploy_acm second = {.profile = "one", .region = REGION};
    struct deploy_acm first = {.profile = "two", .region = REGION, .next = &second};
    struct manifest_entry entry = entry_of("www", &first);
    issue("www", 1);
    world.acm.down_region = NULL;
    fake_fail(&world.acm, "ImportCertificate", FAKE_DENY, 0, 1);
    const struct report *report = add(&entry, 1);
    CHECK(!report->ok);
    CHECK_INT(report->imports, 1);
    CHECK_CONTAINS(report->error, "acm:ImportCertificate");
    CHECK_INT(world.counts.failed, 1);
    CHECK_INT(world.counts.imports, 1);
    /* the next run has only the one that failed to do */
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 2);
}

static void region_that_is_down_slows_no_other(void)
{
    struct deploy_acm far = {.profile = "one", .region = REGION_2};
    struct manifest_entry bad = entry_of("bad", &far);
    struct manifest_entry good = entry_of("good", &one);
    issue("bad", 1);
    issue("good", 1);
    world.acm.down_region = REGION_2;
    struct acm_deployer *deployer = deployer_open();
    acm_deployer_add(deployer, &bad, 1);
    acm_deployer_add(deployer, &good, 1);
    deployer_close(deployer);
    CHECK_INT(world.report_count, 2);
    CHECK(world.reports[0].entry == &good && world.reports[0].ok);
    CHECK(world.reports[1].entry == &bad && !world.reports[1].ok);
    CHECK_CONTAINS(world.reports[1].error, REGION_2);
}

static void credentials_that_fail_are_told_and_fail_nothing_that_is_in_place(void)
{
    struct deploy_acm moved = {.profile = "moved", .region = REGION};
    struct manifest_entry entry = entry_of("www", &moved);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    world.acm.deny_identity = true;
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_CONTAINS(world.warnings, "InvalidClientTokenId");
    CHECK_INT(rows().failures, 0);
    issue("www", 2);
    const struct report *report = add(&entry, 2);
    CHECK(!report->ok);
    CHECK_CONTAINS(report->error, "InvalidClientTokenId");
    CHECK_INT(rows().failures, 1);
    CHECK_INT(rows().sequence, 1);
}

static void quota_that_is_used_up_is_told_and_tried_no_more(void)
{
    struct manifest_entry entries[] = {entry_of("a", &one), entry_of("b", &one)};
    issue("a", 1);
    issue("b", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_LIMIT, 0, 99);
    struct acm_deployer *deployer = deployer_open();
    acm_deployer_add(deployer, &entries[0], 1);
    acm_deployer_add(deployer, &entries[1], 1);
    deployer_close(deployer);
    CHECK_INT(world.report_count, 2);
    CHECK(!world.reports[0].ok && !world.reports[1].ok);
    CHECK_CONTAINS(world.reports[1].error, "Service Quotas");
}

static void list_that_fails_hinders_no_import(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ListCertificates", FAKE_DENY, 0, 99);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_CONTAINS(world.warnings, "acm:ListCertificates");
    CHECK(watch(&entry, 1)->entry == NULL);
}

/* ACM limits ListCertificates by itself: what needs no list does not wait for it. */
static void list_that_is_throttled_holds_no_import_up(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    struct manifest_entry other = entry_of("other", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    issue("www", 2);
    issue("other", 1);
    fake_fail(&world.acm, "ListCertificates", FAKE_THROTTLE, 0, 9999);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_ADDED(&other, 1, 1);
    check_held(0, "www", 2);
}

static void list_that_breaks_fails_no_import(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    issue("www", 2);
    fake_fail(&world.acm, "ListCertificates", FAKE_ERROR, 0, 9999);
    CHECK_ADDED(&entry, 2, 1);
    check_held(0, "www", 2);
}

/* What the row says does not count once ACM was seen to hold something else. */
static void mending_that_failed_is_tried_again_without_a_list(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    snprintf(held(0)->serial, sizeof held(0)->serial, "01");
    held(0)->not_after -= 86400;
    fake_fail(&world.acm, "ImportCertificate", FAKE_DENY, 0, 1);
    CHECK(!watch(&entry, 1)->ok);
    CHECK_INT(rows().failures, 1);
    fake_fail(&world.acm, "ListCertificates", FAKE_DENY, 0, 99);
    CHECK_ADDED(&entry, 1, 1);
    check_held(0, "www", 1);
    CHECK_INT(rows().failures, 0);
}

static void interrupt_ends_it_and_the_next_run_goes_on(void)
{
    struct manifest_entry entries[4];
    char names[4][8];
    world.manifest.aws.imports_per_second = 0.001;
    struct acm_deployer *deployer = deployer_open();
    for (size_t i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "c%zu", i);
        issue(names[i], 1);
        entries[i] = entry_of(names[i], &one);
        acm_deployer_add(deployer, &entries[i], 1);
    }
    acm_deployer_close(deployer);
    acm_deployer_interrupt(deployer);
    acm_deployer_finish(deployer);
    acm_deployer_free(deployer);
    CHECK(world.report_count <= 1);
    world.manifest.aws.imports_per_second = 1000;
    deployer = deployer_open();
    for (size_t i = 0; i < 4; i++)
        acm_deployer_add(deployer, &entries[i], 1);
    deployer_close(deployer);
    CHECK_INT(world.report_count, 4);
    CHECK_INT(world.acm.count, 4);
}

static const struct test tests[] = {
    TEST(throttled_import_goes_on_later),
    TEST(lost_answer_makes_no_second_certificate),
    TEST(answer_that_was_an_error_is_repeated),
    TEST(import_that_a_crash_lost_is_found_by_its_serial),
    TEST(import_that_a_crash_lost_is_found_by_its_tag),
    TEST(certificate_of_another_name_is_not_taken_for_a_lost_one),
    TEST(one_that_fails_stops_no_other),
    TEST(region_that_is_down_slows_no_other),
    TEST(credentials_that_fail_are_told_and_fail_nothing_that_is_in_place),
    TEST(quota_that_is_used_up_is_told_and_tried_no_more),
    TEST(list_that_fails_hinders_no_import),
    TEST(list_that_is_throttled_holds_no_import_up),
    TEST(list_that_breaks_fails_no_import),
    TEST(mending_that_failed_is_tried_again_without_a_list),
    TEST(interrupt_ends_it_and_the_next_run_goes_on),
};

WORLD_TESTS_MAIN(tests)
