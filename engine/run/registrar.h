/* Directory and account of each CA whose home this worker is: fetched and registered once a run,
 * before the first order, then published to all workers.
 *
 *   STATE/accounts/<directory host>/<alias>/key.pem       made durable before newAccount is sent
 *   STATE/accounts/<directory host>/<alias>/account.json  what the CA answered
 *
 * A CA accepts an EAB credential once; after a crash between the two files the same key is sent
 * again and the CA answers with the existing account (RFC 8555 section 7.3.1). An account that is
 * known is asked for with onlyReturnExisting, so that one the CA has forgotten is registered anew.
 */
#ifndef CERTMILL_RUN_REGISTRAR_H
#define CERTMILL_RUN_REGISTRAR_H

#include "run/worker.h"

/* Starts the work for the CAs of this worker. False without memory. */
bool registrar_start(struct worker *worker) MUST_USE;
bool registrar_is_done(const struct worker *worker);
/* The run ends before it is done. */
void registrar_cancel(struct worker *worker);
void registrar_free(struct worker *worker);

#endif
