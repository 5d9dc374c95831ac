/* One run: plans, starts the threads, listens to signals, reports, and ends with an exit code. */
#ifndef CERTMILL_RUN_RUN_H
#define CERTMILL_RUN_RUN_H

#include "aws/profile.h"
#include "config/manifest.h"
#include "io/store.h"
#include "report/ending.h"
#include "report/report.h"

struct revocation;

struct run_options {
    const char *state_folder;
    const char *ca_file;
    const char *only;
    bool force;
    /* A flag an account: these are registered, and nothing is ordered. NULL: a run. */
    const bool *register_only;
    struct revocation *revocations; /* of these accounts (run/revoker.h), with register_only */
    size_t revocation_count;
    enum store_mode io;
    unsigned workers;        /* 0: one a core, 4 at most */
    unsigned crypto_threads; /* 0: one a core */
    struct key_spec account_key;
    const struct crypto_context *crypto;
    struct aws_profiles *profiles; /* NULL: the manifest needs none */
    struct report_options report;
};

/* Does what is due, prints the report, and returns how certmill ends (enum ending). With
 * ENDING_USAGE nothing was sent, and the error says why. The manifest and the accounts stay the
 * caller's. */
int run_execute(const struct manifest *manifest, const struct accounts *accounts,
                const struct run_options *options, struct error *error);

#endif
