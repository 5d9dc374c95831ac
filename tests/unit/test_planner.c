/* engine/plan: what is due, why, and in which order. */
#include "check.h"
#include "live_files.h"
#include "plan_fixture.h"
#include "scratch.h"
#include "state_changes.h"

#include "base/clock.h"
#include "plan/planner.h"

#include <sys/wait.h>
#include <time.h>

static struct state_change noted(const char *name, unsigned sequence, uint64_t digest)
{
    return (struct state_change){
        .kind = STATE_ISSUED,
        .certificate = {.name = name, .sequence = sequence, .digest = digest, .issued_at = NOW}};
}

static void the_later_of_two_times_decides(void)
{
    static const struct {
        int64_t lifetime;
        int64_t due_after;
        int renew_before_days;
        bool by_lifetime;
    } cases[] = {
        {200 * DAY, 170 * DAY, 30, false}, /* the public CAs of 2026 */
        {100 * DAY, 70 * DAY, 30, false},  /* of 2027 */
        {90 * DAY, 60 * DAY, 30, false},   /* both the same */
        {47 * DAY, 47 * DAY - 47 * DAY / 3, 30, true},
        {160 * HOUR, 160 * HOUR - 160 * HOUR / 3, 30, true}, /* Let's Encrypt's shortlived */
        {160 * HOUR, 136 * HOUR, 1, false},
        {90 * DAY, 90 * DAY, 0, false},
        {0, 0, 30, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct due_time due = due_time_of(cases[i].renew_before_days, NOW, NOW + cases[i].lifetime);
        CHECK_INT(due.at - NOW, cases[i].due_after);
        CHECK_INT(due.by_lifetime, cases[i].by_lifetime);
    }
    /* Dates the wrong way round, from the far ends of X.509. */
    CHECK_INT(due_time_of(30, 253402300799, -62167219200).at, -62167219200);
}

static void the_first_run_takes_all(void)
{
    struct manifest_entry entries[] = {simple_entry("c"), simple_entry("a"), simple_entry("b")};
    struct planned planned;
    planned_make(&planned, entries, 3);
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "c a b");
    CHECK_INT(planned.plan.later_count, 0);
    CHECK_INT(planned.plan.next_due_at, 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(planned.plan.due[i].reason, DUE_NO_CERTIFICATE);
        CHECK_INT(planned.plan.due[i].due_at, 0);
        CHECK_INT(planned.plan.due[i].sequence, 0);
        CHECK(!planned.plan.due[i].deploy_only);
    }
    planned.manifest.count = 0;
    planned_run(&planned);
    CHECK_INT(planned.plan.due_count, 0);
    planned_free(&planned);
}

