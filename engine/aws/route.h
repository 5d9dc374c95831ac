/* Where a request goes: the host, and the path there. Pure. */
#ifndef CERTMILL_AWS_ROUTE_H
#define CERTMILL_AWS_ROUTE_H

#include "aws/profile.h"

#define AWS_ORIGIN_MAX (AWS_ENDPOINT_MAX + 64)

struct aws_route {
    char origin[AWS_ORIGIN_MAX]; /* "https://host:port", without a path */
    struct span host;            /* in `origin`, as the Host header has it: no default port */
    struct buf path;             /* as meant, not encoded */
};

/* For an endpoint as aws_profile_endpoint gives it. At AWS's own S3 a bucket whose name can be part
 * of a host's name goes there ("virtual-hosted style"); one with dots, whose host AWS's certificate
 * would not fit, and all at configured endpoints stay in the path, as with the AWS CLI. The caller
 * frees the path. `host` points into the route: it is not to be copied. */
bool aws_route_make(const char *endpoint, enum aws_service service, struct span path,
                    struct aws_route *route, struct error *error) MUST_USE;

/* Lower-case letters, digits and hyphens: what a region may be. */
bool aws_region_is_sound(const char *region);

#endif
