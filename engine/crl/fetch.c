/* One client a host, so that one that does not answer keeps nobody else waiting. */
#include "base/clock.h"
#include "base/printable.h"
#include "crl/lists.h"

#include <stdio.h>
#include <string.h>

#define CONNECTIONS        4
#define CONNECT_TIMEOUT_MS 10000
#define PATIENCE_MS        30000
#define STATUS_OK          200
#define LATE               "no answer in time"

/* What was fetched earlier is good until its end. */
static void list_fall_back(struct crl_check *check, struct crl_list *list)
{
    struct buf der CLEANUP(buf_free);
    struct error error;
    buf_init(&der, CRL_DER_MAX);
    if (crl_cache_read(check, list, &der) == CRL_NOT_KEPT ||
        !crl_list_apply(check, list, buf_span(&der), &error))
        list->host->unknown++;
}

static void list_failed(struct crl_list *list, const char *text)
{
    struct crl_host *host = list->host;
    if (host->failed++ == 0) {
        char line[sizeof host->first_failure];
        snprintf(line, sizeof line, "%s: %s", list->url, text);
        printable_copy(span_of(line), host->first_failure, sizeof host->first_failure);
    }
    list_fall_back(host->check, list);
}

/* A host that could not be asked in time is not asked for its other lists. */
static void host_drop(struct crl_host *host, const char *text)
{
    while (host->waiting != NULL) {
        struct crl_list *list = host->waiting;
        host->waiting = list->next;
        list_failed(list, text);
    }
}

static void list_take(struct crl_list *list, const struct http_response *response)
{
    struct crl_check *check = list->host->check;
    struct error error = {0};
    if (response->status != STATUS_OK)
        (void)error_set(&error, ERROR_NETWORK, "HTTP status %ld", response->status);
    else if (crl_list_apply(check, list, response->body, &error))
        crl_cache_write(check, list, response->body);
    if (error.kind != ERROR_NONE)
        list_failed(list, error.text);
}

static void fetch_done(void *context, const struct http_response *response)
{
    struct crl_host *host = context;
    struct crl_list *list = host->check->lists[response->id];
    const char *text = response->failure == HTTP_CANCELLED ? LATE : response->reason;
    host->out--;
    if (response->failure == HTTP_ANSWERED)
        list_take(list, response);
    else
        list_failed(list, text);
    if (response->failure == HTTP_UNREACHABLE || response->failure == HTTP_UNTRUSTED ||
        response->failure == HTTP_TIMEOUT || response->failure == HTTP_CANCELLED)
        host_drop(host, text);
}

static void host_send(struct crl_host *host)
{
    struct error error;
    while (host->waiting != NULL && host->out < CONNECTIONS) {
        struct crl_list *list = host->waiting;
        const struct http_request request = {
            .id = list->number, .method = HTTP_GET, .url = list->url};
        host->waiting = list->next;
        if (http_send(host->client, &request, &error))
            host->out++;
        else
            list_failed(list, error.text);
    }
}

static bool host_open(struct crl_host *host, struct loop *loop, unsigned patience_ms)
{
    const struct crl_check_options *options = &host->check->options;
    const struct http_options http = {
        .ca_file = options->ca_file,
        .user_agent = "certmill/" CERTMILL_VERSION,
        .connections = CONNECTIONS,
        .connect_timeout_ms = patience_ms < CONNECT_TIMEOUT_MS ? patience_ms : CONNECT_TIMEOUT_MS,
        .request_timeout_ms = patience_ms,
        .body_limit = CRL_DER_MAX,
    };
    struct error error;
    if (http_client_new(loop, &http, fetch_done, host, &host->client, &error))
        return true;
    host_drop(host, error.text);
    return false;
}

/* Returns the milliseconds until a host wants to be called again, -1 when none has anything out. */
static int64_t hosts_turn(struct crl_check *check)
{
    int64_t wait_ms = -1;
    for (size_t i = 0; i < check->host_count; i++) {
        struct crl_host *host = &check->hosts[i];
        if (host->client == NULL)
            continue;
        http_tick(host->client, clock_monotonic_ms());
        host_send(host);
        if (host->out == 0)
            continue;
        int64_t host_ms = http_wait_ms(host->client, clock_monotonic_ms());
        if (host_ms < 0)
            host_ms = PATIENCE_MS;
        if (wait_ms < 0 || host_ms < wait_ms)
            wait_ms = host_ms;
    }
    return wait_ms;
}

static void hosts_listen(struct crl_check *check, struct loop *loop, unsigned patience_ms)
{
    int64_t end_ms = clock_monotonic_ms() + patience_ms;
    struct error error;
    int64_t wait_ms;
    while ((wait_ms = hosts_turn(check)) >= 0) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        if (left_ms <= 0 || !loop_run_once(loop, wait_ms < left_ms ? wait_ms : left_ms, &error))
            return;
    }
}

void crl_fetch_all(struct crl_check *check)
{
    unsigned patience_ms = check->options.patience_ms;
    struct loop *loop;
    struct error error;
    bool any = false;
    for (size_t i = 0; i < check->host_count; i++)
        any = any || check->hosts[i].waiting != NULL;
    if (!any)
        return;
    if (!loop_new(&loop, &error)) {
        for (size_t i = 0; i < check->host_count; i++)
            host_drop(&check->hosts[i], error.text);
        return;
    }
    if (patience_ms == 0)
        patience_ms = PATIENCE_MS;
    for (size_t i = 0; i < check->host_count; i++)
        if (check->hosts[i].waiting != NULL)
            (void)host_open(&check->hosts[i], loop, patience_ms);
    hosts_listen(check, loop, patience_ms);
    for (size_t i = 0; i < check->host_count; i++) {
        http_client_free(check->hosts[i].client);
        check->hosts[i].client = NULL;
        host_drop(&check->hosts[i], LATE);
    }
    loop_free(loop);
}
