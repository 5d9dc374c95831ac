/* Problem documents (RFC 7807, RFC 8555 section 6.7), and what each type makes certmill do. */
#ifndef CERTMILL_ACME_PROBLEM_H
#define CERTMILL_ACME_PROBLEM_H

#include "base/json.h"

/* What to do after an answer that is not the expected one. The table is in problem.c. */
enum reaction {
    REACT_FRESH_NONCE,   /* badNonce: again at once, with the nonce of the answer */
    REACT_BACK_OFF,      /* the server has trouble: again later, exponentially */
    REACT_WAIT,          /* rateLimited: again when Retry-After says; slows the whole CA down */
    REACT_POLL,          /* orderNotReady: look at the order again */
    REACT_REGISTER,      /* accountDoesNotExist: the CA forgot the account; register again */
    REACT_CONFIGURATION, /* the operator must change something: fails every order of the account */
    REACT_RENEW_PLAIN,   /* alreadyReplaced: newOrder again without `replaces` */
    REACT_GIVE_UP,       /* this order fails */
};

#define PROBLEM_TEXT_MAX 400

struct problem {
    char type[64]; /* "badNonce": the part after urn:ietf:params:acme:error:, else the whole type
                      cut to fit; "" when there was no problem document */
    char text[PROBLEM_TEXT_MAX]; /* the CA's own words: detail, and subproblems as
                                    "identifier: detail"; made printable: no control characters */
    long status;                 /* HTTP status */
    enum reaction reaction;
};

/* Reads the body of an error answer. Never fails: whatever the body is, *ret_problem says what can
 * be said of it ("HTTP 502 with text/html, 312 bytes"). `content_type` without parameters. */
void problem_read(long status, struct span content_type, struct span body,
                  struct problem *ret_problem);

/* The same for a problem object inside another document (a challenge's or an order's "error"). */
void problem_from_json(const json_t *object, struct problem *ret_problem);

/* What the operator can do about it, one sentence, or "" when there is nothing to advise. Static.
 */
const char *problem_advice(const struct problem *problem);

#endif
