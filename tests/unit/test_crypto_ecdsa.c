/* The verifier with a table must say of every signature what OpenSSL's own verification says. */
#include "check.h"
#include "crypto/ecdsa.h"
#include "random.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#define SIGNATURE_MAX   160
#define SIGNATURES      40
#define DAMAGED_EACH    12
#define FIELD_MAX       66
#define DIGEST_OF(bits) ((bits) == 256 ? "SHA256" : "SHA384")

static struct crypto_context *context;

static const unsigned curves[] = {256, 384};

struct subject {
    unsigned bits;
    EVP_PKEY *key;
    struct ecdsa_verifier *verifier;
};

static struct subject subject_make(unsigned bits)
{
    struct error error;
    struct subject subject = {.bits = bits};
    CHECK_OK(key_generate(context, (struct key_spec){KEY_ECDSA, bits}, &subject.key, &error),
             error);
    CHECK_OK(ecdsa_verifier_new(context, subject.key, &subject.verifier, &error), error);
    return subject;
}

static void subject_free(struct subject *subject)
{
    ecdsa_verifier_free(subject->verifier);
    EVP_PKEY_free(subject->key);
}

static size_t sign(const struct subject *subject, struct span text, unsigned char *signature)
{
    size_t len = SIGNATURE_MAX;
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit_ex(signer, NULL, DIGEST_OF(subject->bits), crypto_library(context),
                                NULL, subject->key, NULL) == 1);
    CHECK(EVP_DigestSign(signer, signature, &len, (const unsigned char *)text.data, text.len) == 1);
    EVP_MD_CTX_free(signer);
    return len;
}

static unsigned hash_of(const struct subject *subject, struct span text, unsigned char *hash)
{
    unsigned len = 0;
    CHECK(EVP_Digest(text.data, text.len, hash, &len,
                     EVP_get_digestbyname(DIGEST_OF(subject->bits)), NULL) == 1);
    return len;
}

static bool openssl_says(const struct subject *subject, struct span hash, struct span signature)
{
    EVP_PKEY_CTX *verifier =
        EVP_PKEY_CTX_new_from_pkey(crypto_library(context), subject->key, NULL);
    CHECK(EVP_PKEY_verify_init(verifier) == 1);
    int result = EVP_PKEY_verify(verifier, (const unsigned char *)signature.data, signature.len,
                                 (const unsigned char *)hash.data, hash.len);
    EVP_PKEY_CTX_free(verifier);
    return result == 1;
}

static void good_and_damaged_signatures(void)
{
    for (size_t c = 0; c < sizeof curves / sizeof curves[0]; c++) {
        struct subject subject = subject_make(curves[c]);
        size_t refused = 0;
        for (int i = 0; i < SIGNATURES; i++) {
            char text[32];
            unsigned char signature[SIGNATURE_MAX];
            unsigned char hash[EVP_MAX_MD_SIZE];
            int len = snprintf(text, sizeof text, "text %d", i);
            struct span signed_text = span_make(text, (size_t)len);
            size_t signature_len = sign(&subject, signed_text, signature);
            struct span digest = span_make(hash, hash_of(&subject, signed_text, hash));
            struct span whole = span_make(signature, signature_len);
            CHECK(ecdsa_verify_der(subject.verifier, digest, whole));
            for (int d = 0; d < DAMAGED_EACH; d++) {
                bool in_hash = d % 3 == 0;
                unsigned char *bytes = in_hash ? hash : signature;
                size_t at = random_below(in_hash ? digest.len : signature_len);
                unsigned char bit = (unsigned char)(1U << random_below(8));
                bytes[at] ^= bit;
                bool taken = ecdsa_verify_der(subject.verifier, digest, whole);
                CHECK(taken == openssl_says(&subject, digest, whole));
                refused += !taken;
                bytes[at] ^= bit;
            }
            CHECK(!ecdsa_verify_der(subject.verifier, digest,
                                    span_make(signature, signature_len - 1)));
        }
        /* Only the hash's bits past the order's may be turned without harm: none has such. */
        CHECK_INT(refused, SIGNATURES * DAMAGED_EACH);
        subject_free(&subject);
    }
}

