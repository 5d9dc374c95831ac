/* STATE/enrolled.yaml: the manifest that "certmill enroll" keeps, so that what was enrolled without
 * a manifest of the operator's own is renewed by the same run as everything else. The operator may
 * edit it; comments are lost when the next enrolment writes it. */
#ifndef CERTMILL_CONFIG_ENROLLED_H
#define CERTMILL_CONFIG_ENROLLED_H

#include "config/manifest.h"

#define ENROLLED_FILE "enrolled.yaml"

/* What the command line said; NULL and zero: nothing. */
struct enrolment {
    const char *accounts_file; /* absolute or s3://; needed when the file is new */
    const char *name;
    bool name_chosen; /* by the operator; else an entry of this name must have the same domains */
    const char *account;
    const char *domains; /* separated by commas */
    const char *key_type;
    const char *key_size;
    const char *challenge;
    bool acm; /* import: adds the target, unless the entry has it */
    const char *profile, *region, *arn;
};

/* Puts the enrolment into the manifest's text ("": there is no file yet): a new entry, or what it
 * says in place of what the entry of this name said. *ret_is_new: the entry is new. The result is
 * not checked: read it with manifest_read. ERROR_CONFIG when the text is no manifest, or names
 * another accounts file. */
bool enrolled_put(struct span text, const struct enrolment *enrolment, struct buf *out,
                  bool *ret_is_new, struct error *error) MUST_USE;

#endif
