/* Calls of AWS's services: signed, sent over io/http, repeated where that is safe, and judged. */
#ifndef CERTMILL_AWS_CLIENT_H
#define CERTMILL_AWS_CLIENT_H

#include "aws/sign.h"
#include "io/http.h"

/* What came of a call. */
enum aws_outcome {
    AWS_OK,
    AWS_THROTTLED, /* ThrottlingException, Throttling, RequestLimitExceeded, SlowDown, 429; after
                      the attempts */
    AWS_BUSY,   /* PriorRequestNotComplete, ConflictException, RequestInProgressException: later */
    AWS_DENIED, /* AccessDenied...: the error names the IAM action that is needed */
    AWS_UNKNOWN_CREDENTIALS, /* InvalidClientTokenId, SignatureDoesNotMatch, ...: wrong key or
                                secret */
    AWS_EXPIRED,             /* ExpiredToken, after fetching anew once */
    AWS_SKEWED,              /* the clock; after one try by the server's Date */
    AWS_MISSING,             /* ResourceNotFoundException, NoSuchKey, NoSuchHostedZone, ... */
    AWS_LIMIT,               /* LimitExceededException, TooManyTagsException, ... */
    AWS_INVALID,             /* ValidationException and other 4xx: trying again is of no use */
    AWS_FAILED,              /* 5xx, after the attempts */
    AWS_UNREACHABLE,         /* no connection: nothing was sent */
    AWS_UNCLEAR,             /* no answer, or a broken one: AWS may have acted */
    AWS_CREDENTIALS,         /* none could be had, after the attempts when that may pass: nothing
                                was sent */
    AWS_ENDED,               /* the client was freed */
};

struct aws_request {
    uint64_t id;         /* the caller's */
    const char *profile; /* NULL: the default one */
    const char *region;  /* NULL: the profile's */
    enum aws_service service;
    enum http_method method;
    struct span path; /* as meant, not encoded */
    const struct aws_parameter *query;
    size_t query_count;
    const char *content_type; /* NULL: none */
    const char *target;       /* X-Amz-Target, for ACM; NULL: none */
    struct span body;
    bool secret_body;    /* copies are wiped */
    bool once;           /* not repeated when AWS may have acted (AWS_UNCLEAR) */
    bool tell_throttled; /* comes back as AWS_THROTTLED at once: the caller paces */
    const char *action;  /* "acm:ImportCertificate", for messages; static */
    unsigned timeout_ms; /* an attempt; 0: 60 s */
};

/* Valid during the callback only. */
struct aws_reply {
    uint64_t id;
    enum aws_outcome outcome;
    long status;      /* 0: none */
    char code[96];    /* AWS's error code, without namespace: "ThrottlingException"; "" when ok */
    struct span body; /* at most 8 MiB */
    struct span etag; /* S3, with its quotes */
    unsigned attempts;
    int64_t server_time; /* the answer's Date, unix seconds; 0: none */
    struct error error;  /* when not AWS_OK: what failed, for which profile and region, AWS's own
                            words, the request id, and what to do. Never a secret */
};

struct aws_client;

struct aws_client_options {
    struct aws_profiles *profiles; /* outlives the client */
    const char *user_agent;
    unsigned attempts;               /* 0: 4 */
    double (*random)(void *context); /* in [0, 1), for the jitter of back-off; NULL: OpenSSL's */
    void *random_context;
};

typedef void aws_done(void *context, const struct aws_reply *reply);

/* For one thread, on its loop, which outlives the client. `done` is called from loop_run_once,
 * aws_tick or aws_client_free, never from aws_send; it may call aws_send. Any number of calls may
 * be out: they queue here for room on the connections, each host apart, so that a slow region holds
 * up no other. */
bool aws_client_new(struct loop *loop, const struct aws_client_options *options, aws_done *done,
                    void *context, struct aws_client **ret_client, struct error *error) MUST_USE;
void aws_client_free(struct aws_client *client); /* what is out ends as AWS_ENDED */

/* Copies what the request points to. False for lack of memory, a bad profile or region (the error
 * says so); `done` is not called then. Getting credentials may block for seconds: once a profile,
 * and again when they expire (aws_credentials_get). */
bool aws_send(struct aws_client *client, const struct aws_request *request,
              struct error *error) MUST_USE;
/* As http_wait_ms and http_tick. */
int64_t aws_wait_ms(const struct aws_client *client, int64_t now_ms);
void aws_tick(struct aws_client *client, int64_t now_ms);
uint64_t aws_calls(const struct aws_client *client); /* requests sent, repeats included */

/* One call that waits for its end on the calling thread, with a client of its own. True only with
 * AWS_OK; the outcome and the error code come either way (code: 96 bytes or NULL). The body and the
 * ETag go to the buffers (NULL: not wanted), which the caller made by buf_init. `cancel_fd` (or
 * -1): when it becomes readable the call is given up, ERROR_CANCELLED. */
struct aws_answer {
    enum aws_outcome outcome;
    char code[96];
    int64_t server_time;
    struct buf body;
    struct buf etag;
};
void aws_answer_init(struct aws_answer *answer);
void aws_answer_free(struct aws_answer *answer); /* wipes */
bool aws_call(const struct aws_client_options *options, const struct aws_request *request,
              int cancel_fd, struct aws_answer *ret_answer, struct error *error) MUST_USE;

#endif
