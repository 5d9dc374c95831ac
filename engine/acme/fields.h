/* Fields of the CA's JSON, checked one by one; for the parsers of ACME objects only. An error names
 * the object and the field ("order: finalize is missing") and is fit to be shown. */
#ifndef CERTMILL_ACME_FIELDS_H
#define CERTMILL_ACME_FIELDS_H

#include "base/json.h"

/* Parses the body as one JSON object; `what` is its name for errors. */
bool fields_parse(struct span body, const char *what, json_t **ret_object,
                  struct error *error) MUST_USE;

enum field_need { FIELD_OPTIONAL, FIELD_REQUIRED };

/* Each of these leaves *ret_ untouched, and returns true, when an optional field is missing or
 * null. Texts are made by malloc. */
bool field_url(const json_t *object, const char *what, const char *key, enum field_need need,
               char **ret_url, struct error *error) MUST_USE;
bool field_url_list(const json_t *object, const char *what, const char *key, enum field_need need,
                    size_t max, char ***ret_urls, size_t *ret_count, struct error *error) MUST_USE;

/* Finds the text in `names`; its index goes to *ret_index. */
bool field_status(const json_t *object, const char *what, const char *const *names, size_t count,
                  enum field_need need, unsigned *ret_index, struct error *error) MUST_USE;

/* {"type": "dns" or "ip", "value": ...}: the value in lower case (RFC 8555 section 9.7.7, RFC
 * 8738). */
bool identifier_read(const json_t *identifier, const char *what, char **ret_value,
                     struct error *error) MUST_USE;

void texts_free(char **texts, size_t count); /* the list too; NULL is allowed */

#endif
