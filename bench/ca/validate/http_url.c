#include "http_url.h"

#include <stdio.h>
#include <string.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* Letters, digits and what host names and addresses have between them, in lower case. */
static bool host_copy(struct span host, char *text)
{
    bool is_address = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (is_address)
        host = span_make(host.data + 1, host.len - 2);
    TRY(host.len > 0 && host.len < HTTP_HOST_MAX);
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        TRY((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
            (is_address && c == ':'));
        text[i] = c;
    }
    text[host.len] = '\0';
    return true;
}

/* Behind the scheme: "host:port/path". */
static const char *authority_read(struct span rest, const struct http_ports *ports,
                                  struct http_url *url)
{
    size_t len = 0;
    while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?' &&
           rest.data[len] != '#')
        len++;
    struct span host = span_make(rest.data, len);
    size_t colon = len;
    for (size_t i = len; i-- > 0 && host.data[i] != ']';)
        if (host.data[i] == ':')
            colon = i;
    if (colon < len) {
        uint64_t port;
        int usual = url->tls ? HTTPS_PORT : HTTP_PORT;
        int configured = url->tls ? ports->https : ports->http;
        if (!span_to_u64(span_from(host, colon + 1), 65535, &port) ||
            ((int)port != usual && (int)port != configured))
            return "Invalid port in redirect target. Only ports 80 and 443 are supported";
        host.len = colon;
    }
    if (!host_copy(host, url->host))
        return "Invalid host in redirect target";
    int written = snprintf(url->path, sizeof url->path, "%s%.*s",
                           len < rest.len && rest.data[len] == '/' ? "" : "/",
                           SPAN_PRINTF(span_from(rest, len)));
    return (size_t)written < sizeof url->path ? NULL : "Redirect target is too long";
}

/* A path without host: from the root, a query, or beside the path that it was found on. */
static const char *path_read(const struct http_url *from, struct span location,
                             struct http_url *url)
{
    const char *end = from->path + strcspn(from->path, "?");
    if (location.len > 0 && location.data[0] == '/')
        end = from->path;
    else if (location.len > 0 && location.data[0] != '?')
        while (end > from->path && end[-1] != '/')
            end--;
    int written = snprintf(url->path, sizeof url->path, "%.*s%.*s", (int)(end - from->path),
                           from->path, SPAN_PRINTF(location));
    return (size_t)written < sizeof url->path ? NULL : "Redirect target is too long";
}

static bool starts_nocase(struct span text, const char *start)
{
    size_t len = strlen(start);
    return text.len >= len && span_equal_nocase(span_make(text.data, len), span_of(start));
}

/* A colon before the path's first slash. */
static bool names_scheme(struct span location)
{
    for (size_t i = 0; i < location.len; i++) {
        if (location.data[i] == ':')
            return true;
        if (location.data[i] == '/' || location.data[i] == '?')
            return false;
    }
    return false;
}

const char *http_url_follow(const struct http_url *from, struct span location,
                            const struct http_ports *ports, struct http_url *ret_url)
{
    struct http_url url = *from;
    const char *why;
    struct span rest = location;
    location = span_split(&rest, '#');
    for (size_t i = 0; i < location.len; i++)
        if (location.data[i] <= ' ' || location.data[i] >= 0x7f || location.data[i] == '\\')
            return "Redirect target is not a URL";
    if (location.len == 0 || location.len >= HTTP_URL_MAX)
        return "Redirect target is not a URL";
    if (starts_nocase(location, "http://") || starts_nocase(location, "https://")) {
        url.tls = location.data[4] != ':';
        why = authority_read(span_from(location, url.tls ? 8 : 7), ports, &url);
    } else if (span_starts(location, "//")) {
        why = authority_read(span_from(location, 2), ports, &url);
    } else if (names_scheme(location)) {
        return "Invalid protocol scheme in redirect target. Only \"http\" and \"https\" protocol "
               "schemes are supported";
    } else {
        why = path_read(from, location, &url);
    }
    if (why == NULL)
        *ret_url = url;
    return why;
}

bool http_url_equal(const struct http_url *a, const struct http_url *b)
{
    return a->tls == b->tls && strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

const char *http_url_text(const struct http_url *url, const struct http_ports *ports, char *text)
{
    bool is_address = strchr(url->host, ':') != NULL;
    int port = url->tls ? ports->https : ports->http;
    char suffix[16] = "";
    if (port != (url->tls ? HTTPS_PORT : HTTP_PORT))
        snprintf(suffix, sizeof suffix, ":%d", port);
    snprintf(text, HTTP_URL_MAX, "http%s://%s%s%s%s%s", url->tls ? "s" : "", is_address ? "[" : "",
             url->host, is_address ? "]" : "", suffix, url->path);
    return text;
}
