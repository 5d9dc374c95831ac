/* io/alpn_responder: OpenSSL's client, its s_client command, and connections that are no TLS. */
#include "alpn_client.h"
#include "pki.h"

#include "crypto/alpn_certificate.h"
#include "io/alpn_responder.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#define READ_MAX 20000 /* milliseconds that an answer may take */

struct world {
    struct crypto_context *context;
    EVP_PKEY *key;
    struct alpn_responder *responder;
    int port;
};

static struct alpn_responder *opened(const struct world *world, struct responder_limits limits)
{
    struct error error;
    struct alpn_responder *responder;
    const struct alpn_responder_options options = {.listen = "127.0.0.1:0",
                                                   .limits = limits,
                                                   .key = world->key,
                                                   .library = crypto_library(world->context)};
    CHECK_OK(alpn_responder_new(&options, &responder, &error), error);
    return responder;
}

static void world_make(struct world *world)
{
    world->context = pki_context();
    world->key = pki_key(world->context, KEY_ECDSA, 256);
    world->responder = opened(world, (struct responder_limits){0});
    world->port = alpn_responder_port(world->responder);
}

static void world_drop(struct world *world)
{
    alpn_responder_free(world->responder);
    EVP_PKEY_free(world->key);
    crypto_context_free(world->context);
}

static bool put(const struct world *world, const char *name, const char *identifier)
{
    struct buf der;
    struct error error;
    buf_init(&der, ALPN_CERTIFICATE_MAX);
    CHECK_OK(alpn_certificate_make(world->context, world->key, identifier, span_of(identifier),
                                   PKI_NOW, &der, &error),
             error);
    bool ok = alpn_responder_put(world->responder, span_of(name), buf_span(&der));
    buf_free(&der);
    return ok;
}

static void shows(const struct world *world, struct alpn_wish wish, const char *host)
{
    char reason[256];
    X509 *certificate = alpn_ask(world->port, &wish, reason, sizeof reason);
    if (certificate == NULL)
        CHECK_TEXT(reason, "a certificate");
    CHECK_INT(X509_check_host(certificate, host, 0, 0, NULL), 1);
    X509_free(certificate);
}

static void refuses(const struct world *world, struct alpn_wish wish, const char *why)
{
    char reason[256];
    CHECK(alpn_ask(world->port, &wish, reason, sizeof reason) == NULL);
    CHECK_TEXT(reason, why);
}

static void names_get_their_certificates(void)
{
    struct world world;
    world_make(&world);
    CHECK(put(&world, "a.example", "a.example"));
    CHECK(put(&world, "B.Example", "b.example"));
    static const int versions[] = {0, TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 3; i++) {
        shows(&world, (struct alpn_wish){ACME_TLS, "a.example", versions[i]}, "a.example");
        shows(&world, (struct alpn_wish){ACME_TLS, "A.EXAMPLE", versions[i]}, "a.example");
        shows(&world, (struct alpn_wish){ACME_TLS, "b.example", versions[i]}, "b.example");
    }
    shows(&world, (struct alpn_wish){"\x02h2" ACME_TLS, "a.example", 0}, "a.example");
    CHECK(put(&world, "a.example", "later.example"));
    shows(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "later.example");
    alpn_responder_remove(world.responder, SPAN_LITERAL("a.example"));
    shows(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "later.example");
    alpn_responder_remove(world.responder, SPAN_LITERAL("A.example"));
    refuses(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "tlsv1 unrecognized name");
    world_drop(&world);
}

