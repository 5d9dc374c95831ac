/* crypto/certificate_check: a chain that holds, and every way in which one does not. */
#include "pki.h"

#include "base/base64.h"
#include "random.h"

#include <openssl/err.h>
#include <pthread.h>

struct world {
    struct crypto_context *context;
    EVP_PKEY *root_key, *middle_key, *leaf_key, *other_key;
    X509 *root, *middle, *leaf;
};

static const char *const wanted_names[] = {"www.example.com", "192.0.2.1", "2001:DB8::1"};

static void world_make_of(struct world *world, enum key_type type, unsigned bits)
{
    world->context = pki_context();
    world->root_key = pki_key(world->context, type, bits);
    world->middle_key = pki_key(world->context, type, bits);
    world->leaf_key = pki_key(world->context, type, bits);
    world->other_key = pki_key(world->context, type, bits);
    world->root =
        pki_certificate(&(struct pki_wish){.common_name = "Root", .key = world->root_key});
    world->middle = pki_certificate(&(struct pki_wish){.common_name = "Middle",
                                                       .organization = "Org",
                                                       .key = world->middle_key,
                                                       .issuer = world->root,
                                                       .issuer_key = world->root_key});
    world->leaf = pki_certificate(
        &(struct pki_wish){.common_name = "www.example.com",
                           .names = "DNS:more.example.com,IP:2001:db8::1,DNS:WWW.example.com,"
                                    "IP:192.0.2.1",
                           .key = world->leaf_key,
                           .issuer = world->middle,
                           .issuer_key = world->middle_key});
}

static void world_make(struct world *world)
{
    world_make_of(world, KEY_ECDSA, 256);
}

static void world_drop(struct world *world)
{
    X509_free(world->root);
    X509_free(world->middle);
    X509_free(world->leaf);
    EVP_PKEY_free(world->root_key);
    EVP_PKEY_free(world->middle_key);
    EVP_PKEY_free(world->leaf_key);
    EVP_PKEY_free(world->other_key);
    crypto_context_free(world->context);
}

static struct certificate_request request_for(EVP_PKEY *key)
{
    static unsigned char der[4096];
    unsigned char *at = der;
    int len = i2d_PUBKEY(key, &at);
    CHECK(len > 0 && (size_t)len <= sizeof der);
    return (struct certificate_request){.names = wanted_names,
                                        .count = 3,
                                        .public_key = span_make(der, (size_t)len),
                                        .now = PKI_NOW,
                                        .clock_skew = 60};
}

static void pem_of(struct buf *pem, X509 *const *certificates)
{
    buf_init(pem, (size_t)1 << 20);
    for (; *certificates != NULL; certificates++)
        pki_append(pem, *certificates);
}

#define CHAIN(...) ((X509 *const[]){__VA_ARGS__, NULL})

static void refuse_text(struct world *world, struct span pem,
                        const struct certificate_request *request, enum error_kind kind,
                        const char *part)
{
    struct error error;
    struct certificate_chain chain = {.info.name_count = 77};
    CHECK(!certificate_check(world->context, pem, request, &chain, &error));
    CHECK_CONTAINS(error.text, part);
    CHECK_INT(error.kind, kind);
    CHECK_INT(chain.info.name_count, 77);
    CHECK_INT(ERR_peek_error(), 0);
}

static void refuse(struct world *world, X509 *const *certificates,
                   const struct certificate_request *request, const char *part)
{
    struct buf pem;
    pem_of(&pem, certificates);
    refuse_text(world, buf_span(&pem), request, ERROR_PROTOCOL, part);
    buf_free(&pem);
}

