/* bench/ca/acme: requests to the load CA, with a body as it comes or one that an account signed. */
#include "crypto.h"

#include "base/json.h"
#include "ca/acme.h"
#include "crypto/csr.h"
#include "crypto/jws.h"

#include <string.h>

enum { NOW = 1790000000, INPUTS_A_CA = 4096 };

static struct crypto_context *crypto;
static struct issuer *issuer;
static struct jws_signer *signer;
static struct acme *acme;
static unsigned inputs;

/* Names are never really asked for here. */
void validator_report_to(struct validator *validator, validation_done *done, void *context)
{
    (void)validator;
    (void)done;
    (void)context;
}

bool validator_submit(struct validator *validator, const struct validation *validation)
{
    (void)validator;
    REQUIRE(validation->key_authorization != NULL && validation->identifier[0] != '*');
    return true;
}

void fuzz_prepare(void)
{
    struct error error;
    EVP_PKEY *key = NULL;
    crypto = fuzz_context();
    REQUIRE(issuer_new(crypto, &(struct issuer_options){0}, NOW, &issuer, &error));
    REQUIRE(key_generate(crypto, (struct key_spec){KEY_ECDSA, 256}, &key, &error));
    REQUIRE(jws_signer_new(crypto, key, &signer, &error));
    key_release(&key);
}

static void answer_is_checked(const struct ca_request *request, struct ca_response *response)
{
    json_t *json CLEANUP(json_release) = NULL;
    REQUIRE(response->status >= 200 && response->status < 600);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct ca_header *header = &response->headers[i];
        const char *value = response->header_text.data + header->offset;
        REQUIRE(memchr(value, '\r', header->len) == NULL);
        REQUIRE(memchr(value, '\n', header->len) == NULL);
    }
    if (request->method == CA_POST)
        REQUIRE(ca_header_find(response, "replay-nonce").len > 0);
    if (response->content_type != NULL && strstr(response->content_type, "json") != NULL)
        REQUIRE(json_parse(buf_span(&response->body), CA_BODY_MAX, &json, NULL));
    if (response->status >= 400) {
        REQUIRE(json_text(json, "type", 100) != NULL);
        fuzz_require_line(json_text(json, "detail", 1000));
    }
}

static void request_send(enum ca_method method, struct span path, struct span body, char *nonce)
{
    struct ca_response response;
    struct ca_request request = {.method = method,
                                 .path = path,
                                 .host = SPAN_LITERAL("ca.test"),
                                 .content_type = SPAN_LITERAL("application/jose+json"),
                                 .body = body,
                                 .address = "192.0.2.1",
                                 .tls = true,
                                 .now_us = (int64_t)NOW * 1000000 + inputs};
    ca_response_init(&response);
    acme_answer(acme, acme_endpoint(path), &request, &(struct acme_mood){.retry_after = "1"},
                &response);
    answer_is_checked(&request, &response);
    struct span value = ca_header_find(&response, "replay-nonce");
    if (nonce != NULL && value.len < 64) {
        memcpy(nonce, value.data, value.len);
        nonce[value.len] = '\0';
    }
    ca_response_free(&response);
}

static void request_sign(struct span path, struct span payload, bool by_account)
{
    char nonce[64] = "";
    struct buf url CLEANUP(buf_free);
    struct buf body CLEANUP(buf_free);
    buf_init(&url, 65536);
    buf_init(&body, JWS_MAX);
    request_send(CA_HEAD, SPAN_LITERAL("/new-nonce"), (struct span){0}, nonce);
    REQUIRE(buf_append_text(&url, "https://ca.test") && buf_append_span(&url, path));
    struct jws_header header = {
        .url = buf_text(&url), .nonce = nonce, .kid = by_account ? "https://ca.test/acct/1" : NULL};
    if (jws_sign(signer, &header, payload, &body, NULL))
        request_send(CA_POST, path, buf_span(&body), NULL);
}

/* A CA with an account, and an order that is ready. What inputs make of it would fill the memory:
 * now and then there is a new one. */
static void ca_renew(void)
{
    struct error error;
    acme_free(acme);
    __lsan_disable();
    REQUIRE(acme_new(&(struct acme_options){.prevalidated = inputs % 2 == 0,
                                            .always_valid = true,
                                            .reuse_authorizations = true,
                                            .orders_list = true,
                                            .predictable = true},
                     issuer, NULL, &acme, &error));
    __lsan_enable();
    request_sign(SPAN_LITERAL("/new-account"), SPAN_LITERAL("{}"), false);
    request_sign(SPAN_LITERAL("/new-order"),
                 SPAN_LITERAL("{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}]}"),
                 true);
}

/* The first byte says how; then comes the path, a line end, and the body or payload. */
void fuzz_input(struct span input)
{
    if (inputs++ % INPUTS_A_CA == 0)
        ca_renew();
    unsigned char how = input.len > 0 ? (unsigned char)input.data[0] : 0;
    struct span body = span_from(input, input.len > 0 ? 1 : 0);
    struct span path = span_split(&body, '\n');
    if (how % 4 == 0)
        request_send(CA_GET, path, body, NULL);
    else if (how % 4 == 1)
        request_send(CA_POST, path, body, NULL);
    else
        request_sign(path, body, how % 4 == 2);
}
