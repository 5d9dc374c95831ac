#include "aws/route.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES ((size_t)16 * 1024)

static bool is_label(struct span text, size_t shortest)
{
    if (text.len < shortest || text.len > 63 || text.data[0] == '-' ||
        text.data[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool aws_region_is_sound(const char *region)
{
    return is_label(span_of(region), 1);
}

static bool is_own_s3(struct span host)
{
    return (span_starts(host, "s3.") || span_starts(host, "s3-")) &&
           (span_ends(host, ".amazonaws.com") || span_ends(host, ".amazonaws.com.cn") ||
            span_ends(host, ".amazonaws.eu"));
}

/* "/bucket/key" -> "bucket" */
static struct span bucket_of(struct span path)
{
    struct span rest = span_starts(path, "/") ? span_from(path, 1) : path;
    return span_split(&rest, '/');
}

static struct span without_default_port(struct span authority, bool is_https)
{
    const char *port = is_https ? ":443" : ":80";
    if (span_ends(authority, port))
        authority.len -= strlen(port);
    return authority;
}

bool aws_route_make(const char *endpoint, enum aws_service service, struct span path,
                    struct aws_route *route, struct error *error)
{
    struct span rest = span_of(endpoint);
    bool is_https = span_starts(rest, "https://");
    rest = span_from(rest, is_https ? 8 : 7);
    const char *slash = rest.len > 0 ? memchr(rest.data, '/', rest.len) : NULL;
    size_t authority_len = slash != NULL ? (size_t)(slash - rest.data) : rest.len;
    struct span authority = span_make(rest.data, authority_len);
    struct span prefix = span_from(rest, authority_len);
    struct span bucket = {NULL, 0};
    if (service == AWS_S3 && is_own_s3(authority) && is_label(bucket_of(path), 3)) {
        bucket = bucket_of(path);
        path = span_from(path, (size_t)(bucket.data - path.data) + bucket.len);
    }
    snprintf(route->origin, sizeof route->origin, "http%s://%.*s%s%.*s", is_https ? "s" : "",
             SPAN_PRINTF(bucket), bucket.len > 0 ? "." : "", SPAN_PRINTF(authority));
    route->host =
        without_default_port(span_from(span_of(route->origin), is_https ? 8 : 7), is_https);
    buf_init(&route->path, PATH_MAX_BYTES);
    if (buf_append_span(&route->path, prefix) && buf_append_span(&route->path, path))
        return true;
    buf_free(&route->path);
    return error_set(error, ERROR_LIMIT, "the path of an AWS request is too long");
}
