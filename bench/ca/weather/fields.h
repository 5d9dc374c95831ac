/* Reads JSON objects into structures by tables of their fields, so that an unknown field is an
 * error that names it, with the path to it: "faults.finalize.tuncate: unknown, did you mean
 * \"truncate\"?". */
#ifndef CERTMILL_CA_WEATHER_FIELDS_H
#define CERTMILL_CA_WEATHER_FIELDS_H

#include "base/json.h"

/* Where in the document: a list up to its root, whose name is NULL. */
struct place {
    const struct place *above;
    const char *name;
};

/* Reads one value into `into`; a null only with takes_null. */
typedef bool field_read(const struct place *place, const json_t *value, void *into,
                        struct error *error);

struct field {
    const char *name;
    field_read *read;
    size_t offset; /* in the structure that is filled */
    bool takes_null;
};

/* Sets ERROR_CONFIG with the place before the text. Returns false. */
bool place_error(const struct place *place, struct error *error, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* What is not in the object is left as it is in `into`, and so is what is null, unless the field
 * takes a null. */
bool object_read(const struct place *place, const json_t *object, const struct field *fields,
                 size_t count, void *into, struct error *error) MUST_USE;

/* An error when `name` is none of `count` names, `known(i)` each. */
bool name_find(const struct place *place, const char *name, const char *known(size_t), size_t count,
               size_t *ret_index, struct error *error) MUST_USE;

/* A number within [min, max]; a whole one for number_read_whole. */
bool number_read(const struct place *place, const json_t *value, double min, double max,
                 double *ret_number, struct error *error) MUST_USE;
bool number_read_whole(const struct place *place, const json_t *value, int64_t min, int64_t max,
                       int64_t *ret_number, struct error *error) MUST_USE;

#endif
