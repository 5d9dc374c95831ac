/* engine/report: what a run says at its end, as text and as JSON, and how numbers and strangers'
 * texts are written. */
#include "check.h"
#include "report_fixture.h"

#include "base/json.h"
#include "report/format.h"
#include "report/report.h"
#include "report/summary.h"

#include <math.h>

static void numbers_are_readable(void)
{
    char text[FORMAT_MAX];
    CHECK_TEXT(format_count(0, text), "0");
    CHECK_TEXT(format_count(999, text), "999");
    CHECK_TEXT(format_count(1000, text), "1,000");
    CHECK_TEXT(format_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
    CHECK_TEXT(format_certificates(1, text), "1 certificate");
    CHECK_TEXT(format_certificates(5000, text), "5,000 certificates");
    CHECK_TEXT(format_duration(0, text), "0.0 s");
    CHECK_TEXT(format_duration(-5, text), "0.0 s");
    CHECK_TEXT(format_duration(NAN, text), "0.0 s");
    CHECK_TEXT(format_duration(1.25, text), "1.2 s");
    CHECK_TEXT(format_duration(59.4, text), "59 s");
    CHECK_TEXT(format_duration(200, text), "3 min 20 s");
    CHECK_TEXT(format_duration(7500, text), "2 h 5 min");
    CHECK_TEXT(format_duration(86400 * 3 + 3600 * 4, text), "3 d 4 h");
    CHECK_TEXT(format_duration(INFINITY, text), "11574 d 1 h");
}

static void strangers_texts_cannot_move_the_cursor(void)
{
    FILE *out = tmpfile();
    CHECK(out != NULL);
    format_printable(out, "a\x1b[2Jb\r\nc\x7f\xc2\x9b"
                          "31m gr\xc3\xbc\xc3\x9f\xc2");
    format_printable(out, NULL);
    char *text = stream_text(out);
    CHECK_TEXT(text, "a?[2Jb??c??31m gr\xc3\xbc\xc3\x9f?");
    free(text);
    fclose(out);

    json_t *json = format_json_text("bad \xff utf-8");
    CHECK_TEXT(json_string_value(json), "bad ? utf-8");
    json_decref(json);
    json = format_json_text("gr\xc3\xbc\xc3\x9f");
    CHECK_TEXT(json_string_value(json), "gr\xc3\xbc\xc3\x9f");
    json_decref(json);
    CHECK(json_is_null(format_json_text(NULL)));
}

static void summary_groups_the_same_cause(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 5010}, 0);
    tell(&fixture,
         (struct news){.kind = NEWS_FAILED, .name = "api", .text = "newOrder: caa: not for us"}, 0);
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        tell(&fixture,
             (struct news){.kind = NEWS_FAILED,
                           .name = name,
                           .text = "the account was refused",
                           .advice = "ask for new EAB values"},
             0);
    }
    tell(&fixture, (struct news){.kind = NEWS_PARKED, .name = "slow", .text = "processing"}, 0);
    for (int i = 0; i < 6; i++)
        tell(&fixture, (struct news){.kind = NEWS_ISSUED, .name = "ok"}, 1000);
    tell(&fixture, (struct news){.kind = NEWS_DEPLOY_FAILED, .name = "ok", .text = "exit 1"}, 1000);
    struct report_figure figures[] = {{.label = "Connections", .text = "4"}};
    report_summary(fixture.report, true, figures, 1, NOW_UNIX + 2, 2000);
    char *text = stream_text(fixture.messages);
    CHECK_INT(count_of(text, "certmill: failed: "), 11); /* ten, and a word on the rest */
    const char *summary = strstr(text, "Failed:\n");
    CHECK(summary != NULL);
    CHECK_TEXT(summary,
               "Failed:\n"
               "  5,000 certificates: c0, c1, c2, c3, c4 and 4,995 more\n"
               "      the account was refused\n"
               "      What to do: ask for new EAB values\n"
               "  api\n"
               "      newOrder: caa: not for us\n"
               "Issued, but not deployed:\n"
               "  ok\n"
               "      exit 1\n"
               "Parked, the next run goes on with them:\n"
               "  slow\n"
               "      processing\n"
               "Interrupted: 6 of 5,010 certificates issued, 5,001 failed, 1 parked, 1 not "
               "deployed, 2 not tried in 2.0 s (3.0 a second)\n"
               "  Connections: 4\n");
    free(text);
    fixture_close(&fixture);
}

