#include "aws/client.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ETAG_MAX 1024

struct wait {
    struct aws_answer *answer;
    struct error *error;
    bool ended;
    bool ok;
    bool cancelled;
    bool failed; /* its error says why; the call is only given up */
};

static void call_ends(void *context, const struct aws_reply *reply)
{
    struct wait *wait = context;
    struct aws_answer *answer = wait->answer;
    wait->ended = true;
    wait->ok = reply->outcome == AWS_OK;
    answer->outcome = reply->outcome;
    answer->server_time = reply->server_time;
    memcpy(answer->code, reply->code, sizeof answer->code);
    buf_clear(&answer->body);
    buf_clear(&answer->etag);
    if (wait->failed)
        return;
    if (wait->cancelled)
        error_set(wait->error, ERROR_CANCELLED, "the run is ending");
    else if (!wait->ok && wait->error != NULL)
        *wait->error = reply->error;
    else if (wait->ok && (!buf_append_span(&answer->body, reply->body) ||
                          !buf_append_span(&answer->etag, reply->etag)))
        wait->ok = error_set(wait->error, ERROR_MEMORY, "no memory for the answer of AWS");
}

static void cancel_comes(void *context, uint32_t events)
{
    (void)events;
    struct wait *wait = context;
    wait->cancelled = true;
}

void aws_answer_init(struct aws_answer *answer)
{
    *answer = (struct aws_answer){.outcome = AWS_ENDED};
    buf_init_secret(&answer->body, (size_t)8 * 1024 * 1024);
    buf_init(&answer->etag, ETAG_MAX);
}

void aws_answer_free(struct aws_answer *answer)
{
    buf_free(&answer->body);
    buf_free(&answer->etag);
}

static bool loop_until_ended(struct loop *loop, struct aws_client *client, struct wait *wait,
                             struct error *error)
{
    while (!wait->ended && !wait->cancelled) {
        TRY(loop_run_once(loop, aws_wait_ms(client, clock_monotonic_ms()), error));
        if (!wait->cancelled)
            aws_tick(client, clock_monotonic_ms());
    }
    return true;
}

bool aws_call(const struct aws_client_options *options, const struct aws_request *request,
              int cancel_fd, struct aws_answer *ret_answer, struct error *error)
{
    struct wait wait = {.answer = ret_answer, .error = error};
    struct aws_client *client = NULL;
    struct loop *loop;
    TRY(loop_new(&loop, error));
    bool ok = aws_client_new(loop, options, call_ends, &wait, &client, error) &&
              (cancel_fd < 0 || loop_watch(loop, cancel_fd, EPOLLIN, cancel_comes, &wait, error)) &&
              aws_send(client, request, error) && loop_until_ended(loop, client, &wait, error);
    wait.failed = !ok;
    aws_client_free(client); /* may end the call, with words of its own */
    if (cancel_fd >= 0)
        loop_forget(loop, cancel_fd);
    loop_free(loop);
    return ok && wait.ok;
}
