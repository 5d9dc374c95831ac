/* engine/plan: which ACM targets lack the live certificate, and when all will have it. */
#include "check.h"
#include "plan_fixture.h"

#include "base/json.h"
#include "plan/forecast.h"
#include "plan/imports.h"
#include "plan/plan_print.h"

#define ACCOUNT "123456789012"
#define OTHER   "999999999999"
#define ARN     "arn:aws:acm:us-east-1:" ACCOUNT ":certificate/a-1"

/* Two profiles, then one that leaves its region open, and a given ARN. */
static const struct deploy_acm given = {.region = "us-east-1", .arn = ARN};
static const struct deploy_acm second = {.profile = "prod", .region = "eu-west-1"};
static const struct deploy_acm first = {
    .profile = "prod", .region = "us-east-1", .next = (struct deploy_acm *)&second};

static struct manifest_entry imported_entry(const char *name)
{
    struct manifest_entry entry = simple_entry(name);
    entry.acm = &first;
    return entry;
}

static void acm_planned_make(struct planned *planned, struct manifest_entry *entries, size_t count)
{
    planned_make(planned, entries, count);
    planned->manifest.has_acm = true;
    planned->manifest.aws =
        (struct manifest_aws){.imports_per_second = 1, .imports_per_year = 5000};
    planned->manifest.limits =
        (struct manifest_limits){.in_flight = 1000, .requests_per_second = 200};
    planned->state = state_started(planned->scratch.path);
}

static void put_import(const struct planned *planned, const char *name,
                       const struct deploy_acm *target, unsigned sequence)
{
    state_put_ok(planned->state, (struct state_change){
                                     .kind = STATE_IMPORT_KEPT,
                                     .import = {.name = name,
                                                .profile = target->profile,
                                                .region = target->region,
                                                .given_arn = target->arn,
                                                .account = ACCOUNT,
                                                .arn = ARN,
                                                .sequence = sequence},
                                 });
}

static void put_deployed(const struct planned *planned, const char *name, unsigned sequence)
{
    state_put_ok(planned->state, (struct state_change){
                                     .kind = STATE_DEPLOYED,
                                     .certificate = {.name = name, .deployed_sequence = sequence}});
}

/* A live certificate, number 4, that needs no order. */
static void put_fresh(const struct planned *planned, const char *name)
{
    put_live(planned, name, 4, NOW - DAY, NOW + 89 * DAY);
    put_deployed(planned, name, 4);
}

static void targets_that_lack_it_make_it_due(void)
{
    struct manifest_entry entries[] = {imported_entry("all"),     imported_entry("none"),
                                       imported_entry("old"),     imported_entry("failed"),
                                       imported_entry("expired"), simple_entry("plain")};
    struct planned planned;
    acm_planned_make(&planned, entries, 6);
    for (size_t i = 0; i < 6; i++)
        if (i != 4)
            put_fresh(&planned, entries[i].name);
    put_live(&planned, "expired", 4, NOW - 99 * DAY, NOW - 9 * DAY);
    for (size_t i = 0; i < 5; i++) {
        if (i == 1)
            continue;
        put_import(&planned, entries[i].name, &first, 4);
        put_import(&planned, entries[i].name, &second, i == 2 ? 3 : 4);
    }
    state_put_ok(planned.state, (struct state_change){.kind = STATE_IMPORT_FAILED,
                                                      .import = {.name = "failed",
                                                                 .profile = "prod",
                                                                 .region = "us-east-1",
                                                                 .attempted_at = NOW,
                                                                 .last_error = "AccessDenied"}});
    /* Rows of nobody's targets. */
    put_import(&planned, "old", &given, 4);
    put_import(&planned, "plain", &first, 4);
    put_import(&planned, "unknown", &first, 4);
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "expired none old failed");
    CHECK_INT(planned.plan.later_count, 2);
    const struct plan_item *item = item_of(&planned, "old");
    CHECK(item->deploy_only && !item->lacks_hooks);
    CHECK(item->lacking[0] == &second && item->lacking[1] == NULL);
    CHECK_INT(imports_of(&entries[2], item), 1);
    item = item_of(&planned, "failed");
    CHECK(item->lacking[0] == &first && item->lacking[1] == NULL);
    CHECK_INT(imports_of(&entries[1], item_of(&planned, "none")), 2);
    item = item_of(&planned, "expired");
    CHECK(!item->deploy_only);
    CHECK_INT(imports_of(&entries[4], item), 2);
    CHECK_INT(imports_of(&entries[0], item_of(&planned, "all")), 0);
    CHECK_INT(imports_of(&entries[5], item_of(&planned, "plain")), 0);
    CHECK_INT(planned.plan.profile_count, 2);
    CHECK_TEXT(planned.plan.profiles[1].profile, "prod");
    CHECK_TEXT(planned.plan.profiles[1].account, ACCOUNT);
    planned_free(&planned);
}

