/* A loop with an HTTP client, and what came back. */
#ifndef CERTMILL_TEST_HTTP_FIXTURE_H
#define CERTMILL_TEST_HTTP_FIXTURE_H

#include "check.h"

#include "base/clock.h"
#include "io/http.h"

#define ANSWERS_MAX 4096

/* A copy of what matters of a response. */
struct answer {
    unsigned times; /* that `done` was called */
    enum http_failure failure;
    long status;
    size_t body_len;
    char body[512];
    char reason[256];
    char nonce[600];
    char location[256];
    char content_type[64];
    char retry_after[64];
    char links[1024]; /* "relation=url " for each */
    bool has_location;
};

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct answer *answers; /* by id */
    struct http_counts counts;
    uint64_t resend_id; /* sent from inside `done` when not 0 */
    const char *resend_url;
};

static inline void answer_text(char *text, size_t size, struct span value)
{
    snprintf(text, size, "%.*s", SPAN_PRINTF(value));
}

static inline void fixture_done(void *context, const struct http_response *response)
{
    struct fixture *fixture = context;
    CHECK(response->id < ANSWERS_MAX && response->url != NULL);
    struct answer *answer = &fixture->answers[response->id];
    answer->times++;
    answer->failure = response->failure;
    answer->status = response->status;
    answer->body_len = response->body.len;
    answer_text(answer->body, sizeof answer->body, response->body);
    snprintf(answer->reason, sizeof answer->reason, "%s", response->reason);
    answer_text(answer->nonce, sizeof answer->nonce, response->replay_nonce);
    answer_text(answer->location, sizeof answer->location, response->location);
    answer_text(answer->content_type, sizeof answer->content_type, response->content_type);
    answer_text(answer->retry_after, sizeof answer->retry_after, response->retry_after);
    answer->has_location = response->location.data != NULL;
    answer->links[0] = '\0';
    for (size_t i = 0; i < response->link_count; i++) {
        size_t used = strlen(answer->links);
        snprintf(answer->links + used, sizeof answer->links - used, "%.*s=%.*s ",
                 SPAN_PRINTF(response->links[i].relation), SPAN_PRINTF(response->links[i].url));
    }
    if (fixture->resend_id != 0) {
        struct http_request request = {.id = fixture->resend_id, .url = fixture->resend_url};
        struct error error;
        fixture->resend_id = 0;
        CHECK_OK(http_send(fixture->client, &request, &error), error);
    }
}

static inline void fixture_open(struct fixture *fixture, const struct http_options *options)
{
    struct error error;
    *fixture = (struct fixture){.answers = calloc(ANSWERS_MAX, sizeof(struct answer))};
    CHECK(fixture->answers != NULL);
    CHECK_OK(loop_new(&fixture->loop, &error), error);
    CHECK_OK(
        http_client_new(fixture->loop, options, fixture_done, fixture, &fixture->client, &error),
        error);
}

static inline void fixture_close(struct fixture *fixture)
{
    http_client_free(fixture->client);
    loop_free(fixture->loop);
    free(fixture->answers);
}

/* One turn of the loop; the test fails when `deadline_ms` has passed. */
static inline void fixture_turn(struct fixture *fixture, int64_t deadline_ms)
{
    struct error error;
    int64_t now_ms = clock_monotonic_ms();
    CHECK(now_ms < deadline_ms);
    int64_t wait_ms = http_wait_ms(fixture->client, now_ms);
    if (wait_ms < 0 || wait_ms > 100)
        wait_ms = 100;
    CHECK_OK(loop_run_once(fixture->loop, wait_ms, &error), error);
    http_tick(fixture->client, clock_monotonic_ms());
    http_count(fixture->client, &fixture->counts);
}

/* Runs until nothing is out. */
static inline void fixture_run(struct fixture *fixture)
{
    int64_t deadline_ms = clock_monotonic_ms() + 30000;
    do {
        fixture_turn(fixture, deadline_ms);
    } while (fixture->counts.out_now > 0);
}

/* Sends one request and waits for its answer, which has the id 1. */
static inline const struct answer *fixture_ask(struct fixture *fixture,
                                               const struct http_request *request)
{
    struct error error;
    struct http_request copy = *request;
    copy.id = 1;
    fixture->answers[1] = (struct answer){0};
    CHECK_OK(http_send(fixture->client, &copy, &error), error);
    CHECK_INT(fixture->answers[1].times, 0);
    fixture_run(fixture);
    CHECK_INT(fixture->answers[1].times, 1);
    return &fixture->answers[1];
}

static inline const char *url_of(const char *scheme, int port, const char *path, char *url)
{
    snprintf(url, 256, "%s://127.0.0.1:%d%s", scheme, port, path);
    return url;
}

static inline const struct answer *fixture_get(struct fixture *fixture, const char *scheme,
                                               int port, const char *path)
{
    char url[256];
    return fixture_ask(fixture, &(struct http_request){.url = url_of(scheme, port, path, url)});
}

#endif
