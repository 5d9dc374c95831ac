/* bench/ca/control and bench/ca/handler, over the real parts but without sockets: what the control
 * port answers, and that fates reach the answers and the figures. */
#include "check.h"

#include "ca/control/control.h"

#include "base/clock.h"

#define NOW_US (INT64_C(1800000000) * 1000000)

static struct crypto_context *crypto;
static struct issuer *issuer;
static struct weather *weather;
static struct acme *acme;
static struct handler *handler;
static struct server *server;
static struct control *control;
static struct ca_response response;

static void parts_make(void *context)
{
    (void)context;
    struct error error;
    const struct crypto_options crypto_options = {0};
    const struct issuer_options issuer_options = {0};
    const struct server_options server_options = {.listen = "127.0.0.1:0"};
    CHECK_OK(crypto_context_new(&crypto_options, &crypto, &error), error);
    CHECK_OK(issuer_new(crypto, &issuer_options, NOW_US / 1000000, &issuer, &error), error);
    CHECK_OK(weather_new(1, &weather, &error), error);
    const struct acme_options acme_options = {
        .prevalidated = true, .may_order = weather_may_order, .may_order_context = weather};
    CHECK_OK(acme_new(&acme_options, issuer, NULL, &acme, &error), error);
    CHECK_OK(handler_new(acme, weather, &handler, &error), error);
    CHECK_OK(server_new(&server_options, handler_answer, handler, &server, &error), error);
    const struct control_parts parts = {
        .handler = handler, .weather = weather, .acme = acme, .issuer = issuer, .server = server};
    CHECK_OK(control_new("127.0.0.1:0", &parts, &control, &error), error);
    ca_response_init(&response);
}

static void parts_free(void *context)
{
    (void)context;
    ca_response_free(&response);
    control_free(control);
    server_free(server);
    handler_free(handler);
    acme_free(acme);
    weather_free(weather);
    issuer_free(issuer);
    crypto_context_free(crypto);
}

static void request_make(enum ca_method method, const char *path, const char *body,
                         struct ca_request *ret_request)
{
    *ret_request = (struct ca_request){.method = method,
                                       .path = span_of(path),
                                       .host = SPAN_LITERAL("localhost"),
                                       .body = span_of(body),
                                       .address = "127.0.0.1",
                                       .now_us = NOW_US};
}

/* The answer's text. */
static const char *ask(enum ca_method method, const char *path, const char *body, int status)
{
    struct ca_request request;
    request_make(method, path, body, &request);
    ca_response_reset(&response);
    control_handle(control, &request, &response);
    CHECK_INT(response.status, status);
    return buf_text(&response.body);
}

static void ask_ca(enum ca_method method, const char *path)
{
    struct ca_request request;
    request_make(method, path, NULL, &request);
    ca_response_reset(&response);
    handler_answer(handler, &request, &response);
}

static json_t *figures(void)
{
    struct error error;
    json_t *json = NULL;
    CHECK_OK(json_parse(span_of(ask(CA_GET, "/figures", NULL, 200)), 65536, &json, &error), error);
    return json;
}

static int64_t figure(const char *group, const char *name, const char *kind)
{
    CLEANUP(json_release) json_t *json = figures();
    const json_t *found = json_object_get(json, group);
    if (name != NULL)
        found = json_object_get(found, name);
    return json_number(found, kind, 0);
}

static void says_what_there_is(void)
{
    const char *text = ask(CA_GET, "/", NULL, 200);
    CHECK_CONTAINS(text, "POST /weather");
    CHECK_CONTAINS(text, "broken-json");
    CHECK(span_starts(span_of(response.content_type), "text/plain"));
    CHECK_CONTAINS(ask(CA_GET, "/nothing", NULL, 404), "no such path");
    (void)ask(CA_METHOD_UNKNOWN, "/weather", NULL, 405);
    CHECK(span_is(ca_header_find(&response, "allow"), "GET, HEAD, POST"));
    (void)ask(CA_GET, "/renew", NULL, 405);
    CHECK(span_is(ca_header_find(&response, "allow"), "POST"));
    (void)ask(CA_HEAD, "/figures", NULL, 200);
}

static void weather_is_read_and_written(void)
{
    CHECK_TEXT(ask(CA_GET, "/weather", NULL, 200), "{\"seed\":1}\n");
    const char *document = "{\"seed\":2,\"server\":{\"streams\":8}}";
    CHECK_TEXT(ask(CA_POST, "/weather", document, 200),
               "{\"seed\":2,\"server\":{\"streams\":8}}\n");
    CHECK_TEXT(ask(CA_POST, "/weather", "{\"fualts\": {}}", 400),
               "weather: fualts: unknown, did you mean \"faults\"?\n");
    CHECK_CONTAINS(ask(CA_POST, "/weather", "{", 400), "weather: invalid JSON at line 1");
    CHECK_CONTAINS(ask(CA_POST, "/weather", "[]", 400), "not a JSON object");
    CHECK_TEXT(ask(CA_POST, "/weather", "{\"reset\": true}", 200), "{\"seed\":1}\n");
}

