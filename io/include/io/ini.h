/* INI files as the AWS CLI reads ~/.aws/config and ~/.aws/credentials, which is as Python's
 * configparser does it (docs.python.org, "Supported INI File Structure"): a line that is indented
 * deeper than its key goes on with the value; "=" or ":" ends a key; a whole line that begins with
 * "#" or ";" is a comment, behind a value it is none. Keys are folded to lower case, section names
 * are kept. Where the value's own line is empty, its lines are keys and values once more:
 *
 *     [services dev]
 *     s3 =
 *       endpoint_url = http://localhost:5000
 *
 * More is taken than the AWS CLI takes: a byte order mark, and a section or key that comes twice
 * (sections are merged, the later value of a key counts). */
#ifndef CERTMILL_IO_INI_H
#define CERTMILL_IO_INI_H

#include "base/span.h"

#define INI_BYTES_MAX    ((size_t)1 << 20)
#define INI_SECTIONS_MAX 5000
#define INI_KEYS_MAX     1000 /* of one section */

struct ini;

/* Copies the text, and wipes the copy when it is freed. ERROR_CONFIG for what is no INI and
 * ERROR_LIMIT past a ceiling say "FILE:LINE: " and what is wrong, and quote nothing of the file. */
bool ini_read_text(struct span text, const char *file, struct ini **ret_ini,
                   struct error *error) MUST_USE;
/* ERROR_NOT_FOUND when there is no such file. */
bool ini_read_file(const char *path, struct ini **ret_ini, struct error *error) MUST_USE;
void ini_free(struct ini *ini); /* NULL is allowed */

/* The sections in the order in which they first come. All texts live as long as the ini. */
size_t ini_section_count(const struct ini *ini);
const char *ini_section_name(const struct ini *ini, size_t section);
size_t ini_section_line(const struct ini *ini, size_t section);

/* NULL when the section has no such key (in lower case). The lines of a value are joined by '\n'.
 */
const char *ini_value(const struct ini *ini, size_t section, const char *key);
/* What `name` (case matters) is among the lines below an empty value: {NULL, 0} when it is not
 * there. */
struct span ini_nested(const char *value, const char *name);

#endif