static void dates_decide_and_order(enum store_mode mode)
{
    struct manifest_entry entries[] = {simple_entry("fresh"),    simple_entry("missing1"),
                                       simple_entry("expiring"), simple_entry("expired"),
                                       simple_entry("short"),    simple_entry("fresher"),
                                       simple_entry("older"),    simple_entry("missing2"),
                                       simple_entry("short-ok"), simple_entry("ends-now")};
    struct planned planned;
    planned_make(&planned, entries, sizeof entries / sizeof entries[0]);
    planned.options.mode = mode;
    put_live(&planned, "fresh", 1, NOW - 10 * DAY, NOW + 80 * DAY);
    put_live(&planned, "fresher", 2, NOW - DAY, NOW + 89 * DAY);
    put_live(&planned, "expiring", 3, NOW - 70 * DAY, NOW + 20 * DAY);
    put_live(&planned, "expired", 4, NOW - 91 * DAY, NOW - DAY);
    put_live(&planned, "older", 5, NOW - 100 * DAY, NOW - 10 * DAY);
    put_live(&planned, "short", 6, NOW - 120 * HOUR, NOW + 40 * HOUR);
    put_live(&planned, "short-ok", 7, NOW - 100 * HOUR, NOW + 60 * HOUR);
    put_live(&planned, "ends-now", 8, NOW - 90 * DAY, NOW);
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "older expired ends-now missing1 missing2 short expiring");
    CHECK_INT(item_of(&planned, "older")->reason, DUE_EXPIRED);
    CHECK_INT(item_of(&planned, "ends-now")->reason, DUE_EXPIRED);
    CHECK_INT(item_of(&planned, "missing1")->reason, DUE_NO_CERTIFICATE);
    CHECK_INT(item_of(&planned, "short")->reason, DUE_LIFETIME);
    CHECK_INT(item_of(&planned, "short")->due_at, NOW + 40 * HOUR - 160 * HOUR / 3);
    const struct plan_item *expiring = item_of(&planned, "expiring");
    CHECK_INT(expiring->reason, DUE_EXPIRING);
    CHECK_INT(expiring->due_at, NOW - 10 * DAY);
    CHECK_INT(expiring->not_before, NOW - 70 * DAY);
    CHECK_INT(expiring->not_after, NOW + 20 * DAY);
    CHECK_INT(expiring->sequence, 3);
    CHECK_INT(planned.plan.later_count, 3);
    CHECK_TEXT(entries[planned.plan.later[0].entry].name, "short-ok");
    CHECK_TEXT(entries[planned.plan.later[1].entry].name, "fresh");
    CHECK_TEXT(entries[planned.plan.later[2].entry].name, "fresher");
    CHECK_INT(planned.plan.next_due_at, NOW + 60 * HOUR - 160 * HOUR / 3);
    planned.options.want_later = false;
    planned_run(&planned);
    CHECK(planned.plan.later == NULL);
    CHECK_INT(planned.plan.later_count, 3);
    /* One second before it is due, and at that second. */
    planned.options.now = NOW + 60 * HOUR - 160 * HOUR / 3 - 1;
    planned_run(&planned);
    CHECK_INT(planned.plan.later_count, 3);
    planned.options.now++;
    planned_run(&planned);
    CHECK_INT(planned.plan.later_count, 2);
    planned_free(&planned);
}

static void dates_decide_with_system_calls(void)
{
    dates_decide_and_order(STORE_SYNC);
}

static void dates_decide_with_a_ring(void)
{
    dates_decide_and_order(STORE_AUTO);
}

/* The live certificate has a.test and www.a.test, which the CA added, and a P-256 key. */
static void plan_with_www(struct planned *planned, struct manifest_entry *entry)
{
    planned_make(planned, entry, 1);
    live_sample_put(planned->scratch.path, "www", 3,
                    &(struct live_sample){.not_before = NOW - DAY,
                                          .not_after = NOW + 89 * DAY,
                                          .names = "DNS:A.test,DNS:www.a.test",
                                          .key = p256,
                                          .serial = 1});
}