static void figures_tell_of_answers(void)
{
    for (int i = 0; i < 3; i++)
        ask_ca(CA_GET, "/dir");
    CHECK_INT(response.status, 200);
    ask_ca(CA_GET, "/directory");
    CHECK_INT(response.status, 200);
    ask_ca(CA_HEAD, "/nothing-here");
    CHECK_INT(figure("requests", "directory", "200"), 4);
    CHECK_INT(figure("requests", "other", "404"), 1);
    CLEANUP(json_release) json_t *json = figures();
    CHECK(json_is_real(json_object_get(json, "cpu-seconds")));
    CHECK(json_number(json, "memory-most-kib", 0) > 0);
    CHECK(json_is_object(json_object_get(json, "server")));
    CHECK_INT(json_number(json_object_get(json, "acme"), "issued", -1), 0);
    (void)ask(CA_POST, "/figures/reset", NULL, 200);
    CHECK_INT(figure("requests", "directory", "200"), 0);
}

static void fates_reach_the_answers(void)
{
    (void)ask(CA_POST, "/weather",
              "{\"faults\": {\"directory\": {\"503\": 1}}, \"retry-after\": {\"seconds\": 7},"
              " \"latency\": {\"directory\": {\"fixed-ms\": 20}}}",
              200);
    ask_ca(CA_GET, "/dir");
    CHECK_INT(response.status, 503);
    CHECK_INT(response.wire.delay_us, 20000);
    CHECK(span_is(ca_header_find(&response, "retry-after"), "7"));
    CHECK(ca_header_find(&response, "replay-nonce").len > 0);
    CHECK_CONTAINS(buf_text(&response.body), "urn:ietf:params:acme:error:serverInternal");
    (void)ask(CA_POST, "/weather", "{\"faults\": {\"directory\": {\"reset-unheard\": 1}}}", 200);
    ask_ca(CA_GET, "/dir");
    CHECK(response.wire.fault == WIRE_RESET && response.status == 503);
    CHECK_INT(figure("requests", "directory", "unheard"), 1);
    (void)ask(CA_POST, "/weather", "{\"faults\": {\"directory\": {\"broken-json\": 1}}}", 200);
    ask_ca(CA_GET, "/dir");
    CHECK_INT(response.status, 200);
    CLEANUP(json_release) json_t *json = NULL;
    struct error error;
    CHECK(!json_parse(buf_span(&response.body), 65536, &json, &error));
    CHECK_INT(figure("faults", "directory", "503"), 1);
    CHECK_INT(figure("faults", "directory", "broken-json"), 1);
}

static void roots_and_renewals(void)
{
    struct buf first CLEANUP(buf_free);
    buf_init(&first, 65536);
    CHECK(buf_append_text(&first, ask(CA_GET, "/roots/0", NULL, 200)));
    CHECK(span_starts(buf_span(&first), "-----BEGIN CERTIFICATE-----\n"));
    CHECK(strcmp(ask(CA_GET, "/roots/1", NULL, 200), buf_text(&first)) != 0);
    (void)ask(CA_GET, "/roots/2", NULL, 404);
    (void)ask(CA_POST, "/renew", "{\"account\": 1}", 200);
    (void)ask(CA_POST, "/renew", NULL, 200);
    (void)ask(CA_POST, "/renew", "{\"account\": \"x\"}", 400);
    (void)ask(CA_POST, "/renew", "{\"acount\": 1}", 400);
    (void)ask(CA_POST, "/renew", "[]", 400);
}

static void only_loopback(void)
{
    static const struct {
        const char *address;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true},   {"127.1.2.3:80", true},       {"[::1]:0", true},
        {"::1", true},         {"localhost:0", true},        {"::ffff:127.0.0.1", true},
        {"0.0.0.0:80", false}, {"192.0.2.1", false},         {"[::]:80", false},
        {"", false},           {"localhost.example", false}, {"[::ffff:192.0.2.1]:1", false},
        {"12", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(address_is_loopback(span_of(cases[i].address)) == cases[i].loopback);
    struct ca_request request;
    request_make(CA_GET, "/", NULL, &request);
    snprintf(request.address, sizeof request.address, "192.0.2.1");
    ca_response_reset(&response);
    control_handle(control, &request, &response);
    CHECK_INT(response.status, 403);
    const struct control_parts parts = {.handler = handler};
    struct control *other = NULL;
    struct error error;
    CHECK(!control_new("0.0.0.0:0", &parts, &other, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
}

static const struct test tests[] = {
    TEST(says_what_there_is),      TEST(weather_is_read_and_written), TEST(figures_tell_of_answers),
    TEST(fates_reach_the_answers), TEST(roots_and_renewals),          TEST(only_loopback),
};

int main(int argc, char **argv)
{
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, parts_make,
                            parts_free, NULL);
}
