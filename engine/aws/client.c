/* Calls queue at their host and go out from aws_tick, as there is room on its connections. What
 * comes back ends the call or puts it into the queue again: at once when something was mended
 * (credentials, clock, region), or by a timer, after back-off. */
#include "aws/client_internal.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX         ((size_t)8 * 1024 * 1024)
#define BODY_MAX           ((size_t)8 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 10000
#define CALL_TIMEOUT_MS    60000
#define ATTEMPTS           4

/* Hosts. */

static void host_pump(struct aws_host *host)
{
    while (host->first != NULL && http_room(host->http) > 0) {
        struct call *call = host->first;
        host->first = call->next;
        if (host->first == NULL)
            host->last = NULL;
        call->next = NULL;
        call_send(host->client, call);
    }
}

static void answer_comes(void *context, const struct http_response *response)
{
    struct aws_host *host = context;
    struct call *call = slots_get(&host->client->calls, response->id);
    if (call != NULL)
        call_answered(host->client, call, response);
    if (!host->client->closing)
        host_pump(host);
}

static bool texts_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void host_free(struct aws_host *host)
{
    http_client_free(host->http);
    free(host->origin);
    free(host->ca_file);
    free(host);
}

static bool host_make(struct aws_client *client, const char *origin, const char *ca_file,
                      struct aws_host **ret_host, struct error *error)
{
    struct aws_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an AWS client");
    host->client = client;
    host->origin = strdup(origin);
    host->ca_file = ca_file != NULL ? strdup(ca_file) : NULL;
    const struct http_options options = {
        .ca_file = ca_file,
        .user_agent = client->user_agent,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .request_timeout_ms = CALL_TIMEOUT_MS,
        .body_limit = ANSWER_MAX,
        .http1_only = true,
        .secret_answers = true,
    };
    bool ok = (host->origin != NULL && (ca_file == NULL || host->ca_file != NULL)) ||
              error_set(error, ERROR_MEMORY, "no memory for an AWS client");
    if (!ok || !http_client_new(client->loop, &options, answer_comes, host, &host->http, error)) {
        host_free(host);
        return false;
    }
    host->next = client->hosts;
    client->hosts = host;
    *ret_host = host;
    return true;
}

static bool host_take(struct aws_client *client, const char *origin, const char *ca_file,
                      struct aws_host **ret_host, struct error *error)
{
    struct aws_host *host = client->hosts;
    while (host != NULL &&
           (strcmp(host->origin, origin) != 0 || !texts_equal(host->ca_file, ca_file)))
        host = host->next;
    *ret_host = host;
    return host != NULL || host_make(client, origin, ca_file, ret_host, error);
}

/* Calls. */

bool call_route(struct aws_client *client, struct call *call, struct error *error)
{
    const struct aws_request *request = &call->request;
    struct aws_profiles *profiles = client->options.profiles;
    char endpoint[AWS_ENDPOINT_MAX];
    if (!aws_region_is_sound(call->region))
        return error_set(error, ERROR_CONFIG, "\"%.60s\" is no AWS region", call->region);
    TRY(aws_profile_endpoint(profiles, request->profile, request->service, call->region, endpoint,
                             error));
    buf_free(&call->route.path);
    TRY(aws_route_make(endpoint, request->service, request->path, &call->route, error));
    return host_take(client, call->route.origin, aws_profile_ca_bundle(profiles, request->profile),
                     &call->host, error);
}

void call_queue(struct call *call)
{
    struct aws_host *host = call->host;
    if (host->last != NULL)
        host->last->next = call;
    else
        host->first = call;
    host->last = call;
    host->client->woken = true;
}

static void call_free(struct call *call)
{
    buf_free(&call->body);
    buf_free(&call->route.path);
    arena_free(&call->arena);
    free(call);
}

void call_end(struct aws_client *client, struct call *call, struct aws_reply *reply)
{
    slots_remove(&client->calls, call->id);
    reply->id = call->request.id;
    reply->attempts = call->attempts;
    client->done(client->context, reply);
    call_free(call);
}

/* NULL stays NULL. */
static bool copy_text(struct call *call, const char **text)
{
    if (*text == NULL)
        return true;
    *text = arena_text(&call->arena, span_of(*text));
    return *text != NULL;
}

static bool copy_span(struct call *call, struct span *text)
{
    text->data = arena_text(&call->arena, *text);
    return text->data != NULL;
}

static bool query_copy(struct call *call)
{
    struct aws_request *request = &call->request;
    if (request->query_count == 0)
        return true;
    struct aws_parameter *query = arena_alloc(&call->arena, request->query_count * sizeof *query);
    if (query == NULL)
        return false;
    for (size_t i = 0; i < request->query_count; i++) {
        query[i] = request->query[i];
        TRY(copy_text(call, &query[i].name) && copy_span(call, &query[i].value));
    }
    request->query = query;
    return true;
}

