#include "base/clock.h"
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/message.h"
#include "cli/state_reading.h"
#include "plan/plan_print.h"

static void crl_check_release(struct crl_check **check)
{
    crl_check_free(*check);
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
    const struct crl_check_options crl_options = {.state_folder = inputs->state_folder, .now = now};
    struct crl_check *crl CLEANUP(crl_check_release) = NULL;
    struct plan plan CLEANUP(plan_free) = {0};
    if (inputs->manifest.crl)
        TRY(crl_check_new(&crl_options, &crl, error));
    plan_options.crl = crl;
    TRY(plan_make(&inputs->manifest, state, &plan_options, &plan, error));
    struct forecast forecast CLEANUP(forecast_free) = {0};
    TRY(forecast_make(&inputs->manifest, &inputs->accounts, &plan, state, inputs->profiles, now,
                      &forecast, error));
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
