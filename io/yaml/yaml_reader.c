#include "io/yaml.h"

#include "yaml/yaml_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current item's; its text points into it */
    bool has_event;
    struct yaml_source source;
    struct yaml_options options;
    unsigned depth;
    bool seen_document;
    bool failed;
    struct error error;
    size_t error_line;
    size_t error_column;
};

static struct yaml_reader *reader_new(const struct yaml_options *options, struct error *error)
{
    struct yaml_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL || !yaml_parser_initialize(&reader->parser)) {
        free(reader);
        error_set(error, ERROR_MEMORY, "no memory to read YAML");
        return NULL;
    }
    reader->options = *options;
    reader->source = (struct yaml_source){.fd = -1,
                                          .line = 1,
                                          .column = 1,
                                          .bytes_max = options->bytes_max,
                                          .gap_max = options->gap_max};
    yaml_parser_set_input(&reader->parser, yaml_source_read, &reader->source);
    return reader;
}

bool yaml_open_text(struct span text, const struct yaml_options *options,
                    struct yaml_reader **ret_reader, struct error *error)
{
    struct yaml_reader *reader = reader_new(options, error);
    if (reader == NULL)
        return false;
    reader->source.rest = text;
    *ret_reader = reader;
    return true;
}

static bool source_open(struct yaml_source *source, const char *path, struct error *error)
{
    source->block = malloc(YAML_PIECE);
    if (source->block == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to read YAML");
    if (strcmp(path, "-") == 0) {
        source->fd = STDIN_FILENO;
        return true;
    }
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source->fd < 0 && errno == ENOENT)
        return error_set(error, ERROR_NOT_FOUND, "%s: there is no such file", path);
    if (source->fd < 0)
        return error_system(error, errno, "%s: cannot open", path);
    source->close_fd = true;
    struct stat status;
    if (fstat(source->fd, &status) == 0 && S_ISDIR(status.st_mode))
        return error_set(error, ERROR_CONFIG, "%s: is a folder, not a file", path);
    return true;
}

bool yaml_open_file(const char *path, const struct yaml_options *options,
                    struct yaml_reader **ret_reader, struct error *error)
{
    struct yaml_reader *reader = reader_new(options, error);
    if (reader == NULL)
        return false;
    if (!source_open(&reader->source, path, error)) {
        yaml_close(reader);
        return false;
    }
    *ret_reader = reader;
    return true;
}

static void event_drop(struct yaml_reader *reader)
{
    if (!reader->has_event)
        return;
    if (reader->options.secret && reader->event.type == YAML_SCALAR_EVENT)
        explicit_bzero(reader->event.data.scalar.value, reader->event.data.scalar.length);
    yaml_event_delete(&reader->event);
    reader->has_event = false;
}