static bool call_copy(struct call *call, const struct aws_request *request)
{
    call->request = *request;
    arena_init(&call->arena);
    buf_init(&call->body, BODY_MAX);
    call->body.secret = request->secret_body;
    struct aws_request *own = &call->request;
    TRY(copy_text(call, &own->profile) && copy_text(call, &own->content_type) &&
        copy_text(call, &own->target));
    TRY(copy_span(call, &own->path) && query_copy(call));
    TRY(buf_append_span(&call->body, request->body));
    own->body = buf_span(&call->body);
    own->region = call->region;
    return true;
}

static bool region_take(struct aws_client *client, struct call *call, const char *region,
                        struct error *error)
{
    if (region == NULL)
        TRY(aws_profile_region(client->options.profiles, call->request.profile, &region, error));
    if (strlen(region) >= sizeof call->region)
        return error_set(error, ERROR_CONFIG, "\"%.60s...\" is no AWS region", region);
    memcpy(call->region, region, strlen(region) + 1);
    return true;
}

bool aws_send(struct aws_client *client, const struct aws_request *request, struct error *error)
{
    if (client->closing)
        return error_set(error, ERROR_CANCELLED, "the AWS client is closing");
    if (request->body.len > BODY_MAX)
        return error_set(error, ERROR_LIMIT, "%s: a request of more than 8 MiB", request->action);
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an AWS call");
    bool ok =
        call_copy(call, request) || error_set(error, ERROR_MEMORY, "no memory for an AWS call");
    ok = ok && region_take(client, call, request->region, error) && call_route(client, call, error);
    if (ok && !slots_add(&client->calls, call, &call->id))
        ok = error_set(error, ERROR_MEMORY, "no memory for an AWS call");
    if (!ok) {
        call_free(call);
        return false;
    }
    call_queue(call);
    return true;
}

/* The client. */

bool aws_client_new(struct loop *loop, const struct aws_client_options *options, aws_done *done,
                    void *context, struct aws_client **ret_client, struct error *error)
{
    struct aws_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an AWS client");
    client->loop = loop;
    client->options = *options;
    if (client->options.attempts == 0)
        client->options.attempts = ATTEMPTS;
    client->done = done;
    client->context = context;
    slots_init(&client->calls);
    timers_init(&client->timers);
    client->user_agent = strdup(options->user_agent != NULL ? options->user_agent : "certmill");
    if (client->user_agent == NULL) {
        aws_client_free(client);
        return error_set(error, ERROR_MEMORY, "no memory for an AWS client");
    }
    *ret_client = client;
    return true;
}

static void calls_end(struct aws_client *client)
{
    for (uint32_t i = 0; i < client->calls.count; i++) {
        struct call *call = client->calls.slots[i].object;
        if (call == NULL)
            continue;
        struct aws_reply reply = {.outcome = AWS_ENDED};
        error_set(&reply.error, ERROR_CANCELLED, "%s: cancelled: the run is ending",
                  call->request.action);
        call_end(client, call, &reply);
    }
}

void aws_client_free(struct aws_client *client)
{
    if (client == NULL)
        return;
    client->closing = true;
    calls_end(client);
    while (client->hosts != NULL) {
        struct aws_host *host = client->hosts;
        client->hosts = host->next;
        host_free(host);
    }
    slots_free(&client->calls);
    timers_free(&client->timers);
    free(client->user_agent);
    free(client);
}

int64_t aws_wait_ms(const struct aws_client *client, int64_t now_ms)
{
    if (client->woken)
        return 0;
    int64_t wait = timers_wait_ms(&client->timers, now_ms);
    for (const struct aws_host *host = client->hosts; host != NULL; host = host->next) {
        int64_t host_wait = http_wait_ms(host->http, now_ms);
        if (host_wait >= 0 && (wait < 0 || host_wait < wait))
            wait = host_wait;
    }
    return wait;
}

void aws_tick(struct aws_client *client, int64_t now_ms)
{
    uint64_t id;
    while (timers_take_due(&client->timers, now_ms, &id)) {
        struct call *call = slots_get(&client->calls, id);
        if (call != NULL)
            call_queue(call);
    }
    client->woken = false;
    for (struct aws_host *host = client->hosts; host != NULL; host = host->next) {
        http_tick(host->http, now_ms);
        host_pump(host);
    }
}

uint64_t aws_calls(const struct aws_client *client)
{
    return client->sent;
}
