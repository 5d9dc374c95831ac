#include "ca/control/control.h"

#include "base/printable.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_MAX = 64 * 1024 };

static const char help[] =
    "The control port of certmill-ca, a load CA. Answers are JSON; errors are text.\n"
    "\n"
    "  GET  /weather        the weather document as it holds\n"
    "  POST /weather        takes a document, see below:\n"
    "                       curl -d '{\"latency\": {\"default\": {\"fixed-ms\": 50}}}' "
    "URL/weather\n"
    "  GET  /figures        requests by endpoint and status, faults dealt, connections, orders,\n"
    "                       CPU seconds and memory of this process\n"
    "  POST /figures/reset  counts from zero\n"
    "  GET  /roots/0        the root of the default chain and of the server's own HTTPS, PEM\n"
    "  GET  /roots/1        the root of the alternate chain\n"
    "  POST /renew          {\"account\": N}: renewal windows of its certificates are past, as\n"
    "                       after a mass revocation; {} for all accounts\n"
    "\n";

static void answer_text(struct ca_response *response, int status, const char *text)
{
    response->status = status;
    response->content_type = "text/plain; charset=utf-8";
    bool fits = buf_append_text(&response->body, text);
    (void)fits; /* without memory it is an empty answer */
}

static void answer_error(struct ca_response *response, int status, struct error *error)
{
    printable_error(error);
    answer_text(response, status, error->text);
    bool fits = buf_append_char(&response->body, '\n');
    (void)fits;
}

/* Takes the reference. */
static void answer_json(struct ca_response *response, json_t *json)
{
    response->status = 200;
    response->content_type = "application/json";
    bool written = json != NULL && json_append(&response->body, json) &&
                   buf_append_char(&response->body, '\n');
    json_decref(json);
    if (written)
        return;
    buf_clear(&response->body);
    answer_text(response, 500, "no memory\n");
}

/* A body that is empty is an empty object. */
static bool body_read(const struct ca_request *request, json_t **ret_json, struct error *error)
{
    struct span body = span_trim(request->body);
    if (body.len == 0)
        body = SPAN_LITERAL("{}");
    return json_parse(body, DOCUMENT_MAX, ret_json, error);
}

static void get_help(struct control *control, const struct ca_request *request,
                     struct ca_response *response)
{
    (void)control;
    (void)request;
    answer_text(response, 200, help);
    bool fits = buf_append_text(&response->body, weather_help);
    (void)fits;
}

static void get_weather(struct control *control, const struct ca_request *request,
                        struct ca_response *response)
{
    (void)request;
    answer_json(response, weather_write(control->parts.weather));
}

static void post_weather(struct control *control, const struct ca_request *request,
                         struct ca_response *response)
{
    CLEANUP(json_release) json_t *document = NULL;
    struct error error;
    if (!body_read(request, &document, &error) ||
        !weather_read(control->parts.weather, document, &error)) {
        error_prefix(&error, "weather: ");
        answer_error(response, error.kind == ERROR_MEMORY ? 500 : 400, &error);
        return;
    }
    struct server_limits limits;
    weather_server_limits(control->parts.weather, &limits);
    server_limit(control->parts.server, &limits);
    get_weather(control, request, response);
}

static void get_figures(struct control *control, const struct ca_request *request,
                        struct ca_response *response)
{
    (void)request;
    answer_json(response, figures_write(control));
}

static void post_figures_reset(struct control *control, const struct ca_request *request,
                               struct ca_response *response)
{
    (void)request;
    figures_reset(control);
    answer_json(response, json_object());
}

static void get_root(struct control *control, const struct ca_request *request,
                     struct ca_response *response)
{
    unsigned alternate = request->path.data[request->path.len - 1] == '1';
    response->status = 200;
    response->content_type = "application/x-pem-file";
    if (!issuer_root(control->parts.issuer, alternate, &response->body))
        answer_text(response, 500, "no memory\n");
}

