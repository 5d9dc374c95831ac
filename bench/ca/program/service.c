#include "ca/program/service.h"

#include "base/clock.h"
#include "ca/control/control.h"
#include "io/file.h"

#include <string.h>

enum { PEM_MAX = 64 * 1024, ROOT_MODE = 0644 };

static bool weather_start(struct service *service, struct error *error)
{
    const struct program_options *options = service->options;
    TRY(weather_new(options->seed, &service->weather, error));
    if (options->weather == NULL)
        return true;
    return weather_read(service->weather, options->weather, error) ||
           error_prefix(error, "weather: ");
}

static bool validator_start(struct service *service, struct error *error)
{
    const struct program_options *options = service->options;
    if (options->prevalidated || options->always_valid)
        return true;
    const struct validator_options wish = {.http_port = (int)options->http_port,
                                           .tls_port = (int)options->tls_port,
                                           .dns_server = options->dns,
                                           .fixed_address = options->resolve_all_to};
    return validator_new(&wish, &service->validator, error);
}

static bool issuer_start(struct service *service, int64_t now, struct error *error)
{
    const struct program_options *options = service->options;
    const struct crypto_options no_options = {0};
    const struct issuer_options wish = {.key = options->key,
                                        .chain_with_root = options->chain_with_root,
                                        .intermediates = options->intermediates,
                                        .url = options->crl_url_base};
    return crypto_context_new(&no_options, &service->crypto, error) &&
           issuer_new(service->crypto, &wish, now, &service->issuer, error);
}

static bool acme_start(struct service *service, struct error *error)
{
    const struct program_options *options = service->options;
    const struct acme_options wish = {
        .eab_required = options->eab_count > 0,
        .eab_once = options->eab_once,
        .eab_keys = options->eab_keys,
        .eab_key_count = options->eab_count,
        .prevalidated = options->prevalidated,
        .always_valid = options->always_valid,
        .reuse_authorizations = options->reuse_authorizations,
        .orders_list = options->orders_list,
        .lifetime_s = (int64_t)options->lifetime_days * SECONDS_PER_DAY,
        .names_max = options->names_max,
        .refused_names = options->refused_count > 0 ? options->refused : NULL,
        .terms = options->terms,
        .profiles = options->profiles,
        .profile_count = options->profile_count,
        .may_order = weather_may_order,
        .may_order_context = service->weather,
        .seed = options->seed,
        .predictable = options->has_seed,
    };
    return acme_new(&wish, service->issuer, service->validator, &service->acme, error);
}

static bool server_start(struct service *service, int64_t now, struct error *error)
{
    const struct program_options *options = service->options;
    struct buf certificate CLEANUP(buf_free);
    struct buf key CLEANUP(buf_free);
    buf_init(&certificate, PEM_MAX);
    buf_init_secret(&key, PEM_MAX);
    if (!options->no_tls)
        TRY(issuer_server_pair(service->issuer, options->name, now, &certificate, &key, error));
    const struct server_options wish = {.listen = options->listen,
                                        .threads = options->threads,
                                        .tls = !options->no_tls,
                                        .certificate_pem = buf_span(&certificate),
                                        .key_pem = buf_span(&key),
                                        .http1_only = options->http1_only};
    TRY(handler_new(service->acme, service->weather, &service->handler, error));
    TRY(server_new(&wish, handler_answer, service->handler, &service->server, error));
    struct server_limits limits;
    weather_server_limits(service->weather, &limits);
    server_limit(service->server, &limits);
    return true;
}

static bool control_start(struct service *service, struct error *error)
{
    const struct control_parts parts = {.handler = service->handler,
                                        .weather = service->weather,
                                        .acme = service->acme,
                                        .issuer = service->issuer,
                                        .server = service->server};
    return control_new(service->options->control, &parts, &service->control, error);
}

static bool root_write(struct service *service, struct error *error)
{
    if (service->options->root_file == NULL)
        return true;
    struct buf pem CLEANUP(buf_free);
    buf_init(&pem, PEM_MAX);
    if (!issuer_root(service->issuer, 0, &pem))
        return error_set(error, ERROR_MEMORY, "no memory");
    return file_write(service->options->root_file, buf_span(&pem), ROOT_MODE, error);
}

bool service_start(const struct program_options *options, int64_t now, struct service *ret_service,
                   struct error *error)
{
    struct service service = {.options = options};
    /* What the operator wrote is checked first. */
    bool good = weather_start(&service, error) && validator_start(&service, error) &&
                issuer_start(&service, now, error) && acme_start(&service, error) &&
                server_start(&service, now, error) && control_start(&service, error) &&
                root_write(&service, error);
    if (!good) {
        service_stop(&service);
        return false;
    }
    *ret_service = service;
    return true;
}

void service_stop(struct service *service)
{
    /* First those who ask, then those who are asked. */
    control_free(service->control);
    if (service->server != NULL)
        server_free(service->server);
    handler_free(service->handler);
    if (service->validator != NULL)
        validator_free(service->validator);
    if (service->acme != NULL)
        acme_free(service->acme);
    weather_free(service->weather);
    if (service->issuer != NULL)
        issuer_free(service->issuer);
    if (service->crypto != NULL)
        crypto_context_free(service->crypto);
    memset(service, 0, sizeof *service);
}

bool service_directory(const struct service *service, struct buf *url)
{
    const struct program_options *options = service->options;
    struct span host = span_of(options->name);
    struct span listen = span_of(options->listen);
    const char *colon = memrchr(listen.data, ':', listen.len);
    if (host.len == 0 && !address_is_loopback(listen) && colon != NULL &&
        !span_starts(listen, "0.0.0.0") && !span_starts(listen, "[::]"))
        host = span_make(listen.data, (size_t)(colon - listen.data));
    if (host.len == 0)
        host = SPAN_LITERAL("localhost");
    return buf_printf(url, "%s://%.*s:%d/dir", options->no_tls ? "http" : "https",
                      SPAN_PRINTF(host), server_port(service->server));
}
