/* bench/ca/weather: documents good and bad, distributions by fixed seeds, limits with time as an
 * argument, spoilt answers. */
#include "check.h"

#include "base/clock.h"
#include "ca/weather.h"
#include "ca/weather/names.h"
#include "ca/weather/settings.h"

#include <math.h>
#include <pthread.h>

#define SECOND 1000000LL
#define HOUR   (3600 * SECOND)
#define NOW    (1800000000 * SECOND)

static struct weather *weather_of(const char *document)
{
    struct weather *weather;
    struct error error;
    CHECK_OK(weather_new(7, &weather, &error), error);
    CLEANUP(json_release) json_t *json = NULL;
    CHECK_OK(json_parse(span_of(document), 65536, &json, &error), error);
    CHECK_OK(weather_read(weather, json, &error), error);
    return weather;
}

static void weather_change(struct weather *weather, const char *document)
{
    struct error error;
    CLEANUP(json_release) json_t *json = NULL;
    CHECK_OK(json_parse(span_of(document), 65536, &json, &error), error);
    CHECK_OK(weather_read(weather, json, &error), error);
}

static void ask(struct weather *weather, enum ca_endpoint endpoint, int64_t now_us,
                struct fate *ret_fate)
{
    const struct weather_question question = {
        .endpoint = endpoint, .address = "127.0.0.1", .now_us = now_us};
    weather_ask(weather, &question, ret_fate);
}

static int64_t figure(struct weather *weather, const char *group, const char *name,
                      const char *kind)
{
    CLEANUP(json_release) json_t *figures = weather_figures(weather);
    const json_t *found = json_object_get(figures, group);
    if (name != NULL)
        found = json_object_get(found, name);
    return json_number(found, kind, 0);
}

static void nothing_set_does_nothing(void)
{
    struct weather *weather = weather_of("{}");
    struct fate fate;
    for (int i = 0; i < 1000; i++) {
        ask(weather, (enum ca_endpoint)(i % CA_ENDPOINTS), NOW, &fate);
        CHECK(!fate.answered && !fate.unheard && fate.delay_us == 0);
        CHECK(fate.wire == WIRE_GOOD && fate.body == BODY_GOOD && fate.status == 0);
        CHECK(!fate.mood.reject_nonce && fate.mood.retry_after == NULL);
        CHECK(fate.mood.processing_us == 0 && fate.mood.validation_us == 0);
    }
    struct server_limits limits;
    weather_server_limits(weather, &limits);
    CHECK(limits.connections == 0 && limits.streams == 0);
    weather_free(weather);
}

