/* Imports into AWS Certificate Manager: each certificate to any number of accounts and regions, on
 * a thread of its own, side by side over accounts and regions, so that a slow ACM slows no order.
 */
#ifndef CERTMILL_DEPLOY_ACM_DEPLOYER_H
#define CERTMILL_DEPLOY_ACM_DEPLOYER_H

#include "aws/profile.h"
#include "config/manifest.h"
#include "state/state.h"

struct acm_deployer;

/* Called on the deployer's thread once a certificate that was added, when all its targets have
 * ended: not ok when one failed; the error names the first such target, AWS's words and what to do.
 * `imports` is how many were sent; 0: all targets had this content. */
typedef void acm_done(void *context, const struct manifest_entry *entry, unsigned sequence, bool ok,
                      unsigned imports, const struct error *error);
/* Something the operator should know: a quota that fills up, drift that was found. Same thread.
 * `name` is the certificate's, "" where it is of an account and region. */
typedef void acm_warn(void *context, const char *name, const char *text);

struct acm_deployer_options {
    const char *state_folder;
    const struct manifest *manifest; /* its `aws` settings */
    struct aws_profiles *profiles;
    struct state
        *state; /* started; the deployer reads its rows when it begins, and posts changes */
    const char *user_agent;
    acm_done *done;
    acm_warn *warn;
    void *context;
};

/* Checks every profile and region that the manifest's targets name (all errors go into one text),
 * so that a mistake shows before anything is sent. ERROR_CONFIG. */
bool acm_targets_check(const struct manifest *manifest, struct aws_profiles *profiles,
                       struct error *error) MUST_USE;

bool acm_deployer_new(const struct acm_deployer_options *options,
                      struct acm_deployer **ret_deployer, struct error *error) MUST_USE;
/* A certificate whose live files shall be in all its targets. Any thread. */
void acm_deployer_add(struct acm_deployer *deployer, const struct manifest_entry *entry,
                      unsigned sequence);
/* A certificate that is not new: its targets are looked at (drift), and mended when they hold
 * another certificate or none. Reported through `done` only when something was done or failed. */
void acm_deployer_watch(struct acm_deployer *deployer, const struct manifest_entry *entry,
                        unsigned sequence);
/* As the functions of the same names in deploy/hooks.h. An interrupt waits some seconds for the
 * answers of imports that are out, so that their ARNs are noted; what was not reported goes on in
 * the next run. */
void acm_deployer_close(struct acm_deployer *deployer);
bool acm_deployer_ended(struct acm_deployer *deployer);
void acm_deployer_finish(struct acm_deployer *deployer);
void acm_deployer_interrupt(struct acm_deployer *deployer);
void acm_deployer_free(struct acm_deployer *deployer);

struct acm_counts {
    uint64_t imports, unchanged, failed, repaired, throttled, calls;
};
void acm_deployer_count(struct acm_deployer *deployer, struct acm_counts *ret_counts);

#endif
