/* A load CA without a socket, and a client of it: requests are signed as certmill signs them. */
#ifndef CERTMILL_TEST_CA_FIXTURE_H
#define CERTMILL_TEST_CA_FIXTURE_H

#include "check.h"

#include "base/base64.h"
#include "base/json.h"
#include "ca/acme.h"
#include "crypto/csr.h"
#include "crypto/jws.h"

#include <openssl/evp.h>

#define CA_NOW  1790000000 /* 2026-09-21T14:13:20Z */
#define CA_HOST "ca.test:14000"
#define CA_BASE "https://" CA_HOST

/* Stands in for the validator of validate.h, which asks the network: the test says how validations
 * end. */
struct validator {
    validation_done *done;
    void *context;
    unsigned submitted;
    uint64_t id;
    enum validation_method method;
    bool is_address;
    char identifier[256];
    char token[64];
    char key_authorization[256];
    int64_t wait_us;
    bool fail; /* submitting fails */
};

static struct validator ca_validator;

void validator_report_to(struct validator *validator, validation_done *done, void *context)
{
    validator->done = done;
    validator->context = context;
}

bool validator_submit(struct validator *validator, const struct validation *validation)
{
    if (validator->fail)
        return false;
    validator->submitted++;
    validator->id = validation->id;
    validator->method = validation->method;
    validator->is_address = validation->is_address;
    validator->wait_us = validation->wait_us;
    (void)snprintf(validator->identifier, sizeof validator->identifier, "%s",
                   validation->identifier);
    (void)snprintf(validator->token, sizeof validator->token, "%s", validation->token);
    (void)snprintf(validator->key_authorization, sizeof validator->key_authorization, "%s",
                   validation->key_authorization);
    return true;
}

struct ca_fixture {
    struct crypto_context *crypto;
    struct issuer *issuer;
    struct acme *acme;
    struct acme_options options;
    struct acme_mood mood;
    int64_t now_us;
    struct ca_response response; /* the last */
    json_t *json;                /* its body, or NULL */
    const char *host;
    const char *content_type;
    bool plain; /* no TLS */
};

struct ca_client {
    struct ca_fixture *ca;
    EVP_PKEY *key;
    struct jws_signer *signer;
    char account[128]; /* its URL; "" signs with the key itself */
};

static inline void ca_open(struct ca_fixture *ca, const struct acme_options *options)
{
    struct error error;
    memset(ca, 0, sizeof *ca);
    memset(&ca_validator, 0, sizeof ca_validator);
    ca->options = *options;
    ca->now_us = (int64_t)CA_NOW * 1000000;
    ca->host = CA_HOST;
    ca->content_type = "application/jose+json";
    CHECK_OK(crypto_context_new(&(struct crypto_options){0}, &ca->crypto, &error), error);
    CHECK_OK(issuer_new(ca->crypto, &(struct issuer_options){.key = {KEY_ECDSA, 256}}, CA_NOW,
                        &ca->issuer, &error),
             error);
    CHECK_OK(acme_new(options, ca->issuer, &ca_validator, &ca->acme, &error), error);
    ca_response_init(&ca->response);
}

static inline void ca_close(struct ca_fixture *ca)
{
    acme_free(ca->acme);
    issuer_free(ca->issuer);
    crypto_context_free(ca->crypto);
    ca_response_free(&ca->response);
    json_decref(ca->json);
}

static inline void ca_send(struct ca_fixture *ca, enum ca_method method, const char *path,
                           struct span body)
{
    struct ca_request request = {.method = method,
                                 .path = span_of(path),
                                 .host = span_of(ca->host),
                                 .content_type = span_of(ca->content_type),
                                 .body = body,
                                 .address = "192.0.2.1",
                                 .tls = !ca->plain,
                                 .now_us = ca->now_us};
    ca_response_reset(&ca->response);
    json_decref(ca->json);
    ca->json = NULL;
    acme_answer(ca->acme, acme_endpoint(request.path), &request, &ca->mood, &ca->response);
    CHECK(ca->response.status >= 200 && ca->response.status < 600);
    struct span text = buf_span(&ca->response.body);
    if (ca->response.content_type != NULL && strstr(ca->response.content_type, "json") != NULL) {
        struct error error;
        CHECK_OK(json_parse(text, CA_BODY_MAX, &ca->json, &error), error);
    }
    if (ca->response.status >= 400)
        CHECK_INT(json_number(ca->json, "status", 0), ca->response.status);
}

