/* bench/ca/validate: http-01 against certmill's own responder, and servers that misbehave. */
#include "ca_validator.h"
#include "scripted_server.h"

#include "io/responder.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <signal.h>

#define PATH   "/.well-known/acme-challenge/"
#define OK     "HTTP/1.1 200 OK\r\n"
#define LENGTH "Content-Length: 16\r\n\r\n"
#define COUNT  1000

static void many_are_asked_at_once(unsigned connections)
{
    struct error error;
    struct responder *responder = NULL;
    CHECK_OK(responder_new("127.0.0.1:0", &responder, &error), error);
    struct watcher *watcher =
        watcher_start(&(struct validator_options){.http_port = responder_port(responder),
                                                  .fixed_address = "127.0.0.1",
                                                  .connections = connections});
    for (unsigned i = 0; i < COUNT; i++) {
        char token[32];
        char answer[64];
        snprintf(token, sizeof token, "token-%u", i);
        snprintf(answer, sizeof answer, "token-%u.thumbprint", i);
        /* Every seventh is not there, every other seventh wrong. */
        if (i % 7 != 0)
            CHECK(responder_put(responder, span_of(token), span_of(i % 7 == 1 ? "no" : answer)));
        watcher_submit(watcher, &(struct validation){.id = i,
                                                     .identifier = "www.example.com",
                                                     .token = token,
                                                     .key_authorization = answer,
                                                     .wait_us = (int64_t)(i % 3) * 1000});
    }
    watcher_wait(watcher, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        const struct outcome *outcome = &watcher->outcomes[i];
        char url[256];
        CHECK_INT(outcome->times, 1);
        if (i % 7 == 0)
            outcome_is(outcome, "unauthorized", ": 404");
        else if (i % 7 == 1)
            outcome_is(outcome, "unauthorized", ".thumbprint\" (got \"no\")");
        else
            outcome_is_valid(outcome);
        snprintf(url, sizeof url, "http://www.example.com:%d" PATH "token-%u",
                 responder_port(responder), i);
        CHECK_TEXT(outcome->url, url);
        CHECK_TEXT(outcome->address, "127.0.0.1");
    }
    watcher_stop(watcher);
    responder_free(responder);
}

static void a_thousand_at_once(void)
{
    many_are_asked_at_once(1000);
}

static void a_few_at_a_time(void)
{
    many_are_asked_at_once(3);
}

static struct watcher *watcher_for(const struct server *server)
{
    return watcher_start(&(struct validator_options){
        .http_port = server->port, .tls_port = 1, .fixed_address = "127.0.0.1"});
}

static const struct outcome *ask(struct watcher *watcher, const char *token)
{
    return watcher_ask(watcher, &(struct validation){.identifier = "a.example", .token = token});
}

/* More wait until one has ended, and are served by what is open. */
static void connections_are_limited(void)
{
    static const struct route route = {PATH "token", OK LENGTH KEY_AUTH, THEN_KEEP, 9};
    struct server *server = server_start(&route, 1, NULL);
    struct watcher *watcher = watcher_start(&(struct validator_options){
        .http_port = server->port, .fixed_address = "127.0.0.1", .connections = 3});
    for (uint64_t i = 0; i < 60; i++)
        watcher_submit(watcher, &(struct validation){.id = i, .identifier = "a.example"});
    watcher_wait(watcher, 60);
    for (size_t i = 0; i < 60; i++)
        outcome_is_valid(&watcher->outcomes[i]);
    CHECK(atomic_load(&server->connections) <= 3);
    watcher_stop(watcher);
    server_stop(server);
}

