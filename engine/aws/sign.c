/* Signature Version 4.
 *
 *   canonical request = method, path, query, "name:value" of each signed header, an empty line,
 *                       the headers' names, the hash of the body
 *   string to sign    = "AWS4-HMAC-SHA256", time, scope, hash of the canonical request
 *   scope             = day "/" region "/" service "/aws4_request"
 *   key               = HMAC(HMAC(HMAC(HMAC("AWS4" secret, day), region), service), "aws4_request")
 *   signature         = HMAC(key, string to sign)
 *
 * The path that is sent is percent-encoded once, the query sorted and encoded in the canonical way,
 * so that what is sent is what was signed. Deriving the key anew costs a few microseconds a
 * request; keeping it would keep one more secret. */
#include "aws/sign.h"

#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANONICAL_MAX  ((size_t)128 * 1024)
#define TARGET_MAX     ((size_t)64 * 1024)
#define PARAMETERS_MAX 64
#define SECRET_MAX     1024

static bool no_room(struct error *error)
{
    return error_set(error, ERROR_LIMIT, "an AWS request is too long to be signed");
}

/* Percent-encoding: RFC 3986's unreserved characters stay, and slashes where `keep` names them. */

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static bool encode(struct buf *out, struct span text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved((char)c) || (keep_slash && c == '/')) {
            TRY(buf_append_char(out, (char)c));
            continue;
        }
        const char escaped[] = {'%', digits[c >> 4], digits[c & 15]};
        TRY(buf_append(out, escaped, sizeof escaped));
    }
    return true;
}

/* The path. */

static void segment_drop(struct buf *out)
{
    const char *slash = out->len > 0 ? memrchr(out->data, '/', out->len) : NULL;
    if (slash == NULL)
        return;
    out->len = (size_t)(slash - out->data);
    out->data[out->len] = '\0';
}

/* Without dot segments (RFC 3986 section 5.2.4) and without empty ones; `out` is empty before. */
static bool path_normalize(struct span path, struct buf *out)
{
    bool ends_in_slash = span_ends(path, "/");
    struct span rest = path;
    while (rest.data != NULL) {
        struct span segment = span_split(&rest, '/');
        if (segment.len == 0 || span_is(segment, "."))
            continue;
        if (span_is(segment, "..")) {
            segment_drop(out);
            continue;
        }
        TRY(buf_append_char(out, '/') && buf_append_span(out, segment));
    }
    if (out->len == 0 || ends_in_slash)
        TRY(buf_append_char(out, '/'));
    return true;
}

/* Onto `target` as it is sent, and onto `canonical` as it is signed. */
static bool path_write(const struct aws_sign_request *request, struct buf *target,
                       struct buf *canonical)
{
    if (!span_starts(request->path, "/"))
        TRY(buf_append_char(target, '/'));
    TRY(encode(target, request->path, true));
    if (strcmp(request->service, "s3") == 0)
        return buf_append_span(canonical, buf_span(target));
    struct buf normal;
    buf_init(&normal, TARGET_MAX);
    bool ok =
        path_normalize(buf_span(target), &normal) && encode(canonical, buf_span(&normal), true);
    buf_free(&normal);
    return ok;
}

/* The query. */

struct pair {
    char *name, *value; /* encoded */
};

static int pair_compare(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : strcmp(left->value, right->value);
}

static char *encoded(struct span text)
{
    struct buf buf;
    buf_init(&buf, TARGET_MAX);
    char *copy = encode(&buf, text, false) ? span_duplicate(buf_span(&buf)) : NULL;
    buf_free(&buf);
    return copy;
}

static bool query_write(const struct aws_sign_request *request, struct buf *target,
                        struct buf *canonical)
{
    struct pair pairs[PARAMETERS_MAX] = {0};
    size_t count = request->query_count;
    bool ok = count <= PARAMETERS_MAX;
    for (size_t i = 0; ok && i < count; i++) {
        pairs[i].name = encoded(span_of(request->query[i].name));
        pairs[i].value = encoded(request->query[i].value);
        ok = pairs[i].name != NULL && pairs[i].value != NULL;
    }
    if (ok && count > 1)
        qsort(pairs, count, sizeof pairs[0], pair_compare);
    size_t start = canonical->len;
    for (size_t i = 0; ok && i < count; i++)
        ok = buf_printf(canonical, "%s%s=%s", i == 0 ? "" : "&", pairs[i].name, pairs[i].value);
    if (ok && count > 0)
        ok = buf_append_char(target, '?') &&
             buf_append_span(target, span_from(buf_span(canonical), start));
    for (size_t i = 0; i < count && i < PARAMETERS_MAX; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
    return ok;
}

/* The headers, in the order of their names. */

struct header {
    const char *name;
    struct span value; /* empty: not sent */
};
#define HEADERS 6

/* Trimmed, and each run of blanks as one. */
static bool header_value_write(struct buf *out, struct span value)
{
    bool blank = false;
    value = span_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == ' ') {
            blank = true;
            continue;
        }
        if (blank)
            TRY(buf_append_char(out, ' '));
        blank = false;
        TRY(buf_append_char(out, value.data[i]));
    }
    return true;
}