/* Imports are done, and the note of it was lost, or hooks are not done. */
static void what_is_not_noted_is_deployed_again(void)
{
    static const struct deploy_hook hook = {0};
    struct manifest_entry entries[] = {imported_entry("lost"), imported_entry("hooked")};
    entries[1].deploy = &hook;
    struct planned planned;
    acm_planned_make(&planned, entries, 2);
    for (size_t i = 0; i < 2; i++) {
        put_live(&planned, entries[i].name, 4, NOW - DAY, NOW + 89 * DAY);
        put_deployed(&planned, entries[i].name, 3);
        put_import(&planned, entries[i].name, &first, 4);
        put_import(&planned, entries[i].name, &second, 4);
    }
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "lost hooked");
    for (size_t i = 0; i < 2; i++) {
        CHECK(planned.plan.due[i].deploy_only);
        CHECK(planned.plan.due[i].lacks_hooks == (i == 1));
        CHECK_INT(imports_of(&entries[i], &planned.plan.due[i]), 0);
    }
    /* Without a state no target has anything. */
    state_close(planned.state);
    planned.state = NULL;
    planned_run(&planned);
    CHECK_INT(imports_of(&entries[0], item_of(&planned, "lost")), 2);
    planned_free(&planned);
}

static void forecast_of(const struct planned *planned, const struct accounts *accounts,
                        struct forecast *forecast)
{
    struct error error;
    CHECK_OK(forecast_make(&planned->manifest, accounts, &planned->plan, planned->state, NULL, NOW,
                           forecast, &error),
             error);
}

static const struct forecast_lane *lane_of(const struct forecast *forecast, const char *account,
                                           const char *region)
{
    for (size_t i = 0; i < forecast->lane_count; i++)
        if (strcmp(forecast->lanes[i].account, account) == 0 &&
            strcmp(forecast->lanes[i].region, region) == 0)
            return &forecast->lanes[i];
    fprintf(stderr, "no lane %s %s\n", account, region);
    exit(1);
}

static bool is_about(double value, double wanted)
{
    return value > wanted - 0.001 && value < wanted + 0.001;
}

/* 300 new certificates to two lanes, one of which has 100 imports more of live ones. */
static void the_slowest_lane_says_when_it_ends(void)
{
    enum { NEW = 300, LIVE = 100 };
    struct manifest_entry entries[NEW + LIVE];
    static char names[NEW + LIVE][16];
    struct planned planned;
    acm_planned_make(&planned, entries, NEW + LIVE);
    for (size_t i = 0; i < NEW + LIVE; i++) {
        snprintf(names[i], sizeof names[i], "n%03zu", i);
        entries[i] = imported_entry(names[i]);
        entries[i].account = UINT32_MAX;
        if (i < NEW)
            continue;
        put_fresh(&planned, names[i]);
        put_import(&planned, names[i], &first, 4);
    }
    planned_run(&planned);
    struct accounts accounts = {0};
    struct forecast forecast;
    forecast_of(&planned, &accounts, &forecast);
    CHECK_INT(forecast.orders, NEW);
    /* 4 requests each at 200 a second, then the last order's own time. */
    CHECK(is_about(forecast.order_seconds, NEW * 4 / 200.0 + 2.2));
    CHECK_INT(forecast.imports, 2 * NEW + LIVE);
    CHECK_INT(forecast.lane_count, 2);
    CHECK_INT(forecast.account_count, 1);
    CHECK_INT(forecast.region_count, 2);
    const struct forecast_lane *lane = &forecast.lanes[0];
    CHECK_TEXT(lane->region, "eu-west-1");
    CHECK_TEXT(lane->profile, "prod");
    CHECK_TEXT(lane->account, ACCOUNT);
    CHECK_INT(lane->imports, NEW + LIVE);
    CHECK(is_about(lane->seconds, NEW + LIVE - 1)); /* it begins at once */
    CHECK(is_about(forecast.lanes[1].seconds, NEW - 1 + 2.2));
    CHECK(is_about(forecast.import_seconds, NEW + LIVE - 1));
    forecast_free(&forecast);
    /* With imports quicker than orders the last order decides. */
    planned.manifest.aws.imports_per_second = 1000;
    planned.manifest.limits.in_flight = 1;
    forecast_of(&planned, &accounts, &forecast);
    CHECK(is_about(forecast.order_seconds, NEW * 4 * 0.05 + 2.2));
    CHECK(is_about(forecast.import_seconds, forecast.order_seconds));
    forecast_free(&forecast);
    planned_free(&planned);
}

