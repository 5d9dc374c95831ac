/* The parts of the client that its own files share. */
#ifndef CERTMILL_AWS_CLIENT_INTERNAL_H
#define CERTMILL_AWS_CLIENT_INTERNAL_H

#include "aws/client.h"
#include "aws/failure.h"
#include "aws/route.h"
#include "base/arena.h"
#include "base/slots.h"
#include "base/timer.h"

/* An HTTP client a host, so that one that is silent holds the room of no other. */
struct aws_host {
    struct aws_host *next;
    char *origin;
    char *ca_file; /* NULL: the system's */
    struct http_client *http;
    int64_t ahead_s;           /* its clock is ahead of this machine's, once that was seen */
    struct call *first, *last; /* to be sent when there is room */
    struct aws_client *client;
};

struct call {
    struct call *next; /* in the host's queue */
    uint64_t id;       /* in the client's table; the HTTP request's as well */
    struct aws_request request;
    struct arena arena; /* what the request points to, but for the body */
    struct buf body;
    char region[64];
    struct aws_route route;
    struct aws_host *host;
    char key_id[sizeof((struct aws_credentials){0}).key_id];
    int64_t signed_at; /* by this machine's clock and what is known of its error */
    unsigned attempts; /* sent, or tried to */
    unsigned retries;  /* after back-off */
    bool renewed;      /* its credentials were fetched anew */
    bool corrected;    /* its clock was */
    bool redirected;   /* to the bucket's region */
};

struct aws_client {
    struct loop *loop;
    struct aws_client_options options;
    char *user_agent;
    aws_done *done;
    void *context;
    struct aws_host *hosts;
    struct slots calls;
    struct timers timers;
    uint64_t sent;
    bool woken; /* something was queued since the last tick */
    bool closing;
};

/* client.c */
void call_queue(struct call *call); /* at its host, to be sent by the next tick */
/* Finds the host for the call's region. */
bool call_route(struct aws_client *client, struct call *call, struct error *error) MUST_USE;
/* Tells the caller, and frees the call. `reply` has the outcome and what is known beside it. */
void call_end(struct aws_client *client, struct call *call, struct aws_reply *reply);

/* client_send.c: signs the call and hands it to HTTP, or ends it. */
void call_send(struct aws_client *client, struct call *call);

/* client_answer.c */
/* Queues another attempt after back-off, or after these seconds (-1: none said) when it is longer;
 * false when there were enough. */
bool call_retry(struct aws_client *client, struct call *call, int64_t retry_after_s);
/* Whether the call changes nothing in AWS: by method, and by the action's name (List, Describe and
 * Get), as all of ACM is POST. */
bool call_reads(const struct call *call);
/* What the answer means: the end, or another attempt. */
void call_answered(struct aws_client *client, struct call *call,
                   const struct http_response *response);

#endif
