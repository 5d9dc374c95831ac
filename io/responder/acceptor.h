/* A listening socket with a thread and a loop of its own, for responders that talk to a CA's
 * validation servers, which is to say: to anybody. What each of them has in common: a ceiling of
 * connections, a deadline for each, a pause when descriptors run out. */
#ifndef CERTMILL_RESPONDER_ACCEPTOR_H
#define CERTMILL_RESPONDER_ACCEPTOR_H

#include "io/responder.h"

struct acceptor;

/* A ring whose start is in the acceptor. */
struct link {
    struct link *next, *previous;
};

/* Begins each protocol's own structure. All but `fd` and `context` is the acceptor's. */
struct connection {
    struct link link; /* first, so that a link is its connection */
    struct acceptor *acceptor;
    void *context; /* the protocol's */
    int fd;
    int64_t waiting_since_ms;
    bool draining;
};

enum step { STEP_ON, STEP_WAIT_READ, STEP_WAIT_WRITE, STEP_CLOSE };

/* All are called on the acceptor's thread. */
struct acceptor_protocol {
    const char *name; /* for messages: "http-01" */
    const char *hint; /* what else can be done when the port cannot be had */
    size_t connection_size;
    /* Fills what comes after struct connection; false: the connection is closed at once. */
    bool (*open)(struct connection *connection);
    /* The descriptor is ready: goes on as far as it can. Never STEP_ON. */
    enum step (*ready)(struct connection *connection);
    void (*close)(struct connection *connection); /* frees what open made; NULL: nothing */
};

/* `listen` as for responder_new; the protocol lives as long as the acceptor. */
bool acceptor_new(const char *listen, const struct acceptor_protocol *protocol, void *context,
                  const struct responder_limits *limits, struct acceptor **ret_acceptor,
                  struct error *error) MUST_USE;
/* Closes all connections and joins the thread. */
void acceptor_free(struct acceptor *acceptor);
int acceptor_port(const struct acceptor *acceptor);

/* The connection's time begins anew. */
void connection_renew(struct connection *connection);

/* All is sent. Closing with bytes unread would make the kernel reset the connection, and what was
 * sent be lost with it: so what still comes is read and dropped until the other side closes or the
 * deadline comes. `ready` is not called any more. */
enum step connection_drain(struct connection *connection) MUST_USE;

#endif
