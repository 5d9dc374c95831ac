/* The load CA's certificates: download, revocation (RFC 8555 section 7.6), renewal information (RFC
 * 9773). */
#include "ca_fixture.h"

#include "base/clock.h"
#include "crypto/certificate.h"

#include <openssl/x509.h>

struct issued_leaf {
    struct buf der;
    struct certificate_info info;
    char path[64];
};

/* Issues for names separated by commas, with a key of its own or the one given. */
static void issue(struct ca_client *client, const char *names, const char *more, EVP_PKEY *key,
                  struct issued_leaf *leaf)
{
    struct error error;
    char order[128] = "";
    char path[64];
    struct buf payload CLEANUP(buf_free);
    ca_order_names(client, names, more, order, sizeof order);
    CHECK_ANSWER(client->ca, 201, NULL);
    ca_csr(client, names, key, &payload);
    ca_finalize_path(order, path, sizeof path);
    ca_post(client, path, buf_text(&payload));
    CHECK_ANSWER(client->ca, 200, NULL);
    (void)snprintf(leaf->path, sizeof leaf->path, "%s",
                   ca_text(client->ca, "certificate") + strlen(CA_BASE));
    ca_post(client, leaf->path, "");
    CHECK_ANSWER(client->ca, 200, NULL);
    buf_init(&leaf->der, CERTIFICATE_DER_MAX);
    CHECK_OK(
        certificate_read(buf_span(&client->ca->response.body), &leaf->der, &leaf->info, &error),
        error);
}

static void revoke(struct ca_client *client, const struct issued_leaf *leaf, const char *more)
{
    struct buf payload CLEANUP(buf_free);
    buf_init(&payload, 65536);
    CHECK(buf_append_text(&payload, "{\"certificate\":\"") &&
          base64url_append(&payload, leaf->der.data, leaf->der.len) &&
          buf_printf(&payload, "\"%s}", more));
    ca_post(client, "/revoke-cert", buf_text(&payload));
}

static void chains_have_alternates(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct issued_leaf leaf;
    char url[256];
    char first[32768];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    issue(&client, "a.example,b.example", "", NULL, &leaf);
    CHECK_TEXT(ca.response.content_type, "application/pem-certificate-chain");
    CHECK_INT(leaf.info.not_before, CA_NOW);
    CHECK_INT(leaf.info.not_after, CA_NOW + 90 * 86400 - 1);
    CHECK_INT(leaf.info.name_count, 2);
    (void)snprintf(first, sizeof first, "%s", buf_text(&ca.response.body));
    CHECK(ca_find_link(&ca, "up", url, sizeof url));
    CHECK_TEXT(url, CA_BASE "/issuer/0");
    CHECK(ca_find_link(&ca, "index", url, sizeof url));
    CHECK(ca_find_link(&ca, "alternate", url, sizeof url));
    CHECK_TEXT(url, CA_BASE "/cert/1/1");
    ca_post(&client, url, "");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK(strcmp(first, buf_text(&ca.response.body)) != 0);
    CHECK(ca_find_link(&ca, "up", url, sizeof url));
    CHECK_TEXT(url, CA_BASE "/issuer/0/1");
    CHECK(ca_find_link(&ca, "alternate", url, sizeof url));
    CHECK_TEXT(url, CA_BASE "/cert/1");
    static const char *const missing[] = {"/cert/1/0", "/cert/1/99", "/cert/1/x",
                                          "/cert/1/",  "/cert/2",    "/cert/x"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        ca_post(&client, missing[i], "");
        CHECK_ANSWER(&ca, 404, "malformed");
    }
    ca_post(&client, "/cert/1", "{}");
    CHECK_ANSWER(&ca, 400, "malformed");
    buf_free(&leaf.der);
    ca_client_close(&client);
    ca_close(&ca);
}

