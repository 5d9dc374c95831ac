#include "cli/options_parser.h"

#include "base/suggest.h"

#include <getopt.h>
#include <string.h>

#define SPECS_MAX 64

static const struct command *command_find(const char *name)
{
    size_t count;
    const struct command *commands = options_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static const struct option_spec *spec_find(int id)
{
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    for (size_t i = 0; i < count; i++) {
        if ((int)specs[i].id == id)
            return &specs[i];
    }
    return NULL;
}

/* What the operator perhaps meant; NULL when nothing is near. */
static const char *command_near(const char *word)
{
    size_t count;
    const struct command *commands = options_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if (suggest_is_near(span_of(word), commands[i].name))
            return commands[i].name;
    }
    return NULL;
}

static const char *option_near(const char *word, const struct command *command)
{
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    for (size_t i = 0; i < count; i++) {
        if (option_applies(&specs[i], command) && suggest_is_near(span_of(word), specs[i].name))
            return specs[i].name;
    }
    return NULL;
}

/* Errors of getopt_long. */

/* What people used to other clients try, and what does it here. */
static const struct {
    const char *option, *answer;
} habits[] = {
    {"dry-run", "\"certmill plan\" shows what a run would do"},
    {"force-renewal", "it is --force"},
    {"agree-tos", "naming an account in the accounts file is the agreement"},
    {"server", "the CA is the account's acme-endpoint in the accounts file"},
    {"config", "the manifest is given without an option"},
};

static bool unknown_long_option(struct parser *parser, const char *word)
{
    const struct command *command = parser->options.command;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++) {
        if (strcmp(habits[i].option, name) == 0)
            return parser_error(parser, "unknown option --%s: %s", name, habits[i].answer);
    }
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    const char *other = NULL;
    for (size_t i = 0; i < count; i++) {
        if (option_applies(&specs[i], command) && name[0] != '\0' &&
            strncmp(specs[i].name, name, strlen(name)) == 0) {
            if (other != NULL)
                return parser_error(parser, "--%s is ambiguous: --%s or --%s", name, other,
                                    specs[i].name);
            other = specs[i].name;
        }
    }
    const char *near = option_near(name, command);
    if (near != NULL)
        return parser_error(parser, "unknown option --%s, did you mean --%s?", name, near);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(specs[i].name, name) == 0)
            return parser_error(parser, "--%s is not for this command", name);
    }
    return parser_error(parser, "unknown option --%s", name);
}

static bool getopt_failed(struct parser *parser, int code, char **argv)
{
    const struct option_spec *spec = spec_find(optopt);
    if (code == ':' && spec != NULL)
        return parser_error(parser, "--%s needs a value (%s)", spec->name, spec->argument);
    if (code == ':')
        return parser_error(parser, "-%c needs a value", optopt);
    if (spec != NULL)
        return parser_error(parser, "--%s takes no value", spec->name);
    if (optopt != 0)
        return parser_error(parser, "unknown option -%c", optopt);
    return unknown_long_option(parser, argv[optind - 1]);
}

static const struct option_spec *spec_by_letter(int letter, const struct command *command)
{
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    for (size_t i = 0; i < count; i++) {
        if (specs[i].letter == letter && option_applies(&specs[i], command))
            return &specs[i];
    }
    return NULL;
}

/* getopt's tables for the options of one command. */
static void getopt_tables(const struct command *command, struct option *longs, char *letters)
{
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    size_t used = 0;
    *letters++ = ':';
    for (size_t i = 0; i < count && used + 1 < SPECS_MAX; i++) {
        if (!option_applies(&specs[i], command))
            continue;
        int has_arg = specs[i].argument != NULL ? required_argument : no_argument;
        longs[used++] =
            (struct option){.name = specs[i].name, .has_arg = has_arg, .val = (int)specs[i].id};
        if (specs[i].letter == 0)
            continue;
        *letters++ = specs[i].letter;
        if (specs[i].argument != NULL)
            *letters++ = ':';
    }
    longs[used] = (struct option){0};
    *letters = '\0';
}

/* argv[0] is the command's name. Leaves the index of the first operand in optind. */
static bool options_take(struct parser *parser, int argc, char **argv)
{
    struct option longs[SPECS_MAX];
    char letters[2 * SPECS_MAX + 2];
    getopt_tables(parser->options.command, longs, letters);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    int code;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (code == '?' || code == ':')
            return getopt_failed(parser, code, argv);
        const struct option_spec *spec = code < OPTION_ACCOUNTS
                                             ? spec_by_letter(code, parser->options.command)
                                             : spec_find(code);
        TRY(parser_take(parser, spec, optarg));
        if (parser->options.wish == WISH_HELP)
            return true;
    }
    return true;
}

static bool accounts_operands(struct parser *parser, size_t count, char **operands)
{
    struct command_options *options = &parser->options;
    if (strcmp(operands[0], "list") == 0)
        options->action = ACCOUNTS_LIST;
    else if (strcmp(operands[0], "register") == 0)
        options->action = ACCOUNTS_REGISTER;
    else
        return parser_error(parser, "unknown action \"%.40s\": list or register", operands[0]);
    options->manifest = operands[1];
    options->aliases = (const char *const *)operands + 2;
    options->alias_count = count - 2;
    return true;
}

