/* Typed reading of configuration fields out of a YAML stream: what is wrong goes to the
 * diagnostics with its place and the field's path, and reading goes on, so that the operator sees
 * everything at once.
 *
 * The functions that return bool without `ret_` parameters say whether the stream can be read on;
 * a wrong value is no reason to stop. Those with `ret_` parameters take a value that was read
 * already: false means that it is wrong, and was reported; the caller then passes it to
 * config_skip, which reads past whatever it is. */
#ifndef CERTMILL_CONFIG_FIELDS_H
#define CERTMILL_CONFIG_FIELDS_H

#include "config/diagnostics.h"
#include "io/yaml.h"

struct config_input {
    struct yaml_reader *yaml;
    const char *file; /* for messages */
    struct diagnostics *diagnostics;
    bool secret;        /* messages quote no value */
    bool stopped;       /* the stream cannot be read on */
    struct error error; /* why, when it is not in the diagnostics: ERROR_NONE, else the cause */
};

/* Where a value is, as a chain on the stack: nothing is formatted until there is an error. */
struct config_field {
    const struct config_field *parent; /* NULL: the file itself */
    const char *name;                  /* NULL: an element of a list */
    size_t index;
};

/* Reads one value of a mapping into `target`. `item` is the value's first item; all of the value
 * must have been read when it returns true. */
typedef bool config_read(struct config_input *input, const struct config_field *field,
                         const struct yaml_item *item, void *target);

struct config_key {
    const char *name;
    config_read *read;
};
#define CONFIG_KEYS_MAX 16

/* For keys that a later version will have: an error that says so. Such keys are not suggested. */
config_read config_unavailable;

/* A mapping of known keys. *ret_seen (NULL is allowed): bit i for keys[i], set while reading. */
bool config_mapping(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, const struct config_key *keys, size_t key_count,
                    void *target, unsigned *ret_seen) MUST_USE;
/* A list of at most `max` elements, each read by `read` into `target`. */
bool config_list(struct config_input *input, const struct config_field *field,
                 const struct yaml_item *item, size_t max, config_read *read,
                 void *target) MUST_USE;

/* The next item. False at an error in the stream. */
bool config_next(struct config_input *input, struct yaml_item *ret_item) MUST_USE;
bool config_skip(struct config_input *input, const struct yaml_item *item) MUST_USE;
/* Stops the reading for lack of memory; returns false. */
bool config_no_memory(struct config_input *input);

/* A text without blanks around it, not empty, without control characters. */
bool config_text(struct config_input *input, const struct config_field *field,
                 const struct yaml_item *item, struct span *ret_text) MUST_USE;
bool config_number(struct config_input *input, const struct config_field *field,
                   const struct yaml_item *item, unsigned min, unsigned max,
                   unsigned *ret_number) MUST_USE;
/* Up to `max`, with up to three decimals. */
bool config_decimal(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, double max, double *ret_number) MUST_USE;
bool config_flag(struct config_input *input, const struct config_field *field,
                 const struct yaml_item *item, bool *ret_flag) MUST_USE;

void config_error(struct config_input *input, const struct config_field *field,
                  const struct yaml_item *item, const char *format, ...) PRINTF_LIKE(4, 5);
void config_warning(struct config_input *input, const struct config_field *field,
                    const struct yaml_item *item, const char *format, ...) PRINTF_LIKE(4, 5);

#define CONFIG_PATH_MAX 256
/* "certificates[3].key.size" into `path` of CONFIG_PATH_MAX bytes; returns it. */
const char *config_path(const struct config_field *field, char *path);

/* For a message: in quotes, cut, and without what would upset a terminal. */
struct config_quote {
    char text[72];
};
struct config_quote config_quote(struct span text);

#endif
