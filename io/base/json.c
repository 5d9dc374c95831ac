#include "base/json.h"

#include <string.h>

#define JSON_DEPTH_MAX 32

/* jansson allows 2048 levels, each a recursion: count brackets outside strings before it is asked.
 */
static bool depth_is_sane(struct span text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

bool json_parse(struct span text, size_t limit, json_t **ret_json, struct error *error)
{
    if (text.len > limit)
        return error_set(error, ERROR_LIMIT, "JSON of %zu bytes, the limit is %zu", text.len,
                         limit);
    if (!depth_is_sane(text))
        return error_set(error, ERROR_LIMIT, "JSON nested deeper than %d", JSON_DEPTH_MAX);
    json_error_t fault;
    json_t *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &fault);
    if (json == NULL)
        return error_set(error, ERROR_PROTOCOL, "invalid JSON at line %d column %d: %s", fault.line,
                         fault.column, fault.text);
    *ret_json = json;
    return true;
}

const char *json_text(const json_t *object, const char *key, size_t max)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) && json_string_length(value) <= max ? json_string_value(value)
                                                                     : NULL;
}

json_t *json_list(const json_t *object, const char *key, size_t max)
{
    json_t *value = json_object_get(object, key);
    return json_is_array(value) && json_array_size(value) <= max ? value : NULL;
}

bool json_flag(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

int64_t json_number(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

static int append_piece(const char *piece, size_t size, void *context)
{
    return buf_append(context, piece, size) ? 0 : -1;
}

bool json_append(struct buf *out, const json_t *json)
{
    return json_dump_callback(json, append_piece, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

void json_release(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}
