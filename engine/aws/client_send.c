#include "aws/client_internal.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX 6

static const char *method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT"};
    return names[method];
}

struct lines {
    struct buf text; /* NUL-terminated lines, one of which holds the session token */
    size_t starts[HEADERS_MAX];
    size_t count;
};

static bool line_add(struct lines *lines, const char *name, struct span value)
{
    lines->starts[lines->count++] = lines->text.len;
    return buf_append_text(&lines->text, name) && buf_append_span(&lines->text, value) &&
           buf_append_char(&lines->text, '\0');
}

static bool lines_make(const struct call *call, const struct aws_credentials *credentials,
                       const struct aws_signed *made, struct lines *lines)
{
    struct span token = secret_span(&credentials->session_token);
    TRY(line_add(lines, "Authorization: ", buf_span(&made->authorization)));
    TRY(line_add(lines, "X-Amz-Date: ", span_of(made->date)));
    if (call->request.target != NULL)
        TRY(line_add(lines, "X-Amz-Target: ", span_of(call->request.target)));
    if (made->content_sha256[0] != '\0')
        TRY(line_add(lines, "X-Amz-Content-Sha256: ", span_of(made->content_sha256)));
    if (token.len > 0)
        TRY(line_add(lines, "X-Amz-Security-Token: ", token));
    return true;
}

static bool http_hand_over(struct call *call, const struct aws_credentials *credentials,
                           const struct aws_signed *made, struct error *error)
{
    struct lines lines = {0};
    struct buf url CLEANUP(buf_free);
    buf_init(&url, (size_t)64 * 1024);
    buf_init_secret(&lines.text, (size_t)64 * 1024);
    bool ok = lines_make(call, credentials, made, &lines) &&
              buf_append_text(&url, call->route.origin) &&
              buf_append_span(&url, buf_span(&made->target));
    if (!ok)
        error_set(error, ERROR_MEMORY, "no memory for an AWS call");
    const char *headers[HEADERS_MAX + 1] = {NULL};
    for (size_t i = 0; ok && i < lines.count; i++)
        headers[i] = lines.text.data + lines.starts[i];
    const struct http_request request = {
        .id = call->id,
        .method = call->request.method,
        .url = buf_text(&url),
        .body = call->request.body,
        .content_type = call->request.content_type,
        .headers = headers,
        .timeout_ms = call->request.timeout_ms,
        .once = call->request.once,
    };
    ok = ok && http_send(call->host->http, &request, error);
    buf_free(&lines.text);
    return ok;
}

static bool sign_and_send(struct call *call, const struct aws_credentials *credentials,
                          struct error *error)
{
    const struct aws_request *request = &call->request;
    call->signed_at = clock_unix() + call->host->ahead_s;
    const struct aws_sign_request to_sign = {
        .method = method_name(request->method),
        .host = call->route.host,
        .path = buf_span(&call->route.path),
        .query = request->query,
        .query_count = request->query_count,
        .content_type = span_of(request->content_type),
        .target = request->target,
        .body = request->body,
        .service = aws_service_name(request->service),
        .region = aws_signing_region(request->service, call->region),
        .now = call->signed_at,
    };
    struct aws_signed made;
    TRY(aws_sign(&to_sign, credentials, &made, error));
    bool ok = http_hand_over(call, credentials, &made, error);
    aws_signed_free(&made);
    return ok;
}

static void fail(struct aws_client *client, struct call *call, enum aws_outcome outcome,
                 const struct error *error)
{
    struct aws_reply reply = {.outcome = outcome, .error = *error};
    char where[AWS_WHERE_MAX];
    aws_failure_where(call->request.action, call->request.profile, call->region, where);
    error_prefix(&reply.error, "%s", where);
    call_end(client, call, &reply);
}

/* True when the failure may pass and another attempt is queued: for when the credentials are
 * fetched anew, as until then the same failure is told. */
static bool retry_for_credentials(struct aws_client *client, struct call *call,
                                  const struct error *error)
{
    if (error->kind != ERROR_NETWORK)
        return false;
    return call_retry(
        client, call,
        aws_credentials_retry_s(client->options.profiles, call->request.profile, clock_unix()));
}

void call_send(struct aws_client *client, struct call *call)
{
    struct aws_credentials credentials;
    struct error error;
    if (!aws_credentials_get(client->options.profiles, call->request.profile, clock_unix(),
                             &credentials, &error)) {
        if (!retry_for_credentials(client, call, &error))
            fail(client, call, AWS_CREDENTIALS, &error);
        return;
    }
    memcpy(call->key_id, credentials.key_id, sizeof call->key_id);
    call->attempts++;
    client->sent++;
    bool ok = sign_and_send(call, &credentials, &error);
    aws_credentials_free(&credentials);
    if (!ok)
        fail(client, call, AWS_INVALID, &error);
}
