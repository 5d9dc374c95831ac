/* The load CA's protocol: directory, nonces, and what every signed request is checked for. */
#include "ca_fixture.h"

#include <pthread.h>

static const struct acme_profile profiles[] = {{"classic", "90 days", 90LL * 86400},
                                               {"short\"lived", "6 days", 6LL * 86400}};

static void directory_names_all_resources(void)
{
    struct ca_fixture ca;
    char url[256];
    ca_open(&ca, &(struct acme_options){.prevalidated = true,
                                        .eab_required = true,
                                        .terms = "https://ca.test/terms",
                                        .website = "https://ca.test/",
                                        .caa = "ca.test",
                                        .profiles = profiles,
                                        .profile_count = 2});
    ca_send(&ca, CA_GET, "/directory", span_of(""));
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca_text(&ca, "newNonce"), CA_BASE "/new-nonce");
    CHECK_TEXT(ca_text(&ca, "newAccount"), CA_BASE "/new-account");
    CHECK_TEXT(ca_text(&ca, "newOrder"), CA_BASE "/new-order");
    CHECK_TEXT(ca_text(&ca, "revokeCert"), CA_BASE "/revoke-cert");
    CHECK_TEXT(ca_text(&ca, "keyChange"), CA_BASE "/key-change");
    CHECK_TEXT(ca_text(&ca, "renewalInfo"), CA_BASE "/renewal-info");
    const json_t *meta = json_object_get(ca.json, "meta");
    CHECK_TEXT(json_text(meta, "termsOfService", 100), "https://ca.test/terms");
    CHECK_TEXT(json_text(meta, "website", 100), "https://ca.test/");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(meta, "caaIdentities"), 0)),
               "ca.test");
    CHECK(json_flag(meta, "externalAccountRequired", false));
    const json_t *offered = json_object_get(meta, "profiles");
    CHECK_TEXT(json_text(offered, "classic", 100), "90 days");
    CHECK_TEXT(json_text(offered, "short\"lived", 100), "6 days");
    CHECK(!ca_find_link(&ca, "index", url, sizeof url));
    CHECK(ca_header_find(&ca.response, "replay-nonce").data == NULL);
    ca.plain = true;
    ca.host = "evil\"<host>";
    ca_send(&ca, CA_GET, "/directory", span_of(""));
    CHECK_TEXT(ca_text(&ca, "newNonce"), "http://localhost/new-nonce");
    ca_close(&ca);
}

static void nonces_are_given(void)
{
    struct ca_fixture ca;
    char text[64];
    char url[256];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_send(&ca, CA_HEAD, "/new-nonce", span_of(""));
    CHECK_ANSWER(&ca, 200, NULL);
    ca_header(&ca, "replay-nonce", text, sizeof text);
    CHECK_INT(strlen(text), 22);
    ca_header(&ca, "cache-control", text, sizeof text);
    CHECK_TEXT(text, "no-store");
    CHECK(ca_find_link(&ca, "index", url, sizeof url));
    CHECK_TEXT(url, CA_BASE "/dir");
    ca_send(&ca, CA_GET, "/new-nonce", span_of(""));
    CHECK_ANSWER(&ca, 204, NULL);
    CHECK_INT(ca.response.body.len, 0);
    struct acme_counts counts;
    acme_count(ca.acme, &counts);
    CHECK_INT(counts.nonces_given, 2);
    struct ca_response response;
    struct ca_request request = {.now_us = ca.now_us};
    ca_response_init(&response);
    acme_add_nonce(ca.acme, &request, &response);
    CHECK(ca_header_find(&response, "replay-nonce").len == 22);
    ca_response_free(&response);
    ca_close(&ca);
}

