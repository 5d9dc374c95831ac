/* engine/solver/route53_work: refusals, lost answers, ends of runs, and what crashed runs leave. */
#include "route53_jobs.h"
#include "state_folder.h"

static void bad_record_fails_alone(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job jobs[4];
    present(fake, &jobs[0], "1.a.test", "v");
    present(fake, &jobs[1], "refused.a.test", "v");
    present(fake, &jobs[2], "2.a.test", "v");
    present(fake, &jobs[3], "3.a.test", "v");
    fake_run(fake);
    check_ok(&jobs[0]);
    check_failed(&jobs[1], "Route 53 refuses _acme-challenge.refused.a.test: RRSet of type TXT");
    check_ok(&jobs[2]);
    check_ok(&jobs[3]);
    CHECK_INT(fake->set_count, 3);
    fake_end(fake);
}

static void refusal_without_a_name_is_found_by_halves(void)
{
    enum { COUNT = 16 };
    struct fake *fake = fake_of("Z1 a.test");
    static struct solver_job jobs[COUNT];
    static char domains[COUNT][32];
    fake->faults[0] =
        (struct fake_fault){.path = "/rrset/", .outcome = AWS_INVALID, .body = "<x/>", .times = 3};
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(domains[i], sizeof domains[i], "n%zu.a.test", i);
        present(fake, &jobs[i], domains[i], "v");
    }
    fake_run(fake);
    CHECK_INT(fake->set_count, COUNT);
    CHECK_INT(fake->changes[0], 2); /* 16, 8, 4 were refused */
    for (size_t i = 0; i < COUNT; i++)
        check_ok(&jobs[i]);
    fake_end(fake);
}

static void record_with_a_routing_policy_is_left_alone(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job job;
    fake_put(fake, "Z1", ACME "a.test", "\"w\"")->weighted = true;
    present(fake, &job, "a.test", "v");
    fake_run(fake);
    check_failed(&job, "routing policy");
    CHECK_INT(fake->set_count, 1);
    fake_end(fake);
}

static void passing_trouble_is_sat_out(void)
{
    static const enum aws_outcome outcomes[] = {AWS_THROTTLED, AWS_BUSY, AWS_FAILED,
                                                AWS_UNREACHABLE, AWS_UNCLEAR};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        struct fake *fake = fake_of("Z1 a.test");
        struct solver_job jobs[2];
        for (size_t k = 0; k < 2; k++)
            fake_fail(fake, k == 0 ? "/2013-04-01/hostedzone" : "/change/", outcomes[i], false, 3);
        present(fake, &jobs[0], "a.test", "v");
        present(fake, &jobs[1], "b.a.test", "v");
        fake_run(fake);
        check_ok(&jobs[0]);
        check_ok(&jobs[1]);
        fake_fail(fake, "/rrset/", outcomes[i], false, 3);
        cleanup(fake, &jobs[0]);
        cleanup(fake, &jobs[1]);
        fake_run(fake);
        check_ok(&jobs[0]);
        check_ok(&jobs[1]);
        CHECK_INT(fake->set_count, 0);
        fake_end(fake);
    }
}

/* The change was made, its answer was lost: there must be a change to wait for all the same. */
static void lost_answer_is_cleared_up(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job jobs[2];
    fake_fail(fake, "/rrset/", AWS_UNCLEAR, true, 1);
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "b.a.test", "v");
    fake_run(fake);
    check_ok(&jobs[0]);
    check_ok(&jobs[1]);
    CHECK_INT(fake->list_calls, 1);
    CHECK_INT(fake->change_calls, 2);
    CHECK_INT(fake->wait_calls, 1);
    CHECK_CONTAINS(fake->last_body, "UPSERT");
    fake_fail(fake, "/rrset/", AWS_FAILED, true, 1);
    cleanup(fake, &jobs[0]);
    cleanup(fake, &jobs[1]);
    fake_run(fake);
    check_ok(&jobs[0]);
    check_ok(&jobs[1]);
    CHECK_INT(fake->set_count, 0);
    fake_end(fake);
}

static void lasting_trouble_ends_with_the_time(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job job;
    fake_fail(fake, "/rrset/", AWS_THROTTLED, false, UINT32_MAX);
    present(fake, &job, "a.test", "v");
    int64_t began_ms = fake->now_ms;
    fake_run(fake);
    check_failed(&job, "AWS said no to /2013-04-01/hostedzone/Z1/rrset/");
    CHECK(fake->now_ms - began_ms >= 300000);
    CHECK(fake->now_ms - began_ms < 340000);
    CHECK(fake->calls < 40);
    fake_end(fake);
}

