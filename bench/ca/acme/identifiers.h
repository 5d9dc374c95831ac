/* The identifiers of a new order (RFC 8555 section 7.4, RFC 8738). */
#ifndef CERTMILL_CA_ACME_IDENTIFIERS_H
#define CERTMILL_CA_ACME_IDENTIFIERS_H

#include "call.h"

struct ca_name {
    const char *text; /* lower case, with "*."; an address in its canonical form */
    bool is_address;
    bool wildcard;
};

struct ca_names {
    struct ca_name *list; /* each once; in the call's arena, as their texts */
    size_t count;
};

/* The name as authorizations have it: without "*.". */
struct span ca_name_base(const struct ca_name *name);

/* False with a problem: malformed, or rejectedIdentifier with a subproblem for each refused name.
 */
bool ca_names_read(struct ca_call *call, struct ca_json identifiers,
                   struct ca_names *ret_names) MUST_USE;

#endif
