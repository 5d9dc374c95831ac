/* The commands. Each is one function: it does what the options say, prints, and returns how
 * certmill ends. */
#ifndef CERTMILL_CLI_COMMAND_H
#define CERTMILL_CLI_COMMAND_H

#include "cli/options.h"
#include "report/ending.h"

/* Standard output is checked, flushed and closed by main. */
int command_run(const struct command_options *options);
int command_plan(const struct command_options *options);
int command_check(const struct command_options *options);
int command_list(const struct command_options *options);
int command_status(const struct command_options *options);
int command_accounts(const struct command_options *options);
int command_enroll(const struct command_options *options);
int command_renew(const struct command_options *options);
int command_revoke(const struct command_options *options);
int command_adopt(const struct command_options *options);
int command_aws(const struct command_options *options);

#endif