static inline void ca_header(const struct ca_fixture *ca, const char *name, char *text, size_t size)
{
    struct span value = ca_header_find(&ca->response, name);
    CHECK(value.len < size);
    (void)snprintf(text, size, "%.*s", SPAN_PRINTF(value));
}

/* Is there a link with this relation? Gives its URL. */
static inline bool ca_find_link(const struct ca_fixture *ca, const char *relation, char *url,
                                size_t size)
{
    char end[64];
    (void)snprintf(end, sizeof end, ">;rel=\"%s\"", relation);
    for (size_t i = 0; i < ca->response.header_count; i++) {
        const struct ca_header *header = &ca->response.headers[i];
        struct span value = span_make(ca->response.header_text.data + header->offset, header->len);
        if (strcmp(header->name, "link") == 0 && span_ends(value, end)) {
            (void)snprintf(url, size, "%.*s", (int)(value.len - strlen(end) - 1), value.data + 1);
            return true;
        }
    }
    return false;
}

static inline const char *ca_text(const struct ca_fixture *ca, const char *name)
{
    const char *text = json_text(ca->json, name, 4096);
    CHECK(text != NULL);
    return text;
}

/* Checks the last answer. `type` NULL: no problem. */
#define CHECK_ANSWER(ca, status_, type)                                                  \
    do {                                                                                 \
        if ((ca)->response.status != (status_))                                          \
            fprintf(stderr, "%s\n", buf_text(&(ca)->response.body));                     \
        CHECK_INT((ca)->response.status, (status_));                                     \
        const char *check_type = (type);                                                 \
        if (check_type != NULL) {                                                        \
            char check_urn[96];                                                          \
            (void)snprintf(check_urn, sizeof check_urn, "urn:ietf:params:acme:error:%s", \
                           check_type);                                                  \
            CHECK_TEXT(json_text((ca)->json, "type", 200), check_urn);                   \
            CHECK_TEXT((ca)->response.content_type, "application/problem+json");         \
        }                                                                                \
    } while (0)

static inline void ca_nonce(struct ca_fixture *ca, char *nonce, size_t size)
{
    struct ca_response response;
    struct ca_request request = {.method = CA_HEAD,
                                 .path = SPAN_LITERAL("/new-nonce"),
                                 .host = span_of(ca->host),
                                 .tls = true,
                                 .now_us = ca->now_us};
    ca_response_init(&response);
    acme_answer(ca->acme, CA_NEW_NONCE, &request, &ca->mood, &response);
    CHECK_INT(response.status, 200);
    struct span value = ca_header_find(&response, "replay-nonce");
    CHECK(value.len > 0);
    (void)snprintf(nonce, size, "%.*s", SPAN_PRINTF(value));
    ca_response_free(&response);
}

static inline void ca_client_open(struct ca_client *client, struct ca_fixture *ca,
                                  struct key_spec spec)
{
    struct error error;
    memset(client, 0, sizeof *client);
    client->ca = ca;
    CHECK_OK(key_generate(ca->crypto, spec, &client->key, &error), error);
    CHECK_OK(jws_signer_new(ca->crypto, client->key, &client->signer, &error), error);
}

static inline void ca_client_close(struct ca_client *client)
{
    jws_signer_free(client->signer);
    EVP_PKEY_free(client->key);
}

