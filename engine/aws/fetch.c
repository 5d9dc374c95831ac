#include "aws/fetch.h"

#include "acme/backoff.h"
#include "base/clock.h"

#include <openssl/rand.h>
#include <poll.h>
#include <string.h>

#define USER_AGENT        "certmill/" CERTMILL_VERSION
#define PAUSE_CAP_MS      5000
#define RETRY_AFTER_CAP_S 10

struct fetching {
    struct fetch_reply *reply;
    struct error error;
    bool ended, answered;
};

static void fetch_done(void *context, const struct http_response *response)
{
    struct fetching *fetching = context;
    struct fetch_reply *reply = fetching->reply;
    fetching->ended = true;
    if (response->failure != HTTP_ANSWERED) {
        error_set(&fetching->error, ERROR_NETWORK, "%s", response->reason);
        return;
    }
    if (!buf_append_span(&reply->body, response->body)) {
        error_set(&fetching->error, ERROR_MEMORY, "no memory for an answer");
        return;
    }
    reply->status = response->status;
    if (!time_parse_http_date(response->date, &reply->date))
        reply->date = 0;
    if (!time_parse_retry_after(response->retry_after, clock_unix(), &reply->retry_after_s))
        reply->retry_after_s = -1;
    fetching->answered = true;
}

static bool client_run(struct loop *loop, struct http_client *client,
                       const struct fetch_request *request, struct fetching *fetching,
                       struct error *error)
{
    const struct http_request http = {.method = request->method,
                                      .url = request->url,
                                      .body = request->body,
                                      .content_type = request->content_type,
                                      .headers = request->headers};
    TRY(http_send(client, &http, error));
    while (!fetching->ended) {
        TRY(loop_run_once(loop, http_wait_ms(client, clock_monotonic_ms()), error));
        http_tick(client, clock_monotonic_ms());
    }
    if (!fetching->answered && error != NULL)
        *error = fetching->error;
    return fetching->answered;
}

static bool attempt(const struct fetch_request *request, struct fetch_reply *reply,
                    struct error *error)
{
    const struct http_options options = {.ca_file = request->ca_file,
                                         .user_agent = USER_AGENT,
                                         .connections = 1,
                                         .connect_timeout_ms = request->timeout_ms,
                                         .request_timeout_ms = request->timeout_ms,
                                         .body_limit = FETCH_BODY_MAX,
                                         .secret_answers = true,
                                         .direct = request->direct};
    struct fetching fetching = {.reply = reply};
    struct loop *loop;
    struct http_client *client = NULL;
    TRY(loop_new(&loop, error));
    bool ok = http_client_new(loop, &options, fetch_done, &fetching, &client, error) &&
              client_run(loop, client, request, &fetching, error);
    http_client_free(client);
    loop_free(loop);
    return ok;
}

static bool is_wanted_again(const struct fetch_request *request, const struct fetch_reply *reply)
{
    if (request->passes != NULL)
        return request->passes(reply);
    return reply->status == 429 || reply->status >= 500;
}

static void pause_take(const struct fetch_request *request, unsigned attempt, int64_t retry_after_s)
{
    const struct backoff backoff = {.first_ms = request->pause_ms, .cap_ms = PAUSE_CAP_MS};
    uint64_t random = 0;
    if (request->pause_ms == 0)
        return;
    /* Without a random number the wait is the shortest, which is sound too. */
    (void)RAND_bytes((unsigned char *)&random, sizeof random);
    int64_t wait_ms = backoff_ms(&backoff, attempt, retry_after_s, RETRY_AFTER_CAP_S, random);
    (void)poll(NULL, 0, (int)wait_ms);
}

bool fetch(const struct fetch_request *request, struct fetch_reply *ret_reply, struct error *error)
{
    struct fetch_reply reply = {0};
    buf_init_secret(&reply.body, FETCH_BODY_MAX);
    for (unsigned i = 0;; i++) {
        bool answered = attempt(request, &reply, error);
        bool is_last = i + 1 >= request->attempts;
        if (answered && (is_last || !is_wanted_again(request, &reply))) {
            *ret_reply = reply;
            return true;
        }
        if (is_last) {
            fetch_reply_free(&reply);
            return false;
        }
        buf_clear(&reply.body);
        pause_take(request, i, answered ? reply.retry_after_s : -1);
    }
}

void fetch_reply_free(struct fetch_reply *reply)
{
    buf_free(&reply->body);
}

struct span url_host(const char *url)
{
    struct span rest = span_of(url);
    size_t scheme = span_starts(rest, "https://") ? 8 : span_starts(rest, "http://") ? 7 : 0;
    rest = span_from(rest, scheme);
    size_t end = 0;
    while (end < rest.len && strchr("/?#", rest.data[end]) == NULL) {
        if (rest.data[end] <= ' ' || rest.data[end] == '@' || rest.data[end] == '\\')
            return (struct span){0};
        end++;
    }
    struct span host = span_make(rest.data, scheme > 0 ? end : 0);
    if (span_starts(host, "[")) {
        host = span_from(host, 1);
        return span_split(&host, ']');
    }
    return span_split(&host, ':');
}