static void another_key_is_refused(void)
{
    for (size_t c = 0; c < sizeof curves / sizeof curves[0]; c++) {
        struct subject one = subject_make(curves[c]);
        struct subject other = subject_make(curves[c]);
        unsigned char signature[SIGNATURE_MAX];
        unsigned char hash[EVP_MAX_MD_SIZE];
        struct span text = SPAN_LITERAL("text");
        struct span whole = span_make(signature, sign(&one, text, signature));
        struct span digest = span_make(hash, hash_of(&one, text, hash));
        CHECK(ecdsa_verify_der(one.verifier, digest, whole));
        CHECK(!ecdsa_verify_der(other.verifier, digest, whole));
        subject_free(&one);
        subject_free(&other);
    }
}

/* r and s must lie between 1 and the order less 1; the order less s is as good as s. */
static void numbers_at_the_edges(void)
{
    struct subject subject = subject_make(256);
    unsigned char signature[SIGNATURE_MAX];
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned char r[32];
    unsigned char s[32];
    unsigned char order_bytes[32];
    unsigned char other[33];
    struct span text = SPAN_LITERAL("text");
    size_t len = sign(&subject, text, signature);
    struct span digest = span_make(hash, hash_of(&subject, text, hash));
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    BIGNUM *order = NULL;
    CHECK(BN_hex2bn(&order, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") >
          0);
    CHECK_INT(BN_bn2binpad(ECDSA_SIG_get0_r(pair), r, 32), 32);
    CHECK_INT(BN_bn2binpad(ECDSA_SIG_get0_s(pair), s, 32), 32);
    CHECK_INT(BN_bn2binpad(order, order_bytes, 32), 32);
    struct span good_r = span_make(r, 32);
    struct span good_s = span_make(s, 32);
    CHECK(ecdsa_verify(subject.verifier, digest, good_r, good_s));

    BIGNUM *number = BN_dup(order);
    CHECK(BN_sub(number, order, ECDSA_SIG_get0_s(pair)) == 1);
    CHECK_INT(BN_bn2binpad(number, other, 32), 32);
    CHECK(ecdsa_verify(subject.verifier, digest, good_r, span_make(other, 32)));
    CHECK(BN_add(number, order, ECDSA_SIG_get0_s(pair)) == 1);
    CHECK_INT(BN_bn2binpad(number, other, 33), 33);
    CHECK(!ecdsa_verify(subject.verifier, digest, good_r, span_make(other, 33)));

    static const unsigned char zeros[32];
    CHECK(!ecdsa_verify(subject.verifier, digest, good_r, span_make(zeros, 32)));
    CHECK(!ecdsa_verify(subject.verifier, digest, span_make(zeros, 32), good_s));
    CHECK(!ecdsa_verify(subject.verifier, digest, good_r, span_make(order_bytes, 32)));
    CHECK(!ecdsa_verify(subject.verifier, digest, span_make(order_bytes, 32), good_s));
    CHECK(!ecdsa_verify(subject.verifier, digest, good_r, (struct span){NULL, 0}));
    CHECK(!ecdsa_verify(subject.verifier, span_make(zeros, 32), good_r, good_s));
    BN_free(number);
    BN_free(order);
    ECDSA_SIG_free(pair);
    subject_free(&subject);
}

/* A public key of the point, written uncompressed. */
static EVP_PKEY *key_of_point(unsigned bits, const EC_GROUP *group, const EC_POINT *point)
{
    EVP_PKEY *key = NULL;
    unsigned char bytes[2 * FIELD_MAX + 1];
    char name[16];
    (void)snprintf(name, sizeof name, "P-%u", bits);
    size_t len =
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof bytes, NULL);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes, len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(crypto_library(context), "EC", NULL);
    CHECK(len > 0 && maker != NULL && EVP_PKEY_fromdata_init(maker) == 1 &&
          EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1);
    EVP_PKEY_CTX_free(maker);
    return key;
}

/* The x of a signature's point may be larger than the curve's order, and r is then x minus the
 * order. Nobody meets that by chance: a point R with such an x is looked for, and a key made for
 * which R is the point of the signature (r, 7) of a hash: Q = (7 R - hash G) / r. */
