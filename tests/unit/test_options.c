/* engine/cli: the command line, its help, and that manual page and shell completion name what there
 * is. */
#include "check.h"

#include "base/buf.h"
#include "cli/help.h"
#include "cli/options.h"

#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64

/* A command line as the kernel gives it: writable texts after the program's name. They live until
 * the next parse. */
struct line {
    char text[1024];
    char *argv[ARGUMENTS_MAX];
    int argc;
};

/* Words are separated by one blank; "~" stands for an empty word. */
static void line_make(struct line *line, const char *words)
{
    snprintf(line->text, sizeof line->text, "certmill %s", words);
    line->argc = 0;
    for (char *word = strtok(line->text, " "); word != NULL; word = strtok(NULL, " ")) {
        CHECK(line->argc + 1 < ARGUMENTS_MAX);
        line->argv[line->argc++] = strcmp(word, "~") == 0 ? word + 1 : word;
    }
    line->argv[line->argc] = NULL;
}

static struct command_options parsed(struct line *line, const char *words)
{
    struct command_options options;
    struct error error;
    line_make(line, words);
    CHECK_OK(options_parse(line->argc, line->argv, &options, &error), error);
    return options;
}

static void refused(const char *words, const char *reason)
{
    static struct line line;
    struct command_options options = {.workers = 77};
    struct error error;
    line_make(&line, words);
    if (options_parse(line.argc, line.argv, &options, &error)) {
        fprintf(stderr, "\"%s\" was taken\n", words);
        exit(1);
    }
    CHECK_CONTAINS(error.text, reason);
    CHECK_CONTAINS(error.text, "--help");
    CHECK(strchr(error.text, '\n') == NULL);
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_INT(options.workers, 77); /* untouched */
}

static void run_takes_all_its_options(void)
{
    struct line line;
    struct command_options options = parsed(
        &line,
        "run fleet.yaml --accounts a.yaml --state=/st --ca-file ca.pem --only w* --force "
        "--events - --progress never --json -q --in-flight 5000 --requests-per-second 12.5 "
        "--account-key RS256 --io sync --workers 3 --crypto-threads=7 --provider fips "
        "--crypto portable --provider base --property-query fips=yes --openssl-config o.cnf");
    CHECK_INT(options.wish, WISH_COMMAND);
    CHECK_INT(options.command->id, COMMAND_RUN);
    CHECK_TEXT(options.manifest, "fleet.yaml");
    CHECK_TEXT(options.accounts_file, "a.yaml");
    CHECK_TEXT(options.state_folder, "/st");
    CHECK_TEXT(options.ca_file, "ca.pem");
    CHECK_TEXT(options.only, "w*");
    CHECK(options.force && options.json && options.quiet);
    CHECK_TEXT(options.events, "-");
    CHECK_INT(options.progress, PROGRESS_NEVER);
    CHECK_INT(options.in_flight, 5000);
    CHECK(options.requests_per_second == 12.5);
    CHECK(key_spec_equal(options.account_key, (struct key_spec){KEY_RSA, 2048}));
    CHECK_INT(options.io, STORE_SYNC);
    CHECK_INT(options.workers, 3);
    CHECK_INT(options.crypto_threads, 7);
    CHECK(options.crypto_given);
    CHECK_INT(options.crypto, CRYPTO_PORTABLE);
    CHECK_INT(options.provider_count, 2);
    CHECK_TEXT(options.providers[0], "fips");
    CHECK_TEXT(options.providers[1], "base");
    CHECK(options.providers[2] == NULL);
    CHECK_TEXT(options.property_query, "fips=yes");
    CHECK_TEXT(options.openssl_config, "o.cnf");
}

static void defaults_leave_the_choice_to_the_manifest(void)
{
    struct line line;
    struct command_options options = parsed(&line, "run -");
    CHECK_TEXT(options.manifest, "-");
    CHECK(options.accounts_file == NULL && options.state_folder == NULL && options.only == NULL);
    CHECK(options.events == NULL && options.ca_file == NULL);
    CHECK(!options.force && !options.json && !options.quiet);
    CHECK_INT(options.progress, PROGRESS_AUTO);
    CHECK_INT(options.io, STORE_AUTO);
    CHECK_INT(options.in_flight, 0);
    CHECK(options.requests_per_second < 0);
    CHECK(key_spec_equal(options.account_key, (struct key_spec){KEY_ECDSA, 256}));
    CHECK_INT(options.provider_count, 0);
    CHECK(!options.crypto_given);
    CHECK_INT(options.crypto, CRYPTO_AUTO);
    options = parsed(&line, "run m --requests-per-second 0");
    CHECK(options.requests_per_second == 0);
}