static void other_protocols_and_names_are_refused(void)
{
    static const struct {
        struct alpn_wish wish;
        const char *why;
    } rows[] = {
        {{"\x02h2\x08http/1.1", "a.example", 0}, "tlsv1 alert no application protocol"},
        {{"\x09"
          "acme-tls/",
          "a.example", 0},
         "tlsv1 alert no application protocol"},
        {{NULL, "a.example", 0}, "tlsv1 alert no application protocol"},
        {{NULL, "a.example", TLS1_2_VERSION}, "tlsv1 alert no application protocol"},
        {{ACME_TLS, "b.example", 0}, "tlsv1 unrecognized name"},
        {{ACME_TLS, "b.example", TLS1_2_VERSION}, "tlsv1 unrecognized name"},
        {{ACME_TLS, "a.example.", 0}, "tlsv1 unrecognized name"},
        {{ACME_TLS, NULL, 0}, "tlsv1 unrecognized name"},
        {{ACME_TLS, NULL, TLS1_2_VERSION}, "tlsv1 unrecognized name"},
        {{ACME_TLS, "a.example", TLS1_1_VERSION}, "tlsv1 alert protocol version"},
    };
    struct world world;
    world_make(&world);
    CHECK(put(&world, "a.example", "a.example"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuses(&world, rows[i].wish, rows[i].why);
    shows(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "a.example");
    world_drop(&world);
}

/* The certificate is taken, but is not readable. */
static void a_broken_certificate_fails_its_handshake_alone(void)
{
    struct world world;
    world_make(&world);
    CHECK(alpn_responder_put(world.responder, SPAN_LITERAL("a.example"), SPAN_LITERAL("no DER")));
    CHECK(put(&world, "b.example", "b.example"));
    refuses(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "tlsv1 unrecognized name");
    shows(&world, (struct alpn_wish){ACME_TLS, "b.example", 0}, "b.example");
    char large[RESPONDER_ANSWER_MAX + 1] = {0};
    CHECK(!alpn_responder_put(world.responder, SPAN_LITERAL("c"), span_make(large, sizeof large)));
    CHECK(!alpn_responder_put(world.responder, span_make(large, RESPONDER_TOKEN_MAX + 1),
                              SPAN_LITERAL("x")));
    CHECK(!alpn_responder_put(world.responder, SPAN_LITERAL(""), SPAN_LITERAL("x")));
    world_drop(&world);
}

static void s_client(const struct world *world, const char *options, struct buf *out)
{
    char command[512];
    char text[4096];
    snprintf(command, sizeof command,
             "openssl s_client -connect 127.0.0.1:%d %s < /dev/null 2>&1 | "
             "{ tee /dev/stderr | openssl x509 -noout -text; } 2>&1",
             world->port, options);
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own words */
    CHECK(pipe != NULL);
    size_t len;
    buf_clear(out);
    while ((len = fread(text, 1, sizeof text, pipe)) > 0)
        CHECK(buf_append(out, text, len));
    (void)pclose(pipe);
}

static void the_openssl_command_agrees(void)
{
    struct world world;
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    world_make(&world);
    CHECK(put(&world, "7.2.0.192.in-addr.arpa", "192.0.2.7"));
    s_client(&world, "-alpn acme-tls/1 -servername 7.2.0.192.in-addr.arpa", &out);
    CHECK_CONTAINS(buf_text(&out), "ALPN protocol: acme-tls/1");
    CHECK_CONTAINS(buf_text(&out), "IP Address:192.0.2.7");
    CHECK_CONTAINS(buf_text(&out), "1.3.6.1.5.5.7.1.31: critical");
    s_client(&world, "-alpn h2 -servername 7.2.0.192.in-addr.arpa", &out);
    CHECK_CONTAINS(buf_text(&out), "alert no application protocol");
    s_client(&world, "-alpn acme-tls/1 -noservername", &out);
    CHECK_CONTAINS(buf_text(&out), "unrecognized name");
    world_drop(&world);
    buf_free(&out);
}

/* Reads to the end of the connection. */
static bool is_closed(int fd)
{
    char bytes[512];
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    ssize_t count;
    do {
        CHECK_INT(poll(&polled, 1, READ_MAX), 1);
        count = recv(fd, bytes, sizeof bytes, 0);
    } while (count > 0);
    return true;
}

static void slow_surplus_and_foreign_connections_are_ended(void)
{
    struct world world;
    world_make(&world);
    CHECK(put(&world, "a.example", "a.example"));
    int fd = alpn_connect(world.port);
    CHECK(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    CHECK(is_closed(fd));
    close(fd);
    /* A record that never ends: more than any client needs. */
    fd = alpn_connect(world.port);
    static const char client_hello[] = "\x16\x03\x01\x40\x00\x01\x01\xff\xfc";
    CHECK(send(fd, client_hello, sizeof client_hello - 1, MSG_NOSIGNAL) > 0);
    static char filler[60000];
    while (send(fd, filler, sizeof filler, MSG_NOSIGNAL) > 0)
        continue;
    close(fd);
    shows(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "a.example");
    alpn_responder_free(world.responder);

    world.responder = opened(&world, (struct responder_limits){.idle_timeout_ms = 30});
    fd = alpn_connect(alpn_responder_port(world.responder));
    CHECK(send(fd, "\x16\x03", 2, MSG_NOSIGNAL) == 2);
    CHECK(is_closed(fd));
    close(fd);
    alpn_responder_free(world.responder);

    world.responder = opened(&world, (struct responder_limits){.connections = 2});
    world.port = alpn_responder_port(world.responder);
    CHECK(put(&world, "a.example", "a.example"));
    int fds[2] = {alpn_connect(world.port), alpn_connect(world.port)};
    shows(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "a.example");
    CHECK(is_closed(fds[0])); /* it waited longest */
    close(fds[0]);
    close(fds[1]);
    world_drop(&world);
}

static void a_port_in_use_is_told(void)
{
    struct world world;
    struct error error;
    char listen[32];
    struct alpn_responder *second;
    world_make(&world);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", world.port);
    const struct alpn_responder_options options = {.listen = listen, .key = world.key};
    CHECK(!alpn_responder_new(&options, &second, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_INT(error.sys, EADDRINUSE);
    CHECK_CONTAINS(error.text, "is in use: stop what listens there, or set "
                               "solvers.tls-alpn-01.listen");
    world_drop(&world);
}

struct serving {
    const struct world *world;
    atomic_bool stop;
};

static void *puts_and_removes(void *context)
{
    struct serving *serving = context;
    while (!atomic_load(&serving->stop)) {
        CHECK(put(serving->world, "b.example", "b.example"));
        alpn_responder_remove(serving->world->responder, SPAN_LITERAL("b.example"));
    }
    return NULL;
}

static void puts_run_while_serving(void)
{
    struct world world;
    pthread_t thread;
    char reason[256];
    world_make(&world);
    CHECK(put(&world, "a.example", "a.example"));
    struct serving serving = {.world = &world};
    CHECK_INT(pthread_create(&thread, NULL, puts_and_removes, &serving), 0);
    for (unsigned i = 0; i < 60; i++) {
        shows(&world, (struct alpn_wish){ACME_TLS, "a.example", 0}, "a.example");
        /* There or gone, but whole. */
        struct alpn_wish wish = {ACME_TLS, "b.example", 0};
        X509 *certificate = alpn_ask(world.port, &wish, reason, sizeof reason);
        if (certificate == NULL)
            CHECK_TEXT(reason, "tlsv1 unrecognized name");
        X509_free(certificate);
    }
    atomic_store(&serving.stop, true);
    pthread_join(thread, NULL);
    world_drop(&world);
}

static const struct test tests[] = {
    TEST(names_get_their_certificates),
    TEST(other_protocols_and_names_are_refused),
    TEST(a_broken_certificate_fails_its_handshake_alone),
    TEST(the_openssl_command_agrees),
    TEST(slow_surplus_and_foreign_connections_are_ended),
    TEST(a_port_in_use_is_told),
    TEST(puts_run_while_serving),
};
TESTS_MAIN(tests)
