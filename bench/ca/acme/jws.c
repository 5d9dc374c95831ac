/* Signed requests: RFC 8555 section 6. */
#include "account_key_read.h"
#include "call.h"

#include "base/base64.h"

#include <string.h>

enum { BODY_MAX = 256 * 1024 };

static bool jws_bad(struct error *error, const char *what)
{
    return error_set(error, ERROR_PROTOCOL, "%s", what);
}

/* Decodes strict base64url into the arena. */
static bool decode(struct span text, struct arena *arena, struct span *ret_bytes)
{
    struct buf bytes CLEANUP(buf_free);
    buf_init(&bytes, BODY_MAX);
    if (!base64url_decode(text, &bytes))
        return false;
    char *copy = arena_alloc(arena, bytes.len + 1);
    if (copy == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    *ret_bytes = span_make(copy, bytes.len);
    return true;
}

static bool header_text(struct ca_json value, struct arena *arena, const char *name,
                        struct span *ret_text, struct error *error)
{
    return ca_json_string(value, arena, ret_text) ||
           error_set(error, ERROR_PROTOCOL, "JWS header parameter \"%s\" is not a string", name);
}

static bool header_read(struct span text, struct arena *arena, struct ca_jws *jws,
                        struct error *error)
{
    struct ca_json header;
    struct ca_json value;
    struct span name;
    if (!ca_json_read(text, &header) || header.kind != CA_JSON_OBJECT)
        return jws_bad(error, "the JWS's protected header is not a JSON object");
    while (ca_json_member(&header.text, &name, &value)) {
        if (span_is(name, "alg")) {
            TRY(header_text(value, arena, "alg", &jws->algorithm, error));
        } else if (span_is(name, "nonce")) {
            jws->has_nonce = true;
            TRY(header_text(value, arena, "nonce", &jws->nonce, error));
        } else if (span_is(name, "url")) {
            TRY(header_text(value, arena, "url", &jws->url, error));
        } else if (span_is(name, "kid")) {
            TRY(header_text(value, arena, "kid", &jws->kid, error));
        } else if (span_is(name, "jwk")) {
            jws->jwk = value;
        } else if (span_is(name, "crit") || span_is(name, "b64")) {
            /* RFC 7515 section 4.1.11: what is not understood must not be passed over. */
            return jws_bad(error, "the JWS's protected header has extensions");
        }
    }
    return true;
}

bool ca_jws_read(struct ca_json object, struct arena *arena, struct ca_jws *ret_jws,
                 struct error *error)
{
    struct ca_jws jws = {0};
    struct ca_json header = {0};
    struct ca_json payload = {0};
    struct ca_json signature = {0};
    struct ca_json value;
    struct span name;
    struct span text;
    if (object.kind != CA_JSON_OBJECT)
        return jws_bad(error, "JWS is not a JSON object");
    for (struct span rest = object.text; ca_json_member(&rest, &name, &value);) {
        if (span_is(name, "protected"))
            header = value;
        else if (span_is(name, "payload"))
            payload = value;
        else if (span_is(name, "signature"))
            signature = value;
        else if (span_is(name, "header"))
            return jws_bad(error, "JWS \"header\" field not allowed. All headers must be in "
                                  "\"protected\" field");
        else if (span_is(name, "signatures"))
            return jws_bad(error, "JWS \"signatures\" field not allowed. Only the \"signature\" "
                                  "field should contain a signature");
    }
    if (header.kind != CA_JSON_STRING || payload.kind != CA_JSON_STRING ||
        signature.kind != CA_JSON_STRING)
        return jws_bad(error, "JWS must have the strings \"protected\", \"payload\" and "
                              "\"signature\"");
    if (!decode(header.text, arena, &text) || !decode(payload.text, arena, &jws.payload) ||
        !decode(signature.text, arena, &jws.signature))
        return jws_bad(error, "JWS is not base64url without padding");
    TRY(header_read(text, arena, &jws, error));
    size_t len = header.text.len + 1 + payload.text.len;
    char *input = arena_alloc(arena, len);
    if (input == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a request");
    memcpy(input, header.text.data, header.text.len);
    input[header.text.len] = '.';
    memcpy(input + header.text.len + 1, payload.text.data, payload.text.len);
    jws.input = span_make(input, len);
    *ret_jws = jws;
    return true;
}

static bool account_key(struct ca_call *call, const struct ca_jws *jws)
{
    struct span kid = jws->kid;
    uint64_t id;
    if (!span_starts(kid, call->base) ||
        !span_starts(kid = span_from(kid, strlen(call->base)), "/acct/"))
        return ca_refuse(call, 400, "malformed",
                         "Key ID (kid) in JWS header missing expected URL prefix");
    if (!span_to_u64(span_from(kid, strlen("/acct/")), UINT32_MAX, &id))
        id = 0;
    pthread_mutex_lock(&call->acme->lock);
    const struct ca_account *account = ca_table_at(&call->acme->accounts, id);
    if (account != NULL) {
        call->key = account->key;
        ca_key_take(call->key);
        call->account = account->id;
    }
    pthread_mutex_unlock(&call->acme->lock);
    return account != NULL || ca_refuse(call, 400, "accountDoesNotExist", "Account %.*s not found",
                                        SPAN_PRINTF(jws->kid));
}

static bool key_find(struct ca_call *call, enum ca_identity identity, const struct ca_jws *jws)
{
    bool has_key = jws->jwk.kind != CA_JSON_NONE;
    struct error error;
    if (has_key && jws->kid.len > 0)
        return ca_refuse(call, 400, "malformed",
                         "jwk and kid header fields are mutually exclusive");
    if (!has_key && (jws->kid.len == 0 || identity == CA_BY_KEY))
        return ca_refuse(call, 400, "malformed", "No %s in JWS header",
                         identity == CA_BY_KEY ? "JWK" : "Key ID (kid)");
    if (!has_key)
        return account_key(call, jws);
    if (identity == CA_BY_ACCOUNT)
        return ca_refuse(call, 400, "malformed", "No Key ID (kid) in JWS header");
    return ca_key_read(call->acme->crypto, jws->jwk, &call->key, &error) ||
           ca_refuse(call, 400, "badPublicKey", "%s", error.text);
}

/* RFC 8555 section 6.2: the answer lists the algorithms that the CA takes. */
static bool refuse_algorithm(struct ca_call *call)
{
    struct ca_out out;
    ca_answer_begin(call, 400, &out);
    call->response->content_type = "application/problem+json";
    ca_problem_members(&out, "badSignatureAlgorithm",
                       SPAN_LITERAL("signature type in JWS header is not supported or does not "
                                    "fit the key, expected one of ES256, ES384, ES512, RS256 or "
                                    "EdDSA"),
                       400);
    ca_out_key(&out, "algorithms");
    ca_out_raw(&out, SPAN_LITERAL(CA_ALGORITHMS));
    ca_answer_end(call, &out);
    return false;
}

static bool nonce_check(struct ca_call *call, const struct ca_jws *jws)
{
    if (jws->nonce.len == 0)
        return ca_refuse(call, 400, "badNonce", "JWS has no anti-replay nonce");
    bool good = ca_nonce_use(call->acme->nonces, jws->nonce, call->now);
    if (good && !call->mood->reject_nonce)
        return true;
    pthread_mutex_lock(&call->acme->lock);
    call->acme->counts.nonces_refused++;
    pthread_mutex_unlock(&call->acme->lock);
    return ca_refuse(call, 400, "badNonce", "JWS has an invalid anti-replay nonce: \"%.*s\"",
                     jws->nonce.len < 100 ? (int)jws->nonce.len : 100, jws->nonce.data);
}

bool ca_jws_is_for(const struct ca_jws *jws, const struct ca_call *call)
{
    return span_starts(jws->url, call->base) &&
           span_equal(span_from(jws->url, strlen(call->base)), call->request->path);
}

static bool url_check(struct ca_call *call, const struct ca_jws *jws)
{
    if (ca_jws_is_for(jws, call))
        return true;
    return ca_refuse(call, 403, "unauthorized",
                     "JWS header parameter \"url\" incorrect: the request was for \"%s%.*s\"",
                     call->base, SPAN_PRINTF(call->request->path));
}

/* RFC 8555 section 7.3.6: 401, where Pebble has 403. */
static bool account_check(struct ca_call *call)
{
    if (call->account == 0)
        return true;
    pthread_mutex_lock(&call->acme->lock);
    const struct ca_account *account = ca_table_at(&call->acme->accounts, call->account);
    /* The key may have been changed while the signature was checked. */
    bool same = account->key == call->key;
    bool live = account->status == CA_VALID;
    pthread_mutex_unlock(&call->acme->lock);
    if (!live)
        return ca_refuse(call, 401, "unauthorized", "Account has been deactivated");
    return same || ca_refuse(call, 403, "unauthorized", "The account has another key now");
}

static bool payload_read(struct ca_call *call, const struct ca_jws *jws)
{
    call->payload = jws->payload;
    if (jws->payload.len == 0 || ca_json_read(jws->payload, &call->body))
        return true;
    return ca_refuse(call, 400, "malformed", "Error unmarshaling body JSON");
}

bool ca_call_open(struct ca_call *call, enum ca_identity identity)
{
    const struct ca_request *request = call->request;
    struct ca_json object;
    struct ca_jws jws = {0};
    struct error error;
    if (!span_is(request->content_type, "application/jose+json"))
        return ca_refuse(call, 415, "malformed",
                         "%s Content-Type header on POST. Content-Type must be "
                         "\"application/jose+json\"",
                         request->content_type.len == 0 ? "missing" : "Invalid");
    if (request->body.len > BODY_MAX)
        return ca_refuse(call, 413, "malformed", "the request is larger than %d bytes", BODY_MAX);
    if (!ca_json_read(request->body, &object))
        return ca_refuse(call, 400, "malformed", "Parse error reading JWS");
    if (!ca_jws_read(object, &call->arena, &jws, &error))
        return ca_refuse(call, 400, "malformed", "%s", error.text);
    if (ca_algorithm_find(jws.algorithm) == NULL)
        return refuse_algorithm(call);
    TRY(key_find(call, identity, &jws));
    if (ca_algorithm_find(jws.algorithm) != call->key->algorithm)
        return refuse_algorithm(call);
    if (!ca_key_verify(call->key, jws.input, jws.signature))
        return ca_refuse(call, 400, "malformed",
                         "JWS verification error: error in cryptographic primitive");
    if (jws.url.len == 0)
        return ca_refuse(call, 400, "malformed", "JWS header parameter \"url\" required");
    return nonce_check(call, &jws) && url_check(call, &jws) && account_check(call) &&
           payload_read(call, &jws);
}

bool ca_call_is_get(struct ca_call *call)
{
    return call->body.kind == CA_JSON_NONE ||
           ca_refuse(call, 400, "malformed", "POST-as-GET requests must have a nil body");
}

bool ca_call_has_object(struct ca_call *call)
{
    return call->body.kind == CA_JSON_OBJECT ||
           ca_refuse(call, 400, "malformed", "the payload is not a JSON object");
}
