#include "base/printable.h"

#include <string.h>

#define ELLIPSIS "..."

bool printable_is_shown(uint32_t character)
{
    return character >= 0x20 && (character < 0x7f || character >= 0xa0) &&
           (character < 0x200b || character > 0x200f) &&
           (character < 0x2028 || character > 0x202e) &&
           (character < 0x2060 || character > 0x206f) && character != 0xfeff &&
           (character < 0xfff9 || character > 0xfffb);
}

size_t printable_decode(struct span text, uint32_t *ret_character)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t len = 1;
    while (len <= 4 && len <= text.len && !span_is_utf8(span_make(text.data, len)))
        len++;
    if (len > 4 || len > text.len)
        return 0;
    uint32_t character = len == 1 ? bytes[0] : bytes[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        character = character << 6 | (bytes[i] & 0x3fU);
    *ret_character = character;
    return len;
}

static bool is_blank(uint32_t character)
{
    return character == 0x20 || character == 0xa0 || !printable_is_shown(character);
}

size_t printable_copy(struct span text, char *out, size_t size)
{
    size_t room = size - 1;
    size_t len = 0;
    size_t cut_at = 0; /* the longest end that leaves room for the ellipsis */
    bool blank = false;
    for (size_t i = 0; i < text.len;) {
        uint32_t code = '?';
        size_t character = printable_decode(span_from(text, i), &code);
        const char *bytes = character > 0 ? text.data + i : "?";
        i += character > 0 ? character : 1;
        character = character > 0 ? character : 1;
        if (is_blank(code)) {
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
