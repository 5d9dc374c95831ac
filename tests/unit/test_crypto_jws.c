/* crypto/jws: signatures checked by EVP_DigestVerify over what is parsed back, the vectors of RFC
 * 7515 and RFC 7638, hostile header values, and many threads on one signer. */
#include "pki.h"

#include "base/base64.h"
#include "base/json.h"
#include "crypto/jws.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <pthread.h>

/* The key of RFC 7515 appendix A.3, whose thumbprint is known from there on. */
static const char rfc7515_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
    "-----END PRIVATE KEY-----\n";
static const char rfc7515_jwk[] = "{\"crv\":\"P-256\",\"kty\":\"EC\","
                                  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

static struct jws_signer *signer_make(const struct crypto_context *context, EVP_PKEY *key)
{
    struct error error;
    struct jws_signer *signer = NULL;
    CHECK_OK(jws_signer_new(context, key, &signer, &error), error);
    return signer;
}

static struct jws_signer *signer_of_rfc7515(const struct crypto_context *context)
{
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK_OK(key_from_pem(context, span_of(rfc7515_key), &key, &error), error);
    struct jws_signer *signer = signer_make(context, key);
    EVP_PKEY_free(key);
    return signer;
}

static void decode(const json_t *jws, const char *name, struct buf *out)
{
    const char *text = json_text(jws, name, JWS_MAX);
    CHECK(text != NULL);
    buf_init(out, JWS_MAX);
    CHECK(base64url_decode(span_of(text), out));
}

/* Raw r and s become the DER that OpenSSL verifies. */
static int ecdsa_der(const struct buf *raw, unsigned char **der)
{
    int half = (int)raw->len / 2;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    const unsigned char *bytes = (const unsigned char *)raw->data;
    CHECK(ECDSA_SIG_set0(pair, BN_bin2bn(bytes, half, NULL), BN_bin2bn(bytes + half, half, NULL)) ==
          1);
    *der = NULL;
    int len = i2d_ECDSA_SIG(pair, der);
    ECDSA_SIG_free(pair);
    return len;
}

static bool verifies(EVP_PKEY *key, const char *digest, struct span input, const struct buf *raw)
{
    EVP_MD_CTX *verifier = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    bool is_ecdsa = EVP_PKEY_is_a(key, "EC");
    int len = is_ecdsa ? ecdsa_der(raw, &der) : (int)raw->len;
    CHECK(EVP_DigestVerifyInit_ex(verifier, NULL, digest, NULL, NULL, key, NULL) == 1);
    bool ok = EVP_DigestVerify(verifier, is_ecdsa ? der : (const unsigned char *)raw->data,
                               (size_t)len, (const unsigned char *)input.data, input.len) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(verifier);
    return ok;
}

/* Parses the JWS, verifies it, and gives its protected header. */
static json_t *check_jws(const struct buf *text, EVP_PKEY *key, const char *digest,
                         struct span payload)
{
    struct error error;
    json_t *jws = NULL;
    json_t *header = NULL;
    struct buf raw;
    struct buf part;
    struct buf input;
    CHECK_OK(json_parse(buf_span(text), JWS_MAX, &jws, &error), error);
    CHECK_INT(json_object_size(jws), 3);
    buf_init(&input, JWS_MAX);
    CHECK(buf_printf(&input, "%s.%s", json_text(jws, "protected", JWS_MAX),
                     json_text(jws, "payload", JWS_MAX)));
    decode(jws, "signature", &raw);
    CHECK(verifies(key, digest, buf_span(&input), &raw));
    input.data[0] ^= 1;
    CHECK(!verifies(key, digest, buf_span(&input), &raw));
    buf_free(&raw);
    decode(jws, "payload", &part);
    CHECK(span_equal(buf_span(&part), payload));
    buf_free(&part);
    decode(jws, "protected", &part);
    CHECK_OK(json_parse(buf_span(&part), JWS_MAX, &header, &error), error);
    buf_free(&part);
    buf_free(&input);
    json_decref(jws);
    return header;
}

