#include "report/format.h"

#include "base/printable.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *format_count(uint64_t count, char *text)
{
    char digits[FORMAT_MAX];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *out = text;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

char *format_duration(double seconds, char *text)
{
    /* The upper bound keeps the conversion to an integer defined; 1e9 s are 31 years. */
    if (!(seconds > 0))
        seconds = 0;
    if (seconds > 1e9)
        seconds = 1e9;
    if (seconds < 10) {
        snprintf(text, FORMAT_MAX, "%.1f s", seconds);
        return text;
    }
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole < 60)
        snprintf(text, FORMAT_MAX, "%lu s", whole);
    else if (whole < 3600)
        snprintf(text, FORMAT_MAX, "%lu min %lu s", whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(text, FORMAT_MAX, "%lu h %lu min", whole / 3600, whole % 3600 / 60);
    else
        snprintf(text, FORMAT_MAX, "%lu d %lu h", whole / 86400, whole % 86400 / 3600);
    return text;
}

char *format_certificates(uint64_t count, char *text)
{
    char digits[FORMAT_MAX];
    if (count == 1)
        snprintf(text, FORMAT_MAX, "1 certificate");
    else
        snprintf(text, FORMAT_MAX, "%.*s certificates", FORMAT_MAX - 14,
                 format_count(count, digits));
    return text;
}

void format_printable(FILE *out, const char *text)
{
    for (struct span rest = span_of(text); rest.len > 0;) {
        uint32_t character = 0;
        size_t len = printable_decode(rest, &character);
        if (len > 0 && printable_is_shown(character))
            fwrite(rest.data, 1, len, out);
        else
            putc('?', out);
        rest = span_from(rest, len > 0 ? len : 1);
    }
}

json_t *format_json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    struct span span = span_of(text);
    if (span_is_utf8(span))
        return json_stringn_nocheck(span.data, span.len);
    char *ascii = span_duplicate(span);
    if (ascii == NULL)
        return NULL;
    for (char *c = ascii; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    }
    json_t *json = json_string_nocheck(ascii);
    free(ascii);
    return json;
}
