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

enum { STANDARD_ONLY = 0x80 };

/* What a byte stands for, plus one; 0 when it is no digit (as none above 127 is). */
static const unsigned char digits[256] = {
    0,  0,  0,  0,   0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,   0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  191,
    0,  63, 0,  192, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 0,  0,  0,  0,  0,  0,  0,  1,
    2,  3,  4,  5,   6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
    24, 25, 26, 0,   0,  0,  0,  64, 0,  27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
    40, 41, 42, 43,  44, 45, 46, 47, 48, 49, 50, 51, 52, 0,  0,  0,  0,  0,
};

/* Decodes whole groups of four digits of the URL-safe alphabet until another character comes, and
 * gives where it comes. Most texts are nothing else. */
static size_t decode_groups(struct span text, char **at)
{
    const unsigned char *in = (const unsigned char *)text.data;
    char *out = *at;
    size_t i = 0;
    for (; i + 4 <= text.len; i += 4) {
        unsigned a = digits[in[i]];
        unsigned b = digits[in[i + 1]];
        unsigned c = digits[in[i + 2]];
        unsigned d = digits[in[i + 3]];
        if (a == 0 || b == 0 || c == 0 || d == 0 || ((a | b | c | d) & STANDARD_ONLY) != 0)
            break;
        unsigned bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        *out++ = (char)(bits >> 16);
        *out++ = (char)(bits >> 8);
        *out++ = (char)bits;
    }
    *at = out;
    return i;
}

static bool decode(struct span text, struct buf *out, bool lenient)
{
    char *at = buf_reserve(out, text.len / 4 * 3 + 3);
    if (at == NULL)
        return false;
    char *start = at;
    unsigned bits = 0;
    size_t count = 0;
    size_t padding = 0;
    for (size_t i = decode_groups(text, &at); i < text.len; i++) {
        char c = text.data[i];
        if (lenient && (c == ' ' || c == '\t' || c == '\r' || c == '\n'))
            continue;
        if (lenient && c == '=') {
            padding++;
            continue;
        }
        unsigned value = digits[(unsigned char)c];
        if (value == 0 || padding > 0 || (!lenient && (value & STANDARD_ONLY) != 0))
            return false;
        bits = (bits << 6 | ((value & 0x7f) - 1)) & 0xffffff;
        count++;
        if (count % 4 == 0) {
            *at++ = (char)(bits >> 16);
            *at++ = (char)(bits >> 8);
            *at++ = (char)bits;
        }
    }
    size_t left = count % 4;
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
