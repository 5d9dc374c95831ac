/* What can go wrong or take its time at a CA, by numbers: for each endpoint its latency, faults and
 * their rates, and rate limits as Let's Encrypt has them. Read from a JSON document, of which the
 * configuration file has one and the control port takes others while the CA runs. Seeded: the n-th
 * request of an endpoint gets the same fate in every run, whatever came to other endpoints.
 *
 * The document. Every field may be left out, and then stays as it was; null takes away what was
 * set. Endpoints have the names of ca_endpoint_name; "default" stands for all that are not named.
 *
 *   {"reset": true,               first forget all that earlier documents set
 *    "seed": 7,                   and count requests from the first again
 *    "latency": {"default": {"fixed-ms": 50},
 *                "new-order": {"lognormal-ms": {"median": 15000, "sigma": 0.5, "max": 60000}}},
 *    "processing": {"fixed-s": 2},         from finalize until the order is valid
 *    "validation": {"lognormal-s": {"median": 1, "sigma": 1}},   before a challenge is looked at
 *    "faults": {"default": {"bad-nonce": 0.05, "429": 0.01}, "finalize": {"truncate": 0.1}},
 *    "retry-after": {"seconds": 1, "form": "mixed"},   of 429 and 503: "seconds", "date", "mixed"
 *    "poll-after": {"seconds": 3, "form": "seconds"},  of answers that say pending or processing
 *    "limits": {"lets-encrypt": true,              all of the following as Let's Encrypt has them
 *               "new-orders-per-account": {"count": 300, "hours": 3},
 *               "certificates-per-domain": {"count": 50, "hours": 168},
 *               "certificates-per-names": {"count": 5, "hours": 168},
 *               "requests-per-second": {"default": 250, "new-nonce": 20},   an address
 *               "time-scale": 60},                 the hours above pass so many times faster
 *    "server": {"connections": 0, "connections-per-address": 10, "streams": 100,
 *               "requests-per-connection": 1000}}
 *
 * Durations end in -ms, -s, -min or -h. An endpoint's own latency or faults hold in place of the
 * default's, they are not added. Faults, of which a request meets one at most:
 *   bad-nonce      refused with badNonce (signed requests only)
 *   429, 500, 503  refused with rateLimited, serverInternal, serverInternal
 *   reset          done, but the connection is reset instead of an answer
 *   reset-unheard  reset, and nothing was done
 *   truncate       half of the body, then the end
 *   silence        done, and no answer until the client gives up
 *   goaway         a good answer, then HTTP/2 GOAWAY or "Connection: close"
 *   oversized      a good answer with megabytes of blanks
 *   broken-json, wrong-type, not-utf8, empty      a good answer with a spoilt body
 *
 * Limits are token buckets (a bucket holds `count`, and is refilled evenly over the hours). Those
 * of the account and of names are asked by the protocol through weather_may_order, when the nonce,
 * the signature and the names of a new order are good. ARI renewals are exempt. Let's Encrypt
 * counts certificates when it issues them; here they count when the order is placed, so that
 * orders placed at once cannot pass the limit together. A registered domain is the last two
 * labels, three below such as "co.uk": there is no public suffix list here. */
#ifndef CERTMILL_CA_WEATHER_H
#define CERTMILL_CA_WEATHER_H

#include "base/json.h"
#include "ca/acme.h"
#include "ca/server.h"

struct weather;

/* The document, for --help and the control port's "GET /". */
extern const char weather_help[];

enum body_fault {
    BODY_GOOD,
    BODY_OVERSIZED,   /* megabytes of JSON white space before the end */
    BODY_BROKEN_JSON, /* cut in the middle, Content-Length right */
    BODY_WRONG_TYPE,  /* Content-Type: text/html, and HTML */
    BODY_NOT_UTF8,
    BODY_EMPTY,
};

#define WEATHER_RETRY_AFTER_MAX 40

/* A fate for one request, decided before the protocol sees it. Not to be copied: the mood points
 * into it. */
struct fate {
    bool answered; /* weather answers itself (429, 500, 503): the protocol must not act */
    struct acme_mood mood;
    int64_t delay_us;
    enum wire_fault wire;
    bool unheard; /* with WIRE_RESET: the protocol does not act either (request lost, not answer) */
    enum body_fault body;
    int status;          /* with `answered` */
    const char *problem; /* "rateLimited", "serverInternal" */
    const char *detail;
    char retry_after[WEATHER_RETRY_AFTER_MAX]; /* in either form; "" for none */
    char poll_after[WEATHER_RETRY_AFTER_MAX];
};

bool weather_new(uint64_t seed, struct weather **ret_weather, struct error *error) MUST_USE;
void weather_free(struct weather *weather);

/* Takes a document. On an error (which names the field) nothing is changed. Any thread. */
bool weather_read(struct weather *weather, const json_t *document, struct error *error) MUST_USE;
/* The whole document as it now holds, which weather_read takes; the caller releases it. NULL
 * without memory. */
json_t *weather_write(struct weather *weather) MUST_USE;

struct weather_question {
    enum ca_endpoint endpoint;
    const char *address; /* the client's */
    int64_t now_us;
};
/* Any thread. */
void weather_ask(struct weather *weather, const struct weather_question *question,
                 struct fate *ret_fate);

/* For acme_options.may_order; the context is the weather. */
acme_may_order weather_may_order;

/* Spoils the body of a good answer as the fate says. */
void weather_spoil(const struct fate *fate, struct ca_response *response);

void weather_server_limits(struct weather *weather, struct server_limits *ret_limits);

/* What was dealt since the start or the last reset: {"faults": {"finalize": {"reset": 3}},
 * "limited": {"new-orders-per-account": 12}}. The caller releases it; NULL without memory. */
json_t *weather_figures(struct weather *weather) MUST_USE;
void weather_figures_reset(struct weather *weather);

#endif
