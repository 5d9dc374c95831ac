/* tls-alpn-01 answered: each connection is one handshake.
 *
 *   1. ClientHello     without acme-tls/1 in its ALPN extension: alert no_application_protocol
 *   2. server name     not among those put: alert unrecognized_name
 *   3. certificate     that of the name; the handshake ends
 *   4. close_notify    then the other side closes, or the deadline comes
 *
 * One deadline covers all of it. */
#include "io/alpn_responder.h"

#include "responder/acceptor.h"
#include "responder/tokens.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* A handshake under way holds some 50 KiB. */
#define CONNECTIONS_MAX 512
#define BYTES_IN_MAX    16384 /* a client needs less than 4 KiB in all */

static const unsigned char acme_protocol[] = "\x0a"
                                             "acme-tls/1"; /* RFC 8737 section 6.2 */
#define ACME_PROTOCOL_LEN (sizeof acme_protocol - 1)

struct handshake {
    struct connection connection; /* first: see acceptor_protocol */
    SSL *ssl;
};

struct alpn_responder {
    struct tokens names;
    SSL_CTX *tls;
    EVP_PKEY *key;
    OSSL_LIB_CTX *library;
    char *properties;
    struct acceptor *acceptor;
};

/* A client that offers no ALPN at all would otherwise get the certificate: OpenSSL asks the
 * callback of ALPN only about what is offered. */
static int client_hello_check(SSL *ssl, int *alert, void *context)
{
    (void)context;
    const unsigned char *offered;
    size_t len;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                     &offered, &len) == 1
               ? SSL_CLIENT_HELLO_SUCCESS
               : SSL_CLIENT_HELLO_ERROR;
}