static void options_and_operands_mix(void)
{
    struct line line;
    struct command_options options = parsed(&line, "plan -f -o shop-* m.yaml -j --state x");
    CHECK_TEXT(options.manifest, "m.yaml");
    CHECK(options.force && options.json);
    CHECK_TEXT(options.only, "shop-*");
    CHECK_TEXT(options.state_folder, "x");
    options = parsed(&line, "plan -- --force");
    CHECK_TEXT(options.manifest, "--force");
    CHECK(!options.force);
    options = parsed(&line, "plan m --state a --state b"); /* the last one goes */
    CHECK_TEXT(options.state_folder, "b");
}

static void each_command_takes_its_operands(void)
{
    struct line line;
    struct command_options options = parsed(&line, "list --state /s");
    CHECK(options.manifest == NULL);
    options = parsed(&line, "list m.yaml");
    CHECK_TEXT(options.manifest, "m.yaml");
    options = parsed(&line, "status www --manifest m.yaml");
    CHECK_TEXT(options.name, "www");
    CHECK_TEXT(options.manifest, "m.yaml");
    options = parsed(&line, "status www m.yaml --json");
    CHECK_TEXT(options.name, "www");
    CHECK_TEXT(options.manifest, "m.yaml");
    options = parsed(&line, "accounts list m.yaml");
    CHECK_INT(options.action, ACCOUNTS_LIST);
    CHECK_INT(options.alias_count, 0);
    options = parsed(&line, "accounts register m.yaml one --ca-file c.pem two");
    CHECK_INT(options.action, ACCOUNTS_REGISTER);
    CHECK_TEXT(options.manifest, "m.yaml");
    CHECK_INT(options.alias_count, 2);
    CHECK_TEXT(options.aliases[0], "one");
    CHECK_TEXT(options.aliases[1], "two");
    CHECK_TEXT(options.ca_file, "c.pem");
    options = parsed(&line, "aws whoami --all --json");
    CHECK(options.aws_action == AWS_WHOAMI && options.all && options.json);
    options = parsed(&line, "aws policy m.yaml --profile p");
    CHECK(options.aws_action == AWS_POLICY && !options.all);
    CHECK_TEXT(options.manifest, "m.yaml");
    CHECK_TEXT(options.profile, "p");
}

static void the_connectors_calls_are_taken(void)
{
    struct line line;
    struct command_options options =
        parsed(&line, "enroll --account scm --domains a,b --name n --key RSA-4096 --challenge "
                      "http-01 --profile p --region eu-west-1 --arn arn:x --accounts a.yaml");
    CHECK_TEXT(options.account, "scm");
    CHECK_TEXT(options.domains, "a,b");
    CHECK_TEXT(options.name, "n");
    CHECK_TEXT(options.key_type, "RSA");
    CHECK_TEXT(options.key_size, "4096");
    CHECK_TEXT(options.challenge, "http-01");
    CHECK_TEXT(options.profile, "p");
    CHECK_TEXT(options.region, "eu-west-1");
    CHECK_TEXT(options.arn, "arn:x");
    CHECK(!options.no_import && options.manifest == NULL);
    options = parsed(&line, "enroll --account scm -d a --no-import --key P-384");
    CHECK_TEXT(options.key_type, "ECDSA");
    CHECK_TEXT(options.key_size, "384");
    CHECK(options.no_import && options.challenge == NULL);
    options = parsed(&line, "renew --arn arn:x m.yaml");
    CHECK_TEXT(options.manifest, "m.yaml");
    CHECK_TEXT(options.arn, "arn:x");
    options = parsed(&line, "revoke --name www --reason superseded");
    CHECK_TEXT(options.name, "www");
    CHECK_TEXT(options.reason, "superseded");
    options = parsed(&line, "list --account scm");
    CHECK_TEXT(options.account, "scm");
    CHECK(options.manifest == NULL && options.state_folder == NULL);
    refused("enroll --domains a", "--account is missing");
    refused("enroll --account a", "--domains is missing");
    refused("enroll --account a --domains b c", "unexpected \"c\"");
    refused("enroll --account a --domains b --no-import --arn x", "exclude each other");
    refused("enroll --account a --domains b --key RSA-1024", "P-521");
    refused("enroll --account a --domains b --challenge dns", "dns-01");
    refused("renew --name a --arn b", "exclude each other");
    refused("revoke --name a --arn b", "exclude each other");
    refused("revoke m.yaml", "--name or --arn is missing");
}

