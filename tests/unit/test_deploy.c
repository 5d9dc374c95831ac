/* engine/deploy: hooks for each certificate and once for all, with real shell scripts. */
#include "hook_folder.h"

#include "deploy/command.h"
#include "deploy/hooks.h"
#include "deploy/once.h"

#include <errno.h>
#include <pthread.h>

#define REPORTS_MAX 16

/* What the deployer reported, in order. */
static struct reports {
    pthread_mutex_t lock;
    size_t count;
    struct {
        const struct manifest_entry *entry;
        unsigned sequence;
        bool ok;
        struct error error;
    } list[REPORTS_MAX];
} reports = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void report_keep(void *context, const struct manifest_entry *entry, unsigned sequence,
                        bool ok, const struct error *error)
{
    CHECK(context == &reports);
    pthread_mutex_lock(&reports.lock);
    CHECK(reports.count < REPORTS_MAX);
    reports.list[reports.count].entry = entry;
    reports.list[reports.count].sequence = sequence;
    reports.list[reports.count].ok = ok;
    reports.list[reports.count].error = *error;
    reports.count++;
    pthread_mutex_unlock(&reports.lock);
}

static struct deployer *deployer_begin(void)
{
    folder_begin();
    reports.count = 0;
    struct deploy_options options = {
        .state_folder = scratch.path, .done = report_keep, .context = &reports};
    struct deployer *deployer;
    struct error error;
    CHECK_OK(deployer_new(&options, &deployer, &error), error);
    return deployer;
}

static void deployer_finished(struct deployer *deployer)
{
    CHECK(!deployer_ended(deployer));
    deployer_finish(deployer);
    CHECK(deployer_ended(deployer));
}

static const char *const domains_one[] = {"www.example.com", "example.com"};
static const char *const domains_two[] = {"two.example"};

static struct manifest_entry entry_of(const char *name, const struct deploy_hook *deploy)
{
    return (struct manifest_entry){
        .name = name, .domains = domains_one, .domain_count = 2, .deploy = deploy};
}

static void hook_gets_the_certificate_in_its_environment(void)
{
    struct deployer *deployer = deployer_begin();
    hook_put("hook", "env | grep -E '^(CERTMILL_(DOMAINS|LIVE|NAME)|RENEWED_.*)=' | sort "
                     ">\"$D/env\"; echo \"$1\" >>\"$D/env\"\n"
                     "cat >>\"$D/env\"\n");
    const char *const command[] = {path_in("hook"), "an argument", NULL};
    struct deploy_hook hook = {.command = command, .timeout_s = 20};
    struct manifest_entry entry = entry_of("www", &hook);
    deployer_add(deployer, &entry, 7);
    deployer_finished(deployer);
    CHECK_INT(reports.count, 1);
    CHECK_OK(reports.list[0].ok, reports.list[0].error);
    CHECK(reports.list[0].entry == &entry);
    CHECK_INT(reports.list[0].sequence, 7);
    char *live = realpath(scratch.path, NULL);
    CHECK(live != NULL);
    char expected[2048];
    snprintf(expected, sizeof expected,
             "CERTMILL_DOMAINS=www.example.com example.com\nCERTMILL_LIVE=%s/live/www\n"
             "CERTMILL_NAME=www\nRENEWED_DOMAINS=www.example.com example.com\n"
             "RENEWED_LINEAGE=%s/live/www\nan argument\n",
             live, live);
    free(live);
    CHECK_TEXT(file_text("env"), expected);
    deployer_free(deployer);
    folder_end();
}

static void certificate_without_hooks_is_deployed(void)
{
    struct deployer *deployer = deployer_begin();
    struct manifest_entry entry = entry_of("www", NULL);
    deployer_add(deployer, &entry, 1);
    deployer_finished(deployer);
    CHECK_INT(reports.count, 1);
    CHECK(reports.list[0].ok);
    deployer_free(deployer);
    folder_end();
}

