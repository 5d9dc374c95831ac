#include "base/span.h"

#include <stdlib.h>
#include <string.h>

struct span span_of(const char *text)
{
    return (struct span){.data = text, .len = text != NULL ? strlen(text) : 0};
}

struct span span_make(const void *data, size_t len)
{
    return (struct span){.data = data, .len = len};
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

bool span_starts(struct span a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && memcmp(a.data, prefix, len) == 0;
}

bool span_ends(struct span a, const char *suffix)
{
    size_t len = strlen(suffix);
    return a.len >= len && memcmp(a.data + a.len - len, suffix, len) == 0;
}

int span_compare(struct span a, struct span b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span a)
{
    while (a.len > 0 && is_blank(a.data[0]))
        a = span_from(a, 1);
    while (a.len > 0 && is_blank(a.data[a.len - 1]))
        a.len--;
    return a;
}

struct span span_from(struct span a, size_t offset)
{
    if (offset > a.len)
        offset = a.len;
    return (struct span){.data = a.data != NULL ? a.data + offset : NULL, .len = a.len - offset};
}

struct span span_split(struct span *rest, char separator)
{
    const char *at = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    if (at == NULL) {
        struct span whole = *rest;
        *rest = (struct span){0};
        return whole;
    }
    struct span part = {.data = rest->data, .len = (size_t)(at - rest->data)};
    *rest = span_from(*rest, part.len + 1);
    return part;
}

bool span_to_u64(struct span a, uint64_t max, uint64_t *ret_value)
{
    if (a.len == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < a.len; i++) {
        if (a.data[i] < '0' || a.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(a.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

/* Length of the well-formed UTF-8 sequence at `p` (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    if (p[0] >= 0x01 && p[0] <= 0x7f)
        return 1;
    size_t len = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
                 : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                : 0;
    if (len == 0 || left < len)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool span_is_utf8(struct span a)
{
    for (size_t i = 0; i < a.len;) {
        size_t len = utf8_sequence((const unsigned char *)a.data + i, a.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

char *span_duplicate(struct span a)
{
    char *copy = malloc(a.len + 1);
    if (copy == NULL)
        return NULL;
    if (a.len > 0)
        memcpy(copy, a.data, a.len);
    copy[a.len] = '\0';
    return copy;
}