static void denied_change_fails_its_jobs_at_once(void)
{
    struct fake *fake = fake_of("Z1 a.test, Z2 b.test");
    struct solver_job jobs[2];
    fake_fail(fake, "/Z1/rrset/", AWS_DENIED, false, UINT32_MAX);
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "b.test", "v");
    int64_t began_ms = fake->now_ms;
    fake_run(fake);
    check_failed(&jobs[0], "AWS said no");
    check_ok(&jobs[1]);
    CHECK(fake->now_ms - began_ms < 5000);
    fake_end(fake);
}

static void change_that_never_gets_there_is_taken_back(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job job;
    fake->pending_polls = UINT32_MAX;
    present(fake, &job, "a.test", "v");
    fake_run(fake);
    check_failed(&job, "has not brought the change to all of its servers in 300 s");
    CHECK_INT(fake->set_count, 0);
    CHECK(fake->wait_calls < 70);
    fake_end(fake);
}

static void stop_takes_back_what_was_made(void)
{
    struct fake *fake = fake_of("Z1 a.test, Z2 b.test");
    struct solver_job jobs[4];
    fake->pending_polls = UINT32_MAX;
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "b.test", "v");
    while (fake->wait_calls == 0)
        CHECK(fake_step(fake));
    present(fake, &jobs[2], "c.a.test", "v"); /* is gathered */
    route53_work_stop(fake->work, fake->now_ms);
    present(fake, &jobs[3], "d.a.test", "v");
    fake_run(fake);
    for (size_t i = 0; i < 4; i++) {
        check_failed(&jobs[i], "the run is ending");
        CHECK(jobs[i].error.kind == ERROR_CANCELLED);
    }
    CHECK_INT(fake->set_count, 0);
    CHECK_INT(fake->change_calls, 4);
    fake_end(fake);
}

static void stop_waits_for_the_change_that_is_out(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job job;
    present(fake, &job, "a.test", "v");
    while (fake->out_count == 0 || strstr(fake->out[0].path, "/rrset/") == NULL) {
        if (fake->out_count > 0)
            fake_answer(fake);
        route53_work_tick(fake->work, fake->now_ms += 10);
    }
    route53_work_stop(fake->work, fake->now_ms);
    fake_run(fake);
    check_failed(&job, "the run is ending");
    CHECK_INT(fake->change_calls, 2);
    CHECK_INT(fake->set_count, 0);
    fake_end(fake);
}

static void stop_does_not_wait_for_ever(void)
{
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job job;
    present(fake, &job, "a.test", "v");
    fake_run(fake);
    check_ok(&job);
    fake_fail(fake, "/rrset/", AWS_FAILED, false, UINT32_MAX);
    cleanup(fake, &job);
    route53_work_stop(fake->work, fake->now_ms);
    int64_t began_ms = fake->now_ms;
    fake_run(fake);
    CHECK(!job.ok && job.owner == NULL);
    CHECK(fake->now_ms - began_ms <= 300000);
    fake_end(fake);
}

static bool row_count(void *context, const struct state_record *row)
{
    size_t *count = context;
    CHECK_TEXT(row->name, "www");
    CHECK_TEXT(row->solver, "route53/Z1/dns");
    ++*count;
    return true;
}

static size_t rows_of(struct state *state)
{
    size_t count = 0;
    struct error error;
    CHECK_OK(state_records(state, row_count, &count, &error), error);
    return count;
}

static void rows_come_before_records_and_go_after_them(void)
{
    const struct manifest_route53 manifest = {.given = true, .profile = "dns"};
    struct place place;
    place_make(&place);
    struct state *state = start_state(&place);
    struct fake *fake = fake_new("Z1 a.test");
    struct solver_job jobs[2];
    fake_begin(fake, &manifest, state);
    present(fake, &jobs[0], "a.test", "v");
    present(fake, &jobs[1], "refused.a.test", "v");
    while (fake->change_calls == 0) {
        CHECK_INT(rows_of(state), fake->out_count > 0 && fake->zone_calls > 0 ? 2 : 0);
        CHECK(fake_step(fake));
    }
    CHECK_INT(rows_of(state), 2);
    fake_run(fake);
    CHECK_INT(rows_of(state), 1); /* what was refused is not there */
    cleanup(fake, &jobs[0]);
    fake_run(fake);
    check_ok(&jobs[0]);
    CHECK_INT(rows_of(state), 0);
    fake_end(fake);
    state_close(state);
    place_remove(&place);
}

static struct dns_record row(const char *solver, const char *fqdn, const char *value)
{
    return (struct dns_record){
        .solver = solver, .certificate = "www", .fqdn = fqdn, .value = value};
}