static void failure_names_command_exit_and_last_words(void)
{
    struct deployer *deployer = deployer_begin();
    hook_put("bad", "echo first >&2; printf 'disk \\033[1mfull\\n' >&2; exit 4\n");
    hook_put("good", "touch \"$D/good-ran\"\n");
    hook_put("killed", "kill -KILL $$\n");
    const char *const bad[] = {path_in("bad"), "--now", NULL};
    const char *const good[] = {path_in("good"), NULL};
    const char *const killed[] = {path_in("killed"), NULL};
    const char *const missing[] = {"/does/not/exist", NULL};
    struct deploy_hook last = {.command = killed, .timeout_s = 20};
    struct deploy_hook middle = {.command = good, .timeout_s = 20, .next = &last};
    struct deploy_hook first = {.command = bad, .timeout_s = 20, .next = &middle};
    struct deploy_hook absent = {.command = missing, .timeout_s = 20};
    struct manifest_entry entries[] = {entry_of("a", &first), entry_of("b", &last),
                                       entry_of("c", &absent), entry_of("d", &middle)};
    for (unsigned i = 0; i < 4; i++)
        deployer_add(deployer, &entries[i], i + 1);
    deployer_finished(deployer);
    CHECK_INT(reports.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(reports.list[i].entry == &entries[i]);
        CHECK(!reports.list[i].ok);
    }
    /* the first failure counts, and the other hooks ran all the same */
    CHECK_CONTAINS(reports.list[0].error.text, "/bad --now");
    CHECK_CONTAINS(reports.list[0].error.text, "exit code 4");
    CHECK_CONTAINS(reports.list[0].error.text, "full");
    CHECK(strchr(reports.list[0].error.text, '\x1b') == NULL);
    CHECK(access(path_in("good-ran"), F_OK) == 0);
    CHECK_CONTAINS(reports.list[1].error.text, "signal 9");
    CHECK_CONTAINS(reports.list[2].error.text, "/does/not/exist");
    CHECK_CONTAINS(reports.list[3].error.text, "/killed");
    deployer_free(deployer);
    folder_end();
}

static void once_hook_runs_one_time_for_all(void)
{
    struct deployer *deployer = deployer_begin();
    hook_put("reload", "echo \"run $*\" >>\"$D/runs\"; cat >>\"$D/input.$1\"\n");
    hook_put("copy", "echo \"copy $CERTMILL_NAME\" >>\"$D/runs\"\n");
    const char *reload = path_in("reload");
    const char *const nginx[] = {reload, "nginx", NULL};
    const char *const nginx_too[] = {reload, "nginx", NULL}; /* equal, elsewhere in memory */
    const char *const haproxy[] = {reload, "haproxy", NULL};
    const char *const copy[] = {path_in("copy"), NULL};
    struct deploy_hook haproxy_once = {.command = haproxy, .once = true, .timeout_s = 20};
    struct deploy_hook copy_each = {.command = copy, .timeout_s = 20, .next = &haproxy_once};
    struct deploy_hook first = {
        .command = nginx, .once = true, .timeout_s = 20, .next = &copy_each};
    struct deploy_hook again = {.command = nginx, .once = true, .timeout_s = 20};
    struct deploy_hook twice = {
        .command = nginx_too, .once = true, .timeout_s = 10, .next = &again};
    struct manifest_entry entries[] = {entry_of("a", &first), entry_of("b", NULL),
                                       entry_of("c", &twice)};
    entries[2].domains = domains_two;
    entries[2].domain_count = 1;
    for (unsigned i = 0; i < 3; i++)
        deployer_add(deployer, &entries[i], i + 10);
    deployer_finished(deployer);
    CHECK_TEXT(file_text("runs"), "copy a\nrun nginx\nrun haproxy\n");
    CHECK_INT(reports.count, 3);
    CHECK(reports.list[0].entry == &entries[1]); /* nothing to wait for */
    CHECK(reports.list[0].ok && reports.list[1].ok && reports.list[2].ok);
    char *live = realpath(scratch.path, NULL);
    CHECK(live != NULL);
    char expected[2048];
    snprintf(
        expected, sizeof expected,
        "{\"name\":\"a\",\"sequence\":10,\"domains\":[\"www.example.com\",\"example.com\"],"
        "\"live\":\"%s/live/a\"}\n"
        "{\"name\":\"c\",\"sequence\":12,\"domains\":[\"two.example\"],\"live\":\"%s/live/c\"}\n",
        live, live);
    free(live);
    CHECK_TEXT(file_text("input.nginx"), expected);
    CHECK_INT(count_of(file_text("input.haproxy"), "\n"), 1);
    deployer_free(deployer);
    folder_end();
}

