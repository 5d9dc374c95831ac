#include "cli/inputs.h"

#include "aws/accounts_source.h"
#include "cli/message.h"
#include "report/format.h"

#include <string.h>

static void diagnostics_print(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        format_printable(stderr, diagnostics->items[i].text);
        fputc('\n', stderr);
    }
    size_t all = diagnostics->errors + diagnostics->warnings;
    if (all > diagnostics->count)
        fprintf(stderr, "and %zu more\n", all - diagnostics->count);
}

/* Once a process: credentials that were fetched serve all that is done with AWS. */
static bool profiles_make(struct inputs *inputs)
{
    struct error error;
    if (inputs->profiles != NULL ||
        (!inputs->manifest.has_acm && !inputs->manifest.solvers.route53.given))
        return true;
    if (aws_profiles_new(NULL, &inputs->profiles, &error))
        return true;
    message_error(&error);
    return false;
}

static bool read_as(const struct command_options *options,
                    const struct manifest_options *manifest_options, struct inputs *ret_inputs)
{
    struct inputs *inputs = ret_inputs;
    struct diagnostics diagnostics;
    struct error error;
    *inputs = (struct inputs){0};
    diagnostics_init(&diagnostics);
    bool read =
        manifest_read(manifest_options, &inputs->manifest, &inputs->accounts, &diagnostics, &error);
    diagnostics_print(&diagnostics);
    if (!read)
        message_error(&error);
    else if (diagnostics.errors > 0)
        message_text("%zu %s; nothing was done", diagnostics.errors,
                     diagnostics.errors == 1 ? "error" : "errors");
    bool usable = read && diagnostics.errors == 0;
    inputs->warnings = diagnostics.warnings;
    diagnostics_free(&diagnostics);
    inputs->state_folder = options->state_folder != NULL           ? options->state_folder
                           : inputs->manifest.state_folder != NULL ? inputs->manifest.state_folder
                                                                   : OPTIONS_STATE_DEFAULT;
    return usable;
}

/* The accounts have secrets, and so has who fetches them. */
static bool secrets_ready(void)
{
    struct error error;
    if (crypto_secure_heap_make(0, &error))
        return true;
    message_error(&error);
    return false;
}

bool inputs_read(const struct command_options *options, struct inputs *ret_inputs)
{
    return inputs_read_text(options, (struct span){0}, ret_inputs);
}

bool inputs_read_text(const struct command_options *options, struct span text,
                      struct inputs *ret_inputs)
{
    struct accounts_source source = {.profile = options->profile, .region = options->region};
    const struct manifest_options manifest_options = {
        .file = options->manifest,
        .text = text,
        .accounts_file = options->accounts_file,
        .fetch = accounts_source_fetch,
        .fetch_context = &source,
    };
    *ret_inputs = (struct inputs){0};
    bool ok = secrets_ready() && read_as(options, &manifest_options, ret_inputs);
    ret_inputs->profiles = source.profiles;
    return ok && profiles_make(ret_inputs);
}

bool inputs_read_manifest(const struct command_options *options, struct inputs *ret_inputs)
{
    const struct manifest_options manifest_options = {.file = options->manifest,
                                                      .without_accounts = true};
    return read_as(options, &manifest_options, ret_inputs);
}

void inputs_free(struct inputs *inputs)
{
    manifest_free(&inputs->manifest);
    accounts_free(&inputs->accounts);
    aws_profiles_free(inputs->profiles);
}

bool inputs_state_folder(const struct command_options *options, struct inputs *ret_inputs)
{
    if (options->manifest != NULL)
        return inputs_read(options, ret_inputs);
    *ret_inputs =
        (struct inputs){.state_folder = options->state_folder != NULL ? options->state_folder
                                                                      : OPTIONS_STATE_DEFAULT};
    return true;
}
