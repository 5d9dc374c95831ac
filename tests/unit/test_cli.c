/* The program as the shell sees it: exit status, standard output, standard error. */
#include "scratch.h"

#include "base/json.h"
#include "cli/harden.h"
#include "cli/inputs.h"
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct scratch scratch;

static void file_put(const char *name, mode_t mode, const char *text)
{
    const char *path = scratch_path(&scratch, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0 && fclose(file) == 0);
    CHECK(chmod(path, mode) == 0);
}

struct ran {
    int status;
    char output[16384]; /* standard output, then standard error */
};

/* Runs a shell command in the test's folder; "certmill" in it is the program that was built. */
static struct ran shell(const char *command)
{
    struct ran ran;
    char line[2 * PATH_MAX];
    snprintf(line, sizeof line,
             "cd '%s' || exit 99; certmill() { '%s' \"$@\"; }; { %s; } > out 2> err; status=$?; "
             "cat out err; rm -f out err; exit $status",
             scratch.path, CERTMILL_PROGRAM, command);
    FILE *pipe = popen(line, "r"); /* NOLINT(cert-env33-c): the shell is the program's user */
    CHECK(pipe != NULL);
    size_t len = fread(ran.output, 1, sizeof ran.output - 1, pipe);
    ran.output[len] = '\0';
    int status = pclose(pipe);
    CHECK(WIFEXITED(status));
    ran.status = WEXITSTATUS(status);
    return ran;
}

static void check_ran(struct ran ran, int status, const char *output)
{
    CHECK_TEXT(ran.output, output);
    CHECK_INT(ran.status, status);
}

#define ACCOUNTS                                       \
    "accounts:\n"                                      \
    "  lab:\n"                                         \
    "    - acme-endpoint: https://127.0.0.1:1/dir\n"   \
    "      eab-key: kid-1\n"                           \
    "      eab-hmac-key: c2VjcmV0LW9mLXRoZS10ZXN0cw\n" \
    "      email: ops@example.com\n"

static void usage_goes_to_standard_error_with_status_2(void)
{
    struct ran ran = shell("certmill bogus 2> /dev/null");
    check_ran(ran, 2, "");
    ran = shell("certmill check");
    check_ran(ran, 2, "certmill: check: no manifest given (see \"certmill check --help\")\n");
    ran = shell("certmill check \"$(printf 'a\\033[2Jb')\" extra \"$(printf 'c\\rd')\"");
    CHECK_INT(ran.status, 2);
    CHECK(strpbrk(ran.output, "\033\r") == NULL);
}

static void help_and_version_go_to_standard_output(void)
{
    struct ran ran = shell("certmill --help 2> /dev/null");
    CHECK_INT(ran.status, 0);
    CHECK_CONTAINS(ran.output, "Usage: certmill COMMAND");
    ran = shell("certmill --version 2> /dev/null");
    CHECK_INT(ran.status, 0);
    CHECK_CONTAINS(ran.output, "certmill " CERTMILL_VERSION "\nOpenSSL ");
}

static void lost_output_is_an_error(void)
{
    check_ran(shell("certmill --help > /dev/full"), 1,
              "certmill: writing to standard output: No space left on device\n");
    check_ran(shell("certmill --help >&-"), 1,
              "certmill: writing to standard output: Bad file descriptor\n");
    /* No descriptor at all: no file may land on their numbers. */
    file_put("m.yaml", 0600, "version: 1\n");
    check_ran(shell("certmill check m.yaml <&- >&- 2>&-"), 2, "");
}

static void check_names_what_is_there(void)
{
    file_put("accounts.yaml", 0600, ACCOUNTS);
    file_put("m.yaml", 0600,
             "version: 1\naccounts: accounts.yaml\ndefaults: {account: lab}\n"
             "certificates: [a.example, b.example]\n");
    check_ran(shell("certmill check m.yaml"), 0, "m.yaml: 2 certificates, 1 account, no errors\n");
    check_ran(shell("certmill check - < m.yaml"), 0,
              "standard input: 2 certificates, 1 account, no errors\n");
    check_ran(shell("certmill check m.yaml > /dev/full"), 1,
              "certmill: writing to standard output: No space left on device\n");
}

/* In a process of its own, as the secure heap is there once and for all. */
static void secrets_child(void)
{
    struct crypto_secure_heap heap;
    struct inputs inputs;
    const struct command_options options = {.manifest = scratch_path(&scratch, "m.yaml")};
    crypto_secure_heap(&heap);
    CHECK_INT(heap.bytes, 0);
    CHECK(inputs_read(&options, &inputs));
    crypto_secure_heap(&heap);
    CHECK(heap.used > 0);
    inputs_free(&inputs);
    exit(0);
}