static void once_hook_need_not_read_its_input(void)
{
    static char names[MANIFEST_DOMAINS_MAX][254];
    static const char *domains[MANIFEST_DOMAINS_MAX];
    for (size_t i = 0; i < MANIFEST_DOMAINS_MAX; i++) {
        memset(names[i], 'n', sizeof names[i] - 1);
        domains[i] = names[i];
    }
    struct deployer *deployer = deployer_begin();
    const char *const command[] = {"true", NULL};
    struct deploy_hook once = {.command = command, .once = true, .timeout_s = 20};
    struct manifest_entry entry = entry_of("big", &once);
    entry.domains = domains;
    entry.domain_count = MANIFEST_DOMAINS_MAX;
    for (unsigned i = 0; i < 8; i++) /* 200 KB: more than a pipe holds */
        deployer_add(deployer, &entry, i);
    deployer_finished(deployer);
    CHECK_INT(reports.count, 8);
    for (unsigned i = 0; i < 8; i++)
        CHECK_OK(reports.list[i].ok, reports.list[i].error);
    deployer_free(deployer);
    folder_end();
}

static void failing_once_hook_fails_each_of_its_certificates(void)
{
    struct deployer *deployer = deployer_begin();
    hook_put("hook", "cat >/dev/null; echo 'config test failed' >&2; exit 1\n");
    hook_put("fine", "cat >/dev/null\n");
    const char *const failing[] = {path_in("hook"), NULL};
    const char *const fine[] = {path_in("fine"), NULL};
    struct deploy_hook bad = {.command = failing, .once = true, .timeout_s = 20};
    struct deploy_hook good = {.command = fine, .once = true, .timeout_s = 20};
    struct manifest_entry entries[] = {entry_of("a", &bad), entry_of("b", &good),
                                       entry_of("c", &bad)};
    for (unsigned i = 0; i < 3; i++)
        deployer_add(deployer, &entries[i], 1);
    deployer_finished(deployer);
    CHECK_INT(reports.count, 3);
    CHECK(!reports.list[0].ok && reports.list[1].ok && !reports.list[2].ok);
    CHECK_CONTAINS(reports.list[2].error.text, "config test failed");
    deployer_free(deployer);
    folder_end();
}

static void hanging_hook_is_ended_at_its_time(void)
{
    folder_begin();
    hook_put("hang", "exec sleep 60\n");
    const char *const command[] = {path_in("hang"), NULL};
    struct error error;
    int64_t before = clock_monotonic_ms();
    CHECK(!hook_command_run(command, 1, NULL, (struct span){0}, -1, &error));
    CHECK(clock_monotonic_ms() - before < DEADLINE_MS);
    CHECK_CONTAINS(error.text, "took too long");
    CHECK_CONTAINS(error.text, "/hang");
    folder_end();
}

static void cancel_ends_the_hook_and_reports_no_more(void)
{
    struct deployer *deployer = deployer_begin();
    hook_put("hang", "touch \"$D/started\"; exec sleep 60\n");
    hook_put("never", "touch \"$D/never-ran\"\n");
    const char *const hang[] = {path_in("hang"), NULL};
    const char *const never[] = {path_in("never"), NULL};
    struct deploy_hook once = {.command = never, .once = true, .timeout_s = 20};
    struct deploy_hook hook = {.command = hang, .timeout_s = 50, .next = &once};
    struct deploy_hook waiting = {.command = never, .timeout_s = 20};
    struct manifest_entry entries[] = {entry_of("zero", NULL), entry_of("once", &once),
                                       entry_of("a", &hook), entry_of("b", &waiting)};
    for (unsigned i = 0; i < 4; i++)
        deployer_add(deployer, &entries[i], 1);
    deployer_close(deployer);
    file_wait("started");
    int64_t before = clock_monotonic_ms();
    deployer_cancel(deployer);
    CHECK(clock_monotonic_ms() - before < DEADLINE_MS);
    CHECK(deployer_ended(deployer));
    CHECK(access(path_in("never-ran"), F_OK) != 0);
    CHECK_INT(reports.count, 1);
    CHECK(reports.list[0].entry == &entries[0]);
    deployer_free(deployer);
    folder_end();
}