static void good_answers(void)
{
    static const struct route routes[] = {
        {PATH "plain", OK LENGTH KEY_AUTH, THEN_KEEP, 0},
        {PATH "pieces", OK LENGTH KEY_AUTH, THEN_KEEP, 7},
        {PATH "blanks", OK "Content-Length: 20\r\n\r\n" KEY_AUTH " \t\r\n", THEN_KEEP, 0},
        {PATH "chunks",
         OK "Transfer-Encoding: chunked\r\n\r\n6;x=y\r\ntoken.\r\nA\r\nthumbprint\r\n0\r\n\r\n",
         THEN_KEEP, 3},
        {PATH "continued", "HTTP/1.1 100 Continue\r\n\r\n" OK LENGTH KEY_AUTH, THEN_KEEP, 0},
        {PATH "until-end", OK "\r\n" KEY_AUTH, THEN_CLOSE, 0},
        {PATH "old", "HTTP/1.0 200 OK\r\n\r\n" KEY_AUTH "\n", THEN_CLOSE, 0},
    };
    struct server *server = server_start(routes, sizeof routes / sizeof routes[0], NULL);
    struct watcher *watcher = watcher_for(server);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        outcome_is_valid(ask(watcher, routes[i].path + strlen(PATH)));
    /* Five on one connection, and one each for those that ended it. */
    CHECK_INT(atomic_load(&server->connections), 2);
    CHECK_CONTAINS(server->last_head, "\r\nHost: a.example\r\n");
    watcher_stop(watcher);
    server_stop(server);
}

