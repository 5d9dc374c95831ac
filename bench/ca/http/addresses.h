/* How many connections each client's address has, for a limit of them. Any thread. */
#ifndef CERTMILL_CA_HTTP_ADDRESSES_H
#define CERTMILL_CA_HTTP_ADDRESSES_H

#include "base/result.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>

/* An IPv4 address is mapped into IPv6 (RFC 4291 section 2.5.5.2). */
struct address {
    struct in6_addr ip;
};

#define ADDRESS_BUCKETS 4096

struct address_entry;

struct addresses {
    pthread_mutex_t lock;
    struct address_entry *buckets[ADDRESS_BUCKETS];
};

void addresses_init(struct addresses *addresses);
void addresses_free(struct addresses *addresses);

/* Counts one more, unless there are `limit` already (0: no limit) or there is no memory. */
bool addresses_enter(struct addresses *addresses, const struct address *address,
                     unsigned limit) MUST_USE;
void addresses_leave(struct addresses *addresses, const struct address *address);

#endif
