#include "der.h"

#include <string.h>
#include <time.h>

#define YEAR_2050 INT64_C(2524608000)

bool der_next(struct span *rest, unsigned *ret_tag, struct span *ret_content)
{
    const unsigned char *at = (const unsigned char *)rest->data;
    if (rest->len < 2 || (at[0] & 0x1f) == 0x1f)
        return false;
    size_t header = 2;
    size_t len = at[1];
    if (len >= 0x80) {
        size_t digits = len & 0x7f;
        if (digits == 0 || digits > 4 || rest->len < header + digits || at[2] == 0)
            return false;
        len = 0;
        for (size_t i = 0; i < digits; i++)
            len = len << 8 | at[header + i];
        if (len < 0x80)
            return false;
        header += digits;
    }
    if (len > rest->len - header)
        return false;
    *ret_tag = at[0];
    *ret_content = span_make(rest->data + header, len);
    *rest = span_from(*rest, header + len);
    return true;
}

bool der_take(struct span *rest, unsigned tag, struct span *ret_content)
{
    struct span after = *rest;
    unsigned found;
    struct span content;
    if (!der_next(&after, &found, &content) || found != tag)
        return false;
    *rest = after;
    *ret_content = content;
    return true;
}

bool der_take_whole(struct span *rest, unsigned tag, struct span *ret_element)
{
    const char *start = rest->data;
    struct span content;
    TRY(der_take(rest, tag, &content));
    *ret_element = span_make(start, (size_t)(content.data + content.len - start));
    return true;
}

bool der_skip(struct span *rest, unsigned tag)
{
    struct span content;
    return der_take(rest, tag, &content);
}

/* Days since 1970-01-01 in the Gregorian calendar, for years from 0 on: certificates may name years
 * that struct tm's helpers refuse. March comes first, so that the leap day is a year's last. */
static int64_t days_from_date(int year, int month, int day)
{
    int shifted_year = month <= 2 ? year + 399 : year + 400; /* never negative */
    int shifted_month = month <= 2 ? month + 9 : month - 3;
    int64_t era = shifted_year / 400;
    int year_of_era = shifted_year % 400;
    int day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (era - 1) * 146097 + day_of_era - 719468;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

bool der_time(unsigned tag, struct span content, int64_t *ret_unix)
{
    size_t year_digits = tag == DER_UTC_TIME ? 2 : 4;
    if ((tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) || content.len != year_digits + 11 ||
        content.data[content.len - 1] != 'Z')
        return false;
    for (size_t i = 0; i + 1 < content.len; i++)
        if (content.data[i] < '0' || content.data[i] > '9')
            return false;
    const char *at = content.data;
    int year = two_digits(at);
    if (tag == DER_UTC_TIME) {
        year += year < 50 ? 2000 : 1900;
    } else {
        at += 2;
        year = year * 100 + two_digits(at);
    }
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int month = two_digits(at + 2);
    int day = two_digits(at + 4);
    int hour = two_digits(at + 6);
    int minute = two_digits(at + 8);
    int second = two_digits(at + 10);
    if (month < 1 || month > 12 || day < 1 ||
        day > days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    *ret_unix = ((days_from_date(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

void der_writer_init(struct der_writer *writer, void *buffer, size_t size)
{
    unsigned char *start = buffer;
    *writer = (struct der_writer){.start = start, .at = start + size, .end = start + size};
}

size_t der_written(const struct der_writer *writer)
{
    return (size_t)(writer->end - writer->at);
}

void der_put(struct der_writer *writer, const void *bytes, size_t len)
{
    if (writer->full || len > (size_t)(writer->at - writer->start)) {
        writer->full = true;
        return;
    }
    writer->at -= len;
    if (len > 0)
        memcpy(writer->at, bytes, len);
}

static void put_byte(struct der_writer *writer, size_t byte)
{
    unsigned char one = (unsigned char)byte;
    der_put(writer, &one, 1);
}

void der_put_header(struct der_writer *writer, unsigned tag, size_t len)
{
    if (len < 0x80) {
        put_byte(writer, len);
    } else {
        size_t digits = 0;
        for (size_t left = len; left > 0; left >>= 8, digits++)
            put_byte(writer, left & 0xff);
        put_byte(writer, 0x80 | digits);
    }
    put_byte(writer, tag);
}

void der_wrap(struct der_writer *writer, unsigned tag, size_t written)
{
    der_put_header(writer, tag, der_written(writer) - written);
}

void der_put_element(struct der_writer *writer, unsigned tag, const void *content, size_t len)
{
    size_t mark = der_written(writer);
    der_put(writer, content, len);
    der_wrap(writer, tag, mark);
}

void der_put_unsigned(struct der_writer *writer, const unsigned char *number, size_t len)
{
    while (len > 1 && number[0] == 0) {
        number++;
        len--;
    }
    size_t mark = der_written(writer);
    der_put(writer, number, len);
    if (len == 0 || (number[0] & 0x80) != 0)
        put_byte(writer, 0);
    der_wrap(writer, DER_INTEGER, mark);
}

void der_put_time(struct der_writer *writer, int64_t unix_seconds)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)unix_seconds;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &parts) == 0)
        writer->full = true;
    else if (unix_seconds < YEAR_2050) /* without the century */
        der_put_element(writer, DER_UTC_TIME, text + 2, strlen(text + 2));
    else
        der_put_element(writer, DER_GENERALIZED_TIME, text, strlen(text));
}
