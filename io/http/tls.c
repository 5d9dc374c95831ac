/* TLS sessions that outlive their connections.
 *
 * libcurl keeps the very session that a connection uses, and gives it to the next as it is. OpenSSL
 * marks a session as not to be resumed when its connection is freed without an orderly close of
 * TLS, which is how libcurl 7.88 always frees one, and whenever the server sends a further ticket
 * (RFC 8446 section 4.6.1; most send two). New connections then make full handshakes, though there
 * is a session to resume. So libcurl is given a copy that no connection uses, and each connection a
 * copy of what libcurl keeps. */
#include "http/client.h"

#include <openssl/ssl.h>
#include <string.h>

static int session_arrives(SSL *ssl, SSL_SESSION *session)
{
    const struct http_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (copy != NULL && client->session_keep(ssl, copy) == 0)
        SSL_SESSION_free(copy);
    return 0; /* the session stays OpenSSL's */
}

static void handshake_begins(const SSL *ssl, int where, int value)
{
    (void)value;
    const SSL_SESSION *session = where == SSL_CB_HANDSHAKE_START ? SSL_get0_session(ssl) : NULL;
    SSL_SESSION *copy = session != NULL && SSL_in_before(ssl) ? SSL_SESSION_dup(session) : NULL;
    /* Only the callback's type says that the connection is not to be changed. */
    if (copy != NULL)
        (void)SSL_set_session((SSL *)(uintptr_t)ssl, copy);
    SSL_SESSION_free(copy);
}

static CURLcode sessions_copy(CURL *easy, void *ssl_context, void *context)
{
    (void)easy;
    struct http_client *client = context;
    SSL_CTX *tls = ssl_context;
    client->session_keep = SSL_CTX_sess_get_new_cb(tls);
    if (client->session_keep != NULL) {
        SSL_CTX_set_app_data(tls, client);
        SSL_CTX_sess_set_new_cb(tls, session_arrives);
        SSL_CTX_set_info_callback(tls, handshake_begins);
    }
    return CURLE_OK;
}

bool tls_is_openssl(void)
{
    const char *version = curl_version_info(CURLVERSION_NOW)->ssl_version;
    return version != NULL && strncmp(version, "OpenSSL/", 8) == 0;
}

CURLcode tls_sessions_keep(CURL *easy, struct http_client *client)
{
    if (!client->openssl)
        return CURLE_OK;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, client);
    code |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, sessions_copy);
    return code;
}