static void wrong_operands_are_refused(void)
{
    refused("", "no command given");
    refused("run", "run: no manifest given");
    refused("run a b", "unexpected \"b\"");
    refused("run ~", "operand 1 is empty");
    refused("check --accounts x", "no manifest given");
    refused("status", "no certificate named");
    refused("status www m.yaml --manifest m.yaml", "the manifest is given twice");
    refused("accounts", "an action (list or register) and a manifest are needed");
    refused("accounts list", "an action");
    refused("accounts lits m", "unknown action \"lits\": list or register");
    refused("aws", "an action (whoami or policy) is needed");
    refused("aws who", "unknown action \"who\": whoami or policy");
    refused("aws whoami m.yaml", "unexpected \"m.yaml\"");
    refused("aws whoami --all --profile p", "--profile and --all exclude each other");
    refused("aws policy --all", "--all is for whoami");
    refused("help nothing", "no command \"nothing\"");
    refused("help run plan", "unexpected \"plan\"");
    refused("--json list", "unexpected \"--json\": the command comes first");
}

static void misspellings_get_a_suggestion(void)
{
    refused("rum m", "no command \"rum\", did you mean \"run\"?");
    refused("acounts", "did you mean \"accounts\"?");
    refused("run m --acounts a", "unknown option --acounts, did you mean --accounts?");
    refused("run m --crpyto-threads 2", "did you mean --crypto-threads?");
    refused("run m --jsn=1", "unknown option --jsn, did you mean --json?");
    refused("run m --dry-run", "\"certmill plan\" shows what a run would do");
    refused("run m --agree-tos", "naming an account in the accounts file is the agreement");
    refused("run m --pro x", "--pro is ambiguous: --progress or --provider");
    refused("run m -z", "unknown option -z");
    struct error error;
    struct command_options options;
    struct line line;
    line_make(&line, "plan m --events e"); /* an option of another command is no suggestion */
    CHECK(!options_parse(line.argc, line.argv, &options, &error));
    CHECK_CONTAINS(error.text, "--events is not for this command (");
    line_make(&line, "zzzzzz");
    CHECK(!options_parse(line.argc, line.argv, &options, &error));
    CHECK(strstr(error.text, "did you mean") == NULL);
    char words[900] = "run m --";
    memset(words + 8, 'x', sizeof words - 9);
    words[sizeof words - 1] = '\0';
    refused(words, "unknown option --xxx");
}

static void wrong_values_are_refused(void)
{
    refused("run m --state", "--state needs a value (DIR)");
    refused("run m -s", "-s needs a value");
    refused("run m --state ~", "--state is empty");
    refused("run m --state=", "--state is empty");
    refused("run m --json=yes", "--json takes no value");
    refused("run m --workers 0", "--workers is \"0\", not a whole number from 1 to 64");
    refused("run m --workers 65", "from 1 to 64");
    refused("run m --workers 4x", "from 1 to 64");
    refused("run m --workers -1", "from 1 to 64");
    refused("run m --workers 99999999999999999999", "from 1 to 64");
    refused("run m --crypto-threads 1025", "from 1 to 1024");
    refused("run m --in-flight 100001", "from 1 to 100000");
    refused("run m --requests-per-second nan", "not a number from 0 to 1000000");
    refused("run m --requests-per-second -1", "not a number");
    refused("run m --requests-per-second 1e9", "not a number");
    refused("run m --requests-per-second 0x10", "not a number");
    refused("run m --requests-per-second 1.2.3", "not a number");
    refused("run m --requests-per-second .", "not a number");
    refused("run m --requests-per-second 1000000.1", "not a number");
    refused("run m --progress maybe", "--progress is \"maybe\", not auto, always or never");
    refused("run m --io uring", "--io is \"uring\", not auto, ring or sync");
    refused("run m --account-key es256", "not ES256, ES384 or RS256");
    struct buf words;
    buf_init(&words, 1000);
    CHECK(buf_append_text(&words, "run m"));
    for (int i = 0; i <= OPTIONS_PROVIDERS_MAX; i++)
        CHECK(buf_append_text(&words, " --provider p"));
    refused(buf_text(&words), "more than 16 --provider");
    buf_free(&words);
}

