#include "cli/command.h"
#include "cli/harden.h"
#include "cli/help.h"
#include "report/format.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Commands that only read and print may die of a closed pipe, quietly, as "list | head" expects. */
static const struct {
    enum command_id id;
    int (*run)(const struct command_options *options);
    bool only_prints;
} handlers[] = {
    {0, NULL, false},
};

static int error_end(const struct error *error)
{
    fputs("certmill: ", stderr);
    format_printable(stderr, error->text);
    fputc('\n', stderr);
    return ENDING_USAGE;
}

static int command_dispatch(const struct command_options *options)
{
    for (size_t i = 0; handlers[i].run != NULL; i++) {
        if (handlers[i].id != options->command->id)
            continue;
        if (handlers[i].only_prints)
            (void)signal(SIGPIPE, SIG_DFL);
        return handlers[i].run(options);
    }
    struct error error;
    error_set(&error, ERROR_CONFIG, "%s is not part of this build", options->command->name);
    return error_end(&error);
}

/* A full disk or a closed standard output must not look like success. */
static int output_end(int ending)
{
    bool failed = ferror(stdout) != 0;
    int system_error = failed ? EIO : 0;
    if (fclose(stdout) != 0) {
        failed = true;
        system_error = errno;
    }
    if (!failed)
        return ending;
    if (system_error != EPIPE)
        fprintf(stderr, "certmill: writing to standard output: %s\n",
                strerrordesc_np(system_error));
    return ending == ENDING_DONE ? ENDING_SOME_FAILED : ending;
}

int main(int argc, char **argv)
{
    struct error error;
    if (!process_harden(&error))
        return error_end(&error);
    struct command_options options;
    if (!options_parse(argc, argv, &options, &error))
        return error_end(&error);
    int ending = ENDING_DONE;
    switch (options.wish) {
    case WISH_HELP:
        help_print(stdout, options.command);
        break;
    case WISH_VERSION:
        help_version(stdout);
        break;
    case WISH_COMMAND:
        ending = command_dispatch(&options);
        break;
    }
    return output_end(ending);
}
