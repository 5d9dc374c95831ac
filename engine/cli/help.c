#include "cli/help.h"

#include <openssl/crypto.h>
#include <string.h>

#define HELP_COLUMN 26

static const char exit_codes[] =
    "Exit status:\n"
    "  0  everything that was due is done\n"
    "  1  some certificates failed, all the others are done; or output could not be\n"
    "     written\n"
    "  2  usage or configuration: nothing was sent to a CA\n"
    "  3  interrupted, or certificates are parked: run again to go on\n";

static const char exit_codes_reading[] = "Exit status:\n"
                                         "  0  done\n"
                                         "  1  output could not be written\n"
                                         "  2  usage, configuration or state folder\n";

static const char exit_codes_revoke[] =
    "Exit status:\n"
    "  0  the certificate is revoked\n"
    "  1  the CA refused, or could not be asked; or output could not be written\n"
    "  2  usage, configuration or state folder: nothing was sent to a CA\n"
    "  3  interrupted: ask again\n";

static const char exit_codes_adopt[] =
    "Exit status:\n"
    "  0  every target was looked at and decided\n"
    "  1  for some the manifest has to decide, or AWS did not let them be looked\n"
    "     at; or output could not be written\n"
    "  2  usage, configuration or state folder\n";

static const char exit_codes_aws[] =
    "Exit status:\n"
    "  0  done; every profile that was asked for works\n"
    "  1  a profile does not work, or output could not be written\n"
    "  2  usage, or a file that cannot be read\n";

static void print_overview(FILE *out)
{
    fputs("certmill renews TLS certificates in bulk over ACME (RFC 8555).\n"
          "\n"
          "Usage: certmill COMMAND [OPTION...]\n"
          "\n"
          "Commands:\n",
          out);
    size_t count;
    const struct command *commands = options_commands(&count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("  help       Print the help of a command\n"
          "\n"
          "\"certmill COMMAND --help\" gives a command's options and examples; certmill(1) has\n"
          "the whole story. \"certmill --version\" prints the version.\n"
          "\n",
          out);
    fputs(exit_codes, out);
}

static void print_option(FILE *out, const struct option_spec *spec)
{
    char left[64];
    int len = spec->letter != 0 ? snprintf(left, sizeof left, "  -%c, ", spec->letter)
                                : snprintf(left, sizeof left, "      ");
    snprintf(left + len, sizeof left - (size_t)len, "--%s%s%s", spec->name,
             spec->argument != NULL ? " " : "", spec->argument != NULL ? spec->argument : "");
    /* A name that reaches into the help's column gets a line of its own. */
    bool is_long = strlen(left) + 2 > HELP_COLUMN;
    fprintf(out, "%-*s", HELP_COLUMN, left);
    if (is_long)
        fprintf(out, "\n%*s", HELP_COLUMN, "");
    struct span rest = span_of(spec->help);
    for (bool first = true; rest.data != NULL; first = false) {
        struct span line = span_split(&rest, '\n');
        fprintf(out, "%*s%.*s\n", first ? 0 : HELP_COLUMN, "", SPAN_PRINTF(line));
    }
}

static const char *exit_codes_of(const struct command *command)
{
    switch (command->id) {
    case COMMAND_RUN:
    case COMMAND_ACCOUNTS:
    case COMMAND_ENROLL:
    case COMMAND_RENEW:
        return exit_codes;
    case COMMAND_REVOKE:
        return exit_codes_revoke;
    case COMMAND_ADOPT:
        return exit_codes_adopt;
    case COMMAND_AWS:
        return exit_codes_aws;
    default:
        return exit_codes_reading;
    }
}

static void print_command(FILE *out, const struct command *command)
{
    fprintf(out, "Usage: certmill %s %s [OPTION...]\n\n%s\nOptions:\n", command->name,
            command->operands, command->description);
    size_t count;
    const struct option_spec *specs = options_specs(&count);
    for (size_t i = 0; i < count; i++) {
        if (option_applies(&specs[i], command))
            print_option(out, &specs[i]);
    }
    fputs("\nMANIFEST \"-\" is standard input.\n", out);
    fprintf(out, "\nExamples:\n%s\n", command->examples);
    fputs(exit_codes_of(command), out);
}

void help_print(FILE *out, const struct command *command)
{
    if (command == NULL)
        print_overview(out);
    else
        print_command(out, command);
}

void help_version(FILE *out)
{
    fprintf(out, "certmill %s\n%s\n", CERTMILL_VERSION, OpenSSL_version(OPENSSL_VERSION));
}
