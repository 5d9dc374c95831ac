#include "aws/failure.h"

#include "aws/xml.h"
#include "base/json.h"
#include "base/printable.h"

#include <stdio.h>
#include <string.h>

#define JSON_MAX ((size_t)1024 * 1024)
/* Some services let a signature be off by 5 minutes and most by 15; machines are seldom off by more
 * than seconds without being off by much. */
#define SKEW_S 240

/* Reading. */

/* "com.amazon.coral.service#ThrottlingException:http://..." -> "ThrottlingException" */
static struct span code_alone(struct span code)
{
    struct span rest = code;
    code = span_split(&rest, ':');
    const char *hash = code.len > 0 ? memrchr(code.data, '#', code.len) : NULL;
    if (hash != NULL)
        code = span_from(code, (size_t)(hash - code.data) + 1);
    return span_trim(code);
}

/* What follows quotes the request as AWS saw it, which may hold the session token. */
static struct span words_alone(struct span message)
{
    static const char quote[] = "The Canonical String";
    const char *end = message.len > 0 ? memchr(message.data, '\n', message.len) : NULL;
    if (end != NULL)
        message.len = (size_t)(end - message.data);
    end = message.len > 0 ? memmem(message.data, message.len, quote, sizeof quote - 1) : NULL;
    if (end != NULL)
        message.len = (size_t)(end - message.data);
    return span_trim(message);
}

static void copy(struct span text, char *out, size_t size)
{
    out[0] = '\0';
    if (text.len > 0)
        printable_copy(text, out, size);
}

static void json_read(const struct http_response *response, struct aws_failure *failure)
{
    json_t *json CLEANUP(json_release) = NULL;
    if (!json_parse(response->body, JSON_MAX, &json, NULL))
        return;
    const char *code = json_text(json, "__type", JSON_MAX);
    const char *words = json_text(json, "message", JSON_MAX);
    if (words == NULL)
        words = json_text(json, "Message", JSON_MAX);
    copy(code_alone(span_of(code)), failure->code, sizeof failure->code);
    copy(words_alone(span_of(words)), failure->words, sizeof failure->words);
}

/* STS and Route 53: ErrorResponse/Error/{Code,Message}; S3: Error/{Code,Message}; Route 53 again:
 * InvalidChangeBatch/Messages/Message. */
static void tree_read(const struct xml_element *root, struct aws_failure *failure)
{
    const struct xml_element *error = xml_find(root, "Error");
    if (error == NULL)
        error = root;
    struct span code = xml_text(error, "Code"), words = xml_text(error, "Message");
    const struct xml_element *messages = xml_find(root, "Messages");
    if (messages != NULL) {
        code = span_of(root->name);
        words = xml_text(messages, "Message");
    }
    copy(code_alone(code), failure->code, sizeof failure->code);
    copy(words_alone(words), failure->words, sizeof failure->words);
    copy(xml_text(error, "Region"), failure->region, sizeof failure->region);
    struct span request_id = xml_text(root, "RequestId");
    if (request_id.len == 0)
        request_id = xml_text(root, "RequestID");
    copy(request_id, failure->request_id, sizeof failure->request_id);
}

static void xml_read(const struct http_response *response, struct aws_failure *failure)
{
    struct arena arena CLEANUP(arena_free);
    struct xml_element *root;
    arena_init(&arena);
    if (xml_parse(response->body, &arena, &root, NULL))
        tree_read(root, failure);
}

void aws_failure_read(const struct http_response *response, struct aws_failure *ret_failure)
{
    struct aws_failure failure = {0};
    struct span body = span_trim(response->body);
    if (span_starts(body, "{"))
        json_read(response, &failure);
    else if (span_starts(body, "<"))
        xml_read(response, &failure);
    if (failure.code[0] == '\0')
        copy(code_alone(response->amazon_error_type), failure.code, sizeof failure.code);
    if (response->amazon_request_id.len > 0)
        copy(response->amazon_request_id, failure.request_id, sizeof failure.request_id);
    if (response->amazon_region.len > 0)
        copy(response->amazon_region, failure.region, sizeof failure.region);
    *ret_failure = failure;
}

/* Judging. */

