#include "responder/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

struct endpoint {
    char host[64];
    char port[8];
    unsigned port_number;
    bool any; /* ":PORT" */
};

static bool endpoint_parse(const char *address, struct endpoint *ret_endpoint, struct error *error)
{
    struct endpoint endpoint = {0};
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (colon == NULL || !span_to_u64(span_of(colon + 1), 65535, &port))
        return error_set(error, ERROR_CONFIG,
                         "\"%s\" is no address to listen on: write ADDRESS:PORT, [ADDRESS]:PORT or "
                         ":PORT",
                         address);
    endpoint.port_number = (unsigned)port;
    snprintf(endpoint.port, sizeof endpoint.port, "%u", endpoint.port_number);
    struct span host = span_make(address, (size_t)(colon - address));
    endpoint.any = host.len == 0;
    bool bracketed = host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed)
        host = span_make(host.data + 1, host.len - 2);
    bool is_ipv6 = host.len > 0 && memchr(host.data, ':', host.len) != NULL;
    if (host.len >= sizeof endpoint.host || is_ipv6 != bracketed)
        return error_set(error, ERROR_CONFIG, "\"%s\" is no address to listen on: %s", address,
                         is_ipv6 ? "put an IPv6 address in [brackets]" : "the host is not numeric");
    snprintf(endpoint.host, sizeof endpoint.host, "%.*s", SPAN_PRINTF(host));
    *ret_endpoint = endpoint;
    return true;
}

static bool bind_error(int failed, const char *address, unsigned port, const char *hint,
                       struct error *error)
{
    error_system(error, failed, "listening on %s", address);
    if (failed == EADDRINUSE)
        error_set(error, ERROR_CONFIG, "port %u is in use: stop what listens there, or %s", port,
                  hint);
    else if (failed == EACCES || failed == EPERM)
        error_set(error, ERROR_CONFIG,
                  "port %u may not be listened on: run as root or with CAP_NET_BIND_SERVICE, or %s",
                  port, hint);
    else if (failed == EADDRNOTAVAIL)
        error_set(error, ERROR_CONFIG, "%s: this machine does not have the address", address);
    if (error != NULL)
        error->sys = failed;
    return false;
}

/* Returns an errno, 0 on success. */
static int socket_open(const struct addrinfo *info, bool both_families, int *ret_fd)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int on = 1;
    int ipv6_only = both_families ? 0 : 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &ipv6_only, sizeof ipv6_only) < 0) ||
        bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int failed = errno;
        close(fd);
        return failed;
    }
    *ret_fd = fd;
    return 0;
}

static int host_open(const char *host, const char *port, bool both_families, int *ret_fd)
{
    struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *info;
    if (getaddrinfo(host, port, &hints, &info) != 0)
        return EINVAL;
    int failed = socket_open(info, both_families, ret_fd);
    freeaddrinfo(info);
    return failed;
}

static int port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } bound = {0};
    socklen_t len = sizeof bound;
    if (getsockname(fd, &bound.any, &len) < 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.ipv6.sin6_port : bound.ipv4.sin_port);
}

bool listen_open(const char *address, const char *hint, int *ret_fd, int *ret_port,
                 struct error *error)
{
    struct endpoint endpoint = {0};
    TRY(endpoint_parse(address, &endpoint, error));
    int fd = -1;
    int failed = host_open(endpoint.any ? "::" : endpoint.host, endpoint.port, endpoint.any, &fd);
    /* A machine without IPv6. */
    if (endpoint.any && (failed == EAFNOSUPPORT || failed == EADDRNOTAVAIL))
        failed = host_open("0.0.0.0", endpoint.port, false, &fd);
    if (failed == EINVAL)
        return error_set(error, ERROR_CONFIG,
                         "\"%s\" is no address to listen on: the host is not "
                         "numeric",
                         address);
    if (failed != 0)
        return bind_error(failed, address, endpoint.port_number, hint, error);
    *ret_fd = fd;
    *ret_port = port_of(fd);
    return true;
}