static void documents_are_refused(void)
{
    static const struct {
        const char *document, *words;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{\"fautls\": {}}", "fautls: unknown, did you mean \"faults\"?"},
        {"{\"rainfall\": 1}", "rainfall: unknown"},
        {"{\"seed\": \"x\"}", "seed: not a whole number"},
        {"{\"seed\": -1}", "seed: not a whole number"},
        {"{\"reset\": 1}", "reset: not true or false"},
        {"{\"faults\": {\"finalize\": {\"tuncate\": 0.1}}}",
         "faults.finalize.tuncate: unknown, did you mean \"truncate\"?"},
        {"{\"faults\": {\"finalise\": {}}}",
         "faults.finalise: unknown, did you mean \"finalize\"?"},
        {"{\"faults\": {\"default\": {\"429\": 1.5}}}", "faults.default.429: not a number from 0"},
        {"{\"faults\": {\"default\": {\"none\": 0.5}}}", "faults.default.none: unknown"},
        {"{\"faults\": {\"default\": {\"429\": 0.6, \"503\": 0.5}}}", "more than 1"},
        {"{\"faults\": []}", "faults: not an object"},
        {"{\"faults\": {\"order\": 0.5}}", "faults.order: not an object"},
        {"{\"latency\": {\"order\": 50}}", "latency.order: not a duration"},
        {"{\"latency\": {\"order\": {\"fixed-ms\": 1, \"fixed-s\": 1}}}", "not a duration"},
        {"{\"latency\": {\"order\": {\"fixed-weeks\": 1}}}", "latency.order.fixed-weeks: unknown"},
        {"{\"latency\": {\"order\": {\"fixed-ms\": -1}}}", "latency.order.fixed-ms: not a number"},
        {"{\"latency\": {\"order\": {\"fixed-h\": 1000}}}", "longer than 30 days"},
        {"{\"processing\": {\"lognormal-s\": {\"sigma\": 1}}}",
         "processing.lognormal-s: has no median"},
        {"{\"processing\": {\"lognormal-s\": {\"median\": 1, \"sigma\": 11}}}",
         "processing.lognormal-s.sigma: not a number"},
        {"{\"processing\": {\"lognormal-s\": 1}}", "processing.lognormal-s: not an object"},
        {"{\"retry-after\": {\"form\": \"month\"}}", "retry-after.form: not \"seconds\""},
        {"{\"retry-after\": 1}", "retry-after: not an object"},
        {"{\"limits\": {\"new-orders-per-account\": {\"count\": 3}}}", "needs \"count\" and"},
        {"{\"limits\": {\"new-orders-per-account\": {\"count\": 0, \"hours\": 3}}}",
         "limits.new-orders-per-account.count: not a whole number from 1"},
        {"{\"limits\": {\"requests-per-second\": {\"order\": 0}}}",
         "limits.requests-per-second.order: not a number"},
        {"{\"limits\": {\"requests-per-second\": {\"order\": {\"burst\": 2}}}}", "has no rate"},
        {"{\"limits\": {\"lets-encrypt\": 1}}", "limits.lets-encrypt: not true or false"},
        {"{\"limits\": {\"lets-encypt\": true}}", "did you mean \"lets-encrypt\"?"},
        {"{\"server\": {\"streams\": 1.5}}", "server.streams: not a whole number"},
        {"{\"server\": {\"a\\u001b[31mb\": 1}}", "server.a [31mb: unknown"},
    };
    struct weather *weather = weather_of("{\"faults\": {\"default\": {\"429\": 0.5}}}");
    CLEANUP(json_release) json_t *before = weather_write(weather);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        CLEANUP(json_release) json_t *json = NULL;
        CHECK_OK(json_parse(span_of(cases[i].document), 65536, &json, &error), error);
        CHECK(!weather_read(weather, json, &error));
        CHECK_INT(error.kind, ERROR_CONFIG);
        CHECK_CONTAINS(error.text, cases[i].words);
        CLEANUP(json_release) json_t *after = weather_write(weather);
        CHECK(json_equal(before, after));
    }
    weather_free(weather);
}

static void documents_are_merged(void)
{
    struct weather *weather =
        weather_of("{\"latency\": {\"default\": {\"fixed-ms\": 50}, \"order\": {\"fixed-s\": 2}},"
                   " \"server\": {\"connections\": 5}}");
    weather_change(weather, "{\"latency\": {\"new-order\": {\"fixed-min\": 1}},"
                            " \"server\": {\"streams\": 8}}");
    struct fate fate;
    ask(weather, CA_NEW_ORDER, NOW, &fate);
    CHECK_INT(fate.delay_us, 60 * SECOND);
    ask(weather, CA_ORDER, NOW, &fate);
    CHECK_INT(fate.delay_us, 2 * SECOND);
    ask(weather, CA_DIRECTORY, NOW, &fate);
    CHECK_INT(fate.delay_us, 50000);
    struct server_limits limits;
    weather_server_limits(weather, &limits);
    CHECK(limits.connections == 5 && limits.streams == 8);
    /* Null takes one away; what is written can be read again. */
    weather_change(weather, "{\"latency\": {\"order\": null}}");
    CLEANUP(json_release) json_t *document = weather_write(weather);
    struct error error;
    CHECK_OK(weather_read(weather, document, &error), error);
    ask(weather, CA_ORDER, NOW, &fate);
    CHECK_INT(fate.delay_us, 50000);
    weather_change(weather, "{\"reset\": true, \"latency\": {\"order\": {\"fixed-h\": 1}}}");
    ask(weather, CA_ORDER, NOW, &fate);
    CHECK_INT(fate.delay_us, HOUR);
    ask(weather, CA_NEW_ORDER, NOW, &fate);
    CHECK_INT(fate.delay_us, 0);
    weather_free(weather);
}

