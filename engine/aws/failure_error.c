/* The words of errors: what failed, what to do, and what AWS said. */
#include "aws/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADVICE_MAX 400

void aws_failure_where(const char *action, const char *profile, const char *region,
                       char where[static AWS_WHERE_MAX])
{
    if (profile != NULL)
        snprintf(where, AWS_WHERE_MAX, "%s, profile %.60s in %.40s: ", action, profile, region);
    else
        snprintf(where, AWS_WHERE_MAX, "%s in %.40s: ", action, region);
}

static void duration(int64_t seconds, char *text, size_t size)
{
    long long whole = llabs((long long)seconds);
    if (whole < 120)
        snprintf(text, size, "%lld s", whole);
    else if (whole < 7200)
        snprintf(text, size, "%lld min", whole / 60);
    else
        snprintf(text, size, "%lld h", whole / 3600);
}

static void skew_advice(const struct aws_failed_call *call, char *advice)
{
    char difference[32];
    duration(call->behind_s, difference, sizeof difference);
    if (call->behind_s == 0)
        snprintf(advice, ADVICE_MAX, "AWS takes this machine's clock for wrong; set it");
    else
        snprintf(advice, ADVICE_MAX, "this machine's clock is %s %s of AWS's; set it (by NTP)",
                 difference, call->behind_s > 0 ? "behind" : "ahead");
}

static void credentials_advice(const struct aws_failed_call *call, char *advice)
{
    const char *code = call->failure->code;
    if (strstr(code, "Signature") != NULL && strstr(code, "Incomplete") == NULL)
        snprintf(advice, ADVICE_MAX,
                 "the secret access key is not that of access key %.40s; copy it again",
                 call->key_id);
    else if (strcmp(code, "AuthorizationHeaderMalformed") == 0)
        snprintf(advice, ADVICE_MAX, "the region is not that of %.100s", call->host);
    else if (strcmp(code, "InvalidToken") == 0)
        snprintf(advice, ADVICE_MAX, "the session token does not belong to access key %.40s",
                 call->key_id);
    else
        snprintf(advice, ADVICE_MAX,
                 "AWS does not know access key %.40s, or its session token is missing or wrong",
                 call->key_id);
}

/* One call may need several actions (acm:AddTagsToCertificate with ImportCertificate, kms:Decrypt
 * with GetObject): AWS names the one that is missing. */
static void denied_advice(const struct aws_failed_call *call, char *advice)
{
    static const char before[] = "not authorized to perform: ";
    const char *found = strstr(call->failure->words, before);
    const char *action = found != NULL ? found + sizeof before - 1 : "";
    size_t len = strspn(action, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-");
    if (len == 0 || len > 80) {
        action = call->action;
        len = strlen(action);
    }
    snprintf(advice, ADVICE_MAX,
             "not allowed; add the IAM action %.*s to the policy of access key %.40s", (int)len,
             action, call->key_id);
}

static void advice_write(const struct aws_failed_call *call, char *advice)
{
    switch (call->outcome) {
    case AWS_DENIED:
        denied_advice(call, advice);
        break;
    case AWS_UNKNOWN_CREDENTIALS:
        credentials_advice(call, advice);
        break;
    case AWS_EXPIRED:
        snprintf(advice, ADVICE_MAX,
                 "the session token of access key %.40s has expired; get new credentials",
                 call->key_id);
        break;
    case AWS_SKEWED:
        skew_advice(call, advice);
        break;
    case AWS_THROTTLED:
        snprintf(advice, ADVICE_MAX, "throttled in %s",
                 call->attempts > 1 ? "each attempt" : "AWS");
        break;
    case AWS_FAILED:
        snprintf(advice, ADVICE_MAX, "AWS failed with HTTP %ld in %u attempt%s", call->status,
                 call->attempts, call->attempts == 1 ? "" : "s");
        break;
    case AWS_UNCLEAR:
        snprintf(advice, ADVICE_MAX, "AWS failed with HTTP %ld%s", call->status,
                 call->reads ? "" : ", and may have done it all the same");
        break;
    default:
        snprintf(advice, ADVICE_MAX, "refused with HTTP %ld", call->status);
    }
}

static enum error_kind kind_of(enum aws_outcome outcome)
{
    switch (outcome) {
    case AWS_THROTTLED:
    case AWS_BUSY:
        return ERROR_BUSY;
    case AWS_MISSING:
        return ERROR_NOT_FOUND;
    case AWS_LIMIT:
        return ERROR_LIMIT;
    case AWS_FAILED:
    case AWS_UNCLEAR:
        return ERROR_NETWORK;
    default:
        return ERROR_CONFIG;
    }
}

void aws_failure_error(const struct aws_failed_call *call, struct error *error)
{
    char where[AWS_WHERE_MAX], advice[ADVICE_MAX], id[128] = "";
    const struct aws_failure *failure = call->failure;
    aws_failure_where(call->action, call->profile, call->region, where);
    advice_write(call, advice);
    if (failure->request_id[0] != '\0')
        snprintf(id, sizeof id, " (request %s)", failure->request_id);
    enum error_kind kind = kind_of(call->outcome);
    /* AWS's words last: they are what is cut when there is no room for all. */
    if (failure->words[0] != '\0')
        error_set(error, kind, "%s%s; AWS says %s%s: \"%s\"", where, advice, failure->code, id,
                  failure->words);
    else if (failure->code[0] != '\0')
        error_set(error, kind, "%s%s; AWS says %s%s", where, advice, failure->code, id);
    else
        error_set(error, kind, "%s%s%s", where, advice, id);
}