static void good_chains_are_cut_into_files(void)
{
    for (int kind = 0; kind < 2; kind++) {
        struct world world;
        world_make_of(&world, kind == 0 ? KEY_ECDSA : KEY_RSA, kind == 0 ? 384 : 2048);
        struct buf clean;
        struct buf pem;
        struct buf part;
        struct error error;
        struct certificate_chain chain;
        struct certificate_request request = request_for(world.leaf_key);
        pem_of(&clean, CHAIN(world.leaf, world.middle, world.root));
        /* With words, CRLF and blank lines in between: the files come out clean all the same. */
        buf_init(&pem, (size_t)1 << 20);
        CHECK(buf_append_text(&pem, "subject=www\r\n\r\n"));
        for (size_t i = 0; i < clean.len; i++)
            CHECK(clean.data[i] == '\n' ? buf_append_text(&pem, "\r\n")
                                        : buf_append_char(&pem, clean.data[i]));
        CHECK(buf_append_text(&pem, "\n\n"));
        CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
        CHECK_TEXT(buf_text(&chain.full), buf_text(&clean));
        pem_of(&part, CHAIN(world.leaf));
        CHECK_TEXT(buf_text(&chain.certificate), buf_text(&part));
        buf_free(&part);
        pem_of(&part, CHAIN(world.middle, world.root));
        CHECK_TEXT(buf_text(&chain.chain), buf_text(&part));
        buf_free(&part);
        buf_free(&pem);
        CHECK_TEXT(chain.info.issuer, "Middle");
        CHECK_INT(chain.info.name_count, 4);
        char text[CERTIFICATE_NAME_TEXT];
        CHECK(certificate_name_next(&chain.info.names, text));
        CHECK_TEXT(text, "more.example.com");
        certificate_chain_free(&chain);
        certificate_chain_free(&chain);

        /* The openssl command agrees. */
        buf_init(&part, 65536);
        CHECK_INT(pki_openssl("x509 -noout -checkhost www.example.com", buf_span(&clean), &part),
                  0);
        CHECK_CONTAINS(buf_text(&part), "does match");
        buf_free(&part);
        buf_free(&clean);

        /* A leaf alone, as some private CAs send it. */
        pem_of(&pem, CHAIN(world.leaf));
        CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
        CHECK_TEXT(buf_text(&chain.chain), "");
        CHECK_TEXT(buf_text(&chain.full), buf_text(&chain.certificate));
        certificate_chain_free(&chain);
        buf_free(&pem);
        world_drop(&world);
    }
}

static void keys_and_names_must_be_those_asked_for(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.other_key);
    refuse(&world, CHAIN(world.leaf, world.middle), &request,
           "the certificate's key is not the one of the request");
    EVP_PKEY *rsa = pki_key(world.context, KEY_RSA, 2048);
    request = request_for(rsa);
    refuse(&world, CHAIN(world.leaf, world.middle), &request, "is not the one of the request");
    EVP_PKEY_free(rsa);

    static const char *const missing[] = {"www.example.com", "a.example.com"};
    request = request_for(world.leaf_key);
    request.names = missing;
    request.count = 2;
    refuse(&world, CHAIN(world.leaf, world.middle), &request,
           "a.example.com is missing in the certificate");
    static const char *const address[] = {"192.0.2.2"};
    request.names = address;
    request.count = 1;
    refuse(&world, CHAIN(world.leaf, world.middle), &request, "192.0.2.2 is missing");
    /* The root has no names at all. */
    request = request_for(world.root_key);
    refuse(&world, CHAIN(world.root), &request, "www.example.com is missing");
    world_drop(&world);
}

/* The public half of a key, its point written compressed: the same key in other bytes. */
static void keys_in_another_encoding_are_the_same(void)
{
    struct world world;
    world_make(&world);
    CHECK(EVP_PKEY_set_utf8_string_param(world.leaf_key, "point-format", "compressed") == 1);
    X509 *leaf = pki_certificate(&(struct pki_wish){.common_name = "x",
                                                    .names = "DNS:www.example.com,IP:192.0.2.1,"
                                                             "IP:2001:db8::1",
                                                    .key = world.leaf_key,
                                                    .issuer = world.middle,
                                                    .issuer_key = world.middle_key});
    struct certificate_request request = request_for(world.leaf_key);
    struct error error;
    struct buf pem;
    struct certificate_chain chain;
    pem_of(&pem, CHAIN(leaf, world.middle));
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    CHECK(chain.info.key_known);
    certificate_chain_free(&chain);
    buf_free(&pem);
    X509_free(leaf);
    world_drop(&world);
}

