/* TLS sessions that outlive their connections.
 *
 * libcurl keeps the very session that a connection uses, and gives it to the next as it is. OpenSSL
 * marks a session as not to be resumed when its connection is freed without an orderly close of
 * TLS, which is how libcurl 7.88 always frees one, and whenever the server sends a further ticket
 * (RFC 8446 section 4.6.1; most send two). New connections then make full handshakes, though there
 * is a session to resume. So libcurl is given a copy that no connection uses, and each connection a
 * copy of what libcurl keeps.
 *
 * OpenSSL also marks a session whose connection ends with a fatal alert (RFC 5246 section 7.2.2),
 * and that mark is right: a server that fails on a session instead of making a full handshake would
 * be offered it again and again. So each connection knows what it was copied from, and an alert
 * marks that too. The request itself is worth another try, without the session. */
#include "http/client.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

/* Of the session in libcurl's keeping of which a connection has a copy. */
static pthread_once_t original_once = PTHREAD_ONCE_INIT;
static int original_index = -1;

static void original_free(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index,
                          long argument, void *argument_pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)argument;
    (void)argument_pointer;
    SSL_SESSION_free(pointer);
}

static void original_index_make(void)
{
    original_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, original_free);
}

static struct http_client *client_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int session_arrives(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (copy != NULL && client_of(ssl)->session_keep(ssl, copy) == 0)
        SSL_SESSION_free(copy);
    return 0; /* the session stays OpenSSL's */
}

static void handshake_begins(SSL *ssl)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    if (session == NULL || !SSL_in_before(ssl) || SSL_SESSION_is_resumable(session) != 1)
        return;
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (copy != NULL && SSL_SESSION_up_ref(session) == 1) {
        if (SSL_set_ex_data(ssl, original_index, session) != 1)
            SSL_SESSION_free(session);
        else
            (void)SSL_set_session(ssl, copy);
    }
    SSL_SESSION_free(copy);
}

static void alert_passes(const SSL *ssl, int value)
{
    SSL_SESSION *original = SSL_get_ex_data(ssl, original_index);
    if (original == NULL || value >> 8 != SSL3_AL_FATAL)
        return;
    (void)SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl), original); /* this is how it is marked */
    if (SSL_in_init(ssl))
        client_of(ssl)->session_failed = true;
}

static void state_changes(const SSL *ssl, int where, int value)
{
    /* Only the callback's type says that the connection is not to be changed. */
    if (where == SSL_CB_HANDSHAKE_START)
        handshake_begins((SSL *)(uintptr_t)ssl);
    else if (where == SSL_CB_HANDSHAKE_DONE)
        client_of(ssl)->session_failed = false;
    else if ((where & SSL_CB_ALERT) != 0)
        alert_passes(ssl, value);
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
        SSL_CTX_set_info_callback(tls, state_changes);
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
    (void)pthread_once(&original_once, original_index_make);
    if (!client->openssl || original_index < 0)
        return CURLE_OK;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, client);
    code |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, sessions_copy);
    return code;
}
