/* bench/ca/validate: tls-alpn-01 against certmill's own responder, and servers that show something
 * else. */
#include "ca_validator.h"
#include "pki.h"
#include "scripted_server.h"

#include "crypto/alpn_certificate.h"
#include "io/alpn_responder.h"

#include <signal.h>

#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"

struct world {
    struct crypto_context *context;
    EVP_PKEY *key;
    struct alpn_responder *responder;
    struct watcher *watcher;
};

static void world_make(struct world *world)
{
    struct error error;
    world->context = pki_context();
    world->key = pki_key(world->context, KEY_ECDSA, 256);
    CHECK_OK(alpn_responder_new(
                 &(struct alpn_responder_options){.listen = "127.0.0.1:0",
                                                  .key = world->key,
                                                  .library = crypto_library(world->context)},
                 &world->responder, &error),
             error);
    world->watcher = watcher_start(&(struct validator_options){
        .tls_port = alpn_responder_port(world->responder), .fixed_address = "127.0.0.1"});
}

static void world_drop(struct world *world)
{
    watcher_stop(world->watcher);
    alpn_responder_free(world->responder);
    EVP_PKEY_free(world->key);
    crypto_context_free(world->context);
}

/* Under the server name of `asked`, a certificate for `identifier`. */
static void put(const struct world *world, const char *asked, const char *identifier,
                const char *key_authorization)
{
    struct buf der;
    struct error error;
    char name[ALPN_SERVER_NAME_MAX];
    buf_init(&der, ALPN_CERTIFICATE_MAX);
    CHECK_OK(alpn_server_name(asked, name, &error), error);
    CHECK_OK(alpn_certificate_make(world->context, world->key, identifier,
                                   span_of(key_authorization), PKI_NOW, &der, &error),
             error);
    CHECK(alpn_responder_put(world->responder, span_of(name), buf_span(&der)));
    buf_free(&der);
}

static const struct outcome *ask(const struct world *world, const char *identifier, bool is_address)
{
    return watcher_ask(world->watcher, &(struct validation){.method = VALIDATE_TLS_ALPN_01,
                                                            .identifier = identifier,
                                                            .is_address = is_address});
}

static void certificates_of_our_own(void)
{
    struct world world;
    world_make(&world);
    put(&world, "a.example", "a.example", KEY_AUTH);
    put(&world, "192.0.2.7", "192.0.2.7", KEY_AUTH);
    put(&world, "2001:db8::7", "2001:db8::7", KEY_AUTH);
    put(&world, "wrong.example", "wrong.example", "token.other");
    put(&world, "name.example", "other.example", KEY_AUTH);
    put(&world, "192.0.2.8", "192.0.2.9", KEY_AUTH);
    put(&world, "text.example", "192.0.2.9", KEY_AUTH);
    outcome_is_valid(ask(&world, "a.example", false));
    outcome_is_valid(ask(&world, "192.0.2.7", true));
    outcome_is_valid(ask(&world, "2001:db8::7", true));
    CHECK_TEXT(ask(&world, "a.example", false)->address, "127.0.0.1");
    outcome_is(ask(&world, "wrong.example", false), "unauthorized",
               "not the key authorization's digest");
    outcome_is(ask(&world, "name.example", false), "unauthorized", "must be the identifier");
    outcome_is(ask(&world, "192.0.2.8", true), "unauthorized", "must be the identifier");
    outcome_is(ask(&world, "text.example", false), "unauthorized", "must be the identifier");
    outcome_is(ask(&world, "missing.example", false), "tls", "127.0.0.1: ");
    world_drop(&world);
}

static void many_at_once(void)
{
    enum { COUNT = 300 };
    struct world world;
    world_make(&world);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "n%u.example", i);
        put(&world, name, name, i % 3 == 0 ? "token.other" : KEY_AUTH);
        watcher_submit(
            world.watcher,
            &(struct validation){.id = i, .method = VALIDATE_TLS_ALPN_01, .identifier = name});
    }
    watcher_wait(world.watcher, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK_INT(world.watcher->outcomes[i].times, 1);
        if (i % 3 == 0)
            outcome_is(&world.watcher->outcomes[i], "unauthorized", "digest");
        else
            outcome_is_valid(&world.watcher->outcomes[i]);
    }
    world_drop(&world);
}

