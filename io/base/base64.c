#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool encode(struct buf *out, const unsigned char *in, size_t len, const char *alphabet,
                   bool pad)
{
    if (len > SIZE_MAX / 2)
        return false;
    char *at = buf_reserve(out, (len + 2) / 3 * 4);
    if (at == NULL)
        return false;
    char *start = at;
    for (; len >= 3; in += 3, len -= 3) {
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
        *at++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
        *at++ = alphabet[in[2] & 63];
    }
    if (len > 0) {
        unsigned second = len == 2 ? in[1] : 0;
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] & 3u) << 4 | second >> 4];
        if (len == 2)
            *at++ = alphabet[(second & 15) << 2];
        else if (pad)
            *at++ = '=';
        if (pad)
            *at++ = '=';
    }
    *at = '\0';
    out->len += (size_t)(at - start);
    return true;
}

bool base64url_append(struct buf *out, const void *data, size_t len)
{
    return encode(out, data, len, url_safe, false);
}

bool base64_append(struct buf *out, const void *data, size_t len)
{
    return encode(out, data, len, standard, true);
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '+')
        return 62;
    if (c == '_' || c == '/')
        return 63;
    return -1;
}

static bool decode(struct span text, struct buf *out, bool lenient)
{
    char *at = buf_reserve(out, text.len / 4 * 3 + 3);
    if (at == NULL)
        return false;
    char *start = at;
    unsigned bits = 0;
    size_t digits = 0;
    size_t padding = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (lenient && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
            continue;
        if (lenient && c == '=') {
            padding++;
            continue;
        }
        int value = digit_value(c);
        if (value < 0 || padding > 0 || (!lenient && (c == '+' || c == '/')))
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffffff;
        digits++;
        if (digits % 4 == 0) {
            *at++ = (char)(bits >> 16);
            *at++ = (char)(bits >> 8);
            *at++ = (char)bits;
        }
    }
    size_t left = digits % 4;
    if (left == 1 || padding > 2 || (padding > 0 && (left + padding) % 4 != 0))
        return false;
    if (left == 2) {
        if (!lenient && (bits & 0xf) != 0)
            return false;
        *at++ = (char)(bits >> 4);
    } else if (left == 3) {
        if (!lenient && (bits & 0x3) != 0)
            return false;
        *at++ = (char)(bits >> 10);
        *at++ = (char)(bits >> 2);
    }
    *at = '\0';
    out->len += (size_t)(at - start);
    return true;
}

bool base64url_decode(struct span text, struct buf *out)
{
    return decode(text, out, false);
}

bool base64_decode_lenient(struct span text, struct buf *out)
{
    return decode(text, out, true);
}