static void links_must_hold(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.leaf_key);
    refuse(&world, CHAIN(world.leaf, world.root), &request,
           "certificate 1 of the chain is not signed by certificate 2");
    refuse(&world, CHAIN(world.leaf, world.middle, world.leaf), &request,
           "certificate 2 of the chain is not signed by certificate 3");
    refuse(&world, CHAIN(world.leaf, world.leaf, world.middle), &request,
           "certificate 1 of the chain is not signed by certificate 2");
    refuse(&world, CHAIN(world.middle, world.leaf), &request, "is not the one of the request");
    /* The right name, another key: only the signature tells. */
    X509 *impostor = pki_certificate(
        &(struct pki_wish){.common_name = "Middle", .organization = "Org", .key = world.other_key});
    refuse(&world, CHAIN(world.leaf, impostor), &request,
           "certificate 1 of the chain is not signed by certificate 2");
    X509_free(impostor);
    /* The right key under another name. */
    impostor = pki_certificate(&(struct pki_wish){.common_name = "Mid", .key = world.middle_key});
    refuse(&world, CHAIN(world.leaf, impostor), &request,
           "certificate 1 of the chain is not signed by certificate 2");
    X509_free(impostor);
    world_drop(&world);
}

static void dates_must_hold(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.leaf_key);
    struct pki_wish wish = {.common_name = "www.example.com",
                            .names = "DNS:www.example.com,IP:192.0.2.1,IP:2001:db8::1",
                            .key = world.leaf_key,
                            .issuer = world.middle,
                            .issuer_key = world.middle_key,
                            .not_before = PKI_NOW + 60};
    X509 *leaf = pki_certificate(&wish);
    struct error error;
    struct buf pem;
    struct certificate_chain chain;
    pem_of(&pem, CHAIN(leaf, world.middle));
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    certificate_chain_free(&chain);
    request.clock_skew = 59;
    refuse(&world, CHAIN(leaf, world.middle), &request,
           "the certificate is not valid before 2026-09-21T14:14:20Z");
    request.clock_skew = INT64_MAX; /* a silly skew must not overflow */
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    certificate_chain_free(&chain);
    buf_free(&pem);
    X509_free(leaf);

    request.clock_skew = 0;
    request.now = PKI_NOW + 90 * 86400;
    pem_of(&pem, CHAIN(world.leaf, world.middle));
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    certificate_chain_free(&chain);
    buf_free(&pem);
    request.now++;
    refuse(&world, CHAIN(world.leaf, world.middle), &request,
           "the certificate has expired at 2026-12-20T14:13:20Z");

    request.now = PKI_NOW;
    X509 *old = pki_certificate(&(struct pki_wish){.common_name = "Root",
                                                   .key = world.root_key,
                                                   .not_before = PKI_NOW - 200,
                                                   .not_after = PKI_NOW - 100});
    refuse(&world, CHAIN(world.leaf, world.middle, old), &request,
           "certificate 3 of the chain has expired at");
    X509_free(old);
    world_drop(&world);
}

/* Wherever an answer ends too early, but between two certificates: then it is a whole chain. */
static void no_cut_chain_passes(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.leaf_key);
    struct buf leaf, pem;
    pem_of(&leaf, CHAIN(world.leaf));
    pem_of(&pem, CHAIN(world.leaf, world.middle));
    for (size_t len = leaf.len + 1; len < pem.len - 1; len++)
        refuse_text(&world, span_make(pem.data, len), &request, ERROR_PROTOCOL, "cut off");
    buf_free(&leaf);
    buf_free(&pem);
    world_drop(&world);
}

