/* engine/report: what `list`, `status` and the report of a run say of imports into ACM. */
#include "check.h"
#include "live_files.h"
#include "report_fixture.h"
#include "scratch.h"
#include "state_changes.h"

#include "base/clock.h"
#include "base/json.h"
#include "report/list.h"

#define NOW     ((int64_t)1800000000)
#define ARN(id) "arn:aws:acm:us-east-1:123456789012:certificate/" id

struct place {
    struct scratch scratch;
    struct state *state;
};

static void put_certificate(const struct place *place, const char *name)
{
    state_put_ok(place->state,
                 (struct state_change){.kind = STATE_ISSUED,
                                       .certificate = {.name = name,
                                                       .sequence = 4,
                                                       .not_before = NOW - 86400,
                                                       .not_after = NOW + (int64_t)86400 * 80,
                                                       .issued_at = NOW,
                                                       .serial = "1",
                                                       .names = "a.test"}});
}

static void put_import(const struct place *place, enum state_change_kind kind, const char *name,
                       const char *region, const char *arn, unsigned sequence)
{
    state_put_ok(place->state, (struct state_change){.kind = kind,
                                                     .import = {.name = name,
                                                                .profile = "prod",
                                                                .region = region,
                                                                .account = "123456789012",
                                                                .arn = arn,
                                                                .sequence = sequence,
                                                                .serial = "2a",
                                                                .not_after = NOW + 5,
                                                                .imported_at = NOW - 5,
                                                                .attempted_at = NOW - 6,
                                                                .last_error = "AccessDenied"}});
}

static void place_make(struct place *place)
{
    scratch_make(&place->scratch);
    place->state = state_started(place->scratch.path);
    put_certificate(place, "a");
    put_certificate(place, "c");
    put_certificate(place, "one");
    put_certificate(place, "two");
    /* Rows whose certificates the state does not have are passed over. */
    put_import(place, STATE_IMPORTED, "A", "us-east-1", ARN("none"), 4);
    put_import(place, STATE_IMPORTED, "b", "us-east-1", ARN("none"), 4);
    put_import(place, STATE_IMPORTED, "c", "us-east-1", ARN("c"), 3);
    put_import(place, STATE_IMPORTED, "one", "us-east-1", ARN("one"), 4);
    put_import(place, STATE_IMPORTED, "two", "us-east-1", ARN("two"), 4);
    put_import(place, STATE_IMPORT_FAILED, "two", "us-east-1", "", 0);
    put_import(place, STATE_IMPORT_INTENDED, "two", "eu-west-1", "", 0);
    put_import(place, STATE_IMPORTED, "two", "eu-central-1", ARN("zwei"), 4);
}

static void place_free(struct place *place)
{
    state_close(place->state);
    scratch_remove(&place->scratch);
}

static char *list_text(const struct place *place, const char *glob, bool json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct error error;
    const struct list_options options = {.glob = glob, .now = NOW, .json = json};
    CHECK_OK(list_print(out, place->state, &options, &error), error);
    CHECK(fclose(out) == 0);
    return text;
}

static char *status_text(const struct place *place, const char *name, bool json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct error error;
    const struct status_options options = {.state_folder = place->scratch.path,
                                           .name = name,
                                           .now = NOW,
                                           .json = json,
                                           .wants_deploy = true};
    CHECK_OK(status_print(out, place->state, &options, &error), error);
    CHECK(fclose(out) == 0);
    return text;
}

static json_t *parsed(char *text)
{
    json_t *json = NULL;
    struct error error;
    CHECK_OK(json_parse(span_of(text), 1 << 16, &json, &error), error);
    free(text);
    return json;
}

