/* crypto/context, key and csr: every key type, against OpenSSL's own functions and its command. */
#include "pki.h"

#include "base/base64.h"
#include "crypto/csr.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/provider.h>

static void contexts_say_what_does_not_load(void)
{
    struct error error;
    struct crypto_context *context = NULL;
    static const char *const missing[] = {"no-such-provider", NULL};
    CHECK(!crypto_context_new(&(struct crypto_options){.providers = missing}, &context, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "no-such-provider");
    CHECK(!crypto_context_new(&(struct crypto_options){.openssl_config = "/nonexistent/x.cnf"},
                              &context, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "/nonexistent/x.cnf");
    CHECK(!crypto_context_new(&(struct crypto_options){.property_query = "fips=yes"}, &context,
                              &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "fips=yes");
    CHECK(!crypto_context_new(&(struct crypto_options){.property_query = "=,="}, &context, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(!crypto_context_new(&(struct crypto_options){.secure_heap_bytes = SIZE_MAX / 2}, &context,
                              &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(context == NULL);
    CHECK_INT(ERR_peek_error(), 0);
}

static void configurations_are_loaded(void)
{
    static const char text[] = "openssl_conf = main\n[main]\nproviders = list\n[list]\n"
                               "default = one\nlegacy = one\n[one]\nactivate = 1\n";
    char path[256];
    struct error error;
    struct crypto_context *context = NULL;
    pki_file(span_of(text), path, sizeof path);
    CHECK_OK(crypto_context_new(&(struct crypto_options){.openssl_config = path,
                                                         .property_query = "?provider=default"},
                                &context, &error),
             error);
    unlink(path);
    CHECK_TEXT(crypto_properties(context), "?provider=default");
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    CHECK_TEXT(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "default");
    EVP_PKEY_free(key);
    /* An algorithm that only the legacy provider has. */
    EVP_MD *md = EVP_MD_fetch(crypto_library(context), "MD4", "");
    CHECK(md != NULL);
    EVP_MD_free(md);
    crypto_context_free(context);
}

static void secrets_are_on_the_secure_heap(void)
{
    struct crypto_context *context = pki_context();
    struct crypto_secure_heap heap;
    crypto_secure_heap(&heap);
    CHECK(heap.bytes >= (size_t)1024 * 1024 && (heap.bytes & (heap.bytes - 1)) == 0);
    size_t before = heap.used;
    struct secret secret = {0};
    CHECK(secret_copy(SPAN_LITERAL("hmac key"), &secret));
    CHECK(CRYPTO_secure_allocated(secret.data));
    CHECK(span_is(secret_span(&secret), "hmac key"));
    CHECK_TEXT(secret.data, "hmac key");
    crypto_secure_heap(&heap);
    CHECK(heap.used > before);
    secret_free(&secret);
    CHECK(secret.data == NULL && secret.len == 0);
    secret_free(&secret);
    crypto_secure_heap(&heap);
    CHECK_INT(heap.used, before);
    CHECK(secret_copy((struct span){0}, &secret));
    CHECK_INT(secret.len, 0);
    secret_free(&secret);
    CHECK(span_is(secret_span(&secret), ""));
    crypto_context_free(context);
}

/* What OpenSSL's own encoder makes of the key. */
static void reference_pem(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    long len = BIO_get_mem_data(bio, &text);
    CHECK(len > 0 && buf_append(out, text, (size_t)len));
    BIO_free(bio);
}

static void keys_of_every_kind_go_round(void)
{
    struct crypto_context *context = pki_context();
    struct crypto_secure_heap heap;
    /* These seed the random generators, which stay. */
    EVP_PKEY_free(pki_key(context, KEY_ECDSA, 256));
    EVP_PKEY_free(pki_key(context, KEY_RSA, 2048));
    crypto_secure_heap(&heap);
    size_t used = heap.used;
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct error error;
        struct secret pem = {0};
        struct key_spec spec = {0};
        EVP_PKEY *key = pki_key(context, pki_specs[i].type, pki_specs[i].bits);
        CHECK(key_spec_of(key, &spec) && key_spec_equal(spec, pki_specs[i]));
        CHECK_OK(key_to_pem(context, key, &pem, &error), error);
        CHECK(CRYPTO_secure_allocated(pem.data));
        struct buf reference;
        buf_init(&reference, 8192);
        reference_pem(key, &reference);
        CHECK(span_equal(secret_span(&pem), buf_span(&reference)));
        EVP_PKEY *back = NULL;
        CHECK_OK(key_from_pem(context, secret_span(&pem), &back, &error), error);
        CHECK_INT(EVP_PKEY_eq(key, back), 1);
        if (spec.type == KEY_RSA) {
            BIGNUM *e = NULL;
            CHECK(EVP_PKEY_get_bn_param(back, OSSL_PKEY_PARAM_RSA_E, &e) == 1);
            CHECK(BN_is_word(e, 65537));
            BN_free(e);
        }
        struct buf out;
        unsigned char *public = NULL;
        buf_init(&out, 65536);
        int public_len = i2d_PUBKEY(key, &public);
        CHECK_OK(key_public_der(key, &out, &error), error);
        CHECK(span_equal(buf_span(&out), span_make(public, (size_t)public_len)));
        OPENSSL_free(public);
        buf_clear(&out);
        CHECK_INT(pki_openssl("pkey -check -noout", secret_span(&pem), &out), 0);
        CHECK_CONTAINS(buf_text(&out), "Key is valid");
        buf_free(&out);
        buf_free(&reference);
        secret_free(&pem);
        EVP_PKEY_free(back);
        EVP_PKEY_free(key);
    }
    crypto_secure_heap(&heap);
    CHECK_INT(heap.used, used);
    crypto_context_free(context);
}

/* A private number with leading zero bytes keeps its width, or half the readers refuse the key. */
static void small_private_numbers_keep_their_width(void)
{
    struct crypto_context *context = pki_context();
    static const char pem[] = /* the private number 1, whose public point is the generator */
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MDECAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABoAoGCCqGSM49\n"
        "AwEH\n"
        "-----END EC PRIVATE KEY-----\n";
    struct error error;
    EVP_PKEY *key = NULL;
    struct secret out = {0};
    CHECK_OK(key_from_pem(context, span_of(pem), &key, &error), error);
    CHECK_OK(key_to_pem(context, key, &out, &error), error);
    struct buf der;
    buf_init(&der, 8192);
    CHECK(base64_decode_lenient(
        span_make(out.data + strlen("-----BEGIN PRIVATE KEY-----"),
                  out.len - strlen("-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----\n")),
        &der));
    /* RFC 5915 section 3: as wide as the order, here 32 bytes. */
    char wanted[35] = "\x02\x01\x01\x04\x20";
    memset(wanted + 5, 0, 29);
    CHECK(memmem(der.data, der.len, wanted, 34) != NULL);
    buf_clear(&der);
    CHECK_INT(pki_openssl("pkey -text -noout -check", secret_span(&out), &der), 0);
    CHECK_CONTAINS(buf_text(&der), "Key is valid");
    CHECK_CONTAINS(buf_text(&der), "04:6b:17:d1:f2"); /* the generator */
    buf_free(&der);
    secret_free(&out);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void traditional_forms_are_read(void)
{
    struct crypto_context *context = pki_context();
    for (int i = 0; i < 2; i++) {
        EVP_PKEY *key = pki_key(context, i == 0 ? KEY_ECDSA : KEY_RSA, i == 0 ? 384 : 2048);
        BIO *bio = BIO_new(BIO_s_mem());
        if (i == 0) /* as "openssl ecparam -genkey" writes it: the parameters first */
            CHECK(BIO_puts(bio, "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n"
                                "-----END EC PARAMETERS-----\n") > 0);
        CHECK(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
        char *text;
        long len = BIO_get_mem_data(bio, &text);
        struct error error;
        EVP_PKEY *back = NULL;
        CHECK_OK(key_from_pem(context, span_make(text, (size_t)len), &back, &error), error);
        CHECK_INT(EVP_PKEY_eq(key, back), 1);
        EVP_PKEY_free(back);
        EVP_PKEY_free(key);
        BIO_free(bio);
    }
    crypto_context_free(context);
}

static void refuse_key(const struct crypto_context *context, const char *pem, enum error_kind kind,
                       const char *part)
{
    struct error error;
    EVP_PKEY *key = NULL;
    CHECK(!key_from_pem(context, span_of(pem), &key, &error));
    CHECK(key == NULL);
    CHECK_INT(error.kind, kind);
    CHECK_CONTAINS(error.text, part);
    CHECK_INT(ERR_peek_error(), 0);
}

static void bad_keys_are_refused_without_quoting_them(void)
{
    struct crypto_context *context = pki_context();
    refuse_key(context, "", ERROR_CONFIG, "no private key");
    refuse_key(context, "SECRETSECRET", ERROR_CONFIG, "no private key");
    refuse_key(context, "-----BEGIN PRIVATE KEY-----\nAAAA", ERROR_CONFIG, "cut off");
    refuse_key(context, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
               ERROR_CONFIG, "cut off");
    refuse_key(context,
               "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n"
               "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n",
               ERROR_CONFIG, "more than one");
    refuse_key(context, "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n",
               ERROR_CONFIG, "damaged");
    char *large = calloc(1, 20000);
    CHECK(large != NULL);
    memset(large, 'A', 19999);
    refuse_key(context, large, ERROR_LIMIT, "limit");
    free(large);

    /* Encrypted keys, in both forms: an error at once, and no question on the terminal. */
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    for (int i = 0; i < 2; i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        const unsigned char passphrase[] = "passphrase";
        if (i == 0)
            CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(),
                                                (const char *)passphrase, 10, NULL, NULL) == 1);
        else
            CHECK(PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_128_cbc(), passphrase, 10,
                                                       NULL, NULL) == 1);
        CHECK(BIO_write(bio, "", 1) == 1);
        char *text;
        CHECK(BIO_get_mem_data(bio, &text) > 0);
        refuse_key(context, text, ERROR_CONFIG, "encrypted");
        BIO_free(bio);
    }
    EVP_PKEY_free(key);

    struct error error;
    CHECK(!key_generate(context, (struct key_spec){KEY_RSA, 1024}, &key, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "RSA keys of 1024 bits");
    CHECK(!key_generate(context, (struct key_spec){KEY_ECDSA, 224}, &key, &error));
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct key_spec spec;
    CHECK(other != NULL && !key_spec_of(other, &spec));
    struct buf der;
    buf_init(&der, 1000);
    CHECK(!key_public_der(other, &der, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_INT(der.len, 0);
    buf_free(&der);
    /* Not a kind that certmill makes, but it can be written. */
    struct secret pem = {0};
    CHECK_OK(key_to_pem(context, other, &pem, &error), error);
    CHECK_CONTAINS(pem.data, "BEGIN PRIVATE KEY");
    secret_free(&pem);
    EVP_PKEY_free(other);
    crypto_context_free(context);
}

static void a_full_secure_heap_is_an_error(void)
{
    struct crypto_context *context = pki_context();
    struct crypto_secure_heap heap;
    crypto_secure_heap(&heap);
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    struct secret blocks[4096];
    size_t count = 0;
    for (size_t size = heap.bytes / 4; size >= 16; size /= 2)
        while (count < 4096) {
            struct span zeros = {.data = calloc(1, size), .len = size - 1};
            CHECK(zeros.data != NULL);
            bool ok = secret_copy(zeros, &blocks[count]);
            free((void *)zeros.data);
            if (!ok)
                break;
            count++;
        }
    struct error error;
    struct secret pem = {0};
    CHECK(!key_to_pem(context, key, &pem, &error));
    CHECK_INT(error.kind, ERROR_MEMORY);
    CHECK_CONTAINS(error.text, "secure heap is full");
    EVP_PKEY *another = NULL;
    CHECK(!key_generate(context, (struct key_spec){KEY_RSA, 2048}, &another, &error));
    CHECK_INT(error.kind, ERROR_MEMORY);
    CHECK_CONTAINS(error.text, "secure heap is full");
    while (count > 0)
        secret_free(&blocks[--count]);
    CHECK_OK(key_to_pem(context, key, &pem, &error), error);
    secret_free(&pem);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static X509_REQ *request_parse(const struct buf *der)
{
    const unsigned char *at = (const unsigned char *)der->data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der->len);
    CHECK(request != NULL && at == (const unsigned char *)der->data + der->len);
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    CHECK(key != NULL && X509_REQ_verify(request, key) == 1);
    CHECK_INT(X509_REQ_get_version(request), 0);
    return request;
}

static void requests_of_every_key(void)
{
    struct crypto_context *context = pki_context();
    static const char *const names[] = {"www.example.com", "example.com", "*.a.example.com",
                                        "192.0.2.7", "2001:db8::1"};
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct error error;
        struct buf der;
        buf_init(&der, 8192);
        EVP_PKEY *key = pki_key(context, pki_specs[i].type, pki_specs[i].bits);
        CHECK_OK(csr_make(context, key, names, 5, &der, &error), error);
        X509_REQ *request = request_parse(&der);
        CHECK_INT(EVP_PKEY_eq(X509_REQ_get0_pubkey(request), key), 1);
        /* Encoded anew by OpenSSL it is the same DER. */
        unsigned char *again = NULL;
        int len = i2d_re_X509_REQ_tbs(request, &again);
        CHECK(len > 0 && memmem(der.data, der.len, again, (size_t)len) != NULL);
        OPENSSL_free(again);
        struct buf text;
        buf_init(&text, 65536);
        CHECK_INT(pki_openssl("req -inform DER -verify -noout -text -nameopt RFC2253",
                              buf_span(&der), &text),
                  0);
        CHECK_CONTAINS(buf_text(&text), "verify OK");
        CHECK_CONTAINS(buf_text(&text), "Subject: CN=www.example.com");
        CHECK_CONTAINS(buf_text(&text),
                       "DNS:www.example.com, DNS:example.com, DNS:*.a.example.com, "
                       "IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1");
        buf_free(&text);
        X509_REQ_free(request);
        EVP_PKEY_free(key);
        buf_free(&der);
    }
    crypto_context_free(context);
}

/* Makes the request and gives its common name, "" when it has none. */
static void common_name_of(const struct crypto_context *context, EVP_PKEY *key,
                           const char *const *names, size_t count, char *text, int size)
{
    struct error error;
    struct buf der;
    buf_init(&der, (size_t)1 << 20);
    CHECK_OK(csr_make(context, key, names, count, &der, &error), error);
    X509_REQ *request = request_parse(&der);
    text[0] = '\0';
    X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request), NID_commonName, text, size);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    GENERAL_NAMES *found = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    CHECK_INT(sk_GENERAL_NAME_num(found), count);
    GENERAL_NAMES_free(found);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    buf_free(&der);
}

static void common_names_fit(void)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    char longest[65];
    char longer[66];
    memset(longest, 'a', 64);
    memcpy(longest + 60, ".com", 5);
    memset(longer, 'b', 65);
    memcpy(longer + 61, ".com", 5);
    longest[40] = longer[40] = '.';
    char text[128];
    common_name_of(context, key, (const char *const[]){longest}, 1, text, sizeof text);
    CHECK_TEXT(text, longest);
    common_name_of(context, key, (const char *const[]){longer}, 1, text, sizeof text);
    CHECK_TEXT(text, "");
    common_name_of(context, key, (const char *const[]){"192.0.2.1", longer, "b.example", "a.b"}, 4,
                   text, sizeof text);
    CHECK_TEXT(text, "b.example");
    common_name_of(context, key, (const char *const[]){"192.0.2.1"}, 1, text, sizeof text);
    CHECK_TEXT(text, "");
    common_name_of(context, key, (const char *const[]){"2001:db8::7"}, 1, text, sizeof text);
    CHECK_TEXT(text, "");

    char(*many)[256] = calloc(CSR_NAMES_MAX + 1, sizeof *many);
    const char **names = calloc(CSR_NAMES_MAX + 1, sizeof *names);
    CHECK(many != NULL && names != NULL);
    for (int i = 0; i <= CSR_NAMES_MAX; i++) {
        snprintf(many[i], sizeof *many, "%061d.%061d.%061d.%061d.ex", i, i, i, i);
        names[i] = many[i];
    }
    common_name_of(context, key, names, CSR_NAMES_MAX, text, sizeof text);
    CHECK_TEXT(text, "");
    struct error error;
    struct buf der;
    buf_init(&der, 1000);
    CHECK(!csr_make(context, key, names, CSR_NAMES_MAX + 1, &der, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK(buf_append_text(&der, "kept"));
    CHECK(!csr_make(context, key, names, 100, &der, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_TEXT(buf_text(&der), "kept");
    buf_free(&der);
    free(names);
    free(many);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static void names_that_are_none_are_refused(void)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    static const char *const wrong[] = {"",           ".",
                                        "a..b",       "a.",
                                        "-a.com",     "a-.com",
                                        "A.com",      "a b.com",
                                        "a.*.com",    "*",
                                        "*.",         "1.2.3.256",
                                        "a\x01.com",  "\xc3\xbc.com",
                                        "10.0.0.1/8", "[2001:db8::1]",
                                        "a.com:443"};
    struct error error;
    struct buf der;
    buf_init(&der, 8192);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *names[] = {"a.example", wrong[i]};
        CHECK(!csr_make(context, key, names, 2, &der, &error));
        CHECK_INT(error.kind, ERROR_CONFIG);
        CHECK_INT(der.len, 0);
    }
    char label[70];
    memset(label, 'x', 64);
    memcpy(label + 64, ".com", 5);
    CHECK(!csr_make(context, key, (const char *const[]){label}, 1, &der, &error));
    CHECK(!csr_make(context, key, NULL, 0, &der, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CHECK(!csr_make(context, other, (const char *const[]){"a.example"}, 1, &der, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    buf_free(&der);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

/* A key whose file holds its point compressed: the request needs the uncompressed form. */
static void compressed_points_are_unfolded(void)
{
    struct crypto_context *context = pki_context();
    struct error error;
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 521);
    CHECK(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                         "compressed") == 1);
    struct buf der;
    struct secret pem = {0};
    buf_init(&der, 8192);
    CHECK_OK(csr_make(context, key, (const char *const[]){"a.example"}, 1, &der, &error), error);
    X509_REQ *request = request_parse(&der);
    CHECK_INT(EVP_PKEY_eq(X509_REQ_get0_pubkey(request), key), 1);
    X509_REQ_free(request);
    CHECK_OK(key_to_pem(context, key, &pem, &error), error);
    EVP_PKEY *back = NULL;
    CHECK_OK(key_from_pem(context, secret_span(&pem), &back, &error), error);
    CHECK_INT(EVP_PKEY_eq(key, back), 1);
    EVP_PKEY_free(back);
    secret_free(&pem);
    EVP_PKEY_free(key);
    buf_free(&der);
    crypto_context_free(context);
}

static const struct test tests[] = {
    TEST(contexts_say_what_does_not_load),
    TEST(configurations_are_loaded),
    TEST(secrets_are_on_the_secure_heap),
    TEST(keys_of_every_kind_go_round),
    TEST(small_private_numbers_keep_their_width),
    TEST(traditional_forms_are_read),
    TEST(bad_keys_are_refused_without_quoting_them),
    TEST(a_full_secure_heap_is_an_error),
    TEST(requests_of_every_key),
    TEST(common_names_fit),
    TEST(names_that_are_none_are_refused),
    TEST(compressed_points_are_unfolded),
};

TESTS_MAIN(tests)
