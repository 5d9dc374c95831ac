/* What libcurl's error codes mean to a caller who must decide whether to send again.
 *
 * Only when no byte of the request went out is it certain that the server did not act on it;
 * libcurl counts those bytes (CURLINFO_REQUEST_SIZE). libcurl itself sends a request again, on a
 * fresh connection, when a reused connection turned out to be dead before any byte of the answer,
 * and when an HTTP/2 server refused the stream unprocessed (REFUSED_STREAM, GOAWAY); what arrives
 * here is what is left after that. */
#include "http/client.h"

#include <stdio.h>
#include <string.h>

/* libcurl has one code for "the handshake was refused" and for "the connection broke during the
 * handshake"; only the first is a matter of trust that sending again cannot mend. */
static bool handshake_broke(const char *text)
{
    static const char *const words[] = {
        "SSL_ERROR_SYSCALL", "Connection reset",     "Broken pipe",
        "unexpected eof",    "Connection timed out",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

enum http_failure failure_of(CURLcode code, bool sent, const char *curl_text)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED: /* a user name in the URL */
        return HTTP_BAD_URL;
    case CURLE_UNSUPPORTED_PROTOCOL: /* when sent: an answer that is no HTTP/1 */
        return sent ? HTTP_LOST : HTTP_BAD_URL;
    case CURLE_SSL_CONNECT_ERROR:
        return handshake_broke(curl_text) ? HTTP_UNREACHABLE : HTTP_UNTRUSTED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_USE_SSL_FAILED:
        return HTTP_UNTRUSTED;
    case CURLE_FILESIZE_EXCEEDED:
        return HTTP_TOO_LARGE;
    case CURLE_SEND_FAIL_REWIND: /* a kept connection ended, and the request goes out once */
        return HTTP_LOST;
    case CURLE_OPERATION_TIMEDOUT:
        return sent ? HTTP_TIMEOUT : HTTP_UNREACHABLE;
    default:
        return sent ? HTTP_LOST : HTTP_UNREACHABLE;
    }
}

const char *failure_text(CURLcode code, const char *curl_text)
{
    /* What 7.88 says of a request whose time was over before its turn came. */
    if (code == CURLE_OPERATION_TIMEDOUT && strstr(curl_text, "with timeout after 0 ms") != NULL)
        return "no connection came free in time";
    if (curl_text[0] != '\0')
        return curl_text;
    /* 7.88 says nothing of its own when an HTTP/2 server, a rate limiter for one, closes the stream
     * with an answer while the request's body is still to be sent; the answer is then lost. */
    if (code == CURLE_HTTP2_STREAM)
        return "the server ended the stream before it had read the request";
    return curl_easy_strerror(code);
}

void failure_reason(char reason[static 256], const char *authority, const char *text)
{
    if (authority[0] != '\0')
        snprintf(reason, 256, "%s: %s", authority, text);
    else
        snprintf(reason, 256, "%s", text);
    /* The text may quote the server. */
    for (char *c = reason; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}
