#include "base/clock.h"
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "cli/state_reading.h"
#include "report/list.h"

static bool list_show(const struct command_options *options, const char *folder,
                      struct error *error)
{
    struct state *state CLEANUP(state_reading_close) = NULL;
    TRY(state_reading_open(folder, &state, error));
    if (state == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "%s has no state database: no run has used this folder yet", folder);
    struct list_options list_options = {
        .glob = options->only, .now = clock_unix(), .json = options->json};
    return list_print(stdout, state, &list_options, error);
}

int command_list(const struct command_options *options)
{
    struct inputs inputs CLEANUP(inputs_free);
    struct error error;
    if (!inputs_state_folder(options, &inputs))
        return ENDING_USAGE;
    if (list_show(options, inputs.state_folder, &error))
        return ENDING_DONE;
    return message_ending(&error);
}

static bool status_show(const struct command_options *options, const char *folder,
                        struct error *error)
{
    struct state *state CLEANUP(state_reading_close) = NULL;
    TRY(state_reading_open(folder, &state, error));
    struct status_options status_options = {
        .state_folder = folder, .name = options->name, .now = clock_unix(), .json = options->json};
    return status_print(stdout, state, &status_options, error);
}

int command_status(const struct command_options *options)
{
    struct inputs inputs CLEANUP(inputs_free);
    struct error error;
    if (!inputs_state_folder(options, &inputs))
        return ENDING_USAGE;
    if (status_show(options, inputs.state_folder, &error))
        return ENDING_DONE;
    return message_ending(&error);
}