static int protocol_select(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *context)
{
    (void)ssl;
    (void)context;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, ret_len, acme_protocol, ACME_PROTOCOL_LEN, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_chosen = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Lower case into `folded` of RESPONDER_TOKEN_MAX bytes; the empty span when it is too long. */
static struct span name_fold(struct span name, char *folded)
{
    if (name.len > RESPONDER_TOKEN_MAX)
        return (struct span){0};
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return span_make(folded, name.len);
}

static X509 *certificate_of(struct alpn_responder *responder, const char *server_name)
{
    char folded[RESPONDER_TOKEN_MAX];
    unsigned char der[RESPONDER_ANSWER_MAX];
    size_t len;
    struct span name = name_fold(span_of(server_name), folded);
    if (name.len == 0 || !tokens_find(&responder->names, name, (char *)der, &len))
        return NULL;
    X509 *certificate = X509_new_ex(responder->library, responder->properties);
    const unsigned char *at = der;
    if (certificate != NULL && d2i_X509(&certificate, &at, (long)len) == NULL)
        certificate = NULL; /* d2i_X509 has freed it */
    return certificate;
}

static int server_name_select(SSL *ssl, int *alert, void *context)
{
    struct alpn_responder *responder = context;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    const char *server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    X509 *certificate = server_name != NULL ? certificate_of(responder, server_name) : NULL;
    if (certificate == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    bool ok =
        SSL_use_certificate(ssl, certificate) == 1 && SSL_use_PrivateKey(ssl, responder->key) == 1;
    X509_free(certificate);
    return ok ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool handshake_open(struct connection *connection)
{
    struct handshake *handshake = (struct handshake *)connection;
    const struct alpn_responder *responder = connection->context;
    handshake->ssl = SSL_new(responder->tls);
    if (handshake->ssl != NULL && SSL_set_fd(handshake->ssl, connection->fd) == 1) {
        SSL_set_accept_state(handshake->ssl);
        return true;
    }
    SSL_free(handshake->ssl);
    return false;
}

static enum step handshake_ready(struct connection *connection)
{
    struct handshake *handshake = (struct handshake *)connection;
    ERR_clear_error();
    int code = SSL_do_handshake(handshake->ssl);
    if (code == 1) {
        /* What the client sends is no concern of this protocol. */
        (void)SSL_shutdown(handshake->ssl);
        return connection_drain(connection);
    }
    switch (SSL_get_error(handshake->ssl, code)) {
    case SSL_ERROR_WANT_READ:
        return BIO_number_read(SSL_get_rbio(handshake->ssl)) <= BYTES_IN_MAX ? STEP_WAIT_READ
                                                                             : STEP_CLOSE;
    case SSL_ERROR_WANT_WRITE:
        return STEP_WAIT_WRITE;
    case SSL_ERROR_SSL: /* the alert is sent; it must not be lost by a reset */
        return connection_drain(connection);
    default:
        return STEP_CLOSE;
    }
}

static void handshake_close(struct connection *connection)
{
    struct handshake *handshake = (struct handshake *)connection;
    SSL_free(handshake->ssl);
    ERR_clear_error();
}

static const struct acceptor_protocol tls_alpn_01 = {
    .name = "tls-alpn-01",
    .hint = "set solvers.tls-alpn-01.listen to a port to which port 443 is forwarded",
    .connection_size = sizeof(struct handshake),
    .open = handshake_open,
    .ready = handshake_ready,
    .close = handshake_close,
};

static bool tls_open(struct alpn_responder *responder)
{
    SSL_CTX *tls = SSL_CTX_new_ex(responder->library, responder->properties, TLS_server_method());
    responder->tls = tls;
    TRY(tls != NULL && SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1);
    /* A session would never be taken up again. */
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_client_hello_cb(tls, client_hello_check, NULL);
    SSL_CTX_set_alpn_select_cb(tls, protocol_select, NULL);
    SSL_CTX_set_tlsext_servername_callback(tls, server_name_select);
    SSL_CTX_set_tlsext_servername_arg(tls, responder);
    return SSL_CTX_set_num_tickets(tls, 0) == 1;
}

static bool responder_fill(struct alpn_responder *responder,
                           const struct alpn_responder_options *options, struct error *error)
{
    struct responder_limits limits = options->limits;
    if (limits.connections == 0)
        limits.connections = CONNECTIONS_MAX;
    responder->library = options->library;
    if (options->properties != NULL) {
        responder->properties = strdup(options->properties);
        if (responder->properties == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for the tls-alpn-01 responder");
    }
    TRY(EVP_PKEY_up_ref(options->key) == 1 ||
        error_set(error, ERROR_MEMORY, "no memory for the tls-alpn-01 responder"));
    responder->key = options->key;
    if (!tls_open(responder)) {
        char reason[256];
        ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
        ERR_clear_error();
        return error_set(error, ERROR_CONFIG, "TLS for tls-alpn-01: %s", reason);
    }
    return acceptor_new(options->listen, &tls_alpn_01, responder, &limits, &responder->acceptor,
                        error);
}

bool alpn_responder_new(const struct alpn_responder_options *options,
                        struct alpn_responder **ret_responder, struct error *error)
{
    struct alpn_responder *responder = calloc(1, sizeof *responder);
    if (responder == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the tls-alpn-01 responder");
    tokens_init(&responder->names);
    if (!responder_fill(responder, options, error)) {
        alpn_responder_free(responder);
        return false;
    }
    *ret_responder = responder;
    return true;
}

void alpn_responder_free(struct alpn_responder *responder)
{
    if (responder == NULL)
        return;
    acceptor_free(responder->acceptor);
    SSL_CTX_free(responder->tls);
    EVP_PKEY_free(responder->key);
    free(responder->properties);
    tokens_free(&responder->names);
    free(responder);
}

int alpn_responder_port(const struct alpn_responder *responder)
{
    return acceptor_port(responder->acceptor);
}

bool alpn_responder_put(struct alpn_responder *responder, struct span server_name,
                        struct span certificate)
{
    char folded[RESPONDER_TOKEN_MAX];
    return tokens_put(&responder->names, name_fold(server_name, folded), certificate);
}

void alpn_responder_remove(struct alpn_responder *responder, struct span server_name)
{
    char folded[RESPONDER_TOKEN_MAX];
    tokens_remove(&responder->names, name_fold(server_name, folded));
}
