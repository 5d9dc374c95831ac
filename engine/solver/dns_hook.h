/* The operator's dns-01 hook: HOOK present, HOOK cleanup.
 *
 * Standard input has one line a record:
 *   {"certificate":"www","domain":"example.com","fqdn":"_acme-challenge.example.com","value":"..."}
 * Exit code 0: all is done, except for records that the hook names on its standard output, again
 * one line each: {"fqdn":"...","value":"...","error":"..."} (without "value": all of that fqdn).
 * Other lines are ignored. Any other exit: no record of the call is done, and the last line of
 * standard error says why. */
#ifndef CERTMILL_SOLVER_DNS_HOOK_H
#define CERTMILL_SOLVER_DNS_HOOK_H

#include "solver/solver.h"

#define DNS_FQDN_MAX 300

struct dns_record {
    const char *solver; /* of the state's row */
    const char *certificate;
    const char *domain; /* without "*." */
    const char *fqdn;
    const char *value;
    bool ok;
    struct error error; /* when not ok */
};

/* ERROR_CONFIG unless it is a file that may be executed. */
bool dns_hook_check(const char *path, struct error *error) MUST_USE;

/* One call for all the records; sets each one's outcome. `cancel_fd` as for process_run. */
void dns_hook_run(const char *path, enum solver_step step, int64_t timeout_ms, int cancel_fd,
                  struct dns_record *records, size_t count);

#endif
