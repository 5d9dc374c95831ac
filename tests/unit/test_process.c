/* io/process: real children, mostly /bin/sh. */
#include "check.h"

#include "base/clock.h"
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static bool shell_run(const char *script, struct process_request request, int cancel_fd,
                      struct process_result *result)
{
    const char *const command[] = {"sh", "-c", script, NULL};
    struct error error;
    request.command = command;
    if (request.output_limit == 0)
        request.output_limit = 4096;
    CHECK_OK(process_run(&request, cancel_fd, result, &error), error);
    return result->exit_code == 0;
}

static void input_and_outputs_are_kept_apart(void)
{
    struct process_result result;
    struct process_request request = {.input = SPAN_LITERAL("line 1\nline 2\n")};
    CHECK(shell_run("cat; echo problem >&2; exit 0", request, -1, &result));
    CHECK_TEXT(buf_text(&result.output), "line 1\nline 2\n");
    CHECK_TEXT(buf_text(&result.error_output), "problem\n");
    CHECK_INT(result.signal, 0);
    CHECK(!result.timed_out && !result.cancelled);
    struct error error;
    CHECK_OK(process_check(&result, "hook", &error), error);
    process_result_free(&result);
    /* As a file it can also be opened by name. */
    CHECK(shell_run("wc -l </dev/stdin | tr -d ' '", request, -1, &result));
    CHECK_TEXT(buf_text(&result.output), "2\n");
    process_result_free(&result);
    /* None at all is an empty one, not the caller's. */
    CHECK(shell_run("cat", (struct process_request){0}, -1, &result));
    CHECK_TEXT(buf_text(&result.output), "");
    process_result_free(&result);
}

static void large_data_goes_both_ways(void)
{
    size_t size = (size_t)4 * 1024 * 1024;
    char *input = malloc(size);
    CHECK(input != NULL);
    for (size_t i = 0; i < size; i++)
        input[i] = (char)('a' + i % 26);
    struct process_result result;
    struct process_request request = {.input = span_make(input, size), .output_limit = size};
    CHECK(shell_run("cat; echo done >&2", request, -1, &result));
    CHECK_INT(result.output.len, size);
    CHECK(memcmp(result.output.data, input, size) == 0);
    CHECK_TEXT(buf_text(&result.error_output), "done\n");
    process_result_free(&result);
    /* Nobody reads it: no error, no signal. */
    CHECK(shell_run("exit 0", request, -1, &result));
    process_result_free(&result);
    /* Only the end of the output is kept. */
    request.output_limit = 10;
    CHECK(shell_run("cat; printf 'THE-END'", request, -1, &result));
    CHECK_INT(result.output.len, 10);
    CHECK(memcmp(result.output.data + 3, "THE-END", 7) == 0);
    CHECK(memcmp(result.output.data, input + size - 3, 3) == 0);
    process_result_free(&result);
    free(input);
}

static void failures_are_told_apart(void)
{
    struct process_result result;
    struct error error;
    CHECK(!shell_run(
        "echo first >&2; printf 'a\\033[31mb\\377 gr\\303\\274n\\302\\233\\n\\n' >&2; exit 3",
        (struct process_request){0}, -1, &result));
    CHECK_INT(result.exit_code, 3);
    CHECK(!process_check(&result, "deploy", &error));
    CHECK_INT(error.kind, ERROR_SYSTEM);
    CHECK_TEXT(error.text, "deploy failed with exit code 3: a?[31mb? gr\xc3\xbcn?");
    process_result_free(&result);
    CHECK(!shell_run("kill -SEGV $$", (struct process_request){0}, -1, &result));
    CHECK_INT(result.exit_code, -1);
    CHECK_INT(result.signal, SIGSEGV);
    CHECK(!process_check(&result, "deploy", &error));
    CHECK_TEXT(error.text, "deploy was ended by signal 11 (SIGSEGV)");
    process_result_free(&result);

    const char *const missing[] = {"/does/not/exist", NULL};
    struct process_request request = {.command = missing};
    CHECK(!process_run(&request, -1, &result, &error));
    CHECK_INT(error.sys, ENOENT);
    CHECK_CONTAINS(error.text, "/does/not/exist cannot be run");
    const char *const nowhere[] = {"no-such-command-in-path", NULL};
    request.command = nowhere;
    CHECK(!process_run(&request, -1, &result, &error));
    const char *const folder[] = {"/tmp", NULL};
    request.command = folder;
    CHECK(!process_run(&request, -1, &result, &error));
    CHECK_INT(error.sys, EACCES);
}

static void the_environment_is_added_to(void)
{
    CHECK(setenv("CERTMILL_TEST_KEPT", "kept", 1) == 0);
    CHECK(setenv("CERTMILL_TEST_GIVEN", "old", 1) == 0);
    const char *const more[] = {"CERTMILL_TEST_GIVEN=new value", "CERTMILL_TEST_MORE=", NULL};
    struct process_result result;
    struct process_request request = {.environment = more};
    CHECK(shell_run("env | grep ^CERTMILL_TEST | sort", request, -1, &result));
    CHECK_TEXT(buf_text(&result.output), "CERTMILL_TEST_GIVEN=new value\n"
                                         "CERTMILL_TEST_KEPT=kept\nCERTMILL_TEST_MORE=\n");
    process_result_free(&result);
}

