/* engine/solver: dns-01 by a hook, with real shell scripts. */
#include "solver_jobs.h"

#include "solver/dns_hook.h"
#include "solver/dns_journal.h"

#define JOBS_MAX   64
#define HOUR_S     3600U
#define LOG_SCRIPT "cat >>\"$D/$1.in\"; echo \"$1\" >>\"$D/calls\"\n"

static struct solvers *dns_solvers(const char *hook, struct state *state, unsigned propagation_s)
{
    struct manifest_solvers manifest = {
        .dns_hook = path_in(hook), .dns_propagation_s = propagation_s, .dns_timeout_s = 20};
    return solvers_of(&manifest, state, false, true);
}

static void one_call_makes_the_records_of_many_jobs(void)
{
    folder_begin();
    hook_put("hook", LOG_SCRIPT);
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    /* a wildcard and its apex: the same name with two values */
    struct solver_job jobs[] = {dns_job(SOLVER_PRESENT, "example.com", "value-1"),
                                dns_job(SOLVER_PRESENT, "example.com", "value-2"),
                                dns_job(SOLVER_PRESENT, "other.example", "value-3")};
    for (size_t i = 0; i < 3; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(3);
    for (size_t i = 0; i < 3; i++)
        CHECK_OK(jobs[i].ok, jobs[i].error);
    CHECK_TEXT(file_text("calls"), "present\n");
    CHECK_TEXT(file_text("present.in"),
               "{\"certificate\":\"www\",\"domain\":\"example.com\",\"fqdn\":"
               "\"_acme-challenge.example.com\",\"value\":\"value-1\"}\n"
               "{\"certificate\":\"www\",\"domain\":\"example.com\",\"fqdn\":"
               "\"_acme-challenge.example.com\",\"value\":\"value-2\"}\n"
               "{\"certificate\":\"www\",\"domain\":\"other.example\",\"fqdn\":"
               "\"_acme-challenge.other.example\",\"value\":\"value-3\"}\n");
    for (size_t i = 0; i < 3; i++) {
        jobs[i].step = SOLVER_CLEANUP;
        solver_submit(solvers, &jobs[i]);
    }
    jobs_wait(3);
    CHECK(jobs[0].ok && jobs[1].ok && jobs[2].ok);
    CHECK_TEXT(file_text("calls"), "present\ncleanup\n");
    CHECK_INT(count_of(file_text("cleanup.in"), "\n"), 3);
    solvers_free(solvers);
    folder_end();
}

static void next_batch_grows_while_a_call_runs(void)
{
    folder_begin();
    hook_put("hook",
             LOG_SCRIPT "touch \"$D/started\"\nwhile [ ! -e \"$D/go\" ]; do sleep 0.01; done\n");
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    static struct solver_job jobs[JOBS_MAX];
    static char values[JOBS_MAX][16];
    for (size_t i = 0; i < JOBS_MAX; i++) {
        snprintf(values[i], sizeof values[i], "value-%zu", i);
        jobs[i] = dns_job(SOLVER_PRESENT, "example.com", values[i]);
        solver_submit(solvers, &jobs[i]);
        if (i == 0)
            file_wait("started");
    }
    CHECK_INT(jobs_returned(), 0);
    file_put("go", 0644, "");
    jobs_wait(JOBS_MAX);
    CHECK_TEXT(file_text("calls"), "present\npresent\n");
    CHECK_INT(count_of(file_text("present.in"), "\n"), JOBS_MAX);
    solvers_free(solvers);
    folder_end();
}

static void shared_record_is_made_once_and_removed_last(void)
{
    folder_begin();
    hook_put("hook", LOG_SCRIPT);
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    struct solver_job jobs[] = {dns_job(SOLVER_PRESENT, "example.com", "same"),
                                dns_job(SOLVER_PRESENT, "example.com", "same"),
                                dns_job(SOLVER_PRESENT, "example.com", "same")};
    solver_submit(solvers, &jobs[0]);
    solver_submit(solvers, &jobs[1]);
    jobs_wait(2);
    solver_submit(solvers, &jobs[2]); /* in a later batch */
    jobs_wait(1);
    CHECK(jobs[0].ok && jobs[1].ok && jobs[2].ok);
    CHECK_TEXT(file_text("calls"), "present\n");
    CHECK_INT(count_of(file_text("present.in"), "\n"), 1);
    for (size_t i = 0; i < 3; i++) {
        jobs[i].step = SOLVER_CLEANUP;
        solver_submit(solvers, &jobs[i]);
        jobs_wait(1);
        CHECK(jobs[i].ok);
        CHECK_INT(count_of(file_text("cleanup.in"), "\n"), i == 2 ? 1 : 0);
    }
    solvers_free(solvers);
    folder_end();
}

static void failing_hook_fails_the_batch_with_its_words(void)
{
    folder_begin();
    hook_put("hook", "cat >/dev/null; echo 'not this'; echo first >&2\n"
                     "printf 'zone \\033[31mlocked\\n' >&2; exit 3\n");
    struct solvers *solvers = dns_solvers("hook", NULL, HOUR_S);
    struct solver_job jobs[] = {
        dns_job(SOLVER_PRESENT, "a.example", "1"), dns_job(SOLVER_PRESENT, "b.example", "2"),
        dns_job(SOLVER_PRESENT, "b.example", "2"), dns_job(SOLVER_CLEANUP, "c.example", "3")};
    for (size_t i = 0; i < 4; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(4);
    for (size_t i = 0; i < 4; i++) {
        CHECK(!jobs[i].ok);
        CHECK_CONTAINS(jobs[i].error.text, "the dns-01 hook: ");
        CHECK_CONTAINS(jobs[i].error.text, "exit code 3");
        CHECK_CONTAINS(jobs[i].error.text, "zone");
        CHECK(strchr(jobs[i].error.text, '\x1b') == NULL);
    }
    solvers_free(solvers);
    folder_end();
}

static void hook_can_refuse_single_records(void)
{
    folder_begin();
    hook_put(
        "hook",
        "cat >/dev/null\n"
        "echo 'working on it'; echo '{broken'; echo '[1]'; echo '{\"fqdn\":7}'\n"
        "echo '{\"fqdn\":\"_acme-challenge.b.example\",\"value\":\"2\",\"error\":\"no zone\"}'\n"
        "echo '  {\"fqdn\":\"_acme-challenge.d.example\",\"error\":\"frozen\\u001b[1m\"}  '\n"
        "echo '{\"fqdn\":\"_acme-challenge.a.example\",\"value\":\"1\"}'\n"
        "echo '{\"fqdn\":\"_acme-challenge.unknown.example\",\"error\":\"?\"}'\n");
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    struct solver_job jobs[] = {
        dns_job(SOLVER_PRESENT, "a.example", "1"), dns_job(SOLVER_PRESENT, "b.example", "2"),
        dns_job(SOLVER_PRESENT, "b.example", "3"), dns_job(SOLVER_PRESENT, "d.example", "4"),
        dns_job(SOLVER_PRESENT, "d.example", "5")};
    for (size_t i = 0; i < 5; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(5);
    CHECK(jobs[0].ok && !jobs[1].ok && jobs[2].ok && !jobs[3].ok && !jobs[4].ok);
    CHECK_TEXT(jobs[1].error.text, "the dns-01 hook: _acme-challenge.b.example: no zone");
    CHECK_TEXT(jobs[3].error.text, "the dns-01 hook: _acme-challenge.d.example: frozen [1m");
    /* a record that was refused is asked for again, not taken as made */
    jobs[1].step = SOLVER_PRESENT;
    solver_submit(solvers, &jobs[1]);
    jobs_wait(1);
    CHECK(!jobs[1].ok);
    solvers_free(solvers);
    folder_end();
}

static void hook_that_cannot_start_or_hangs_fails_its_jobs(void)
{
    folder_begin();
    file_put("hook", 0755, "#!/does/not/exist\n");
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    struct solver_job job = dns_job(SOLVER_PRESENT, "a.example", "1");
    solver_submit(solvers, &job);
    jobs_wait(1);
    CHECK(!job.ok);
    CHECK_CONTAINS(job.error.text, "the dns-01 hook");
    solvers_free(solvers);

    hook_put("hook", "cat >/dev/null; exec sleep 60\n");
    struct dns_record record = {.certificate = CERTIFICATE,
                                .domain = "a.example",
                                .fqdn = "_acme-challenge.a.example",
                                .value = "1"};
    dns_hook_run(path_in("hook"), SOLVER_PRESENT, 50, -1, &record, 1);
    CHECK(!record.ok);
    CHECK_CONTAINS(record.error.text, "took too long");
    folder_end();
}

static void name_that_is_too_long_fails_alone(void)
{
    folder_begin();
    hook_put("hook", LOG_SCRIPT);
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    char name[DNS_FQDN_MAX + 1];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct solver_job jobs[] = {dns_job(SOLVER_PRESENT, name, "1"),
                                dns_job(SOLVER_PRESENT, "b.example", NULL),
                                dns_job(SOLVER_PRESENT, "c.example", "3")};
    for (size_t i = 0; i < 3; i++)
        solver_submit(solvers, &jobs[i]);
    jobs_wait(3);
    CHECK(!jobs[0].ok && !jobs[1].ok && jobs[2].ok);
    CHECK_INT(count_of(file_text("present.in"), "\n"), 1);
    solvers_free(solvers);
    folder_end();
}

static void end_of_the_run_gives_up_the_wait_and_tidies(void)
{
    folder_begin();
    hook_put("hook", LOG_SCRIPT "[ $1 = present ] && touch \"$D/made\"\ntrue\n");
    struct solvers *solvers = dns_solvers("hook", NULL, HOUR_S);
    struct solver_job waiting = dns_job(SOLVER_PRESENT, "a.example", "1");
    solver_submit(solvers, &waiting);
    file_wait("made");
    struct solver_job cleanup = dns_job(SOLVER_CLEANUP, "b.example", "2");
    struct solver_job late = dns_job(SOLVER_PRESENT, "c.example", "3");
    solver_submit(solvers, &cleanup);
    solver_submit(solvers, &late);
    solvers_free(solvers);
    jobs_wait(3);
    CHECK(!waiting.ok && !late.ok && cleanup.ok);
    CHECK_INT(waiting.error.kind, ERROR_CANCELLED);
    CHECK_INT(late.error.kind, ERROR_CANCELLED);
    CHECK_CONTAINS(file_text("cleanup.in"), "_acme-challenge.a.example");
    CHECK_CONTAINS(file_text("cleanup.in"), "_acme-challenge.b.example");
    folder_end();
}

static void end_of_the_run_ends_a_running_hook(void)
{
    folder_begin();
    hook_put("hook", LOG_SCRIPT "[ $1 = cleanup ] && exit 0\n"
                                "touch \"$D/started\"; exec sleep 60\n");
    struct solvers *solvers = dns_solvers("hook", NULL, 0);
    struct solver_job job = dns_job(SOLVER_PRESENT, "a.example", "1");
    solver_submit(solvers, &job);
    file_wait("started");
    int64_t before = clock_monotonic_ms();
    solvers_free(solvers);
    CHECK(clock_monotonic_ms() - before < DEADLINE_MS);
    jobs_wait(1);
    CHECK(!job.ok);
    CHECK_INT(job.error.kind, ERROR_CANCELLED);
    /* it may have made its record already */
    CHECK_TEXT(file_text("calls"), "present\ncleanup\n");
    CHECK_CONTAINS(file_text("cleanup.in"), "_acme-challenge.a.example");
    folder_end();
}

static struct state *state_begin(void)
{
    struct state *state;
    struct error error;
    CHECK_OK(state_open(scratch.path, false, &state, &error), error);
    CHECK_OK(state_start(state, 0, &error), error);
    return state;
}

static bool record_count(void *context, const struct state_record *row)
{
    CHECK_TEXT(row->name, CERTIFICATE);
    CHECK_TEXT(row->solver, DNS_HOOK_SOLVER);
    ++*(size_t *)context;
    return true;
}

static size_t records_in(struct state *state)
{
    size_t count = 0;
    struct error error;
    CHECK_OK(state_records(state, record_count, &count, &error), error);
    return count;
}

static void records_are_in_the_state_before_the_hook_makes_them(void)
{
    folder_begin();
    /* the hook ends well only if the database already names its record */
    hook_put("hook", "cat >/dev/null\n[ $1 = cleanup ] || "
                     "cat \"$D\"/state.db \"$D\"/state.db-wal | grep -aq early-value\n");
    struct state *state = state_begin();
    struct solvers *solvers = dns_solvers("hook", state, 0);
    struct solver_job jobs[] = {dns_job(SOLVER_PRESENT, "a.example", "early-value"),
                                dns_job(SOLVER_PRESENT, "b.example", "other")};
    solver_submit(solvers, &jobs[0]);
    solver_submit(solvers, &jobs[1]);
    jobs_wait(2);
    CHECK_OK(jobs[0].ok && jobs[1].ok, jobs[0].error);
    CHECK_INT(records_in(state), 2);
    jobs[0].step = SOLVER_CLEANUP;
    solver_submit(solvers, &jobs[0]);
    jobs_wait(1);
    CHECK(jobs[0].ok);
    CHECK_INT(records_in(state), 1);
    solvers_free(solvers);
    state_close(state);
    folder_end();
}

static void failed_cleanup_keeps_the_record_in_the_state(void)
{
    folder_begin();
    hook_put("hook", "cat >/dev/null; [ $1 = present ] || { echo offline >&2; exit 1; }\n");
    struct state *state = state_begin();
    struct solvers *solvers = dns_solvers("hook", state, 0);
    struct solver_job job = dns_job(SOLVER_PRESENT, "a.example", "v");
    solver_submit(solvers, &job);
    jobs_wait(1);
    CHECK(job.ok);
    job.step = SOLVER_CLEANUP;
    solver_submit(solvers, &job);
    jobs_wait(1);
    CHECK(!job.ok);
    CHECK_CONTAINS(job.error.text, "offline");
    CHECK_INT(records_in(state), 1);
    solvers_free(solvers);
    state_close(state);
    folder_end();
}

static void warning_keep(void *context, const char *text)
{
    struct buf *warnings = context;
    CHECK(buf_append_text(warnings, text) && buf_append_char(warnings, '\n'));
}

static void leftovers_of_an_earlier_run_are_removed(void)
{
    folder_begin();
    hook_put("make", "cat >/dev/null\n");
    struct state *state = state_begin();
    struct solvers *solvers = dns_solvers("make", state, 0);
    struct solver_job jobs[] = {dns_job(SOLVER_PRESENT, "a.example", "1"),
                                dns_job(SOLVER_PRESENT, "b.example", "2")};
    solver_submit(solvers, &jobs[0]);
    solver_submit(solvers, &jobs[1]);
    jobs_wait(2);
    solvers_free(solvers); /* as after a crash: nobody asked for a cleanup */
    CHECK_INT(records_in(state), 2);

    struct buf warnings;
    buf_init(&warnings, 8192);
    struct manifest_solvers none = {0};
    solvers = solvers_of(&none, state, false, false);
    solvers_clean_leftovers(solvers, warning_keep, &warnings);
    CHECK_CONTAINS(buf_text(&warnings), "2 DNS records of an earlier run stay");
    CHECK_CONTAINS(buf_text(&warnings), "no dns-01 hook");
    solvers_free(solvers);
    buf_clear(&warnings);

    /* one of the two cannot be removed: it stays, and the operator hears why */
    hook_put("hook", LOG_SCRIPT "echo '{\"fqdn\":\"_acme-challenge.b.example\",\"error\":\"zone "
                                "locked\"}'\n");
    solvers = dns_solvers("hook", state, 0);
    solvers_clean_leftovers(solvers, warning_keep, &warnings);
    CHECK_CONTAINS(buf_text(&warnings), "1 DNS records of an earlier run are not removed yet");
    CHECK_CONTAINS(buf_text(&warnings), "zone locked");
    CHECK_TEXT(file_text("calls"), "cleanup\n");
    CHECK_CONTAINS(file_text("cleanup.in"),
                   "{\"certificate\":\"www\",\"domain\":\"a.example\",\"fqdn\":"
                   "\"_acme-challenge.a.example\",\"value\":\"1\"}\n");
    CHECK_INT(records_in(state), 1);
    solvers_free(solvers);
    buf_clear(&warnings);

    /* dns-01 need not be in use any more, as long as there is a hook */
    const char *hook = path_in("make");
    struct manifest_solvers manifest = {.dns_hook = hook, .dns_timeout_s = 20};
    solvers = solvers_of(&manifest, state, false, false);
    solvers_clean_leftovers(solvers, warning_keep, &warnings);
    CHECK_TEXT(buf_text(&warnings), "");
    CHECK_INT(records_in(state), 0);
    solvers_clean_leftovers(solvers, warning_keep, &warnings);
    CHECK_TEXT(buf_text(&warnings), "");
    solvers_free(solvers);
    buf_free(&warnings);
    state_close(state);
    folder_end();
}

static const struct test tests[] = {
    TEST(one_call_makes_the_records_of_many_jobs),
    TEST(next_batch_grows_while_a_call_runs),
    TEST(shared_record_is_made_once_and_removed_last),
    TEST(failing_hook_fails_the_batch_with_its_words),
    TEST(hook_can_refuse_single_records),
    TEST(hook_that_cannot_start_or_hangs_fails_its_jobs),
    TEST(name_that_is_too_long_fails_alone),
    TEST(end_of_the_run_gives_up_the_wait_and_tidies),
    TEST(end_of_the_run_ends_a_running_hook),
    TEST(records_are_in_the_state_before_the_hook_makes_them),
    TEST(failed_cleanup_keeps_the_record_in_the_state),
    TEST(leftovers_of_an_earlier_run_are_removed),
};
TESTS_MAIN(tests)
