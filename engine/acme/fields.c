#include "acme/fields.h"

#include "acme/objects.h"
#include "base/printable.h"

#include <stdlib.h>
#include <string.h>

#define IDENTIFIER_MAX 255
#define QUOTE_MAX      64

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory for an answer of the CA");
}

bool fields_parse(struct span body, const char *what, json_t **ret_object, struct error *error)
{
    json_t *json = NULL;
    if (!json_parse(body, ACME_BODY_MAX, &json, error)) {
        error_prefix(error, "%s: ", what);
        return printable_error(error);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return error_set(error, ERROR_PROTOCOL, "%s: not a JSON object", what);
    }
    *ret_object = json;
    return true;
}

/* The field, NULL when it is missing or null: then *ret_ok says whether it may be. */
static const json_t *field_find(const json_t *object, const char *what, const char *key,
                                enum field_need need, bool *ret_ok, struct error *error)
{
    const json_t *value = json_object_get(object, key);
    *ret_ok = true;
    if (value != NULL && !json_is_null(value))
        return value;
    if (need == FIELD_REQUIRED)
        *ret_ok = error_set(error, ERROR_PROTOCOL, "%s: %s is missing", what, key);
    return NULL;
}

/* RFC 3986: no blanks, controls, or characters that a URL must write in percent-escapes. */
static bool is_url_character(unsigned char c)
{
    switch (c) {
    case '"':
    case '<':
    case '>':
    case '\\':
    case '^':
    case '`':
    case '{':
    case '|':
    case '}':
        return false;
    default:
        return c > 0x20 && c < 0x7f;
    }
}

static bool is_url_text(struct span url)
{
    for (size_t i = 0; i < url.len; i++)
        if (!is_url_character((unsigned char)url.data[i]))
            return false;
    return true;
}

bool acme_url_check(struct span url, struct error *error)
{
    if (url.len > ACME_URL_MAX)
        return error_set(error, ERROR_LIMIT, "a URL of %zu bytes, the limit is %d", url.len,
                         ACME_URL_MAX);
    if (!is_url_text(url))
        return error_set(error, ERROR_PROTOCOL, "has characters that no URL may have");
    struct span rest = url;
    struct span scheme = span_split(&rest, ':');
    bool is_http = span_equal_nocase(scheme, SPAN_LITERAL("http")) ||
                   span_equal_nocase(scheme, SPAN_LITERAL("https"));
    if (!is_http || !span_starts(rest, "//"))
        return error_set(error, ERROR_PROTOCOL, "not an absolute http or https URL");
    size_t host_len = 0;
    rest = span_from(rest, 2);
    while (host_len < rest.len && strchr("/?#", rest.data[host_len]) == NULL)
        host_len++;
    if (host_len == 0 || rest.data[0] == ':')
        return error_set(error, ERROR_PROTOCOL, "a URL without a host");
    if (memchr(rest.data, '@', host_len) != NULL)
        return error_set(error, ERROR_PROTOCOL, "a URL with credentials");
    return true;
}

static bool url_read(const json_t *value, const char *what, const char *key, char **ret_url,
                     struct error *error)
{
    if (!json_is_string(value))
        return error_set(error, ERROR_PROTOCOL, "%s: %s is not text", what, key);
    struct span text = span_make(json_string_value(value), json_string_length(value));
    if (!acme_url_check(text, error))
        return error_prefix(error, "%s: %s: ", what, key);
    char *copy = span_duplicate(text);
    if (copy == NULL)
        return no_memory(error);
    *ret_url = copy;
    return true;
}

bool field_url(const json_t *object, const char *what, const char *key, enum field_need need,
               char **ret_url, struct error *error)
{
    bool ok;
    const json_t *value = field_find(object, what, key, need, &ok, error);
    return value == NULL ? ok : url_read(value, what, key, ret_url, error);
}

void texts_free(char **texts, size_t count)
{
    if (texts == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

bool field_url_list(const json_t *object, const char *what, const char *key, enum field_need need,
                    size_t max, char ***ret_urls, size_t *ret_count, struct error *error)
{
    bool ok;
    const json_t *value = field_find(object, what, key, need, &ok, error);
    if (value == NULL)
        return ok;
    if (!json_is_array(value))
        return error_set(error, ERROR_PROTOCOL, "%s: %s is not a list", what, key);
    size_t count = json_array_size(value);
    if (count > max)
        return error_set(error, ERROR_LIMIT, "%s: %s has %zu entries, the limit is %zu", what, key,
                         count, max);
    char **urls = calloc(count > 0 ? count : 1, sizeof *urls);
    if (urls == NULL)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        if (!url_read(json_array_get(value, i), what, key, &urls[i], error)) {
            texts_free(urls, count);
            return false;
        }
    }
    *ret_urls = urls;
    *ret_count = count;
    return true;
}

bool field_status(const json_t *object, const char *what, const char *const *names, size_t count,
                  enum field_need need, unsigned *ret_index, struct error *error)
{
    bool ok;
    const json_t *value = field_find(object, what, "status", need, &ok, error);
    if (value == NULL)
        return ok;
    if (!json_is_string(value))
        return error_set(error, ERROR_PROTOCOL, "%s: status is not text", what);
    struct span text = span_make(json_string_value(value), json_string_length(value));
    for (size_t i = 0; i < count; i++) {
        if (span_is(text, names[i])) {
            *ret_index = (unsigned)i;
            return true;
        }
    }
    char quote[QUOTE_MAX];
    printable_copy(text, quote, sizeof quote);
    return error_set(error, ERROR_PROTOCOL, "%s: unknown status \"%s\"", what, quote);
}

static bool is_identifier_text(struct span text)
{
    if (text.len == 0 || text.len > IDENTIFIER_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_' || c == ':' || (c == '*' && i == 0);
        if (!fits)
            return false;
    }
    return true;
}

bool identifier_read(const json_t *identifier, const char *what, char **ret_value,
                     struct error *error)
{
    char quote[QUOTE_MAX];
    const json_t *type = json_object_get(identifier, "type");
    const json_t *value = json_object_get(identifier, "value");
    if (!json_is_string(type) || !json_is_string(value))
        return error_set(error, ERROR_PROTOCOL, "%s: an identifier without type or value", what);
    struct span type_text = span_make(json_string_value(type), json_string_length(type));
    if (!span_is(type_text, "dns") && !span_is(type_text, "ip")) {
        printable_copy(type_text, quote, sizeof quote);
        return error_set(error, ERROR_PROTOCOL, "%s: unknown identifier type \"%s\"", what, quote);
    }
    struct span text = span_make(json_string_value(value), json_string_length(value));
    if (!is_identifier_text(text)) {
        printable_copy(text, quote, sizeof quote);
        return error_set(error, ERROR_PROTOCOL, "%s: \"%s\" is not a name or address", what, quote);
    }
    char *copy = span_duplicate(text);
    if (copy == NULL)
        return no_memory(error);
    for (char *c = copy; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    *ret_value = copy;
    return true;
}
