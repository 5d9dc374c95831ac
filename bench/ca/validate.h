/* Validation of names as a CA does it: http-01 (RFC 8555 section 8.3), dns-01 (8.4) and tls-alpn-01
 * (RFC 8737), really asked for over the network, thousands at once, on a thread of its own. */
#ifndef CERTMILL_CA_VALIDATE_H
#define CERTMILL_CA_VALIDATE_H

#include "base/span.h"

struct validator;

enum validation_method { VALIDATE_HTTP_01, VALIDATE_DNS_01, VALIDATE_TLS_ALPN_01 };

struct validator_options {
    int http_port; /* 0: 80 */
    int tls_port;  /* 0: 443 */
    /* "ADDRESS:PORT" of the DNS server to ask for addresses and TXT records; NULL: the system's. */
    const char *dns_server;
    /* Every name is at this address, and no A or AAAA is asked for; NULL: ask. */
    const char *fixed_address;
    unsigned timeout_ms;  /* of one validation; 0: 10 s */
    unsigned connections; /* at once; 0: 512; more wait their turn */
};

/* Copied by validator_submit. */
struct validation {
    uint64_t id;
    enum validation_method method;
    bool is_address;        /* the identifier is an IP address */
    const char *identifier; /* without "*." */
    const char *token;
    const char *key_authorization; /* what http-01 must answer; dns-01 and tls-alpn-01 take its
                                      SHA-256 */
    int64_t wait_us;               /* before it is looked at */
};

struct validation_result {
    uint64_t id;
    bool valid;
    const char *problem; /* "connection", "dns", "tls", "unauthorized", "incorrectResponse" */
    const char *detail;
    const char *url;     /* http-01: what was fetched; else "" */
    const char *address; /* that was asked; "" when none */
};
/* On the validator's thread. */
typedef void validation_done(void *context, const struct validation_result *result);

/* `done` may be set later, before the first submission: the CA is made after its validator. */
bool validator_new(const struct validator_options *options, struct validator **ret_validator,
                   struct error *error) MUST_USE;
void validator_free(struct validator *validator); /* what is open ends without `done` */
void validator_report_to(struct validator *validator, validation_done *done, void *context);
/* Any thread; never waits. False only without memory. */
bool validator_submit(struct validator *validator, const struct validation *validation) MUST_USE;

#endif
