#include "check.h"

#include "crypto/alpn_certificate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_AGENT "certmill-load-ca"

struct http_ports check_ports(const struct check *check)
{
    const struct validator_options *options = &check->validator->options;
    return (struct http_ports){.http = options->http_port, .https = options->tls_port};
}

const char *check_url(const struct check *check, char *text)
{
    struct http_ports ports = check_ports(check);
    return http_url_text(&check->url, &ports, text);
}

void check_end(struct check *check, const char *problem, const char *format, ...)
{
    struct validator *validator = check->validator;
    char detail[CHECK_DETAIL_MAX];
    char url[HTTP_URL_MAX] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    if (check->method == VALIDATE_HTTP_01)
        check_url(check, url);
    if (check->connection != NULL)
        connection_close(check->connection);
    slots_remove(&validator->checks, check->slot);
    validator->active--;
    if (validator->done != NULL)
        validator->done(validator->context,
                        &(struct validation_result){.id = check->id,
                                                    .valid = problem == NULL,
                                                    .problem = problem != NULL ? problem : "",
                                                    .detail = detail,
                                                    .url = url,
                                                    .address = check->address});
    free(check);
}

void check_expire(struct check *check)
{
    char url[HTTP_URL_MAX] = "";
    bool connecting =
        check->connection == NULL || check->connection->phase == CONNECTION_CONNECTING;
    const char *why = connecting ? "Timeout during connect (likely firewall problem)"
                                 : "Timeout after connect (your server may be slow or overloaded)";
    if (check->method == VALIDATE_DNS_01)
        check_end(check, "dns", "DNS problem: query timed out looking up TXT for %s",
                  check->url.host);
    else if (check->place_count == 0)
        check_end(check, "dns", "DNS problem: query timed out looking up A for %s",
                  check->identifier);
    else if (check->method == VALIDATE_HTTP_01)
        check_end(check, "connection", "%s: Fetching %s: %s", check->address, check_url(check, url),
                  why);
    else
        check_end(check, "connection", "%s: %s", check->address, why);
}

void check_disconnected(struct check *check, const char *problem, const char *why)
{
    char url[HTTP_URL_MAX] = "";
    if (check->place_next < check->place_count)
        check_connect(check);
    else if (check->method == VALIDATE_HTTP_01)
        check_end(check, problem, "%s: Fetching %s: %s", check->address, check_url(check, url),
                  why);
    else
        check_end(check, problem, "%s: %s", check->address, why);
}

/* The Host field is as on port 80: servers choose by it. */
static bool request_write(const struct check *check, struct buf *out)
{
    bool is_six = strchr(check->url.host, ':') != NULL;
    return buf_printf(out,
                      "GET %s HTTP/1.1\r\nHost: %s%s%s\r\nUser-Agent: " REQUEST_AGENT
                      "\r\nAccept: */*\r\n\r\n",
                      check->url.path, is_six ? "[" : "", check->url.host, is_six ? "]" : "");
}

void check_connect(struct check *check)
{
    struct validator *validator = check->validator;
    struct place *place = &check->places[check->place_next++];
    bool alpn = check->method == VALIDATE_TLS_ALPN_01;
    bool tls = alpn || check->url.tls;
    char server_name[ALPN_SERVER_NAME_MAX];
    struct error error;
    place_set_port(place, tls ? validator->options.tls_port : validator->options.http_port);
    place_text(place, check->address);
    if (!alpn)
        snprintf(server_name, sizeof server_name, "%s", check->url.host);
    else if (!alpn_server_name(check->identifier, server_name, &error)) {
        check_end(check, "unauthorized", "%s", error.text);
        return;
    }
    SSL_CTX *context = alpn ? validator->alpn_tls : validator->http_tls;
    if (!connection_open(check, place, tls ? context : NULL, server_name, &check->connection,
                         &error)) {
        check_disconnected(check, "connection", error.text);
        return;
    }
    if (!alpn && !request_write(check, &check->connection->out))
        check_end(check, "connection", "The request is too large");
    else
        connection_start(check->connection);
}

void check_locate(struct check *check, const char *host)
{
    struct validator *validator = check->validator;
    check->place_next = 0;
    check->place_count = 1;
    if (validator->fixed.len > 0) {
        check->places[0] = validator->fixed;
        check_connect(check);
    } else if (place_read(host, &check->places[0])) {
        check_connect(check);
    } else {
        check->place_count = 0;
        resolver_find(validator->resolver, host, check->slot);
    }
}

void check_places_came(void *context, uint64_t id, const struct place *places, size_t count,
                       const char *problem)
{
    struct validator *validator = context;
    struct check *check = slots_get(&validator->checks, id);
    if (check == NULL) /* its time is over */
        return;
    if (problem != NULL) {
        check_end(check, "dns",
                  "DNS problem: %s looking up A for %s - check that a DNS record "
                  "exists for this domain",
                  problem, check->method == VALIDATE_HTTP_01 ? check->url.host : check->identifier);
        return;
    }
    memcpy(check->places, places, count * sizeof *places);
    check->place_count = count;
    check_connect(check);
}
