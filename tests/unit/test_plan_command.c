/* `certmill plan`: what its options choose of the manifest, and what it shows. */
#include "check.h"
#include "live_files.h"
#include "plan_fixture.h"
#include "state_changes.h"

#include "base/json.h"
#include "plan/plan_print.h"
#include "plan/planner.h"

static void only_and_force_choose(void)
{
    struct manifest_entry entries[] = {simple_entry("web-1"), simple_entry("db-1"),
                                       simple_entry("web-2"), simple_entry("web-3")};
    struct planned planned;
    planned_make(&planned, entries, 4);
    put_live(&planned, "web-1", 1, NOW - DAY, NOW + 89 * DAY);
    put_live(&planned, "web-2", 1, NOW - 2 * DAY, NOW + 88 * DAY);
    put_live(&planned, "web-3", 1, NOW - 99 * DAY, NOW - DAY);
    planned.state = state_started(planned.scratch.path);
    state_put_ok(planned.state, open_order("web-1", 11));
    planned.options.only = "web-*";
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "web-3 web-1");
    CHECK_INT(planned.plan.unselected, 1);
    CHECK_INT(planned.plan.later_count, 1);
    planned.options.force = true;
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "web-3 web-2 web-1");
    CHECK_INT(item_of(&planned, "web-3")->reason, DUE_EXPIRED);
    CHECK_INT(item_of(&planned, "web-2")->reason, DUE_FORCED);
    CHECK_INT(item_of(&planned, "web-1")->reason, DUE_OPEN_ORDER);
    CHECK(item_of(&planned, "web-1")->order != NULL);
    planned_free(&planned);
}

static void only_that_matches_nothing_is_an_error(void)
{
    struct manifest_entry entries[] = {simple_entry("web-1"), simple_entry("shop")};
    struct planned planned;
    struct plan plan;
    struct error error;
    planned_make(&planned, entries, 2);
    planned.options.only = "wbe-1";
    CHECK(!plan_make(&planned.manifest, NULL, &planned.options, &plan, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK_TEXT(error.text,
               "--only wbe-1: no certificate of the manifest matches; did you mean web-1?");
    planned.options.only = "mail-*";
    CHECK(!plan_make(&planned.manifest, NULL, &planned.options, &plan, &error));
    CHECK_TEXT(error.text, "--only mail-*: no certificate of the manifest matches");
    planned.manifest.count = 0; /* of which the reader of the manifest has warned */
    CHECK(plan_make(&planned.manifest, NULL, &planned.options, &plan, &error));
    CHECK_INT(plan.due_count, 0);
    plan_free(&plan);
    planned_free(&planned);
}

/* What a printing function writes, to be freed. */
static char *printed_text(const struct planned *planned, size_t lines)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct error error;
    CHECK_OK(plan_print_text(out, &planned->manifest, &planned->plan, NULL, NOW, lines, &error),
             error);
    CHECK(fclose(out) == 0);
    return text;
}

static json_t *printed_json(const struct planned *planned)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct error error;
    CHECK_OK(plan_print_json(out, &planned->manifest, &planned->plan, NULL, &error), error);
    CHECK(fclose(out) == 0);
    json_t *json = NULL;
    CHECK_OK(json_parse(span_of(text), 1 << 20, &json, &error), error);
    free(text);
    return json;
}

static void make_varied(struct planned *planned, struct manifest_entry *entries, size_t count)
{
    planned_make(planned, entries, count);
    put_live(planned, "short", 6, NOW - 120 * HOUR, NOW + 40 * HOUR);
    put_live(planned, "expiring", 3, NOW - 70 * DAY, NOW + 20 * DAY);
    put_live(planned, "fresh", 1, NOW - 10 * DAY, NOW + 80 * DAY);
    live_file_put(planned->scratch.path, "broken", 1, "no PEM");
    planned->state = state_started(planned->scratch.path);
    state_put_ok(planned->state, open_order("open", 11));
}

static void the_plan_is_told_to_people(void)
{
    struct manifest_entry entries[] = {simple_entry("short"), simple_entry("expiring"),
                                       simple_entry("fresh"), simple_entry("broken"),
                                       simple_entry("open"),  simple_entry("new")};
    struct planned planned;
    make_varied(&planned, entries, 6);
    planned_run(&planned);
    char *text = printed_text(&planned, 0);
    CHECK_CONTAINS(text, "NAME      EXPIRES            DUE SINCE   WHY\n");
    CHECK_CONTAINS(text, "expiring  2027-02-04 (20 d)  2027-01-05  expires within 30 days\n");
    CHECK_CONTAINS(text,
                   "short     2027-01-17 (40 h)  2027-01-14  2/3 of its 160 h lifetime are over, "
                   "later than 30 days before expiry\n");
    CHECK_CONTAINS(text, "open      -                  -           goes on with the order of "
                         "2027-01-14\n");
    CHECK_CONTAINS(text, "the live files are damaged: ");
    CHECK_CONTAINS(text, "there is no certificate yet\n");
    CHECK_CONTAINS(text, "5 of 6 certificates to issue: 1 with an open order, 1 without a "
                         "certificate, 1 with damaged files, 1 expiring, 1 past 2/3 of a short "
                         "lifetime\n");
    CHECK_CONTAINS(text, "1 not due; the next will be on 2027-03-06 (50 d)\n");
    free(text);
    text = printed_text(&planned, 2);
    CHECK_CONTAINS(text, "... and 3 more; --json for all\n");
    CHECK(strstr(text, "expiring  ") == NULL);
    free(text);
    planned.options.only = "fresh";
    planned_run(&planned);
    text = printed_text(&planned, 2);
    CHECK_TEXT(text, "0 of 1 certificate to issue\n"
                     "1 not due; the next will be on 2027-03-06 (50 d)\n"
                     "5 left out by --only\n");
    free(text);
    /* A 47-day certificate speaks of days. */
    char words[256];
    const struct plan_item item = {
        .reason = DUE_LIFETIME, .not_before = NOW, .not_after = NOW + 47 * DAY};
    CHECK_CONTAINS(plan_reason_words(&entries[0], &item, words, sizeof words),
                   "2/3 of its 47 d lifetime");
    planned_free(&planned);
}

