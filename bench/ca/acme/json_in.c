#include "json_in.h"

#include <string.h>

static void skip_blanks(struct span *rest)
{
    while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\n' ||
                             rest->data[0] == '\r' || rest->data[0] == '\t'))
        *rest = span_from(*rest, 1);
}

static bool take_char(struct span *rest, char c)
{
    if (rest->len == 0 || rest->data[0] != c)
        return false;
    *rest = span_from(*rest, 1);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits after "\u"; -1 when they are not digits. */
static int hex_number(struct span digits)
{
    int number = 0;
    if (digits.len < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(digits.data[i]);
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* Takes the escape after a backslash off: a character that is no NUL and no half of a pair. */
static bool take_escape(struct span *rest, uint32_t *ret_character)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (rest->len == 0)
        return false;
    const char *name = memchr(names, rest->data[0], sizeof names - 1);
    if (name != NULL) {
        *ret_character = (unsigned char)meanings[name - names];
        *rest = span_from(*rest, 1);
        return true;
    }
    if (rest->data[0] != 'u')
        return false;
    int high = hex_number(span_from(*rest, 1));
    if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
        return false;
    *rest = span_from(*rest, 5);
    *ret_character = (uint32_t)high;
    if (high < 0xd800 || high > 0xdbff)
        return true;
    if (rest->len < 6 || rest->data[0] != '\\' || rest->data[1] != 'u')
        return false;
    int low = hex_number(span_from(*rest, 2));
    if (low < 0xdc00 || low > 0xdfff)
        return false;
    *rest = span_from(*rest, 6);
    *ret_character = 0x10000 + (((uint32_t)high & 0x3ff) << 10) + ((uint32_t)low & 0x3ff);
    return true;
}

/* Has none of eight bytes an escape, a control character or a part of a longer character? Each test
 * sets the highest bit of the bytes that it finds (and perhaps of one above such a byte). */
static bool eight_are_plain(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t high = ones * 0x80;
    uint64_t slash = bytes ^ (ones * '\\');
    uint64_t found = bytes | ((bytes - ones * ' ') & ~bytes) | ((slash - ones) & ~slash);
    return (found & high) == 0;
}

/* The length of a string that ends in a quote before anything but plain ASCII; false for others. */
static bool plain_length(struct span rest, size_t *ret_len)
{
    const char *end = rest.len > 0 ? memchr(rest.data, '"', rest.len) : NULL;
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - rest.data);
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t bytes;
        memcpy(&bytes, rest.data + i, sizeof bytes);
        if (!eight_are_plain(bytes))
            return false;
    }
    for (; i < len; i++) {
        unsigned char c = (unsigned char)rest.data[i];
        if (c < ' ' || c == '\\' || c >= 0x80)
            return false;
    }
    *ret_len = len;
    return true;
}

/* Behind the opening quote. */
static bool take_string(struct span *rest, struct span *ret_text)
{
    struct span at = *rest;
    bool ascii = true;
    size_t len;
    if (plain_length(at, &len)) {
        *ret_text = span_make(at.data, len);
        *rest = span_from(at, len + 1);
        return true;
    }
    while (at.len > 0 && at.data[0] != '"') {
        unsigned char c = (unsigned char)at.data[0];
        uint32_t character;
        if (c < ' ')
            return false;
        if (c >= 0x80)
            ascii = false;
        at.data++;
        at.len--;
        if (c == '\\' && !take_escape(&at, &character))
            return false;
    }
    struct span text = {rest->data, (size_t)(at.data - rest->data)};
    if (at.len == 0 || (!ascii && !span_is_utf8(text)))
        return false;
    *ret_text = text;
    *rest = span_from(at, 1);
    return true;
}

static size_t digits_at(struct span text)
{
    size_t count = 0;
    while (count < text.len && text.data[count] >= '0' && text.data[count] <= '9')
        count++;
    return count;
}

static bool take_digits(struct span *rest)
{
    size_t count = digits_at(*rest);
    *rest = span_from(*rest, count);
    return count > 0;
}

static bool take_number(struct span *rest)
{
    (void)take_char(rest, '-');
    size_t whole = digits_at(*rest);
    if (whole == 0 || (whole > 1 && rest->data[0] == '0'))
        return false;
    *rest = span_from(*rest, whole);
    if (take_char(rest, '.') && !take_digits(rest))
        return false;
    if (take_char(rest, 'e') || take_char(rest, 'E')) {
        if (!take_char(rest, '+'))
            (void)take_char(rest, '-');
        return take_digits(rest);
    }
    return true;
}

static bool take_value(struct span *rest, unsigned depth, struct ca_json *ret_value);

static bool take_member(struct span *rest, unsigned depth, struct span *ret_key,
                        struct ca_json *ret_value)
{
    skip_blanks(rest);
    if (!take_char(rest, '"') || !take_string(rest, ret_key))
        return false;
    skip_blanks(rest);
    return take_char(rest, ':') && take_value(rest, depth, ret_value);
}

