/* engine/solver/route53_work: what is asked of Route 53 and DNS, against a Route 53 of the tests
 * with a clock of its own. */
#include "route53_jobs.h"

static void value_is_made_and_removed(void)
{
    struct fake *fake = fake_of(NEW_ZONE_1);
    struct solver_job job;
    present(fake, &job, "www.example.com", "v1");
    fake_run(fake);
    check_ok(&job);
    CHECK(fake_has(fake, "Z1", ACME "www.example.com", "\"v1\""));
    CHECK_INT(fake->calls, 3); /* zones, change, wait */
    cleanup(fake, &job);
    fake_run(fake);
    check_ok(&job);
    CHECK_INT(fake->set_count, 0);
    CHECK_INT(fake->calls, 4);
    fake_end(fake);
}

static void wildcard_and_apex_share_a_set(void)
{
    struct fake *fake = fake_of(NEW_ZONE_1);
    struct solver_job jobs[4];
    present(fake, &jobs[0], "example.com", "v1");
    present(fake, &jobs[1], "example.com", "v2");
    fake_run(fake);
    CHECK_INT(fake_find(fake, "Z1", ACME "example.com")->count, 2);
    CHECK_INT(fake->change_calls, 1);
    /* a later one of the same name joins them */
    present(fake, &jobs[2], "example.com", "v3");
    present(fake, &jobs[3], "example.com", "v1");
    fake_run(fake);
    CHECK_INT(fake_find(fake, "Z1", ACME "example.com")->count, 3);
    CHECK_INT(fake->change_calls, 2);
    cleanup(fake, &jobs[0]);
    cleanup(fake, &jobs[1]);
    fake_run(fake);
    check_ok(&jobs[0]);
    CHECK(fake_has(fake, "Z1", ACME "example.com", "\"v1\"")); /* the fourth needs it */
    CHECK(!fake_has(fake, "Z1", ACME "example.com", "\"v2\""));
    CHECK(fake_has(fake, "Z1", ACME "example.com", "\"v3\""));
    cleanup(fake, &jobs[2]);
    cleanup(fake, &jobs[3]);
    fake_run(fake);
    CHECK_INT(fake->set_count, 0);
    CHECK_INT(fake->list_calls, 0);
    fake_end(fake);
}

static void values_of_others_stay(void)
{
    struct fake *fake = fake_of(NEW_ZONE_1);
    struct solver_job job;
    fake_put(fake, "Z1", ACME "example.com", "\"foreign\"");
    fake_put(fake, "Z1", "example.com", "\"v=spf1 -all\"");
    present(fake, &job, "example.com", "v1");
    fake_run(fake);
    check_ok(&job);
    const struct fake_set *set = fake_find(fake, "Z1", ACME "example.com");
    CHECK_INT(set->count, 2);
    CHECK_INT(set->ttl, 300);
    CHECK(fake_has(fake, "Z1", ACME "example.com", "\"foreign\""));
    CHECK_INT(fake->list_calls, 1);
    CHECK_INT(fake->change_calls, 2);
    /* somebody adds another one meanwhile */
    fake_put(fake, "Z1", ACME "example.com", "\"late\"");
    cleanup(fake, &job);
    fake_run(fake);
    check_ok(&job);
    CHECK_INT(fake_find(fake, "Z1", ACME "example.com")->count, 2);
    CHECK(fake_has(fake, "Z1", ACME "example.com", "\"foreign\""));
    CHECK(fake_has(fake, "Z1", ACME "example.com", "\"late\""));
    CHECK_INT(fake->set_count, 2);
    fake_end(fake);
}

static void one_page_tells_of_many_names(void)
{
    enum { COUNT = 40 };
    struct fake *fake = fake_of(NEW_ZONE_1);
    static struct solver_job jobs[COUNT];
    static char domains[COUNT][32];
    for (size_t i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(domains[i], sizeof domains[i], "n%zu.example.com", i);
        snprintf(name, sizeof name, ACME "%s", domains[i]);
        if (i % 2 == 0)
            fake_put(fake, "Z1", name, "\"foreign\"");
        present(fake, &jobs[i], domains[i], "v");
    }
    fake_run(fake);
    for (size_t i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, ACME "%s", domains[i]);
        check_ok(&jobs[i]);
        CHECK(fake_has(fake, "Z1", name, "\"v\""));
        CHECK_INT(fake_find(fake, "Z1", name)->count, i % 2 == 0 ? 2 : 1);
        cleanup(fake, &jobs[i]);
    }
    CHECK_INT(fake->list_calls, 1);
    fake_run(fake);
    CHECK_INT(fake->set_count, COUNT / 2);
    fake_end(fake);
}

