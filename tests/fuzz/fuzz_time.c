/* io/base/clock: the dates of RFC 3339, HTTP dates and Retry-After; and of certificates. */
#include "fuzz.h"

#include "base/clock.h"
#include "der.h"

#define NOW 1790000000 /* 2026-09-21 */
/* Dates have years of four digits, and an offset of less than a day: nothing else comes out. */
#define UNIX_MIN (-62167219200 - SECONDS_PER_DAY) /* 0000-01-01 */
#define UNIX_MAX (253402300800 + SECONDS_PER_DAY) /* 10000-01-01 */

void fuzz_prepare(void)
{
}

static void formats_back(int64_t at)
{
    char text[TIME_TEXT_MAX];
    int64_t again;
    REQUIRE(at >= UNIX_MIN && at <= UNIX_MAX);
    fuzz_require_line(time_format_rfc3339(at, text));
    if (at >= -2208988800 && at < 253402300800) { /* 1900 to 9999 */
        REQUIRE(time_parse_rfc3339(span_of(text), &again));
        REQUIRE(again == at);
    }
}

void fuzz_input(struct span input)
{
    int64_t value;
    if (time_parse_rfc3339(input, &value))
        formats_back(value);
    if (time_parse_http_date(input, &value))
        formats_back(value);
    if (der_time(DER_UTC_TIME, input, &value))
        formats_back(value);
    if (der_time(DER_GENERALIZED_TIME, input, &value))
        formats_back(value);
    if (time_parse_retry_after(input, NOW, &value))
        REQUIRE(value >= 0 && value <= UNIX_MAX);
}
