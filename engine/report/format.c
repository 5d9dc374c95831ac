#include "report/format.h"

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

/* C0 controls and DEL, and the C1 controls as UTF-8 (C2 80 to C2 9F), which some terminals obey. */
static size_t control_length(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    unsigned char second = (unsigned char)text[1];
    if (first < 0x20 || first == 0x7f)
        return 1;
    return first == 0xc2 && second >= 0x80 && second <= 0x9f ? 2 : 0;
}

void format_printable(FILE *out, const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t control = control_length(text);
        putc(control > 0 ? '?' : *text, out);
        text += control > 0 ? control : 1;
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