static void paths_have_a_ceiling(void)
{
    static char path[8192];
    memset(path, 'x', sizeof path - 1);
    char program[] = "certmill";
    char command[] = "run";
    char option[] = "--state";
    char manifest[] = "m";
    char *argv[] = {program, command, manifest, option, path, NULL};
    struct command_options options;
    struct error error;
    CHECK(!options_parse(5, argv, &options, &error));
    CHECK_CONTAINS(error.text, "longer than 4095 bytes");
}

static void help_and_version_win(void)
{
    struct line line;
    CHECK_INT(parsed(&line, "--help").wish, WISH_HELP);
    CHECK(parsed(&line, "help").command == NULL);
    CHECK_INT(parsed(&line, "help plan").command->id, COMMAND_PLAN);
    CHECK_INT(parsed(&line, "--version").wish, WISH_VERSION);
    CHECK_INT(parsed(&line, "-V").wish, WISH_VERSION);
    struct command_options options = parsed(&line, "run --help"); /* without the manifest */
    CHECK_INT(options.wish, WISH_HELP);
    CHECK_INT(options.command->id, COMMAND_RUN);
    CHECK_INT(parsed(&line, "status -h --bogus").wish, WISH_HELP);
}

static char *help_text(const struct command *command)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    help_print(out, command);
    fclose(out);
    return text;
}

static void help_names_every_option_in_80_columns(void)
{
    size_t command_count;
    size_t spec_count;
    const struct command *commands = options_commands(&command_count);
    const struct option_spec *specs = options_specs(&spec_count);
    char *overview = help_text(NULL);
    for (size_t i = 0; i < command_count; i++) {
        CHECK_CONTAINS(overview, commands[i].name);
        CHECK_CONTAINS(overview, commands[i].summary);
        char *text = help_text(&commands[i]);
        for (size_t j = 0; j < spec_count; j++) {
            char name[64];
            snprintf(name, sizeof name, " --%s ", specs[j].name);
            CHECK_INT(strstr(text, name) != NULL, option_applies(&specs[j], &commands[i]));
        }
        CHECK_CONTAINS(text, "\nExamples:\n  certmill ");
        CHECK_CONTAINS(text, "\nExit status:\n  0  ");
        CHECK_INT(strstr(text, "nothing was sent to a CA") != NULL,
                  strstr(text, " --ca-file ") != NULL);
        struct span rest = span_of(text);
        while (rest.data != NULL)
            CHECK(span_split(&rest, '\n').len <= 80);
        free(text);
    }
    free(overview);
}

static void letters_and_names_are_unique(void)
{
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    for (size_t i = 0; i < count; i++) {
        CHECK(specs[i].commands != 0 && strlen(specs[i].name) > 1);
        for (size_t j = i + 1; j < count; j++) {
            CHECK(specs[i].id != specs[j].id);
            CHECK(strcmp(specs[i].name, specs[j].name) != 0);
            CHECK(specs[i].letter == 0 || specs[i].letter != specs[j].letter);
        }
    }
}

static char *file_text(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/engine/doc/%s", SOURCE_FOLDER, name);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    static char text[128 * 1024];
    size_t len = fread(text, 1, sizeof text - 1, file);
    CHECK(len > 0 && len < sizeof text - 1);
    text[len] = '\0';
    fclose(file);
    return text;
}

/* The text has the word, and not as the beginning of a longer one. */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        if (at[len] == ' ' || at[len] == '\n' || at[len] == '\0')
            return true;
    }
    return false;
}