static void bad_answers(void)
{
    static const struct {
        struct route route;
        const char *problem, *detail;
    } cases[] = {
        {{PATH "missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", THEN_KEEP, 0},
         "unauthorized",
         "127.0.0.1: Invalid response from http://a.example:"},
        {{PATH "error", "HTTP/1.1 500 Oh\r\nContent-Length: 16\r\n\r\n" KEY_AUTH, THEN_KEEP, 0},
         "unauthorized",
         PATH "error: 500"},
        {{PATH "other", OK "Content-Length: 12\r\n\r\nother\x1b[31m.x", THEN_KEEP, 0},
         "unauthorized",
         "Expected \"token.thumbprint\" (got \"other"},
        {{PATH "longer", OK "Content-Length: 17\r\n\r\n" KEY_AUTH "x", THEN_KEEP, 0},
         "unauthorized",
         "(got \"token.thumbprintx\")"},
        {{PATH "before", OK "Content-Length: 17\r\n\r\n " KEY_AUTH, THEN_KEEP, 0},
         "unauthorized",
         "did not match"},
        {{PATH "empty", OK "Content-Length: 0\r\n\r\n", THEN_KEEP, 0},
         "unauthorized",
         "(got \"\")"},
        {{PATH "nothing", "", THEN_CLOSE, 0}, "connection", "without an answer"},
        {{PATH "cut", OK "Content-Length: 160\r\n\r\n" KEY_AUTH, THEN_CLOSE, 0},
         "connection",
         "not one of HTTP/1.1"},
        {{PATH "oversized", OK "Content-Length: 999999999\r\n\r\n", THEN_HANG, 0},
         "connection",
         "too large"},
        {{PATH "other-protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", THEN_HANG, 0},
         "connection",
         "not one of HTTP/1.1"},
        {{PATH "nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", THEN_KEEP, 0},
         "unauthorized",
         "nowhere: 302"},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    struct route routes[CASES];
    for (size_t i = 0; i < CASES; i++)
        routes[i] = cases[i].route;
    struct server *server = server_start(routes, CASES, NULL);
    struct watcher *watcher = watcher_for(server);
    for (size_t i = 0; i < CASES; i++) {
        const struct outcome *outcome = ask(watcher, cases[i].route.path + strlen(PATH));
        outcome_is(outcome, cases[i].problem, cases[i].detail);
        CHECK(strchr(outcome->detail, '\x1b') == NULL);
    }
    watcher_stop(watcher);
    server_stop(server);
}

/* A body without end, in many pieces. */
static void endless_bodies_are_cut_off(void)
{
    char *reply = malloc(40000);
    CHECK(reply != NULL);
    int head = snprintf(reply, 40000, OK "\r\n");
    memset(reply + head, 'x', 39999 - (size_t)head);
    reply[39999] = '\0';
    const struct route route = {PATH "endless", reply, THEN_HANG, 0};
    struct server *server = server_start(&route, 1, NULL);
    struct watcher *watcher = watcher_for(server);
    outcome_is(ask(watcher, "endless"), "connection", "too large");
    watcher_stop(watcher);
    server_stop(server);
    free(reply);
}

#define MOVED(where) "HTTP/1.1 301 Moved\r\nLocation: " where "\r\nContent-Length: 0\r\n\r\n"

static void redirects(void)
{
    static const struct {
        const char *token, *reply, *problem, *detail;
    } cases[] = {
        {"path", MOVED("/elsewhere"), NULL, NULL},
        {"beside", MOVED("found?x=y#z"), NULL, NULL},
        {"absolute", MOVED("http://other.example/elsewhere"), NULL, NULL},
        {"absolute-port", MOVED("HTTP://Other.Example:80/elsewhere"), NULL, NULL},
        {"no-scheme", MOVED("//other.example/elsewhere"), NULL, NULL},
        {"twice", MOVED(PATH "path"), NULL, NULL},
        {"loop", MOVED(PATH "loop"), "connection", "Redirect loop detected"},
        {"ring-1", MOVED(PATH "ring-2"), "connection", "Too many redirects"},
        {"ring-2", MOVED(PATH "ring-1"), "connection", "Too many redirects"},
        {"port", MOVED("http://a.example:8080/"), "connection", "Invalid port in redirect target"},
        {"scheme", MOVED("ftp://a.example/"), "connection", "Invalid protocol scheme"},
        {"script", MOVED("javascript:alert"), "connection", "Invalid protocol scheme"},
        {"host", MOVED("http://a_b!c/"), "connection", "Invalid host"},
        {"user", MOVED("http://u@a.example/"), "connection", "Invalid host"},
        {"blank", MOVED("/else where"), "connection", "not a URL"},
        {"empty", MOVED(""), "connection", "not a URL"},
        {"https", MOVED("https://a.example/elsewhere"), "connection", "Connection refused"},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    struct route routes[CASES + 2] = {
        {"/elsewhere", OK LENGTH KEY_AUTH, THEN_KEEP, 0},
        {PATH "found?x=y", OK LENGTH KEY_AUTH, THEN_KEEP, 0},
    };
    char paths[CASES][64];
    for (size_t i = 0; i < CASES; i++) {
        snprintf(paths[i], sizeof paths[i], PATH "%s", cases[i].token);
        routes[i + 2] = (struct route){paths[i], cases[i].reply, THEN_KEEP, 0};
    }
    struct server *server = server_start(routes, CASES + 2, NULL);
    struct watcher *watcher = watcher_for(server);
    for (size_t i = 0; i < CASES; i++) {
        unsigned before = atomic_load(&server->requests);
        const struct outcome *outcome = ask(watcher, cases[i].token);
        CHECK(atomic_load(&server->requests) - before <= 11);
        if (cases[i].problem == NULL)
            outcome_is_valid(outcome);
        else
            outcome_is(outcome, cases[i].problem, cases[i].detail);
    }
    CHECK_INT(atomic_load(&server->connections), 1);
    watcher_stop(watcher);
    server_stop(server);
}

static SSL_CTX *server_tls(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    CHECK(key != NULL && certificate != NULL && tls != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
    CHECK(X509_set_pubkey(certificate, key) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    CHECK(SSL_CTX_use_certificate(tls, certificate) == 1 && SSL_CTX_use_PrivateKey(tls, key) == 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}

/* The certificate at the target is not looked at (RFC 8555 section 8.3). */
static void redirects_to_https(void)
{
    static const struct route secure = {"/elsewhere", OK LENGTH KEY_AUTH, THEN_KEEP, 5};
    static const struct route plain = {PATH "https", MOVED("https://a.example:443/elsewhere"),
                                       THEN_KEEP, 0};
    SSL_CTX *tls = server_tls();
    struct server *first = server_start(&plain, 1, NULL);
    struct server *second = server_start(&secure, 1, tls);
    struct watcher *watcher = watcher_start(&(struct validator_options){
        .http_port = first->port, .tls_port = second->port, .fixed_address = "127.0.0.1"});
    const struct outcome *outcome = ask(watcher, "https");
    outcome_is_valid(outcome);
    CHECK_CONTAINS(outcome->url, "https://a.example:");
    watcher_stop(watcher);
    /* A server that speaks no TLS there. */
    watcher = watcher_start(&(struct validator_options){.http_port = first->port,
                                                        .tls_port = first->port,
                                                        .fixed_address = "127.0.0.1",
                                                        .timeout_ms = 500});
    CHECK(!ask(watcher, "https")->valid);
    watcher_stop(watcher);
    server_stop(first);
    server_stop(second);
    SSL_CTX_free(tls);
}

static void nobody_answers(void)
{
    int port;
    int fd = listen_any(&port);
    struct watcher *watcher = watcher_start(&(struct validator_options){
        .http_port = port, .fixed_address = "127.0.0.1", .timeout_ms = 100});
    /* The kernel takes the connection, and nobody reads. */
    const struct outcome *outcome = ask(watcher, "token");
    outcome_is(outcome, "connection", "Timeout after connect");
    close(fd);
    outcome_is(ask(watcher, "token"), "connection", "Connection refused");
    outcome_is(
        watcher_ask(watcher, &(struct validation){.identifier = "127.0.0.1", .is_address = true}),
        "connection", "127.0.0.1: Fetching http://127.0.0.1:");
    watcher_stop(watcher);
}

static void addresses_are_asked_themselves(void)
{
    static const struct route route = {PATH "token", OK LENGTH KEY_AUTH, THEN_KEEP, 0};
    struct server *server = server_start(&route, 1, NULL);
    struct watcher *watcher = watcher_start(&(struct validator_options){.http_port = server->port});
    outcome_is_valid(
        watcher_ask(watcher, &(struct validation){.identifier = "127.0.0.1", .is_address = true}));
    const struct outcome *outcome =
        watcher_ask(watcher, &(struct validation){.identifier = "::1", .is_address = true});
    CHECK(!outcome->valid);
    CHECK_TEXT(outcome->problem, "connection");
    CHECK_CONTAINS(outcome->url, "http://[::1]:");
    watcher_stop(watcher);
    server_stop(server);
}

/* The server says that it keeps the connection, and closes it. */
static void connections_that_end_while_idle(void)
{
    static const struct route routes[] = {
        {PATH "closed", OK LENGTH KEY_AUTH, THEN_CLOSE, 0},
        {PATH "reset", OK LENGTH KEY_AUTH, THEN_RESET, 0},
    };
    struct server *server = server_start(routes, 2, NULL);
    struct watcher *watcher = watcher_for(server);
    for (unsigned i = 0; i < 20; i++)
        outcome_is_valid(ask(watcher, i % 2 == 0 ? "closed" : "reset"));
    watcher_stop(watcher);
    server_stop(server);
}

static void the_end_comes_first(void)
{
    static const struct route route = {PATH "token", "", THEN_HANG, 0};
    struct server *server = server_start(&route, 1, NULL);
    struct watcher *watcher = watcher_start(&(struct validator_options){
        .http_port = server->port, .fixed_address = "127.0.0.1", .connections = 2});
    for (uint64_t i = 0; i < 20; i++)
        watcher_submit(watcher, &(struct validation){.id = i,
                                                     .identifier = "a.example",
                                                     .wait_us = i % 2 * 1000000000});
    validator_free(watcher->validator);
    CHECK_INT(watcher->count, 0);
    struct error error;
    CHECK(!validator_new(&(struct validator_options){.fixed_address = "a.example"},
                         &watcher->validator, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK(!validator_new(&(struct validator_options){.dns_server = "nonsense"}, &watcher->validator,
                         &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    watcher->validator = NULL;
    watcher_stop(watcher);
    server_stop(server);
}

static const struct test tests[] = {
    TEST(a_thousand_at_once),
    TEST(a_few_at_a_time),
    TEST(connections_are_limited),
    TEST(good_answers),
    TEST(bad_answers),
    TEST(endless_bodies_are_cut_off),
    TEST(redirects),
    TEST(redirects_to_https),
    TEST(nobody_answers),
    TEST(addresses_are_asked_themselves),
    TEST(connections_that_end_while_idle),
    TEST(the_end_comes_first),
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* the scripted server's OpenSSL writes to who is gone */
    return tests_run(tests, sizeof tests / sizeof tests[0], argc, argv);
}
