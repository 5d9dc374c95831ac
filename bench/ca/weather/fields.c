#include "ca/weather/fields.h"

#include "base/printable.h"
#include "base/suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SHOWN_MAX = 40 };

static void path_append(const struct place *place, struct buf *path)
{
    if (place == NULL || place->name == NULL)
        return;
    path_append(place->above, path);
    char name[NAME_SHOWN_MAX];
    printable_copy(span_of(place->name), name, sizeof name);
    bool fits = buf_printf(path, "%s%s", path->len > 0 ? "." : "", name);
    (void)fits; /* the objects here are three deep */
}

bool place_error(const struct place *place, struct error *error, const char *format, ...)
{
    char text[ERROR_TEXT_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct buf path CLEANUP(buf_free);
    buf_init(&path, ERROR_TEXT_MAX / 2);
    path_append(place, &path);
    return error_set(error, ERROR_CONFIG, "%s%s%s", buf_text(&path), path.len > 0 ? ": " : "",
                     text);
}

bool name_find(const struct place *place, const char *name, const char *known(size_t), size_t count,
               size_t *ret_index, struct error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, known(i)) == 0) {
            *ret_index = i;
            return true;
        }
        if (near == NULL && suggest_is_near(span_of(name), known(i)))
            near = known(i);
    }
    const struct place here = {.above = place, .name = name};
    if (near != NULL)
        return place_error(&here, error, "unknown, did you mean \"%s\"?", near);
    return place_error(&here, error, "unknown");
}

static const struct field *field_find(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

static bool field_unknown(const struct place *here, const struct field *fields, size_t count,
                          struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (suggest_is_near(span_of(here->name), fields[i].name))
            return place_error(here, error, "unknown, did you mean \"%s\"?", fields[i].name);
    }
    return place_error(here, error, "unknown");
}

bool object_read(const struct place *place, const json_t *object, const struct field *fields,
                 size_t count, void *into, struct error *error)
{
    if (!json_is_object(object))
        return place_error(place, error, "not an object");
    for (void *at = json_object_iter((json_t *)object); at != NULL;
         at = json_object_iter_next((json_t *)object, at)) {
        const struct place here = {.above = place, .name = json_object_iter_key(at)};
        const struct field *field = field_find(fields, count, here.name);
        if (field == NULL)
            return field_unknown(&here, fields, count, error);
        const json_t *value = json_object_iter_value(at);
        if (json_is_null(value) && !field->takes_null)
            continue;
        TRY(field->read(&here, value, (char *)into + field->offset, error));
    }
    return true;
}

bool number_read(const struct place *place, const json_t *value, double min, double max,
                 double *ret_number, struct error *error)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max))
        return place_error(place, error, "not a number from %g to %g", min, max);
    *ret_number = number;
    return true;
}

bool number_read_whole(const struct place *place, const json_t *value, int64_t min, int64_t max,
                       int64_t *ret_number, struct error *error)
{
    int64_t number = (int64_t)json_integer_value(value);
    if (!json_is_integer(value) || number < min || number > max)
        return place_error(place, error, "not a whole number from %lld to %lld", (long long)min,
                           (long long)max);
    *ret_number = number;
    return true;
}