static void resources_are_told_apart_by_path(void)
{
    static const struct {
        const char *path;
        enum ca_endpoint endpoint;
    } cases[] = {{"/directory", CA_DIRECTORY},
                 {"/directory?x", CA_DIRECTORY},
                 {"/dir", CA_DIRECTORY},
                 {"/dirs", CA_OTHER},
                 {"/new-order", CA_NEW_ORDER},
                 {"/new-orders", CA_OTHER},
                 {"/orders/1?cursor=2", CA_ORDERS},
                 {"/order/1", CA_ORDER},
                 {"/chall/1/http-01", CA_CHALLENGE},
                 {"/cert/1/1", CA_CERTIFICATE},
                 {"/renewal-info/a.b", CA_RENEWAL_INFO},
                 {"/issuer/0", CA_OTHER},
                 {"/", CA_OTHER},
                 {"", CA_OTHER}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(acme_endpoint(span_of(cases[i].path)), cases[i].endpoint);
}

static void wrong_methods_are_refused(void)
{
    struct ca_fixture ca;
    char text[64];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_send(&ca, CA_GET, "/new-order", span_of(""));
    CHECK_ANSWER(&ca, 405, "malformed");
    ca_header(&ca, "allow", text, sizeof text);
    CHECK_TEXT(text, "POST");
    ca_send(&ca, CA_METHOD_UNKNOWN, "/directory", span_of(""));
    CHECK_ANSWER(&ca, 405, "malformed");
    ca_send(&ca, CA_POST, "/renewal-info/a.b", span_of(""));
    CHECK_ANSWER(&ca, 405, "malformed");
    ca_send(&ca, CA_GET, "/nothing", span_of(""));
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_close(&ca);
}

static void directory_and_nonce_answer_post_as_get(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_post(&client, "/directory", "");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_post(&client, "/new-nonce", "");
    CHECK_ANSWER(&ca, 204, NULL);
    ca_post(&client, "/directory", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_client_close(&client);
    ca_close(&ca);
}

static void nonces_are_good_once(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct buf body CLEANUP(buf_free);
    char fresh[64];
    buf_init(&body, JWS_MAX);
    ca_open(&ca, &(struct acme_options){.prevalidated = true, .nonce_life_s = 60});
    ca_enroll(&client, &ca);
    ca_sign(&client, "/acct/1", "", &body);
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 200, NULL);
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 400, "badNonce");
    ca_header(&ca, "replay-nonce", fresh, sizeof fresh);
    CHECK_INT(strlen(fresh), 22);
    buf_clear(&body);
    ca_sign(&client, "/acct/1", "", &body);
    ca.now_us += 59 * 1000000LL;
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 200, NULL);
    buf_clear(&body);
    ca_sign(&client, "/acct/1", "", &body);
    ca.now_us += 60 * 1000000LL;
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 400, "badNonce");
    ca.mood.reject_nonce = true;
    buf_clear(&body);
    ca_sign(&client, "/acct/1", "", &body);
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 400, "badNonce");
    ca.mood.reject_nonce = false;
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 400, "badNonce");
    struct acme_counts counts;
    acme_count(ca.acme, &counts);
    CHECK_INT(counts.nonces_refused, 4);
    CHECK_INT(counts.problems, 4);
    ca_client_close(&client);
    ca_close(&ca);
}

/* Clients keep nonces over a CA's restart; the seed that makes weather repeat must not make them
 * good again. */
static void nonces_die_with_the_ca(void)
{
    const struct acme_options options = {.prevalidated = true, .predictable = true, .seed = 7};
    struct ca_fixture ca;
    struct ca_client client;
    struct buf body CLEANUP(buf_free);
    buf_init(&body, JWS_MAX);
    ca_open(&ca, &options);
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    ca_sign(&client, "/new-account", "{}", &body);
    ca_client_close(&client);
    ca_close(&ca);
    ca_open(&ca, &options);
    char nonce[64];
    ca_nonce(&ca, nonce, sizeof nonce); /* so that the number is one that was given */
    ca_send(&ca, CA_POST, "/new-account", buf_span(&body));
    CHECK_ANSWER(&ca, 400, "badNonce");
    ca_close(&ca);
}

/* A JWS whose protected header is the test's own; signed by the client's key with ES256. */
static void send_header(struct ca_client *client, const char *path, const char *header,
                        const char *payload, const char *more)
{
    struct buf input CLEANUP(buf_free);
    struct buf body CLEANUP(buf_free);
    unsigned char der[160];
    unsigned char raw[64] = {0};
    size_t len = sizeof der;
    buf_init(&input, 65536);
    buf_init(&body, 65536);
    CHECK(base64url_append(&input, header, strlen(header)) && buf_append_char(&input, '.'));
    CHECK(base64url_append(&input, payload, strlen(payload)));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit_ex(context, NULL, "SHA256", crypto_library(client->ca->crypto), NULL,
                                client->key, NULL) == 1);
    CHECK(EVP_DigestSign(context, der, &len, (const unsigned char *)input.data, input.len) == 1);
    EVP_MD_CTX_free(context);
    const unsigned char *at = der + 2;
    for (size_t i = 0; i < 2; i++) {
        size_t width = at[1];
        at += 2;
        size_t skip = width > 32 ? width - 32 : 0;
        memcpy(raw + 32 * i + 32 - (width - skip), at + skip, width - skip);
        at += width;
    }
    struct span rest = buf_span(&input);
    struct span protected = span_split(&rest, '.');
    CHECK(buf_printf(&body, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"",
                     SPAN_PRINTF(protected), SPAN_PRINTF(rest)));
    CHECK(base64url_append(&body, raw, sizeof raw) && buf_printf(&body, "\"%s}", more));
    ca_send(client->ca, CA_POST, path, buf_span(&body));
}

