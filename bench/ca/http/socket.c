/* Bytes in and out of a peer's socket, through TLS or in the clear. */
#include "ca/http/peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>

static const unsigned char both_protocols[] = "\x02"
                                              "h2"
                                              "\x08"
                                              "http/1.1";
enum { HTTP2_PROTOCOL_LEN = 3, BOTH_PROTOCOLS_LEN = sizeof both_protocols - 1 };

static int protocol_select(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *context)
{
    (void)ssl;
    const struct server_options *options = context;
    unsigned skip = options->http1_only ? HTTP2_PROTOCOL_LEN : 0;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, ret_len, both_protocols + skip, BOTH_PROTOCOLS_LEN - skip,
                              offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_chosen = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool certificates_use(SSL_CTX *tls, struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool ok = certificate != NULL && SSL_CTX_use_certificate(tls, certificate) == 1;
    X509_free(certificate);
    while (ok && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = SSL_CTX_add0_chain_cert(tls, certificate) == 1;
        if (!ok)
            X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is an error to OpenSSL */
    return ok;
}

static bool key_use(SSL_CTX *tls, struct span pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    bool ok =
        key != NULL && SSL_CTX_use_PrivateKey(tls, key) == 1 && SSL_CTX_check_private_key(tls) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok;
}

SSL_CTX *socket_tls_new(const struct server_options *options, struct error *error)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(tls);
        error_set(error, ERROR_MEMORY, "no memory for the server's TLS");
        return NULL;
    }
    if (options->certificate_pem.len > INT32_MAX || options->key_pem.len > INT32_MAX ||
        !certificates_use(tls, options->certificate_pem) || !key_use(tls, options->key_pem)) {
        ERR_clear_error();
        SSL_CTX_free(tls);
        error_set(error, ERROR_CONFIG, "the server's certificate and key make no pair in PEM");
        return NULL;
    }
    /* Sessions are in tickets, the client's to keep; nothing is looked up here under a lock. */
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(tls, 1); /* else two reads a record */
    SSL_CTX_set_alpn_select_cb(tls, protocol_select, (void *)(uintptr_t)options);
    return tls;
}

static void thread_count(atomic_uint_fast64_t *count, uint64_t more)
{
    atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}

/* What went over the wire since the last time; OpenSSL knows. */
static void tls_count(struct peer *peer)
{
    uint64_t in = BIO_number_read(SSL_get_rbio(peer->ssl));
    uint64_t out = BIO_number_written(SSL_get_wbio(peer->ssl));
    if (in != peer->wire_in)
        thread_count(&peer->thread->counts.bytes_in, in - peer->wire_in);
    if (out != peer->wire_out)
        thread_count(&peer->thread->counts.bytes_out, out - peer->wire_out);
    peer->wire_in = in;
    peer->wire_out = out;
}

static enum moved tls_moved(struct peer *peer, int code)
{
    tls_count(peer);
    if (code > 0)
        return MOVED;
    switch (SSL_get_error(peer->ssl, code)) {
    case SSL_ERROR_WANT_READ:
        return MOVED_BLOCKED;
    case SSL_ERROR_WANT_WRITE:
        peer->wants_write = true;
        return MOVED_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return MOVED_EOF;
    default:
        peer->tls_broken = true;
        return MOVED_BROKEN;
    }
}

enum moved socket_shake_hands(struct peer *peer)
{
    ERR_clear_error();
    enum moved moved = tls_moved(peer, SSL_do_handshake(peer->ssl));
    if (moved == MOVED)
        thread_count(SSL_session_reused(peer->ssl) ? &peer->thread->counts.handshakes_resumed
                                                   : &peer->thread->counts.handshakes_full,
                     1);
    return moved;
}

static enum moved plain_moved(ssize_t count)
{
    if (count >= 0)
        return MOVED;
    return errno == EAGAIN || errno == EINTR ? MOVED_BLOCKED : MOVED_BROKEN;
}

enum moved socket_read(struct peer *peer, char *data, size_t size, size_t *ret_len)
{
    if (peer->ssl != NULL) {
        size_t len = 0;
        ERR_clear_error();
        enum moved moved = tls_moved(peer, SSL_read_ex(peer->ssl, data, size, &len));
        peer->more = moved == MOVED && SSL_has_pending(peer->ssl) == 1;
        if (moved == MOVED)
            *ret_len = len;
        return moved;
    }
    ssize_t count = recv(peer->fd, data, size, 0);
    peer->more = false;
    if (count == 0)
        return MOVED_EOF;
    if (count > 0) {
        thread_count(&peer->thread->counts.bytes_in, (uint64_t)count);
        *ret_len = (size_t)count;
    }
    return plain_moved(count);
}

enum moved socket_write(struct peer *peer, struct span bytes, size_t *ret_len)
{
    if (peer->ssl != NULL) {
        size_t len = 0;
        ERR_clear_error();
        enum moved moved = tls_moved(peer, SSL_write_ex(peer->ssl, bytes.data, bytes.len, &len));
        if (moved == MOVED)
            *ret_len = len;
        return moved;
    }
    ssize_t count = send(peer->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    if (count > 0) {
        thread_count(&peer->thread->counts.bytes_out, (uint64_t)count);
        *ret_len = (size_t)count;
    }
    return plain_moved(count);
}

void socket_finish(struct peer *peer)
{
    if (peer->ssl != NULL && peer->protocol != NULL && !peer->tls_broken) {
        ERR_clear_error();
        (void)SSL_shutdown(peer->ssl);
        tls_count(peer);
    }
    (void)shutdown(peer->fd, SHUT_WR);
}
