/* Numbers, durations and strangers' texts as people read them. */
#ifndef CERTMILL_REPORT_FORMAT_H
#define CERTMILL_REPORT_FORMAT_H

#include "base/json.h"
#include "base/span.h"

#include <stdio.h>

#define FORMAT_MAX 32

/* Each fills `text` of FORMAT_MAX bytes and returns it. */
char *format_count(uint64_t count, char *text); /* "1,234,567" */
char *format_duration(double seconds,
                      char *text); /* "0.4 s", "21 s", "3 min 20 s", "2 h 5 min", "3 d 4 h" */
/* "1 certificate", "1,234 certificates": the count and the noun with or without its "s". */
char *format_certificates(uint64_t count, char *text);

/* Writes the text with every control character replaced by "?": what a CA or a hook said must not
 * move the cursor of the operator's terminal. NULL writes nothing. */
void format_printable(FILE *out, const char *text);

/* A JSON string of the text, bytes that are not UTF-8 replaced by "?". NULL gives JSON null; NULL
 * comes back only without memory. */
json_t *format_json_text(const char *text) MUST_USE;

#endif