static void header_is_checked(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char header[2048];
    char nonce[64];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    static const struct {
        const char *format; /* with the nonce, and perhaps the JWK */
        int status;
        const char *type;
        const char *more;
    } cases[] = {
#define URL ",\"url\":\"" CA_BASE "/acct/1\""
#define KID ",\"kid\":\"" CA_BASE "/acct/1\""
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID "}", 200, NULL, ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"https:\\/\\/ca.test:14000\\/acct\\/1\"" KID
         "}",
         200, NULL, ""},
        {"{\"alg\":\"ES384\",\"nonce\":\"%s\"" URL KID "}", 400, "badSignatureAlgorithm", ""},
        {"{\"alg\":\"none\",\"nonce\":\"%s\"" URL KID "}", 400, "badSignatureAlgorithm", ""},
        {"{\"alg\":\"HS256\",\"nonce\":\"%s\"" URL KID "}", 400, "badSignatureAlgorithm", ""},
        {"{\"nonce\":\"%s\"" URL KID "}", 400, "badSignatureAlgorithm", ""},
        {"{\"alg\":7,\"nonce\":\"%s\"" URL KID "}", 400, "malformed", ""},
        {"{\"alg\":\"ES256\"" URL KID ",\"x\":\"%s\"}", 400, "badNonce", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"x%s\"" URL KID "}", 400, "badNonce", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" KID "}", 400, "malformed", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"" CA_BASE "/acct/2\"" KID "}", 403,
         "unauthorized", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"http://ca.test:14000/acct/1\"" KID "}", 403,
         "unauthorized", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL "}", 400, "malformed", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID ",\"jwk\":{}}", 400, "malformed", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL ",\"kid\":\"" CA_BASE "/acct/9\"}", 400,
         "accountDoesNotExist", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL ",\"kid\":\"" CA_BASE "/acct/\"}", 400,
         "accountDoesNotExist", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL ",\"kid\":\"/acct/1\"}", 400, "malformed", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID ",\"crit\":[\"x\"]}", 400, "malformed", ""},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID "}", 400, "malformed", ""},
        {"[\"%s\"]", 400, "malformed", ""},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID "}", 400, "malformed", ",\"header\":{}"},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID "}", 400, "malformed", ",\"signatures\":[]"},
        {"{\"alg\":\"ES256\",\"nonce\":\"%s\"" URL KID "}", 200, NULL, ",\"else\":[{\"a\":null}]"},
#undef URL
#undef KID
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ca_nonce(&ca, nonce, sizeof nonce);
        const char *rest = strstr(cases[i].format, "%s");
        CHECK(rest != NULL);
        (void)snprintf(header, sizeof header, "%.*s%s%s", (int)(rest - cases[i].format),
                       cases[i].format, nonce, rest + 2);
        send_header(&client, "/acct/1", header, "", cases[i].more);
        if (ca.response.status != cases[i].status)
            fprintf(stderr, "%s\n", header);
        CHECK_ANSWER(&ca, cases[i].status, cases[i].type);
        CHECK(ca_header_find(&ca.response, "replay-nonce").len == 22);
        if (cases[i].type != NULL && strcmp(cases[i].type, "badSignatureAlgorithm") == 0)
            CHECK_INT(json_array_size(json_object_get(ca.json, "algorithms")), 5);
    }
    ca_client_close(&client);
    ca_close(&ca);
}

static void body_is_checked(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct buf body CLEANUP(buf_free);
    buf_init(&body, JWS_MAX);
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "7",
        "{\"protected\":\"\",\"payload\":\"\"}",
        "{\"protected\":\"e30\",\"payload\":\"\",\"signature\":7}",
        "{\"protected\":\"e30=\",\"payload\":\"\",\"signature\":\"\"}",
        "{\"protected\":\"e3 0\",\"payload\":\"\",\"signature\":\"\"}",
        "{\"protected\":\"e30\",\"payload\":\"\",\"signature\":\"\"",
        "{\"protected\":\"\\ud800\",\"payload\":\"\",\"signature\":\"\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ca_send(&ca, CA_POST, "/acct/1", span_of(bad[i]));
        CHECK_ANSWER(&ca, 400,
                     strstr(bad[i], "e30\",\"payload\":\"\",\"signature\":\"\"}") != NULL
                         ? "badSignatureAlgorithm"
                         : "malformed");
    }
    ca_sign(&client, "/acct/1", "", &body);
    ca.content_type = "application/json";
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 415, "malformed");
    ca.content_type = "";
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 415, "malformed");
    ca.content_type = "application/jose+json";
    /* The nonce was not spent by what came before its check. */
    ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
    CHECK_ANSWER(&ca, 200, NULL);
    static char large[300 * 1024];
    memset(large, ' ', sizeof large);
    ca_send(&ca, CA_POST, "/acct/1", span_make(large, sizeof large));
    CHECK_ANSWER(&ca, 413, "malformed");
    ca_post(&client, "/acct/1", "not JSON");
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_client_close(&client);
    ca_close(&ca);
}

