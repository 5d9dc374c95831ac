#include "base/clock.h"
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "cli/state_reading.h"
#include "report/list.h"

#include <string.h>

static bool list_show(const struct command_options *options, const char *folder,
                      struct error *error)
{
    struct state *state CLEANUP(state_reading_close) = NULL;
    TRY(state_reading_open(folder, &state, error));
    if (state == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "%s has no state database: no run has used this folder yet", folder);
    struct list_options list_options = {.glob = options->only,
                                        .account = options->account,
                                        .now = clock_unix(),
                                        .json = options->json};
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

static bool wants_deploy(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++)
        if (strcmp(manifest->entries[i].name, name) == 0)
            return manifest->entries[i].deploy != NULL || manifest->entries[i].acm != NULL;
    return false;
}

static bool status_show(const struct command_options *options, const struct inputs *inputs,
                        struct error *error)
{
    struct state *state CLEANUP(state_reading_close) = NULL;
    TRY(state_reading_open(inputs->state_folder, &state, error));
    struct status_options status_options = {
        .state_folder = inputs->state_folder,
        .name = options->name,
        .now = clock_unix(),
        .json = options->json,
        .wants_deploy = wants_deploy(&inputs->manifest, options->name),
    };
    return status_print(stdout, state, &status_options, error);
}

int command_status(const struct command_options *options)
{
    struct inputs inputs CLEANUP(inputs_free);
    struct error error;
    if (!inputs_state_folder(options, &inputs))
        return ENDING_USAGE;
    if (status_show(options, &inputs, &error))
        return ENDING_DONE;
    return message_ending(&error);
}