static const struct {
    const char *code;
    enum aws_outcome outcome;
} meanings[] = {
    {"Throttling", AWS_THROTTLED},
    {"ThrottlingException", AWS_THROTTLED},
    {"ThrottledException", AWS_THROTTLED},
    {"RequestThrottled", AWS_THROTTLED},
    {"RequestThrottledException", AWS_THROTTLED},
    {"RequestLimitExceeded", AWS_THROTTLED},
    {"TooManyRequestsException", AWS_THROTTLED},
    {"BandwidthLimitExceeded", AWS_THROTTLED},
    {"SlowDown", AWS_THROTTLED},
    {"PriorRequestNotComplete", AWS_BUSY},
    {"ConflictException", AWS_BUSY},
    {"RequestInProgressException", AWS_BUSY},
    {"OperationAborted", AWS_BUSY},
    {"AccessDenied", AWS_DENIED},
    {"AccessDeniedException", AWS_DENIED},
    {"UnauthorizedOperation", AWS_DENIED},
    {"NotAuthorized", AWS_DENIED},
    {"AuthorizationError", AWS_DENIED},
    {"AllAccessDisabled", AWS_DENIED},
    {"OptInRequired", AWS_DENIED},
    {"RegionDisabledException", AWS_DENIED},
    {"InvalidClientTokenId", AWS_UNKNOWN_CREDENTIALS},
    {"UnrecognizedClientException", AWS_UNKNOWN_CREDENTIALS},
    {"SignatureDoesNotMatch", AWS_UNKNOWN_CREDENTIALS},
    {"InvalidSignatureException", AWS_UNKNOWN_CREDENTIALS},
    {"InvalidAccessKeyId", AWS_UNKNOWN_CREDENTIALS},
    {"InvalidToken", AWS_UNKNOWN_CREDENTIALS},
    {"AuthFailure", AWS_UNKNOWN_CREDENTIALS},
    {"IncompleteSignature", AWS_UNKNOWN_CREDENTIALS},
    {"IncompleteSignatureException", AWS_UNKNOWN_CREDENTIALS},
    {"MissingAuthenticationToken", AWS_UNKNOWN_CREDENTIALS},
    {"MissingAuthenticationTokenException", AWS_UNKNOWN_CREDENTIALS},
    {"AuthorizationHeaderMalformed", AWS_UNKNOWN_CREDENTIALS},
    {"ExpiredToken", AWS_EXPIRED},
    {"ExpiredTokenException", AWS_EXPIRED},
    {"TokenRefreshRequired", AWS_EXPIRED},
    {"RequestTimeTooSkewed", AWS_SKEWED},
    {"RequestExpired", AWS_SKEWED},
    {"RequestInTheFuture", AWS_SKEWED},
    {"ResourceNotFoundException", AWS_MISSING},
    {"NoSuchKey", AWS_MISSING},
    {"NoSuchBucket", AWS_MISSING},
    {"NoSuchVersion", AWS_MISSING},
    {"NoSuchHostedZone", AWS_MISSING},
    {"HostedZoneNotFound", AWS_MISSING},
    {"NoSuchChange", AWS_MISSING},
    {"LimitExceededException", AWS_LIMIT},
    {"TooManyTagsException", AWS_LIMIT},
    {"ServiceQuotaExceededException", AWS_LIMIT},
    {"LimitsExceeded", AWS_LIMIT},
    {"InternalFailure", AWS_FAILED},
    {"InternalError", AWS_FAILED},
    {"InternalServerError", AWS_FAILED},
    {"InternalServerException", AWS_FAILED},
    {"ServiceUnavailable", AWS_FAILED},
    {"ServiceUnavailableException", AWS_FAILED},
    {"RequestTimeout", AWS_FAILED},
    {"RequestTimeoutException", AWS_FAILED},
};

static enum aws_outcome status_outcome(long status)
{
    if (status == 429)
        return AWS_THROTTLED;
    if (status >= 500)
        return AWS_FAILED;
    if (status == 401 || status == 403)
        return AWS_DENIED;
    return status == 404 ? AWS_MISSING : AWS_INVALID;
}

static bool is_signature_code(const char *code)
{
    return strcmp(code, "SignatureDoesNotMatch") == 0 ||
           strcmp(code, "InvalidSignatureException") == 0 || strcmp(code, "AuthFailure") == 0;
}

enum aws_outcome aws_failure_outcome(const struct aws_failure *failure, long status,
                                     int64_t behind_s)
{
    if (is_signature_code(failure->code) &&
        (behind_s > SKEW_S || behind_s < -SKEW_S ||
         strstr(failure->words, "Signature expired") != NULL ||
         strstr(failure->words, "Signature not yet current") != NULL))
        return AWS_SKEWED;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(meanings[i].code, failure->code) == 0)
            return meanings[i].outcome;
    return status_outcome(status);
}

bool aws_outcome_passes(enum aws_outcome outcome)
{
    return outcome == AWS_THROTTLED || outcome == AWS_FAILED;
}