static const char *const stormy =
    "{\"seed\": 42, \"faults\": {\"default\": {\"bad-nonce\": 0.1, \"429\": 0.05, \"500\": 0.05,"
    " \"503\": 0.05, \"reset\": 0.05, \"reset-unheard\": 0.05, \"truncate\": 0.05,"
    " \"silence\": 0.05, \"goaway\": 0.05, \"oversized\": 0.05, \"broken-json\": 0.05,"
    " \"wrong-type\": 0.05, \"not-utf8\": 0.05, \"empty\": 0.05},"
    " \"finalize\": {\"truncate\": 0.5}}}";

static void faults_come_at_their_rates(void)
{
    enum { COUNT = 100000 };
    struct weather *weather = weather_of(stormy);
    struct fate fate;
    int nonces = 0, unheard = 0, resets = 0, whole = 0, late = 0, bodies[BODY_EMPTY + 1] = {0};
    for (int i = 0; i < COUNT; i++) {
        ask(weather, CA_NEW_ORDER, NOW, &fate);
        nonces += fate.mood.reject_nonce;
        unheard += fate.unheard;
        resets += fate.wire == WIRE_RESET;
        bodies[fate.body]++;
        late += fate.answered && strcmp(fate.retry_after, "1") == 0;
        whole += !fate.answered && !fate.mood.reject_nonce && fate.wire == WIRE_GOOD &&
                 fate.body == BODY_GOOD;
        CHECK(!fate.unheard || fate.wire == WIRE_RESET);
    }
    /* Six standard deviations of a binomial distribution are less than 600. */
    CHECK(abs(nonces - COUNT / 10) < 600);
    CHECK(abs(unheard - COUNT / 20) < 420);
    CHECK(abs(resets - COUNT / 10) < 600);
    CHECK(abs(late - COUNT * 3 / 20) < 700);
    CHECK(abs(whole - COUNT / 4) < 830);
    for (int body = BODY_OVERSIZED; body <= BODY_EMPTY; body++)
        CHECK(abs(bodies[body] - COUNT / 20) < 420);
    CHECK_INT(figure(weather, "faults", "new-order", "bad-nonce"), nonces);
    CHECK_INT(figure(weather, "faults", "new-order", "reset-unheard"), unheard);
    weather_figures_reset(weather);
    CHECK_INT(figure(weather, "faults", "new-order", "bad-nonce"), 0);
    /* An endpoint's own faults stand in place of the default's. */
    int cut = 0;
    for (int i = 0; i < 10000; i++) {
        ask(weather, CA_FINALIZE, NOW, &fate);
        cut += fate.wire == WIRE_TRUNCATE;
        CHECK(!fate.answered && fate.body == BODY_GOOD && !fate.mood.reject_nonce);
    }
    CHECK(abs(cut - 5000) < 300);
    /* A nonce is not refused where none is asked for; HEAD has no body to spoil. */
    for (int i = 0; i < 10000; i++) {
        ask(weather, CA_NEW_NONCE, NOW, &fate);
        CHECK(!fate.mood.reject_nonce && fate.body == BODY_GOOD && fate.wire != WIRE_TRUNCATE);
    }
    weather_free(weather);
}