static void the_digest_says_what_changed(void)
{
    static const char *const both[] = {"www.a.test", "a.test"};
    static const char *const another[] = {"a.test", "b.test"};
    static const struct {
        const char *const *domains;
        uint32_t domain_count;
        struct key_spec key;
        uint64_t digest;       /* the entry's */
        uint64_t noted_digest; /* the state's; 0: no row */
        unsigned noted_sequence;
        enum due_reason reason;
    } cases[] = {
        /* No state: what the manifest asks for must be there. */
        {one_domain, 1, {KEY_ECDSA, 256}, 11, 0, 0, DUE_NOT},
        {both, 2, {KEY_ECDSA, 256}, 11, 0, 0, DUE_NOT},
        {another, 2, {KEY_ECDSA, 256}, 11, 0, 0, DUE_NAMES},
        {both, 2, {KEY_ECDSA, 384}, 11, 0, 0, DUE_KEY},
        {both, 2, {KEY_RSA, 2048}, 11, 0, 0, DUE_KEY},
        /* Issued for this entry: whatever the CA made of it. */
        {one_domain, 1, {KEY_ECDSA, 256}, 11, 11, 3, DUE_NOT},
        {another, 2, {KEY_ECDSA, 384}, 11, 11, 3, DUE_NOT},
        /* Issued for another: a name too many counts too. */
        {one_domain, 1, {KEY_ECDSA, 256}, 11, 12, 3, DUE_NAMES},
        {another, 2, {KEY_ECDSA, 256}, 11, 12, 3, DUE_NAMES},
        {both, 2, {KEY_ECDSA, 384}, 11, 12, 3, DUE_KEY},
        {both, 2, {KEY_ECDSA, 256}, 11, 12, 3, DUE_NOT},
        /* The state speaks of another certificate than the live one. */
        {another, 2, {KEY_ECDSA, 256}, 11, 11, 2, DUE_NAMES},
        {one_domain, 1, {KEY_ECDSA, 256}, 11, 12, 2, DUE_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct manifest_entry entry =
            entry_of("www", cases[i].domains, cases[i].domain_count, cases[i].digest);
        entry.key = cases[i].key;
        struct planned planned;
        plan_with_www(&planned, &entry);
        if (cases[i].noted_digest != 0) {
            planned.state = state_started(planned.scratch.path);
            state_put_ok(planned.state,
                         noted("www", cases[i].noted_sequence, cases[i].noted_digest));
        }
        planned_run(&planned);
        enum due_reason reason = item_of(&planned, "www")->reason;
        if (reason != cases[i].reason)
            fprintf(stderr, "case %zu\n", i);
        CHECK_TEXT(due_reason_name(reason), due_reason_name(cases[i].reason));
        CHECK_INT(item_of(&planned, "www")->due_at == 0, reason != DUE_NOT);
        planned_free(&planned);
    }
}

static void many_names_are_a_set(void)
{
    static char texts[MANIFEST_DOMAINS_MAX][24];
    static const char *domains[MANIFEST_DOMAINS_MAX];
    static char names[MANIFEST_DOMAINS_MAX * 32];
    /* The certificate has them the other way round, and one address. */
    for (int i = 0; i < MANIFEST_DOMAINS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "host-%d.test", i);
        domains[i] = texts[i];
    }
    domains[0] = "192.0.2.7";
    for (int i = MANIFEST_DOMAINS_MAX - 1; i > 0; i--)
        snprintf(names + strlen(names), sizeof names - strlen(names), "DNS:%s,", texts[i]);
    snprintf(names + strlen(names), sizeof names - strlen(names), "IP:192.0.2.7");
    struct manifest_entry entry = entry_of("many", domains, MANIFEST_DOMAINS_MAX, 11);
    struct planned planned;
    planned_make(&planned, &entry, 1);
    live_sample_put(
        planned.scratch.path, "many", 1,
        &(struct live_sample){
            .not_before = NOW - DAY, .not_after = NOW + 89 * DAY, .names = names, .key = p256});
    planned_run(&planned);
    CHECK_INT(planned.plan.due_count, 0);
    domains[50] = "other.test";
    planned_run(&planned);
    CHECK_INT(planned.plan.due[0].reason, DUE_NAMES);
    planned_free(&planned);
}

