/* The state's list of DNS records: a record is in it before the hook is asked to make it, so that
 * after a crash the next run can remove it. */
#ifndef CERTMILL_SOLVER_DNS_JOURNAL_H
#define CERTMILL_SOLVER_DNS_JOURNAL_H

#include "solver/dns_hook.h"

/* The `solver` of the rows of records that the hook has made. */
#define DNS_HOOK_SOLVER "dns-hook"

/* Adds or removes the records and waits until that is durable. Records that are not `ok` are left
 * out. Does nothing without a state. */
bool dns_journal(struct state *state, enum state_change_kind kind, const struct dns_record *records,
                 size_t count, struct error *error) MUST_USE;

#endif
