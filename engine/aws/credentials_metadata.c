/* Credentials of the machine: a container's (docs.aws.amazon.com/sdkref, "Container credential
 * provider") and an instance's (the same, "IMDS credential provider"; version 2 of the service
 * only, as version 1 lets whoever can make this machine send a request have them). Both speak plain
 * HTTP to this machine's own host: a proxy would not reach it, and would read the secrets. */
#include "aws/credentials_fetch.h"
#include "aws/credentials_json.h"
#include "aws/fetch.h"
#include "base/printable.h"
#include "io/file.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONTAINER_HOST       "http://169.254.170.2"
#define CONTAINER_TIMEOUT_MS 2000
#define CONTAINER_ATTEMPTS   3
#define INSTANCE_TIMEOUT_S   1 /* AWS_METADATA_SERVICE_TIMEOUT */
#define INSTANCE_ATTEMPTS    2 /* AWS_METADATA_SERVICE_NUM_ATTEMPTS */
#define PAUSE_MS             200
#define URL_MAX              1024
#define TOKEN_TEXT_MAX       ((size_t)8 * 1024)
#define TOKEN_LIFE           "X-aws-ec2-metadata-token-ttl-seconds: 21600"
#define ROLE_PATH            "/latest/meta-data/iam/security-credentials/"
/* How long credentials are used that the service has not renewed in time; AWS goes on accepting
 * them then (docs.aws.amazon.com/sdkref, "Static stability"). */
#define STALE_LIFE_S 900

static const struct credentials_json form = {.token_key = "Token", .must_expire = true};

/* What is one line: a token, the name of a role. */
static struct span line_of(const struct buf *text)
{
    return span_trim(buf_span(text));
}

static bool is_one_line(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return false;
    return text.len > 0 && text.len <= TOKEN_TEXT_MAX;
}

static bool answer_check(const struct fetch_reply *reply, const char *url, struct error *error)
{
    return reply->status == 200 ||
           error_set(error, reply->status >= 500 ? ERROR_NETWORK : ERROR_CONFIG,
                     "%s answered with %ld", url, reply->status);
}

/* The container's. */

/* Whom a token may be sent to in the clear: this machine, and the agents of ECS and EKS. */
static bool host_is_near(struct span host)
{
    static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23",
                                         "localhost"};
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    for (size_t i = 0; i < sizeof agents / sizeof agents[0]; i++)
        if (span_equal_nocase(host, span_of(agents[i])))
            return true;
    if (host.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", SPAN_PRINTF(host));
    if (inet_pton(AF_INET, text, address) == 1)
        return address[0] == 127;
    return inet_pton(AF_INET6, text, address) == 1 &&
           IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)address);
}

