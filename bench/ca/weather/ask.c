/* The fate of one request, and what it does to an answer. */
#include "ca/weather/weather.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MICROSECONDS    1000000
#define OVERSIZED_BYTES ((size_t)4 << 20)

void hint_write(const struct hint *hint, int64_t seconds, const struct draw *draw, enum draw_of of,
                int64_t now_us, char text[WEATHER_RETRY_AFTER_MAX])
{
    text[0] = '\0';
    if (seconds <= 0)
        return;
    bool date =
        hint->form == HINT_DATE || (hint->form == HINT_MIXED && draw_uniform(draw, of) < 0.5);
    if (!date) {
        snprintf(text, WEATHER_RETRY_AFTER_MAX, "%lld", (long long)seconds);
        return;
    }
    /* A date has whole seconds: the next, so that it is not over too early. */
    _Static_assert(TIME_TEXT_MAX <= WEATHER_RETRY_AFTER_MAX, "a date fits");
    time_format_http_date((now_us + MICROSECONDS - 1) / MICROSECONDS + seconds, text);
}

/* A nonce is refused only where there is one, and a body spoilt only where one is sent. */
static bool fault_applies(enum fault_kind kind, enum ca_endpoint endpoint)
{
    if (kind == FAULT_BAD_NONCE)
        return endpoint != CA_DIRECTORY && endpoint != CA_NEW_NONCE &&
               endpoint != CA_RENEWAL_INFO && endpoint != CA_OTHER;
    return endpoint != CA_NEW_NONCE || (kind != FAULT_TRUNCATE && kind < FAULT_OVERSIZED);
}

static void fate_refuse(struct fate *fate, int status, const char *problem, const char *detail)
{
    fate->answered = true;
    fate->status = status;
    fate->problem = problem;
    fate->detail = detail;
}

static void fate_deal(struct fate *fate, enum fault_kind kind)
{
    switch (kind) {
    case FAULT_NONE:
    case FAULT_KINDS:
        break;
    case FAULT_BAD_NONCE:
        fate->mood.reject_nonce = true;
        break;
    case FAULT_429:
        fate_refuse(fate, 429, "rateLimited", "the weather is bad: too many requests");
        break;
    case FAULT_500:
        fate_refuse(fate, 500, "serverInternal", "the weather is bad: something broke");
        break;
    case FAULT_503:
        fate_refuse(fate, 503, "serverInternal", "the weather is bad: the service is busy");
        break;
    case FAULT_RESET_UNHEARD:
        fate->unheard = true;
        fate->wire = WIRE_RESET;
        break;
    case FAULT_RESET:
        fate->wire = WIRE_RESET;
        break;
    case FAULT_TRUNCATE:
        fate->wire = WIRE_TRUNCATE;
        break;
    case FAULT_SILENCE:
        fate->wire = WIRE_SILENCE;
        break;
    case FAULT_GOAWAY:
        fate->wire = WIRE_GOAWAY;
        break;
    case FAULT_OVERSIZED:
        fate->body = BODY_OVERSIZED;
        break;
    case FAULT_BROKEN_JSON:
        fate->body = BODY_BROKEN_JSON;
        break;
    case FAULT_WRONG_TYPE:
        fate->body = BODY_WRONG_TYPE;
        break;
    case FAULT_NOT_UTF8:
        fate->body = BODY_NOT_UTF8;
        break;
    case FAULT_EMPTY:
        fate->body = BODY_EMPTY;
        break;
    }
}

/* Requests a second of an address: 503 and Retry-After, as Let's Encrypt's load balancers do. */
static bool requests_allowed(struct weather *weather, const struct weather_question *question,
                             const struct draw *draw, struct fate *fate)
{
    const struct settings *settings = &weather->settings;
    const struct bucket_rule *rule = &settings->requests[question->endpoint];
    if (rule->count == 0)
        return true;
    uint64_t place =
        settings->requests_shared[question->endpoint] ? CA_ENDPOINTS : (uint64_t)question->endpoint;
    uint64_t key = XXH3_64bits_withSeed(question->address, strlen(question->address), place);
    int64_t wait_us = 0;
    if (buckets_take(weather->buckets, key, rule, question->now_us, &wait_us))
        return true;
    atomic_fetch_add_explicit(&weather->limited[LIMIT_REQUESTS], 1, memory_order_relaxed);
    fate_refuse(fate, 503, "rateLimited", "Service busy; retry later.");
    hint_write(&settings->retry_after, (wait_us + MICROSECONDS - 1) / MICROSECONDS, draw,
               DRAW_RETRY_FORM, question->now_us, fate->retry_after);
    return false;
}

