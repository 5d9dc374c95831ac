#include "aws/acm.h"

#include <string.h>

#define ACCOUNT_DIGITS 12

static bool is_word(struct span text, const char *extra)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr(extra, c) == NULL))
            return false;
    }
    return text.len > 0;
}

static bool is_account(struct span text)
{
    uint64_t number;
    return text.len == ACCOUNT_DIGITS && span_to_u64(text, UINT64_MAX, &number);
}

bool acm_arn_parse(struct span text, struct acm_arn *ret_arn, struct error *error)
{
    struct span rest = text;
    struct span arn = span_split(&rest, ':');
    struct acm_arn parts = {.partition = span_split(&rest, ':')};
    struct span service = span_split(&rest, ':');
    parts.region = span_split(&rest, ':');
    parts.account = span_split(&rest, ':');
    struct span kind = span_split(&rest, '/');
    parts.id = rest;
    if (text.len > ACM_ARN_MAX || !span_is(arn, "arn") || !is_word(parts.partition, "-") ||
        !span_is(service, "acm") || !is_word(parts.region, "-") || !is_account(parts.account) ||
        !span_is(kind, "certificate") || !is_word(parts.id, "-_"))
        return error_set(error, ERROR_CONFIG,
                         "this is no ARN of a certificate in ACM, "
                         "arn:aws:acm:REGION:ACCOUNT:certificate/ID");
    *ret_arn = parts;
    return true;
}
