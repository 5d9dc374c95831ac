/* io/http over TLS: trust, and HTTP/2 when nghttpd (Debian's nghttp2-server) is installed. */
#include "http_fixture.h"
#include "scripted_server.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OK_HEAD       "HTTP/1.1 200 OK\r\n"
#define NOT_INSTALLED 127

struct identity {
    char folder[64];
    char certificate[128];
    char key[128];
    SSL_CTX *tls;
};

/* A self-signed certificate for the subject alternative name, as files and as a server's context.
 */
static void identity_make(struct identity *identity, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key != NULL && certificate != NULL);
    CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    X509_NAME *subject = X509_get_subject_name(certificate);
    CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
                                     -1, 0) == 1);
    CHECK(X509_set_issuer_name(certificate, subject) == 1);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
    CHECK(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);

    const char *base = getenv("TMPDIR");
    snprintf(identity->folder, sizeof identity->folder, "%s/http.XXXXXX",
             base != NULL && strlen(base) < 40 ? base : "/tmp");
    CHECK(mkdtemp(identity->folder) != NULL);
    snprintf(identity->certificate, sizeof identity->certificate, "%s/cert.pem", identity->folder);
    snprintf(identity->key, sizeof identity->key, "%s/key.pem", identity->folder);
    FILE *file = fopen(identity->certificate, "we");
    CHECK(file != NULL && PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
    file = fopen(identity->key, "we");
    CHECK(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
          fclose(file) == 0);
    identity->tls = SSL_CTX_new(TLS_server_method());
    CHECK(identity->tls != NULL && SSL_CTX_use_certificate(identity->tls, certificate) == 1 &&
          SSL_CTX_use_PrivateKey(identity->tls, key) == 1);
    X509_EXTENSION_free(extension);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void identity_remove(struct identity *identity)
{
    SSL_CTX_free(identity->tls);
    unlink(identity->certificate);
    unlink(identity->key);
    CHECK_INT(rmdir(identity->folder), 0);
}

static void a_trusted_server_is_spoken_to(void)
{
    struct identity identity;
    identity_make(&identity, "IP:127.0.0.1");
    struct server *server = server_start(NULL, 0, identity.tls);
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.ca_file = identity.certificate});
    for (size_t i = 0; i < 20; i++) {
        const struct answer *answer = fixture_get(&fixture, "https", server->port, "/x");
        CHECK_TEXT(answer->reason, "");
        CHECK_INT(answer->failure, HTTP_ANSWERED);
        CHECK_TEXT(answer->body, "GET /x ");
    }
    CHECK_INT(atomic_load(&server->connections), 1);
    /* No ALPN here, so it is HTTP/1.1: then requests spread over the allowed connections. */
    CHECK_INT(http_room(fixture.client), 8);
    fixture_close(&fixture);
    server_stop(server);
    identity_remove(&identity);
}

static void an_untrusted_server_gets_no_request(void)
{
    struct identity known;
    struct identity other;
    struct identity elsewhere;
    identity_make(&known, "IP:127.0.0.1");
    identity_make(&other, "IP:127.0.0.1");
    identity_make(&elsewhere, "DNS:elsewhere.example");
    const struct {
        const char *ca_file;
        struct identity *server;
    } cases[] = {
        {known.certificate, &other},
        {NULL, &known}, /* the system's trust */
        {elsewhere.certificate, &elsewhere},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server *server = server_start(NULL, 0, cases[i].server->tls);
        struct fixture fixture;
        fixture_open(&fixture, &(struct http_options){.ca_file = cases[i].ca_file});
        const struct answer *answer = fixture_get(&fixture, "https", server->port, "/secret");
        CHECK_INT(answer->failure, HTTP_UNTRUSTED);
        CHECK_CONTAINS(answer->reason, "127.0.0.1:");
        CHECK_CONTAINS(answer->reason, "certificate");
        CHECK_INT(atomic_load(&server->requests), 0);
        fixture_close(&fixture);
        server_stop(server);
    }
    identity_remove(&known);
    identity_remove(&other);
    identity_remove(&elsewhere);
}

