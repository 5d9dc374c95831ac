#include "aws/client_internal.h"

#include "acme/backoff.h"
#include "base/clock.h"
#include "base/printable.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_CAP_S 60

/* (SDKs and Tools Reference Guide, "Retry behavior"; the first wait is a little longer.) */
static const struct backoff retry_backoff = {.first_ms = 400, .cap_ms = 20000};

static uint64_t random_take(const struct aws_client *client)
{
    uint64_t random = 0;
    if (client->options.random != NULL) {
        double fraction = client->options.random(client->options.random_context);
        return (uint64_t)(fraction * 9007199254740992.0); /* 2^53 */
    }
    /* Without a random number the wait is the shortest, which is sound too. */
    (void)RAND_bytes((unsigned char *)&random, sizeof random);
    return random;
}

bool call_retry(struct aws_client *client, struct call *call, int64_t retry_after_s)
{
    if (call->retries + 1 >= client->options.attempts)
        return false;
    int64_t wait_ms = backoff_ms(&retry_backoff, call->retries, retry_after_s, RETRY_AFTER_CAP_S,
                                 random_take(client));
    if (!timers_add(&client->timers, clock_monotonic_ms() + wait_ms, call->id))
        return false;
    call->retries++;
    return true;
}

static bool retry_later(struct aws_client *client, struct call *call, struct span retry_after)
{
    int64_t retry_after_s;
    if (!time_parse_retry_after(retry_after, clock_unix(), &retry_after_s))
        retry_after_s = -1;
    return call_retry(client, call, retry_after_s);
}

bool call_reads(const struct call *call)
{
    static const char *const verbs[] = {"List", "Describe", "Get"};
    const char *colon = strchr(call->request.action, ':');
    if (call->request.method == HTTP_GET || call->request.method == HTTP_HEAD)
        return true;
    for (size_t i = 0; colon != NULL && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strncmp(colon + 1, verbs[i], strlen(verbs[i])) == 0)
            return true;
    return false;
}

/* No answer. */

static void unanswered_error(const struct call *call, const struct http_response *response,
                             enum aws_outcome outcome, struct error *error)
{
    char where[AWS_WHERE_MAX], reason[300];
    aws_failure_where(call->request.action, call->request.profile, call->region, where);
    printable_copy(span_of(response->reason), reason, sizeof reason);
    const char *meaning = call_reads(call) ? "no answer came" : "AWS may have done it all the same";
    if (response->failure == HTTP_UNTRUSTED)
        meaning = "its certificate is not trusted; AWS_CA_BUNDLE or ca_bundle names another trust";
    else if (outcome == AWS_UNREACHABLE)
        meaning = "it cannot be reached; nothing was sent";
    else if (response->failure == HTTP_TOO_LARGE)
        meaning = "nothing so large is read";
    error_set(error, response->failure == HTTP_UNTRUSTED ? ERROR_CONFIG : ERROR_NETWORK, "%s%s: %s",
              where, reason, meaning);
}

static void unanswered(struct aws_client *client, struct call *call,
                       const struct http_response *response)
{
    bool is_unsent = response->failure == HTTP_UNREACHABLE || response->failure == HTTP_UNTRUSTED ||
                     response->failure == HTTP_BAD_URL;
    bool can_pass = response->failure == HTTP_UNREACHABLE ||
                    ((response->failure == HTTP_TIMEOUT || response->failure == HTTP_LOST) &&
                     !call->request.once);
    if (can_pass && retry_later(client, call, (struct span){NULL, 0}))
        return;
    struct aws_reply reply = {.outcome = is_unsent ? AWS_UNREACHABLE : AWS_UNCLEAR};
    unanswered_error(call, response, reply.outcome, &reply.error);
    call_end(client, call, &reply);
}

/* Refusals. */

/* What can be mended at once, one time each. */

static bool renew(struct aws_client *client, struct call *call)
{
    if (call->renewed)
        return false;
    call->renewed = true;
    aws_credentials_expire(client->options.profiles, call->request.profile, call->key_id);
    call_queue(call);
    return true;
}

static bool correct_clock(struct call *call, int64_t server_time)
{
    if (call->corrected || server_time == 0)
        return false;
    call->corrected = true;
    call->host->ahead_s = server_time - clock_unix();
    call_queue(call);
    return true;
}

/* A bucket is reached by way of its own region, which S3 names (S3 User Guide, "Making requests").
 */
static bool redirect(struct aws_client *client, struct call *call,
                     const struct aws_failure *failure)
{
    if (call->request.service != AWS_S3 || call->redirected || failure->region[0] == '\0' ||
        strcmp(failure->region, call->region) == 0 || !aws_region_is_sound(failure->region))
        return false;
    call->redirected = true;
    snprintf(call->region, sizeof call->region, "%s", failure->region);
    if (!call_route(client, call, NULL))
        return false;
    call_queue(call);
    return true;
}

/* True when the call goes on. Changes the outcome when AWS may have acted. */
static bool try_again(struct aws_client *client, struct call *call,
                      const struct http_response *response, const struct aws_failure *failure,
                      int64_t server_time, enum aws_outcome *outcome)
{
    if (redirect(client, call, failure))
        return true;
    switch (*outcome) {
    case AWS_EXPIRED:
        return renew(client, call);
    case AWS_SKEWED:
        return correct_clock(call, server_time);
    case AWS_THROTTLED:
        return !call->request.tell_throttled && retry_later(client, call, response->retry_after);
    case AWS_FAILED:
        if (call->request.once) {
            *outcome = AWS_UNCLEAR;
            return false;
        }
        return retry_later(client, call, response->retry_after);
    default:
        return false;
    }
}

static void refused(struct aws_client *client, struct call *call,
                    const struct http_response *response, int64_t server_time)
{
    struct aws_failure failure;
    aws_failure_read(response, &failure);
    int64_t off_s = server_time != 0 ? server_time - call->signed_at : 0;
    enum aws_outcome outcome = aws_failure_outcome(&failure, response->status, off_s);
    if (try_again(client, call, response, &failure, server_time, &outcome))
        return;
    struct aws_reply reply = {
        .outcome = outcome,
        .status = response->status,
        .body = response->body,
        .server_time = server_time,
    };
    snprintf(reply.code, sizeof reply.code, "%s", failure.code);
    const struct aws_failed_call failed = {
        .action = call->request.action,
        .profile = call->request.profile,
        .region = call->region,
        .key_id = call->key_id,
        .host = call->route.origin,
        .attempts = call->attempts,
        .reads = call_reads(call),
        .status = response->status,
        .behind_s = server_time != 0 ? server_time - clock_unix() : 0,
        .outcome = outcome,
        .failure = &failure,
    };
    aws_failure_error(&failed, &reply.error);
    call_end(client, call, &reply);
}

void call_answered(struct aws_client *client, struct call *call,
                   const struct http_response *response)
{
    int64_t server_time = 0;
    if (client->closing)
        return; /* aws_client_free ends it */
    if (response->failure != HTTP_ANSWERED) {
        unanswered(client, call, response);
        return;
    }
    if (!time_parse_http_date(response->date, &server_time))
        server_time = 0;
    if (response->status < 200 || response->status >= 300) {
        refused(client, call, response, server_time);
        return;
    }
    struct aws_reply reply = {
        .outcome = AWS_OK,
        .status = response->status,
        .body = response->body,
        .etag = response->etag,
        .server_time = server_time,
    };
    call_end(client, call, &reply);
}
