/* The load CA's server with TLS: a certificate, and raw TLS connections that may be broken on
 * purpose. */
#ifndef CERTMILL_TEST_CA_TLS_H
#define CERTMILL_TEST_CA_TLS_H

#include "ca_server.h"
#include "http_fixture.h"
#include "pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct ca_identity {
    struct buf certificate;
    struct buf key;
    char file[128]; /* the certificate, for trust */
};

static inline void ca_identity_make(struct ca_identity *identity)
{
    struct crypto_context *context = pki_context();
    EVP_PKEY *key = pki_key(context, KEY_ECDSA, 256);
    X509 *certificate = pki_certificate(&(struct pki_wish){
        .common_name = "ca",
        .names = "DNS:localhost,IP:127.0.0.1",
        .key = key,
        .not_before = clock_unix() - 3600,
        .not_after = clock_unix() + 3600,
    });
    buf_init(&identity->certificate, 8192);
    buf_init(&identity->key, 8192);
    pki_append(&identity->certificate, certificate);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    CHECK(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    long len = BIO_get_mem_data(bio, &text);
    CHECK(len > 0 && buf_append(&identity->key, text, (size_t)len));
    BIO_free(bio);
    pki_file(buf_span(&identity->certificate), identity->file, sizeof identity->file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    crypto_context_free(context);
}

static inline void ca_identity_free(struct ca_identity *identity)
{
    unlink(identity->file);
    buf_free(&identity->certificate);
    buf_free(&identity->key);
}

static inline void ca_open_tls(struct ca *ca, const struct ca_identity *identity,
                               struct server_options options)
{
    options.tls = true;
    options.certificate_pem = buf_span(&identity->certificate);
    options.key_pem = buf_span(&identity->key);
    ca_open(ca, &options);
}

static inline const char *ca_url(const struct ca *ca, const char *path, char *url)
{
    return url_of("https", ca->port, path, url);
}

/* Hands over a request under the id; its answer is in fixture->answers[id]. */
static inline void ca_hand_over(struct fixture *fixture, const struct ca *ca,
                                struct http_request request, const char *path)
{
    char url[256];
    struct error error;
    request.url = ca_url(ca, path, url);
    fixture->answers[request.id] = (struct answer){0};
    CHECK_OK(http_send(fixture->client, &request, &error), error);
}

static inline void ca_send(struct fixture *fixture, const struct ca *ca, uint64_t id,
                           const char *path)
{
    ca_hand_over(fixture, ca, (struct http_request){.id = id}, path);
}

/* libcurl repeats other requests when a kept connection ends without an answer. */
static inline void ca_send_once(struct fixture *fixture, const struct ca *ca, uint64_t id,
                                const char *path)
{
    struct http_request request = {
        .id = id, .method = HTTP_POST, .body = SPAN_LITERAL("x"), .once = true};
    ca_hand_over(fixture, ca, request, path);
}

/* A TLS connection of which every byte inside is the test's. `protocol` for ALPN as in its wire
 * form, or NULL. */
struct tls_raw {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

static inline void tls_raw_open(struct tls_raw *raw, const struct ca *ca, const char *protocol)
{
    raw->context = SSL_CTX_new(TLS_client_method());
    CHECK(raw->context != NULL);
    raw->ssl = SSL_new(raw->context);
    raw->fd = raw_open(ca);
    CHECK(raw->ssl != NULL && SSL_set_fd(raw->ssl, raw->fd) == 1);
    if (protocol != NULL)
        CHECK(SSL_set_alpn_protos(raw->ssl, (const unsigned char *)protocol,
                                  (unsigned)strlen(protocol)) == 0);
    CHECK(SSL_connect(raw->ssl) == 1);
}

static inline void tls_raw_close(struct tls_raw *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    close(raw->fd);
}

static inline void tls_raw_send(struct tls_raw *raw, struct span bytes)
{
    CHECK(SSL_write(raw->ssl, bytes.data, (int)bytes.len) == (int)bytes.len);
}

/* Until the server ends the connection, however. */
static inline void tls_raw_read_all(struct tls_raw *raw, struct buf *text)
{
    char data[4096];
    int count;
    while ((count = SSL_read(raw->ssl, data, sizeof data)) > 0)
        CHECK(buf_append(text, data, (size_t)count));
    ERR_clear_error();
}

#endif
