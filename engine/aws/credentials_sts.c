/* Roles, assumed by the Security Token Service (docs.aws.amazon.com/STS, API reference: AssumeRole,
 * AssumeRoleWithWebIdentity). */
#include "aws/credentials_fetch.h"
#include "aws/failure.h"
#include "aws/fetch.h"
#include "aws/xml.h"
#include "base/clock.h"
#include "io/file.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS      10000
#define ATTEMPTS        4 /* as for each call of AWS */
#define PAUSE_MS        400
#define FORM_TYPE       "application/x-www-form-urlencoded; charset=utf-8"
#define WEB_TOKEN_MAX   ((size_t)20000) /* API reference, WebIdentityToken */
#define DURATION_MAX    43200
#define REGION_FALLBACK "us-east-1"
#define SKEW_MIN_S      60 /* less may be the way there and back */

/* One call. */
struct assume {
    struct aws_profiles *profiles;
    const struct source *source;
    const char *profile; /* its name, for endpoint and region */
    int64_t now;
    char url[AWS_ENDPOINT_MAX];
    const char *region;
    struct buf form;
    struct aws_credentials base; /* SOURCE_ROLE: signs; the other request is not signed */
};

/* STS's answer that is no success. */
struct refusal {
    struct aws_failure failure;
    int64_t skew_s; /* how far the server's clock is before ours; 0 when it is not known */
    int64_t off_s;  /* and before the time that was signed */
    long status;    /* 0: none, it was a success */
};

static void assume_free(struct assume *assume)
{
    buf_free(&assume->form);
    aws_credentials_free(&assume->base);
}

static bool is_signed(const struct assume *assume)
{
    return assume->source->kind == SOURCE_ROLE;
}

static bool form_append(struct buf *form, const char *name, struct span value)
{
    static const char hex[] = "0123456789ABCDEF";
    bool ok = (form->len == 0 || buf_append_char(form, '&')) && buf_append_text(form, name) &&
              buf_append_char(form, '=');
    for (size_t i = 0; ok && i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        ok = plain ? buf_append_char(form, (char)c)
                   : buf_append_char(form, '%') && buf_append_char(form, hex[c >> 4]) &&
                         buf_append_char(form, hex[c & 15]);
    }
    return ok;
}

static bool duration_append(struct buf *form, const struct profile *profile, struct error *error)
{
    uint64_t seconds;
    const char *text = profile_setting(profile, SETTING_DURATION_SECONDS);
    if (text == NULL)
        return true;
    if (!span_to_u64(span_of(text), DURATION_MAX, &seconds))
        return error_set(error, ERROR_CONFIG, "duration_seconds is no number from 900 to %d",
                         DURATION_MAX);
    return form_append(form, "DurationSeconds", span_of(text)) ||
           error_set(error, ERROR_MEMORY, "no memory for a request");
}

static bool token_append(struct buf *form, const char *path, struct error *error)
{
    struct buf token CLEANUP(buf_free);
    buf_init_secret(&token, WEB_TOKEN_MAX);
    if (!file_read(path, &token, NULL, error)) {
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return error_prefix(error, "the web identity token: ");
    }
    return form_append(form, "WebIdentityToken", span_trim(buf_span(&token))) ||
           error_set(error, ERROR_MEMORY, "no memory for a request");
}

static bool form_make(struct assume *assume, struct error *error)
{
    const struct source *source = assume->source;
    const char *external_id = profile_setting(source->profile, SETTING_EXTERNAL_ID);
    const char *action = source->kind == SOURCE_ROLE ? "AssumeRole" : "AssumeRoleWithWebIdentity";
    char session[64];
    snprintf(session, sizeof session, "certmill-%lld", (long long)assume->now);
    struct buf *form = &assume->form;
    buf_init_secret(form, 4 * WEB_TOKEN_MAX);
    bool ok = form_append(form, "Action", span_of(action)) &&
              form_append(form, "Version", SPAN_LITERAL("2011-06-15")) &&
              form_append(form, "RoleArn", span_of(source->role_arn)) &&
              form_append(form, "RoleSessionName",
                          span_of(source->session_name != NULL ? source->session_name : session));
    if (ok && source->kind == SOURCE_ROLE && external_id != NULL)
        ok = form_append(form, "ExternalId", span_of(external_id));
    if (!ok)
        return error_set(error, ERROR_MEMORY, "no memory for a request");
    TRY(duration_append(form, source->profile, error));
    return source->kind == SOURCE_ROLE || token_append(form, source->token_file, error);
}