/* Which requests of 1000 meet something, as one number. */
static uint64_t fates_digest(struct weather *weather, enum ca_endpoint endpoint)
{
    uint64_t digest = 0;
    for (int i = 0; i < 1000; i++) {
        struct fate fate;
        ask(weather, endpoint, NOW, &fate);
        uint64_t one = (uint64_t)fate.status + 1000 * (uint64_t)fate.wire +
                       10000 * (uint64_t)fate.body + (fate.mood.reject_nonce ? 100000 : 0);
        digest = digest * 1099511628211ULL + one;
    }
    return digest;
}

static void fates_repeat(void)
{
    struct weather *first = weather_of(stormy), *second = weather_of(stormy);
    uint64_t orders = fates_digest(first, CA_NEW_ORDER);
    /* Whatever other endpoints were asked before. */
    (void)fates_digest(second, CA_ORDER);
    CHECK(fates_digest(second, CA_NEW_ORDER) == orders);
    CHECK(fates_digest(first, CA_NEW_ORDER) != orders); /* the next thousand */
    weather_change(first, "{\"seed\": 42}");
    CHECK(fates_digest(first, CA_NEW_ORDER) == orders);
    weather_change(first, "{\"seed\": 43}");
    CHECK(fates_digest(first, CA_NEW_ORDER) != orders);
    CHECK(fates_digest(second, CA_REVOKE) != orders);
    weather_free(first);
    weather_free(second);
}

static void *asks_in_thread(void *weather)
{
    for (int i = 0; i < 5000; i++) {
        struct fate fate;
        ask(weather, CA_ORDER, NOW, &fate);
    }
    return NULL;
}

static void threads_do_not_matter(void)
{
    struct weather *alone = weather_of(stormy), *shared = weather_of(stormy);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, asks_in_thread, shared) == 0);
    for (int i = 0; i < 50; i++)
        weather_change(shared, "{\"latency\": {\"order\": {\"fixed-ms\": 1}}}");
    for (int i = 0; i < 4; i++) {
        (void)asks_in_thread(alone);
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CLEANUP(json_release) json_t *a = weather_figures(alone);
    CLEANUP(json_release) json_t *b = weather_figures(shared);
    CHECK(json_equal(a, b));
    weather_free(alone);
    weather_free(shared);
}

static void durations_are_lognormal(void)
{
    enum { COUNT = 20001 };
    struct weather *weather = weather_of(
        "{\"processing\": {\"lognormal-s\": {\"median\": 15, \"sigma\": 0.5, \"max\": 60}},"
        " \"validation\": {\"fixed-min\": 90}}");
    struct fate fate;
    int below = 0, near = 0, most = 0;
    for (int i = 0; i < COUNT; i++) {
        ask(weather, CA_FINALIZE, NOW, &fate);
        CHECK(fate.mood.processing_us > 0 && fate.mood.processing_us <= 60 * SECOND);
        CHECK(fate.delay_us == 0 && fate.mood.validation_us == 0);
        double sigmas = log((double)fate.mood.processing_us / (15.0 * 1e6)) / 0.5;
        below += sigmas < 0;
        near += fabs(sigmas) < 1;
        most += fate.mood.processing_us == 60 * SECOND;
    }
    CHECK(abs(below - COUNT / 2) < 425);
    CHECK(abs(near - (int)(0.6827 * COUNT)) < 400);
    CHECK(most > 10 && most < 200); /* 0.28 % lie beyond four times the median */
    ask(weather, CA_CHALLENGE, NOW, &fate);
    CHECK_INT(fate.mood.validation_us, 5400 * SECOND);
    weather_free(weather);
}

