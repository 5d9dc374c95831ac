/* certmill renew: one certificate now, by name or by its ARN in ACM; or what is due, without a
 * manifest being named. */
#include "cli/certificate_find.h"
#include "cli/command.h"
#include "cli/enrolled_file.h"
#include "cli/message.h"
#include "cli/run_setup.h"

int command_renew(const struct command_options *options)
{
    struct run_setup setup CLEANUP(run_setup_free) = {0};
    struct enrolled_file file;
    struct command_options renewal;
    struct error error;
    if (!enrolled_file_options(options, &file, &renewal, &error)) {
        message_error(&error);
        return ENDING_USAGE;
    }
    if (!run_setup_make(&renewal, &setup))
        return ENDING_USAGE;
    if (renewal.name != NULL || renewal.arn != NULL) {
        if (!certificate_find(&renewal, &setup.inputs, &renewal.only, &error)) {
            message_error(&error);
            return ENDING_USAGE;
        }
        renewal.force = true;
    }
    const struct run_options run = run_setup_options(&renewal, &setup);
    return run_setup_execute(&setup, &run);
}
