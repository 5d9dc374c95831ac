/* Reading JSON from strangers, over jansson: a ceiling on the size, unique keys, UTF-8 checked by
 * the library, typed getters that never return the wrong type. Writing is jansson's own. */
#ifndef CERTMILL_BASE_JSON_H
#define CERTMILL_BASE_JSON_H

#include "base/buf.h"

#include <jansson.h>

/* Parses one JSON object or array of at most `limit` bytes and not nested deeper than 32. The
 * caller releases *ret_json with json_decref. The error says where the text is wrong. */
bool json_parse(struct span text, size_t limit, json_t **ret_json, struct error *error) MUST_USE;

/* NULL when the key is missing, of another type, or longer than `max` bytes. Borrowed. */
const char *json_text(const json_t *object, const char *key, size_t max);
/* NULL unless it is there and an array of at most `max` elements. Borrowed. */
json_t *json_list(const json_t *object, const char *key, size_t max);
/* `fallback` when missing or of another type. */
bool json_flag(const json_t *object, const char *key, bool fallback);
int64_t json_number(const json_t *object, const char *key, int64_t fallback);

/* Appends the compact form, keys in insertion order. */
bool json_append(struct buf *out, const json_t *json) MUST_USE;

void json_release(json_t **json); /* for CLEANUP */

#endif