static void retry_after_has_both_forms(void)
{
    struct weather *weather = weather_of("{\"faults\": {\"order\": {\"503\": 1}},"
                                         " \"retry-after\": {\"seconds\": 90, \"form\": \"mixed\"},"
                                         " \"poll-after\": {\"seconds\": 3, \"form\": \"date\"}}");
    struct fate fate;
    int dates = 0;
    for (int i = 0; i < 1000; i++) {
        ask(weather, CA_ORDER, NOW + 1, &fate);
        CHECK(fate.answered);
        CHECK_INT(fate.status, 503);
        int64_t seconds;
        CHECK(time_parse_retry_after(span_of(fate.retry_after), NOW / SECOND, &seconds));
        bool date = strchr(fate.retry_after, 'G') != NULL;
        dates += date;
        /* Never over before the time is: a date is that of the next full second. */
        CHECK_INT(seconds, date ? 91 : 90);
    }
    CHECK(dates > 400 && dates < 600);
    ask(weather, CA_FINALIZE, NOW, &fate);
    CHECK(!fate.answered);
    CHECK_TEXT(fate.mood.retry_after, "Fri, 15 Jan 2027 08:00:03 GMT");
    weather_change(weather, "{\"retry-after\": {\"seconds\": 0}, \"poll-after\": null}");
    ask(weather, CA_ORDER, NOW, &fate);
    CHECK_TEXT(fate.retry_after, "");
    CHECK(fate.mood.retry_after == NULL);
    weather_free(weather);
}

static void requests_a_second_are_limited(void)
{
    struct weather *weather = weather_of(
        "{\"limits\": {\"requests-per-second\": {\"default\": 10, \"new-nonce\": {\"rate\": 2,"
        " \"burst\": 1}}}}");
    struct fate fate;
    for (int i = 0; i < 10; i++) {
        /* All without a rate of their own share one bucket. */
        ask(weather, i % 2 == 0 ? CA_ORDER : CA_CERTIFICATE, NOW, &fate);
        CHECK(!fate.answered);
    }
    ask(weather, CA_ORDER, NOW, &fate);
    CHECK(fate.answered);
    CHECK_INT(fate.status, 503);
    CHECK_TEXT(fate.problem, "rateLimited");
    CHECK_TEXT(fate.retry_after, "1");
    const struct weather_question other = {
        .endpoint = CA_ORDER, .address = "127.0.0.2", .now_us = NOW};
    weather_ask(weather, &other, &fate);
    CHECK(!fate.answered);
    ask(weather, CA_ORDER, NOW + SECOND / 10, &fate);
    CHECK(!fate.answered);
    ask(weather, CA_NEW_NONCE, NOW, &fate);
    CHECK(!fate.answered);
    ask(weather, CA_NEW_NONCE, NOW + SECOND / 2 - 1, &fate);
    CHECK(fate.answered);
    ask(weather, CA_NEW_NONCE, NOW + SECOND / 2, &fate);
    CHECK(!fate.answered);
    CHECK_INT(figure(weather, "limited", NULL, "requests-per-second"), 2);
    /* A rate that is no whole number is kept, though a bucket holds whole requests. */
    weather_change(weather, "{\"reset\": true, \"limits\": {\"requests-per-second\": "
                            "{\"default\": 2.5}}}");
    for (int i = 0; i < 100; i++) {
        int64_t now_us = NOW + i * SECOND * 4 / 10;
        ask(weather, CA_ORDER, now_us, &fate);
        CHECK(!fate.answered);
    }
    weather_free(weather);
}

static bool may(struct weather *weather, uint64_t account, const char *first, const char *second,
                int64_t now_us, struct acme_refusal *refusal)
{
    const char *names[] = {first, second};
    const struct acme_wish wish = {
        .account = account, .names = names, .name_count = second != NULL ? 2 : 1, .now_us = now_us};
    memset(refusal, 0, sizeof *refusal);
    return weather_may_order(weather, &wish, refusal);
}

