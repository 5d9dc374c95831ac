/* The load CA's control port: HTTP in the clear on a loopback address, for curl and for tests. What
 * it answers is in its "GET /". */
#ifndef CERTMILL_CA_CONTROL_H
#define CERTMILL_CA_CONTROL_H

#include "ca/handler.h"

struct control;

/* All must outlive the control port. */
struct control_parts {
    struct handler *handler;
    struct weather *weather;
    struct acme *acme;
    const struct issuer *issuer;
    struct server *server; /* that the weather limits and the figures tell of; not its own */
};

/* `listen`: "ADDRESS:PORT", port 0 for any; ERROR_CONFIG unless the address is a loopback one. */
bool control_new(const char *listen, const struct control_parts *parts,
                 struct control **ret_control, struct error *error) MUST_USE;
void control_free(struct control *control);
int control_port(const struct control *control);

#endif