static void count_import(const struct planned *planned, const char *account, int64_t day)
{
    state_put_ok(planned->state,
                 (struct state_change){.kind = STATE_IMPORTED,
                                       .import = {.name = "other",
                                                  .profile = "p",
                                                  .region = "us-east-1",
                                                  .account = account,
                                                  .attempted_at = NOW - day * DAY}});
}

static void profiles_of_one_account_share_a_lane(void)
{
    static const struct deploy_acm alias = {.profile = "alias", .region = "us-east-1"};
    static const struct deploy_acm nowhere = {.profile = "nobody", .region = "us-east-1"};
    static const struct deploy_acm open = {0};
    const struct deploy_acm *targets[] = {&first, &alias, &given, &nowhere, &open};
    struct manifest_entry entries[5];
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct planned planned;
    acm_planned_make(&planned, entries, 5);
    for (size_t i = 0; i < 5; i++) {
        entries[i] = simple_entry(names[i]);
        entries[i].acm = targets[i];
        put_fresh(&planned, names[i]);
    }
    put_import(&planned, "x", &first, 1);
    put_import(&planned, "x", &alias, 1);
    /* 365 days ago is over, 364 is not. */
    for (int i = 0; i < 3; i++)
        count_import(&planned, ACCOUNT, 364);
    count_import(&planned, OTHER, 1);
    planned_run(&planned);
    struct forecast forecast;
    forecast_of(&planned, &(struct accounts){0}, &forecast);
    CHECK_INT(forecast.imports, 6);
    CHECK_INT(forecast.lane_count, 4);
    const struct forecast_lane *lane = lane_of(&forecast, ACCOUNT, "us-east-1");
    CHECK_INT(lane->imports, 3);
    CHECK_INT(lane->year, 3);
    CHECK_INT(lane_of(&forecast, ACCOUNT, "eu-west-1")->imports, 1);
    CHECK_TEXT(lane_of(&forecast, "", "us-east-1")->profile, "nobody");
    CHECK_INT(lane_of(&forecast, "", "us-east-1")->year, 0);
    CHECK_TEXT(lane_of(&forecast, "", "")->profile, "");
    forecast_free(&forecast);
    planned_free(&planned);
}