static char *summary_of(struct report_options options, const struct news *news, size_t count)
{
    struct fixture fixture;
    options.progress = PROGRESS_NEVER;
    fixture_open(&fixture, options);
    for (size_t i = 0; i < count; i++)
        tell(&fixture, news[i], 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX + 1, 1000);
    char *text = stream_text(fixture.messages);
    fixture_close(&fixture);
    return text;
}

static void summary_of_what_is_no_issue(void)
{
    const struct news deploys[] = {
        {.kind = NEWS_RUN_STARTED, .total = 0},
        {.kind = NEWS_DEPLOYED, .name = "a"},
        {.kind = NEWS_DEPLOYED, .name = "b"},
    };
    char *text = summary_of((struct report_options){0}, deploys, 3);
    CHECK_TEXT(text, "Finished: no certificate is due, 2 deployed in 1.0 s\n");
    free(text);
    const struct news accounts[] = {
        {.kind = NEWS_RUN_STARTED, .total = 2},
        {.kind = NEWS_ACCOUNT, .name = "demo", .text = "https://ca.test/1"},
        {.kind = NEWS_FAILED, .name = "lab", .text = "refused"},
    };
    text = summary_of((struct report_options){.accounts = true}, accounts, 3);
    CHECK_CONTAINS(text, "Finished: 1 of 2 accounts registered, 1 failed in 1.0 s\n");
    free(text);
    text = summary_of((struct report_options){.accounts = true, .quiet = true}, accounts, 2);
    CHECK_TEXT(text, "");
    free(text);
}

static void lost_output_is_remembered(void)
{
    struct fixture fixture;
    struct report_totals totals;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    report_total(fixture.report, &totals);
    CHECK(!totals.output_lost);
    fixture_close(&fixture);
    fixture_open(&fixture,
                 (struct report_options){.progress = PROGRESS_NEVER, .events = "/dev/full"});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 1}, 0);
    report_total(fixture.report, &totals);
    CHECK(totals.output_lost);
    fixture_close(&fixture);
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER, .json = true});
    CHECK(freopen("/dev/full", "we", fixture.data) != NULL);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    report_total(fixture.report, &totals);
    CHECK(totals.output_lost);
    fixture_close(&fixture);
}

static void summary_gives_fifty_causes_in_full(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_NEVER});
    for (int i = 0; i < 70; i++) {
        char cause[32];
        snprintf(cause, sizeof cause, "cause %d.", i);
        tell(&fixture, (struct news){.kind = NEWS_FAILED, .name = "n", .text = cause}, 0);
    }
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    char *text = stream_text(fixture.messages);
    const char *summary = strstr(text, "Failed:\n");
    CHECK(summary != NULL);
    CHECK_INT(count_of(summary, "      cause "), 50);
    CHECK_CONTAINS(summary, "cause 49.");
    CHECK_CONTAINS(summary, "  and 20 certificates more: --json and --events give every one\n");
    free(text);
    fixture_close(&fixture);
}

static void summary_keeps_no_more_than_its_ceiling(void)
{
    struct summary summary;
    summary_init(&summary);
    for (int i = 0; i < SUMMARY_KEPT_MAX + 7; i++)
        summary_add(&summary, OUTCOME_FAILED, &(struct news){.name = "n", .text = "the same"});
    CHECK_INT(summary.outcome_count, SUMMARY_KEPT_MAX);
    CHECK_INT(summary.cause_count, 1);
    CHECK_INT(summary.unkept[OUTCOME_FAILED], 7);
    struct summary_ending ending = {
        .totals = {.due = SUMMARY_KEPT_MAX + 7, .failed = SUMMARY_KEPT_MAX + 7}};
    FILE *out = tmpfile();
    CHECK(out != NULL);
    summary_print(&summary, &ending, out);
    char *text = stream_text(out);
    CHECK_CONTAINS(text, "  100,000 certificates: n, n, n, n, n and 99,995 more\n");
    CHECK_CONTAINS(text, "  and 7 certificates more");
    free(text);
    fclose(out);
    out = tmpfile();
    CHECK(out != NULL);
    CHECK(summary_print_json(&summary, &ending, out));
    text = stream_text(out);
    json_t *json = json_loads(text, 0, NULL);
    CHECK_INT(json_array_size(json_object_get(json, "failures")), SUMMARY_KEPT_MAX);
    CHECK_INT(json_number(json, "failures_unlisted", 0), 7);
    json_decref(json);
    free(text);
    fclose(out);
    summary_free(&summary);
}