/* One bit of the signature, of the payload and of the header in turn; before and after the key has
 * its table. */
static void damaged_signatures_are_refused(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct buf body CLEANUP(buf_free);
    buf_init(&body, JWS_MAX);
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    for (unsigned i = 0; i < 150; i++) {
        buf_clear(&body);
        ca_sign(&client, "/acct/1", "", &body);
        char *signature = strstr(body.data, "\"signature\":\"") + strlen("\"signature\":\"");
        char *place = signature + i % 80;
        char was = *place;
        *place = was == 'A' ? 'B' : 'A';
        ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
        CHECK_ANSWER(&ca, 400, "malformed");
        *place = was;
        ca_send(&ca, CA_POST, "/acct/1", buf_span(&body));
        CHECK_ANSWER(&ca, 200, NULL);
    }
    ca_client_close(&client);
    ca_close(&ca);
}

static void key_kinds_work(void)
{
    static const struct key_spec specs[] = {
        {KEY_ECDSA, 256}, {KEY_ECDSA, 384}, {KEY_RSA, 2048}, {KEY_RSA, 4096}};
    struct ca_fixture ca;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct ca_client client;
        ca_client_open(&client, &ca, specs[i]);
        ca_post(&client, "/new-account", "{}");
        CHECK_ANSWER(&ca, 201, NULL);
        ca_header(&ca, "location", client.account, sizeof client.account);
        struct buf jwk CLEANUP(buf_free);
        buf_init(&jwk, 8192);
        CHECK(json_append(&jwk, json_object_get(ca.json, "key")));
        CHECK_TEXT(buf_text(&jwk), jws_signer_jwk(client.signer));
        for (int n = 0; n < 4; n++) {
            ca_post(&client, client.account, "");
            CHECK_ANSWER(&ca, 200, NULL);
        }
        ca_client_close(&client);
    }
    ca_close(&ca);
}

/* RFC 8037 appendix A has this key and the thumbprint. The signature is made here. */
static void ed25519_works(void)
{
    struct ca_fixture ca;
    char nonce[64];
    char header[1024];
    unsigned char seed[32] = {7};
    unsigned char public_key[32];
    unsigned char signature[64];
    size_t len = sizeof public_key;
    struct buf input CLEANUP(buf_free);
    struct buf body CLEANUP(buf_free);
    struct buf x CLEANUP(buf_free);
    buf_init(&input, 8192);
    buf_init(&body, 8192);
    buf_init(&x, 128);
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    CHECK(key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1);
    CHECK(base64url_append(&x, public_key, len));
    ca_nonce(&ca, nonce, sizeof nonce);
    (void)snprintf(header, sizeof header,
                   "{\"alg\":\"EdDSA\",\"nonce\":\"%s\",\"url\":\"" CA_BASE
                   "/new-account\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}}",
                   nonce, buf_text(&x));
    CHECK(base64url_append(&input, header, strlen(header)) && buf_append_text(&input, ".e30"));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    len = sizeof signature;
    CHECK(EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
          EVP_DigestSign(context, signature, &len, (const unsigned char *)input.data, input.len) ==
              1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    CHECK(buf_printf(&body, "{\"protected\":\"%.*s\",\"payload\":\"e30\",\"signature\":\"",
                     (int)input.len - 4, input.data));
    CHECK(base64url_append(&body, signature, len) && buf_append_text(&body, "\"}"));
    ca_send(&ca, CA_POST, "/new-account", buf_span(&body));
    CHECK_ANSWER(&ca, 201, NULL);
    ca_close(&ca);
}

/* Not on the curve. */
static const char stray_point[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}";

static void key_header(const char *jwk, const char *nonce, char *header, size_t size)
{
    (void)snprintf(header, size,
                   "{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"" CA_BASE
                   "/new-account\",\"jwk\":%s}",
                   nonce, jwk);
}

static void bad_keys_are_refused(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    char header[4096];
    char nonce[64];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_client_open(&client, &ca, (struct key_spec){KEY_ECDSA, 256});
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-192\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        stray_point,
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"oct\",\"k\":\"AQAB\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}",
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AQAB\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ca_nonce(&ca, nonce, sizeof nonce);
        key_header(bad[i], nonce, header, sizeof header);
        send_header(&client, "/new-account", header, "{}", "");
        CHECK_ANSWER(&ca, 400, "badPublicKey");
    }
    /* The smallest modulus and exponent are good; here they do not fit the algorithm. */
    static const struct {
        size_t bytes;
        const char *exponent, *type;
    } moduli[] = {
        {256, "AQAB", "badSignatureAlgorithm"},
        {512, "AQAB", "badSignatureAlgorithm"},
        {255, "AQAB", "badPublicKey"},
        {513, "AQAB", "badPublicKey"},
        {256, "Aw", "badPublicKey"},
        {256, "AQAA", "badPublicKey"},
    };
    for (size_t i = 0; i < sizeof moduli / sizeof moduli[0]; i++) {
        char jwk[2048];
        unsigned char modulus[513];
        struct buf text CLEANUP(buf_free);
        buf_init(&text, 1024);
        memset(modulus, 0xff, sizeof modulus);
        CHECK(base64url_append(&text, modulus, moduli[i].bytes));
        (void)snprintf(jwk, sizeof jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
                       buf_text(&text), moduli[i].exponent);
        ca_nonce(&ca, nonce, sizeof nonce);
        key_header(jwk, nonce, header, sizeof header);
        send_header(&client, "/new-account", header, "{}", "");
        CHECK_ANSWER(&ca, 400, moduli[i].type);
    }
    ca_client_close(&client);
    ca_close(&ca);
}