static void both_forms_tell_it(void)
{
    struct manifest_entry entries[] = {imported_entry("new"), imported_entry("old")};
    entries[0].account = entries[1].account = UINT32_MAX;
    struct planned planned;
    acm_planned_make(&planned, entries, 2);
    put_fresh(&planned, "old");
    put_import(&planned, "old", &first, 4);
    count_import(&planned, ACCOUNT, 3);
    planned.manifest.aws.imports_per_year = 1;
    planned_run(&planned);
    struct forecast forecast;
    struct error error;
    forecast_of(&planned, &(struct accounts){0}, &forecast);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK_OK(plan_print_text(out, &planned.manifest, &planned.plan, &forecast, NOW, 0, &error),
             error);
    CHECK(fclose(out) == 0);
    CHECK_CONTAINS(text, "only to deploy: 1 ACM target lacks number 4: prod eu-west-1\n");
    CHECK_CONTAINS(text, "orders: 1: 2.2 s, if the CA takes 50 ms a request and 2 s each to "
                         "validate and to issue\n");
    CHECK_CONTAINS(text, "imports: 3 to 1 account x 2 regions at 1/s each: 2.2 s (slowest: prod "
                         "eu-west-1, 2)\n  prod eu-west-1 (" ACCOUNT "): 2, 2.2 s\n");
    CHECK_CONTAINS(text, "warning: prod us-east-1: 1 imports of the last 365 days and 1 of this "
                         "run are more than aws.imports-per-year (1): ask AWS");
    CHECK_CONTAINS(text, "warning: prod eu-west-1: 0 imports");
    free(text);
    out = open_memstream(&text, &size);
    CHECK_OK(plan_print_json(out, &planned.manifest, &planned.plan, &forecast, &error), error);
    CHECK(fclose(out) == 0);
    json_t *json = NULL;
    CHECK_OK(json_parse(span_of(text), 1 << 20, &json, &error), error);
    free(text);
    const json_t *due = json_list(json, "due", 10);
    CHECK_INT(json_array_size(json_list(json_array_get(due, 0), "imports", 10)), 2);
    const json_t *lacking = json_list(json_array_get(due, 1), "imports", 10);
    CHECK_INT(json_array_size(lacking), 1);
    CHECK_TEXT(json_text(json_array_get(lacking, 0), "region", 99), "eu-west-1");
    const json_t *imports = json_object_get(json_object_get(json, "forecast"), "imports");
    CHECK_INT(json_number(imports, "count", -1), 3);
    const json_t *lane = json_array_get(json_list(imports, "lanes", 10), 0);
    CHECK_TEXT(json_text(lane, "account", 99), ACCOUNT);
    CHECK_INT(json_number(lane, "imports", -1), 2);
    CHECK(json_is_true(json_object_get(lane, "over_quota")));
    CHECK(is_about(json_real_value(json_object_get(lane, "seconds")), 2.22));
    json_decref(json);
    forecast_free(&forecast);
    planned_free(&planned);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Not a check of speed: prints what planning and forecasting that many certificates with two
 * targets each costs, whose rows are all there. CERTMILL_TEST_LIVE sets the number. */
static void many_imports(void)
{
    const char *wanted = getenv("CERTMILL_TEST_LIVE");
    size_t count = wanted != NULL ? strtoul(wanted, NULL, 10) : 2000;
    struct manifest_entry *entries = calloc(count, sizeof *entries);
    struct state_change *changes = calloc(count * 2, sizeof *changes);
    char(*names)[32] = calloc(count, sizeof *names);
    CHECK(entries != NULL && changes != NULL && names != NULL);
    struct planned planned;
    acm_planned_make(&planned, entries, count);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "n%07zu", i * 7919 % count);
        entries[i] = imported_entry(names[i]);
        entries[i].account = UINT32_MAX;
        for (size_t j = 0; j < 2; j++) {
            changes[i * 2 + j] =
                (struct state_change){.kind = STATE_IMPORT_KEPT,
                                      .import = {.name = names[i],
                                                 .profile = "prod",
                                                 .region = j == 0 ? "us-east-1" : "eu-west-1",
                                                 .account = ACCOUNT,
                                                 .arn = ARN,
                                                 .sequence = 4}};
            state_post(planned.state, &changes[i * 2 + j]);
        }
    }
    state_close(planned.state);
    struct error error;
    CHECK_OK(state_open(planned.scratch.path, true, &planned.state, &error), error);
    double start = cpu_seconds();
    planned_run(&planned);
    double made = cpu_seconds();
    struct forecast forecast;
    forecast_of(&planned, &(struct accounts){0}, &forecast);
    printf("  %zu planned in %.2f s CPU, forecast in %.2f s\n", count, made - start,
           cpu_seconds() - made);
    CHECK_INT(forecast.imports, count * 2);
    CHECK_INT(planned.plan.due_count, count);
    forecast_free(&forecast);
    planned_free(&planned);
    free(names);
    free(changes);
    free(entries);
}

static const struct test tests[] = {
    TEST(targets_that_lack_it_make_it_due),
    TEST(what_is_not_noted_is_deployed_again),
    TEST(the_slowest_lane_says_when_it_ends),
    TEST(profiles_of_one_account_share_a_lane),
    TEST(both_forms_tell_it),
    TEST(many_imports),
};

TESTS_MAIN(tests)