static bool place_find(struct assume *assume, struct error *error)
{
    struct error no_region;
    assume->profile = assume->source->profile != NULL ? assume->source->profile->name : NULL;
    if (!aws_profile_region(assume->profiles, assume->profile, &assume->region, &no_region))
        assume->region = REGION_FALLBACK;
    return aws_profile_endpoint(assume->profiles, assume->profile, AWS_STS, assume->region,
                                assume->url, error);
}

/* "host:port" without the scheme's own port, which libcurl leaves away too. */
static struct span url_authority(const char *url, struct span *ret_path)
{
    struct span rest = span_of(url);
    bool is_https = span_starts(rest, "https://");
    rest = span_from(rest, is_https ? 8 : 7);
    size_t end = 0;
    while (end < rest.len && rest.data[end] != '/')
        end++;
    struct span authority = span_make(rest.data, end);
    *ret_path = span_from(rest, end);
    const char *usual = is_https ? ":443" : ":80";
    if (span_ends(authority, usual))
        authority.len -= strlen(usual);
    return authority;
}

struct signed_headers {
    struct buf text;
    const char *list[4];
};

static bool header_line(struct buf *text, const char *name, struct span value, size_t *ret_at)
{
    *ret_at = text->len;
    return buf_append_text(text, name) && buf_append_span(text, value) &&
           buf_append_char(text, '\0');
}

static bool headers_make(const struct assume *assume, int64_t now, struct signed_headers *headers,
                         struct error *error)
{
    struct aws_signed signature CLEANUP(aws_signed_free) = {0};
    struct aws_sign_request request = {
        .method = "POST",
        .content_type = SPAN_LITERAL(FORM_TYPE),
        .body = buf_span(&assume->form),
        .service = aws_service_name(AWS_STS),
        .region = assume->region,
        .now = now,
    };
    request.host = url_authority(assume->url, &request.path);
    TRY(aws_sign(&request, &assume->base, &signature, error));
    size_t at[3] = {0};
    size_t count = 2;
    bool ok = header_line(&headers->text, "Authorization: ", buf_span(&signature.authorization),
                          &at[0]) &&
              header_line(&headers->text, "X-Amz-Date: ", span_of(signature.date), &at[1]);
    if (assume->base.session_token.len > 0)
        ok = ok && header_line(&headers->text,
                               "X-Amz-Security-Token: ", secret_span(&assume->base.session_token),
                               &at[count++]);
    if (!ok)
        return error_set(error, ERROR_MEMORY, "no memory for a request");
    for (size_t i = 0; i < count; i++)
        headers->list[i] = buf_text(&headers->text) + at[i];
    headers->list[count] = NULL;
    return true;
}

static bool is_passing(const struct fetch_reply *reply)
{
    struct aws_failure failure;
    const struct http_response response = {.body = buf_span(&reply->body)};
    if (reply->status == 200)
        return false;
    aws_failure_read(&response, &failure);
    return aws_outcome_passes(aws_failure_outcome(&failure, reply->status, 0));
}

static bool send(const struct assume *assume, int64_t now, struct fetch_reply *ret_reply,
                 struct error *error)
{
    struct signed_headers headers = {0};
    buf_init_secret(&headers.text, (size_t)64 * 1024);
    const struct fetch_request request = {
        .method = HTTP_POST,
        .url = assume->url,
        .body = buf_span(&assume->form),
        .content_type = FORM_TYPE,
        .headers = headers.list,
        .ca_file = aws_profile_ca_bundle(assume->profiles, assume->profile),
        .timeout_ms = TIMEOUT_MS,
        .attempts = ATTEMPTS,
        .pause_ms = PAUSE_MS,
        .passes = is_passing,
    };
    bool ok = (!is_signed(assume) || headers_make(assume, now, &headers, error)) &&
              fetch(&request, ret_reply, error);
    buf_free(&headers.text);
    return ok;
}