static void wished_times_are_kept(void)
{
    static const struct acme_profile profiles[] = {{"shortlived", "6 days", 6LL * 86400}};
    struct ca_fixture ca;
    struct ca_client client;
    struct issued_leaf leaf;
    ca_open(&ca,
            &(struct acme_options){.prevalidated = true, .profiles = profiles, .profile_count = 1});
    ca_enroll(&client, &ca);
    issue(&client, "a.example",
          ",\"notBefore\":\"2026-09-22T00:00:00Z\",\"notAfter\":\"2026-09-23T00:00:00Z\"", NULL,
          &leaf);
    CHECK_INT(leaf.info.not_after - leaf.info.not_before, 86400);
    buf_free(&leaf.der);
    issue(&client, "a.example", ",\"profile\":\"shortlived\"", NULL, &leaf);
    CHECK_INT(leaf.info.not_after - leaf.info.not_before, 6 * 86400 - 1);
    buf_free(&leaf.der);
    ca_client_close(&client);
    ca_close(&ca);
}

static void accounts_revoke_their_own(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    struct issued_leaf leaf;
    struct acme_counts counts;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    issue(&client, "a.example,b.example", "", NULL, &leaf);
    static const struct {
        const char *more;
        const char *type;
    } bad[] = {{",\"reason\":7", "badRevocationReason"},
               {",\"reason\":11", "badRevocationReason"},
               {",\"reason\":-1", "badRevocationReason"},
               {",\"reason\":1.5", "badRevocationReason"},
               {",\"reason\":\"1\"", "malformed"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        revoke(&client, &leaf, bad[i].more);
        CHECK_ANSWER(&ca, 400, bad[i].type);
    }
    static const char *const payloads[] = {
        "", "{}", "{\"certificate\":7}", "{\"certificate\":\"A=\"}", "{\"certificate\":\"AAAA\"}"};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        ca_post(&client, "/revoke-cert", payloads[i]);
        CHECK_ANSWER(&ca, 400, "malformed");
    }
    revoke(&other, &leaf, "");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    revoke(&client, &leaf, ",\"reason\":4");
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_INT(ca.response.body.len, 0);
    revoke(&client, &leaf, "");
    CHECK_ANSWER(&ca, 400, "alreadyRevoked");
    acme_count(ca.acme, &counts);
    CHECK_INT(counts.revoked, 1);
    /* The same serial in another certificate. */
    leaf.der.data[leaf.der.len - 1] ^= 1;
    revoke(&client, &leaf, "");
    CHECK_ANSWER(&ca, 400, "malformed");
    buf_free(&leaf.der);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void authorized_accounts_revoke(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    struct issued_leaf leaf;
    char order[128];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    issue(&client, "a.example,*.b.example", "", NULL, &leaf);
    ca_order_names(&other, "a.example,b.example", "", order, sizeof order);
    revoke(&other, &leaf, "");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    ca_order_names(&other, "*.b.example", "", order, sizeof order);
    revoke(&other, &leaf, "");
    CHECK_ANSWER(&ca, 200, NULL);
    buf_free(&leaf.der);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void certificate_keys_revoke(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client holder;
    struct issued_leaf leaf;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_client_open(&holder, &ca, (struct key_spec){KEY_RSA, 2048});
    issue(&client, "a.example", "", holder.key, &leaf);
    char account[128];
    (void)snprintf(account, sizeof account, "%s", client.account);
    client.account[0] = '\0';
    revoke(&client, &leaf, "");
    CHECK_ANSWER(&ca, 403, "unauthorized");
    revoke(&holder, &leaf, ",\"reason\":1");
    CHECK_ANSWER(&ca, 200, NULL);
    buf_free(&leaf.der);
    ca_client_close(&client);
    ca_client_close(&holder);
    ca_close(&ca);
}

static void window_read(struct ca_fixture *ca, const struct issued_leaf *leaf, int64_t *start,
                        int64_t *end)
{
    char path[256];
    char text[64];
    (void)snprintf(path, sizeof path, "/renewal-info/%s", leaf->info.ari_id);
    ca_send(ca, CA_GET, path, span_of(""));
    CHECK_ANSWER(ca, 200, NULL);
    ca_header(ca, "retry-after", text, sizeof text);
    CHECK_TEXT(text, "21600");
    CHECK(ca_header_find(&ca->response, "replay-nonce").data == NULL);
    const json_t *window = json_object_get(ca->json, "suggestedWindow");
    CHECK(time_parse_rfc3339(span_of(json_text(window, "start", 40)), start));
    CHECK(time_parse_rfc3339(span_of(json_text(window, "end", 40)), end));
}

static void renewal_is_suggested(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    struct issued_leaf leaves[4];
    int64_t start;
    int64_t end;
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    issue(&client, "a.example", "", NULL, &leaves[0]);
    issue(&other, "b.example", "", NULL, &leaves[1]);
    for (size_t i = 0; i < 2; i++) {
        window_read(&ca, &leaves[i], &start, &end);
        CHECK_INT((start + end) / 2, CA_NOW + 60 * 86400 - 1);
        CHECK_INT(end - start, 2 * 86400);
    }
    revoke(&client, &leaves[0], "");
    window_read(&ca, &leaves[0], &start, &end);
    CHECK(start < end && end < CA_NOW);
    acme_suggest_renewal(ca.acme, 1);
    window_read(&ca, &leaves[1], &start, &end);
    CHECK(start > CA_NOW);
    acme_suggest_renewal(ca.acme, 2);
    window_read(&ca, &leaves[1], &start, &end);
    CHECK(start < end && end < CA_NOW);
    issue(&client, "c.example", "", NULL, &leaves[2]);
    window_read(&ca, &leaves[2], &start, &end);
    CHECK(start > CA_NOW);
    issue(&client, "d.example", ",\"notAfter\":\"2026-09-21T14:13:50Z\"", NULL, &leaves[3]);
    window_read(&ca, &leaves[3], &start, &end);
    CHECK(CA_NOW < start && start < end && end < CA_NOW + 30);
    acme_suggest_renewal(ca.acme, 0);
    window_read(&ca, &leaves[2], &start, &end);
    CHECK(end < CA_NOW);
    static const char *const missing[] = {"", "x", "a.b", "a.b.c", ".", "..", "AAAA.AAAA"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/renewal-info/%s", missing[i]);
        ca_send(&ca, CA_GET, path, span_of(""));
        CHECK_ANSWER(&ca, i < 6 ? 400 : 404, "malformed");
    }
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++)
        buf_free(&leaves[i].der);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void orders_replace_certificates(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct ca_client other;
    struct issued_leaf leaf;
    char order[128];
    char more[256];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_enroll(&other, &ca);
    issue(&client, "a.example,b.example", "", NULL, &leaf);
    (void)snprintf(more, sizeof more, ",\"replaces\":\"%s\"", leaf.info.ari_id);
    ca_order_names(&client, "a.example", ",\"replaces\":7", order, sizeof order);
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_order_names(&client, "a.example", ",\"replaces\":\"a.b\"", order, sizeof order);
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_order_names(&client, "a.example", ",\"replaces\":\"AAAA.AAAA\"", order, sizeof order);
    CHECK_ANSWER(&ca, 404, "malformed");
    ca_order_names(&client, "c.example,*.a.example", more, order, sizeof order);
    CHECK_ANSWER(&ca, 400, "malformed");
    ca_order_names(&other, "a.example", more, order, sizeof order);
    CHECK_ANSWER(&ca, 403, "unauthorized");
    ca_order_names(&client, "b.example,c.example", more, order, sizeof order);
    CHECK_ANSWER(&ca, 201, NULL);
    CHECK_TEXT(ca_text(&ca, "replaces"), leaf.info.ari_id);
    ca_order_names(&client, "a.example", more, order, sizeof order);
    CHECK_ANSWER(&ca, 409, "alreadyReplaced");
    /* Unless the order that replaces it has failed. */
    ca_post(&client, "/authz/3", "{\"status\":\"deactivated\"}");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_order_names(&client, "a.example", more, order, sizeof order);
    CHECK_ANSWER(&ca, 201, NULL);
    buf_free(&leaf.der);
    ca_client_close(&client);
    ca_client_close(&other);
    ca_close(&ca);
}

static void issuers_and_lists_are_served(void)
{
    struct ca_fixture ca;
    struct ca_client client;
    struct issued_leaf leaves[2];
    char text[64];
    ca_open(&ca, &(struct acme_options){.prevalidated = true});
    ca_enroll(&client, &ca);
    ca_send(&ca, CA_GET, "/issuer/0", span_of(""));
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca.response.content_type, "application/pkix-cert");
    const unsigned char *at = (const unsigned char *)ca.response.body.data;
    X509 *issuer = d2i_X509(NULL, &at, (long)ca.response.body.len);
    CHECK(issuer != NULL);
    ca_send(&ca, CA_GET, "/issuer/0/1", span_of(""));
    CHECK_ANSWER(&ca, 200, NULL);
    at = (const unsigned char *)ca.response.body.data;
    X509 *cross = d2i_X509(NULL, &at, (long)ca.response.body.len);
    CHECK(cross != NULL &&
          X509_NAME_cmp(X509_get_subject_name(cross), X509_get_subject_name(issuer)) == 0);
    CHECK(X509_NAME_cmp(X509_get_issuer_name(cross), X509_get_issuer_name(issuer)) != 0);
    X509_free(cross);
    issue(&client, "a.example", "", NULL, &leaves[0]);
    issue(&client, "a.example", "", NULL, &leaves[1]);
    revoke(&client, &leaves[1], ",\"reason\":4");
    CHECK_ANSWER(&ca, 200, NULL);
    ca_send(&ca, CA_GET, "/crl/0", span_of(""));
    CHECK_ANSWER(&ca, 200, NULL);
    CHECK_TEXT(ca.response.content_type, "application/pkix-crl");
    at = (const unsigned char *)ca.response.body.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)ca.response.body.len);
    CHECK(list != NULL && X509_CRL_verify(list, X509_get0_pubkey(issuer)) == 1);
    for (size_t i = 0; i < 2; i++) {
        at = (const unsigned char *)leaves[i].der.data;
        X509 *leaf = d2i_X509(NULL, &at, (long)leaves[i].der.len);
        X509_REVOKED *entry = NULL;
        CHECK_INT(X509_CRL_get0_by_cert(list, &entry, leaf), i);
        X509_free(leaf);
        buf_free(&leaves[i].der);
    }
    X509_CRL_free(list);
    X509_free(issuer);
    ca_send(&ca, CA_POST, "/crl/0", span_of(""));
    CHECK_ANSWER(&ca, 405, "malformed");
    ca_header(&ca, "allow", text, sizeof text);
    CHECK_TEXT(text, "GET, HEAD");
    static const char *const missing[] = {"/crl/1",      "/crl/",       "/crl/x",
                                          "/issuer/99",  "/issuer/0/",  "/issuer/0/0",
                                          "/issuer/0/2", "/issuer/0/1/"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        ca_send(&ca, CA_GET, missing[i], span_of(""));
        CHECK_ANSWER(&ca, 404, "malformed");
    }
    ca_client_close(&client);
    ca_close(&ca);
}

static const struct test tests[] = {
    TEST(chains_have_alternates),      TEST(wished_times_are_kept),
    TEST(accounts_revoke_their_own),   TEST(authorized_accounts_revoke),
    TEST(certificate_keys_revoke),     TEST(renewal_is_suggested),
    TEST(orders_replace_certificates), TEST(issuers_and_lists_are_served),
};

TESTS_MAIN(tests)