/* The number behind the name in the text; the test fails when it is not there. */
static long number_after(const char *text, const char *name)
{
    CHECK_CONTAINS(text, name);
    const char *digits = strstr(text, name) + strlen(name);
    char *end;
    long number = strtol(digits, &end, strstr(name, "0x") != NULL ? 16 : 10);
    CHECK(end != digits);
    return number;
}

static void the_child_starts_clean(void)
{
    int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    CHECK(leak >= 0);
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    CHECK(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
    struct process_result result;
    CHECK(shell_run("echo fds=$(ls /proc/self/fd | wc -l);"
                    "grep -E '^Sig(Blk|Ign)' /proc/self/status | sed 's/\t/\t0x/';"
                    "echo group=$(cut -d' ' -f5 /proc/$$/stat) pid=$$",
                    (struct process_request){0}, -1, &result));
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    CHECK(signal(SIGHUP, SIG_DFL) != SIG_ERR);
    close(leak);
    const char *text = buf_text(&result.output);
    CHECK_INT(number_after(text, "fds="), 4); /* 0, 1, 2, and what ls opens */
    CHECK_INT(number_after(text, "SigBlk:\t0x"), 0);
    /* glibc's posix_spawn itself ignores 32 and 33, which its threads use. */
    CHECK_INT(number_after(text, "SigIgn:\t0x") & 0x7fffffff, 0);
    CHECK_INT(number_after(text, "group="), number_after(text, "pid="));
    process_result_free(&result);
}

/* Neither gone nor a zombie that init has yet to take. */
static bool is_running(long pid)
{
    char path[64];
    char state = 'Z';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *stat = fopen(path, "re");
    if (stat == NULL)
        return false;
    int found = fscanf(stat, "%*d (%*[^)]) %c", &state);
    fclose(stat);
    return found == 1 && state != 'Z';
}

static void the_deadline_ends_the_whole_group(void)
{
    struct process_result result;
    struct error error;
    struct process_request request = {.timeout_ms = 30};
    CHECK(!shell_run("sleep 600 & echo pid=$!; wait", request, -1, &result));
    CHECK(result.timed_out);
    CHECK_INT(result.signal, SIGTERM);
    long sleeper = number_after(buf_text(&result.output), "pid=");
    CHECK(sleeper > 1);
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    while (is_running(sleeper))
        CHECK(clock_monotonic_ms() < deadline_ms);
    CHECK(!process_check(&result, "slow", &error));
    CHECK_TEXT(error.text, "slow took too long and was ended");
    process_result_free(&result);
    /* Even exit code 0 after the deadline is no success. */
    CHECK(shell_run("trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.01; done", request, -1,
                    &result));
    CHECK_TEXT(buf_text(&result.output), "cleaned\n");
    CHECK(!process_check(&result, "slow", &error));
    process_result_free(&result);
}

static void who_ignores_the_first_signal_gets_the_second(void)
{
    struct process_result result;
    struct process_request request = {.timeout_ms = 30, .kill_after_ms = 30};
    CHECK(!shell_run("trap '' TERM; while :; do sleep 1; done", request, -1, &result));
    CHECK(result.timed_out);
    CHECK_INT(result.signal, SIGKILL);
    process_result_free(&result);
    /* Nor does a flood of output keep the deadline from coming. */
    CHECK(!shell_run("trap '' TERM; while :; do echo flood; done", request, -1, &result));
    CHECK_INT(result.signal, SIGKILL);
    CHECK(result.output.len <= 4096);
    process_result_free(&result);
}

static void cancelling_ends_it(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    struct process_result result;
    struct error error;
    CHECK(!shell_run("sleep 600", (struct process_request){0}, ends[0], &result));
    CHECK(result.cancelled && !result.timed_out);
    CHECK_INT(result.signal, SIGTERM);
    CHECK(!process_check(&result, "hook", &error));
    CHECK_INT(error.kind, ERROR_CANCELLED);
    process_result_free(&result);
    close(ends[0]);
    close(ends[1]);
}

/* A daemon that keeps the pipes open does not keep the caller. */
static void background_processes_are_not_waited_for(void)
{
    struct process_result result;
    CHECK(shell_run("sleep 600 & echo pid=$!", (struct process_request){0}, -1, &result));
    long sleeper = number_after(buf_text(&result.output), "pid=");
    CHECK(sleeper > 1);
    CHECK_INT(kill((pid_t)sleeper, SIGKILL), 0); /* it lives */
    process_result_free(&result);
}

static void *runs_many(void *context)
{
    (void)context;
    for (int i = 0; i < 20; i++) {
        struct process_result result;
        char expected[32];
        snprintf(expected, sizeof expected, "input %d", i);
        struct process_request request = {.input = span_of(expected)};
        CHECK(shell_run("cat", request, -1, &result));
        CHECK_TEXT(buf_text(&result.output), expected);
        process_result_free(&result);
    }
    return NULL;
}

static void threads_run_children_at_once(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, runs_many, NULL) == 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static const struct test tests[] = {
    TEST(input_and_outputs_are_kept_apart),
    TEST(large_data_goes_both_ways),
    TEST(failures_are_told_apart),
    TEST(the_environment_is_added_to),
    TEST(the_child_starts_clean),
    TEST(the_deadline_ends_the_whole_group),
    TEST(who_ignores_the_first_signal_gets_the_second),
    TEST(cancelling_ends_it),
    TEST(background_processes_are_not_waited_for),
    TEST(threads_run_children_at_once),
};
TESTS_MAIN(tests)
