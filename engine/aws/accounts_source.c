#include "aws/accounts_source.h"

#include "aws/client.h"

#include <stdio.h>
#include <string.h>

#define SCHEME         "s3://"
#define BUCKET_MAX     63
#define KEY_MAX        1024
#define REGION_DEFAULT "us-east-1"
#define TIMEOUT_MS     20000

struct place {
    struct span bucket, key;
    struct span path; /* "/bucket/key", in the URL */
};

static bool place_read(const char *url, struct place *ret_place, struct error *error)
{
    struct place place = {.path = span_from(span_of(url), sizeof SCHEME - 2)};
    place.key = span_from(place.path, 1);
    place.bucket = span_split(&place.key, '/');
    if (place.bucket.len == 0 || place.key.len == 0)
        return error_set(error, ERROR_CONFIG, "it is not of the form s3://BUCKET/KEY");
    if (place.bucket.len > BUCKET_MAX || place.key.len > KEY_MAX)
        return error_set(error, ERROR_CONFIG,
                         "a bucket's name has at most %d bytes, a key at most %d", BUCKET_MAX,
                         KEY_MAX);
    *ret_place = place;
    return true;
}

static bool error_passes(const struct error *error)
{
    return error != NULL && (error->kind == ERROR_NETWORK || error->kind == ERROR_BUSY);
}

/* What S3's answer means for this file, put before its words. */
static void error_explain(const struct place *place, const struct aws_answer *answer,
                          struct error *error)
{
    if (strcmp(answer->code, "NoSuchBucket") == 0)
        error_prefix(error, "there is no bucket \"%.*s\": ", SPAN_PRINTF(place->bucket));
    else if (strcmp(answer->code, "NoSuchKey") == 0)
        error_prefix(error, "the bucket has no key \"%.200s\": ", place->key.data);
    else if (answer->outcome == AWS_DENIED)
        error_prefix(error, "it cannot be read, or it is not there and s3:ListBucket is missing "
                            "as well: ");
    else if (error_passes(error))
        error_prefix(error,
                     "it cannot be fetched at the moment, which may pass: try again later: ");
}

static bool answer_take(const struct aws_answer *answer, struct buf *text, struct buf *etag,
                        struct error *error)
{
    if (answer->body.len > text->limit)
        return error_set(error, ERROR_LIMIT, "it has more than %zu MiB", text->limit >> 20);
    return (buf_append_span(text, buf_span(&answer->body)) &&
            buf_append_span(etag, buf_span(&answer->etag))) ||
           error_set(error, ERROR_MEMORY, "no memory to read it");
}

static bool place_fetch(struct aws_profiles *profiles, const struct accounts_source *source,
                        const struct place *place, struct buf *text, struct buf *etag,
                        struct error *error)
{
    const char *region = source->region;
    TRY(aws_profile_check(profiles, source->profile, error));
    if (region == NULL && !aws_profile_region(profiles, source->profile, &region, NULL))
        region = REGION_DEFAULT;
    const struct aws_client_options options = {.profiles = profiles,
                                               .user_agent = "certmill/" CERTMILL_VERSION};
    const struct aws_request request = {
        .profile = source->profile,
        .region = region,
        .service = AWS_S3,
        .method = HTTP_GET,
        .path = place->path,
        .action = "s3:GetObject",
        .timeout_ms = TIMEOUT_MS,
    };
    struct aws_answer answer CLEANUP(aws_answer_free);
    aws_answer_init(&answer);
    if (aws_call(&options, &request, -1, &answer, error))
        return answer_take(&answer, text, etag, error);
    error_explain(place, &answer, error);
    return false;
}

bool accounts_source_fetch(void *context, const char *url, const char *profile, struct buf *text,
                           struct buf *etag, struct error *error)
{
    struct accounts_source *given = context;
    struct accounts_source source = *given;
    struct place place = {0};
    if (source.profile == NULL)
        source.profile = profile;
    bool ok = place_read(url, &place, error) &&
              (given->profiles != NULL || aws_profiles_new(NULL, &given->profiles, error)) &&
              place_fetch(given->profiles, &source, &place, text, etag, error);
    return ok || error_prefix(error, "accounts file %.300s: ", url);
}
