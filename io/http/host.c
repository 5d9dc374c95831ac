#include "http/client.h"

#include <stdio.h>
#include <string.h>

void authority_of(struct span url, char authority[static HTTP_AUTHORITY_MAX])
{
    authority[0] = '\0';
    struct span rest = url;
    const char *port = "443";
    if (rest.len >= 7 && span_equal_nocase(span_make(rest.data, 7), SPAN_LITERAL("http://"))) {
        rest = span_from(rest, 7);
        port = "80";
    } else if (rest.len >= 8 &&
               span_equal_nocase(span_make(rest.data, 8), SPAN_LITERAL("https://"))) {
        rest = span_from(rest, 8);
    } else {
        return;
    }
    size_t len = 0;
    while (len < rest.len && strchr("/?#", rest.data[len]) == NULL)
        len++;
    const char *at = len > 0 ? memrchr(rest.data, '@', len) : NULL;
    if (at != NULL) {
        size_t skip = (size_t)(at - rest.data) + 1;
        rest = span_from(rest, skip);
        len -= skip;
    }
    if (len == 0 || len > HTTP_AUTHORITY_MAX - 7)
        return;
    const char *colon = memrchr(rest.data, ':', len);
    const char *bracket = memchr(rest.data, ']', len);
    bool has_port = colon != NULL && (bracket == NULL || colon > bracket);
    snprintf(authority, HTTP_AUTHORITY_MAX, "%.*s%s%s", (int)len, rest.data, has_port ? "" : ":",
             has_port ? "" : port);
}

static struct http_host *host_find(const struct http_client *client, const char *authority)
{
    for (unsigned i = 0; i < client->host_count; i++)
        if (strcmp(client->hosts[i].authority, authority) == 0)
            return (struct http_host *)&client->hosts[i];
    return NULL;
}

enum http_spoken host_spoken(const struct http_client *client, const char *authority)
{
    const struct http_host *host = host_find(client, authority);
    return host != NULL ? host->spoken : SPOKEN_UNKNOWN;
}

static struct http_host *host_add(struct http_client *client, const char *authority)
{
    struct http_host *host;
    if (client->host_count < HTTP_HOSTS_MAX) {
        host = &client->hosts[client->host_count++];
    } else {
        host = &client->hosts[client->host_next++ % HTTP_HOSTS_MAX];
        client->hosts_http2 -= host->spoken == SPOKEN_HTTP2;
    }
    host->spoken = SPOKEN_UNKNOWN;
    snprintf(host->authority, sizeof host->authority, "%s", authority);
    return host;
}

void host_learn(struct http_client *client, const char *authority, enum http_spoken spoken)
{
    struct http_host *host = host_find(client, authority);
    if (host == NULL)
        host = host_add(client, authority);
    if (host->spoken == spoken)
        return;
    client->hosts_http2 -= host->spoken == SPOKEN_HTTP2;
    client->hosts_http2 += spoken == SPOKEN_HTTP2;
    host->spoken = spoken;
}
