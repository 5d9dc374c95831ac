/* Revocations (RFC 8555 section 7.6), signed with the key of the account that ordered the
 * certificate: what a run does that was asked for nothing else, once its accounts are there. */
#ifndef CERTMILL_RUN_REVOKER_H
#define CERTMILL_RUN_REVOKER_H

#include "run/worker.h"

#define REVOCATION_REASON_NONE (-1)

struct revocation {
    const char *name;              /* the certificate's, for messages and the state */
    const struct account *account; /* of the run's accounts */
    struct span certificate;       /* DER */
    int reason;                    /* CRLReason (RFC 5280 section 5.3.1), or none */
    /* What came of it, written by the CA's home worker. */
    bool revoked;
    bool was_revoked; /* before: nothing was left to do */
    struct error error;
    char advice[256];
};

/* Sends the lane's revocations, if the run has any. Returns how many were sent: for each
 * `revoker_ended` is called when it has ended. */
size_t revoker_begin(struct worker *worker, struct lane *lane);
/* The registrar's. */
void revoker_ended(struct worker *worker);

#endif