static void secrets_of_the_accounts_are_on_the_secure_heap(void)
{
    int status;
    file_put("accounts.yaml", 0600, ACCOUNTS);
    file_put("m.yaml", 0600, "version: 1\naccounts: accounts.yaml\ncertificates: []\n");
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        secrets_child();
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_names_every_mistake_and_no_secret(void)
{
    file_put("accounts.yaml", 0600, ACCOUNTS "      KeySize: 1024\n");
    file_put("m.yaml", 0600,
             "version: 1\naccounts: accounts.yaml\ndefaults: {account: lab}\n"
             "certificates:\n  - {domains: [a.example], key: {size: 7}}\n  - -b.example\n");
    struct ran ran = shell("certmill check m.yaml");
    CHECK_INT(ran.status, 2);
    CHECK_CONTAINS(ran.output, "accounts.yaml:7:");
    CHECK_CONTAINS(ran.output, "m.yaml:5:");
    CHECK_CONTAINS(ran.output, "m.yaml:6:");
    CHECK_CONTAINS(ran.output, "certmill: 3 errors; nothing was done\n");
    CHECK(strstr(ran.output, "c2VjcmV0") == NULL);
    ran = shell("certmill check missing.yaml");
    CHECK_INT(ran.status, 2);
    CHECK_CONTAINS(ran.output, "missing.yaml");
}

static void a_ca_file_must_hold_certificates(void)
{
    file_put("accounts.yaml", 0600, ACCOUNTS);
    file_put("m.yaml", 0600,
             "version: 1\naccounts: accounts.yaml\nstate: state\ndefaults: {account: lab}\n"
             "certificates: [a.example]\n");
    check_ran(shell("certmill run m.yaml --ca-file missing.pem"), 2,
              "certmill: --ca-file missing.pem: No such file or directory\n");
    check_ran(shell("certmill accounts register m.yaml --ca-file m.yaml"), 2,
              "certmill: --ca-file m.yaml: holds no certificate in PEM form\n");
    check_ran(shell("certmill run m.yaml --only b.example"), 2,
              "certmill: --only b.example: no certificate of the manifest matches; did you mean "
              "a.example?\n");
}

#define MANIFEST                                      \
    "version: 1\naccounts: accounts.yaml\nstate: .\n" \
    "defaults: {account: lab}\ncertificates: [a.example, b.example]\n"

static void plan_shows_what_is_due_and_why(void)
{
    file_put("accounts.yaml", 0600, ACCOUNTS);
    file_put("m.yaml", 0600, MANIFEST);
    struct ran ran = shell("certmill plan m.yaml 2>&1");
    CHECK_INT(ran.status, 0);
    CHECK_CONTAINS(ran.output, "a.example ");
    CHECK_CONTAINS(ran.output, "2 of 2 certificates to issue");
    ran = shell("certmill plan m.yaml --only 'b*' --json");
    CHECK_INT(ran.status, 0);
    json_t *json = json_loads(ran.output, 0, NULL);
    const json_t *due = json_object_get(json, "due");
    CHECK_INT(json_array_size(due), 1);
    CHECK_TEXT(json_text(json_array_get(due, 0), "name", 20), "b.example");
    CHECK_TEXT(json_text(json_array_get(due, 0), "reason", 20), "no-certificate");
    json_decref(json);
    file_put("m.yaml", 0600, MANIFEST "limits: {in-flight: 0}\n");
    ran = shell("certmill plan m.yaml");
    CHECK_INT(ran.status, 2);
    CHECK_CONTAINS(ran.output, "limits.in-flight");
}

static void manifest_of_the_manual_page_is_right(void)
{
    struct ran ran = shell(
        "awk '/^\\.Bd -literal/ { on = 1; next }"
        "     /^\\.Ed/ { if (text ~ /^version: 1/) printf \"%s\", text > \"fleet.yaml\";"
        "                if (text ~ /^accounts:/) printf \"%s\", text > \"acme_accounts.yaml\";"
        "                on = 0; text = \"\" }"
        "     on { text = text $0 \"\\n\" }' " SOURCE_FOLDER "/engine/doc/certmill.1 &&"
        "chmod 600 acme_accounts.yaml && sed -i 's/\"\\.\\.\\.\"/c2VjcmV0LW9mLXRoZS10ZXN0cw/' "
        "acme_accounts.yaml && printf '[prod]\\naws_access_key_id = A\\naws_secret_access_key = "
        "s\\n' "
        "> credentials && export AWS_CONFIG_FILE=none AWS_SHARED_CREDENTIALS_FILE=credentials && "
        "certmill check fleet.yaml && sed -i 's/profile: prod/profile: rpod/' fleet.yaml && "
        "certmill check fleet.yaml");
    CHECK_INT(ran.status, 2);
    CHECK_CONTAINS(ran.output, "fleet.yaml: 3 certificates, 1 account, no errors\n");
    CHECK_CONTAINS(ran.output, "certmill: fleet.yaml:18: there is no AWS profile rpod");
}

#define ROWS 20000

static void change_done(struct state_change *change)
{
    CHECK(change->ok);
}

/* A state database with ROWS certificates "c00000" to "c19999". */
static void state_fill(void)
{
    static struct state_change changes[ROWS];
    static char names[ROWS][8];
    struct state *state;
    struct error error;
    CHECK_OK(state_open(scratch.path, false, &state, &error), error);
    CHECK_OK(state_start(state, 0, &error), error);
    for (int i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "c%05d", i);
        changes[i] = (struct state_change){.kind = STATE_ISSUED, .done = change_done};
        changes[i].certificate = (struct state_certificate){
            .name = names[i],
            .status = CERTIFICATE_ISSUED,
            .digest = 1,
            .sequence = 1,
            .not_before = 1,
            .not_after = INT64_C(4000000000),
            .issued_at = 1,
            .serial = "01",
            .issuer = "Lab CA",
            .key = "ECDSA-P256",
            .account = "lab",
            .directory = "https://127.0.0.1:1/dir",
            .names = "a.example",
            .last_error = "",
        };
        state_post(state, &changes[i]);
    }
    state_close(state);
}