static void fate_make(struct weather *weather, const struct weather_question *question,
                      const struct draw *draw, struct fate *fate)
{
    const struct settings *settings = &weather->settings;
    enum ca_endpoint endpoint = question->endpoint;
    fate->delay_us = draw_duration(draw, DRAW_LATENCY, &settings->latency[endpoint]);
    if (!requests_allowed(weather, question, draw, fate))
        return;
    enum fault_kind kind = draw_fault(draw, &settings->faults[endpoint]);
    if (kind != FAULT_NONE && fault_applies(kind, endpoint)) {
        atomic_fetch_add_explicit(&weather->dealt[endpoint][kind], 1, memory_order_relaxed);
        fate_deal(fate, kind);
        if (fate->answered)
            hint_write(&settings->retry_after, settings->retry_after.seconds, draw, DRAW_RETRY_FORM,
                       question->now_us, fate->retry_after);
    }
    if (endpoint == CA_FINALIZE)
        fate->mood.processing_us = draw_duration(draw, DRAW_WORK, &settings->processing);
    if (endpoint == CA_CHALLENGE)
        fate->mood.validation_us = draw_duration(draw, DRAW_WORK, &settings->validation);
    hint_write(&settings->poll_after, settings->poll_after.seconds, draw, DRAW_POLL_FORM,
               question->now_us, fate->poll_after);
}

void weather_ask(struct weather *weather, const struct weather_question *question,
                 struct fate *ret_fate)
{
    memset(ret_fate, 0, sizeof *ret_fate);
    uint64_t number =
        atomic_fetch_add_explicit(&weather->asked[question->endpoint], 1, memory_order_relaxed);
    pthread_rwlock_rdlock(&weather->lock);
    const struct draw draw = {
        .seed = (uint64_t)weather->settings.seed, .endpoint = question->endpoint, .number = number};
    fate_make(weather, question, &draw, ret_fate);
    pthread_rwlock_unlock(&weather->lock);
    if (ret_fate->poll_after[0] != '\0')
        ret_fate->mood.retry_after = ret_fate->poll_after;
}

/* Blanks before the last character keep JSON good, and a PEM chain readable. */
static void body_inflate(struct buf *body)
{
    char last = body->len > 0 ? body->data[body->len - 1] : ' ';
    body->len -= body->len > 0;
    char *room = buf_reserve(body, OVERSIZED_BYTES + 1);
    if (room == NULL) {
        body->len += body->len > 0; /* unspoilt */
        return;
    }
    memset(room, ' ', OVERSIZED_BYTES);
    room[OVERSIZED_BYTES] = last;
    body->len += OVERSIZED_BYTES + 1;
    body->data[body->len] = '\0';
}

static void body_replace(struct buf *body, const char *text)
{
    buf_clear(body);
    bool fits = buf_append_text(body, text);
    (void)fits; /* else it is an empty body: as bad */
}

void weather_spoil(const struct fate *fate, struct ca_response *response)
{
    struct buf *body = &response->body;
    switch (fate->body) {
    case BODY_GOOD:
        break;
    case BODY_OVERSIZED:
        body_inflate(body);
        break;
    case BODY_BROKEN_JSON:
        if (body->len > 0)
            body->data[body->len /= 2] = '\0';
        break;
    case BODY_WRONG_TYPE:
        response->content_type = "text/html";
        body_replace(body, "<html><body><h1>It works!</h1></body></html>\n");
        break;
    case BODY_NOT_UTF8:
        /* Inside of a string, so that nothing but the bytes is wrong. */
        body_replace(body, "{\"status\": \"val\xff\xfe id\"}\n");
        break;
    case BODY_EMPTY:
        buf_clear(body);
        break;
    }
}
