#include "json_out.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ca_out_init(struct ca_out *out, struct buf *buf)
{
    *out = (struct ca_out){.buf = buf};
}

static void put(struct ca_out *out, const char *bytes, size_t len)
{
    if (!buf_append(out->buf, bytes, len))
        out->failed = true;
}

static void before_value(struct ca_out *out)
{
    if (out->comma)
        put(out, ",", 1);
    out->comma = true;
}

void ca_out_open(struct ca_out *out, char bracket)
{
    before_value(out);
    put(out, &bracket, 1);
    out->comma = false;
}

void ca_out_close(struct ca_out *out, char bracket)
{
    put(out, &bracket, 1);
    out->comma = true;
}

/* What a byte of UTF-8 needs no escape for (RFC 8259 section 7). */
static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && c != '"' && c != '\\' && c != 0x7f;
}

static void put_escaped(struct ca_out *out, struct span text)
{
    while (text.len > 0) {
        size_t plain = 0;
        while (plain < text.len && is_plain(text.data[plain]))
            plain++;
        put(out, text.data, plain);
        text = span_from(text, plain);
        if (text.len == 0)
            break;
        char escape[8];
        int len = text.data[0] == '"' || text.data[0] == '\\'
                      ? snprintf(escape, sizeof escape, "\\%c", text.data[0])
                      : snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)text.data[0]);
        put(out, escape, (size_t)len);
        text = span_from(text, 1);
    }
}

void ca_out_key(struct ca_out *out, const char *name)
{
    before_value(out);
    put(out, "\"", 1);
    put_escaped(out, span_of(name));
    put(out, "\":", 2);
    out->comma = false;
}

void ca_out_text(struct ca_out *out, struct span text)
{
    before_value(out);
    put(out, "\"", 1);
    put_escaped(out, text);
    put(out, "\"", 1);
}

void ca_out_number(struct ca_out *out, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    before_value(out);
    put(out, text, (size_t)len);
}

void ca_out_flag(struct ca_out *out, bool flag)
{
    ca_out_raw(out, flag ? SPAN_LITERAL("true") : SPAN_LITERAL("false"));
}

void ca_out_time(struct ca_out *out, int64_t unix_seconds)
{
    char text[TIME_TEXT_MAX];
    ca_out_text(out, span_of(time_format_rfc3339(unix_seconds, text)));
}

void ca_out_raw(struct ca_out *out, struct span json)
{
    before_value(out);
    put(out, json.data, json.len);
}

void ca_out_printf(struct ca_out *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof text) {
        out->failed = true;
        return;
    }
    ca_out_text(out, span_make(text, (size_t)len));
}

void ca_out_pair(struct ca_out *out, const char *name, const char *text)
{
    ca_out_key(out, name);
    ca_out_text(out, span_of(text));
}