static void damaged_files_make_it_due(void)
{
    struct manifest_entry entries[] = {simple_entry("good"), simple_entry("garbage"),
                                       simple_entry("dangling"), simple_entry("empty"),
                                       simple_entry("huge")};
    struct planned planned;
    planned_make(&planned, entries, 5);
    put_live(&planned, "good", 1, NOW - DAY, NOW + 89 * DAY);
    live_file_put(planned.scratch.path, "garbage", 1,
                  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    live_file_put(planned.scratch.path, "dangling", 7, "");
    CHECK(unlink(scratch_path(&planned.scratch, "archive/dangling/7/cert.pem")) == 0);
    live_file_put(planned.scratch.path, "empty", 1, "");
    live_file_put(planned.scratch.path, "huge", 1, "");
    CHECK(truncate(scratch_path(&planned.scratch, "archive/huge/1/cert.pem"), (off_t)1024 * 1024) ==
          0);
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "garbage dangling empty huge");
    for (size_t i = 0; i < planned.plan.due_count; i++) {
        CHECK_INT(planned.plan.due[i].reason, DUE_UNREADABLE);
        CHECK(planned.plan.due[i].detail != NULL && planned.plan.due[i].detail[0] != '\0');
    }
    CHECK_CONTAINS(item_of(&planned, "dangling")->detail, "live/dangling/cert.pem: No such file");
    CHECK_INT(item_of(&planned, "dangling")->sequence, 7);
    CHECK(item_of(&planned, "good")->detail == NULL);
    planned_free(&planned);
}

