/* URLs that http-01 asks for, and those that answers redirect to (RFC 8555 section 8.3). Pure. */
#ifndef CERTMILL_CA_VALIDATE_HTTP_URL_H
#define CERTMILL_CA_VALIDATE_HTTP_URL_H

#include "base/span.h"

#define HTTP_HOST_MAX 256
#define HTTP_PATH_MAX 2048
#define HTTP_URL_MAX  (HTTP_HOST_MAX + HTTP_PATH_MAX + 32)

struct http_url {
    bool tls;
    char host[HTTP_HOST_MAX]; /* lower case; an IPv6 address without brackets */
    char path[HTTP_PATH_MAX]; /* with the query */
};

/* What the ports are called in this CA: 80 and 443 stand for them. */
struct http_ports {
    int http, https;
};

/* Where `location` (a Location field) leads from `from`. NULL, or why it is not followed. */
const char *http_url_follow(const struct http_url *from, struct span location,
                            const struct http_ports *ports, struct http_url *ret_url);

bool http_url_equal(const struct http_url *a, const struct http_url *b);

/* "http://example.com:5002/path" into `text` of HTTP_URL_MAX bytes; the usual ports are left out.
 */
const char *http_url_text(const struct http_url *url, const struct http_ports *ports, char *text);

#endif
