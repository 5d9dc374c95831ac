/* YAML (and JSON, which is YAML's flow form) as a stream: the caller pulls one item after the
 * other, so that a file of any size needs no more memory than its longest value. Over libyaml, with
 * a ceiling on everything, and the place of every item.
 *
 * Only plain data passes: anchors, aliases, tags and a second document are errors that say so. Text
 * must be UTF-8, with or without a byte order mark. */
#ifndef CERTMILL_IO_YAML_H
#define CERTMILL_IO_YAML_H

#include "base/span.h"

struct yaml_reader;

enum yaml_kind {
    YAML_TEXT,    /* a value or a key */
    YAML_MAPPING, /* then key, value, key, value, ... YAML_MAPPING_END */
    YAML_MAPPING_END,
    YAML_LIST, /* then its elements, YAML_LIST_END */
    YAML_LIST_END,
    YAML_END, /* of the file; an empty file has nothing but it */
};

struct yaml_item {
    enum yaml_kind kind;
    bool plain;       /* YAML_TEXT: without quotes, so that "null" can mean no value */
    struct span text; /* YAML_TEXT: ends in a NUL that len does not count; holds no other NUL;
                         valid until the next item is read */
    size_t line;      /* both from 1 */
    size_t column;    /* in characters */
};

struct yaml_options {
    uint64_t bytes_max; /* of the whole file */
    size_t text_max;    /* of one value */
    uint64_t gap_max;   /* from one item to the next: comments, and values before they are held
                           against text_max; 64 KiB are read ahead */
    unsigned depth_max; /* of lists and mappings in each other */
    bool secret;        /* values are wiped before their memory is freed */
};

/* Reads from `text`, which must live as long as the reader. */
bool yaml_open_text(struct span text, const struct yaml_options *options,
                    struct yaml_reader **ret_reader, struct error *error) MUST_USE;
/* Reads from a file, or from standard input for "-". ERROR_NOT_FOUND when there is none. */
bool yaml_open_file(const char *path, const struct yaml_options *options,
                    struct yaml_reader **ret_reader, struct error *error) MUST_USE;
void yaml_close(struct yaml_reader *reader); /* NULL is allowed */

/* ERROR_CONFIG for what is no YAML, or none that is taken; ERROR_LIMIT past a ceiling: both have a
 * place (yaml_place). ERROR_SYSTEM when reading fails. After an error every call fails with it. */
bool yaml_next(struct yaml_reader *reader, struct yaml_item *ret_item,
               struct error *error) MUST_USE;

/* Reads to the end of the list or mapping that `item` began; nothing to do for other items. */
bool yaml_skip(struct yaml_reader *reader, const struct yaml_item *item,
               struct error *error) MUST_USE;

/* Where the error is, from 1. */
void yaml_place(const struct yaml_reader *reader, size_t *ret_line, size_t *ret_column);

/* An empty value, ~ or null without quotes. */
bool yaml_is_null(const struct yaml_item *item);

#endif