static void orders_of_an_account_are_limited(void)
{
    struct weather *weather = weather_of("{\"limits\": {\"lets-encrypt\": true}}");
    struct acme_refusal refusal;
    char name[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "a.n%d.example", i);
        CHECK(may(weather, 1, name, NULL, NOW, &refusal));
    }
    CHECK(!may(weather, 1, "b.example", NULL, NOW, &refusal));
    CHECK_TEXT(refusal.detail, "too many new orders (300) from this account in the last 3 hours");
    CHECK_TEXT(refusal.retry_after, "36"); /* 3 h / 300 */
    CHECK(may(weather, 2, "b.example", NULL, NOW, &refusal));
    CHECK(!may(weather, 1, "b.example", NULL, NOW + 36 * SECOND - 1, &refusal));
    CHECK(may(weather, 1, "b.example", NULL, NOW + 36 * SECOND, &refusal));
    const char *names[] = {"c.example"};
    const struct acme_wish renewal = {
        .account = 1, .names = names, .name_count = 1, .renewal = true, .now_us = NOW};
    for (int i = 0; i < 1000; i++)
        CHECK(weather_may_order(weather, &renewal, &refusal));
    /* After three hours of rest the whole bucket is there again. */
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "a.m%d.example", i);
        CHECK(may(weather, 1, name, NULL, NOW + 4 * HOUR, &refusal));
    }
    CHECK(!may(weather, 1, "d.example", NULL, NOW + 4 * HOUR, &refusal));
    CHECK_INT(figure(weather, "limited", NULL, "new-orders-per-account"), 3);
    weather_free(weather);
}

static void names_are_limited(void)
{
    struct weather *weather =
        weather_of("{\"limits\": {\"lets-encrypt\": true, \"new-orders-per-account\": null}}");
    struct acme_refusal refusal;
    for (int i = 0; i < 5; i++)
        CHECK(may(weather, 1, i % 2 == 0 ? "a.example.com" : "b.example.com",
                  i % 2 == 0 ? "b.example.com" : "a.example.com", NOW, &refusal));
    CHECK(!may(weather, 2, "a.example.com", "b.example.com", NOW, &refusal));
    CHECK_CONTAINS(refusal.detail, "(5) already issued for this exact set of names");
    CHECK_TEXT(refusal.retry_after, "120960"); /* 7 days / 5 */
    /* One registered domain, counted once an order; what the set refused took nothing. */
    char name[32];
    for (int i = 0; i < 45; i++) {
        snprintf(name, sizeof name, "n%d.example.com", i);
        CHECK(may(weather, 1, name, "*.x.example.com", NOW, &refusal));
    }
    CHECK(!may(weather, 1, "www.example.org", "new.example.com", NOW, &refusal));
    CHECK_TEXT(refusal.detail,
               "too many certificates (50) already issued for \"example.com\" in the last 168 "
               "hours");
    CHECK(may(weather, 1, "www.example.org", NULL, NOW, &refusal));
    CHECK_INT(figure(weather, "limited", NULL, "certificates-per-domain"), 1);
    CHECK_INT(figure(weather, "limited", NULL, "certificates-per-names"), 1);
    /* Seven days pass in ten minutes. */
    weather_change(weather, "{\"reset\": true, \"limits\": {\"certificates-per-domain\": "
                            "{\"count\": 2, \"hours\": 168}, \"time-scale\": 1008}}");
    CHECK(may(weather, 1, "a.example.com", NULL, NOW, &refusal));
    CHECK(may(weather, 1, "a.example.com", NULL, NOW, &refusal));
    CHECK(!may(weather, 1, "a.example.com", NULL, NOW, &refusal));
    CHECK_TEXT(refusal.retry_after, "300");
    CHECK(may(weather, 1, "a.example.com", NULL, NOW + 300 * SECOND, &refusal));
    /* A bucket that is empty has a token again by the rule that holds now. */
    weather_change(weather, "{\"limits\": {\"certificates-per-domain\": "
                            "{\"count\": 2, \"hours\": 1}, \"time-scale\": 360}}");
    CHECK(!may(weather, 1, "a.example.com", NULL, NOW + 300 * SECOND, &refusal));
    CHECK_TEXT(refusal.retry_after, "5");
    weather_free(weather);
}

