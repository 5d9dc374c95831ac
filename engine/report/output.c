#include "report/output.h"

#include "base/clock.h"
#include "report/format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t output_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += !continues_character(*text);
    return width;
}

void output_cell(FILE *out, const char *text, size_t width)
{
    size_t whole = output_width(text);
    size_t kept = whole;
    if (whole > width)
        kept = width > 3 ? width - 3 : width;
    /* In pieces, for the cut must not fall within a character. */
    char piece[256];
    size_t used = 0;
    for (size_t columns = 0; *text != '\0'; text++) {
        if (!continues_character(*text) && columns++ == kept)
            break;
        if (used + 1 == sizeof piece)
            break;
        piece[used++] = *text;
    }
    piece[used] = '\0';
    format_printable(out, piece);
    if (whole > width && width > 3)
        fputs("...", out);
    for (; whole < width; whole++)
        putc(' ', out);
}

char *output_date(int64_t unix_seconds, int64_t now, char *text)
{
    char date[TIME_TEXT_MAX];
    if (unix_seconds == 0) {
        memcpy(text, "-", 2);
        return text;
    }
    int64_t away = unix_seconds > now ? unix_seconds - now : now - unix_seconds;
    int64_t unit = away < (int64_t)2 * SECONDS_PER_HOUR  ? 60
                   : away < (int64_t)2 * SECONDS_PER_DAY ? SECONDS_PER_HOUR
                                                         : SECONDS_PER_DAY;
    snprintf(text, OUTPUT_DATE_MAX, "%.10s (%" PRId64 " %s%s)",
             time_format_rfc3339(unix_seconds, date), away / unit,
             unit == 60                 ? "min"
             : unit == SECONDS_PER_HOUR ? "h"
                                        : "d",
             unix_seconds <= now ? " ago" : "");
    return text;
}

void output_member(json_t **object, const char *key, json_t *value)
{
    if (*object == NULL) {
        json_decref(value);
    } else if (json_object_set_new_nocheck(*object, key, value) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

void output_member_text(json_t **object, const char *key, const char *text)
{
    output_member(object, key, format_json_text(text != NULL && text[0] != '\0' ? text : NULL));
}

void output_member_time(json_t **object, const char *key, int64_t unix_seconds)
{
    char text[TIME_TEXT_MAX];
    output_member_text(object, key,
                       unix_seconds != 0 ? time_format_rfc3339(unix_seconds, text) : NULL);
}

void output_member_count(json_t **object, const char *key, uint64_t count)
{
    output_member(object, key, json_integer((json_int_t)count));
}

bool output_element(FILE *out, json_t *element, bool *first, struct error *error)
{
    if (element == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the output");
    fputs(*first ? "\n" : ",\n", out);
    *first = false;
    int code = json_dumpf(element, out, JSON_COMPACT);
    json_decref(element);
    return code == 0 || error_set(error, ERROR_SYSTEM, "writing the output failed");
}

bool output_end(FILE *out, struct error *error)
{
    errno = 0;
    if (fflush(out) == 0 && !ferror(out))
        return true;
    return errno != 0 ? error_system(error, errno, "writing the output")
                      : error_set(error, ERROR_SYSTEM, "writing the output failed");
}
