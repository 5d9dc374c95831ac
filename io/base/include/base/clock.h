/* Reading and writing times. Only the program's edges ask the system for the time; everything else
 * takes `now` as an argument, so that tests need not sleep. */
#ifndef CERTMILL_BASE_CLOCK_H
#define CERTMILL_BASE_CLOCK_H

#include "base/buf.h"

#define SECONDS_PER_HOUR 3600
#define SECONDS_PER_DAY  86400

int64_t clock_monotonic_ms(void); /* for deadlines and intervals */
int64_t clock_unix(void);         /* seconds since 1970-01-01T00:00:00Z */

/* Both take whole dates only and give seconds since 1970 in UTC; false on anything malformed. */
bool time_parse_rfc3339(struct span text, int64_t *ret_unix) MUST_USE; /* RFC 3339 section 5.6 */
bool time_parse_http_date(struct span text,
                          int64_t *ret_unix) MUST_USE; /* RFC 9110 section 5.6.7 */

#define TIME_TEXT_MAX 32
/* "2026-11-23T12:00:00Z". `text` has TIME_TEXT_MAX bytes; returns it. */
char *time_format_rfc3339(int64_t unix_seconds, char *text);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); as above. The program never sets a
 * locale, so that the names are English. */
char *time_format_http_date(int64_t unix_seconds, char *text);

/* Retry-After (RFC 9110 section 10.2.3): seconds or an HTTP-date. Gives the seconds from now, 0 for
 * a date that is past. False when it is neither. */
bool time_parse_retry_after(struct span text, int64_t now_unix, int64_t *ret_seconds) MUST_USE;

#endif
