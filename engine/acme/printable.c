#include "acme/printable.h"

#include <string.h>

#define ELLIPSIS "..."

/* The length of the UTF-8 character at the start of `text`, 0 when it is not well-formed. */
static size_t character_length(struct span text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (span_is_utf8(span_make(text.data, len)))
            return len;
    return 0;
}

static uint32_t character_decode(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (bytes[i] & 0x3fU);
    return code;
}

/* Besides C0, DEL and C1: line separators, zero-width characters and those that turn the writing
 * direction, by which a text can look like another. */
static bool is_blank_or_control(uint32_t code)
{
    return code <= 0x20 || (code >= 0x7f && code <= 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
           code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb);
}

size_t printable_copy(struct span text, char *out, size_t size)
{
    size_t room = size - 1;
    size_t len = 0;
    size_t cut_at = 0; /* the longest end that leaves room for the ellipsis */
    bool blank = false;
    for (size_t i = 0; i < text.len;) {
        size_t character = character_length(span_from(text, i));
        const char *bytes = character > 0 ? text.data + i : "?";
        i += character > 0 ? character : 1;
        character = character > 0 ? character : 1;
        if (is_blank_or_control(character_decode(bytes, character))) {
            blank = true;
            continue;
        }
        size_t gap = blank && len > 0 ? 1 : 0;
        if (len + gap + character > room) {
            memcpy(out + cut_at, ELLIPSIS, sizeof ELLIPSIS);
            return cut_at + sizeof ELLIPSIS - 1;
        }
        if (gap > 0)
            out[len++] = ' ';
        memcpy(out + len, bytes, character);
        len += character;
        blank = false;
        if (len + sizeof ELLIPSIS - 1 <= room)
            cut_at = len;
    }
    out[len] = '\0';
    return len;
}

bool printable_error(struct error *error)
{
    if (error == NULL)
        return false;
    char text[ERROR_TEXT_MAX];
    printable_copy(span_of(error->text), text, sizeof text);
    memcpy(error->text, text, sizeof text);
    return false;
}
