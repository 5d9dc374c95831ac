/* A view of bytes: pointer and length by value. Owns nothing and need not end in NUL. */
#ifndef CERTMILL_BASE_SPAN_H
#define CERTMILL_BASE_SPAN_H

#include "base/result.h"

#include <stdint.h>

struct span {
    const char *data;
    size_t len;
};

#define SPAN_LITERAL(text) ((struct span){.data = (text), .len = sizeof(text) - 1})
/* For printf's "%.*s". */
#define SPAN_PRINTF(span) (int)(span).len, (span).data

struct span span_of(const char *text); /* NULL gives the empty span */
struct span span_make(const void *data, size_t len);
bool span_equal(struct span a, struct span b);
bool span_is(struct span a, const char *text);
bool span_equal_nocase(struct span a, struct span b); /* ASCII only */
bool span_starts(struct span a, const char *prefix);
bool span_ends(struct span a, const char *suffix);
int span_compare(struct span a, struct span b);
struct span span_trim(struct span a); /* blanks, tabs, CR and LF on both sides */
struct span span_from(struct span a, size_t offset);

/* Cuts the part before the first `separator` off *rest and returns it; the whole of *rest when
 * there is none, with *rest then {NULL, 0}. Loop while rest.data != NULL. */
struct span span_split(struct span *rest, char separator);

/* Whole decimal numbers only; false on anything else or on overflow past `max`. */
bool span_to_u64(struct span a, uint64_t max, uint64_t *ret_value) MUST_USE;

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms, no NUL). */
bool span_is_utf8(struct span a);

/* A NUL-terminated copy made by malloc, or NULL without memory. The caller frees it. */
char *span_duplicate(struct span a) MUST_USE;

#endif
