/* http-01, RFC 8555 section 8.3. */
#include "check.h"

#include "base/printable.h"

#include <stdio.h>
#include <string.h>

#define REDIRECTS_MAX 10
#define SHOWN_MAX     128

void http_begin(struct check *check)
{
    struct http_url *url = &check->url;
    int len = snprintf(url->path, sizeof url->path, "/.well-known/acme-challenge/%s", check->token);
    *url->host = '\0';
    if ((size_t)len >= sizeof url->path || strlen(check->identifier) >= sizeof url->host) {
        check_end(check, "connection", "The name or the token is too long");
        return;
    }
    memcpy(url->host, check->identifier, strlen(check->identifier) + 1);
    check_locate(check, url->host);
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void redirect(struct check *check, struct span location)
{
    struct http_ports ports = check_ports(check);
    struct http_url target;
    char text[HTTP_URL_MAX];
    const char *why = http_url_follow(&check->url, location, &ports, &target);
    if (why == NULL && ++check->redirects > REDIRECTS_MAX)
        why = "Too many redirects";
    if (why == NULL && http_url_equal(&target, &check->url))
        why = "Redirect loop detected";
    if (why != NULL) {
        check_end(check, "connection", "%s: Fetching %s: %s", check->address,
                  check_url(check, text), why);
        return;
    }
    check->url = target;
    check_locate(check, check->url.host);
}

/* Trailing white space is nothing, section 8.3. */
static struct span trim_end(struct span body)
{
    while (body.len > 0 && strchr(" \t\r\n\v\f", body.data[body.len - 1]) != NULL &&
           body.data[body.len - 1] != '\0')
        body.len--;
    return body;
}

/* The answer lies in the connection's buffer: what is needed of it is taken before that goes. */
void http_answered(struct check *check, const struct http_answer *answer)
{
    struct connection *connection = check->connection;
    char text[HTTP_URL_MAX];
    char shown[SHOWN_MAX];
    char location[HTTP_URL_MAX];
    struct span body = trim_end(answer->body);
    bool good = answer->status == 200 && span_is(body, check->key_authorization);
    bool leads = is_redirect(answer->status) && answer->location.data != NULL;
    if (!good)
        printable_copy(body, shown, sizeof shown);
    size_t len = answer->location.len < sizeof location ? answer->location.len : 0;
    if (leads && len > 0)
        memcpy(location, answer->location.data, len);
    int status = answer->status;
    connection_release(connection, answer->keep);
    if (good)
        check_end(check, NULL, "%s", "");
    else if (leads)
        redirect(check, span_make(location, len));
    else if (status != 200)
        check_end(check, "unauthorized", "%s: Invalid response from %s: %d", check->address,
                  check_url(check, text), status);
    else
        check_end(check, "unauthorized",
                  "%s: The key authorization file from the server did not match this challenge. "
                  "Expected \"%s\" (got \"%s\")",
                  check->address, check->key_authorization, shown);
}
