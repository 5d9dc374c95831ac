/* What `certmill plan` shows. */
#ifndef CERTMILL_PLAN_PLAN_PRINT_H
#define CERTMILL_PLAN_PLAN_PRINT_H

#include "plan/forecast.h"

#include <stdio.h>

#define PLAN_PRINT_LINES 50

/* For people: a line for each of the first `lines` due certificates (0: PLAN_PRINT_LINES) with the
 * reason in words, then totals, when the next of the others is due, and the forecast (NULL: none).
 */
bool plan_print_text(FILE *out, const struct manifest *manifest, const struct plan *plan,
                     const struct forecast *forecast, int64_t now, size_t lines,
                     struct error *error) MUST_USE;

/* For programs, element by element: {"due":[...],"later":[...],"counts":{...},"forecast":{...}}.
 * "later" is empty when the plan was made without want_later, "forecast" is left out without one.
 * Times are RFC 3339, null where there is none. */
bool plan_print_json(FILE *out, const struct manifest *manifest, const struct plan *plan,
                     const struct forecast *forecast, struct error *error) MUST_USE;

/* Why the item is due, as in "expires within 30 days". Writes at most `size` bytes, returns
 * `text`. */
char *plan_reason_words(const struct manifest_entry *entry, const struct plan_item *item,
                        char *text, size_t size);

#endif