/* Appends the JWS of a request to a path. */
static inline void ca_sign(struct ca_client *client, const char *path, const char *payload,
                           struct buf *body)
{
    struct error error;
    char nonce[64];
    char url[600];
    ca_nonce(client->ca, nonce, sizeof nonce);
    (void)snprintf(url, sizeof url, "%s%s", CA_BASE, path);
    CHECK_OK(
        jws_sign(client->signer,
                 &(struct jws_header){.url = url,
                                      .nonce = nonce,
                                      .kid = client->account[0] != '\0' ? client->account : NULL},
                 span_of(payload), body, &error),
        error);
}

/* `target` is a path or one of the CA's URLs; `payload` "": POST-as-GET. */
static inline void ca_post(struct ca_client *client, const char *target, const char *payload)
{
    struct buf body CLEANUP(buf_free);
    const char *path = target;
    char copy[512];
    if (strncmp(target, CA_BASE, strlen(CA_BASE)) == 0)
        path = target + strlen(CA_BASE);
    (void)snprintf(copy, sizeof copy, "%s", path); /* the answer's JSON may hold the target */
    buf_init(&body, JWS_MAX);
    ca_sign(client, copy, payload, &body);
    ca_send(client->ca, CA_POST, copy, buf_span(&body));
}

static inline void ca_enroll(struct ca_client *client, struct ca_fixture *ca)
{
    ca_client_open(client, ca, (struct key_spec){KEY_ECDSA, 256});
    ca_post(client, "/new-account", "{\"termsOfServiceAgreed\":true}");
    CHECK_ANSWER(ca, 201, NULL);
    ca_header(ca, "location", client->account, sizeof client->account);
}

/* Makes an order for names separated by commas, of type dns; its path goes to `order`. */
static inline void ca_order_names(struct ca_client *client, const char *names, const char *more,
                                  char *order, size_t size)
{
    char payload[4096] = "{\"identifiers\":[";
    struct span rest = span_of(names);
    while (rest.data != NULL) {
        struct span name = span_split(&rest, ',');
        size_t len = strlen(payload);
        (void)snprintf(payload + len, sizeof payload - len,
                       "{\"type\":\"dns\",\"value\":\"%.*s\"}%s", SPAN_PRINTF(name),
                       rest.data != NULL ? "," : "");
    }
    size_t len = strlen(payload);
    (void)snprintf(payload + len, sizeof payload - len, "]%s}", more);
    ca_post(client, "/new-order", payload);
    if (client->ca->response.status == 201)
        ca_header(client->ca, "location", order, size);
}

/* The payload of a finalize for names separated by commas; the key's, or a new one's. */
static inline void ca_csr(struct ca_client *client, const char *names, EVP_PKEY *key,
                          struct buf *payload)
{
    struct error error;
    const char *list[64];
    char copy[4096];
    size_t count = 0;
    (void)snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok(copy, ","); name != NULL; name = strtok(NULL, ","))
        list[count++] = name;
    struct buf der CLEANUP(buf_free);
    buf_init(&der, (size_t)64 * 1024);
    EVP_PKEY *made = NULL;
    if (key == NULL)
        CHECK_OK(key_generate(client->ca->crypto, (struct key_spec){KEY_ECDSA, 256}, &made, &error),
                 error);
    CHECK_OK(csr_make(client->ca->crypto, key != NULL ? key : made, list, count, &der, &error),
             error);
    EVP_PKEY_free(made);
    buf_init(payload, (size_t)128 * 1024);
    CHECK(buf_append_text(payload, "{\"csr\":\"") && base64url_append(payload, der.data, der.len) &&
          buf_append_text(payload, "\"}"));
}

/* From "https://.../order/7" to "/finalize/7". */
static inline void ca_finalize_path(const char *order, char *path, size_t size)
{
    (void)snprintf(path, size, "/finalize%s", strrchr(order, '/'));
}

static inline void ca_finalize(struct ca_client *client, const char *order, const char *names)
{
    char path[64];
    struct buf payload CLEANUP(buf_free);
    ca_csr(client, names, NULL, &payload);
    ca_finalize_path(order, path, sizeof path);
    ca_post(client, path, buf_text(&payload));
}

#endif
