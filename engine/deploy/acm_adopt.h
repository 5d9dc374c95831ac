/* Links the manifest's ACM targets to certificates that are in ACM already, so that the next run
 * imports under their ARNs instead of making new ones. */
#ifndef CERTMILL_DEPLOY_ACM_ADOPT_H
#define CERTMILL_DEPLOY_ACM_ADOPT_H

#include "aws/profile.h"
#include "config/manifest.h"
#include "state/state.h"

#include <sys/types.h>

enum adopt_outcome {
    ADOPT_NOTHING,   /* nothing in ACM has just these names */
    ADOPT_LINKED,    /* one was found, and the state has its ARN now */
    ADOPT_KNOWN,     /* the state, or the manifest, has an ARN already */
    ADOPT_AMBIGUOUS, /* several: the manifest has to say which */
    ADOPT_FOREIGN,   /* what was found was not imported: nothing can be imported over it */
    ADOPT_SHARED,    /* several of the manifest's certificates have the names of what was found */
    ADOPT_FAILED,    /* the account and region could not be asked */
};

/* One target of one certificate. Texts live as long as the adoption. */
struct adopt_target {
    const struct manifest_entry *entry;
    const struct deploy_acm *acm;
    enum adopt_outcome outcome;
    const char *arn; /* NULL: none */
    const char *account, *serial;
    int64_t not_after, imported_at;
    bool in_use;
    unsigned candidates;              /* of ADOPT_AMBIGUOUS */
    const char *problem;              /* of ADOPT_FAILED */
    const struct state_change *noted; /* of ADOPT_LINKED: `ok` once the state is closed */
};

struct adoption {
    struct arena arena;
    struct adopt_target *targets;
    size_t count;
};

struct adopt_options {
    const struct manifest *manifest;
    struct aws_profiles *profiles;
    struct state *state; /* started; the caller holds the state folder's lock */
    const char *only;    /* a glob over names, or NULL */
    const char *user_agent;
    int cancel_fd; /* -1: none */
};

/* Of several certificates with the names, the one that is in use is meant, if it is the only such.
 * What another certificate of the manifest has already is not linked a second time.
 * False for lack of memory, when the state cannot be read, and when it was cancelled. Free with
 * adoption_free either way; all that it posts to the state is posted when it returns. */
bool adopt_run(const struct adopt_options *options, struct adoption *ret_adoption,
               struct error *error) MUST_USE;
void adoption_free(struct adoption *adoption);

#endif
