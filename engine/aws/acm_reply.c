#include "aws/acm.h"

#include "base/json.h"
#include "base/printable.h"

#include <math.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <string.h>

#define REPLY_MAX      ((size_t)8 * 1024 * 1024)
#define ROWS_MAX       10000 /* ACM sends 1,000 at most */
#define NAMES_MAX      1000
#define USES_MAX       10000
#define TEXT_MAX       256
#define TOKEN_MAX      10000
#define TAG_TEXT_MAX   ((size_t)1024) /* 256 characters of UTF-8 */
#define SERIAL_HEX_MAX 128

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory for a reply of ACM");
}

static bool reply_parse(struct span body, const char *what, json_t **ret_object,
                        struct error *error)
{
    json_t *json = NULL;
    if (!json_parse(body, REPLY_MAX, &json, error)) {
        error_prefix(error, "the reply of %s: ", what);
        return printable_error(error);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return error_set(error, ERROR_PROTOCOL, "the reply of %s is not a JSON object", what);
    }
    *ret_object = json;
    return true;
}

/* A copy fit to be shown; "" for what is missing, of another type or too long. */
static bool text_take(const json_t *value, struct arena *arena, const char **ret_text)
{
    char text[TEXT_MAX];
    *ret_text = "";
    if (!json_is_string(value) || json_string_length(value) >= sizeof text)
        return true;
    size_t len = printable_copy(span_make(json_string_value(value), json_string_length(value)),
                                text, sizeof text);
    const char *copy = arena_text(arena, span_make(text, len));
    if (copy != NULL)
        *ret_text = copy;
    return copy != NULL;
}

static bool member_take(const json_t *object, const char *key, struct arena *arena,
                        const char **ret_text)
{
    return text_take(json_object_get(object, key), arena, ret_text);
}

/* A list of texts, or of objects of which `key` is wanted. */
static bool texts_take(const json_t *list, const char *key, size_t max, struct arena *arena,
                       const char *const **ret_texts, size_t *ret_count)
{
    size_t count = json_is_array(list) ? json_array_size(list) : 0;
    if (count > max)
        count = max;
    const char **texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    TRY(texts != NULL);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        TRY(text_take(key != NULL ? json_object_get(item, key) : item, arena, &texts[kept]));
        if (texts[kept][0] != '\0')
            kept++;
    }
    *ret_texts = texts;
    *ret_count = kept;
    return true;
}

/* Unix seconds, which ACM writes as an integer or with a fraction; 0 for anything else. */
static int64_t time_take(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double seconds = json_is_number(value) ? json_number_value(value) : 0;
    return seconds > 0 && seconds < 1e12 ? (int64_t)floor(seconds) : 0;
}

static bool arn_take(const json_t *object, const char *what, struct arena *arena,
                     const char **ret_arn, struct error *error)
{
    const char *arn = json_text(object, "CertificateArn", ACM_ARN_MAX);
    struct acm_arn parts;
    if (arn == NULL)
        return error_set(error, ERROR_PROTOCOL, "the reply of %s has no CertificateArn", what);
    if (!acm_arn_parse(span_of(arn), &parts, error)) {
        error->kind = ERROR_PROTOCOL;
        return error_prefix(error, "the reply of %s: CertificateArn: ", what);
    }
    const char *copy = arena_text(arena, span_of(arn));
    if (copy == NULL)
        return no_memory(error);
    *ret_arn = copy;
    return true;
}

bool acm_import_read(struct span body, char *arn, struct error *error)
{
    CLEANUP(json_release) json_t *reply = NULL;
    TRY(reply_parse(body, "ImportCertificate", &reply, error));
    struct arena arena CLEANUP(arena_free);
    arena_init(&arena);
    const char *text = "";
    TRY(arn_take(reply, "ImportCertificate", &arena, &text, error));
    memcpy(arn, text, strlen(text) + 1);
    return true;
}

/* What a summary and a detail have alike, under the names of either. */
static bool summary_take(const json_t *row, const char *what, struct arena *arena,
                         struct acm_summary *summary, struct error *error)
{
    TRY(arn_take(row, what, arena, &summary->arn, error));
    const json_t *names = json_object_get(row, "SubjectAlternativeNameSummaries");
    if (names == NULL)
        names = json_object_get(row, "SubjectAlternativeNames");
    bool ok = member_take(row, "DomainName", arena, &summary->domain) &&
              member_take(row, "Type", arena, &summary->type) &&
              member_take(row, "Status", arena, &summary->status) &&
              member_take(row, "KeyAlgorithm", arena, &summary->key_algorithm) &&
              texts_take(names, NULL, NAMES_MAX, arena, &summary->names, &summary->name_count);
    if (!ok)
        return no_memory(error);
    summary->more_names = json_flag(row, "HasAdditionalSubjectAlternativeNames", false);
    summary->in_use = json_flag(row, "InUse", false);
    summary->not_before = time_take(row, "NotBefore");
    summary->not_after = time_take(row, "NotAfter");
    summary->imported_at = time_take(row, "ImportedAt");
    return true;
}