static bool is_among(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(name, names[i]))
            return true;
    }
    return false;
}

/* Behind the opening bracket, up to and with the closing one. */
static bool take_members(struct span *rest, unsigned depth, char close)
{
    struct span names[CA_JSON_MEMBERS_MAX];
    struct ca_json value;
    size_t count = 0;
    skip_blanks(rest);
    if (take_char(rest, close))
        return true;
    do {
        if (close == ']') {
            TRY(take_value(rest, depth, &value));
        } else {
            struct span name;
            TRY(count < CA_JSON_MEMBERS_MAX && take_member(rest, depth, &name, &value));
            TRY(!is_among(name, names, count));
            names[count++] = name;
        }
        skip_blanks(rest);
    } while (take_char(rest, ','));
    return take_char(rest, close);
}

static bool take_word(struct span *rest, const char *word)
{
    if (!span_starts(*rest, word))
        return false;
    *rest = span_from(*rest, strlen(word));
    return true;
}

static enum ca_json_kind take_any(struct span *rest, unsigned depth, struct span *ret_string)
{
    if (take_char(rest, '"'))
        return take_string(rest, ret_string) ? CA_JSON_STRING : CA_JSON_NONE;
    if (take_char(rest, '{'))
        return depth > 0 && take_members(rest, depth - 1, '}') ? CA_JSON_OBJECT : CA_JSON_NONE;
    if (take_char(rest, '['))
        return depth > 0 && take_members(rest, depth - 1, ']') ? CA_JSON_ARRAY : CA_JSON_NONE;
    if (take_word(rest, "true"))
        return CA_JSON_TRUE;
    if (take_word(rest, "false"))
        return CA_JSON_FALSE;
    if (take_word(rest, "null"))
        return CA_JSON_NULL;
    return take_number(rest) ? CA_JSON_NUMBER : CA_JSON_NONE;
}

static bool take_value(struct span *rest, unsigned depth, struct ca_json *ret_value)
{
    skip_blanks(rest);
    const char *start = rest->data;
    struct span text = {NULL, 0};
    enum ca_json_kind kind = take_any(rest, depth, &text);
    if (kind == CA_JSON_NONE)
        return false;
    if (kind != CA_JSON_STRING)
        text = span_make(start, (size_t)(rest->data - start));
    if (kind == CA_JSON_OBJECT || kind == CA_JSON_ARRAY)
        text = span_make(text.data + 1, text.len - 2);
    *ret_value = (struct ca_json){kind, text};
    return true;
}

bool ca_json_read(struct span text, struct ca_json *ret_value)
{
    struct ca_json value;
    if (!take_value(&text, CA_JSON_DEPTH_MAX, &value))
        return false;
    skip_blanks(&text);
    if (text.len > 0)
        return false;
    *ret_value = value;
    return true;
}

bool ca_json_member(struct span *rest, struct span *ret_key, struct ca_json *ret_value)
{
    if (!take_member(rest, CA_JSON_DEPTH_MAX, ret_key, ret_value))
        return false;
    skip_blanks(rest);
    (void)take_char(rest, ',');
    return true;
}

bool ca_json_element(struct span *rest, struct ca_json *ret_value)
{
    if (!take_value(rest, CA_JSON_DEPTH_MAX, ret_value))
        return false;
    skip_blanks(rest);
    (void)take_char(rest, ',');
    return true;
}

struct ca_json ca_json_get(struct ca_json object, const char *name)
{
    struct span key;
    struct ca_json value;
    if (object.kind == CA_JSON_OBJECT) {
        while (ca_json_member(&object.text, &key, &value)) {
            if (span_is(key, name))
                return value;
        }
    }
    return (struct ca_json){CA_JSON_NONE, {NULL, 0}};
}

static size_t utf8_put(uint32_t character, char *out)
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (char)(0xc0 | (character >> 6));
        out[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (char)(0xe0 | (character >> 12));
        out[1] = (char)(0x80 | ((character >> 6) & 0x3f));
        out[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (character >> 18));
    out[1] = (char)(0x80 | ((character >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((character >> 6) & 0x3f));
    out[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}

bool ca_json_string(struct ca_json value, struct arena *arena, struct span *ret_text)
{
    struct span rest = value.text;
    if (value.kind != CA_JSON_STRING)
        return false;
    if (rest.len == 0 || memchr(rest.data, '\\', rest.len) == NULL) {
        *ret_text = rest;
        return true;
    }
    /* An escape is never shorter than what it stands for. */
    char *out = arena_alloc(arena, rest.len);
    size_t len = 0;
    if (out == NULL)
        return false;
    while (rest.len > 0) {
        char c = rest.data[0];
        uint32_t character;
        rest = span_from(rest, 1);
        if (c != '\\')
            out[len++] = c;
        else if (take_escape(&rest, &character))
            len += utf8_put(character, out + len);
        else
            return false;
    }
    *ret_text = span_make(out, len);
    return true;
}