static void change_is_as_large_as_aws_takes(void)
{
    enum { COUNT = 1000 };
    struct fake *fake = fake_of(NEW_ZONE_1);
    static struct solver_job jobs[COUNT];
    static char domains[COUNT][32];
    static char values[COUNT][48];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(domains[i], sizeof domains[i], "n%zu.example.com", i);
        snprintf(values[i], sizeof values[i], "%043zu", i);
        present(fake, &jobs[i], domains[i], values[i]);
    }
    fake_run(fake);
    CHECK_INT(fake->returned, COUNT);
    CHECK_INT(fake->change_calls, 2);
    CHECK_INT(fake->changes[0], 32000 / 45);
    CHECK_INT(fake->most_at_once, 1);
    for (size_t i = 0; i < COUNT; i++) {
        check_ok(&jobs[i]);
        cleanup(fake, &jobs[i]);
    }
    fake_run(fake);
    CHECK_INT(fake->set_count, 0);
    CHECK_INT(fake->change_calls, 4);
    fake_end(fake);
}

static void short_values_fill_a_change_by_their_number(void)
{
    enum { COUNT = 1001 };
    struct fake *fake = fake_of(NEW_ZONE_1);
    static struct solver_job jobs[COUNT];
    static char domains[COUNT][32];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(domains[i], sizeof domains[i], "n%zu.example.com", i);
        present(fake, &jobs[i], domains[i], "v");
    }
    fake_run(fake);
    CHECK_INT(fake->change_calls, 2);
    CHECK_INT(fake->changes[0], 1000);
    for (size_t i = 0; i < COUNT; i++)
        cleanup(fake, &jobs[i]);
    fake_run(fake);
    fake_end(fake);
}

/* 1,000 certificates in 10 zones, which trickle in for 10 s. */
static void thousand_certificates_need_few_calls(void)
{
    enum { COUNT = 1000, ZONES = 10 };
    char zones[512] = "";
    for (int i = 0; i < ZONES; i++)
        snprintf(zones + strlen(zones), sizeof zones - strlen(zones), "%sZ%d zone%d.test",
                 i > 0 ? ", " : "", i, i);
    struct fake *fake = fake_of(zones);
    static struct solver_job jobs[COUNT];
    static char domains[COUNT][32];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(domains[i], sizeof domains[i], "n%zu.zone%zu.test", i, i % ZONES);
        present(fake, &jobs[i], domains[i], "v");
        route53_work_tick(fake->work, fake->now_ms += 10);
        while (fake->out_count > 0)
            fake_answer(fake);
    }
    fake_run(fake);
    for (size_t i = 0; i < COUNT; i++) {
        check_ok(&jobs[i]);
        cleanup(fake, &jobs[i]);
        route53_work_tick(fake->work, fake->now_ms += 10);
        CHECK_INT(fake->out_count, 0);
    }
    route53_work_hurry(fake->work);
    fake_run(fake);
    CHECK_INT(fake->returned, 2 * COUNT);
    CHECK_INT(fake->set_count, 0);
    CHECK_INT(fake->zone_calls, ZONES); /* the fake's pages have one each; AWS's have 100 */
    CHECK_INT(fake->calls - fake->zone_calls, 3 * ZONES);
    fake_end(fake);
}

static void requests_keep_to_the_rate(void)
{
    enum { ZONES = 60 };
    static char zones[4096];
    static struct solver_job jobs[ZONES];
    static char domains[ZONES][32];
    zones[0] = '\0';
    for (int i = 0; i < ZONES; i++)
        snprintf(zones + strlen(zones), sizeof zones - strlen(zones), "%sZ%d zone%d.test",
                 i > 0 ? ", " : "", i, i);
    struct fake *fake = fake_of(zones);
    for (size_t i = 0; i < ZONES; i++) {
        snprintf(domains[i], sizeof domains[i], "zone%zu.test", i);
        present(fake, &jobs[i], domains[i], "v");
    }
    fake_run(fake);
    CHECK_INT(fake->calls, 3 * ZONES);
    for (size_t i = 15; i < fake->calls; i++)
        CHECK(fake->sent_ms[i] - fake->sent_ms[i - 15] >= 990);
    route53_work_stop(fake->work, fake->now_ms);
    for (size_t i = 0; i < ZONES; i++)
        check_ok(&jobs[i]);
    fake_end(fake);
}