static bool header_names_write(struct buf *out, const struct header *headers)
{
    const char *separator = "";
    for (size_t i = 0; i < HEADERS; i++) {
        if (headers[i].value.len == 0)
            continue;
        TRY(buf_append_text(out, separator) && buf_append_text(out, headers[i].name));
        separator = ";";
    }
    return true;
}

static bool headers_write(struct buf *canonical, const struct header *headers)
{
    for (size_t i = 0; i < HEADERS; i++)
        if (headers[i].value.len > 0)
            TRY(buf_append_text(canonical, headers[i].name) && buf_append_char(canonical, ':') &&
                header_value_write(canonical, headers[i].value) &&
                buf_append_char(canonical, '\n'));
    return buf_append_char(canonical, '\n') && header_names_write(canonical, headers);
}

/* The signature. */

static bool signing_key(const struct aws_sign_request *request, struct span secret, struct span day,
                        unsigned char key[static SHA256_SIZE], struct error *error)
{
    char first[SECRET_MAX + 4] = "AWS4";
    if (secret.len > SECRET_MAX)
        return error_set(error, ERROR_LIMIT, "the AWS secret access key is too long");
    memcpy(first + 4, secret.data, secret.len);
    const struct span inputs[] = {day, span_of(request->region), span_of(request->service),
                                  SPAN_LITERAL("aws4_request")};
    struct span previous = span_make(first, secret.len + 4);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof inputs / sizeof inputs[0]; i++) {
        unsigned char next[SHA256_SIZE];
        ok = digest_hmac_sha256(previous, inputs[i], next, error);
        memcpy(key, next, sizeof next);
        OPENSSL_cleanse(next, sizeof next);
        previous = span_make(key, SHA256_SIZE);
    }
    OPENSSL_cleanse(first, sizeof first);
    return ok;
}

static bool signature_write(const struct aws_sign_request *request,
                            const struct aws_credentials *credentials, const struct header *headers,
                            struct aws_signed *made, struct error *error)
{
    char hash[SHA256_HEX_SIZE];
    TRY(digest_sha256_hex(buf_span(&made->canonical), hash, error));
    struct buf *text = &made->authorization; /* first the string to sign, then the header */
    if (!buf_printf(text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", made->date,
                    made->date, request->region, request->service, hash))
        return no_room(error);
    unsigned char key[SHA256_SIZE], signature[SHA256_SIZE];
    bool ok = signing_key(request, secret_span(&credentials->secret_key), span_make(made->date, 8),
                          key, error) &&
              digest_hmac_sha256(span_make(key, sizeof key), buf_span(text), signature, error);
    OPENSSL_cleanse(key, sizeof key);
    if (!ok)
        return false;
    digest_hex(signature, sizeof signature, hash);
    buf_clear(text);
    ok = buf_printf(text, "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=",
                    credentials->key_id, made->date, request->region, request->service) &&
         header_names_write(text, headers) && buf_printf(text, ", Signature=%s", hash);
    return ok || no_room(error);
}

static bool request_write(const struct aws_sign_request *request,
                          const struct aws_credentials *credentials, struct aws_signed *made,
                          struct error *error)
{
    char body_hash[SHA256_HEX_SIZE];
    TRY(digest_sha256_hex(request->body, body_hash, error));
    bool is_s3 = strcmp(request->service, "s3") == 0;
    if (is_s3)
        memcpy(made->content_sha256, body_hash, sizeof body_hash);
    const struct header headers[HEADERS] = {
        {"content-type", request->content_type},
        {"host", request->host},
        {"x-amz-content-sha256", span_of(made->content_sha256)},
        {"x-amz-date", span_of(made->date)},
        {"x-amz-security-token", secret_span(&credentials->session_token)},
        {"x-amz-target", span_of(request->target)},
    };
    struct buf *canonical = &made->canonical;
    bool ok = buf_printf(canonical, "%s\n", request->method) &&
              path_write(request, &made->target, canonical) && buf_append_char(canonical, '\n') &&
              query_write(request, &made->target, canonical) && buf_append_char(canonical, '\n') &&
              headers_write(canonical, headers) && buf_printf(canonical, "\n%s", body_hash);
    if (!ok)
        return no_room(error);
    return signature_write(request, credentials, headers, made, error);
}

bool aws_sign(const struct aws_sign_request *request, const struct aws_credentials *credentials,
              struct aws_signed *ret_signed, struct error *error)
{
    struct aws_signed made = {0};
    buf_init(&made.target, TARGET_MAX);
    buf_init(&made.authorization, CANONICAL_MAX);
    buf_init_secret(&made.canonical, CANONICAL_MAX);
    struct tm time;
    time_t now = (time_t)request->now;
    if (gmtime_r(&now, &time) == NULL ||
        strftime(made.date, sizeof made.date, "%Y%m%dT%H%M%SZ", &time) != sizeof made.date - 1)
        return error_set(error, ERROR_SYSTEM, "this machine's clock is far off");
    if (!request_write(request, credentials, &made, error)) {
        aws_signed_free(&made);
        return false;
    }
    *ret_signed = made;
    return true;
}

void aws_signed_free(struct aws_signed *signed_request)
{
    buf_free(&signed_request->target);
    buf_free(&signed_request->authorization);
    buf_free(&signed_request->canonical);
}
