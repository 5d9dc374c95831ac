/* The validator's insides. One validation is a check: it waits, then it takes its turn, then it
 * looks over the network, then it ends. All on the validator's thread. */
#ifndef CERTMILL_CA_VALIDATE_CHECK_H
#define CERTMILL_CA_VALIDATE_CHECK_H

#include "base/mailbox.h"
#include "base/slots.h"
#include "base/timer.h"
#include "ca/validate.h"
#include "connection.h"
#include "http_url.h"
#include "io/resolver.h"

#include <openssl/types.h>

#define CHECK_DETAIL_MAX 512
#define SHA256_BYTES     32
#define IDLE_MAX         64

struct check {
    struct message message; /* first: what validator_submit posts */
    struct check *next;     /* of those that wait their turn */
    struct validator *validator;
    uint64_t slot;
    uint64_t id; /* the caller's */
    enum validation_method method;
    bool is_address;
    int64_t begin_ms;                                   /* when it may look */
    int64_t deadline_ms;                                /* 0: it does not look yet */
    const char *identifier, *token, *key_authorization; /* in `texts` */
    struct http_url url;                                /* http-01 */
    unsigned redirects;
    struct place places[PLACES_MAX]; /* to be asked one after the other */
    size_t place_count, place_next;
    struct connection *connection; /* NULL: none open for it */
    char address[PLACE_TEXT_MAX];  /* of the last place that was asked */
    char texts[];
};

struct validator {
    struct validator_options options; /* with the defaults filled in */
    struct place fixed;               /* options.fixed_address */
    struct loop *loop;
    struct mailbox mailbox;
    struct slots checks;
    struct timers timers;
    struct check *turn_first, **turn_last;
    unsigned active;
    struct resolver *resolver;
    SSL_CTX *alpn_tls, *http_tls;
    EVP_MD *sha256;
    struct connection *connections;    /* all */
    struct connection *idle[IDLE_MAX]; /* kept alive, the latest last */
    size_t idle_count;
    validation_done *done;
    void *context;
    bool ending;
    pthread_t thread;
};

/* Reports the check and frees it. `problem` as in struct validation_result, NULL: it is valid. */
void check_end(struct check *check, const char *problem, const char *format, ...) PRINTF_LIKE(3, 4);

/* What was fetched last, into `text` of HTTP_URL_MAX bytes. */
const char *check_url(const struct check *check, char *text);
struct http_ports check_ports(const struct check *check);

/* Each method: begins to look. */
void http_begin(struct check *check);
void dns_begin(struct check *check);
void alpn_begin(struct check *check);

/* A resolver_texts. */
void dns_texts_came(void *context, uint64_t id, const void *message, size_t len,
                    const char *problem);

/* Finds where `host` is, and goes on with check_connect or ends the check. */
void check_locate(struct check *check, const char *host);

/* A resolver_found. */
void check_places_came(void *context, uint64_t id, const struct place *places, size_t count,
                       const char *problem);

/* Connects to the next place; ends the check when none is left. */
void check_connect(struct check *check);

/* A connection could not be made or broke: tries the next place, or ends the check. */
void check_disconnected(struct check *check, const char *problem, const char *why);

/* What the connection's owner is told. */
void http_answered(struct check *check, const struct http_answer *answer);
void alpn_shaken(struct check *check, SSL *ssl);

/* A deadline has passed. */
void check_expire(struct check *check);

#endif