/* What a certificate that is wrong in one way has. */
struct forgery {
    const char *names;
    const char *extension; /* the value, as openssl.cnf has it; NULL: none */
    bool not_self_signed, twice, no_protocol;
    const char *detail; /* NULL: valid */
};

static void forgery_extend(X509 *certificate, const char *value)
{
    char text[256];
    bool critical = strncmp(value, "critical,", 9) == 0;
    ASN1_OBJECT *kind = OBJ_txt2obj(ACME_IDENTIFIER, 1);
    X509_EXTENSION *plain = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, "replaced below");
    snprintf(text, sizeof text, "%s", value + (critical ? 9 : 0));
    long len = 0;
    unsigned char *bytes = OPENSSL_hexstr2buf(text, &len);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    CHECK(kind != NULL && plain != NULL && bytes != NULL && data != NULL);
    CHECK(ASN1_OCTET_STRING_set(data, bytes, (int)len) == 1);
    CHECK(X509_EXTENSION_set_object(plain, kind) == 1);
    CHECK(X509_EXTENSION_set_data(plain, data) == 1);
    CHECK(X509_EXTENSION_set_critical(plain, critical) == 1);
    CHECK(X509_add_ext(certificate, plain, -1) == 1);
    ASN1_OCTET_STRING_free(data);
    OPENSSL_free(bytes);
    X509_EXTENSION_free(plain);
    ASN1_OBJECT_free(kind);
}

static int protocol_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *context)
{
    (void)ssl;
    (void)context;
    CHECK(span_is(span_make(in, in_len), "\x0a"
                                         "acme-tls/1"));
    *out = in + 1;
    *out_len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *forgery_make(const struct world *world, const struct forgery *forgery)
{
    EVP_PKEY *other = pki_key(world->context, KEY_ECDSA, 256);
    X509 *issuer = pki_certificate(&(struct pki_wish){.common_name = "issuer", .key = other});
    X509 *certificate = pki_certificate(&(struct pki_wish){
        .names = forgery->names, .common_name = "acme", .key = world->key, .no_key_ids = true});
    for (int i = 0; forgery->extension != NULL && i < 1 + forgery->twice; i++)
        forgery_extend(certificate, forgery->extension);
    if (forgery->not_self_signed)
        CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    CHECK(X509_sign(certificate, forgery->not_self_signed ? other : world->key, EVP_sha256()) > 0);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    CHECK(tls != NULL && SSL_CTX_use_certificate(tls, certificate) == 1);
    CHECK(SSL_CTX_use_PrivateKey(tls, world->key) == 1);
    if (!forgery->no_protocol)
        SSL_CTX_set_alpn_select_cb(tls, protocol_choose, NULL);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(other);
    return tls;
}

static void forged_certificates(void)
{
    struct world world;
    world_make(&world);
/* SHA-256 of KEY_AUTH, by the openssl command, in an OCTET STRING */
#define DIGEST "eb5ac167fe249c76e53b430da3116c5d9fde4c5507ba6d01e885516e1bd49f92"
    static const struct forgery forgeries[] = {
        {.names = "DNS:a.example", .extension = "critical,0420" DIGEST},
        {.names = "DNS:A.Example", .extension = "critical,0420" DIGEST},
        {.names = "DNS:a.example", .detail = "Missing acmeIdentifier"},
        {.names = "DNS:a.example", .extension = "0420" DIGEST, .detail = "not critical"},
        {.names = "DNS:a.example",
         .extension = "critical,0420" DIGEST,
         .twice = true,
         .detail = "present twice"},
        {.names = "DNS:a.example", .extension = "critical,0520" DIGEST, .detail = "Malformed"},
        {.names = "DNS:a.example", .extension = "critical,0420" DIGEST "00", .detail = "Malformed"},
        {.names = "DNS:a.example", .extension = "critical,0400", .detail = "digest"},
        {.names = "DNS:a.example,DNS:b.example",
         .extension = "critical,0420" DIGEST,
         .detail = "must be the identifier"},
        {.names = "DNS:b.example",
         .extension = "critical,0420" DIGEST,
         .detail = "must be the identifier"},
        {.names = "email:a.example",
         .extension = "critical,0420" DIGEST,
         .detail = "must be the identifier"},
        {.extension = "critical,0420" DIGEST, .detail = "must be the identifier"},
        {.names = "DNS:a.example",
         .extension = "critical,0420" DIGEST,
         .not_self_signed = true,
         .detail = "Self-signed certificate expected"},
        {.names = "DNS:a.example",
         .extension = "critical,0420" DIGEST,
         .no_protocol = true,
         .detail = "Cannot negotiate ALPN protocol"},
    };
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        SSL_CTX *tls = forgery_make(&world, &forgeries[i]);
        struct server *server = server_start(NULL, 0, tls);
        struct watcher *watcher = watcher_start(
            &(struct validator_options){.tls_port = server->port, .fixed_address = "127.0.0.1"});
        const struct outcome *outcome =
            watcher_ask(watcher, &(struct validation){.method = VALIDATE_TLS_ALPN_01,
                                                      .identifier = "a.example"});
        if (forgeries[i].detail == NULL)
            outcome_is_valid(outcome);
        else
            outcome_is(outcome, "unauthorized", forgeries[i].detail);
        watcher_stop(watcher);
        server_stop(server);
        SSL_CTX_free(tls);
    }
    world_drop(&world);
}

