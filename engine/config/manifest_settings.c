/* The manifest's solvers and limits, who makes its keys, and whether revocations are looked for. */
#include "config/manifest_reading.h"

#include <arpa/inet.h>
#include <string.h>

#define PROPAGATION_S_MAX       3600
#define DNS_TIMEOUT_S_MAX       86400
#define IN_FLIGHT_MAX           100000
#define REQUESTS_PER_SECOND_MAX 1000000
#define ORDER_TIMEOUT_S_MAX     604800
#define LISTEN_PORT_SEPARATOR   ':'

bool manifest_address_is_valid(struct span text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    const char *colon = memrchr(text.data, LISTEN_PORT_SEPARATOR, text.len);
    uint64_t port;
    if (colon == NULL)
        return false;
    struct span host = span_make(text.data, (size_t)(colon - text.data));
    if (!span_to_u64(span_from(text, host.len + 1), UINT16_MAX, &port))
        return false;
    if (host.len == 0)
        return true;
    bool in_brackets = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (in_brackets)
        host = span_make(host.data + 1, host.len - 2);
    if (host.len >= sizeof address)
        return false;
    memcpy(address, host.data, host.len);
    address[host.len] = '\0';
    return inet_pton(in_brackets ? AF_INET6 : AF_INET, address, bytes) == 1;
}

/* `port` is the one that CAs connect to, for the message. */
static bool read_listen(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, struct arena *arena, unsigned port,
                        const char **listen)
{
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    if (!manifest_address_is_valid(text)) {
        config_error(input, field, item,
                     "%s is not allowed: use an address and a port such as 0.0.0.0:%u, [::]:%u or "
                     ":%u",
                     config_quote(text).text, port, port, port);
        return true;
    }
    *listen = arena_text(arena, text);
    return *listen != NULL || config_no_memory(input);
}

static bool read_http_listen(struct config_input *input, const struct config_field *field,
                             const struct yaml_item *item, void *target)
{
    struct manifest *manifest = ((struct manifest_reading *)target)->manifest;
    return read_listen(input, field, item, &manifest->arena, 80, &manifest->solvers.http_listen);
}

static bool read_alpn_listen(struct config_input *input, const struct config_field *field,
                             const struct yaml_item *item, void *target)
{
    struct manifest *manifest = ((struct manifest_reading *)target)->manifest;
    return read_listen(input, field, item, &manifest->arena, 443, &manifest->solvers.alpn_listen);
}

static bool read_webroot(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    return manifest_path_keep(input, reading, text, &reading->manifest->solvers.http_webroot);
}

static bool read_http_01(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {{"listen", read_http_listen},
                                             {"webroot", read_webroot}};
    unsigned seen = 0;
    TRY(config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, &seen));
    if (seen == 3)
        config_error(input, field, item,
                     "listen and webroot exclude each other: certmill answers itself, or another "
                     "server does");
    return true;
}

static bool read_dns_hook(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct manifest_reading *reading = target;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    return manifest_program_keep(input, reading, text, &reading->manifest->solvers.dns_hook);
}

static bool read_propagation(struct config_input *input, const struct config_field *field,
                             const struct yaml_item *item, void *target)
{
    struct manifest_solvers *solvers = &((struct manifest_reading *)target)->manifest->solvers;
    if (!config_number(input, field, item, 0, PROPAGATION_S_MAX, &solvers->dns_propagation_s))
        return config_skip(input, item);
    return true;
}

static bool read_dns_timeout(struct config_input *input, const struct config_field *field,
                             const struct yaml_item *item, void *target)
{
    struct manifest_solvers *solvers = &((struct manifest_reading *)target)->manifest->solvers;
    if (!config_number(input, field, item, 1, DNS_TIMEOUT_S_MAX, &solvers->dns_timeout_s))
        return config_skip(input, item);
    return true;
}