static const json_t *element_named(const json_t *list, const char *name)
{
    size_t i;
    json_t *element;
    json_array_foreach(list, i, element)
    {
        const char *its = json_text(element, "name", 100);
        if (its != NULL && strcmp(its, name) == 0)
            return element;
    }
    return NULL;
}

static void the_plan_is_told_to_programs(void)
{
    struct manifest_entry entries[] = {simple_entry("short"), simple_entry("expiring"),
                                       simple_entry("fresh"), simple_entry("broken"),
                                       simple_entry("open"),  simple_entry("new")};
    struct planned planned;
    make_varied(&planned, entries, 6);
    planned_run(&planned);
    json_t *json = printed_json(&planned);
    const json_t *due = json_list(json, "due", 10);
    const json_t *later = json_list(json, "later", 10);
    CHECK_INT(json_array_size(due), 5);
    CHECK_INT(json_array_size(later), 1);
    const json_t *one = element_named(due, "short");
    CHECK_TEXT(json_text(one, "reason", 99), "lifetime");
    CHECK_TEXT(json_text(one, "rule", 99), "lifetime");
    CHECK_TEXT(json_text(one, "not_after", 99), "2027-01-17T00:00:00Z");
    CHECK_TEXT(json_text(one, "due_at", 99), "2027-01-14T18:40:00Z");
    CHECK_TEXT(json_text(one, "account", 99), "demo");
    CHECK_INT(json_number(one, "sequence", -1), 6);
    CHECK_INT(json_number(one, "renew_before_days", -1), 30);
    one = element_named(due, "open");
    CHECK_TEXT(json_text(one, "reason", 99), "open-order");
    CHECK(json_is_null(json_object_get(one, "not_after")));
    CHECK_TEXT(json_text(json_object_get(one, "order"), "url", 99), "https://ca.test/order/9");
    CHECK_TEXT(json_text(json_object_get(one, "order"), "stage", 99), "placed");
    CHECK(json_text(element_named(due, "broken"), "detail", 999) != NULL);
    CHECK_TEXT(json_text(element_named(later, "fresh"), "reason", 99), "not-due");
    CHECK_TEXT(json_text(element_named(later, "fresh"), "rule", 99), "renew-before-days");
    const json_t *counts = json_object_get(json, "counts");
    CHECK_INT(json_number(counts, "due", -1), 5);
    CHECK_INT(json_number(counts, "issue", -1), 5);
    CHECK_INT(json_number(counts, "deploy", -1), 0);
    CHECK_INT(json_number(counts, "later", -1), 1);
    CHECK_INT(json_number(json_object_get(counts, "reasons"), "lifetime", -1), 1);
    CHECK_TEXT(json_text(counts, "next_due_at", 99), "2027-03-06T08:00:00Z");
    json_decref(json);
    planned.options.want_later = false;
    planned.options.only = "fresh";
    planned_run(&planned);
    json = printed_json(&planned);
    CHECK_INT(json_array_size(json_list(json, "due", 10)), 0);
    CHECK_INT(json_number(json_object_get(json, "counts"), "unselected", -1), 5);
    json_decref(json);
    planned_free(&planned);
}

static void lost_output_is_an_error(void)
{
    struct manifest_entry entries[] = {simple_entry("a")};
    struct planned planned;
    planned_make(&planned, entries, 1);
    planned_run(&planned);
    FILE *out = fopen("/dev/full", "we");
    CHECK(out != NULL);
    struct error error;
    CHECK(!plan_print_text(out, &planned.manifest, &planned.plan, NULL, NOW, 0, &error));
    CHECK_CONTAINS(error.text, "writing the output");
    CHECK(!plan_print_json(out, &planned.manifest, &planned.plan, NULL, &error));
    (void)fclose(out);
    planned_free(&planned);
}

static const struct test tests[] = {
    TEST(only_and_force_choose),      TEST(only_that_matches_nothing_is_an_error),
    TEST(the_plan_is_told_to_people), TEST(the_plan_is_told_to_programs),
    TEST(lost_output_is_an_error),
};

TESTS_MAIN(tests)
