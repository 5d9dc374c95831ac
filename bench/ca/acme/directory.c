/* The directory (RFC 8555 section 7.1.1) and newNonce (7.2). */
#include "call.h"

#include <string.h>

void ca_serve_new_nonce(struct ca_call *call)
{
    /* RFC 8555 section 7.2. */
    call->response->status = call->request->method == CA_HEAD ? 200 : 204;
}

static void write_url(struct ca_call *call, struct ca_out *out, const char *name,
                      enum ca_endpoint endpoint)
{
    const char *path = ca_path(endpoint);
    size_t len = strlen(path);
    ca_out_key(out, name);
    ca_out_printf(out, "%s%.*s", call->base, (int)(path[len - 1] == '/' ? len - 1 : len), path);
}

static void write_optional(struct ca_out *out, const char *name, const char *text)
{
    if (text != NULL)
        ca_out_pair(out, name, text);
}

static void write_meta(const struct acme_options *options, struct ca_out *out)
{
    ca_out_key(out, "meta");
    ca_out_open(out, '{');
    write_optional(out, "termsOfService", options->terms);
    write_optional(out, "website", options->website);
    if (options->caa != NULL) {
        ca_out_key(out, "caaIdentities");
        ca_out_open(out, '[');
        ca_out_text(out, span_of(options->caa));
        ca_out_close(out, ']');
    }
    ca_out_key(out, "externalAccountRequired");
    ca_out_flag(out, options->eab_required);
    if (options->profile_count > 0) {
        ca_out_key(out, "profiles");
        ca_out_open(out, '{');
        for (size_t i = 0; i < options->profile_count; i++)
            ca_out_pair(out, options->profiles[i].name, options->profiles[i].description);
        ca_out_close(out, '}');
    }
    ca_out_close(out, '}');
}

void ca_serve_directory(struct ca_call *call)
{
    struct ca_out out;
    ca_answer_begin(call, 200, &out);
    write_url(call, &out, "newNonce", CA_NEW_NONCE);
    write_url(call, &out, "newAccount", CA_NEW_ACCOUNT);
    write_url(call, &out, "newOrder", CA_NEW_ORDER);
    write_url(call, &out, "revokeCert", CA_REVOKE);
    write_url(call, &out, "keyChange", CA_KEY_CHANGE);
    write_url(call, &out, "renewalInfo", CA_RENEWAL_INFO);
    write_meta(&call->acme->options, &out);
    ca_answer_end(call, &out);
}