static void old_tls_is_refused(void)
{
    struct identity identity;
    identity_make(&identity, "IP:127.0.0.1");
    SSL_CTX_set_security_level(identity.tls, 0);
    CHECK(SSL_CTX_set_min_proto_version(identity.tls, TLS1_VERSION) == 1);
    CHECK(SSL_CTX_set_max_proto_version(identity.tls, TLS1_1_VERSION) == 1);
    struct server *server = server_start(NULL, 0, identity.tls);
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){.ca_file = identity.certificate});
    const struct answer *answer = fixture_get(&fixture, "https", server->port, "/x");
    CHECK_INT(answer->failure, HTTP_UNTRUSTED);
    CHECK_INT(atomic_load(&server->requests), 0);
    fixture_close(&fixture);
    server_stop(server);
    identity_remove(&identity);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define VERSIONS (sizeof versions / sizeof versions[0])

/* Ends one handshake when the flag is set, by an alert. */
static int hello_look(SSL *ssl, int *alert, void *context)
{
    (void)ssl;
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    return atomic_exchange((atomic_bool *)context, false) ? SSL_CLIENT_HELLO_ERROR
                                                          : SSL_CLIENT_HELLO_SUCCESS;
}

/* Sessions are kept by the server, which can forget them: in TLS 1.2 libcurl takes no others. */
static void sessions_offer(SSL_CTX *tls, int version, atomic_bool *refuse)
{
    CHECK(SSL_CTX_set_min_proto_version(tls, version) == 1);
    CHECK(SSL_CTX_set_max_proto_version(tls, version) == 1);
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
    SSL_CTX_set_client_hello_cb(tls, hello_look, refuse);
}

static const struct route closing_route = {
    .path = "/end",
    .reply = OK_HEAD "Content-Length: 2\r\nConnection: close\r\n\r\nok",
    .then = THEN_CLOSE,
};

static void end_gets_ok(struct fixture *fixture, const struct server *server)
{
    const struct answer *answer = fixture_get(fixture, "https", server->port, "/end");
    CHECK_TEXT(answer->reason, "");
    CHECK_TEXT(answer->body, "ok");
}

static void sessions_are_resumed_with_their_server_alone(void)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct identity identity;
        atomic_bool refuse = false;
        identity_make(&identity, "IP:127.0.0.1");
        sessions_offer(identity.tls, versions[i], &refuse);
        struct server *server = server_start(&closing_route, 1, identity.tls);
        struct server *twin = server_start(&closing_route, 1, identity.tls);
        struct fixture fixture;
        fixture_open(&fixture, &(struct http_options){.ca_file = identity.certificate});
        for (size_t j = 0; j < 4; j++)
            end_gets_ok(&fixture, server);
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 3);
        end_gets_ok(&fixture, twin); /* it has the same sessions, and is not asked for them */
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 3);
        end_gets_ok(&fixture, twin);
        end_gets_ok(&fixture, server);
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 5);
        CHECK_INT(atomic_load(&server->connections), 5);
        fixture_close(&fixture);
        fixture_open(&fixture, &(struct http_options){.ca_file = identity.certificate});
        end_gets_ok(&fixture, server); /* nor does another client have one */
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 5);
        fixture_close(&fixture);
        server_stop(server);
        server_stop(twin);
        identity_remove(&identity);
    }
}

static void a_refused_session_is_done_without(void)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct identity identity;
        atomic_bool refuse = false;
        identity_make(&identity, "IP:127.0.0.1");
        sessions_offer(identity.tls, versions[i], &refuse);
        struct server *server = server_start(&closing_route, 1, identity.tls);
        const struct http_options options = {.ca_file = identity.certificate};
        struct fixture fixture;
        fixture_open(&fixture, &options);
        end_gets_ok(&fixture, server);
        SSL_CTX_flush_sessions(identity.tls, 0);
        end_gets_ok(&fixture, server);
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 0);
        end_gets_ok(&fixture, server);
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 1);

        /* A handshake that fails over a session is no matter of trust, and the next has none. */
        atomic_store(&refuse, true);
        const struct answer *answer = fixture_get(&fixture, "https", server->port, "/end");
        CHECK_INT(answer->failure, HTTP_UNREACHABLE);
        end_gets_ok(&fixture, server);
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 1);
        end_gets_ok(&fixture, server);
        CHECK_INT(SSL_CTX_sess_hits(identity.tls), 2);
        fixture_close(&fixture);

        fixture_open(&fixture, &options);
        atomic_store(&refuse, true);
        answer = fixture_get(&fixture, "https", server->port, "/end");
        CHECK_INT(answer->failure, HTTP_UNTRUSTED);
        fixture_close(&fixture);
        server_stop(server);
        identity_remove(&identity);
    }
}