bool acm_list_read(struct span body, struct arena *arena, struct acm_summary **ret_list,
                   size_t *ret_count, const char **ret_next, struct error *error)
{
    static const char what[] = "ListCertificates";
    CLEANUP(json_release) json_t *reply = NULL;
    TRY(reply_parse(body, what, &reply, error));
    const json_t *rows = json_list(reply, "CertificateSummaryList", ROWS_MAX);
    if (rows == NULL)
        return error_set(error, ERROR_PROTOCOL,
                         "the reply of %s has no CertificateSummaryList, or one of more than %d "
                         "rows",
                         what, ROWS_MAX);
    size_t count = json_array_size(rows);
    struct acm_summary *list = arena_alloc(arena, (count + 1) * sizeof *list);
    if (list == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        TRY(summary_take(json_array_get(rows, i), what, arena, &list[i], error));
    const char *next = json_text(reply, "NextToken", TOKEN_MAX);
    if (next != NULL && next[0] != '\0') {
        next = arena_text(arena, span_of(next));
        if (next == NULL)
            return no_memory(error);
    } else {
        next = NULL;
    }
    *ret_list = list;
    *ret_count = count;
    *ret_next = next;
    return true;
}

static bool hex_take(const char *text, struct arena *arena, const char **ret_serial)
{
    char hex[SERIAL_HEX_MAX];
    size_t len = 0;
    for (; *text != '\0' && len + 1 < sizeof hex; text++) {
        char c = *text >= 'A' && *text <= 'F' ? (char)(*text + ('a' - 'A')) : *text;
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
            hex[len++] = c;
        else if (c != ':')
            return true; /* no serial that could be compared */
    }
    if (*text == '\0')
        *ret_serial = arena_text(arena, span_make(hex, len));
    return *ret_serial != NULL;
}

static bool decimal_take(const char *text, struct arena *arena, const char **ret_serial)
{
    BIGNUM *number = NULL;
    char *hex = BN_dec2bn(&number, text) > 0 ? BN_bn2hex(number) : NULL;
    BN_free(number);
    bool ok = hex != NULL && hex_take(hex, arena, ret_serial);
    OPENSSL_free(hex);
    return ok;
}

/* ACM writes "0a:1b:2c". Servers in its place write the number in decimal digits, which no text
 * with colons is. */
static bool serial_take(const json_t *value, struct arena *arena, const char **ret_serial)
{
    *ret_serial = "";
    char number[24];
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        return decimal_take(number, arena, ret_serial);
    }
    if (!json_is_string(value) || json_string_length(value) >= SERIAL_HEX_MAX)
        return true;
    const char *text = json_string_value(value);
    size_t len = strlen(text);
    bool decimal = len > 2 && strspn(text, "0123456789") == len;
    return decimal ? decimal_take(text, arena, ret_serial) : hex_take(text, arena, ret_serial);
}

bool acm_describe_read(struct span body, struct arena *arena, struct acm_detail *ret_detail,
                       struct error *error)
{
    static const char what[] = "DescribeCertificate";
    CLEANUP(json_release) json_t *reply = NULL;
    TRY(reply_parse(body, what, &reply, error));
    const json_t *row = json_object_get(reply, "Certificate");
    if (!json_is_object(row))
        return error_set(error, ERROR_PROTOCOL, "the reply of %s has no Certificate", what);
    struct acm_detail detail = {0};
    TRY(summary_take(row, what, arena, &detail.summary, error));
    bool ok = serial_take(json_object_get(row, "Serial"), arena, &detail.serial) &&
              texts_take(json_object_get(row, "InUseBy"), NULL, USES_MAX, arena, &detail.in_use_by,
                         &detail.in_use_count) &&
              texts_take(json_object_get(row, "KeyUsages"), "Name", NAMES_MAX, arena,
                         &detail.key_usages, &detail.key_usage_count) &&
              texts_take(json_object_get(row, "ExtendedKeyUsages"), "Name", NAMES_MAX, arena,
                         &detail.extended_key_usages, &detail.extended_key_usage_count);
    if (!ok)
        return no_memory(error);
    detail.summary.in_use = detail.in_use_count > 0;
    *ret_detail = detail;
    return true;
}

static bool tag_take(const json_t *item, struct arena *arena, struct acm_tag *tag)
{
    const char *key = json_text(item, "Key", TAG_TEXT_MAX);
    const char *value = json_text(item, "Value", TAG_TEXT_MAX);
    tag->key = arena_text(arena, span_of(key != NULL ? key : ""));
    tag->value = arena_text(arena, span_of(value != NULL ? value : ""));
    return tag->key != NULL && tag->value != NULL;
}

bool acm_tags_read(struct span body, struct arena *arena, struct acm_tag **ret_tags,
                   size_t *ret_count, struct error *error)
{
    static const char what[] = "ListTagsForCertificate";
    CLEANUP(json_release) json_t *reply = NULL;
    TRY(reply_parse(body, what, &reply, error));
    const json_t *list = json_list(reply, "Tags", NAMES_MAX);
    size_t count = list != NULL ? json_array_size(list) : 0;
    struct acm_tag *tags = arena_alloc(arena, (count + 1) * sizeof *tags);
    if (tags == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        if (!tag_take(json_array_get(list, i), arena, &tags[i]))
            return no_memory(error);
    *ret_tags = tags;
    *ret_count = count;
    return true;
}