static void freeing_without_finish_cancels(void)
{
    struct deployer *deployer = deployer_begin();
    const char *const command[] = {"true", NULL};
    struct deploy_hook once = {.command = command, .once = true, .timeout_s = 20};
    struct manifest_entry entry = entry_of("a", &once);
    deployer_add(deployer, &entry, 1);
    deployer_free(deployer);
    CHECK_INT(reports.count, 0);
    deployer_free(NULL);
    folder_end();
}

static void missing_state_folder_is_an_error(void)
{
    struct deploy_options options = {.state_folder = "/does/not/exist", .done = report_keep};
    struct deployer *deployer = NULL;
    struct error error;
    CHECK(!deployer_new(&options, &deployer, &error));
    CHECK(deployer == NULL);
    CHECK_INT(error.sys, ENOENT);
    CHECK_CONTAINS(error.text, "/does/not/exist");
}

static void once_hooks_are_grouped_by_command_in_their_first_order(void)
{
    const char *const z[] = {"z", "1", NULL};
    const char *const a[] = {"a", NULL};
    const char *const a_too[] = {"a", NULL};
    const char *const a_more[] = {"a", "b", NULL};
    const struct deploy_hook hooks[] = {{.command = z},     {.command = a}, {.command = a_more},
                                        {.command = a_too}, {.command = z}, {.command = a}};
    static const size_t expected[] = {0, 4, 1, 3, 5, 2};
    static const size_t groups[] = {0, 0, 1, 1, 1, 2};
    struct once_uses uses = {0};
    once_group(&uses);
    for (size_t i = 0; i < 6; i++)
        CHECK(once_add(&uses, &hooks[i], i));
    once_group(&uses);
    for (size_t i = 0; i < 6; i++) {
        CHECK_INT(uses.uses[i].item, expected[i]);
        CHECK_INT(uses.uses[i].group, groups[i]);
    }
    once_free(&uses);
    CHECK(commands_equal(a, a_too) && !commands_equal(a, a_more) && !commands_equal(a_more, a));
    CHECK(command_digest(a) == command_digest(a_too));
    const char *const joined[] = {"ab", NULL};
    const char *const apart[] = {"a", "b", NULL};
    CHECK(!commands_equal(joined, apart));
    CHECK(command_digest(joined) != command_digest(apart));
}

static void most_names_fit_into_the_environment(void)
{
    static char names[MANIFEST_DOMAINS_MAX][254];
    static const char *domains[MANIFEST_DOMAINS_MAX];
    for (size_t i = 0; i < MANIFEST_DOMAINS_MAX; i++) {
        memset(names[i], 'n', sizeof names[i] - 1);
        domains[i] = names[i];
    }
    struct manifest_entry entry = {
        .name = "big", .domains = domains, .domain_count = MANIFEST_DOMAINS_MAX};
    struct command_environment environment;
    CHECK(command_environment_make("/state", &entry, &environment));
    CHECK_TEXT(environment.variables[0], "CERTMILL_NAME=big");
    CHECK_INT(strlen(environment.variables[1]),
              strlen("CERTMILL_DOMAINS=") + (size_t)MANIFEST_DOMAINS_MAX * 254 - 1);
    CHECK_TEXT(environment.variables[3], "RENEWED_LINEAGE=/state/live/big");
    CHECK(environment.variables[COMMAND_VARIABLES] == NULL);
    command_environment_free(&environment);
}

static const struct test tests[] = {
    TEST(hook_gets_the_certificate_in_its_environment),
    TEST(certificate_without_hooks_is_deployed),
    TEST(failure_names_command_exit_and_last_words),
    TEST(once_hook_runs_one_time_for_all),
    TEST(once_hook_need_not_read_its_input),
    TEST(failing_once_hook_fails_each_of_its_certificates),
    TEST(hanging_hook_is_ended_at_its_time),
    TEST(cancel_ends_the_hook_and_reports_no_more),
    TEST(freeing_without_finish_cancels),
    TEST(missing_state_folder_is_an_error),
    TEST(once_hooks_are_grouped_by_command_in_their_first_order),
    TEST(most_names_fit_into_the_environment),
};
TESTS_MAIN(tests)