static int64_t skew_of(const struct fetch_reply *reply, int64_t now)
{
    return reply->date != 0 ? reply->date - now : 0;
}

/* The end of the credentials is by AWS's clock, and is kept by this machine's. */
static bool credentials_read(const struct xml_element *result, int64_t skew_s,
                             struct aws_credentials *ret, struct error *error)
{
    struct credentials_text text = {
        .key_id = xml_text(result, "Credentials/AccessKeyId"),
        .secret_key = xml_text(result, "Credentials/SecretAccessKey"),
        .session_token = xml_text(result, "Credentials/SessionToken"),
    };
    if (!time_parse_rfc3339(xml_text(result, "Credentials/Expiration"), &text.expires_at))
        return error_set(error, ERROR_PROTOCOL, "STS answered without a time when they end");
    if (skew_s > SKEW_MIN_S || skew_s < -SKEW_MIN_S)
        text.expires_at -= skew_s;
    return credentials_make(&text, "STS's answer", ret, error);
}

static bool success_read(const struct assume *assume, const struct fetch_reply *reply,
                         struct aws_credentials *ret, struct error *error)
{
    const char *path = is_signed(assume) ? "AssumeRoleResult" : "AssumeRoleWithWebIdentityResult";
    struct arena arena CLEANUP(arena_free);
    struct xml_element *root = NULL;
    struct error malformed; /* it may quote the text */
    arena_init(&arena);
    bool parsed = xml_parse(buf_span(&reply->body), &arena, &root, &malformed);
    const struct xml_element *result = parsed ? xml_find(root, path) : NULL;
    bool ok = result != NULL ? credentials_read(result, skew_of(reply, assume->now), ret, error)
                             : error_set(error, ERROR_PROTOCOL,
                                         "STS's answer is not the XML that it should be");
    if (parsed)
        xml_wipe(root);
    return ok;
}

/* True with the credentials, or with the refusal's status not 0. `now`: what was signed. */
static bool reply_read(const struct assume *assume, const struct fetch_reply *reply, int64_t now,
                       struct aws_credentials *ret, struct refusal *refusal, struct error *error)
{
    if (reply->status == 200)
        return success_read(assume, reply, ret, error);
    const struct http_response response = {.body = buf_span(&reply->body)};
    aws_failure_read(&response, &refusal->failure);
    refusal->status = reply->status;
    refusal->skew_s = skew_of(reply, assume->now);
    refusal->off_s = skew_of(reply, now);
    return true;
}

static bool is_code(const struct refusal *refusal, const char *code)
{
    return strcmp(refusal->failure.code, code) == 0;
}

static bool is_outcome(const struct refusal *refusal, enum aws_outcome outcome)
{
    return refusal->status != 0 &&
           aws_failure_outcome(&refusal->failure, refusal->status, refusal->off_s) == outcome;
}

static bool is_expired(const struct refusal *refusal)
{
    return is_outcome(refusal, AWS_EXPIRED);
}

static bool is_skewed(const struct refusal *refusal)
{
    return refusal->skew_s != 0 && is_outcome(refusal, AWS_SKEWED);
}

/* What the operator can do about it. */
static const char *advice(const struct refusal *refusal, bool with_token)
{
    static const struct {
        const char *code, *words;
    } known[] = {
        {"AccessDenied",
         "the caller needs sts:AssumeRole on the role, and the role's trust policy must name the "
         "caller (and its external id)"},
        {"InvalidClientTokenId", "AWS does not know the access key id: it is wrong or deleted"},
        {"SignatureDoesNotMatch", "the secret access key is wrong"},
        {"InvalidAccessKeyId", "AWS does not know the access key id: it is wrong or deleted"},
        {"RegionDisabledException", "turn STS on in this region, or choose another region"},
        {"InvalidIdentityToken", "the token's issuer is no identity provider of the account"},
        {"ValidationError", "mend the role_arn, duration_seconds or role_session_name"},
    };
    if (is_expired(refusal))
        return with_token ? "the web identity token has expired" : "sign in anew";
    if (with_token && is_code(refusal, "AccessDenied"))
        return "the role's trust policy must take this identity provider and subject";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_code(refusal, known[i].code))
            return known[i].words;
    return NULL;
}

