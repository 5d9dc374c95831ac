/* The load CA's orders: RFC 8555 section 7.4. */
#include "ca_fixture.h"

static const struct acme_profile profiles[] = {{"classic", "90 days", 90LL * 86400},
                                               {"shortlived", "6 days", 6LL * 86400}};
static const char *const refused[] = {"forbidden.example", "com", NULL};

static void a_prevalidated_order_goes_through(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    char certificate[128];
    char text[64];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example,*.B.example,a.EXAMPLE", "", order, sizeof order);
    CHECK_ANSWER(&ca, 201, NULL);
    CHECK_TEXT(order, CA_BASE "/order/1");
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    CHECK_TEXT(ca_text(&ca, "finalize"), CA_BASE "/finalize/1");
    CHECK_TEXT(ca_text(&ca, "expires"), "2026-09-28T14:13:20Z");
    const json_t *names = json_object_get(ca.json, "identifiers");
    CHECK_INT(json_array_size(names), 2);
    CHECK_TEXT(json_text(json_array_get(names, 0), "value", 100), "a.example");
    CHECK_TEXT(json_text(json_array_get(names, 1), "value", 100), "*.b.example");
    CHECK_INT(json_array_size(json_object_get(ca.json, "authorizations")), 2);
    ca_post(&client, "/authz/2", "");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    CHECK(json_flag(ca.json, "wildcard", false));
    CHECK_TEXT(json_text(json_object_get(ca.json, "identifier"), "value", 100), "b.example");
    const json_t *challenges = json_object_get(ca.json, "challenges");
    CHECK_INT(json_array_size(challenges), 1);
    CHECK_TEXT(json_text(json_array_get(challenges, 0), "type", 100), "dns-01");
    CHECK_TEXT(json_text(json_array_get(challenges, 0), "validated", 100), "2026-09-21T14:13:20Z");
    ca_finalize(&client, order, "*.b.example,a.example");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    (void)snprintf(certificate, sizeof certificate, "%s", ca_text(&ca, "certificate"));
    CHECK_TEXT(certificate, CA_BASE "/cert/1");
    ca_header(&ca, "location", text, sizeof text);
    CHECK_TEXT(text, order);
    ca_post(&client, order, "");
    CHECK(ca_header_find(&ca.response, "location").data == NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    ca_post(&client, certificate, "");
    CHECK_ANSWER(&ca, 200, NULL);
    struct acme_counts counts;
    acme_count(ca.acme, &counts);
    CHECK_INT(counts.orders, 1);
    CHECK_INT(counts.authorizations, 2);
    CHECK_INT(counts.issued, 1);
    ca_client_close(&client);
    ca_close(&ca);
}

static void identifiers_are_checked(void)
{
    static const struct {
        const char *identifiers;
        int status;
        const char *type;
    } cases[] = {
        {"[{\"type\":\"dns\",\"value\":\"a.example\"}]", 201, NULL},
        {"[{\"type\":\"ip\",\"value\":\"192.0.2.1\"}]", 201, NULL},
        {"[{\"type\":\"ip\",\"value\":\"2001:DB8:0::1\"}]", 201, NULL},
        {"[{\"type\":\"dns\",\"value\":\"*.example\"}]", 201, NULL},
        {"[]", 400, "malformed"},
        {"{}", 400, "malformed"},
        {"[7]", 400, "malformed"},
        {"[{}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":7}]", 400, "malformed"},
        {"[{\"type\":\"email\",\"value\":\"a@b.example\"}]", 400, "unsupportedIdentifier"},
        {"[{\"type\":\"dns\",\"value\":\"\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a_b.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a..example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\".example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"-a.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a-.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a.example.\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"*.*.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a.*.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"*\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"*.\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a*.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"192.0.2.1\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"*.192.0.2.1\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"b\xc3\xbc.example\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"
         "eeeeeeeeeeffffffffff1234.example\"}]",
         400, "malformed"},
        {"[{\"type\":\"ip\",\"value\":\"a.example\"}]", 400, "malformed"},
        {"[{\"type\":\"ip\",\"value\":\"192.0.2.256\"}]", 400, "malformed"},
        {"[{\"type\":\"ip\",\"value\":\"\"}]", 400, "malformed"},
        {"[{\"type\":\"dns\",\"value\":\"a.example\"},{\"type\":\"dns\",\"value\":\"b.example\"},"
         "{\"type\":\"dns\",\"value\":\"c.example\"},{\"type\":\"dns\",\"value\":\"d.example\"}]",
         400, "malformed"},
    };
    struct ca_fixture ca;
    struct ca_client client;
    char payload[1024];
    ca_open(&ca, &(struct acme_options){.prevalidated = true, .names_max = 3});
    ca_enroll(&client, &ca);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(payload, sizeof payload, "{\"identifiers\":%s}", cases[i].identifiers);
        ca_post(&client, "/new-order", payload);
        if (ca.response.status != cases[i].status)
            fprintf(stderr, "%s\n", payload);
        CHECK_ANSWER(&ca, cases[i].status, cases[i].type);
    }
    ca_post(&client, "/new-order", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/new-order", "");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/order/3", "");
    CHECK_TEXT(json_text(json_array_get(json_object_get(ca.json, "identifiers"), 0), "value", 100),
               "2001:db8::1");
    ca_client_close(&client);
    ca_close(&ca);
}

