#include "process/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX ((size_t)16 * 1024)

void output_init(struct buf *output, size_t limit)
{
    buf_init(output, limit <= SIZE_MAX / 4 ? limit * 2 : limit);
}

void output_trim(struct buf *output, size_t limit)
{
    if (output->len <= limit)
        return;
    memmove(output->data, output->data + output->len - limit, limit);
    output->len = limit;
    output->data[limit] = '\0';
}

static void output_keep(struct buf *output, size_t limit, struct span bytes)
{
    if (bytes.len > limit)
        bytes = span_from(bytes, bytes.len - limit);
    if (bytes.len > output->limit - output->len)
        output_trim(output, limit - bytes.len);
    /* Output is for messages: without memory for it the command still counts. */
    (void)!buf_append_span(output, bytes);
}

enum output_state output_read(struct buf *output, size_t limit, int fd)
{
    char bytes[READ_MAX];
    ssize_t count = read(fd, bytes, sizeof bytes);
    if (count > 0) {
        output_keep(output, limit, span_make(bytes, (size_t)count));
        if (output->secret)
            explicit_bzero(bytes, (size_t)count);
        return OUTPUT_MORE;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return OUTPUT_LATER;
    return OUTPUT_END;
}

/* The length of the well-formed UTF-8 character at the front, 0 when there is none. */
static size_t character_len(struct span text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (span_is_utf8(span_make(text.data, len)))
            return len;
    return 0;
}

static bool is_control(struct span character)
{
    unsigned char first = (unsigned char)character.data[0];
    if (character.len == 1)
        return first < 0x20 || first == 0x7f;
    /* U+0080 to U+009F: terminals take them for escape sequences too. */
    return first == 0xc2 && (unsigned char)character.data[1] < 0xa0;
}

static void printable_copy(struct span line, char *text, size_t size)
{
    size_t used = 0;
    while (line.len > 0) {
        size_t len = character_len(line);
        struct span character = span_make(line.data, len > 0 ? len : 1);
        bool good = len > 0 && !is_control(character);
        size_t need = good ? len : 1;
        if (used + need + 1 > size)
            break;
        memcpy(text + used, good ? character.data : "?", need);
        used += need;
        line = span_from(line, character.len);
    }
    text[used] = '\0';
}

void output_last_line(const struct buf *output, char *text, size_t size)
{
    struct span rest = span_trim(buf_span(output));
    const char *end = rest.len > 0 ? memrchr(rest.data, '\n', rest.len) : NULL;
    if (end != NULL)
        rest = span_from(rest, (size_t)(end - rest.data) + 1);
    printable_copy(span_trim(rest), text, size);
}
