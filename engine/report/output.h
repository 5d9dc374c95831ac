/* Tables for people and JSON for programs, written to a stream as they come: a list of 1,000,000
 * certificates is never held as a whole. */
#ifndef CERTMILL_REPORT_OUTPUT_H
#define CERTMILL_REPORT_OUTPUT_H

#include "base/json.h"

#include <stdio.h>

/* How many columns of a terminal the text takes, at one a character. */
size_t output_width(const char *text);

/* Writes the text in exactly `width` columns: filled up with blanks, or cut and ended in "...".
 * Control characters become "?": names of issuers and errors are the CA's words. */
void output_cell(FILE *out, const char *text, size_t width);

/* "2026-12-01 (8 d)", "2026-11-20 (3 d ago)", within two days "2026-12-01 (20 h)",
 * within two hours "2026-12-01 (5 min)"; "-" for 0. `text` has OUTPUT_DATE_MAX bytes; returns it.
 */
#define OUTPUT_DATE_MAX 64
char *output_date(int64_t unix_seconds, int64_t now, char *text);

/* Put a member into *object. When memory ends, *object is released and becomes NULL, and further
 * calls do nothing: check once, at the end. */
void output_member(json_t **object, const char *key, json_t *value); /* takes the value over */
void output_member_text(json_t **object, const char *key, const char *text); /* "" and NULL: null */
void output_member_time(json_t **object, const char *key, int64_t unix_seconds); /* 0: null */
void output_member_count(json_t **object, const char *key, uint64_t count);

/* Writes one element of an array and releases it; NULL fails for want of memory. *first says
 * whether a comma goes before it, and becomes false. */
bool output_element(FILE *out, json_t *element, bool *first, struct error *error) MUST_USE;

/* Flushes; fails when anything written to the stream was lost. */
bool output_end(FILE *out, struct error *error) MUST_USE;

#endif
