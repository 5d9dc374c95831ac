/* External account binding: RFC 8555 section 7.3.4. */
#include "account_key_read.h"
#include "call.h"

#include "context_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum { HS256_BYTES = 32 };

static bool hs256_good(const struct acme *acme, struct span key, struct span input,
                       struct span signature)
{
    unsigned char expected[HS256_BYTES];
    size_t len = 0;
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(crypto_hmac(acme->crypto));
    bool made = mac != NULL &&
                EVP_MAC_init(mac, (const unsigned char *)key.data, key.len, parameters) == 1 &&
                EVP_MAC_update(mac, (const unsigned char *)input.data, input.len) == 1 &&
                EVP_MAC_final(mac, expected, &len, sizeof expected) == 1;
    EVP_MAC_CTX_free(mac);
    return made && len == sizeof expected && signature.len == len &&
           CRYPTO_memcmp(expected, signature.data, len) == 0;
}

static int eab_number(const struct acme *acme, struct span id)
{
    for (size_t i = 0; i < acme->options.eab_key_count; i++) {
        if (span_is(id, acme->options.eab_keys[i].id))
            return (int)i;
    }
    return -1;
}

/* The header's fields, each as the RFC wants it. */
static bool header_check(struct ca_call *call, const struct ca_jws *jws)
{
    if (!span_is(jws->algorithm, "HS256"))
        return ca_refuse(call, 400, "badSignatureAlgorithm",
                         "the \"alg\" field of the external account binding must be HS256");
    if (jws->has_nonce)
        return ca_refuse(call, 400, "malformed",
                         "the \"nonce\" field must be absent in external account binding");
    if (jws->kid.len == 0)
        return ca_refuse(call, 400, "malformed",
                         "the \"kid\" field is required in external account binding");
    if (!ca_jws_is_for(jws, call))
        return ca_refuse(call, 400, "malformed",
                         "the \"url\" field in external account binding differs from outer JWS");
    return true;
}

static bool payload_check(struct ca_call *call, struct span payload)
{
    struct ca_json jwk;
    struct ca_key *key = NULL;
    if (!ca_json_read(payload, &jwk) || !ca_key_read(call->acme->crypto, jwk, &key, NULL))
        return ca_refuse(call, 400, "malformed", "external account binding JWK payload malformed");
    bool same = memcmp(key->spki_digest, call->key->spki_digest, CA_KEY_DIGEST) == 0;
    ca_key_release(key);
    return same || ca_refuse(call, 400, "badPublicKey",
                             "external account binding payload key does not match account key "
                             "authenticating request");
}

bool ca_binding_check(struct ca_call *call, struct ca_json binding, int *ret_number)
{
    struct acme *acme = call->acme;
    struct ca_jws jws;
    struct error error;
    if (binding.kind == CA_JSON_NONE || binding.kind == CA_JSON_NULL) {
        if (acme->options.eab_required)
            return ca_refuse(call, 403, "externalAccountRequired",
                             "newAccount requests must include a value for the "
                             "\"externalAccountBinding\" field");
        *ret_number = -1;
        return true;
    }
    if (!ca_jws_read(binding, &call->arena, &jws, &error))
        return ca_refuse(call, 400, "malformed", "failed to decode external account binding: %s",
                         error.text);
    TRY(header_check(call, &jws));
    int number = eab_number(acme, jws.kid);
    if (number < 0)
        return ca_refuse(call, 403, "unauthorized",
                         "the field \"kid\" references a key that is not known to the ACME server");
    if (!hs256_good(acme, acme->options.eab_keys[number].key, jws.input, jws.signature))
        return ca_refuse(call, 403, "unauthorized",
                         "external account binding JWS verification error");
    TRY(payload_check(call, jws.payload));
    *ret_number = number;
    return true;
}
