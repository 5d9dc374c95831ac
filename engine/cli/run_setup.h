/* What the commands that talk to a CA begin with: the operator's files read, whose secrets go to
 * OpenSSL's secure heap, and OpenSSL made ready as they say. */
#ifndef CERTMILL_CLI_RUN_SETUP_H
#define CERTMILL_CLI_RUN_SETUP_H

#include "cli/inputs.h"
#include "run/run.h"

struct run_setup {
    struct crypto_context *crypto;
    struct inputs inputs;
};

/* False when something is wrong: it has been said. Free with run_setup_free either way. */
bool run_setup_make(const struct command_options *options, struct run_setup *ret_setup) MUST_USE;
/* The same with a manifest that is not written yet (inputs_read_text). */
bool run_setup_make_text(const struct command_options *options, struct span text,
                         struct run_setup *ret_setup) MUST_USE;
void run_setup_free(struct run_setup *setup);

/* What the run takes from the command line. */
struct run_options run_setup_options(const struct command_options *options,
                                     const struct run_setup *setup);

/* Runs, and says on standard error why nothing could be sent. Returns how certmill ends. */
int run_setup_execute(const struct run_setup *setup, const struct run_options *options);

#endif