static bool read_dns_01(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"hook", read_dns_hook},
        {"propagation-seconds", read_propagation},
        {"timeout-seconds", read_dns_timeout},
        {"route53", manifest_route53_read},
        {"rfc2136", config_unavailable},
    };
    struct manifest_solvers *solvers = &((struct manifest_reading *)target)->manifest->solvers;
    size_t errors = input->diagnostics->errors;
    unsigned seen = 0;
    bool is_mapping = item->kind == YAML_MAPPING;
    TRY(config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, &seen));
    bool hook = (seen & 1u << 0) != 0;
    bool propagation = (seen & 1u << 1) != 0;
    bool route53 = (seen & 1u << 3) != 0;
    if (route53 && !propagation)
        solvers->dns_propagation_s = 0; /* Route 53 itself tells when all servers have a change */
    if (hook && route53)
        config_error(input, field, item, "hook and route53 exclude each other");
    else if (is_mapping && !hook && !route53 && input->diagnostics->errors == errors)
        config_error(input, field, item,
                     "hook or route53 is missing: who makes the records, a program or certmill");
    return true;
}

static bool read_tls_alpn_01(struct config_input *input, const struct config_field *field,
                             const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {{"listen", read_alpn_listen}};
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}

bool manifest_solvers_read(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"http-01", read_http_01},
        {"dns-01", read_dns_01},
        {"tls-alpn-01", read_tls_alpn_01},
        {"dns-persist-01", config_unavailable},
    };
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}

static bool read_in_flight(struct config_input *input, const struct config_field *field,
                           const struct yaml_item *item, void *target)
{
    struct manifest_limits *limits = &((struct manifest_reading *)target)->manifest->limits;
    if (!config_number(input, field, item, 1, IN_FLIGHT_MAX, &limits->in_flight))
        return config_skip(input, item);
    return true;
}

static bool read_request_rate(struct config_input *input, const struct config_field *field,
                              const struct yaml_item *item, void *target)
{
    struct manifest_limits *limits = &((struct manifest_reading *)target)->manifest->limits;
    if (!config_decimal(input, field, item, REQUESTS_PER_SECOND_MAX, &limits->requests_per_second))
        return config_skip(input, item);
    return true;
}

static bool read_order_timeout(struct config_input *input, const struct config_field *field,
                               const struct yaml_item *item, void *target)
{
    struct manifest_limits *limits = &((struct manifest_reading *)target)->manifest->limits;
    if (!config_number(input, field, item, 1, ORDER_TIMEOUT_S_MAX, &limits->order_timeout_s))
        return config_skip(input, item);
    return true;
}

bool manifest_limits_read(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {
        {"in-flight", read_in_flight},
        {"requests-per-second", read_request_rate},
        {"order-timeout-seconds", read_order_timeout},
    };
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}

bool manifest_crypto_read(struct config_input *input, const struct config_field *field,
                          const struct yaml_item *item, void *target)
{
    struct manifest *manifest = ((struct manifest_reading *)target)->manifest;
    struct span text;
    if (!config_text(input, field, item, &text))
        return config_skip(input, item);
    for (unsigned i = 0; crypto_way_words[i] != NULL; i++) {
        if (span_is(text, crypto_way_words[i])) {
            manifest->crypto = (enum crypto_way)i;
            return true;
        }
    }
    config_error(input, field, item, "%s is not allowed: use auto, ifma, portable or openssl",
                 config_quote(text).text);
    return true;
}

static bool read_crl(struct config_input *input, const struct config_field *field,
                     const struct yaml_item *item, void *target)
{
    struct manifest *manifest = ((struct manifest_reading *)target)->manifest;
    if (!config_flag(input, field, item, &manifest->crl))
        return config_skip(input, item);
    return true;
}

bool manifest_revocation_read(struct config_input *input, const struct config_field *field,
                              const struct yaml_item *item, void *target)
{
    static const struct config_key keys[] = {{"crl", read_crl}};
    return config_mapping(input, field, item, keys, sizeof keys / sizeof keys[0], target, NULL);
}
