#include "cli/command.h"
#include "cli/harden.h"
#include "cli/help.h"
#include "cli/message.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Commands that only read and print may die of a closed pipe, quietly, as "list | head" expects. */
static const struct {
    enum command_id id;
    bool only_prints;
    int (*run)(const struct command_options *options);
} handlers[] = {
    {COMMAND_RUN, false, command_run},       {COMMAND_ACCOUNTS, false, command_accounts},
    {COMMAND_ENROLL, false, command_enroll}, {COMMAND_RENEW, false, command_renew},
    {COMMAND_REVOKE, false, command_revoke}, {COMMAND_ADOPT, false, command_adopt},
    {COMMAND_CHECK, true, command_check},    {COMMAND_PLAN, true, command_plan},
    {COMMAND_LIST, true, command_list},      {COMMAND_STATUS, true, command_status},
    {COMMAND_AWS, true, command_aws},        {0, false, NULL},
};

static int command_dispatch(const struct command_options *options)
{
    for (size_t i = 0; handlers[i].run != NULL; i++) {
        if (handlers[i].id != options->command->id)
            continue;
        if (handlers[i].only_prints)
            (void)signal(SIGPIPE, SIG_DFL);
        return handlers[i].run(options);
    }
    message_text("%s is not part of this build", options->command->name);
    return ENDING_USAGE;
}

/* A full disk or a closed standard output must not look like success. */
static int stdout_close(int ending)
{
    bool failed = ferror(stdout) != 0;
    int system_error = 0; /* unknown: it was lost when an earlier write failed */
    if (fclose(stdout) != 0) {
        failed = true;
        system_error = errno;
    }
    if (!failed)
        return ending;
    /* Otherwise the command has said already what is wrong. */
    if (ending == ENDING_DONE && system_error == 0)
        message_text("writing to standard output failed");
    else if (ending == ENDING_DONE && system_error != EPIPE)
        message_text("writing to standard output: %s", strerrordesc_np(system_error));
    return ending == ENDING_DONE ? ENDING_SOME_FAILED : ending;
}

int main(int argc, char **argv)
{
    struct error error;
    struct command_options options;
    if (!process_harden(&error) || !options_parse(argc, argv, &options, &error)) {
        message_error(&error);
        return ENDING_USAGE;
    }
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
    return stdout_close(ending);
}
