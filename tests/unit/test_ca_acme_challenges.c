/* The load CA's authorizations and challenges: RFC 8555 section 7.5. */
#include "ca_fixture.h"

static void challenges_are_offered(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    ca_open(&ca, &(struct acme_options){0});
    ca_enroll(&client, &ca);
    ca_post(&client, "/new-order",
            "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"},"
            "{\"type\":\"dns\",\"value\":\"*.a.example\"},"
            "{\"type\":\"ip\",\"value\":\"192.0.2.7\"}]}");
    CHECK_ANSWER(&ca, 201, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    static const size_t offered[] = {3, 1, 2};
    char tokens[3][64];
    for (size_t i = 0; i < 3; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/authz/%zu", i + 1);
        ca_post(&client, path, "");
        CHECK_ANSWER(&ca, 200, NULL);
        CHECK_TEXT(ca_text(&ca, "status"), "pending");
        const json_t *challenges = json_object_get(ca.json, "challenges");
        CHECK_INT(json_array_size(challenges), offered[i]);
        (void)snprintf(tokens[i], sizeof tokens[i], "%s",
                       json_text(json_array_get(challenges, 0), "token", 63));
        CHECK_INT(strlen(tokens[i]), 43);
    }
    CHECK(strcmp(tokens[0], tokens[1]) != 0 && strcmp(tokens[1], tokens[2]) != 0);
    ca_post(&client, "/chall/2/http-01", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_post(&client, "/chall/3/dns-01", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_client_close(&client);
    ca_close(&ca);
}

static void names_are_validated(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    char text[256];
    ca_open(&ca, &(struct acme_options){0});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "*.a.example", "", order, sizeof order);
    ca_finalize(&client, order, "*.a.example");
    CHECK_ANSWER(&ca, 403, "orderNotReady");
    ca.mood.validation_us = 1234;
    ca.mood.retry_after = "7";
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    CHECK(ca_header_find(&ca.response, "retry-after").data == NULL);
    ca_post(&client, "/chall/1/dns-01", "");
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    CHECK_INT(ca_validator.submitted, 0);
    ca_post(&client, "/chall/1/dns-01", "{\"keyAuthorization\":\"x\"}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/chall/1/dns-01", "[]");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_validator.fail = true;
    ca_post(&client, "/chall/1/dns-01", "{}");
    CHECK_ANSWER(&ca, 500, "serverInternal");
    ca_validator.fail = false;
    ca_post(&client, "/chall/1/dns-01", "{}");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "processing");
    CHECK(ca_find_link(&ca, "up", text, sizeof text));
    CHECK_TEXT(text, CA_BASE "/authz/1");
    ca_header(&ca, "retry-after", text, sizeof text);
    CHECK_TEXT(text, "7");
    CHECK_INT(ca_validator.submitted, 1);
    CHECK_INT(ca_validator.method, VALIDATE_DNS_01);
    CHECK_INT(ca_validator.wait_us, 1234);
    CHECK_TEXT(ca_validator.identifier, "a.example");
    CHECK_TEXT(ca_validator.token, ca_text(&ca, "token"));
    (void)snprintf(text, sizeof text, "%s.%s", ca_validator.token,
                   jws_signer_thumbprint(client.signer));
    CHECK_TEXT(ca_validator.key_authorization, text);
    ca_post(&client, "/chall/1/dns-01", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/authz/1", "");
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    CHECK(ca_header_find(&ca.response, "retry-after").len > 0);
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    CHECK(ca_header_find(&ca.response, "retry-after").len > 0);
    ca_validator.done(ca_validator.context, &(struct validation_result){.id = 1, .valid = true});
    ca_post(&client, "/authz/1", "");
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    CHECK_TEXT(ca_text(&ca, "expires"), "2026-10-21T14:13:20Z");
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    ca_finalize(&client, order, "*.a.example");
    CHECK_ANSWER(&ca, 200, NULL);
    /* Results nobody waits for are passed over. */
    ca_validator.done(ca_validator.context, &(struct validation_result){.id = 1, .valid = false});
    ca_validator.done(ca_validator.context, &(struct validation_result){.id = 9, .valid = true});
    ca_post(&client, "/authz/1", "");
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    ca_post(&client, "/chall/1/dns-01", "");
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    ca_client_close(&client);
    ca_close(&ca);
}

/* Neither a good result nor time brings back what has ended meanwhile. */
static void what_has_ended_stays_so(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    ca_open(&ca, &(struct acme_options){0});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example", "", order, sizeof order);
    ca_post(&client, "/chall/1/http-01", "{}");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_post(&client, "/authz/1", "{\"status\":\"deactivated\"}");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_validator.done(ca_validator.context, &(struct validation_result){.id = 1, .valid = true});
    ca_post(&client, "/authz/1", "");
    CHECK_TEXT(ca_text(&ca, "status"), "deactivated");
    /* Orders live for seven days, their authorizations longer. */
    ca_order_names(&client, "b.example", "", order, sizeof order);
    ca.now_us += (7 * 86400 - 1) * 1000000LL;
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    ca.now_us += 1000000;
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "invalid");
    ca_post(&client, "/authz/2", "");
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    ca_client_close(&client);
    ca_close(&ca);
}