static void leftovers_are_removed_in_few_calls(void)
{
    struct fake *fake = fake_of("");
    fake_put(fake, "Z1", ACME "a.test", "\"1\"")->ttl = 10;
    fake_put(fake, "Z1", ACME "a.test", "\"2\"");
    fake_put(fake, "Z1", ACME "b.test", "\"1\"")->ttl = 10;
    fake_put(fake, "Z2", ACME "c.test", "\"1\"")->ttl = 10;
    struct dns_record rows[] = {
        row("route53/Z1/", ACME "a.test", "1"), row("route53/Z1/", ACME "a.test", "2"),
        row("route53/Z1/", ACME "b.test", "1"), row("route53/Z2/dns", ACME "c.test", "1")};
    for (size_t i = 0; i < 4; i++)
        route53_work_remove(fake->work, &rows[i], fake->now_ms);
    fake_run(fake);
    for (size_t i = 0; i < 4; i++)
        CHECK_OK(rows[i].ok, rows[i].error);
    CHECK_INT(fake->set_count, 0);
    CHECK_INT(fake->calls, 2);
    fake_end(fake);
}

static void leftovers_that_are_gone_or_changed_do_no_harm(void)
{
    struct fake *fake = fake_of("");
    fake_put(fake, "Z1", ACME "a.test", "\"1\"");
    fake_put(fake, "Z1", ACME "a.test", "\"foreign\"");
    struct dns_record rows[] = {
        row("route53/Z1/", ACME "a.test", "1"),
        row("route53/Z1/", ACME "b.test", "1"),
        row("route53/Z?/", ACME "c.test", "1"),
        row("route53/", ACME "c.test", "1"),
    };
    for (size_t i = 0; i < 4; i++)
        route53_work_remove(fake->work, &rows[i], fake->now_ms);
    fake_run(fake);
    CHECK_OK(rows[0].ok, rows[0].error);
    CHECK_OK(rows[1].ok, rows[1].error);
    CHECK(!rows[2].ok && !rows[3].ok);
    CHECK_INT(fake->set_count, 1);
    CHECK(fake_has(fake, "Z1", ACME "a.test", "\"foreign\""));
    fake_end(fake);
}

static void leftovers_do_not_hold_up_the_run(void)
{
    struct fake *fake = fake_of("");
    struct dns_record rows[] = {row("route53/Z1/", ACME "a.test", "1")};
    fake_fail(fake, "/rrset", AWS_FAILED, false, UINT32_MAX);
    route53_work_remove(fake->work, &rows[0], fake->now_ms);
    int64_t began_ms = fake->now_ms;
    fake_run(fake);
    CHECK(!rows[0].ok);
    CHECK(fake->now_ms - began_ms < 70000);
    fake_end(fake);
}

static void expected_jobs_are_not_waited_for_any_longer(void)
{
    struct error error;
    struct fake *fake = fake_of("Z1 a.test");
    struct solver_job job;
    struct route53_work_options options = {.manifest = &plain,
                                           .caller = {.send = fake_send,
                                                      .look_up = fake_look_up,
                                                      .random = fake_random,
                                                      .context = fake},
                                           .timeout_ms = 300000,
                                           .names_expected = 1};
    route53_work_free(fake->work);
    CHECK_OK(route53_work_new(&options, &fake->work, &error), error);
    int64_t began_ms = fake->now_ms;
    present(fake, &job, "a.test", "v");
    while (fake->change_calls == 0)
        CHECK(fake_step(fake));
    CHECK_INT(fake->now_ms, began_ms);
    fake_run(fake);
    check_ok(&job);
    fake_end(fake);
}

static const struct test tests[] = {
    TEST(bad_record_fails_alone),
    TEST(refusal_without_a_name_is_found_by_halves),
    TEST(record_with_a_routing_policy_is_left_alone),
    TEST(passing_trouble_is_sat_out),
    TEST(lost_answer_is_cleared_up),
    TEST(lasting_trouble_ends_with_the_time),
    TEST(denied_change_fails_its_jobs_at_once),
    TEST(change_that_never_gets_there_is_taken_back),
    TEST(stop_takes_back_what_was_made),
    TEST(stop_waits_for_the_change_that_is_out),
    TEST(stop_does_not_wait_for_ever),
    TEST(rows_come_before_records_and_go_after_them),
    TEST(leftovers_are_removed_in_few_calls),
    TEST(leftovers_that_are_gone_or_changed_do_no_harm),
    TEST(leftovers_do_not_hold_up_the_run),
    TEST(expected_jobs_are_not_waited_for_any_longer),
};
TESTS_MAIN(tests)
