/* JSON of strangers, read in place: a value is a span of the text that was read, and nothing is
 * allocated. jansson takes 6 to 12 us an object and a POST holds three of them, as much as the
 * signature's check; this takes well below one. */
#ifndef CERTMILL_CA_ACME_JSON_IN_H
#define CERTMILL_CA_ACME_JSON_IN_H

#include "base/arena.h"

#define CA_JSON_DEPTH_MAX   16
#define CA_JSON_MEMBERS_MAX 32 /* of one object */

enum ca_json_kind {
    CA_JSON_NONE, /* is not there */
    CA_JSON_OBJECT,
    CA_JSON_ARRAY,
    CA_JSON_STRING,
    CA_JSON_NUMBER,
    CA_JSON_TRUE,
    CA_JSON_FALSE,
    CA_JSON_NULL,
};

struct ca_json {
    enum ca_json_kind kind;
    struct span text; /* what is between the brackets or the quotes, else the whole token */
};

/* Reads a whole document: RFC 8259, UTF-8, no NUL in strings, no member twice. */
bool ca_json_read(struct span text, struct ca_json *ret_value) MUST_USE;

/* Takes the next member off an object's text, or the next element off an array's. The text is of a
 * value that ca_json_read took. */
bool ca_json_member(struct span *rest, struct span *ret_key, struct ca_json *ret_value) MUST_USE;
bool ca_json_element(struct span *rest, struct ca_json *ret_value) MUST_USE;

/* Kind CA_JSON_NONE when it is not there, or `object` is none. A name written with escapes is not
 * found: nobody writes ACME's names so. */
struct ca_json ca_json_get(struct ca_json object, const char *name);

/* A string without its escapes; in the text itself when it has none, else in the arena. */
bool ca_json_string(struct ca_json value, struct arena *arena, struct span *ret_text) MUST_USE;

#endif