static void many_buckets_are_kept(void)
{
    struct weather *weather =
        weather_of("{\"limits\": {\"certificates-per-names\": {\"count\": 1, \"hours\": 1}}}");
    struct acme_refusal refusal;
    char name[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50000; i++) {
            snprintf(name, sizeof name, "n%d.example", i);
            CHECK(may(weather, 1, name, NULL, NOW, &refusal) == (round == 0));
        }
    }
    weather_free(weather);
}

static void domains_are_registered(void)
{
    static const struct {
        const char *name, *domain;
    } cases[] = {
        {"example.com", "example.com"},
        {"a.b.example.com", "example.com"},
        {"*.example.com", "example.com"},
        {"www.example.co.uk", "example.co.uk"},
        {"example.co.uk", "example.co.uk"},
        {"co.uk", "co.uk"},
        {"a.b.c.example.com.au", "example.com.au"},
        {"www.co.example", "co.example"},
        {"localhost", "localhost"},
        {"192.0.2.17", "192.0.2.17"},
        {"2001:db8::1", "2001:db8::1"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.*s", SPAN_PRINTF(registered_domain(cases[i].name)));
        CHECK_TEXT(text, cases[i].domain);
    }
}

static void spoil(enum body_fault body, const char *text, struct ca_response *response)
{
    const struct fate fate = {.body = body};
    ca_response_reset(response);
    response->content_type = "application/json";
    CHECK(buf_append_text(&response->body, text));
    weather_spoil(&fate, response);
}

static void bodies_are_spoilt(void)
{
    struct ca_response response;
    struct error error;
    ca_response_init(&response);
    spoil(BODY_GOOD, "{\"a\":1}", &response);
    CHECK_TEXT(buf_text(&response.body), "{\"a\":1}");
    spoil(BODY_OVERSIZED, "{\"a\":1}", &response);
    CHECK_INT(response.body.len, 7 + (4 << 20));
    CLEANUP(json_release) json_t *json = NULL;
    CHECK_OK(json_parse(buf_span(&response.body), 8 << 20, &json, &error), error);
    spoil(BODY_BROKEN_JSON, "{\"a\":1}", &response);
    CHECK_TEXT(buf_text(&response.body), "{\"a");
    spoil(BODY_WRONG_TYPE, "{\"a\":1}", &response);
    CHECK_TEXT(response.content_type, "text/html");
    CHECK(span_starts(buf_span(&response.body), "<html>"));
    spoil(BODY_NOT_UTF8, "{\"a\":1}", &response);
    CHECK(!span_is_utf8(buf_span(&response.body)));
    spoil(BODY_EMPTY, "{\"a\":1}", &response);
    CHECK_INT(response.body.len, 0);
    for (int body = BODY_GOOD; body <= BODY_EMPTY; body++)
        spoil((enum body_fault)body, "", &response);
    ca_response_free(&response);
}

static void help_names_everything(void)
{
    for (int i = 0; i < CA_ENDPOINTS; i++)
        CHECK_CONTAINS(weather_help, ca_endpoint_name((enum ca_endpoint)i));
    for (size_t kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++)
        CHECK_CONTAINS(weather_help, fault_name(kind));
}

static const struct test tests[] = {
    TEST(nothing_set_does_nothing),
    TEST(documents_are_refused),
    TEST(documents_are_merged),
    TEST(faults_come_at_their_rates),
    TEST(fates_repeat),
    TEST(threads_do_not_matter),
    TEST(durations_are_lognormal),
    TEST(retry_after_has_both_forms),
    TEST(requests_a_second_are_limited),
    TEST(orders_of_an_account_are_limited),
    TEST(names_are_limited),
    TEST(many_buckets_are_kept),
    TEST(domains_are_registered),
    TEST(bodies_are_spoilt),
    TEST(help_names_everything),
};

TESTS_MAIN(tests)