static void no_tls_at_all(void)
{
    struct validation validation = {.method = VALIDATE_TLS_ALPN_01, .identifier = "a.example"};
    int port;
    int fd = listen_any(&port);
    struct watcher *watcher = watcher_start(&(struct validator_options){
        .tls_port = port, .fixed_address = "127.0.0.1", .timeout_ms = 100});
    outcome_is(watcher_ask(watcher, &validation), "connection", "127.0.0.1: Timeout after connect");
    close(fd);
    outcome_is(watcher_ask(watcher, &validation), "connection", "127.0.0.1: Connection refused");
    watcher_stop(watcher);
}

static void *hang_up(void *context)
{
    char bytes[4096];
    int fd = accept(*(int *)context, NULL, NULL);
    CHECK(fd >= 0 && recv(fd, bytes, sizeof bytes, 0) > 0);
    CHECK(send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL) == 28);
    close(fd);
    fd = accept(*(int *)context, NULL, NULL);
    CHECK(fd >= 0 && recv(fd, bytes, sizeof bytes, 0) > 0);
    close(fd);
    return NULL;
}

/* A server that speaks something else, and one that says nothing and closes. */
static void other_protocols(void)
{
    struct validation validation = {.method = VALIDATE_TLS_ALPN_01, .identifier = "a.example"};
    pthread_t thread;
    int port;
    int fd = listen_any(&port);
    CHECK_INT(pthread_create(&thread, NULL, hang_up, &fd), 0);
    struct watcher *watcher =
        watcher_start(&(struct validator_options){.tls_port = port, .fixed_address = "127.0.0.1"});
    outcome_is(watcher_ask(watcher, &validation), "tls", "127.0.0.1: wrong version number");
    const struct outcome *outcome = watcher_ask(watcher, &validation);
    CHECK(!outcome->valid);
    CHECK(strcmp(outcome->problem, "tls") == 0 || strcmp(outcome->problem, "connection") == 0);
    pthread_join(thread, NULL);
    watcher_stop(watcher);
    close(fd);
}

static const struct test tests[] = {
    TEST(certificates_of_our_own), TEST(many_at_once),    TEST(forged_certificates),
    TEST(no_tls_at_all),           TEST(other_protocols),
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* the scripted server's OpenSSL writes to who is gone */
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