static void long_names_are_refused(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    char name[300];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 10 == 9 ? '.' : 'a';
    for (size_t len = 253; len < 258; len++) {
        name[len] = '\0';
        ca_order_names(&client, name, "", order, sizeof order);
        CHECK_ANSWER(&ca, len == 253 ? 201 : 400, len == 253 ? NULL : "malformed");
        name[len] = 'a';
    }
    ca_client_close(&client);
    ca_close(&ca);
}

static void refused_names_are_told(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true, .refused_names = refused});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example,forbidden.example,notforbidden.example,*.x.com", "", order,
                   sizeof order);
    CHECK_ANSWER(&ca, 400, "rejectedIdentifier");
    const json_t *problems = json_object_get(ca.json, "subproblems");
    CHECK_INT(json_array_size(problems), 2);
    CHECK_TEXT(json_text(json_object_get(json_array_get(problems, 0), "identifier"), "value", 100),
               "forbidden.example");
    CHECK_TEXT(json_text(json_object_get(json_array_get(problems, 1), "identifier"), "value", 100),
               "*.x.com");
    CHECK_TEXT(json_text(json_array_get(problems, 1), "type", 100),
               "urn:ietf:params:acme:error:rejectedIdentifier");
    struct acme_counts counts;
    acme_count(ca.acme, &counts);
    CHECK_INT(counts.orders, 0);
    ca_order_names(&client, "notforbidden.example", "", order, sizeof order);
    CHECK_ANSWER(&ca, 201, NULL);
    ca_client_close(&client);
    ca_close(&ca);
}

static void times_and_profiles_are_checked(void)
{
    static const struct {
        const char *more;
        int status;
        const char *type;
    } cases[] = {
        {",\"notBefore\":\"2026-09-22T00:00:00Z\",\"notAfter\":\"2026-10-22T00:00:00Z\"", 201,
         NULL},
        {",\"notBefore\":\"tomorrow\"", 400, "malformed"},
        {",\"notBefore\":7", 400, "malformed"},
        {",\"notAfter\":\"2026-09-21T00:00:00Z\"", 400, "malformed"},
        {",\"notAfter\":\"2027-09-21T00:00:00Z\"", 400, "malformed"},
        {",\"notBefore\":\"2026-06-01T00:00:00Z\"", 400, "malformed"},
        {",\"notBefore\":\"2026-06-01T00:00:00Z\",\"notAfter\":\"2026-07-01T00:00:00Z\"", 400,
         "malformed"},
        {",\"notBefore\":\"2027-09-21T00:00:00Z\"", 400, "malformed"},
        {",\"notBefore\":\"9999-12-31T00:00:00Z\"", 400, "malformed"},
        {",\"profile\":\"classic\"", 201, NULL},
        {",\"profile\":\"shortlived\",\"notAfter\":\"2026-10-21T00:00:00Z\"", 400, "malformed"},
        {",\"profile\":\"other\"", 400, "invalidProfile"},
        {",\"profile\":7", 400, "malformed"},
    };
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    ca_open(&ca,
            &(struct acme_options){.prevalidated = true, .profiles = profiles, .profile_count = 2});
    ca_enroll(&client, &ca);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ca_order_names(&client, "a.example", cases[i].more, order, sizeof order);
        CHECK_ANSWER(&ca, cases[i].status, cases[i].type);
    }
    ca_post(&client, "/order/1", "");
    CHECK_TEXT(ca_text(&ca, "notBefore"), "2026-09-22T00:00:00Z");
    CHECK_TEXT(ca_text(&ca, "notAfter"), "2026-10-22T00:00:00Z");
    ca_post(&client, "/order/2", "");
    CHECK_TEXT(ca_text(&ca, "profile"), "classic");
    ca_client_close(&client);
    ca_close(&ca);
}

struct limit {
    unsigned asked;
    bool refuse;
    bool renewal;
};

static bool limit_ask(void *context, const struct acme_wish *wish, struct acme_refusal *ret_refusal)
{
    struct limit *limit = context;
    limit->asked++;
    limit->renewal = wish->renewal;
    CHECK_INT(wish->account, 1);
    CHECK_INT(wish->name_count, 2);
    CHECK_TEXT(wish->names[1], "*.b.example");
    if (!limit->refuse)
        return true;
    (void)snprintf(ret_refusal->detail, sizeof ret_refusal->detail, "too many");
    (void)snprintf(ret_refusal->retry_after, sizeof ret_refusal->retry_after, "60");
    return false;
}

