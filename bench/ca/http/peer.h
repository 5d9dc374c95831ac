/* The inside of the load CA's server. A thread has a loop, timers and peers; a peer is a client's
 * connection, which speaks HTTP/1.1 or HTTP/2; an exchange is one request and its answer.
 *
 * Nothing is closed from inside of a protocol: it says how the peer is to end (enum peer_end), and
 * peer_flush, which each turn of the loop runs once for every peer that was touched, sends what is
 * there in as few writes as possible and then ends it. */
#ifndef CERTMILL_CA_HTTP_PEER_H
#define CERTMILL_CA_HTTP_PEER_H

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/slots.h"
#include "base/timer.h"
#include "ca/http/addresses.h"
#include "ca/http/head.h"
#include "ca/server.h"
#include "io/loop.h"

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* A turn writes about so much of a peer before it writes it out. */
#define OUT_FILL ((size_t)48 * 1024)
/* A frame of HTTP/2 or a head may go over it. */
#define OUT_MAX   ((size_t)512 * 1024)
#define READ_SIZE ((size_t)64 * 1024)

struct server {
    struct server_options options;
    ca_handle *handle;
    void *context;
    SSL_CTX *tls; /* NULL: in the clear */
    nghttp2_session_callbacks *http2_callbacks;
    nghttp2_option *http2_option;
    int listen_fd;
    int port;
    struct addresses addresses;
    struct server_thread *threads;
    atomic_uint limit_connections;
    atomic_uint limit_per_address;
    atomic_uint limit_streams;
    atomic_uint limit_requests;
    atomic_uint connections_now;
    atomic_uint connections_most;
    atomic_uint requests_now;
    atomic_uint requests_most;
    atomic_uint_fast64_t connections;
    atomic_uint_fast64_t refused;
};

/* Begins whatever a timer wakes. `id` is its slot, 0: no timer is set. */
struct timed {
    uint64_t id;
    void (*due)(struct timed *timed);
};

/* Written by its thread, read by any. */
struct thread_counts {
    atomic_uint_fast64_t handshakes_full, handshakes_resumed, requests_http1, requests_http2,
        bytes_in, bytes_out;
};

LIST_HEAD(peer_list, peer);

struct server_thread {
    struct server *server;
    unsigned number;
    pthread_t thread;
    bool started;
    struct loop *loop;
    struct mailbox mailbox; /* struct peer, accepted by another thread; or stop_message */
    struct message stop_message;
    bool stopping;
    struct timed listener; /* waits until descriptors may be had again */
    struct slots slots;
    struct timers timers;
    struct peer_list peers;
    struct peer_list touched;
    struct exchange *spare; /* linked by next */
    unsigned spare_count;
    char *in;       /* of READ_SIZE: what a read gives */
    struct buf out; /* what a flush writes */
    int64_t date_s;
    char date[TIME_TEXT_MAX];
    struct thread_counts counts;
    atomic_uint load; /* peers on it or on their way to it */
};

enum message_kind { MESSAGE_PEER, MESSAGE_STOP };

/* What an HTTP/2 request is made of, as offsets into a buffer that grows. */
enum http2_field { FIELD_PATH, FIELD_AUTHORITY, FIELD_CONTENT_TYPE, FIELD_USER_AGENT, FIELDS };

struct exchange {
    struct timed timed; /* first: so that it is its exchange */
    struct exchange *next;
    struct peer *peer;
    enum ca_method method;
    bool last;   /* the connection ends after it */
    bool asked;  /* the handler was: it is counted as a request under way */
    bool held;   /* the answer waits, perhaps for ever */
    bool ready;  /* it may go out */
    bool cut;    /* the body ends at body_end, and is then broken off */
    size_t sent; /* of the answer's body */
    size_t body_end;
    struct ca_response response;
    /* HTTP/1.1 */
    bool http11;
    bool head_sent;
    /* HTTP/2 */
    LIST_ENTRY(exchange) streams;
    int32_t stream;
    bool complete;     /* the request's end has come */
    bool refused;      /* before that */
    size_t dropped;    /* of a refused request's body */
    size_t fields_len; /* of all header fields, counted as in RFC 9113 section 10.5.1 */
    struct buf head;
    struct {
        size_t offset, len;
        bool there;
    } fields[FIELDS];
    struct buf body; /* of the request */
};

struct protocol {
    /* Bytes came. False: the peer is beyond help, and is closed at once. */
    bool (*take)(struct peer *peer, struct span bytes);
    /* Appends what there is to send until `out` holds OUT_FILL. False as above. */
    bool (*fill)(struct peer *peer, struct buf *out);
    /* The answer is ready. */
    void (*answer)(struct exchange *exchange);
    /* True when more bytes would have to be kept for long. */
    bool (*full)(const struct peer *peer);
    void (*close)(struct peer *peer);
};