static void list_and_status_show_the_state(void)
{
    check_ran(shell("certmill list --state . > /dev/null"), 2,
              "certmill: . has no state database: no run has used this folder yet\n");
    state_fill();
    struct ran ran = shell("certmill list --state . --only 'c0001?'");
    CHECK_INT(ran.status, 0);
    CHECK_CONTAINS(ran.output, "c00010");
    CHECK_CONTAINS(ran.output, "c00019");
    CHECK(strstr(ran.output, "c00020") == NULL);
    ran = shell("certmill list --state . --json | wc -c");
    CHECK(strtol(ran.output, NULL, 10) > (long)ROWS * 50);
    file_put("accounts.yaml", 0600, ACCOUNTS);
    file_put("m.yaml", 0600, MANIFEST);
    ran = shell("certmill status c00007 --manifest m.yaml");
    CHECK_INT(ran.status, 0);
    CHECK_CONTAINS(ran.output, "Lab CA");
    ran = shell("certmill status c00007 --state . --json");
    json_t *json = json_loads(ran.output, 0, NULL);
    CHECK(json_is_object(json));
    json_decref(json);
    ran = shell("certmill status nobody --state . > /dev/null");
    CHECK_INT(ran.status, 2);
    CHECK_CONTAINS(ran.output, "certmill: there is no certificate nobody");
}

static void list_to_a_closed_pipe_is_quiet(void)
{
    state_fill();
    /* 141: ended by SIGPIPE, as other programs are; and not a word about it. */
    struct ran ran = shell("{ certmill list --state .; echo $? > code; } | sed -n '2{s/ "
                           ".*//;p;q;}'; cat code; rm code");
    check_ran(ran, 0, "c00000\n141\n");
    /* Help is printed with SIGPIPE ignored: the reader is gone before the first byte. */
    ran = shell("mkfifo p; (exec < p) & exec 3> p; wait; certmill --help >&3; code=$?; rm p; "
                "(exit $code)");
    check_ran(ran, 1, "");
    ran = shell("certmill list --state . > /dev/full");
    check_ran(ran, 1, "certmill: writing the output: No space left on device\n");
}

/* In a child: hardening is for the life of a process. */
static void hardened_child(void)
{
    struct error error;
    CHECK(close(STDIN_FILENO) == 0);
    CHECK_OK(process_harden(&error), error);
    CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* taken, but not readable */
    char byte;
    CHECK(read(STDIN_FILENO, &byte, 1) < 0 && errno == EBADF);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK_INT(limit.rlim_max, 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_INT(limit.rlim_cur, limit.rlim_max);
    CHECK_INT(umask(0), 077);
    int pipe_fds[2];
    CHECK(pipe(pipe_fds) == 0 && close(pipe_fds[0]) == 0);
    CHECK(write(pipe_fds[1], "x", 1) < 0 && errno == EPIPE); /* and alive */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
    CHECK_INT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
#endif
    exit(0);
}

static void hardening_holds(void)
{
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        hardened_child();
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

static const struct test tests[] = {
    TEST(hardening_holds),
    TEST(plan_shows_what_is_due_and_why),
    TEST(manifest_of_the_manual_page_is_right),
    TEST(list_and_status_show_the_state),
    TEST(list_to_a_closed_pipe_is_quiet),
    TEST(usage_goes_to_standard_error_with_status_2),
    TEST(help_and_version_go_to_standard_output),
    TEST(lost_output_is_an_error),
    TEST(check_names_what_is_there),
    TEST(secrets_of_the_accounts_are_on_the_secure_heap),
    TEST(a_ca_file_must_hold_certificates),
    TEST(check_names_every_mistake_and_no_secret),
};

int main(int argc, char **argv)
{
    return scratch_tests_run(&scratch, tests, sizeof tests / sizeof tests[0], argc, argv);
}