static void manual_page_names_every_command_and_option(void)
{
    const char *page = file_text("certmill.1");
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    for (size_t i = 0; i < count; i++) {
        char item[64];
        if (specs[i].letter != 0)
            snprintf(item, sizeof item, ".It Fl %c , Fl -%s", specs[i].letter, specs[i].name);
        else
            snprintf(item, sizeof item, ".It Fl -%s", specs[i].name);
        if (!has_word(page, item)) {
            fprintf(stderr, "the manual page lacks \"%s\"\n", item);
            exit(1);
        }
    }
    const struct command *commands = options_commands(&count);
    for (size_t i = 0; i < count; i++) {
        char item[64];
        snprintf(item, sizeof item, ".It Cm %s", commands[i].name);
        CHECK(has_word(page, item));
    }
    CHECK_CONTAINS(page, OPTIONS_STATE_DEFAULT);
}

/* What the shell offers for the words so far; the last one is completed. */
static char *completions(const char *words)
{
    static char reply[4096];
    char command[PATH_MAX];
    snprintf(command, sizeof command,
             "bash -c 'source %s/engine/doc/certmill.bash; COMP_WORDS=(certmill %s); "
             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _certmill; "
             "for reply in \"${COMPREPLY[@]}\"; do echo \"$reply\"; done'",
             SOURCE_FOLDER, words);
    FILE *shell = popen(command, "r"); /* NOLINT(cert-env33-c): the shell is what is tested */
    CHECK(shell != NULL);
    size_t len = fread(reply, 1, sizeof reply - 1, shell);
    reply[len] = '\0';
    CHECK_INT(pclose(shell), 0);
    return reply;
}

static void completion_offers_every_command_and_option(void)
{
    size_t command_count;
    size_t spec_count;
    const struct command *commands = options_commands(&command_count);
    const struct option_spec *specs = options_specs(&spec_count);
    for (size_t i = 0; i < command_count; i++) {
        CHECK(has_word(completions("\"\""), commands[i].name));
        char words[64];
        snprintf(words, sizeof words, "%s --", commands[i].name);
        const char *offered = completions(words);
        for (size_t j = 0; j < spec_count; j++) {
            char name[64];
            snprintf(name, sizeof name, "--%s", specs[j].name);
            if (has_word(offered, name) != option_applies(&specs[j], &commands[i])) {
                fprintf(stderr, "completion of %s and %s disagree\n", commands[i].name, name);
                exit(1);
            }
        }
    }
}

static void completion_offers_values(void)
{
    CHECK_TEXT(completions("run --progress al"), "always\n");
    CHECK_TEXT(completions("run --io = r"), "ring\n");
    CHECK_TEXT(completions("run --account-key ES3"), "ES384\n");
    CHECK_TEXT(completions("accounts re"), "register\n");
    CHECK_TEXT(completions("aws who"), "whoami\n");
    CHECK_TEXT(completions("help sta"), "status\n");
    CHECK_TEXT(completions("run --workers \"\""), "");
    char words[PATH_MAX];
    snprintf(words, sizeof words, "run %s/engine/doc/certmill.ba", SOURCE_FOLDER);
    CHECK_CONTAINS(completions(words), "engine/doc/certmill.bash\n");
    snprintf(words, sizeof words, "run --state %s/engine/do", SOURCE_FOLDER);
    CHECK_CONTAINS(completions(words), "engine/doc\n");
}

static const struct test tests[] = {
    TEST(run_takes_all_its_options),
    TEST(defaults_leave_the_choice_to_the_manifest),
    TEST(options_and_operands_mix),
    TEST(each_command_takes_its_operands),
    TEST(the_connectors_calls_are_taken),
    TEST(wrong_operands_are_refused),
    TEST(misspellings_get_a_suggestion),
    TEST(wrong_values_are_refused),
    TEST(paths_have_a_ceiling),
    TEST(help_and_version_win),
    TEST(help_names_every_option_in_80_columns),
    TEST(letters_and_names_are_unique),
    TEST(manual_page_names_every_command_and_option),
    TEST(completion_offers_every_command_and_option),
    TEST(completion_offers_values),
};
TESTS_MAIN(tests)