/* Each nonce is good once, whichever threads race for it. */
enum { RACERS = 4, RACES = 40 };
struct race {
    struct ca_fixture *ca;
    const struct buf *bodies;
    unsigned won;
};

static void *race_run(void *context)
{
    struct race *race = context;
    struct ca_response response;
    ca_response_init(&response);
    for (size_t i = 0; i < RACES; i++) {
        struct ca_request request = {.method = CA_POST,
                                     .path = SPAN_LITERAL("/acct/1"),
                                     .host = SPAN_LITERAL(CA_HOST),
                                     .content_type = SPAN_LITERAL("application/jose+json"),
                                     .body = buf_span(&race->bodies[i]),
                                     .tls = true,
                                     .now_us = race->ca->now_us};
        ca_response_reset(&response);
        acme_answer(race->ca->acme, CA_ACCOUNT, &request, &race->ca->mood, &response);
        race->won += response.status == 200;
    }
    ca_response_free(&response);
    return NULL;
}

static void threads_cannot_share_a_nonce(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct buf bodies[RACES];
    pthread_t threads[RACERS];
    struct race races[RACERS] = {0};
    unsigned won = 0;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    for (size_t i = 0; i < RACES; i++) {
        buf_init(&bodies[i], JWS_MAX);
        ca_sign(&client, "/acct/1", "", &bodies[i]);
    }
    for (size_t i = 0; i < RACERS; i++) {
        races[i] = (struct race){.ca = &ca, .bodies = bodies};
        CHECK(pthread_create(&threads[i], NULL, race_run, &races[i]) == 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        won += races[i].won;
    }
    CHECK_INT(won, RACES);
    for (size_t i = 0; i < RACES; i++)
        buf_free(&bodies[i]);
    ca_client_close(&client);
    ca_close(&ca);
}

static void a_validator_is_needed(void)
{
    struct ca_fixture ca;
    struct acme *acme;
    struct error error;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    CHECK(!acme_new(&(struct acme_options){0}, ca.issuer, NULL, &acme, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_OK(acme_new(&(struct acme_options){.always_valid = true}, ca.issuer, NULL, &acme, &error),
             error);
    acme_free(acme);
    ca_close(&ca);
}

static const struct test tests[] = {
    TEST(directory_names_all_resources),
    TEST(nonces_are_given),
    TEST(resources_are_told_apart_by_path),
    TEST(wrong_methods_are_refused),
    TEST(directory_and_nonce_answer_post_as_get),
    TEST(nonces_are_good_once),
    TEST(nonces_die_with_the_ca),
    TEST(header_is_checked),
    TEST(body_is_checked),
    TEST(damaged_signatures_are_refused),
    TEST(key_kinds_work),
    TEST(ed25519_works),
    TEST(bad_keys_are_refused),
    TEST(threads_cannot_share_a_nonce),
    TEST(a_validator_is_needed),
};

TESTS_MAIN(tests)
