/* What the process does for its secrets before it reads any. */
#ifndef CERTMILL_CLI_HARDEN_H
#define CERTMILL_CLI_HARDEN_H

#include "base/result.h"

/* Call it first, before threads and files: standard descriptors that are closed are filled so that
 * no file lands on them (writing to them still fails); no core dumps, no attaching debuggers; files
 * are private unless said otherwise; SIGPIPE is ignored; as many descriptors as allowed.
 *
 * A process that is not dumpable cannot open its own /proc/self/fd without being root. */
bool process_harden(struct error *error) MUST_USE;

#endif
