/* What can go wrong or take its time at a CA, by numbers: for each endpoint its latency, faults and
 * their rates, and rate limits as Let's Encrypt has them. Read from a JSON document, of which the
 * configuration file has one and the control port takes others while the CA runs. Seeded: the n-th
 * request of an endpoint gets the same fate in every run. */
#ifndef CERTMILL_CA_WEATHER_H
#define CERTMILL_CA_WEATHER_H

#include "base/json.h"
#include "ca/acme.h"
#include "ca/server.h"

struct weather;

/* A fate for one request, decided before the protocol sees it. */
struct fate {
    bool answered; /* weather answers itself (429, 503): the protocol must not act */
    struct acme_mood mood;
    int64_t delay_us;
    enum wire_fault wire;
    bool unheard; /* with WIRE_RESET: the protocol does not act either (request lost, not answer) */
    enum body_fault {
        BODY_GOOD,
        BODY_OVERSIZED,   /* megabytes of JSON white space before the end */
        BODY_BROKEN_JSON, /* cut in the middle, Content-Length right */
        BODY_WRONG_TYPE,  /* Content-Type: text/html, and HTML */
        BODY_NOT_UTF8,
        BODY_EMPTY,
    } body;
    int status;           /* with `answered` */
    const char *problem;  /* "rateLimited", "serverInternal" */
    char retry_after[64]; /* in either form; "" for none */
};

bool weather_new(uint64_t seed, struct weather **ret_weather, struct error *error) MUST_USE;
void weather_free(struct weather *weather);

/* Takes a document; what it does not name stays as it was, unless it has "reset": true. On an error
 * (which names the field) nothing is changed. */
bool weather_read(struct weather *weather, const json_t *document, struct error *error) MUST_USE;
/* The whole document as it now holds; the caller releases it. */
json_t *weather_write(struct weather *weather);

/* Any thread. `account` 0: none. `new_order_exempt`: an ARI renewal (`replaces`), which Let's
 * Encrypt does not count. */
struct weather_question {
    enum ca_endpoint endpoint;
    const char *address;
    uint64_t account;
    bool exempt;
    int64_t now_us;
};
void weather_ask(struct weather *weather, const struct weather_question *question,
                 struct fate *ret_fate);

/* Spoils the body of a good answer as the fate says. */
void weather_spoil(const struct fate *fate, struct ca_response *response);

void weather_server_limits(struct weather *weather, struct server_limits *ret_limits);

#endif