static void only_the_oldest_change_is_asked_for(void)
{
    struct fake *fake = fake_of("Z1 a.test, Z2 b.test, Z3 c.test");
    struct solver_job jobs[3];
    fake->pending_polls = 4;
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "b.test", "v");
    present(fake, &jobs[2], "c.test", "v");
    int64_t began_ms = fake->now_ms;
    fake_run(fake);
    CHECK_INT(fake->wait_calls, 4 + 3);
    CHECK(fake->now_ms - began_ms >= 1000 + 1000 + 2000 + 3000 + 4000 + 5000);
    for (size_t i = 0; i < 3; i++)
        check_ok(&jobs[i]);
    fake_end(fake);
}

static void longest_suffix_is_the_zone(void)
{
    struct fake *fake =
        fake_of("Z1 example.com, Z2 sub.example.com, Z3 !www.sub.example.com, Z4 ample.com");
    struct solver_job jobs[3];
    present(fake, &jobs[0], "www.sub.example.com", "v");
    present(fake, &jobs[1], "xsub.example.com", "v");
    present(fake, &jobs[2], "www.nowhere.test", "v");
    fake_run(fake);
    CHECK(fake_has(fake, "Z2", ACME "www.sub.example.com", "\"v\""));
    CHECK(fake_has(fake, "Z1", ACME "xsub.example.com", "\"v\""));
    check_failed(&jobs[2], "no public hosted zone for _acme-challenge.www.nowhere.test");
    CHECK_CONTAINS(jobs[2].error.text, " has ample.com, sub.example.com, ");
    CHECK(strstr(jobs[2].error.text, "www.sub.example.com") == NULL);
    fake_end(fake);
}

static void zones_of_one_name_are_told_apart_by_id(void)
{
    struct fake *fake = fake_of("Z1 example.com, Z2 example.com");
    struct solver_job job;
    present(fake, &job, "example.com", "v");
    fake_run(fake);
    check_failed(&job, "several public hosted zones named example.com (");
    CHECK_CONTAINS(job.error.text, "Z1");
    CHECK_CONTAINS(job.error.text, "Z2");
    fake_end(fake);
    const struct route53_zone zone = {.name = "example.com", .id = "Z2"};
    const struct manifest_route53 manifest = {.given = true, .zones = &zone};
    fake = fake_new("Z1 example.com, Z2 example.com");
    fake_begin(fake, &manifest, NULL);
    present(fake, &job, "example.com", "v");
    fake_run(fake);
    check_ok(&job);
    CHECK(fake_has(fake, "Z2", ACME "example.com", "\"v\""));
    fake_end(fake);
}

static void zone_of_another_account_is_used(void)
{
    const struct route53_zone given = {.name = "b.test", .id = "Z8", .profile = "third"};
    const struct route53_zone zone = {
        .name = "a.test", .profile = "other", .next = (struct route53_zone *)&given};
    const struct manifest_route53 manifest = {.given = true, .profile = "dns", .zones = &zone};
    struct fake *fake = fake_new("Z1 test");
    struct solver_job jobs[3];
    fake->other_zones = "Z9 a.test, Z7 b.a.test";
    fake_begin(fake, &manifest, NULL);
    present(fake, &jobs[0], "x.a.test", "v");
    present(fake, &jobs[1], "b.test", "v");
    present(fake, &jobs[2], "c.test", "v");
    fake_run(fake);
    for (size_t i = 0; i < 3; i++)
        check_ok(&jobs[i]);
    CHECK(fake_has(fake, "Z9", ACME "x.a.test", "\"v\""));
    CHECK(fake_has(fake, "Z8", ACME "b.test", "\"v\""));
    CHECK(fake_has(fake, "Z1", ACME "c.test", "\"v\""));
    fake_end(fake);
}

static void zone_by_id_needs_no_list(void)
{
    const struct route53_zone zone = {.name = "a.test", .id = "Z9"};
    const struct manifest_route53 manifest = {.given = true, .zones = &zone};
    struct fake *fake = fake_new("");
    struct solver_job jobs[2];
    fake_begin(fake, &manifest, NULL);
    fake_fail(fake, "/hostedzone", AWS_DENIED, false, 1);
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "b.test", "v");
    fake_run(fake);
    check_ok(&jobs[0]);
    check_failed(&jobs[1], "finding the hosted zones in Route 53: AWS said no");
    fake_end(fake);
}

