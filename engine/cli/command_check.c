#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "deploy/acm_deployer.h"
#include "report/format.h"

#include <string.h>

int command_check(const struct command_options *options)
{
    struct inputs inputs CLEANUP(inputs_free);
    if (!inputs_read(options, &inputs))
        return ENDING_USAGE;
    struct error error;
    if (inputs.manifest.has_acm && !acm_targets_check(&inputs.manifest, inputs.profiles, &error))
        return message_ending(&error);
    char certificates[FORMAT_MAX];
    char accounts[FORMAT_MAX];
    format_printable(stdout,
                     strcmp(options->manifest, "-") == 0 ? "standard input" : options->manifest);
    printf(": %s, %s %s, no errors\n", format_certificates(inputs.manifest.count, certificates),
           format_count(inputs.accounts.count, accounts),
           inputs.accounts.count == 1 ? "account" : "accounts");
    return ENDING_DONE;
}