static bool enroll_complete(struct parser *parser)
{
    const struct command_options *options = &parser->options;
    if (options->account == NULL)
        return parser_error(parser, "--account is missing");
    if (options->domains == NULL)
        return parser_error(parser, "--domains is missing");
    /* Profile and region are for an accounts file on S3 as well. */
    bool is_on_s3 = span_starts(span_of(options->accounts_file), "s3://");
    const char *import = options->arn != NULL       ? "arn"
                         : is_on_s3                 ? NULL
                         : options->profile != NULL ? "profile"
                         : options->region != NULL  ? "region"
                                                    : NULL;
    return !options->no_import || import == NULL ||
           parser_error(parser, "--no-import and --%s exclude each other", import);
}

static bool aws_operands(struct parser *parser, size_t count, char **operands)
{
    struct command_options *options = &parser->options;
    bool is_whoami = strcmp(operands[0], "whoami") == 0;
    if (!is_whoami && strcmp(operands[0], "policy") != 0)
        return parser_error(parser, "unknown action \"%.40s\": whoami or policy", operands[0]);
    if (is_whoami && count > 1)
        return parser_error(parser, "unexpected \"%.80s\"", operands[1]);
    if (options->all && (!is_whoami || options->profile != NULL))
        return parser_error(parser, is_whoami ? "--profile and --all exclude each other"
                                              : "--all is for whoami");
    options->aws_action = is_whoami ? AWS_WHOAMI : AWS_POLICY;
    options->manifest = count > 1 ? operands[1] : NULL;
    return true;
}

static bool operands_take(struct parser *parser, size_t count, char **operands)
{
    struct command_options *options = &parser->options;
    const struct command *command = options->command;
    if (count < command->operands_min)
        return parser_error(parser, "%s", command->operand_missing);
    if (count > command->operands_max)
        return parser_error(parser, "unexpected \"%.80s\"", operands[command->operands_max]);
    for (size_t i = 0; i < count; i++) {
        if (operands[i][0] == '\0')
            return parser_error(parser, "operand %zu is empty", i + 1);
    }
    switch (command->id) {
    case COMMAND_RUN:
    case COMMAND_PLAN:
    case COMMAND_CHECK:
        options->manifest = operands[0];
        return true;
    case COMMAND_LIST:
        options->manifest = count > 0 ? operands[0] : NULL;
        return true;
    case COMMAND_STATUS:
        options->name = operands[0];
        if (count > 1 && options->manifest != NULL)
            return parser_error(parser, "the manifest is given twice");
        if (count > 1)
            options->manifest = operands[1];
        return true;
    case COMMAND_ACCOUNTS:
        return accounts_operands(parser, count, operands);
    case COMMAND_AWS:
        return aws_operands(parser, count, operands);
    case COMMAND_ENROLL:
        return enroll_complete(parser);
    case COMMAND_ADOPT:
        options->manifest = count > 0 ? operands[0] : NULL;
        return true;
    case COMMAND_REVOKE:
        if (options->name == NULL && options->arn == NULL)
            return parser_error(parser, "--name or --arn is missing");
        /* fallthrough */
    case COMMAND_RENEW:
        if (options->name != NULL && options->arn != NULL)
            return parser_error(parser, "--name and --arn exclude each other");
        options->manifest = count > 0 ? operands[0] : NULL;
        return true;
    }
    return false;
}

static bool help_wish(struct parser *parser, int argc, char **argv)
{
    if (argc > 1)
        return parser_error(parser, "unexpected \"%.80s\"", argv[1]);
    parser->options.wish = WISH_HELP;
    if (argc == 0)
        return true;
    parser->options.command = command_find(argv[0]);
    if (parser->options.command == NULL)
        return parser_error(parser, "no command \"%.40s\"", argv[0]);
    return true;
}

static bool command_line_take(struct parser *parser, int argc, char **argv)
{
    if (argc < 2)
        return parser_error(parser, "no command given");
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return help_wish(parser, word[0] == '-' ? 0 : argc - 2, argv + 2);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        parser->options.wish = WISH_VERSION;
        return true;
    }
    if (word[0] == '-')
        return parser_error(parser, "unexpected \"%.80s\": the command comes first", word);
    parser->options.command = command_find(word);
    if (parser->options.command == NULL) {
        const char *near = command_near(word);
        return near != NULL
                   ? parser_error(parser, "no command \"%.40s\", did you mean \"%s\"?", word, near)
                   : parser_error(parser, "no command \"%.40s\"", word);
    }
    TRY(options_take(parser, argc - 1, argv + 1));
    if (parser->options.wish == WISH_HELP)
        return true;
    return operands_take(parser, (size_t)(argc - 1 - optind), argv + 1 + optind);
}

bool options_parse(int argc, char **argv, struct command_options *ret_options, struct error *error)
{
    struct parser parser = {
        .options = {.wish = WISH_COMMAND,
                    .progress = PROGRESS_AUTO,
                    .io = STORE_AUTO,
                    .requests_per_second = -1,
                    .account_key = {.type = KEY_ECDSA, .bits = 256}},
        .error = error,
    };
    TRY(command_line_take(&parser, argc, argv));
    *ret_options = parser.options;
    return true;
}