static void points_beyond_the_order(void)
{
    for (size_t c = 0; c < sizeof curves / sizeof curves[0]; c++) {
        struct subject subject = {.bits = curves[c]};
        struct error error;
        unsigned char hash[32] = {0};
        unsigned char r_bytes[FIELD_MAX];
        unsigned char s_bytes[] = {7};
        hash[31] = 5;
        EC_GROUP *group =
            EC_GROUP_new_by_curve_name(curves[c] == 256 ? NID_X9_62_prime256v1 : NID_secp384r1);
        const BIGNUM *order = EC_GROUP_get0_order(group);
        BN_CTX *scratch = BN_CTX_new();
        EC_POINT *point = EC_POINT_new(group);
        BIGNUM *x = BN_dup(order);
        BIGNUM *r = BN_new();
        BIGNUM *seven = BN_new();
        BIGNUM *minus_hash = BN_dup(order);
        BIGNUM *inverse = BN_new();
        CHECK(BN_set_word(seven, 7) == 1 && BN_sub_word(minus_hash, 5) == 1);
        do {
            CHECK(BN_add_word(x, 1) == 1);
        } while (EC_POINT_set_compressed_coordinates(group, point, x, 0, scratch) != 1);
        CHECK(BN_sub(r, x, order) == 1 && BN_mod_inverse(inverse, r, order, scratch) != NULL);
        CHECK(EC_POINT_mul(group, point, minus_hash, point, seven, scratch) == 1);
        CHECK(EC_POINT_mul(group, point, NULL, point, inverse, scratch) == 1);
        subject.key = key_of_point(curves[c], group, point);
        CHECK_OK(ecdsa_verifier_new(context, subject.key, &subject.verifier, &error), error);
        struct span r_span = span_make(r_bytes, (size_t)BN_bn2bin(r, r_bytes));
        struct span s_span = span_make(s_bytes, sizeof s_bytes);
        struct span hash_span = span_make(hash, sizeof hash);
        CHECK(ecdsa_verify(subject.verifier, hash_span, r_span, s_span));
        unsigned char der[SIGNATURE_MAX];
        unsigned char *at = der;
        ECDSA_SIG *signature = ECDSA_SIG_new();
        CHECK(ECDSA_SIG_set0(signature, r, seven) == 1);
        int len = i2d_ECDSA_SIG(signature, &at);
        CHECK(len > 0 && openssl_says(&subject, hash_span, span_make(der, (size_t)len)));
        s_bytes[0] = 8;
        CHECK(!ecdsa_verify(subject.verifier, hash_span, r_span, s_span));
        ECDSA_SIG_free(signature);
        BN_free(x);
        BN_free(minus_hash);
        BN_free(inverse);
        EC_POINT_free(point);
        EC_GROUP_free(group);
        BN_CTX_free(scratch);
        subject_free(&subject);
    }
}

static void der_is_read_strictly(void)
{
    static const struct span wrong[] = {
        {"", 0},
        {"\x30\x00", 2},
        {"\x30\x06\x02\x01\x01\x02\x01", 7},
        {"\x30\x06\x02\x01\x01\x02\x01\x01\x00", 9}, /* something behind it */
        {"\x30\x07\x02\x02\x00\x01\x02\x01\x01", 9}, /* a padded number */
        {"\x30\x06\x02\x01\x81\x02\x01\x01", 8},     /* a negative one */
        {"\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01", 11} /* three */,
    };
    struct subject subject = subject_make(384);
    static const unsigned char hash[48] = {1};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(!ecdsa_verify_der(subject.verifier, span_make(hash, sizeof hash), wrong[i]));
    subject_free(&subject);
}

static void other_keys_have_no_verifier(void)
{
    struct error error;
    EVP_PKEY *key;
    struct ecdsa_verifier *verifier = NULL;
    static const struct key_spec others[] = {{KEY_RSA, 2048}, {KEY_ECDSA, 521}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK_INT(ecdsa_verifier_pays_after(others[i]), 0);
        CHECK_OK(key_generate(context, others[i], &key, &error), error);
        CHECK(!ecdsa_verifier_new(context, key, &verifier, &error));
        CHECK_INT(error.kind, ERROR_CONFIG);
        CHECK(verifier == NULL);
        EVP_PKEY_free(key);
    }
}

static void context_make(void *unused)
{
    struct error error;
    (void)unused;
    CHECK_OK(crypto_context_new(&(struct crypto_options){0}, &context, &error), error);
}

static void context_free(void *unused)
{
    (void)unused;
    crypto_context_free(context);
}

static const struct test tests[] = {
    TEST(good_and_damaged_signatures), TEST(another_key_is_refused),
    TEST(numbers_at_the_edges),        TEST(der_is_read_strictly),
    TEST(other_keys_have_no_verifier), TEST(points_beyond_the_order),
};

int main(int argc, char **argv)
{
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, context_make,
                            context_free, NULL);
}