static void json_summary_has_every_failure(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.progress = PROGRESS_AUTO, .json = true});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 61}, 0);
    for (int i = 0; i < 60; i++)
        tell(&fixture,
             (struct news){.kind = NEWS_FAILED,
                           .name = "n",
                           .text = "refused",
                           .type = "caa",
                           .advice = "fix it"},
             0);
    tell(&fixture, (struct news){.kind = NEWS_PARKED, .name = "p", .text = "later"}, 0);
    json_t *value = json_integer(42);
    struct report_figure figures[] = {
        {.label = "Requests", .text = "42", .json_key = "requests", .json = value}};
    report_summary(fixture.report, false, figures, 1, NOW_UNIX + 1, 1500);
    json_decref(value);
    char *messages = stream_text(fixture.messages);
    CHECK(strstr(messages, "Failed:") == NULL); /* the object takes the text's place */
    CHECK_CONTAINS(messages, "certmill: 0/61 done   60 failed   1 parked");
    free(messages);
    char *text = stream_text(fixture.data);
    CHECK_INT(count_of(text, "\n"), 1);
    json_t *json = json_loads(text, 0, NULL);
    CHECK(json != NULL);
    CHECK(!json_flag(json, "interrupted", true));
    CHECK_TEXT(json_text(json, "started", 30), "2026-11-23T12:00:00Z");
    CHECK_TEXT(json_text(json, "finished", 30), "2026-11-23T12:00:01Z");
    CHECK_INT(json_number(json, "duration_ms", 0), 1500);
    CHECK_INT(json_number(json, "failed", 0), 60);
    CHECK_INT(json_number(json, "due", 0), 61);
    CHECK_INT(json_number(json_object_get(json, "figures"), "requests", 0), 42);
    const json_t *failures = json_object_get(json, "failures");
    CHECK_INT(json_array_size(failures), 60);
    const json_t *last = json_array_get(failures, 59);
    CHECK_TEXT(json_text(last, "certificate", 9), "n");
    CHECK_TEXT(json_text(last, "reason", 9), "refused");
    CHECK_TEXT(json_text(last, "type", 9), "caa");
    CHECK_TEXT(json_text(last, "advice", 9), "fix it");
    const json_t *parked = json_array_get(json_object_get(json, "parked_certificates"), 0);
    CHECK_TEXT(json_text(parked, "reason", 9), "later");
    json_decref(json);
    free(text);
    fixture_close(&fixture);
}

static void json_summary_to_a_full_disk_is_told(void)
{
    struct summary summary;
    summary_init(&summary);
    struct summary_ending ending = {.totals = {.due = 1}};
    FILE *full = fopen("/dev/full", "w");
    CHECK(full != NULL);
    CHECK(!summary_print_json(&summary, &ending, full));
    fclose(full);
    summary_free(&summary);
}

static void quiet_summary_speaks_only_of_trouble(void)
{
    struct fixture fixture;
    fixture_open(&fixture, (struct report_options){.quiet = true});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 1}, 0);
    tell(&fixture, (struct news){.kind = NEWS_ISSUED, .name = "a"}, 0);
    tell(&fixture, (struct news){.kind = NEWS_WAITING, .name = "ca", .seconds = 5}, 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    char *text = stream_text(fixture.messages);
    CHECK_TEXT(text, "");
    free(text);
    tell(&fixture, (struct news){.kind = NEWS_PARKED, .name = "b", .text = "slow CA"}, 0);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 0);
    text = stream_text(fixture.messages);
    CHECK_CONTAINS(text, "  b\n      slow CA\n");
    free(text);
    fixture_close(&fixture);
}

static const struct test tests[] = {
    TEST(summary_of_what_is_no_issue),
    TEST(lost_output_is_remembered),
    TEST(numbers_are_readable),
    TEST(strangers_texts_cannot_move_the_cursor),
    TEST(summary_groups_the_same_cause),
    TEST(summary_gives_fifty_causes_in_full),
    TEST(summary_keeps_no_more_than_its_ceiling),
    TEST(json_summary_has_every_failure),
    TEST(json_summary_to_a_full_disk_is_told),
    TEST(quiet_summary_speaks_only_of_trouble),
};

TESTS_MAIN(tests)
