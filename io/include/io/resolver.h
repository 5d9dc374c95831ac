/* DNS by c-ares in a loop. Answers come with the id that was asked with: whoever
 * asked may be gone by then. */
#ifndef CERTMILL_IO_RESOLVER_H
#define CERTMILL_IO_RESOLVER_H

#include "io/loop.h"

#include <netinet/in.h>

#define PLACES_MAX     8
#define PLACE_TEXT_MAX INET6_ADDRSTRLEN

/* An address; the port is set when it is connected to. */
struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;
    socklen_t len; /* 0: none */
};
bool place_read(const char *text, struct place *ret_place) MUST_USE;
void place_text(const struct place *place, char *text); /* of PLACE_TEXT_MAX */
void place_set_port(struct place *place, int port);
bool place_equal(const struct place *a, const struct place *b); /* with the port */

struct resolver;

/* `problem` NULL: found, at least one. Else why not, in static words. */
typedef void resolver_found(void *context, uint64_t id, const struct place *places, size_t count,
                            const char *problem);
/* The answer to resolver_ask as it came (see io/dns_answer.h); it may hold no such record. The
 * message is there also with a problem when the server told it. */
typedef void resolver_answered(void *context, uint64_t id, const void *message, size_t len,
                               const char *problem);

struct resolver_handlers {
    resolver_found *found;
    resolver_answered *answered;
    void *context;
};

/* `server`: "ADDRESS:PORT", or NULL for the system's. A question gets no answer after some
 * `timeout_ms`. */
bool resolver_new(struct loop *loop, const char *server, unsigned timeout_ms,
                  const struct resolver_handlers *handlers, struct resolver **ret_resolver,
                  struct error *error) MUST_USE;
void resolver_free(struct resolver *resolver); /* no handler is called any more */

/* A handler may be called before these return. */
void resolver_find(struct resolver *resolver, const char *name, uint64_t id);
/* `type` as in RFC 1035 section 3.2.2 (ns_t_txt, ns_t_cname). */
void resolver_ask(struct resolver *resolver, const char *name, int type, uint64_t id);

/* Milliseconds until resolver_tick wants to be called, -1 for never. */
int64_t resolver_wait_ms(const struct resolver *resolver);
void resolver_tick(struct resolver *resolver);

#endif
