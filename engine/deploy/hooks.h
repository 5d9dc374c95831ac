/* Deploy hooks: commands that the manifest names, run after a certificate is live. */
#ifndef CERTMILL_DEPLOY_HOOKS_H
#define CERTMILL_DEPLOY_HOOKS_H

#include "config/manifest.h"

struct deployer;

/* Called on the deployer's thread for each certificate, when all its hooks have ended: not ok when
 * one failed; the error says which command, how it ended, and its last words. */
typedef void deploy_done(void *context, const struct manifest_entry *entry, unsigned sequence,
                         bool ok, const struct error *error);

struct deploy_options {
    const char *state_folder;
    deploy_done *done;
    void *context;
};

/* Hooks run one at a time on a thread of their own, so that a slow one never slows orders. A hook
 * gets CERTMILL_NAME, CERTMILL_DOMAINS (blank-separated), CERTMILL_LIVE (the folder), and certbot's
 * names for the same: RENEWED_LINEAGE, RENEWED_DOMAINS. A `once` hook runs at the end, one time for
 * all its certificates, which come as JSON lines on standard input. */
bool deployer_new(const struct deploy_options *options, struct deployer **ret_deployer,
                  struct error *error) MUST_USE;
void deployer_add(struct deployer *deployer, const struct manifest_entry *entry, unsigned sequence);
/* Nothing more will be added: when the rest is done, the `once` hooks run. Does not wait, so that a
 * caller with signals to watch can look at deployer_ended, and call deployer_cancel if need be. */
void deployer_close(struct deployer *deployer);
/* True when everything was run and reported. Any thread. */
bool deployer_ended(struct deployer *deployer);
/* Runs what was added and the `once` hooks, then returns. */
void deployer_finish(struct deployer *deployer);
/* Ends a running hook and runs no more. Does not wait: deployer_finish, maybe on another thread
 * that waits in it already, then returns soon. */
void deployer_interrupt(struct deployer *deployer);
/* As finish, but ends a running hook and runs no more; certificates not deployed are not reported.
 */
void deployer_cancel(struct deployer *deployer);
void deployer_free(struct deployer *deployer);

#endif
