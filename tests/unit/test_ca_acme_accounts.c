/* The load CA's accounts: RFC 8555 section 7.3. */
#include "ca_fixture.h"

static const struct acme_eab_key eab_keys[] = {{"first", SPAN_LITERAL("0123456789abcdef")},
                                               {"second", SPAN_LITERAL("fedcba9876543210")}};

static void accounts_are_made(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char text[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true, .orders_list = true});
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    ca_post(&client, "/new-account", "{\"contact\":[\"mailto:a@example.com\"]}");
    CHECK_ANSWER(&ca, 201, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "valid");
    CHECK_TEXT(ca_text(&ca, "orders"), CA_BASE "/orders/1");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(ca.json, "contact"), 0)),
               "mailto:a@example.com");
    ca_header(&ca, "location", text, sizeof text);
    CHECK_TEXT(text, CA_BASE "/acct/1");
    ca_post(&client, "/new-account", "{}");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_header(&ca, "location", text, sizeof text);
    CHECK_TEXT(text, CA_BASE "/acct/1");
    ca_post(&client, "/new-account", "{\"onlyReturnExisting\":true}");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_client_close(&client);
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    ca_post(&client, "/new-account", "{\"onlyReturnExisting\":true}");
    CHECK_ANSWER(&ca, 400, "accountDoesNotExist");
    ca_post(&client, "/new-account", "");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, "/new-account", "[]");
    CHECK_ANSWER(&ca, 400, "malformed");
    /* By the key, not by an account. */
    (void)snprintf(client.account, sizeof client.account, "%s", CA_BASE "/acct/1");
    ca_post(&client, "/new-account", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    client.account[0] = '\0';
    ca_post(&client, "/acct/1", "");
    CHECK_ANSWER(&ca, 400, "malformed");
    struct acme_counts counts;
    acme_count(ca.acme, &counts);
    CHECK_INT(counts.accounts, 1);
    ca_client_close(&client);
    ca_close(&ca);
}

static void terms_must_be_agreed_to(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char url[256];
    ca_open(&ca, &(struct acme_options){.prevalidated = true, .terms = "https://ca.test/terms"});
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    ca_post(&client, "/new-account", "{\"termsOfServiceAgreed\":false}");
    CHECK_ANSWER(&ca, 403, "userActionRequired");
    CHECK(ca_find_link(&ca, "terms-of-service", url, sizeof url));
    CHECK_TEXT(url, "https://ca.test/terms");
    ca_post(&client, "/new-account", "{\"termsOfServiceAgreed\":true}");
    CHECK_ANSWER(&ca, 201, NULL);
    ca_client_close(&client);
    ca_close(&ca);
}

static void contacts_are_checked(void)
{
    static const struct {
        const char *contact;
        int status;
        const char *type;
    } cases[] = {
        {"[\"mailto:a@example.com\",\"mailto:b@example.com\"]", 200, NULL},
        {"[]", 200, NULL},
        {"7", 400, "malformed"},
        {"[7]", 400, "malformed"},
        {"[\"tel:+49123\"]", 400, "unsupportedContact"},
        {"[\"mailto:\"]", 400, "invalidContact"},
        {"[\"mailto:a\"]", 400, "invalidContact"},
        {"[\"mailto:@example.com\"]", 400, "invalidContact"},
        {"[\"mailto:a@\"]", 400, "invalidContact"},
        {"[\"mailto:a@b@c.example\"]", 400, "invalidContact"},
        {"[\"mailto:a@example.com?subject=x\"]", 400, "invalidContact"},
        {"[\"mailto:a@example.com,b@example.com\"]", 400, "invalidContact"},
        {"[\"mailto:\xc3\xa4@example.com\"]", 400, "invalidContact"},
        {"[\"mailto:a@example.com\",\"mailto:a@example.com\",\"mailto:a@example.com\","
         "\"mailto:a@example.com\",\"mailto:a@example.com\",\"mailto:a@example.com\","
         "\"mailto:a@example.com\",\"mailto:a@example.com\",\"mailto:a@example.com\","
         "\"mailto:a@example.com\",\"mailto:a@example.com\"]",
         400, "malformed"},
    };
    struct ca_fixture ca;
    struct ca_client client;
    char payload[1024];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(payload, sizeof payload, "{\"contact\":%s}", cases[i].contact);
        ca_post(&client, client.account, payload);
        CHECK_ANSWER(&ca, cases[i].status, cases[i].type);
    }
    ca_post(&client, client.account, "");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK(json_object_get(ca.json, "contact") == NULL);
    ca_client_close(&client);
    ca_close(&ca);
}