static void post_renew(struct control *control, const struct ca_request *request,
                       struct ca_response *response)
{
    CLEANUP(json_release) json_t *wish = NULL;
    struct error error;
    if (!body_read(request, &wish, &error)) {
        answer_error(response, 400, &error);
        return;
    }
    json_int_t account = 0;
    const json_t *number = json_object_get(wish, "account");
    size_t known = number != NULL ? 1 : 0;
    if (json_is_integer(number))
        account = json_integer_value(number);
    if (!json_is_object(wish) || json_object_size(wish) != known || account < 0 ||
        (number != NULL && !json_is_integer(number))) {
        answer_text(response, 400, "renew: not {} or {\"account\": N}\n");
        return;
    }
    acme_suggest_renewal(control->parts.acme, (uint64_t)account);
    answer_json(response, json_object());
}

static const struct route {
    const char *path;
    enum ca_method method;
    void (*answer)(struct control *control, const struct ca_request *request,
                   struct ca_response *response);
} routes[] = {
    {"/", CA_GET, get_help},
    {"/weather", CA_GET, get_weather},
    {"/weather", CA_POST, post_weather},
    {"/figures", CA_GET, get_figures},
    {"/figures/reset", CA_POST, post_figures_reset},
    {"/roots/0", CA_GET, get_root},
    {"/roots/1", CA_GET, get_root},
    {"/renew", CA_POST, post_renew},
};

void control_handle(void *context, const struct ca_request *request, struct ca_response *response)
{
    if (!address_is_loopback(span_of(request->address))) {
        answer_text(response, 403, "only for loopback addresses\n");
        return;
    }
    bool has_get = false, has_post = false;
    enum ca_method method = request->method == CA_HEAD ? CA_GET : request->method;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!span_is(request->path, routes[i].path))
            continue;
        if (routes[i].method == method) {
            routes[i].answer(context, request, response);
            return;
        }
        has_get |= routes[i].method == CA_GET;
        has_post |= routes[i].method == CA_POST;
    }
    if (!has_get && !has_post) {
        answer_text(response, 404, "no such path; GET / says what there is\n");
        return;
    }
    ca_header_add(response, "allow", "%s%s%s", has_get ? "GET, HEAD" : "",
                  has_get && has_post ? ", " : "", has_post ? "POST" : "");
    answer_text(response, 405, "not with this method; GET / says what there is\n");
}

/* The part before the port, without brackets. */
static struct span host_of(struct span address)
{
    if (address.len > 0 && address.data[0] == '[') {
        struct span rest = span_from(address, 1);
        return span_split(&rest, ']');
    }
    const char *colon = memchr(address.data, ':', address.len);
    const char *last = memrchr(address.data, ':', address.len);
    if (colon != NULL && colon == last)
        return span_make(address.data, (size_t)(colon - address.data));
    return address; /* several colons: an IPv6 address without a port */
}

bool address_is_loopback(struct span address)
{
    char text[INET6_ADDRSTRLEN];
    if (address.len == 0)
        return false;
    struct span host = host_of(address);
    if (host.len >= sizeof text)
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, text, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) ||
               (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET);
    return strcmp(text, "localhost") == 0;
}

bool control_new(const char *listen, const struct control_parts *parts,
                 struct control **ret_control, struct error *error)
{
    if (!address_is_loopback(span_of(listen)))
        return error_set(error, ERROR_CONFIG, "the control port's \"%.60s\" is no loopback address",
                         listen);
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL)
        return error_set(error, ERROR_MEMORY, "no memory");
    pthread_mutex_init(&control->lock, NULL);
    control->parts = *parts;
    figures_reset(control);
    const struct server_options options = {.listen = listen, .body_limit = DOCUMENT_MAX};
    if (!server_new(&options, control_handle, control, &control->server, error)) {
        control_free(control);
        return false;
    }
    *ret_control = control;
    return true;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    if (control->server != NULL)
        server_free(control->server);
    pthread_mutex_destroy(&control->lock);
    free(control);
}

int control_port(const struct control *control)
{
    return server_port(control->server);
}