/* In TLS 1.2 there is a session before the name in the certificate was looked at. */
static void a_session_is_no_proof_of_a_name(void)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        struct identity identity;
        atomic_bool refuse = false;
        identity_make(&identity, "DNS:elsewhere.example");
        sessions_offer(identity.tls, versions[i], &refuse);
        struct server *server = server_start(&closing_route, 1, identity.tls);
        struct fixture fixture;
        fixture_open(&fixture, &(struct http_options){.ca_file = identity.certificate});
        /* The client may be back before the server has kept the session. */
        bool resumed = versions[i] != TLS1_2_VERSION;
        for (size_t j = 0; j < 3 || (j < 50 && !resumed); j++) {
            const struct answer *answer = fixture_get(&fixture, "https", server->port, "/end");
            CHECK_INT(answer->failure, HTTP_UNTRUSTED);
            resumed |= SSL_CTX_sess_hits(identity.tls) > 0;
        }
        CHECK_INT(atomic_load(&server->requests), 0);
        CHECK(resumed);
        fixture_close(&fixture);
        server_stop(server);
        identity_remove(&identity);
    }
}

/* Accepts the connection of the request 1, sends the bytes, and closes it. */
static const struct answer *handshake_with(struct fixture *fixture, int listener, int port,
                                           struct span bytes)
{
    struct error error;
    char url[256];
    struct http_request request = {.id = 1, .url = url_of("https", port, "/x", url)};
    CHECK_OK(http_send(fixture->client, &request, &error), error);
    http_tick(fixture->client, clock_monotonic_ms());
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    if (bytes.len > 0) {
        /* Taking the other side's words first, so that closing does not reset the connection. */
        char hello[16384];
        int64_t deadline_ms = clock_monotonic_ms() + 20000;
        while (recv(fd, hello, sizeof hello, MSG_DONTWAIT) <= 0)
            fixture_turn(fixture, deadline_ms);
        CHECK(send(fd, bytes.data, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len);
    }
    close(fd);
    fixture_run(fixture);
    return &fixture->answers[1];
}

static void a_broken_handshake_is_no_matter_of_trust(void)
{
    int port;
    int listener = listen_any(&port);
    struct fixture fixture;
    fixture_open(&fixture, &(struct http_options){0});
    const struct answer *answer = handshake_with(&fixture, listener, port, SPAN_LITERAL(""));
    CHECK_INT(answer->failure, HTTP_UNREACHABLE);
    answer = handshake_with(&fixture, listener, port, SPAN_LITERAL("\x16\x03"));
    CHECK_INT(answer->failure, HTTP_UNREACHABLE);
    answer = handshake_with(&fixture, listener, port, SPAN_LITERAL("HTTP/1.1 400 No TLS\r\n\r\n"));
    CHECK_INT(answer->failure, HTTP_UNTRUSTED);
    fixture_close(&fixture);

    fixture_open(&fixture, &(struct http_options){.connect_timeout_ms = 50});
    answer = fixture_get(&fixture, "https", port, "/nobody-shakes-hands");
    CHECK_INT(answer->failure, HTTP_UNREACHABLE);
    CHECK_CONTAINS(answer->reason, "time");
    fixture_close(&fixture);

    /* They wait for each other's connection to show what the server speaks, but not for ever. */
    fixture_open(&fixture,
                 &(struct http_options){.connect_timeout_ms = 50, .request_timeout_ms = 120});
    for (uint64_t i = 1; i <= 8; i++) {
        struct error error;
        char url[256];
        struct http_request request = {.id = i, .url = url_of("https", port, "/x", url)};
        CHECK_OK(http_send(fixture.client, &request, &error), error);
    }
    fixture_run(&fixture);
    for (uint64_t i = 1; i <= 8; i++)
        CHECK_INT(fixture.answers[i].failure, HTTP_UNREACHABLE);
    fixture_close(&fixture);
    close(listener);
}

/* HTTP/2 against nghttpd, which serves the files of its folder. */

struct nghttpd {
    struct identity identity;
    pid_t pid;
    int port;
};

static bool port_answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

static bool nghttpd_start(struct nghttpd *nghttpd)
{
    identity_make(&nghttpd->identity, "IP:127.0.0.1");
    close(listen_any(&nghttpd->port));
    char port[16];
    snprintf(port, sizeof port, "%d", nghttpd->port);
    const char *const arguments[] = {"nghttpd",
                                     "-m100",
                                     "-d",
                                     nghttpd->identity.folder,
                                     port,
                                     nghttpd->identity.key,
                                     nghttpd->identity.certificate,
                                     NULL};
    nghttpd->pid = fork();
    CHECK(nghttpd->pid >= 0);
    if (nghttpd->pid == 0) {
        /* A failed check ends the test at once: nghttpd must not stay. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp("nghttpd", (char *const *)arguments);
        _exit(NOT_INSTALLED);
    }
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    while (!port_answers(nghttpd->port)) {
        CHECK(clock_monotonic_ms() < deadline_ms);
        int status;
        if (waitpid(nghttpd->pid, &status, WNOHANG) == 0)
            continue;
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED);
        printf("  (left out: nghttpd is not installed)\n");
        identity_remove(&nghttpd->identity);
        return false;
    }
    return true;
}

static void nghttpd_stop(struct nghttpd *nghttpd)
{
    CHECK_INT(kill(nghttpd->pid, SIGKILL), 0);
    CHECK_INT(waitpid(nghttpd->pid, NULL, 0), nghttpd->pid);
    identity_remove(&nghttpd->identity);
}

static void http2_shares_connections(void)
{
    struct nghttpd nghttpd;
    if (!nghttpd_start(&nghttpd))
        return;
    struct fixture fixture;
    struct http_options options = {
        .ca_file = nghttpd.identity.certificate, .connections = 2, .streams = 50};
    fixture_open(&fixture, &options);
    CHECK_INT(http_room(fixture.client), 2);
    uint64_t sent = 0;
    uint64_t count = 2000;
    size_t most = 0;
    int64_t deadline_ms = clock_monotonic_ms() + 30000;
    do {
        while (sent < count && http_room(fixture.client) > 0) {
            char url[256];
            struct error error;
            struct http_request request = {
                .id = sent,
                .method = sent % 4 == 3 ? HTTP_HEAD : HTTP_GET,
                .url = url_of("https", nghttpd.port, sent % 4 == 1 ? "/missing" : "/cert.pem", url),
            };
            CHECK_OK(http_send(fixture.client, &request, &error), error);
            sent++;
        }
        /* Counted before any answer is taken in: how fast those come must not matter. */
        http_count(fixture.client, &fixture.counts);
        if (fixture.counts.out_now > most)
            most = fixture.counts.out_now;
        fixture_turn(&fixture, deadline_ms);
    } while (sent < count || fixture.counts.out_now > 0);
    struct stat status;
    CHECK_INT(stat(nghttpd.identity.certificate, &status), 0);
    for (uint64_t i = 0; i < count; i++) {
        CHECK_TEXT(fixture.answers[i].reason, "");
        CHECK_INT(fixture.answers[i].status, i % 4 == 1 ? 404 : 200);
        if (i % 4 != 1)
            CHECK_INT(fixture.answers[i].body_len, i % 4 == 3 ? 0 : status.st_size);
    }
    CHECK_INT(fixture.counts.http2, count);
    CHECK(fixture.counts.connections <= 2);
    /* Answers that come quickly leave 25 streams a connection enough. */
    CHECK(most > 25 && most <= 50);
    CHECK_INT(http_room(fixture.client), 50);
    fixture_close(&fixture);

    options.http1_only = true;
    fixture_open(&fixture, &options);
    (void)fixture_get(&fixture, "https", nghttpd.port, "/cert.pem");
    CHECK_INT(fixture.counts.http2, 0);
    CHECK_INT(http_room(fixture.client), 2);
    fixture_close(&fixture);
    nghttpd_stop(&nghttpd);
}

static const struct test tests[] = {
    TEST(a_trusted_server_is_spoken_to),
    TEST(an_untrusted_server_gets_no_request),
    TEST(old_tls_is_refused),
    TEST(sessions_are_resumed_with_their_server_alone),
    TEST(a_refused_session_is_done_without),
    TEST(a_session_is_no_proof_of_a_name),
    TEST(a_broken_handshake_is_no_matter_of_trust),
    TEST(http2_shares_connections),
};

int main(int argc, char **argv)
{
    /* The server's SSL_write has no MSG_NOSIGNAL. */
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