/* Without permission to read them, all certificates would look as if they were missing. */
static void a_closed_folder_is_an_error(void)
{
    struct manifest_entry entry = simple_entry("www");
    struct planned planned;
    planned_make(&planned, &entry, 1);
    put_live(&planned, "www", 1, NOW - DAY, NOW + 89 * DAY);
    CHECK(chmod(planned.scratch.path, 0755) == 0);
    CHECK(chmod(scratch_path(&planned.scratch, "live"), 0) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (geteuid() == 0)
            CHECK(setgid(65534) == 0 && setuid(65534) == 0);
        struct error error;
        CHECK(!plan_make(&planned.manifest, NULL, &planned.options, &planned.plan, &error));
        CHECK_INT(error.kind, ERROR_SYSTEM);
        CHECK_CONTAINS(error.text, "/live: Permission denied");
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(chmod(scratch_path(&planned.scratch, "live"), 0700) == 0);
    planned_free(&planned);
}

static void open_orders_go_on(void)
{
    struct manifest_entry entries[] = {simple_entry("same"), simple_entry("changed"),
                                       simple_entry("missing"), simple_entry("old")};
    struct planned planned;
    planned_make(&planned, entries, 4);
    put_live(&planned, "same", 1, NOW - DAY, NOW + 89 * DAY);
    put_live(&planned, "changed", 1, NOW - DAY, NOW + 89 * DAY);
    put_live(&planned, "old", 1, NOW - 99 * DAY, NOW - 9 * DAY);
    planned.state = state_started(planned.scratch.path);
    state_put_ok(planned.state, open_order("same", 11));
    state_put_ok(planned.state, open_order("changed", 12));
    state_put_ok(planned.state, open_order("missing", 11));
    state_put_ok(planned.state, open_order("old", 11));
    state_put_ok(planned.state, open_order("not in the manifest", 11));
    planned_run(&planned);
    /* What the plan holds outlives the state. */
    state_close(planned.state);
    planned.state = NULL;
    CHECK_TEXT(due_names(&planned), "old missing same");
    CHECK(item_of(&planned, "changed")->order == NULL);
    for (size_t i = 0; i < 3; i++) {
        const struct state_order *order = planned.plan.due[i].order;
        CHECK_INT(planned.plan.due[i].reason, DUE_OPEN_ORDER);
        CHECK(order != NULL);
        CHECK_TEXT(order->name, entries[planned.plan.due[i].entry].name);
        CHECK_TEXT(order->url, "https://ca.test/order/9");
        CHECK_TEXT(order->account, "demo");
        CHECK_TEXT(order->directory, "https://ca.test/dir");
        CHECK_INT(order->stage, ORDER_PLACED);
        CHECK_INT(order->sequence, 5);
        CHECK_INT(order->digest, 11);
        CHECK_INT(order->placed_at, NOW - DAY);
    }
    planned_free(&planned);
}

static void deployment_alone_can_be_due(void)
{
    static const struct deploy_hook hook = {0};
    struct manifest_entry entries[] = {simple_entry("done"), simple_entry("behind"),
                                       simple_entry("no-hook"), simple_entry("expired"),
                                       simple_entry("unnoted")};
    for (size_t i = 0; i < 5; i++)
        entries[i].deploy = i != 2 ? &hook : NULL;
    struct planned planned;
    planned_make(&planned, entries, 5);
    planned.state = state_started(planned.scratch.path);
    for (size_t i = 0; i < 4; i++) {
        bool expired = i == 3;
        put_live(&planned, entries[i].name, 4, NOW - DAY * (expired ? 99 : 1),
                 NOW + DAY * (expired ? -9 : 89));
        state_put_ok(planned.state, noted(entries[i].name, 4, 11));
        state_put_ok(planned.state,
                     (struct state_change){.kind = STATE_DEPLOYED,
                                           .certificate = {.name = entries[i].name,
                                                           .deployed_sequence = i == 0 ? 4 : 3}});
    }
    put_live(&planned, "unnoted", 1, NOW - DAY, NOW + 88 * DAY);
    planned_run(&planned);
    CHECK_TEXT(due_names(&planned), "expired unnoted behind");
    CHECK_INT(item_of(&planned, "behind")->reason, DUE_NOT);
    CHECK(item_of(&planned, "behind")->deploy_only);
    CHECK(item_of(&planned, "unnoted")->deploy_only);
    CHECK(!item_of(&planned, "expired")->deploy_only);
    CHECK(!item_of(&planned, "no-hook")->deploy_only);
    CHECK_INT(planned.plan.later_count, 2);
    planned_free(&planned);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Not a check of speed: prints the CPU time of planning that many live certificates, all noted in
 * the state. CERTMILL_TEST_LIVE sets the number. */
static void many_live_certificates(void)
{
    const char *wanted = getenv("CERTMILL_TEST_LIVE");
    size_t count = wanted != NULL ? strtoul(wanted, NULL, 10) : 2000;
    struct manifest_entry *entries = calloc(count, sizeof *entries);
    struct state_change *changes = calloc(count, sizeof *changes);
    char(*names)[32] = calloc(count, sizeof *names);
    CHECK(entries != NULL && changes != NULL && names != NULL);
    struct planned planned;
    planned_make(&planned, entries, count);
    struct live_sample sample = {.not_before = NOW - DAY,
                                 .not_after = NOW + 89 * DAY,
                                 .names = "DNS:a.test,DNS:www.a.test",
                                 .key = p256};
    live_sample_put(planned.scratch.path, "model", 1, &sample);
    planned.state = state_started(planned.scratch.path);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "n%07zu", i * 7919 % count);
        entries[i] = simple_entry(names[i]);
        live_file_share(planned.scratch.path, names[i], 1, "model");
        changes[i] = noted(names[i], 1, 11);
        state_post(planned.state, &changes[i]);
    }
    state_close(planned.state);
    struct error error;
    CHECK_OK(state_open(planned.scratch.path, true, &planned.state, &error), error);
    double start = cpu_seconds();
    int64_t start_ms = clock_monotonic_ms();
    planned_run(&planned);
    printf("  %zu planned in %.2f s CPU, %.2f s\n", count, cpu_seconds() - start,
           (double)(clock_monotonic_ms() - start_ms) / 1e3);
    CHECK_INT(planned.plan.due_count, 0);
    CHECK_INT(planned.plan.later_count, count);
    planned_free(&planned);
    free(names);
    free(changes);
    free(entries);
}

static const struct test tests[] = {
    TEST(the_later_of_two_times_decides),
    TEST(the_first_run_takes_all),
    TEST(dates_decide_with_system_calls),
    TEST(dates_decide_with_a_ring),
    TEST(the_digest_says_what_changed),
    TEST(many_names_are_a_set),
    TEST(damaged_files_make_it_due),
    TEST(a_closed_folder_is_an_error),
    TEST(open_orders_go_on),
    TEST(deployment_alone_can_be_due),
    TEST(many_live_certificates),
};

TESTS_MAIN(tests)