static void accounts_are_updated_and_deactivated(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    ca_post(&client, client.account, "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, client.account, "[]");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, client.account, "{\"status\":\"revoked\"}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, client.account, "{\"status\":7}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_post(&client, other.account, "");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    ca_post(&client, "/acct/x", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_post(&client, "/acct/1/orders", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_post(&client, client.account, "{\"contact\":[\"mailto:n@example.com\"]}");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_INT(json_array_size(json_object_get(ca.json, "contact")), 1);
    ca_post(&client, client.account, "{\"status\":\"deactivated\"}");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "status"), "deactivated");
    ca_post(&client, client.account, "");
    CHECK_ANSWER(&ca, 401, "unauthorized");
    client.account[0] = '\0';
    ca_post(&client, "/new-account", "{}");
    CHECK_ANSWER(&ca, 401, "unauthorized");
    ca_post(&other, other.account, "");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void account_bind(struct ca_client *client, const char *url, const char *key_id,
                         struct span key)
{
    struct error error;
    struct buf payload CLEANUP(buf_free);
    buf_init(&payload, 65536);
    CHECK(buf_append_text(&payload, "{\"externalAccountBinding\":"));
    CHECK_OK(jws_external_binding(client->signer, url, key_id, key, &payload, &error), error);
    CHECK(buf_append_char(&payload, '}'));
    ca_post(client, "/new-account", buf_text(&payload));
}

static void bindings_are_verified(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    const char *url = CA_BASE "/new-account";
    ca_open(&ca, &(struct acme_options){.prevalidated = true,
                                        .eab_required = true,
                                        .eab_once = true,
                                        .eab_keys = eab_keys,
                                        .eab_key_count = 2});
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    ca_client_open(&other, &ca, (struct key_spec){KEY_ECDSA, 384});
    ca_post(&client, "/new-account", "{}");
    CHECK_ANSWER(&ca, 403, "externalAccountRequired");
    ca_post(&client, "/new-account", "{\"externalAccountBinding\":null}");
    CHECK_ANSWER(&ca, 403, "externalAccountRequired");
    ca_post(&client, "/new-account", "{\"externalAccountBinding\":{}}");
    CHECK_ANSWER(&ca, 400, "malformed");
    account_bind(&client, url, "third", eab_keys[0].key);
    CHECK_ANSWER(&ca, 403, "unauthorized");
    account_bind(&client, url, "first", eab_keys[1].key);
    CHECK_ANSWER(&ca, 403, "unauthorized");
    account_bind(&client, CA_BASE "/new-order", "first", eab_keys[0].key);
    CHECK_ANSWER(&ca, 400, "malformed");
    /* Another key than the outer JWS's. */
    struct jws_signer *signer = client.signer;
    struct error error;
    struct buf payload CLEANUP(buf_free);
    buf_init(&payload, 65536);
    CHECK(buf_append_text(&payload, "{\"externalAccountBinding\":"));
    CHECK_OK(jws_external_binding(other.signer, url, "first", eab_keys[0].key, &payload, &error),
             error);
    CHECK(buf_append_char(&payload, '}'));
    client.signer = signer;
    ca_post(&client, "/new-account", buf_text(&payload));
    CHECK_ANSWER(&ca, 400, "badPublicKey");
    account_bind(&client, url, "first", eab_keys[0].key);
    CHECK_ANSWER(&ca, 201, NULL);
    CHECK(json_text(json_object_get(ca.json, "externalAccountBinding"), "signature", 100) != NULL);
    /* As Sectigo: the same key finds its account, another key is refused. */
    account_bind(&client, url, "first", eab_keys[0].key);
    CHECK_ANSWER(&ca, 200, NULL);
    account_bind(&other, url, "first", eab_keys[0].key);
    CHECK_ANSWER(&ca, 403, "unauthorized");
    CHECK_CONTAINS(ca_text(&ca, "detail"), "not awaiting external account binding");
    account_bind(&other, url, "second", eab_keys[1].key);
    CHECK_ANSWER(&ca, 201, NULL);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

/* A binding whose header or payload is the test's own, signed with the first key. */
static void binding_headers_are_checked(void)
{
    static const struct {
        const char *header;
        int status;
        const char *type;
    } cases[] = {
        {"{\"alg\":\"ES256\",\"kid\":\"first\",\"url\":\"" CA_BASE "/new-account\"}", 400,
         "badSignatureAlgorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"first\",\"url\":\"" CA_BASE
         "/new-account\",\"nonce\":\"x\"}",
         400, "malformed"},
        {"{\"alg\":\"HS256\",\"url\":\"" CA_BASE "/new-account\"}", 400, "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"first\"}", 400, "malformed"},
        {"{\"alg\":\"HS256\",\"kid\":\"first\",\"url\":\"" CA_BASE "/new-account\"}", 403,
         "unauthorized"},
    };
    struct ca_fixture ca;
    struct ca_client client;
    ca_open(&ca,
            &(struct acme_options){.prevalidated = true, .eab_keys = eab_keys, .eab_key_count = 2});
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf payload CLEANUP(buf_free);
        buf_init(&payload, 65536);
        CHECK(buf_append_text(&payload, "{\"externalAccountBinding\":{\"protected\":\"") &&
              base64url_append(&payload, cases[i].header, strlen(cases[i].header)) &&
              buf_append_text(&payload, "\",\"payload\":\"e30\",\"signature\":\"AAAA\"}}"));
        ca_post(&client, "/new-account", buf_text(&payload));
        CHECK_ANSWER(&ca, cases[i].status, cases[i].type);
    }
    ca_client_close(&client);
    ca_close(&ca);
}

static void orders_are_listed(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    char order[128];
    char url[256];
    size_t seen = 0;
    ca_open(&ca, &(struct acme_options){.prevalidated = true, .orders_list = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    for (int i = 0; i < 250; i++) {
        ca_order_names(&client, "a.example", "", order, sizeof order);
        CHECK_ANSWER(&ca, 201, NULL);
    }
    (void)snprintf(url, sizeof url, "/orders/1");
    int pages = 0;
    bool more = true;
    while (more) {
        ca_post(&client, url, "");
        CHECK_ANSWER(&ca, 200, NULL);
        seen += json_array_size(json_object_get(ca.json, "orders"));
        more = ca_find_link(&ca, "next", url, sizeof url);
        pages++;
    }
    CHECK_INT(seen, 250);
    CHECK_INT(pages, 3);
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(ca.json, "orders"), 49)), order);
    ca_post(&other, "/orders/2", "");
    CHECK_INT(json_array_size(json_object_get(ca.json, "orders")), 0);
    ca_post(&other, "/orders/1", "");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    ca_post(&other, "/orders/2?cursor=x", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_post(&other, "/orders/2", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    /* Orders that are over are not listed. */
    ca.now_us += 8LL * 86400 * 1000000;
    ca_post(&client, "/orders/1", "");
    CHECK_INT(json_array_size(json_object_get(ca.json, "orders")), 0);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void no_list_where_there_is_none(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    CHECK(json_object_get(ca.json, "orders") == NULL);
    ca_post(&client, "/orders/1", "");
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_client_close(&client);
    ca_close(&ca);
}

struct change {
    const char *account;
    const char *old_key;
    const char *url;
    const char *nonce;
    const char *kid;
};

/* keyChange to the key of `next`, with what is wrong with it. */
static void change_key(struct ca_client *client, struct ca_client *next, const struct change *wrong)
{
    struct error error;
    struct buf payload CLEANUP(buf_free);
    struct buf inner CLEANUP(buf_free);
    buf_init(&payload, 65536);
    buf_init(&inner, 65536);
    CHECK(buf_printf(&payload, "{\"account\":\"%s\",\"oldKey\":%s}",
                     wrong->account != NULL ? wrong->account : client->account,
                     wrong->old_key != NULL ? wrong->old_key : jws_signer_jwk(client->signer)));
    struct jws_header header = {.url = wrong->url != NULL ? wrong->url : CA_BASE "/key-change",
                                .nonce = wrong->nonce,
                                .kid = wrong->kid};
    CHECK_OK(jws_sign(next->signer, &header, buf_span(&payload), &inner, &error), error);
    ca_post(client, "/key-change", buf_text(&inner));
}

static void keys_are_changed(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client next;
    struct ca_client taken;
    char text[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_client_open(&next, &ca, (struct key_spec){KEY_ECDSA, 384});
    ca_enroll(&taken, &ca);
    const struct change bad[] = {{.account = CA_BASE "/acct/9"},
                                 {.account = ""},
                                 {.old_key = "{}"},
                                 {.old_key = jws_signer_jwk(taken.signer)},
                                 {.url = CA_BASE "/new-order"},
                                 {.nonce = "x"},
                                 {.kid = CA_BASE "/acct/1"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        change_key(&client, &next, &bad[i]);
        CHECK_ANSWER(&ca, 400, "malformed");
    }
    ca_post(&client, "/key-change", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    change_key(&client, &client, &(struct change){0});
    CHECK_ANSWER(&ca, 400, "malformed");
    change_key(&client, &taken, &(struct change){0});
    CHECK_ANSWER(&ca, 409, "malformed");
    ca_header(&ca, "location", text, sizeof text);
    CHECK_TEXT(text, taken.account);
    change_key(&client, &next, &(struct change){0});
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(json_text(json_object_get(ca.json, "key"), "crv", 10), "P-384");
    (void)snprintf(next.account, sizeof next.account, "%s", client.account);
    ca_post(&next, next.account, "");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_post(&client, client.account, "");
    CHECK_ANSWER(&ca, 400, "badSignatureAlgorithm");
    /* The old key is free again. */
    client.account[0] = '\0';
    ca_post(&client, "/new-account", "{\"onlyReturnExisting\":true}");
    CHECK_ANSWER(&ca, 400, "accountDoesNotExist");
    ca_client_close(&client);
    ca_client_close(&next);
    ca_client_close(&taken);
    ca_close(&ca);
}

static const struct test tests[] = {
    TEST(accounts_are_made),     TEST(terms_must_be_agreed_to),
    TEST(contacts_are_checked),  TEST(accounts_are_updated_and_deactivated),
    TEST(bindings_are_verified), TEST(binding_headers_are_checked),
    TEST(orders_are_listed),     TEST(no_list_where_there_is_none),
    TEST(keys_are_changed),
};

TESTS_MAIN(tests)