static bool refusal_error(const struct assume *assume, const struct refusal *refusal,
                          struct error *error)
{
    const struct aws_failure *failure = &refusal->failure;
    bool passes = refusal->status >= 500 || is_outcome(refusal, AWS_THROTTLED);
    const char *words = advice(refusal, !is_signed(assume));
    enum error_kind kind = passes ? ERROR_NETWORK : ERROR_CONFIG;
    char id[sizeof failure->request_id + 16] = "";
    if (failure->request_id[0] != '\0')
        snprintf(id, sizeof id, " (request %s)", failure->request_id);
    if (is_skewed(refusal))
        return error_set(error, kind,
                         "this machine's clock is %lld s %s AWS's: set the clock (STS said %s)%s",
                         (long long)(refusal->skew_s > 0 ? refusal->skew_s : -refusal->skew_s),
                         refusal->skew_s > 0 ? "behind" : "ahead of", failure->code, id);
    if (failure->code[0] == '\0')
        return error_set(error, kind, "%s answered with %ld", assume->url, refusal->status);
    return error_set(error, kind, "STS said %s%s: %s%s%s%s", failure->code, id, failure->words,
                     words != NULL ? " (" : "", words != NULL ? words : "",
                     words != NULL ? ")" : "");
}

static bool call(const struct assume *assume, int64_t now, struct aws_credentials *ret,
                 struct refusal *refusal, struct error *error)
{
    struct fetch_reply reply;
    *refusal = (struct refusal){0};
    TRY(send(assume, now, &reply, error));
    bool ok = reply_read(assume, &reply, now, ret, refusal, error);
    fetch_reply_free(&reply);
    return ok;
}

/* Once more by the server's clock when it is that. */
static bool call_by_clock(const struct assume *assume, struct aws_credentials *ret,
                          struct refusal *refusal, struct error *error)
{
    TRY(call(assume, assume->now, ret, refusal, error));
    return !is_signed(assume) || !is_skewed(refusal) ||
           call(assume, assume->now + refusal->skew_s, ret, refusal, error);
}

/* With fresh credentials once more when they have expired in the meantime. */
static bool call_as_base(struct assume *assume, struct aws_credentials *ret,
                         struct refusal *refusal, struct error *error)
{
    for (unsigned i = 0; i < 2; i++) {
        struct aws_credentials *base = &assume->base;
        aws_credentials_free(base);
        TRY(credentials_of_base(assume->profiles, assume->source, assume->now, base, error));
        TRY(call_by_clock(assume, ret, refusal, error));
        if (!is_expired(refusal))
            return true;
        credentials_of_base_expire(assume->profiles, assume->source, base->key_id);
    }
    return true;
}

static bool role_assume(struct assume *assume, struct aws_credentials *ret, struct error *error)
{
    struct refusal refusal;
    TRY(place_find(assume, error) && form_make(assume, error));
    TRY(is_signed(assume) ? call_as_base(assume, ret, &refusal, error)
                          : call_by_clock(assume, ret, &refusal, error));
    return refusal.status == 0 || refusal_error(assume, &refusal, error);
}

bool credentials_sts(struct aws_profiles *profiles, const struct source *source, int64_t now,
                     struct aws_credentials *ret_credentials, struct error *error)
{
    struct assume assume CLEANUP(assume_free) = {
        .profiles = profiles, .source = source, .now = now};
    return role_assume(&assume, ret_credentials, error) ||
           error_prefix(error, "assuming the role %.200s: ", source->role_arn);
}