static void texts_that_are_no_chain(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.leaf_key);
    refuse_text(&world, SPAN_LITERAL(""), &request, ERROR_PROTOCOL, "holds no certificate");
    refuse_text(&world, SPAN_LITERAL("{\"type\":\"x\"}"), &request, ERROR_PROTOCOL,
                "holds no certificate");
    struct buf pem;
    pem_of(&pem, CHAIN(world.leaf, world.middle));
    refuse_text(&world, span_make(pem.data, pem.len - 10), &request, ERROR_PROTOCOL, "cut off");
    size_t len = pem.len;
    CHECK(buf_append_text(&pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
    refuse_text(&world, buf_span(&pem), &request, ERROR_PROTOCOL,
                "something else than certificates: \"PRIVATE KEY\"");
    pem.len = len;
    CHECK(buf_append_text(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    refuse_text(&world, buf_span(&pem), &request, ERROR_PROTOCOL,
                "certificate 3 of the chain: the certificate is damaged");
    pem.len = len;
    CHECK(buf_append_text(&pem, "-----BEGIN CERTIFICATE-----\n<>\n-----END CERTIFICATE-----\n"));
    refuse_text(&world, buf_span(&pem), &request, ERROR_PROTOCOL,
                "certificate 3 of the chain: damaged base64");
    pem.len = len;
    for (int i = 0; i < CERTIFICATE_CHAIN_MAX; i++)
        pki_append(&pem, world.middle);
    refuse_text(&world, buf_span(&pem), &request, ERROR_LIMIT, "more than 16 certificates");
    char *large = malloc(CERTIFICATE_PEM_MAX + 1);
    CHECK(large != NULL);
    memset(large, '\n', CERTIFICATE_PEM_MAX + 1);
    refuse_text(&world, span_make(large, CERTIFICATE_PEM_MAX + 1), &request, ERROR_LIMIT,
                "the limit is");
    refuse_text(&world, span_make(large, CERTIFICATE_PEM_MAX), &request, ERROR_PROTOCOL,
                "holds no certificate");
    free(large);
    buf_free(&pem);
    world_drop(&world);
}

/* A chain with one bit wrong in any signed part never passes: flips in the leaf's and the middle's
 * DER. What passes must be the signature bits of the last certificate, which nobody checks. */
static void no_flipped_bit_passes(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.leaf_key);
    unsigned char *der[2] = {NULL, NULL};
    int len[2] = {i2d_X509(world.leaf, &der[0]), i2d_X509(world.middle, &der[1])};
    size_t refused = 0;
    for (int round = 0; round < 2000; round++) {
        int which = round % 8 == 0 ? 1 : 0;
        size_t at = random_below((size_t)len[which]);
        unsigned char bit = (unsigned char)(1U << random_below(8));
        struct buf pem;
        struct certificate_chain chain;
        buf_init(&pem, 100000);
        der[which][at] ^= bit;
        for (int i = 0; i < 2; i++)
            CHECK(buf_append_text(&pem, "-----BEGIN CERTIFICATE-----\n") &&
                  base64_append(&pem, der[i], (size_t)len[i]) &&
                  buf_append_text(&pem, "\n-----END CERTIFICATE-----\n"));
        der[which][at] ^= bit;
        bool ok = certificate_check(world.context, buf_span(&pem), &request, &chain, NULL);
        CHECK(!ok || which == 1);
        if (ok)
            certificate_chain_free(&chain);
        refused += !ok;
        buf_free(&pem);
    }
    CHECK(refused > 1700);
    OPENSSL_free(der[0]);
    OPENSSL_free(der[1]);
    world_drop(&world);
}

static void issuers_among_alternate_chains(void)
{
    struct world world;
    world_make(&world);
    struct buf pem;
    pem_of(&pem, CHAIN(world.leaf, world.middle));
    CHECK(certificate_chain_has_issuer(buf_span(&pem), "Middle"));
    CHECK(certificate_chain_has_issuer(buf_span(&pem), "Root"));
    CHECK(!certificate_chain_has_issuer(buf_span(&pem), "Org"));
    CHECK(!certificate_chain_has_issuer(buf_span(&pem), "root"));
    CHECK(!certificate_chain_has_issuer(buf_span(&pem), ""));
    CHECK(!certificate_chain_has_issuer(buf_span(&pem), "www.example.com"));
    CHECK(!certificate_chain_has_issuer(SPAN_LITERAL("-----BEGIN CERTIFICATE-----"), "Root"));
    buf_free(&pem);
    world_drop(&world);
}

static void a_thousand_names_are_found(void)
{
    struct world world;
    world_make(&world);
    struct buf list;
    static char names[CERTIFICATE_NAMES_MAX][32];
    static const char *wanted[CERTIFICATE_NAMES_MAX];
    buf_init(&list, 100000);
    for (int i = 0; i < CERTIFICATE_NAMES_MAX; i++) {
        CHECK(buf_printf(&list, "%sDNS:n%d.example", i > 0 ? "," : "",
                         i * 7 % CERTIFICATE_NAMES_MAX));
        snprintf(names[i], sizeof names[i], "n%d.example", i);
        wanted[i] = names[i];
    }
    X509 *leaf = pki_certificate(&(struct pki_wish){.names = buf_text(&list),
                                                    .key = world.leaf_key,
                                                    .issuer = world.middle,
                                                    .issuer_key = world.middle_key});
    struct certificate_request request = request_for(world.leaf_key);
    request.names = wanted;
    request.count = CERTIFICATE_NAMES_MAX;
    struct error error;
    struct buf pem;
    struct certificate_chain chain;
    pem_of(&pem, CHAIN(leaf, world.middle));
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    certificate_chain_free(&chain);
    wanted[500] = "n1000.example";
    refuse(&world, CHAIN(leaf, world.middle), &request, "n1000.example is missing");
    buf_free(&pem);
    buf_free(&list);
    X509_free(leaf);
    world_drop(&world);
}

/* Algorithms that few CAs use, and one name in two string types. */
static void unusual_issuers_are_understood(void)
{
    struct world world;
    world_make(&world);
    struct certificate_request request = request_for(world.leaf_key);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *issuer = pki_certificate(&(struct pki_wish){.common_name = "Edwards", .key = key});
    struct pki_wish wish = {.names = "DNS:www.example.com,IP:192.0.2.1,IP:2001:db8::1",
                            .key = world.leaf_key,
                            .issuer = issuer,
                            .issuer_key = key};
    X509 *leaf = pki_certificate(&wish);
    struct error error;
    struct buf pem;
    struct certificate_chain chain;
    pem_of(&pem, CHAIN(leaf, issuer));
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    certificate_chain_free(&chain);
    buf_free(&pem);
    /* The same name, another key of the same kind. */
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *impostor = pki_certificate(&(struct pki_wish){.common_name = "Edwards", .key = other});
    refuse(&world, CHAIN(leaf, impostor), &request, "certificate 1 of the chain is not signed by");
    X509_free(impostor);
    /* And a key of a kind that cannot have made the signature. */
    impostor =
        pki_certificate(&(struct pki_wish){.common_name = "Edwards", .key = world.middle_key});
    refuse(&world, CHAIN(leaf, impostor), &request, "certificate 1 of the chain is not signed by");
    X509_free(impostor);
    X509_free(issuer);
    X509_free(leaf);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);

    X509 *printable = pki_certificate(&(struct pki_wish){
        .common_name = "Some  CA", .key = world.middle_key, .string_type = V_ASN1_PRINTABLESTRING});
    issuer = pki_certificate(&(struct pki_wish){.common_name = "some ca", .key = world.middle_key});
    wish.issuer = printable;
    wish.issuer_key = world.middle_key;
    leaf = pki_certificate(&wish);
    pem_of(&pem, CHAIN(leaf, issuer));
    CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
    certificate_chain_free(&chain);
    buf_free(&pem);
    X509_free(printable);
    X509_free(issuer);
    X509_free(leaf);
    world_drop(&world);
}

#define ISSUERS 40 /* more than a context keeps */

struct many {
    struct world world;
    struct certificate_request request;
    struct buf good[ISSUERS];
    struct buf bad[ISSUERS]; /* with the next issuer's certificate */
};

/* After some uses an issuer's key has a table, and what it signed is remembered: both must not let
 * anything else through. */
static void often_used_issuers_stay_strict(void)
{
    struct world world;
    struct buf pem;
    struct error error;
    world_make_of(&world, KEY_ECDSA, 384);
    struct certificate_request request = request_for(world.leaf_key);
    pem_of(&pem, CHAIN(world.leaf, world.middle, world.root));
    for (int i = 0; i < 40; i++) {
        struct certificate_chain chain;
        CHECK_OK(certificate_check(world.context, buf_span(&pem), &request, &chain, &error), error);
        certificate_chain_free(&chain);
    }
    X509 *forged_leaf = X509_dup(world.leaf);
    X509 *forged_middle = X509_dup(world.middle);
    CHECK(X509_sign(forged_leaf, world.other_key, EVP_sha256()) > 0);
    CHECK(X509_sign(forged_middle, world.other_key, EVP_sha256()) > 0);
    refuse(&world, CHAIN(forged_leaf, world.middle, world.root), &request,
           "certificate 1 of the chain is not signed");
    refuse(&world, CHAIN(world.leaf, forged_middle, world.root), &request,
           "certificate 2 of the chain is not signed");
    X509_free(forged_leaf);
    X509_free(forged_middle);
    buf_free(&pem);
    world_drop(&world);
}

static void *check_many(void *argument)
{
    struct many *many = argument;
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < ISSUERS; i++) {
            struct error error;
            struct certificate_chain chain;
            CHECK_OK(certificate_check(many->world.context, buf_span(&many->good[i]),
                                       &many->request, &chain, &error),
                     error);
            certificate_chain_free(&chain);
            CHECK(!certificate_check(many->world.context, buf_span(&many->bad[i]), &many->request,
                                     &chain, &error));
            CHECK_CONTAINS(error.text, "is not signed by");
        }
    return NULL;
}

