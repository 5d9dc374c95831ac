/* From a request to what answers it. */
#include "call.h"

#include <string.h>

enum {
    GET = 1 << CA_GET,
    HEAD = 1 << CA_HEAD,
    POST = 1 << CA_POST,
};

/* What each resource is reached by. POST to a resource that is also there for GET is POST-as-GET
 * (RFC 8555 section 6.3). */
static const struct resource {
    const char *path; /* ends in '/' when an id follows */
    void (*serve)(struct ca_call *call);
    unsigned methods;
    enum ca_identity identity;
    const char *allow;
} resources[CA_OTHER] = {
    [CA_DIRECTORY] = {"/dir", ca_serve_directory, GET | HEAD | POST, CA_BY_ACCOUNT,
                      "GET, HEAD, POST"},
    [CA_NEW_NONCE] = {"/new-nonce", ca_serve_new_nonce, GET | HEAD | POST, CA_BY_ACCOUNT,
                      "GET, HEAD, POST"},
    [CA_NEW_ACCOUNT] = {"/new-account", ca_serve_new_account, POST, CA_BY_KEY, "POST"},
    [CA_ACCOUNT] = {"/acct/", ca_serve_account, POST, CA_BY_ACCOUNT, "POST"},
    [CA_ORDERS] = {"/orders/", ca_serve_orders, POST, CA_BY_ACCOUNT, "POST"},
    [CA_NEW_ORDER] = {"/new-order", ca_serve_new_order, POST, CA_BY_ACCOUNT, "POST"},
    [CA_ORDER] = {"/order/", ca_serve_order, POST, CA_BY_ACCOUNT, "POST"},
    [CA_AUTHORIZATION] = {"/authz/", ca_serve_authorization, POST, CA_BY_ACCOUNT, "POST"},
    [CA_CHALLENGE] = {"/chall/", ca_serve_challenge, POST, CA_BY_ACCOUNT, "POST"},
    [CA_FINALIZE] = {"/finalize/", ca_serve_finalize, POST, CA_BY_ACCOUNT, "POST"},
    [CA_CERTIFICATE] = {"/cert/", ca_serve_certificate, POST, CA_BY_ACCOUNT, "POST"},
    [CA_REVOKE] = {"/revoke-cert", ca_serve_revoke, POST, CA_BY_EITHER, "POST"},
    [CA_KEY_CHANGE] = {"/key-change", ca_serve_key_change, POST, CA_BY_ACCOUNT, "POST"},
    [CA_RENEWAL_INFO] = {"/renewal-info/", ca_serve_renewal_info, GET | HEAD, CA_BY_EITHER,
                         "GET, HEAD"},
};

enum ca_endpoint acme_endpoint(struct span path)
{
    struct span rest = path;
    path = span_split(&rest, '?');
    if (span_is(path, "/directory")) /* as at Let's Encrypt; /dir is as at Pebble */
        return CA_DIRECTORY;
    for (int i = 0; i < CA_OTHER; i++) {
        const char *own = resources[i].path;
        bool has_id = own[strlen(own) - 1] == '/';
        if (has_id ? span_starts(path, own) : span_is(path, own))
            return (enum ca_endpoint)i;
    }
    return CA_OTHER;
}

/* The CA answers under whatever name it was reached, as Pebble does; what cannot be a name is not
 * repeated. */
static void base_make(const struct ca_request *request, char *base)
{
    struct span host = request->host;
    bool good = host.len > 0 && host.len <= 255;
    for (size_t i = 0; good && i < host.len; i++) {
        char c = host.data[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c != '\0' && strchr(".-:[]_", c) != NULL);
    }
    if (!good)
        host = SPAN_LITERAL("localhost");
    const char *scheme = request->tls ? "https://" : "http://";
    size_t len = strlen(scheme);
    memcpy(base, scheme, len);
    memcpy(base + len, host.data, host.len);
    base[len + host.len] = '\0';
}

static void add_nonce(struct acme *acme, int64_t now, struct ca_response *response)
{
    char nonce[CA_NONCE_TEXT];
    if (!ca_nonce_make(acme->nonces, now, nonce))
        return;
    ca_header_add(response, "replay-nonce", "%s", nonce);
    ca_header_add(response, "cache-control", "no-store");
}

void acme_add_nonce(struct acme *acme, const struct ca_request *request,
                    struct ca_response *response)
{
    add_nonce(acme, request->now_us / 1000000, response);
}

const char *ca_path(enum ca_endpoint endpoint)
{
    return resources[endpoint].path;
}

static void serve(struct ca_call *call)
{
    const struct resource *resource = &resources[call->endpoint];
    if (((1U << call->request->method) & resource->methods) == 0) {
        ca_header_add(call->response, "allow", "%s", resource->allow);
        (void)ca_refuse(call, 405, "malformed", "Method not allowed");
        return;
    }
    if (call->request->method == CA_POST) {
        if (!ca_call_open(call, resource->identity))
            return;
        if ((resource->methods & GET) != 0 && !ca_call_is_get(call))
            return;
    }
    resource->serve(call);
}

void acme_answer(struct acme *acme, enum ca_endpoint endpoint, const struct ca_request *request,
                 const struct acme_mood *mood, struct ca_response *response)
{
    struct ca_call call = {.acme = acme,
                           .endpoint = endpoint,
                           .request = request,
                           .mood = mood,
                           .response = response,
                           .now = request->now_us / 1000000};
    int64_t latest = atomic_load_explicit(&acme->now_us, memory_order_relaxed);
    if (request->now_us > latest)
        atomic_store_explicit(&acme->now_us, request->now_us, memory_order_relaxed);
    base_make(request, call.base);
    arena_init(&call.arena);
    if (request->method == CA_POST || endpoint == CA_NEW_NONCE)
        add_nonce(acme, call.now, response);
    if (endpoint != CA_DIRECTORY)
        ca_link(&call, "index", "%s", resources[CA_DIRECTORY].path);
    if (endpoint >= CA_OTHER)
        ca_serve_other(&call);
    else
        serve(&call);
    ca_key_release(call.key);
    arena_free(&call.arena);
    if (response->status >= 400) {
        pthread_mutex_lock(&acme->lock);
        acme->counts.problems++;
        pthread_mutex_unlock(&acme->lock);
    }
}
