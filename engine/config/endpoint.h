/* Addresses in the accounts file: the CA's URL and the contact's e-mail. */
#ifndef CERTMILL_CONFIG_ENDPOINT_H
#define CERTMILL_CONFIG_ENDPOINT_H

#include "base/span.h"

#define ENDPOINT_MAX 2048
#define EMAIL_MAX    254 /* RFC 5321 section 4.5.3.1.3 */

/* NULL when it will do, else what is wrong (static; never quotes the text). An endpoint is https,
 * or http to this very machine; with a host, without credentials. */
const char *endpoint_problem(struct span url);
/* Not all of RFC 5322: what a CA would refuse, or the operator did not mean. */
const char *email_problem(struct span email);

#endif
