/* What the files of the control port share. */
#ifndef CERTMILL_CA_CONTROL_CONTROL_H
#define CERTMILL_CA_CONTROL_CONTROL_H

#include "ca/control.h"

#include <pthread.h>

/* What counts on for ever, at the last reset. */
struct figures_base {
    int64_t at_ms;
    double cpu_seconds;
    struct server_counts server;
    struct acme_counts acme;
};

struct control {
    struct control_parts parts;
    struct server *server; /* its own */
    pthread_mutex_t lock;  /* guards the base */
    struct figures_base base;
};

/* NULL without memory. */
json_t *figures_write(struct control *control) MUST_USE;
void figures_reset(struct control *control);

/* "127.0.0.1", "127.8.9.10:80", "[::1]:0", "localhost:0". */
bool address_is_loopback(struct span address);

/* For server_new; the context is the control. Tests call it without a socket. */
ca_handle control_handle;

#endif