static void cnames_are_followed(void)
{
    struct fake *fake = fake_of("Z1 dns.test, Z2 example.com");
    struct solver_job jobs[3];
    fake->cnames = ACME "a.example.com one.test, one.test Two.DNS.test., " ACME
                        "b.example.com " ACME "b.example.com, " ACME "c.example.com nowhere.org";
    present(fake, &jobs[0], "a.example.com", "v");
    present(fake, &jobs[1], "b.example.com", "v");
    present(fake, &jobs[2], "c.example.com", "v");
    fake_run(fake);
    check_ok(&jobs[0]);
    CHECK(fake_has(fake, "Z1", "two.dns.test", "\"v\""));
    check_failed(&jobs[1], "lead in a circle");
    check_failed(&jobs[2], "nowhere.org, where CNAMEs lead from _acme-challenge.c.example.com");
    cleanup(fake, &jobs[0]);
    fake_run(fake);
    check_ok(&jobs[0]);
    CHECK_INT(fake->set_count, 0);
    fake_end(fake);
}

static void too_many_cnames_are_refused(void)
{
    struct fake *fake = fake_of("Z1 test");
    struct solver_job jobs[2];
    fake->cnames = ACME "a.test 1.test, 1.test 2.test, 2.test 3.test, 3.test 4.test, 4.test "
                        "5.test, 5.test 6.test, 6.test 7.test, 7.test 8.test, 8.test 9.test";
    present(fake, &jobs[0], "a.test", "v");
    fake_run(fake);
    check_failed(&jobs[0], "go on after 8 names");
    /* eight are followed */
    fake->cnames = ACME "b.test 1.test, 1.test 2.test, 2.test 3.test, 3.test 4.test, 4.test "
                        "5.test, 5.test 6.test, 6.test 7.test, 7.test 8.test";
    present(fake, &jobs[1], "b.test", "v");
    fake_run(fake);
    check_ok(&jobs[1]);
    CHECK(fake_has(fake, "Z1", "8.test", "\"v\""));
    fake_end(fake);
}

static void two_domains_may_lead_to_one_name(void)
{
    struct fake *fake = fake_of("Z1 dns.test");
    struct solver_job jobs[2];
    fake->cnames = ACME "a.test x.dns.test, " ACME "b.test x.dns.test";
    present(fake, &jobs[0], "a.test", "v1");
    present(fake, &jobs[1], "b.test", "v2");
    fake_run(fake);
    CHECK_INT(fake_find(fake, "Z1", "x.dns.test")->count, 2);
    cleanup(fake, &jobs[0]);
    fake_run(fake);
    CHECK(fake_has(fake, "Z1", "x.dns.test", "\"v2\""));
    CHECK_INT(fake_find(fake, "Z1", "x.dns.test")->count, 1);
    cleanup(fake, &jobs[1]);
    fake_run(fake);
    CHECK_INT(fake->set_count, 0);
    fake_end(fake);
}

static void without_dns_the_name_itself_is_taken(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job jobs[2];
    fake->dns_problem = "query timed out";
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "b.test", "v");
    fake_run(fake);
    check_ok(&jobs[0]);
    check_failed(&jobs[1], "query timed out");
    fake_end(fake);
}

static const struct test tests[] = {
    TEST(value_is_made_and_removed),
    TEST(wildcard_and_apex_share_a_set),
    TEST(values_of_others_stay),
    TEST(one_page_tells_of_many_names),
    TEST(change_is_as_large_as_aws_takes),
    TEST(short_values_fill_a_change_by_their_number),
    TEST(thousand_certificates_need_few_calls),
    TEST(requests_keep_to_the_rate),
    TEST(only_the_oldest_change_is_asked_for),
    TEST(longest_suffix_is_the_zone),
    TEST(zones_of_one_name_are_told_apart_by_id),
    TEST(zone_of_another_account_is_used),
    TEST(zone_by_id_needs_no_list),
    TEST(cnames_are_followed),
    TEST(too_many_cnames_are_refused),
    TEST(two_domains_may_lead_to_one_name),
    TEST(without_dns_the_name_itself_is_taken),
};
TESTS_MAIN(tests)
