#include "base/clock.h"
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "cli/state_reading.h"
#include "plan/plan_print.h"

/* What the profiles lack does not keep a plan from being shown: `check` says it. */
static bool plan_forecast(const struct inputs *inputs, const struct plan *plan, struct state *state,
                          int64_t now, struct forecast *ret_forecast, struct error *error)
{
    struct aws_profiles *profiles = NULL;
    if (inputs->manifest.has_acm && !aws_profiles_new(NULL, &profiles, error))
        profiles = NULL;
    bool ok = forecast_make(&inputs->manifest, &inputs->accounts, plan, state, profiles, now,
                            ret_forecast, error);
    aws_profiles_free(profiles);
    return ok;
}

static bool plan_show(const struct command_options *options, const struct inputs *inputs,
                      struct state *state, struct error *error)
{
    int64_t now = clock_unix();
    struct plan_options plan_options = {
        .state_folder = inputs->state_folder,
        .mode = options->io,
        .now = now,
        .only = options->only,
        .force = options->force,
        .want_later = options->json,
    };
    struct plan plan CLEANUP(plan_free) = {0};
    TRY(plan_make(&inputs->manifest, state, &plan_options, &plan, error));
    struct forecast forecast CLEANUP(forecast_free) = {0};
    TRY(plan_forecast(inputs, &plan, state, now, &forecast, error));
    return options->json
               ? plan_print_json(stdout, &inputs->manifest, &plan, &forecast, error)
               : plan_print_text(stdout, &inputs->manifest, &plan, &forecast, now, 0, error);
}

int command_plan(const struct command_options *options)
{
    struct inputs inputs CLEANUP(inputs_free);
    struct state *state CLEANUP(state_reading_close) = NULL;
    struct error error;
    if (!inputs_read(options, &inputs))
        return ENDING_USAGE;
    if (state_reading_open(inputs.state_folder, &state, &error) &&
        plan_show(options, &inputs, state, &error))
        return ENDING_DONE;
    return message_ending(&error);
}
