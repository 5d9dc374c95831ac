#include "config/fields.h"

#include "base/buf.h"
#include "base/printable.h"
#include "base/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 1024

static void path_append(const struct config_field *field, struct buf *path)
{
    if (field == NULL)
        return;
    path_append(field->parent, path);
    /* A path past the ceiling is cut at a whole part. */
    bool fits;
    if (field->name == NULL)
        fits = buf_printf(path, "[%zu]", field->index);
    else
        fits = buf_printf(path, "%s%s", path->len > 0 ? "." : "", field->name);
    (void)fits;
}

const char *config_path(const struct config_field *field, char *path)
{
    struct buf text;
    buf_init(&text, CONFIG_PATH_MAX - 1);
    path_append(field, &text);
    memcpy(path, buf_text(&text), text.len + 1);
    buf_free(&text);
    return path;
}

struct config_quote config_quote(struct span text)
{
    struct config_quote quote;
    size_t room = sizeof quote.text - sizeof "...\"";
    size_t len = 0;
    quote.text[len++] = '"';
    size_t i = 0;
    while (i < text.len) {
        uint32_t character = 0;
        size_t size = printable_decode(span_from(text, i), &character);
        bool shown = size > 0 && printable_is_shown(character);
        size_t put = shown ? size : 1;
        if (len + put > room)
            break;
        memcpy(quote.text + len, shown ? text.data + i : "?", put);
        len += put;
        i += size > 0 ? size : 1;
    }
    if (i < text.len) {
        memcpy(quote.text + len, "...", 3);
        len += 3;
    }
    quote.text[len++] = '"';
    quote.text[len] = '\0';
    return quote;
}

void config_error(struct config_input *input, const struct config_field *field,
                  const struct yaml_item *item, const char *format, ...)
{
    char path[CONFIG_PATH_MAX], message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    diagnostics_error(input->diagnostics, input->file, item->line, item->column,
                      field != NULL ? config_path(field, path) : NULL, "%s", message);
}

void config_warning(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, const char *format, ...)
{
    char path[CONFIG_PATH_MAX], message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    diagnostics_warning(input->diagnostics, input->file, item->line, item->column,
                        field != NULL ? config_path(field, path) : NULL, "%s", message);
}

/* A fault of the text has a place and is a diagnostic; a fault of the machine is an error. */
static bool stream_stopped(struct config_input *input, const struct error *error)
{
    input->stopped = true;
    if (error->kind == ERROR_CONFIG || error->kind == ERROR_LIMIT) {
        size_t line, column;
        yaml_place(input->yaml, &line, &column);
        diagnostics_error(input->diagnostics, input->file, line, column, NULL, "%s", error->text);
    } else {
        input->error = *error;
        error_prefix(&input->error, "%s: ", input->file);
    }
    return false;
}

bool config_no_memory(struct config_input *input)
{
    input->stopped = true;
    return error_set(&input->error, ERROR_MEMORY, "%s: no memory to read it", input->file);
}

bool config_next(struct config_input *input, struct yaml_item *ret_item)
{
    struct error error;
    if (yaml_next(input->yaml, ret_item, &error))
        return true;
    return stream_stopped(input, &error);
}

bool config_skip(struct config_input *input, const struct yaml_item *item)
{
    struct error error;
    if (yaml_skip(input->yaml, item, &error))
        return true;
    return stream_stopped(input, &error);
}

bool config_unavailable(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, void *target)
{
    (void)target;
    config_error(input, field, item, "is not available in this version of certmill");
    return config_skip(input, item);
}

static void key_unknown(struct config_input *input, const struct config_field *field,
                        const struct yaml_item *item, const struct config_key *keys,
                        size_t key_count)
{
    const char *nearest = NULL;
    struct buf names;
    buf_init(&names, MESSAGE_MAX / 2);
    for (size_t i = 0; i < key_count; i++) {
        if (keys[i].read == config_unavailable)
            continue;
        if (suggest_is_near(item->text, keys[i].name) && nearest == NULL)
            nearest = keys[i].name;
        if (!buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", keys[i].name))
            break;
    }
    /* Without its key, a secret can slip into the place of a key. */
    bool quotable = !input->secret || item->text.len <= 24;
    struct config_quote quote = config_quote(item->text);
    const char *text = quotable ? quote.text : "key";
    if (nearest != NULL)
        config_error(input, field, item, "unknown %s: did you mean %s?", text, nearest);
    else
        config_error(input, field, item, "unknown %s: the keys here are %s", text,
                     buf_text(&names));
    buf_free(&names);
}

/* The key's index, or -1 when it is none that can be read (and was reported). */
static int key_find(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, const struct config_key *keys, size_t key_count,
                    const size_t *first_lines)
{
    if (item->kind != YAML_TEXT) {
        config_error(input, field, item, "a list or mapping cannot be a key");
        return -1;
    }
    for (size_t i = 0; i < key_count; i++) {
        if (!span_is(item->text, keys[i].name))
            continue;
        if (first_lines[i] == 0)
            return (int)i;
        config_error(input, field, item, "%s stands here twice, first on line %zu", keys[i].name,
                     first_lines[i]);
        return -1;
    }
    key_unknown(input, field, item, keys, key_count);
    return -1;
}

bool config_mapping(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, const struct config_key *keys, size_t key_count,
                    void *target, unsigned *ret_seen)
{
    if (item->kind != YAML_MAPPING) {
        config_error(input, field, item, "%s: a mapping (key: value) is needed",
                     yaml_is_null(item) ? "has no value" : "is not of the right form");
        return config_skip(input, item);
    }
    size_t first_lines[CONFIG_KEYS_MAX] = {0};
    for (;;) {
        struct yaml_item key, value;
        TRY(config_next(input, &key));
        if (key.kind == YAML_MAPPING_END)
            return true;
        int index = key_find(input, field, &key, keys, key_count, first_lines);
        TRY(config_skip(input, &key));
        TRY(config_next(input, &value));
        if (index < 0) {
            TRY(config_skip(input, &value));
            continue;
        }
        first_lines[index] = key.line;
        if (ret_seen != NULL)
            *ret_seen |= 1u << (unsigned)index;
        struct config_field inner = {.parent = field, .name = keys[index].name};
        TRY(keys[index].read(input, &inner, &value, target));
    }
}

bool config_list(struct config_input *input, const struct config_field *field,
                 const struct yaml_item *item, size_t max, config_read *read, void *target)
{
    if (item->kind != YAML_LIST) {
        config_error(input, field, item, "%s: a list is needed",
                     yaml_is_null(item) ? "has no value" : "is not of the right form");
        return config_skip(input, item);
    }
    for (size_t i = 0;; i++) {
        struct yaml_item element;
        TRY(config_next(input, &element));
        if (element.kind == YAML_LIST_END)
            return true;
        if (i >= max) {
            if (i == max)
                config_error(input, field, &element, "more than %zu elements", max);
            TRY(config_skip(input, &element));
            continue;
        }
        struct config_field inner = {.parent = field, .index = i};
        TRY(read(input, &inner, &element, target));
    }
}