static bool container_url(const struct aws_profiles *profiles, char *url, struct error *error)
{
    const char *relative = environment_get(profiles, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = environment_get(profiles, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative == NULL && full == NULL)
        return error_set(error, ERROR_CONFIG,
                         "there are no container credentials here: neither "
                         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                         "AWS_CONTAINER_CREDENTIALS_FULL_URI is set");
    const char *given = relative != NULL ? relative : full;
    if (strlen(given) >= URL_MAX - sizeof CONTAINER_HOST || !is_one_line(span_of(given)))
        return error_set(error, ERROR_CONFIG, "the container credentials' URI is too long or odd");
    if (relative != NULL && relative[0] != '/')
        return error_set(error, ERROR_CONFIG,
                         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
    struct span host = relative != NULL ? SPAN_LITERAL("169.254.170.2") : url_host(full);
    bool is_https = relative == NULL && span_starts(span_of(full), "https://");
    if (host.len == 0 || (!is_https && !host_is_near(host)))
        return error_set(error, ERROR_CONFIG,
                         "AWS_CONTAINER_CREDENTIALS_FULL_URI: only https, this machine "
                         "(localhost), 169.254.170.2 and 169.254.170.23 are asked for credentials");
    snprintf(url, URL_MAX, "%s%s", relative != NULL ? CONTAINER_HOST : "", given);
    return true;
}

/* "Authorization: ..." into the buffer, which stays empty when no token is set. The file is read
 * each time, as its content changes. */
static bool container_header(struct aws_profiles *profiles, struct buf *header, struct error *error)
{
    struct buf content CLEANUP(buf_free);
    const char *token = environment_get(profiles, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *path = environment_get(profiles, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    buf_init_secret(&content, TOKEN_TEXT_MAX);
    if (path == NULL && token == NULL)
        return true;
    if (path != NULL && !file_read(path, &content, NULL, error)) {
        if (error != NULL)
            error->kind = ERROR_CONFIG;
        return error_prefix(error, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: ");
    }
    struct span text = path != NULL ? line_of(&content) : span_of(token);
    if (!is_one_line(text))
        return error_set(error, ERROR_CONFIG,
                         "the token for the container's credentials is empty, too long or of "
                         "several lines");
    return (buf_append_text(header, "Authorization: ") && buf_append_span(header, text)) ||
           error_set(error, ERROR_MEMORY, "no memory for a token");
}

static bool container_fetch(struct aws_profiles *profiles, const char *url,
                            struct aws_credentials *ret_credentials, struct error *error)
{
    struct buf header CLEANUP(buf_free);
    struct fetch_reply reply CLEANUP(fetch_reply_free) = {0};
    buf_init_secret(&header, 2 * TOKEN_TEXT_MAX);
    TRY(container_header(profiles, &header, error));
    const char *const headers[] = {"Accept: application/json",
                                   header.len > 0 ? buf_text(&header) : NULL, NULL};
    const struct fetch_request request = {
        .url = url,
        .headers = headers,
        .ca_file = profiles->said.ca_bundle,
        .direct = span_starts(span_of(url), "http://"),
        .timeout_ms = CONTAINER_TIMEOUT_MS,
        .attempts = CONTAINER_ATTEMPTS,
        .pause_ms = PAUSE_MS,
    };
    return fetch(&request, &reply, error) && answer_check(&reply, url, error) &&
           credentials_json_read(buf_span(&reply.body), &form, ret_credentials, error);
}

bool credentials_container(struct aws_profiles *profiles, struct aws_credentials *ret_credentials,
                           struct error *error)
{
    char url[URL_MAX];
    TRY(container_url(profiles, url, error));
    return container_fetch(profiles, url, ret_credentials, error) ||
           error_prefix(error, "the container's credentials: ");
}

/* The instance's. */

struct instance {
    const struct aws_profiles *profiles;
    char endpoint[URL_MAX / 2];
    unsigned timeout_ms, attempts;
    struct buf token; /* as a header */
};

static void instance_free(struct instance *instance)
{
    buf_free(&instance->token);
}

static unsigned environment_number(const struct aws_profiles *profiles, const char *name,
                                   unsigned usual)
{
    uint64_t number;
    const char *text = environment_get(profiles, name);
    if (text == NULL || !span_to_u64(span_of(text), 60, &number) || number == 0)
        return usual;
    return (unsigned)number;
}

static bool endpoint_find(const struct aws_profiles *profiles, const struct profile *profile,
                          struct instance *instance, struct error *error)
{
    const char *url = environment_get(profiles, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = environment_get(profiles, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (url == NULL)
        url = profile_setting(profile, SETTING_METADATA_ENDPOINT);
    if (mode == NULL)
        mode = profile_setting(profile, SETTING_METADATA_ENDPOINT_MODE);
    if (url == NULL)
        url = mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                            : "http://169.254.169.254";
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    if (url_host(url).len == 0 || len >= sizeof instance->endpoint)
        return error_set(error, ERROR_CONFIG,
                         "the endpoint of the instance's metadata is no URL of the form "
                         "http://HOST[:PORT]");
    snprintf(instance->endpoint, sizeof instance->endpoint, "%.*s", (int)len, url);
    return true;
}

static bool instance_ask(const struct instance *instance, enum http_method method, const char *path,
                         const char *header, struct fetch_reply *ret_reply, struct error *error)
{
    char url[URL_MAX];
    const char *const headers[] = {header, NULL};
    snprintf(url, sizeof url, "%s%s", instance->endpoint, path);
    const struct fetch_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .direct = true,
        .timeout_ms = instance->timeout_ms,
        .attempts = instance->attempts,
    };
    struct fetch_reply reply;
    TRY(fetch(&request, &reply, error));
    if (!answer_check(&reply, url, error)) {
        fetch_reply_free(&reply);
        return false;
    }
    *ret_reply = reply;
    return true;
}

static bool instance_open(const struct aws_profiles *profiles, const struct profile *profile,
                          struct instance *instance, struct error *error)
{
    struct fetch_reply reply CLEANUP(fetch_reply_free) = {0};
    instance->profiles = profiles;
    instance->timeout_ms =
        1000 * environment_number(profiles, "AWS_METADATA_SERVICE_TIMEOUT", INSTANCE_TIMEOUT_S);
    instance->attempts =
        environment_number(profiles, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", INSTANCE_ATTEMPTS);
    buf_init_secret(&instance->token, 2 * TOKEN_TEXT_MAX);
    if (switch_is_on(environment_get(profiles, "AWS_EC2_METADATA_DISABLED")))
        return error_set(error, ERROR_CONFIG, "AWS_EC2_METADATA_DISABLED is true");
    TRY(endpoint_find(profiles, profile, instance, error));
    TRY(instance_ask(instance, HTTP_PUT, "/latest/api/token", TOKEN_LIFE, &reply, error));
    if (!is_one_line(line_of(&reply.body)))
        return error_set(error, ERROR_CONFIG, "its token is no line of text");
    return (buf_append_text(&instance->token, "X-aws-ec2-metadata-token: ") &&
            buf_append_span(&instance->token, line_of(&reply.body))) ||
           error_set(error, ERROR_MEMORY, "no memory for a token");
}

static bool is_path_part(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("+=,.@_-", text.data[i]) == NULL &&
            !((text.data[i] >= '0' && text.data[i] <= '9') ||
              ((text.data[i] | 0x20) >= 'a' && (text.data[i] | 0x20) <= 'z')))
            return false;
    return text.len > 0 && text.len <= 64; /* of a role's name (IAM, "IAM and STS quotas") */
}

static bool role_fetch(const struct instance *instance, struct aws_credentials *ret_credentials,
                       struct error *error)
{
    char path[sizeof ROLE_PATH + 64];
    struct fetch_reply name CLEANUP(fetch_reply_free) = {0};
    struct fetch_reply reply CLEANUP(fetch_reply_free) = {0};
    const char *token = buf_text(&instance->token);
    TRY(instance_ask(instance, HTTP_GET, ROLE_PATH, token, &name, error));
    if (!is_path_part(line_of(&name.body)))
        return error_set(error, ERROR_CONFIG, "the instance has no role");
    snprintf(path, sizeof path, "%s%.*s", ROLE_PATH, SPAN_PRINTF(line_of(&name.body)));
    return instance_ask(instance, HTTP_GET, path, token, &reply, error) &&
           credentials_json_read(buf_span(&reply.body), &form, ret_credentials, error);
}

bool credentials_instance(struct aws_profiles *profiles, const struct profile *profile, int64_t now,
                          struct aws_credentials *ret_credentials, struct error *error)
{
    struct instance instance CLEANUP(instance_free) = {0};
    struct aws_credentials credentials = {0};
    if (!instance_open(profiles, profile, &instance, error) ||
        !role_fetch(&instance, &credentials, error))
        return error_prefix(error, "the instance's metadata: ");
    if (credentials.expires_at < now + STALE_LIFE_S)
        credentials.expires_at = now + STALE_LIFE_S;
    *ret_credentials = credentials;
    return true;
}

bool instance_region(struct aws_profiles *profiles, const struct profile *profile,
                     const char **ret_region, struct error *error)
{
    struct instance instance CLEANUP(instance_free) = {0};
    struct fetch_reply reply CLEANUP(fetch_reply_free) = {0};
    TRY(instance_open(profiles, profile, &instance, error));
    TRY(instance_ask(&instance, HTTP_GET, "/latest/meta-data/placement/region",
                     buf_text(&instance.token), &reply, error));
    *ret_region = arena_text(&profiles->arena, line_of(&reply.body));
    return *ret_region != NULL || error_set(error, ERROR_MEMORY, "no memory for a region");
}
