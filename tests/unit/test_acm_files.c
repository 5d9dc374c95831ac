/* engine/deploy/acm_files, acm_pace: what is checked before a certificate is sent to ACM, and how
 * fast. */
#include "pki.h"
#include "scratch.h"

#include "deploy/acm_files.h"
#include "deploy/acm_pace.h"
#include "io/file.h"

static struct scratch scratch;

#define ARN "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"

/* A leaf and its issuer, as files of the store. */
struct pair {
    struct crypto_context *context;
    EVP_PKEY *ca_key, *key;
    X509 *ca, *leaf;
    struct buf cert, chain, key_pem;
};

static void key_write(const struct pair *pair, EVP_PKEY *key, struct buf *out)
{
    struct secret pem;
    struct error error;
    CHECK_OK(key_to_pem(pair->context, key, &pem, &error), error);
    CHECK(buf_append_span(out, secret_span(&pem)));
    secret_free(&pem);
}

static struct pair pair_make_of(enum key_type type, unsigned bits, int64_t not_before,
                                int64_t not_after)
{
    struct pair pair = {.context = pki_context()};
    pair.ca_key = pki_key(pair.context, KEY_ECDSA, 256);
    pair.key = pki_key(pair.context, type, bits);
    pair.ca = pki_certificate(&(struct pki_wish){.common_name = "Test CA", .key = pair.ca_key});
    pair.leaf = pki_certificate(&(struct pki_wish){.common_name = "a.example",
                                                   .names = "DNS:a.example,DNS:b.example",
                                                   .serial_hex = "00f1e2d3",
                                                   .key = pair.key,
                                                   .issuer = pair.ca,
                                                   .issuer_key = pair.ca_key,
                                                   .not_before = not_before,
                                                   .not_after = not_after});
    buf_init(&pair.cert, 1 << 20);
    buf_init(&pair.chain, 1 << 22);
    buf_init(&pair.key_pem, 1 << 20);
    pki_append(&pair.cert, pair.leaf);
    pki_append(&pair.chain, pair.ca);
    key_write(&pair, pair.key, &pair.key_pem);
    return pair;
}

static struct pair pair_make(void)
{
    return pair_make_of(KEY_ECDSA, 256, 0, 0);
}

static void pair_free(struct pair *pair)
{
    buf_free(&pair->cert);
    buf_free(&pair->chain);
    buf_free(&pair->key_pem);
    X509_free(pair->leaf);
    X509_free(pair->ca);
    EVP_PKEY_free(pair->key);
    EVP_PKEY_free(pair->ca_key);
    crypto_context_free(pair->context);
}

static void pair_put(const struct pair *pair)
{
    struct error error;
    CHECK_OK(folder_make(scratch_path(&scratch, "archive/www/3"), 0700, &error), error);
    CHECK_OK(file_write(scratch_path(&scratch, "archive/www/3/cert.pem"), buf_span(&pair->cert),
                        0644, &error),
             error);
    CHECK_OK(file_write(scratch_path(&scratch, "archive/www/3/chain.pem"), buf_span(&pair->chain),
                        0644, &error),
             error);
    CHECK_OK(file_write(scratch_path(&scratch, "archive/www/3/privkey.pem"),
                        buf_span(&pair->key_pem), 0600, &error),
             error);
}

static struct acm_files files_of(const struct pair *pair)
{
    struct acm_files files;
    struct error error;
    pair_put(pair);
    CHECK_OK(acm_files_read(scratch.path, "www", 3, true, &files, &error), error);
    return files;
}

static const char *const domains[] = {"a.example", "b.example"};
static const struct manifest_entry entry = {.name = "www", .domains = domains, .domain_count = 2};

/* The error of the check, "" when there is none; valid until the next call. */
static const char *fault(const struct pair *pair)
{
    static struct error error;
    struct acm_files files = files_of(pair);
    bool ok = acm_files_check(pair->context, &files, &entry, PKI_NOW, &error);
    acm_files_free(&files);
    return ok ? "" : error.text;
}

static void sound_files_pass(void)
{
    for (size_t i = 0; i < PKI_SPECS; i++) {
        struct pair pair = pair_make_of(pki_specs[i].type, pki_specs[i].bits, 0, 0);
        CHECK_TEXT(fault(&pair), "");
        pair_free(&pair);
    }
}