static void buffers_wipe(struct yaml_reader *reader)
{
    yaml_parser_t *parser = &reader->parser;
    explicit_bzero(parser->raw_buffer.start,
                   (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
    explicit_bzero(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
    for (yaml_token_t *token = parser->tokens.head; token != parser->tokens.tail; token++)
        if (token->type == YAML_SCALAR_TOKEN)
            explicit_bzero(token->data.scalar.value, token->data.scalar.length);
    if (reader->source.block != NULL)
        explicit_bzero(reader->source.block, YAML_PIECE);
}

void yaml_close(struct yaml_reader *reader)
{
    if (reader == NULL)
        return;
    event_drop(reader);
    if (reader->options.secret)
        buffers_wipe(reader);
    yaml_parser_delete(&reader->parser);
    if (reader->source.close_fd)
        close(reader->source.fd);
    free(reader->source.block);
    free(reader);
}

void yaml_place(const struct yaml_reader *reader, size_t *ret_line, size_t *ret_column)
{
    *ret_line = reader->error_line;
    *ret_column = reader->error_column;
}

/* Keeps the error that the caller has put into reader->error. */
static bool fail_at(struct yaml_reader *reader, yaml_mark_t mark)
{
    reader->failed = true;
    reader->error_line = mark.line + 1;
    reader->error_column = mark.column + 1;
    return false;
}

static bool refuse(struct yaml_reader *reader, const char *text)
{
    error_set(&reader->error, ERROR_CONFIG, "%s", text);
    return fail_at(reader, reader->event.start_mark);
}

/* libyaml's own words; they never quote the text. */
static bool parser_failed(struct yaml_reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    reader->failed = true;
    if (reader->source.failed) {
        reader->error = reader->source.error;
        yaml_source_place(&reader->source, reader->source.offset, &reader->error_line,
                          &reader->error_column);
        return false;
    }
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(&reader->error, ERROR_MEMORY, "no memory to read YAML");
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) {
        yaml_source_place(&reader->source, parser->problem_offset, &reader->error_line,
                          &reader->error_column);
        return error_set(&reader->error, ERROR_CONFIG, "not plain UTF-8 text: %s", problem);
    }
    if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line)
        error_set(&reader->error, ERROR_CONFIG, "not YAML: %s, %s that began on line %zu", problem,
                  parser->context, parser->context_mark.line + 1);
    else if (parser->context != NULL)
        error_set(&reader->error, ERROR_CONFIG, "not YAML: %s, %s", problem, parser->context);
    else
        error_set(&reader->error, ERROR_CONFIG, "not YAML: %s", problem);
    return fail_at(reader, parser->problem_mark);
}

static bool scalar_check(struct yaml_reader *reader)
{
    if (reader->event.data.scalar.anchor != NULL)
        return refuse(reader, "YAML anchors (&name) are not supported: write the value out");
    if (reader->event.data.scalar.tag != NULL)
        return refuse(reader, "YAML tags (!name) are not supported");
    if (reader->event.data.scalar.length > reader->options.text_max) {
        error_set(&reader->error, ERROR_LIMIT, "a value is longer than %zu bytes",
                  reader->options.text_max);
        return fail_at(reader, reader->event.start_mark);
    }
    if (memchr(reader->event.data.scalar.value, '\0', reader->event.data.scalar.length) != NULL)
        return refuse(reader, "a value holds a NUL character");
    return true;
}

static bool container_check(struct yaml_reader *reader, const void *anchor, const void *tag)
{
    if (anchor != NULL)
        return refuse(reader, "YAML anchors (&name) are not supported: write the value out");
    if (tag != NULL)
        return refuse(reader, "YAML tags (!name) are not supported");
    if (reader->depth == reader->options.depth_max) {
        error_set(&reader->error, ERROR_LIMIT, "nested deeper than %u lists and mappings",
                  reader->options.depth_max);
        return fail_at(reader, reader->event.start_mark);
    }
    reader->depth++;
    return true;
}

/* *ret_shown: whether the event is an item of its own. */
static bool event_convert(struct yaml_reader *reader, struct yaml_item *item, bool *ret_shown)
{
    const yaml_event_t *event = &reader->event;
    *ret_shown = true;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        item->kind = YAML_TEXT;
        item->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        item->text = span_make(event->data.scalar.value, event->data.scalar.length);
        return scalar_check(reader);
    case YAML_MAPPING_START_EVENT:
        item->kind = YAML_MAPPING;
        return container_check(reader, event->data.mapping_start.anchor,
                               event->data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
        item->kind = YAML_LIST;
        return container_check(reader, event->data.sequence_start.anchor,
                               event->data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        item->kind = YAML_MAPPING_END;
        return true;
    case YAML_SEQUENCE_END_EVENT:
        reader->depth--;
        item->kind = YAML_LIST_END;
        return true;
    case YAML_ALIAS_EVENT:
        return refuse(reader, "YAML aliases (*name) are not supported: write the value out");
    case YAML_STREAM_END_EVENT:
    case YAML_NO_EVENT: /* what libyaml gives after the end */
        item->kind = YAML_END;
        return true;
    case YAML_DOCUMENT_START_EVENT:
        if (reader->seen_document)
            return refuse(reader, "a second YAML document begins here: use one file for each");
        reader->seen_document = true;
        break;
    default:
        break;
    }
    *ret_shown = false;
    return true;
}

static bool item_read(struct yaml_reader *reader, struct yaml_item *item)
{
    bool shown = false;
    while (!shown) {
        event_drop(reader);
        if (!yaml_parser_parse(&reader->parser, &reader->event))
            return parser_failed(reader);
        reader->has_event = true;
        reader->source.bytes_since_item = 0;
        TRY(event_convert(reader, item, &shown));
    }
    item->line = reader->event.start_mark.line + 1;
    item->column = reader->event.start_mark.column + 1;
    return true;
}

bool yaml_next(struct yaml_reader *reader, struct yaml_item *ret_item, struct error *error)
{
    struct yaml_item item = {0};
    if (reader->failed || !item_read(reader, &item)) {
        if (error != NULL)
            *error = reader->error;
        return false;
    }
    *ret_item = item;
    return true;
}

bool yaml_skip(struct yaml_reader *reader, const struct yaml_item *item, struct error *error)
{
    if (item->kind != YAML_MAPPING && item->kind != YAML_LIST)
        return true;
    struct yaml_item inner;
    unsigned outside = reader->depth - 1;
    while (reader->depth > outside)
        TRY(yaml_next(reader, &inner, error));
    return true;
}

bool yaml_is_null(const struct yaml_item *item)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (item->kind != YAML_TEXT || !item->plain)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (span_is(item->text, words[i]))
            return true;
    return false;
}