static void the_list_shows_arns(void)
{
    struct place place;
    place_make(&place);
    char *text = list_text(&place, NULL, false);
    CHECK_CONTAINS(text, "  ARN  ");
    CHECK_CONTAINS(text, "  " ARN("one") "  ");
    CHECK_CONTAINS(text, "  " ARN("c") " (not up to date)");
    CHECK_CONTAINS(text, "  3 targets, 2 not up to date");
    CHECK(strstr(text, "none") == NULL);
    free(text);
    /* Without imports there is no such column. */
    text = list_text(&place, "a", false);
    CHECK(strstr(text, "ARN") == NULL);
    CHECK_CONTAINS(text, "ACCOUNT  LAST ERROR\n");
    free(text);
    json_t *json = parsed(list_text(&place, NULL, true));
    CHECK_INT(json_array_size(json), 4);
    CHECK_INT(json_array_size(json_object_get(json_array_get(json, 0), "imports")), 0);
    const json_t *imports = json_object_get(json_array_get(json, 3), "imports");
    CHECK_INT(json_array_size(imports), 3);
    const json_t *central = json_array_get(imports, 0);
    CHECK_TEXT(json_text(central, "arn", 99), ARN("zwei"));
    CHECK_TEXT(json_text(central, "profile", 99), "prod");
    CHECK_TEXT(json_text(central, "region", 99), "eu-central-1");
    CHECK_TEXT(json_text(central, "account", 99), "123456789012");
    CHECK_TEXT(json_text(central, "state", 99), "imported");
    CHECK_TEXT(json_text(central, "serial", 99), "2a");
    CHECK_INT(json_number(central, "sequence", 0), 4);
    CHECK_TEXT(json_text(json_array_get(imports, 1), "state", 99), "intended");
    const json_t *failed = json_array_get(imports, 2);
    CHECK_TEXT(json_text(failed, "state", 99), "failed");
    CHECK_TEXT(json_text(failed, "last_error", 99), "AccessDenied");
    CHECK_TEXT(json_text(failed, "arn", 99), ARN("two"));
    const json_t *behind = json_array_get(json_object_get(json_array_get(json, 1), "imports"), 0);
    CHECK_TEXT(json_text(behind, "state", 99), "behind");
    json_decref(json);
    place_free(&place);
}

static void the_status_shows_each_target(void)
{
    struct place place;
    place_make(&place);
    live_sample_put(place.scratch.path, "two", 4,
                    &(struct live_sample){.not_before = NOW - 86400,
                                          .not_after = NOW + (int64_t)86400 * 80,
                                          .names = "DNS:a.test",
                                          .key = {KEY_ECDSA, 256},
                                          .serial = 1});
    char *text = status_text(&place, "two", false);
    CHECK_CONTAINS(text,
                   "ACM:          prod eu-central-1: " ARN("zwei") ", imported, has number 4\n");
    CHECK_CONTAINS(text, "              prod eu-west-1: no ARN yet, intended\n");
    CHECK_CONTAINS(text, "              prod us-east-1: " ARN(
                             "two") ", failed, has number 4\n              AccessDenied\n");
    CHECK_CONTAINS(text, "--only 'two' imports it into ACM, without issuing\n");
    free(text);
    put_import(&place, STATE_IMPORTED, "two", "us-east-1", ARN("two"), 4);
    put_import(&place, STATE_IMPORTED, "two", "eu-west-1", ARN("deux"), 4);
    state_put_ok(place.state,
                 (struct state_change){.kind = STATE_DEPLOYED,
                                       .certificate = {.name = "two", .deployed_sequence = 4}});
    text = status_text(&place, "two", false);
    CHECK_CONTAINS(text, "nothing to do now");
    free(text);
    json_t *json = parsed(status_text(&place, "two", true));
    CHECK_INT(json_array_size(json_object_get(json, "imports")), 3);
    json_decref(json);
    json = parsed(status_text(&place, "a", true));
    CHECK_INT(json_array_size(json_object_get(json, "imports")), 0);
    json_decref(json);
    put_import(&place, STATE_IMPORTED, "two", "", ARN("own"), 4); /* the profile's own region */
    text = status_text(&place, "two", false);
    CHECK_CONTAINS(text, " prod: " ARN("own"));
    free(text);
    place_free(&place);
}

static void imports_are_told_while_a_run_goes_on(void)
{
    struct fixture fixture;
    char *text;
    fixture_open(&fixture,
                 (struct report_options){.json = true, .events = "-", .progress = PROGRESS_ALWAYS});
    tell(&fixture, (struct news){.kind = NEWS_RUN_STARTED, .total = 2}, 0);
    tell(&fixture, (struct news){.kind = NEWS_IMPORTED, .name = "www", .sequence = 3, .total = 12},
         1);
    tell(&fixture, (struct news){.kind = NEWS_IMPORTED, .name = "shop", .total = 1}, 2);
    (void)report_tick(fixture.report, 1000);
    report_summary(fixture.report, false, NULL, 0, NOW_UNIX, 2000);
    text = stream_text(fixture.messages);
    CHECK_CONTAINS(text, "13 imported");
    free(text);
    text = stream_text(fixture.data);
    CHECK_CONTAINS(text, "\"event\":\"imported\",\"certificate\":\"www\",\"imports\":12,"
                         "\"sequence\":3}");
    CHECK_CONTAINS(text, "\"imported\":13,");
    free(text);
    fixture_close(&fixture);
}

static const struct test tests[] = {
    TEST(the_list_shows_arns),
    TEST(the_status_shows_each_target),
    TEST(imports_are_told_while_a_run_goes_on),
};

TESTS_MAIN(tests)