static void files_are_read_as_they_are(void)
{
    struct pair pair = pair_make();
    struct acm_files files = files_of(&pair);
    CHECK(span_equal(buf_span(&files.certificate), buf_span(&pair.cert)));
    CHECK(span_equal(buf_span(&files.chain), buf_span(&pair.chain)));
    CHECK(span_equal(buf_span(&files.key), buf_span(&pair.key_pem)));
    CHECK(files.key.secret);
    CHECK(acm_serial_equal(files.info.serial, "f1e2d3"));
    uint64_t digest = files.digest;
    acm_files_free(&files);
    /* the key is no part of the digest, the chain is */
    struct error error;
    CHECK_OK(acm_files_read(scratch.path, "www", 3, false, &files, &error), error);
    CHECK(files.digest == digest && files.key.len == 0);
    acm_files_free(&files);
    CHECK(buf_append_char(&pair.chain, '\n'));
    files = files_of(&pair);
    CHECK(files.digest != digest);
    acm_files_free(&files);
    CHECK(!acm_files_read(scratch.path, "other", 3, false, &files, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK_CONTAINS(error.text, "archive/other/3/cert.pem");
    pair_free(&pair);
}

static void foreign_key_is_found(void)
{
    struct pair pair = pair_make();
    EVP_PKEY *other = pki_key(pair.context, KEY_ECDSA, 256);
    buf_clear(&pair.key_pem);
    key_write(&pair, other, &pair.key_pem);
    CHECK_CONTAINS(fault(&pair), "key");
    buf_clear(&pair.key_pem);
    CHECK(buf_append_text(&pair.key_pem, "not a key"));
    CHECK(fault(&pair)[0] != '\0');
    EVP_PKEY_free(other);
    pair_free(&pair);
}

static void large_files_are_refused(void)
{
    struct pair pair = pair_make();
    while (pair.key_pem.len <= 5120)
        CHECK(buf_append_char(&pair.key_pem, '\n'));
    CHECK_CONTAINS(fault(&pair), "5120");
    buf_clear(&pair.key_pem);
    key_write(&pair, pair.key, &pair.key_pem);
    while (pair.cert.len <= 32768)
        CHECK(buf_append_char(&pair.cert, '\n'));
    CHECK_CONTAINS(fault(&pair), "32768");
    buf_clear(&pair.cert);
    pki_append(&pair.cert, pair.leaf);
    while (pair.chain.len <= 2097152)
        CHECK(buf_append_char(&pair.chain, '\n'));
    CHECK_CONTAINS(fault(&pair), "2097152");
    pair_free(&pair);
}

static void leaf_in_the_chain_is_refused(void)
{
    struct pair pair = pair_make();
    buf_clear(&pair.chain);
    pki_append(&pair.chain, pair.leaf);
    pki_append(&pair.chain, pair.ca);
    CHECK_CONTAINS(fault(&pair), "chain.pem holds the certificate itself");
    buf_clear(&pair.chain);
    pki_append(&pair.chain, pair.ca);
    pki_append(&pair.chain, pair.leaf);
    CHECK_CONTAINS(fault(&pair), "chain.pem holds the certificate itself");
    pair_free(&pair);
}

static void chain_out_of_order_is_refused(void)
{
    struct pair pair = pair_make();
    X509 *other = pki_certificate(&(struct pki_wish){.common_name = "Other", .key = pair.key});
    buf_clear(&pair.chain);
    pki_append(&pair.chain, other);
    pki_append(&pair.chain, pair.ca);
    CHECK_CONTAINS(fault(&pair), "not signed by");
    X509_free(other);
    pair_free(&pair);
}

static void certificate_without_a_chain_passes(void)
{
    struct pair pair = pair_make();
    buf_clear(&pair.chain);
    CHECK_TEXT(fault(&pair), "");
    pair_free(&pair);
}

static void dates_are_checked(void)
{
    struct pair old = pair_make_of(KEY_ECDSA, 256, PKI_NOW - 9999, PKI_NOW - 1);
    CHECK_CONTAINS(fault(&old), "expired");
    pair_free(&old);
    struct pair early = pair_make_of(KEY_ECDSA, 256, PKI_NOW + 60, 0);
    CHECK_CONTAINS(fault(&early), "not valid before");
    pair_free(&early);
}

static void name_that_is_missing_is_found(void)
{
    struct pair pair = pair_make();
    static const char *const more[] = {"a.example", "c.example"};
    struct manifest_entry other = {.name = "www", .domains = more, .domain_count = 2};
    struct acm_files files = files_of(&pair);
    struct error error;
    CHECK(!acm_files_check(pair.context, &files, &other, PKI_NOW, &error));
    CHECK_CONTAINS(error.text, "c.example");
    acm_files_free(&files);
    pair_free(&pair);
}

static const char *const balancer[] = {"arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/x"};
static const char *const distribution[] = {"arn:aws:cloudfront::123456789012:distribution/E1"};
static const char *const held_names[] = {"a.example", "old.example", "older.example"};

static struct acm_detail held_by(const char *const *users, const char *algorithm)
{
    return (struct acm_detail){.summary = {.arn = ARN,
                                           .type = "IMPORTED",
                                           .key_algorithm = algorithm,
                                           .names = held_names,
                                           .name_count = 3},
                               .in_use_by = users,
                               .in_use_count = users != NULL ? 1 : 0};
}

static const char *misfit(const struct pair *pair, const struct acm_detail *held)
{
    static struct error error;
    struct acm_files files = files_of(pair);
    bool ok = acm_files_fit(pair->context, &files, held, &error);
    acm_files_free(&files);
    return ok ? "" : error.text;
}

static void only_imported_ones_are_replaced(void)
{
    struct pair pair = pair_make();
    struct acm_detail held = held_by(NULL, "EC_prime256v1");
    CHECK_TEXT(misfit(&pair, &held), "");
    held.summary.type = "AMAZON_ISSUED";
    CHECK_CONTAINS(misfit(&pair, &held), "AMAZON_ISSUED");
    CHECK_CONTAINS(misfit(&pair, &held), ARN);
    pair_free(&pair);
}

static void key_kind_may_not_change_in_use(void)
{
    struct pair pair = pair_make();
    struct acm_detail held = held_by(balancer, "EC-prime256v1");
    CHECK_TEXT(misfit(&pair, &held), "");
    held = held_by(balancer, "RSA_2048");
    CHECK_CONTAINS(misfit(&pair, &held), "RSA_2048");
    CHECK_CONTAINS(misfit(&pair, &held), balancer[0]);
    held = held_by(NULL, "RSA_2048");
    CHECK_TEXT(misfit(&pair, &held), "");
    held = held_by(balancer, "");
    CHECK_TEXT(misfit(&pair, &held), "");
    pair_free(&pair);
    static const struct {
        enum key_type type;
        unsigned bits;
        const char *name;
    } kinds[] = {{KEY_RSA, 2048, "RSA_2048"},
                 {KEY_RSA, 3072, "RSA_3072"},
                 {KEY_RSA, 4096, "RSA_4096"},
                 {KEY_ECDSA, 384, "EC_secp384r1"},
                 {KEY_ECDSA, 521, "EC_secp521r1"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        pair = pair_make_of(kinds[i].type, kinds[i].bits, 0, 0);
        held = held_by(balancer, kinds[i].name);
        CHECK_TEXT(misfit(&pair, &held), "");
        held = held_by(balancer, "EC_prime256v1");
        CHECK_CONTAINS(misfit(&pair, &held), kinds[i].name);
        pair_free(&pair);
    }
}

static void cloudfront_takes_no_large_curve(void)
{
    struct pair pair = pair_make_of(KEY_ECDSA, 384, 0, 0);
    struct acm_detail held = held_by(distribution, "EC_secp384r1");
    CHECK_CONTAINS(misfit(&pair, &held), distribution[0]);
    struct acm_files files = files_of(&pair);
    CHECK(acm_files_unfit_for_cloudfront(&files, "us-east-1"));
    CHECK(!acm_files_unfit_for_cloudfront(&files, "eu-west-1"));
    acm_files_free(&files);
    pair_free(&pair);
    pair = pair_make();
    held = held_by(distribution, "EC_prime256v1");
    CHECK_TEXT(misfit(&pair, &held), "");
    files = files_of(&pair);
    CHECK(!acm_files_unfit_for_cloudfront(&files, "us-east-1"));
    acm_files_free(&files);
    pair_free(&pair);
}

static void usage_that_is_held_may_not_be_lost(void)
{
    struct pair pair = pair_make();
    pki_extend(pair.leaf, NULL, NID_key_usage, "digitalSignature");
    pki_extend(pair.leaf, NULL, NID_ext_key_usage, "serverAuth");
    CHECK(X509_sign(pair.leaf, pair.ca_key, EVP_sha256()) > 0);
    buf_clear(&pair.cert);
    pki_append(&pair.cert, pair.leaf);
    static const char *const signature[] = {"DIGITAL_SIGNATURE", "KEY_AGREEMENT"};
    static const char *const server[] = {"TLS_WEB_SERVER_AUTHENTICATION",
                                         "TLS_WEB_CLIENT_AUTHENTICATION"};
    struct acm_detail held = held_by(balancer, "EC_prime256v1");
    held.key_usages = signature;
    held.extended_key_usages = server;
    held.key_usage_count = held.extended_key_usage_count = 1;
    CHECK_TEXT(misfit(&pair, &held), "");
    held.extended_key_usage_count = 2;
    CHECK_CONTAINS(misfit(&pair, &held), "TLS_WEB_CLIENT_AUTHENTICATION");
    held.extended_key_usage_count = 0;
    held.key_usage_count = 2;
    CHECK_CONTAINS(misfit(&pair, &held), "KEY_AGREEMENT");
    held.in_use_count = 0;
    CHECK_TEXT(misfit(&pair, &held), "");
    pair_free(&pair);
    /* without the extensions every usage is there */
    pair = pair_make();
    held.in_use_count = 1;
    CHECK_TEXT(misfit(&pair, &held), "");
    pair_free(&pair);
}

static void lost_names_are_named(void)
{
    struct pair pair = pair_make();
    struct acm_files files = files_of(&pair);
    struct acm_detail held = held_by(NULL, "");
    char text[64];
    CHECK(acm_files_lose_names(&files, &held, text, sizeof text));
    CHECK_TEXT(text, "old.example, older.example");
    char brief[16];
    CHECK(acm_files_lose_names(&files, &held, brief, sizeof brief));
    CHECK_TEXT(brief, "old.example,...");
    held.summary.name_count = 1;
    CHECK(!acm_files_lose_names(&files, &held, text, sizeof text));
    acm_files_free(&files);
    pair_free(&pair);
}

static void pace_lets_one_go_each_interval(void)
{
    struct acm_pace pace;
    acm_pace_init(&pace, 2, 1, 1000);
    CHECK_INT(acm_pace_wait_ms(&pace, 1000), 0);
    acm_pace_take(&pace);
    CHECK_INT(acm_pace_wait_ms(&pace, 1000), 500);
    CHECK_INT(acm_pace_wait_ms(&pace, 1250), 250);
    CHECK_INT(acm_pace_wait_ms(&pace, 1500), 0);
    /* nothing is saved up */
    CHECK_INT(acm_pace_wait_ms(&pace, 99000), 0);
    acm_pace_take(&pace);
    CHECK_INT(acm_pace_wait_ms(&pace, 99000), 500);
}

static void throttling_slows_and_answers_bring_back(void)
{
    struct acm_pace pace;
    acm_pace_init(&pace, 8, 1, 0);
    acm_pace_throttled(&pace, 0, 0);
    int64_t pause_ms = acm_pace_wait_ms(&pace, 0);
    CHECK(pause_ms >= 500 && pause_ms <= 1000);
    /* those that were out with it count no more */
    acm_pace_throttled(&pace, pause_ms - 1, 0);
    CHECK_INT(acm_pace_wait_ms(&pace, pause_ms), 0);
    acm_pace_take(&pace);
    CHECK_INT(acm_pace_wait_ms(&pace, pause_ms), 250); /* half the rate */
    acm_pace_throttled(&pace, pause_ms, 0);
    CHECK(acm_pace_wait_ms(&pace, pause_ms) > pause_ms);
    for (int i = 0; i < 64; i++)
        acm_pace_answered(&pace);
    int64_t now_ms = 10000000;
    CHECK_INT(acm_pace_wait_ms(&pace, now_ms), 0);
    acm_pace_take(&pace);
    CHECK_INT(acm_pace_wait_ms(&pace, now_ms), 125);
}

static void throttling_is_an_error_after_ten_minutes_without_success(void)
{
    struct acm_pace pace;
    acm_pace_init(&pace, 1, 1, 0);
    CHECK(!acm_pace_is_stuck(&pace, 99999999));
    int64_t now_ms = 0;
    for (; now_ms < 599999; now_ms += acm_pace_wait_ms(&pace, now_ms) + 1) {
        CHECK(!acm_pace_is_stuck(&pace, now_ms));
        acm_pace_throttled(&pace, now_ms, (uint64_t)now_ms);
        CHECK(acm_pace_wait_ms(&pace, now_ms) <= 64000);
    }
    CHECK(acm_pace_is_stuck(&pace, 600000));
    acm_pace_answered(&pace);
    CHECK(!acm_pace_is_stuck(&pace, 600000));
}

static const struct test tests[] = {
    TEST(sound_files_pass),
    TEST(files_are_read_as_they_are),
    TEST(foreign_key_is_found),
    TEST(large_files_are_refused),
    TEST(leaf_in_the_chain_is_refused),
    TEST(chain_out_of_order_is_refused),
    TEST(certificate_without_a_chain_passes),
    TEST(dates_are_checked),
    TEST(name_that_is_missing_is_found),
    TEST(only_imported_ones_are_replaced),
    TEST(key_kind_may_not_change_in_use),
    TEST(cloudfront_takes_no_large_curve),
    TEST(usage_that_is_held_may_not_be_lost),
    TEST(lost_names_are_named),
    TEST(pace_lets_one_go_each_interval),
    TEST(throttling_slows_and_answers_bring_back),
    TEST(throttling_is_an_error_after_ten_minutes_without_success),
};

int main(int argc, char **argv)
{
    return scratch_tests_run(&scratch, tests, sizeof tests / sizeof tests[0], argc, argv);
}
