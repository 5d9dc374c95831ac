/* The commands. Each is one function: it does what the options say, prints, and returns how
 * certmill ends. */
#ifndef CERTMILL_CLI_COMMAND_H
#define CERTMILL_CLI_COMMAND_H

#include "cli/options.h"

/* How certmill ends. Scripts rely on these. */
enum ending {
    ENDING_DONE = 0,        /* everything that was due is done */
    ENDING_SOME_FAILED = 1, /* some certificates failed, all the others are done */
    ENDING_USAGE = 2,       /* usage or configuration: nothing was sent to a CA */
    ENDING_RESUME = 3,      /* interrupted or parked: run again to go on */
};

/* Standard output is checked, flushed and closed by main. */
int command_run(const struct command_options *options);
int command_plan(const struct command_options *options);
int command_check(const struct command_options *options);
int command_list(const struct command_options *options);
int command_status(const struct command_options *options);
int command_accounts(const struct command_options *options);

#endif
