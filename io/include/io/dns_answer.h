/* Answers of DNS servers (RFC 1035 section 4) to questions for TXT and CNAME records. Pure. */
#ifndef CERTMILL_IO_DNS_ANSWER_H
#define CERTMILL_IO_DNS_ANSWER_H

#include "base/span.h"

#define DNS_TEXT_MAX 1024 /* of one record, its strings put together; more is cut off */
#define DNS_NAME_MAX 256

/* Called for each TXT record; false ends the walk. */
typedef bool dns_text(void *context, struct span text);

/* Walks the answers. `alias` of DNS_NAME_MAX bytes receives where the last CNAME leads; "" when
 * there is none. False when the message is damaged. */
bool dns_answer_walk(struct span message, dns_text *text, void *context, char *alias) MUST_USE;

/* Whether the message says that there is no such name (NXDOMAIN). */
bool dns_answer_is_no_name(struct span message);

#endif
