/* certmill run: does what is due. */
#include "cli/command.h"
#include "cli/run_setup.h"

static void limits_apply(const struct command_options *options, struct manifest_limits *limits)
{
    if (options->in_flight > 0)
        limits->in_flight = options->in_flight;
    if (options->requests_per_second >= 0)
        limits->requests_per_second = options->requests_per_second;
}

int command_run(const struct command_options *options)
{
    struct run_setup setup CLEANUP(run_setup_free);
    if (!run_setup_make(options, &setup))
        return ENDING_USAGE;
    limits_apply(options, &setup.inputs.manifest.limits);
    const struct run_options run = run_setup_options(options, &setup);
    return run_setup_execute(&setup, &run);
}