enum peer_end { END_NOT, END_CLOSE, END_RESET };

struct http1 {
    struct buf in;
    size_t in_at;    /* where the request begins that is not complete */
    size_t head_at;  /* of http1_head_find, from in_at */
    size_t head_len; /* 0: not complete */
    size_t body_len; /* unless chunked */
    bool chunked;
    bool continue_due;
    struct http1_chunks chunks;
    struct buf body; /* of chunks, joined */
    struct exchange *current;
};

struct http2 {
    nghttp2_session *session;
    unsigned streams_told;
    int32_t last_stream; /* that a GOAWAY told of; 0: none */
    LIST_HEAD(, exchange) exchanges;
};

struct peer {
    struct message message; /* first */
    struct timed timed;
    LIST_ENTRY(peer) peers;
    LIST_ENTRY(peer) touches;
    struct server_thread *thread;
    const struct protocol *protocol; /* NULL while shaking hands */
    int fd;
    SSL *ssl;
    struct address address;
    char address_text[INET6_ADDRSTRLEN];
    uint32_t watched;
    int64_t deadline_ms;
    unsigned requests;
    unsigned held;      /* exchanges whose answer waits, perhaps for ever */
    unsigned answering; /* exchanges whose answer may go out, and is not all out */
    bool touched;
    bool flushing;   /* what is touched now is flushed yet */
    bool blocked;    /* the socket takes no more */
    bool more;       /* there is more to read, and the loop does not know */
    bool eof;        /* nothing more will come */
    bool draining;   /* all is sent: see peer.c */
    bool broken;     /* beyond help: closed by the next flush */
    bool tls_broken; /* no close_notify may be sent */
    bool wants_write;
    enum peer_end end;
    uint64_t wire_in, wire_out; /* counted so far, of TLS */
    struct buf out;             /* what the socket did not take */
    struct http1 http1;
    struct http2 http2;
};

/* server.c */
void most_raise(atomic_uint *most, unsigned now); /* to `now`, when that is more */

/* thread.c */
bool thread_open(struct server_thread *thread, struct server *server, unsigned number,
                 struct error *error) MUST_USE;
bool thread_start(struct server_thread *thread, struct error *error) MUST_USE;
void thread_stop(struct server_thread *thread);  /* and joins it */
void thread_close(struct server_thread *thread); /* after all are stopped */
bool thread_timer(struct server_thread *thread, struct timed *timed, int64_t at_ms) MUST_USE;
void thread_timer_forget(struct server_thread *thread, struct timed *timed);
const char *thread_date(struct server_thread *thread);

/* accept.c */
bool accept_watch(struct server_thread *thread, struct error *error) MUST_USE;

/* peer.c */
void peer_open(struct server_thread *thread, struct peer *peer);
void peer_discard(struct peer *peer); /* one that was never opened */
void peer_close(struct peer *peer);
void peer_touch(struct peer *peer); /* to be flushed in this turn */
void peer_flush(struct peer *peer);
void peer_renew(struct peer *peer); /* its time begins anew */

/* socket.c: bytes, through TLS or not */
enum moved { MOVED, MOVED_BLOCKED, MOVED_EOF, MOVED_BROKEN };
enum moved socket_shake_hands(struct peer *peer) MUST_USE;
enum moved socket_read(struct peer *peer, char *data, size_t size, size_t *ret_len) MUST_USE;
enum moved socket_write(struct peer *peer, struct span bytes, size_t *ret_len) MUST_USE;
void socket_finish(struct peer *peer); /* close_notify, FIN */
SSL_CTX *socket_tls_new(const struct server_options *options, struct error *error);

/* answer.c */
struct exchange *exchange_take(struct peer *peer); /* NULL without memory */
void exchange_release(struct exchange *exchange);
void exchange_free_spare(struct server_thread *thread);
/* Counts a request; false when the connection shall take no more after it. */
bool exchange_count(struct exchange *exchange, atomic_uint_fast64_t *count);
/* Asks the handler; the protocol's `answer` follows, now or later or never. */
void exchange_run(struct exchange *exchange, struct ca_request *request);
/* Answers in the handler's place; the connection ends after it when `last`. */
void exchange_refuse(struct exchange *exchange, int status, bool last);
/* The answer has no body (RFC 9110 section 6.4.1), or it is not sent. */
bool exchange_is_bare(const struct exchange *exchange);

extern const struct protocol http1_protocol;
extern const struct protocol http2_protocol;
bool http2_open(struct peer *peer) MUST_USE;
bool http2_prepare(struct server *server) MUST_USE;
const char *http1_reason(int status);

#endif