static void rate_limits_are_asked(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct limit limit = {0};
    char order[128];
    char text[64];
    ca_open(&ca, &(struct acme_options){
                     .prevalidated = true, .may_order = limit_ask, .may_order_context = &limit});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example,*.B.example", "", order, sizeof order);
    CHECK_ANSWER(&ca, 201, NULL);
    limit.refuse = true;
    ca_order_names(&client, "a.example,*.B.example", "", order, sizeof order);
    CHECK_ANSWER(&ca, 429, "rateLimited");
    CHECK_TEXT(ca_text(&ca, "detail"), "too many");
    ca_header(&ca, "retry-after", text, sizeof text);
    CHECK_TEXT(text, "60");
    CHECK_INT(limit.asked, 2);
    CHECK(!limit.renewal);
    ca_order_names(&client, "a_b.example", "", order, sizeof order);
    CHECK_INT(limit.asked, 2);
    ca_client_close(&client);
    ca_close(&ca);
}

static void others_see_nothing(void)
{
    static const char *const paths[] = {"/order/1", "/authz/1", "/chall/1/http-01", "/cert/1"};
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    char order[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    ca_order_names(&client, "a.example", "", order, sizeof order);
    ca_finalize(&other, order, "a.example");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    ca_finalize(&client, order, "a.example");
    CHECK_ANSWER(&ca, 200, NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ca_post(&client, paths[i], "");
        CHECK_ANSWER(&ca, 200, NULL);
        ca_post(&other, paths[i], "");
        CHECK_ANSWER(&ca, 403, "unauthorized");
    }
    static const char *const missing[] = {
        "/order/2", "/order/0",    "/order/x",        "/order/1x", "/order/1/x",
        "/authz/2", "/authz/",     "/authz/1/x",      "/chall/1",  "/chall/1/email",
        "/cert/2",  "/finalize/2", "/chall/2/http-01"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        ca_post(&client, missing[i], "");
        CHECK_ANSWER(&ca, 404, "malformed");
    }
    ca_post(&client, order, "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void csrs_are_checked(void)
{
    static const struct {
        const char *names;
        int status;
        const char *type;
    } cases[] = {
        {"a.example", 400, "badCSR"},           {"a.example,b.example,c.example", 400, "badCSR"},
        {"a.example,c.example", 400, "badCSR"}, {"a.example,*.b.example", 400, "badCSR"},
        {"b.example,a.example", 200, NULL},
    };
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example,b.example", "", order, sizeof order);
    static const char *const bad[] = {"", "{}", "{\"csr\":7}", "{\"csr\":\"\"}",
                                      "{\"csr\":\"A===\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ca_post(&client, "/finalize/1", bad[i]);
        CHECK_ANSWER(&ca, 400, "malformed");
    }
    ca_post(&client, "/finalize/1", "{\"csr\":\"AAAA\"}");
    CHECK_ANSWER(&ca, 400, "badCSR");
    struct buf payload CLEANUP(buf_free);
    ca_csr(&client, "a.example,b.example", client.key, &payload);
    ca_post(&client, "/finalize/1", buf_text(&payload));
    CHECK_ANSWER(&ca, 400, "badCSR");
    CHECK_CONTAINS(ca_text(&ca, "detail"), "known account");
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ca_finalize(&client, order, cases[i].names);
        CHECK_ANSWER(&ca, cases[i].status, cases[i].type);
    }
    ca_finalize(&client, order, "a.example,b.example");
    CHECK_ANSWER(&ca, 403, "orderNotReady");
    ca_client_close(&client);
    ca_close(&ca);
}

static void addresses_are_issued_for(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_post(&client, "/new-order",
            "{\"identifiers\":[{\"type\":\"ip\",\"value\":\"2001:DB8::1\"},"
            "{\"type\":\"ip\",\"value\":\"192.0.2.7\"}]}");
    CHECK_ANSWER(&ca, 201, NULL);
    ca_finalize(&client, "/order/1", "192.0.2.7,2001:db8::1");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_client_close(&client);
    ca_close(&ca);
}

static void processing_takes_its_time(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    char text[64];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example", "", order, sizeof order);
    ca.mood.processing_us = 5000000;
    ca.mood.retry_after = "3";
    ca_finalize(&client, order, "a.example");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "processing");
    CHECK(json_object_get(ca.json, "certificate") == NULL);
    ca_header(&ca, "retry-after", text, sizeof text);
    CHECK_TEXT(text, "3");
    ca_post(&client, "/cert/1", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_finalize(&client, order, "a.example");
    CHECK_ANSWER(&ca, 403, "orderNotReady");
    ca.now_us += 4999999;
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "processing");
    CHECK(ca_header_find(&ca.response, "retry-after").len > 0);
    ca.now_us += 1;
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    CHECK(ca_header_find(&ca.response, "retry-after").data == NULL);
    ca_post(&client, "/cert/1", "");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_client_close(&client);
    ca_close(&ca);
}

static const struct test tests[] = {
    TEST(a_prevalidated_order_goes_through),
    TEST(identifiers_are_checked),
    TEST(long_names_are_refused),
    TEST(refused_names_are_told),
    TEST(times_and_profiles_are_checked),
    TEST(rate_limits_are_asked),
    TEST(others_see_nothing),
    TEST(csrs_are_checked),
    TEST(addresses_are_issued_for),
    TEST(processing_takes_its_time),
};

TESTS_MAIN(tests)
