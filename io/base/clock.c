#include "base/clock.h"

#include <string.h>
#include <time.h>

int64_t clock_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_unix(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

/* Takes exactly `digits` decimal digits off the front. */
static bool take_number(struct span *text, size_t digits, int *ret_value)
{
    uint64_t value;
    if (text->len < digits || !span_to_u64(span_make(text->data, digits), 9999, &value))
        return false;
    *text = span_from(*text, digits);
    *ret_value = (int)value;
    return true;
}

static bool take_char(struct span *text, const char *one_of)
{
    if (text->len == 0 || strchr(one_of, text->data[0]) == NULL || text->data[0] == '\0')
        return false;
    *text = span_from(*text, 1);
    return true;
}

static bool to_unix(const struct tm *tm, int64_t *ret_unix)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (tm->tm_year < 0 || tm->tm_mon < 0 || tm->tm_mon > 11 || tm->tm_mday < 1 ||
        tm->tm_mday > days[tm->tm_mon] || tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
        return false;
    struct tm copy = *tm;
    time_t seconds = timegm(&copy);
    *ret_unix = (int64_t)seconds;
    return true;
}

bool time_parse_rfc3339(struct span text, int64_t *ret_unix)
{
    struct tm tm = {0};
    int year;
    int month;
    if (!take_number(&text, 4, &year) || !take_char(&text, "-") || !take_number(&text, 2, &month) ||
        !take_char(&text, "-") || !take_number(&text, 2, &tm.tm_mday) || !take_char(&text, "Tt ") ||
        !take_number(&text, 2, &tm.tm_hour) || !take_char(&text, ":") ||
        !take_number(&text, 2, &tm.tm_min) || !take_char(&text, ":") ||
        !take_number(&text, 2, &tm.tm_sec))
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    if (text.len > 0 && text.data[0] == '.') {
        size_t fraction = 1;
        while (fraction < text.len && text.data[fraction] >= '0' && text.data[fraction] <= '9')
            fraction++;
        if (fraction == 1)
            return false;
        text = span_from(text, fraction);
    }
    int64_t offset = 0;
    if (text.len == 1 && (text.data[0] == 'Z' || text.data[0] == 'z')) {
        text = span_from(text, 1);
    } else {
        int hours;
        int minutes;
        bool behind = text.len > 0 && text.data[0] == '-';
        if (!take_char(&text, "+-") || !take_number(&text, 2, &hours) || !take_char(&text, ":") ||
            !take_number(&text, 2, &minutes) || hours > 23 || minutes > 59)
            return false;
        offset = ((int64_t)hours * 60 + minutes) * 60 * (behind ? -1 : 1);
    }
    int64_t seconds;
    if (text.len != 0 || !to_unix(&tm, &seconds))
        return false;
    *ret_unix = seconds - offset;
    return true;
}

bool time_parse_http_date(struct span text, int64_t *ret_unix)
{
    /* IMF-fixdate first, then the two obsolete forms that recipients must accept. */
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    char copy[64];
    text = span_trim(text);
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(copy, forms[i], &tm);
        if (end != NULL && *end == '\0')
            return to_unix(&tm, ret_unix);
    }
    return false;
}

char *time_format_rfc3339(int64_t unix_seconds, char *text)
{
    time_t seconds = (time_t)unix_seconds;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        memcpy(text, "-", 2);
    return text;
}

char *time_format_http_date(int64_t unix_seconds, char *text)
{
    time_t seconds = (time_t)unix_seconds;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, TIME_TEXT_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        memcpy(text, "-", 2);
    return text;
}

bool time_parse_retry_after(struct span text, int64_t now_unix, int64_t *ret_seconds)
{
    text = span_trim(text);
    uint64_t seconds;
    if (span_to_u64(text, INT32_MAX, &seconds)) {
        *ret_seconds = (int64_t)seconds;
        return true;
    }
    int64_t at;
    if (!time_parse_http_date(text, &at))
        return false;
    *ret_seconds = at > now_unix ? at - now_unix : 0;
    return true;
}