static void the_verifier_takes_the_rfcs_signature(void)
{
    struct crypto_context *context = pki_context();
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK_OK(key_from_pem(context, span_of(rfc7515_key), &key, &error), error);
    struct buf raw;
    buf_init(&raw, 100);
    CHECK(base64url_decode(
        SPAN_LITERAL("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8IS"
                     "lSApmWQxfKTUJqPP3-Kg6NU1Q"),
        &raw));
    CHECK(verifies(key, "SHA256",
                   SPAN_LITERAL("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
                                "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"),
                   &raw));
    buf_free(&raw);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void jwks_and_thumbprints(void)
{
    struct crypto_context *context = pki_context();
    struct jws_signer *signer = signer_of_rfc7515(context);
    CHECK_TEXT(jws_signer_algorithm(signer), "ES256");
    CHECK_TEXT(jws_signer_jwk(signer), rfc7515_jwk);
    CHECK_TEXT(jws_signer_thumbprint(signer), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    jws_signer_free(signer);

    /* RFC 7638 section 3.1: an RSA key of which only the public half is known. */
    struct buf n;
    buf_init(&n, 1000);
    CHECK(base64url_decode(
        SPAN_LITERAL(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhD"
            "R1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6"
            "Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr"
            "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0"
            "Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"),
        &n));
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
    CHECK(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
          OSSL_PARAM_BLD_push_uint(builder, OSSL_PKEY_PARAM_RSA_E, 65537) == 1);
    OSSL_PARAM *parts = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *maker =
        EVP_PKEY_CTX_new_from_name(crypto_library(context), "RSA", crypto_properties(context));
    EVP_PKEY *key = NULL;
    CHECK(EVP_PKEY_fromdata_init(maker) == 1 &&
          EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parts) == 1);
    signer = signer_make(context, key);
    CHECK_TEXT(jws_signer_thumbprint(signer), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    CHECK_CONTAINS(jws_signer_jwk(signer), "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7");
    /* Half a key cannot sign, and says so. */
    struct error error;
    struct buf out;
    buf_init(&out, JWS_MAX);
    CHECK(!jws_sign(signer, &(struct jws_header){.url = "https://ca.example/"}, SPAN_LITERAL("{}"),
                    &out, &error));
    CHECK_INT(error.kind, ERROR_CRYPTO);
    CHECK_INT(out.len, 0);
    jws_signer_free(signer);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    OSSL_PARAM_free(parts);
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    buf_free(&n);
    crypto_context_free(context);
}

static void signatures_of_every_algorithm_verify(void)
{
    static const struct {
        struct key_spec spec;
        const char *name;
        const char *digest;
    } kinds[] = {{{KEY_ECDSA, 256}, "ES256", "SHA256"},
                 {{KEY_ECDSA, 384}, "ES384", "SHA384"},
                 {{KEY_RSA, 2048}, "RS256", "SHA256"},
                 {{KEY_RSA, 4096}, "RS256", "SHA256"}};
    struct crypto_context *context = pki_context();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct error error;
        struct buf out;
        EVP_PKEY *key = pki_key(context, kinds[i].spec.type, kinds[i].spec.bits);
        struct jws_signer *signer = signer_make(context, key);
        CHECK_TEXT(jws_signer_algorithm(signer), kinds[i].name);
        /* Often enough that r and s come with leading zero bytes. */
        for (int round = 0; round < (kinds[i].spec.type == KEY_ECDSA ? 600 : 2); round++) {
            struct jws_header header = {.url = "https://ca.example/acme/order/7",
                                        .nonce = "bm9uY2U",
                                        .kid = "https://ca.example/acme/acct/1"};
            buf_init(&out, JWS_MAX);
            CHECK_OK(jws_sign(signer, &header, SPAN_LITERAL("{\"csr\":\"MIIB\"}"), &out, &error),
                     error);
            json_t *got = check_jws(&out, key, kinds[i].digest, SPAN_LITERAL("{\"csr\":\"MIIB\"}"));
            CHECK_INT(json_object_size(got), 4);
            CHECK_TEXT(json_text(got, "alg", 99), kinds[i].name);
            CHECK_TEXT(json_text(got, "url", 99), header.url);
            CHECK_TEXT(json_text(got, "nonce", 99), header.nonce);
            CHECK_TEXT(json_text(got, "kid", 99), header.kid);
            json_decref(got);
            buf_free(&out);
        }
        jws_signer_free(signer);
        EVP_PKEY_free(key);
    }
    crypto_context_free(context);
}

/* RFC 7518 section 3.4: r and s are as wide as the curve, whatever they begin with. */
static void short_numbers_are_padded(void)
{
    enum { ROUNDS_MAX = 50000, WIDTH = 48 };
    static const enum crypto_way ways[] = {CRYPTO_AUTO, CRYPTO_OPENSSL};
    const struct jws_header header = {.url = "https://ca.example/"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct crypto_context *context = NULL;
        struct error error;
        const struct crypto_options options = {.way = ways[i]};
        CHECK_OK(crypto_context_new(&options, &context, &error), error);
        EVP_PKEY *key = pki_key(context, KEY_ECDSA, 384);
        struct jws_signer *signer = signer_make(context, key);
        unsigned seen[2] = {0};
        for (int round = 0; (seen[0] == 0 || seen[1] == 0) && round < ROUNDS_MAX; round++) {
            struct buf out;
            struct buf raw;
            buf_init(&out, JWS_MAX);
            CHECK_OK(jws_sign(signer, &header, SPAN_LITERAL("{}"), &out, &error), error);
            json_t *jws = json_loads(buf_text(&out), 0, NULL);
            CHECK(jws != NULL);
            decode(jws, "signature", &raw);
            CHECK_INT(raw.len, 2 * WIDTH);
            bool is_short[2] = {raw.data[0] == 0, raw.data[WIDTH] == 0};
            seen[0] += is_short[0];
            seen[1] += is_short[1];
            if (is_short[0] || is_short[1])
                json_decref(check_jws(&out, key, "SHA384", SPAN_LITERAL("{}")));
            json_decref(jws);
            buf_free(&raw);
            buf_free(&out);
        }
        CHECK(seen[0] > 0 && seen[1] > 0);
        jws_signer_free(signer);
        EVP_PKEY_free(key);
        crypto_context_free(context);
    }
}

static void headers_without_kid_or_nonce(void)
{
    struct crypto_context *context = pki_context();
    struct error error;
    struct buf out;
    struct buf jwk;
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    struct jws_signer *signer = signer_make(context, key);
    buf_init(&out, JWS_MAX);
    buf_init(&jwk, JWS_MAX);
    CHECK_OK(jws_sign(signer, &(struct jws_header){.url = "https://ca.example/key-change"},
                      (struct span){0}, &out, &error),
             error);
    CHECK_CONTAINS(buf_text(&out), "\"payload\":\"\""); /* POST-as-GET */
    json_t *header = check_jws(&out, key, "SHA256", SPAN_LITERAL(""));
    CHECK_INT(json_object_size(header), 3);
    CHECK(json_append(&jwk, json_object_get(header, "jwk")));
    CHECK_TEXT(buf_text(&jwk), jws_signer_jwk(signer));
    json_decref(header);
    buf_free(&out);
    buf_free(&jwk);
    jws_signer_free(signer);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void hostile_values_stay_values(void)
{
    static const char *const values[] = {
        "\",\"alg\":\"none\",\"x\":\"", "\\",   "\\\",", "a\nb\x01\x7f", "</script>",
        "gr\xc3\xbc\xc3\x9f",           "%s%n", ""};
    struct crypto_context *context = pki_context();
    struct error error;
    struct buf out;
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    struct jws_signer *signer = signer_make(context, key);
    buf_init(&out, JWS_MAX);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct jws_header header = {.url = values[i], .nonce = values[i], .kid = values[i]};
        buf_clear(&out);
        CHECK_OK(jws_sign(signer, &header, span_of(values[i]), &out, &error), error);
        json_t *got = check_jws(&out, key, "SHA256", span_of(values[i]));
        CHECK_INT(json_object_size(got), 4);
        CHECK_TEXT(json_text(got, "alg", 99), "ES256");
        CHECK_TEXT(json_text(got, "url", 99), values[i]);
        CHECK_TEXT(json_text(got, "nonce", 99), values[i]);
        CHECK_TEXT(json_text(got, "kid", 99), values[i]);
        json_decref(got);
    }
    buf_clear(&out);
    static const char *const wrong[] = {"\xff", "\xc0\xaf", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct jws_header header = {.url = "https://ca.example/", .nonce = wrong[i], .kid = "k"};
        CHECK(!jws_sign(signer, &header, SPAN_LITERAL("{}"), &out, &error));
        CHECK_INT(error.kind, ERROR_PROTOCOL);
        header = (struct jws_header){.url = wrong[i], .nonce = "n", .kid = "k"};
        CHECK(!jws_sign(signer, &header, SPAN_LITERAL("{}"), &out, &error));
        header = (struct jws_header){.url = "https://ca.example/", .nonce = "n", .kid = wrong[i]};
        CHECK(!jws_sign(signer, &header, SPAN_LITERAL("{}"), &out, &error));
        CHECK(!jws_external_binding(signer, "https://ca.example/", wrong[i], SPAN_LITERAL("key"),
                                    &out, &error));
        CHECK_INT(error.kind, ERROR_PROTOCOL);
    }
    CHECK_INT(out.len, 0);
    /* Ceilings: the payload's, a header's, and the caller's own buffer, which keeps what it held.
     */
    char *large = calloc(1, JWS_MAX);
    CHECK(large != NULL);
    memset(large, 'x', JWS_MAX - 1);
    struct jws_header header = {.url = "https://ca.example/", .nonce = "n", .kid = "k"};
    CHECK(!jws_sign(signer, &header, span_make(large, JWS_MAX), &out, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    header.nonce = large;
    CHECK(!jws_sign(signer, &header, SPAN_LITERAL("{}"), &out, &error));
    header.nonce = "n";
    free(large);
    buf_free(&out);
    buf_init(&out, 60);
    CHECK(buf_append_text(&out, "kept"));
    CHECK(!jws_sign(signer, &header, SPAN_LITERAL("{}"), &out, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_TEXT(buf_text(&out), "kept");
    CHECK(!jws_key_authorization(signer, SPAN_LITERAL("token-of-more-than-ten-bytes"), &out));
    CHECK_TEXT(buf_text(&out), "kept");
    buf_free(&out);
    jws_signer_free(signer);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void keys_that_acme_does_not_take(void)
{
    struct crypto_context *context = pki_context();
    struct error error;
    struct jws_signer *signer = NULL;
    EVP_PKEY *keys[] = {pki_key(context, KEY_ECDSA, 521), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < 2; i++) {
        CHECK(!jws_signer_new(context, keys[i], &signer, &error));
        CHECK_INT(error.kind, ERROR_CONFIG);
        EVP_PKEY_free(keys[i]);
    }
    jws_signer_free(NULL);
    crypto_context_free(context);
}

/* Computed apart, with Python's hmac and hashlib. */
static void bindings_and_challenges(void)
{
    struct crypto_context *context = pki_context();
    struct jws_signer *signer = signer_of_rfc7515(context);
    struct error error;
    struct buf out;
    buf_init(&out, JWS_MAX);
    CHECK_OK(jws_external_binding(signer, "https://ca.example/acme/new-account", "kid-1",
                                  SPAN_LITERAL("0123456789abcdef0123456789abcdef"), &out, &error),
             error);
    CHECK_TEXT(
        buf_text(&out),
        "{\"protected\":\"eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC0xIiwidXJsIjoiaHR0cHM6Ly9jYS5leGFt"
        "cGxlL2FjbWUvbmV3LWFjY291bnQifQ\",\"payload\":\"eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI"
        "6ImY4M09KM0QyeEYxQmc4dnViOXRMZTFnSE16Vjc2ZThUdXM5dVBIdlJWRVUiLCJ5IjoieF9GRXpSdTltMzZIT"
        "E5fdHVlNjU5TE5wWFc2cEN5U3Rpa1lqS0lXSTVhMCJ9\",\"signature\":\"mwPzTXBh3bTcbpWip6ADm1xM"
        "c3HjqKOJGgKEKiu6BTM\"}");
    buf_clear(&out);
    CHECK(!jws_external_binding(signer, "https://ca.example/", "kid", (struct span){0}, &out,
                                &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(jws_key_authorization(signer, SPAN_LITERAL("tok_en-1"), &out));
    CHECK_TEXT(buf_text(&out), "tok_en-1.oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    buf_clear(&out);
    CHECK_OK(jws_dns_value(context,
                           SPAN_LITERAL("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
                                        "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"),
                           &out, &error),
             error);
    CHECK_TEXT(buf_text(&out), "lCM7cZyQXcVHK2nnW3jjAhNT3Fvm18UN-kWZZknKoYM");
    buf_free(&out);
    jws_signer_free(signer);
    crypto_context_free(context);
}

struct shared {
    const struct jws_signer *signer;
    EVP_PKEY *key;
    const char *digest;
    int rounds;
};

static void *sign_often(void *argument)
{
    const struct shared *shared = argument;
    for (int i = 0; i < shared->rounds; i++) {
        struct error error;
        struct buf out;
        char nonce[32];
        snprintf(nonce, sizeof nonce, "nonce-%d", i);
        struct jws_header header = {
            .url = "https://ca.example/o", .nonce = nonce, .kid = i % 4 == 0 ? NULL : "k"};
        buf_init(&out, JWS_MAX);
        CHECK_OK(jws_sign(shared->signer, &header, span_of(nonce), &out, &error), error);
        json_t *got = check_jws(&out, shared->key, shared->digest, span_of(nonce));
        CHECK_TEXT(json_text(got, "nonce", 99), nonce);
        json_decref(got);
        buf_free(&out);
    }
    return NULL;
}

static void many_threads_sign_at_once(void)
{
    struct crypto_context *context = pki_context();
    for (int kind = 0; kind < 2; kind++) {
        EVP_PKEY *key = pki_key(context, kind == 0 ? KEY_ECDSA : KEY_RSA, kind == 0 ? 256 : 2048);
        struct jws_signer *signer = signer_make(context, key);
        struct shared shared = {
            .signer = signer, .key = key, .digest = "SHA256", .rounds = kind == 0 ? 200 : 30};
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            CHECK(pthread_create(&threads[i], NULL, sign_often, &shared) == 0);
        for (int i = 0; i < 4; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        jws_signer_free(signer);
        EVP_PKEY_free(key);
    }
    crypto_context_free(context);
}

static const struct test tests[] = {
    TEST(the_verifier_takes_the_rfcs_signature),
    TEST(jwks_and_thumbprints),
    TEST(signatures_of_every_algorithm_verify),
    TEST(short_numbers_are_padded),
    TEST(headers_without_kid_or_nonce),
    TEST(hostile_values_stay_values),
    TEST(keys_that_acme_does_not_take),
    TEST(bindings_and_challenges),
    TEST(many_threads_sign_at_once),
};

TESTS_MAIN(tests)