static void many_issuers_on_many_threads(void)
{
    static struct many many;
    X509 *issuers[ISSUERS];
    EVP_PKEY *keys[ISSUERS];
    world_make(&many.world);
    many.request = request_for(many.world.leaf_key);
    for (int i = 0; i < ISSUERS; i++) {
        keys[i] = pki_key(many.world.context, KEY_ECDSA, 256);
        issuers[i] = pki_certificate(&(struct pki_wish){.common_name = "One", .key = keys[i]});
    }
    for (int i = 0; i < ISSUERS; i++) {
        X509 *leaf = pki_certificate(&(struct pki_wish){.names = "DNS:www.example.com,IP:192.0.2.1,"
                                                                 "IP:2001:db8::1",
                                                        .key = many.world.leaf_key,
                                                        .issuer = issuers[i],
                                                        .issuer_key = keys[i]});
        pem_of(&many.good[i], CHAIN(leaf, issuers[i]));
        pem_of(&many.bad[i], CHAIN(leaf, issuers[(i + 1) % ISSUERS]));
        X509_free(leaf);
    }
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, check_many, &many) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < ISSUERS; i++) {
        buf_free(&many.good[i]);
        buf_free(&many.bad[i]);
        X509_free(issuers[i]);
        EVP_PKEY_free(keys[i]);
    }
    world_drop(&many.world);
}

static const struct test tests[] = {
    TEST(good_chains_are_cut_into_files),
    TEST(keys_and_names_must_be_those_asked_for),
    TEST(keys_in_another_encoding_are_the_same),
    TEST(links_must_hold),
    TEST(dates_must_hold),
    TEST(no_cut_chain_passes),
    TEST(texts_that_are_no_chain),
    TEST(no_flipped_bit_passes),
    TEST(issuers_among_alternate_chains),
    TEST(unusual_issuers_are_understood),
    TEST(often_used_issuers_stay_strict),
    TEST(many_issuers_on_many_threads),
    TEST(a_thousand_names_are_found),
};

TESTS_MAIN(tests)
