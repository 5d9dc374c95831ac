/* A TLS client as a CA's validation server is one: OpenSSL's, with what is to be tested left out or
 * wrong. */
#ifndef CERTMILL_TEST_ALPN_CLIENT_H
#define CERTMILL_TEST_ALPN_CLIENT_H

#include "check.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACME_TLS \
    "\x0a"       \
    "acme-tls/1"

static inline int alpn_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    struct timeval deadline = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

struct alpn_wish {
    const char *protocols;   /* as on the wire; NULL: no ALPN */
    const char *server_name; /* NULL: none */
    int version;             /* TLS1_2_VERSION, ...; 0: any */
};

/* One handshake. Gives the server's certificate, for the caller to free, when it succeeds; else
 * NULL and the reason in words: "tlsv1 alert no application protocol". */
static inline X509 *alpn_ask(int port, const struct alpn_wish *wish, char *reason, size_t size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    CHECK(context != NULL);
    SSL *ssl = SSL_new(context);
    int fd = alpn_connect(port);
    CHECK(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    if (wish->version != 0) {
        SSL_set_security_level(ssl, 0); /* for TLS 1.1 */
        CHECK(SSL_set_min_proto_version(ssl, wish->version) == 1);
        CHECK(SSL_set_max_proto_version(ssl, wish->version) == 1);
    }
    if (wish->protocols != NULL)
        CHECK_INT(SSL_set_alpn_protos(ssl, (const unsigned char *)wish->protocols,
                                      (unsigned)strlen(wish->protocols)),
                  0);
    if (wish->server_name != NULL)
        CHECK(SSL_set_tlsext_host_name(ssl, wish->server_name) == 1);
    ERR_clear_error();
    X509 *certificate = NULL;
    char byte;
    /* Under TLS 1.3 the client is done before the server is: reading shows its alert. */
    if (SSL_connect(ssl) == 1 && SSL_read(ssl, &byte, 1) <= 0 &&
        (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0 && ERR_peek_error() == 0) {
        const unsigned char *chosen;
        unsigned len;
        SSL_get0_alpn_selected(ssl, &chosen, &len);
        CHECK(span_is(span_make(chosen, len), "acme-tls/1"));
        certificate = SSL_get1_peer_certificate(ssl);
        CHECK(certificate != NULL);
    }
    const char *words = ERR_reason_error_string(ERR_peek_error());
    snprintf(reason, size, "%s", words != NULL ? words : "");
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return certificate;
}

#endif