static void failures_are_told(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    ca_open(&ca, &(struct acme_options){0});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example,b.example", "", order, sizeof order);
    ca_post(&client, "/chall/1/http-01", "{}");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_post(&client, "/chall/1/tls-alpn-01", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_validator.done(ca_validator.context,
                      &(struct validation_result){.id = 1,
                                                  .problem = "connection",
                                                  .detail = "192.0.2.1: refused\n",
                                                  .url = "http://a.example/x"});
    ca_post(&client, "/authz/1", "");
    CHECK_TEXT(ca_text(&ca, "status"), "invalid");
    const json_t *challenge = json_array_get(json_object_get(ca.json, "challenges"), 0);
    CHECK_INT(json_array_size(json_object_get(ca.json, "challenges")), 1);
    CHECK_TEXT(json_text(challenge, "status", 20), "invalid");
    const json_t *error = json_object_get(challenge, "error");
    CHECK_TEXT(json_text(error, "type", 100), "urn:ietf:params:acme:error:connection");
    CHECK_CONTAINS(json_text(error, "detail", 100), "192.0.2.1: refused");
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "invalid");
    CHECK_TEXT(json_text(json_object_get(ca.json, "error"), "type", 100),
               "urn:ietf:params:acme:error:connection");
    ca_post(&client, "/chall/1/http-01", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/chall/1/dns-01", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_finalize(&client, order, "a.example,b.example");
    CHECK_ANSWER(&ca, 403, "orderNotReady");
    ca_client_close(&client);
    ca_close(&ca);
}

static void always_valid_waits_for_the_clock(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char order[128];
    ca_open(&ca, &(struct acme_options){.always_valid = true, .reuse_authorizations = true});
    ca_enroll(&client, &ca);
    ca_order_names(&client, "a.example", "", order, sizeof order);
    ca.mood.validation_us = 2000000;
    ca_post(&client, "/chall/1/http-01", "{}");
    CHECK_TEXT(ca_text(&ca, "status"), "processing");
    CHECK_INT(ca_validator.submitted, 0);
    ca.now_us += 1999999;
    ca_post(&client, "/chall/1/http-01", "");
    CHECK_TEXT(ca_text(&ca, "status"), "processing");
    ca.now_us += 1;
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    ca_post(&client, "/chall/1/http-01", "");
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    CHECK_TEXT(ca_text(&ca, "validated"), "2026-09-21T14:13:22Z");
    /* The next order finds the name valid. */
    ca_order_names(&client, "a.example", "", order, sizeof order);
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(ca.json, "authorizations"), 0)),
               CA_BASE "/authz/1");
    ca_order_names(&client, "*.a.example", "", order, sizeof order);
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    struct ca_client other;
    ca_enroll(&other, &ca);
    ca_order_names(&other, "a.example", "", order, sizeof order);
    CHECK_TEXT(ca_text(&ca, "status"), "pending");
    ca_client_close(&other);
    ca_client_close(&client);
    ca_close(&ca);
}

static void authorizations_are_deactivated_and_expire(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    char order[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true,
                                        .reuse_authorizations = true,
                                        .authorization_life_s = 3600});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    ca_order_names(&client, "a.example", "", order, sizeof order);
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    ca_post(&client, "/authz/1", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/authz/1", "{\"status\":\"valid\"}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&other, "/authz/1", "{\"status\":\"deactivated\"}");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    ca_post(&client, "/authz/1", "{\"status\":\"deactivated\"}");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "deactivated");
    ca_post(&client, order, "");
    CHECK_TEXT(ca_text(&ca, "status"), "invalid");
    /* It is not used again, and a new one expires. */
    ca_order_names(&client, "a.example", "", order, sizeof order);
    CHECK_TEXT(ca_text(&ca, "status"), "ready");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(ca.json, "authorizations"), 0)),
               CA_BASE "/authz/2");
    ca.now_us += 3600 * 1000000LL;
    ca_post(&client, "/authz/2", "");
    CHECK_TEXT(ca_text(&ca, "status"), "expired");
    ca_finalize(&client, order, "a.example");
    CHECK_ANSWER(&ca, 403, "orderNotReady");
    ca_order_names(&client, "a.example", "", order, sizeof order);
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(ca.json, "authorizations"), 0)),
               CA_BASE "/authz/3");
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void predictable_tokens_are_the_same(void)
{
    char tokens[3][64];
    for (int i = 0; i < 3; i++) {
        struct ca_fixture ca;
        struct ca_client client;
        char order[128];
        ca_open(&ca, &(struct acme_options){.predictable = i < 2, .seed = 5});
        ca_enroll(&client, &ca);
        ca_order_names(&client, "a.example", "", order, sizeof order);
        ca_post(&client, "/chall/1/http-01", "");
        (void)snprintf(tokens[i], sizeof tokens[i], "%s", json_text(ca.json, "token", 63));
        ca_client_close(&client);
        ca_close(&ca);
    }
    CHECK_TEXT(tokens[0], tokens[1]);
    CHECK(strcmp(tokens[0], tokens[2]) != 0);
}

static const struct test tests[] = {
    TEST(challenges_are_offered),           TEST(names_are_validated),
    TEST(what_has_ended_stays_so),          TEST(failures_are_told),
    TEST(always_valid_waits_for_the_clock), TEST(authorizations_are_deactivated_and_expire),
    TEST(predictable_tokens_are_the_same),
};

TESTS_MAIN(tests)
