#include "yaml/yaml_source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void place_move(struct span bytes, size_t *line, size_t *column)
{
    if (bytes.len == 0)
        return;
    const char *at = bytes.data, *end = bytes.data + bytes.len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            break;
        ++*line;
        *column = 1;
        at = line_end + 1;
    }
    for (; at < end; at++)
        if (((unsigned char)*at & 0xc0) != 0x80)
            ++*column;
}

void yaml_source_place(const struct yaml_source *source, uint64_t offset, size_t *ret_line,
                       size_t *ret_column)
{
    size_t line = source->line, column = source->column;
    size_t before = offset > source->offset ? (size_t)(offset - source->offset) : 0;
    if (before > source->piece.len)
        before = source->piece.len;
    place_move(span_make(source->piece.data, before), &line, &column);
    *ret_line = line;
    *ret_column = column;
}

/* Fills the block, so that a byte order mark never comes in two pieces. */
static bool block_read(struct yaml_source *source)
{
    size_t filled = 0;
    while (filled < YAML_PIECE) {
        ssize_t count = read(source->fd, source->block + filled, YAML_PIECE - filled);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return error_system(&source->error, errno, "cannot read");
        if (count == 0)
            break;
        filled += (size_t)count;
    }
    source->rest = span_make(source->block, filled);
    return true;
}

/* libyaml would take UTF-16 too, which no other tool on the machine expects. */
static bool is_utf16(struct span start)
{
    return span_starts(start, "\xff\xfe") || span_starts(start, "\xfe\xff") ||
           (start.len >= 2 && (start.data[0] == '\0') != (start.data[1] == '\0'));
}

static bool piece_check(struct yaml_source *source)
{
    if (source->offset == 0 && is_utf16(source->piece))
        return error_set(&source->error, ERROR_CONFIG, "the file is in UTF-16: save it as UTF-8");
    if (source->offset + source->piece.len > source->bytes_max)
        return error_set(&source->error, ERROR_LIMIT, "the file is longer than %llu bytes",
                         (unsigned long long)source->bytes_max);
    source->bytes_since_item += source->piece.len;
    if (source->bytes_since_item > source->gap_max)
        return error_set(&source->error, ERROR_LIMIT,
                         "a value or comment is longer than %llu bytes",
                         (unsigned long long)source->gap_max);
    return true;
}

int yaml_source_read(void *data, unsigned char *out, size_t size, size_t *ret_count)
{
    struct yaml_source *source = data;
    place_move(source->piece, &source->line, &source->column);
    source->offset += source->piece.len;
    source->piece = (struct span){0};
    if (source->rest.len == 0 && source->fd >= 0 && !block_read(source)) {
        source->failed = true;
        return 0;
    }
    size_t count = source->rest.len < size ? source->rest.len : size;
    source->piece = span_make(source->rest.data, count);
    source->rest = span_from(source->rest, count);
    if (!piece_check(source)) {
        source->failed = true;
        return 0;
    }
    if (count > 0)
        memcpy(out, source->piece.data, count);
    *ret_count = count;
    return 1;
}
