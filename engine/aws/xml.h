/* Replies in XML (S3, STS, Route 53), read by expat with ceilings; no DTD is accepted. */
#ifndef CERTMILL_AWS_XML_H
#define CERTMILL_AWS_XML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/result.h"

struct xml_element {
    const char *name; /* without namespace */
    struct span text; /* of the element itself, blanks around it trimmed */
    struct xml_element *first_child, *next;
};

/* The whole document as a tree in the arena: at most 8 MiB, 32 deep, 200,000 elements.
 * ERROR_PROTOCOL says where it is wrong. */
bool xml_parse(struct span text, struct arena *arena, struct xml_element **ret_root,
               struct error *error) MUST_USE;
/* Overwrites the texts of the tree, for an answer that holds secrets: the arena does not. The root
 * comes from xml_parse. */
void xml_wipe(struct xml_element *root);
/* The child that a path such as "AssumeRoleResult/Credentials/AccessKeyId" leads to (the first at
 * each step); NULL when there is none. */
const struct xml_element *xml_find(const struct xml_element *element, const char *path);
struct span xml_text(const struct xml_element *element, const char *path); /* "" when not there */
const struct xml_element *xml_next(const struct xml_element *element); /* the next of this name */

/* Appends text with & < > " ' and control characters as character references. */
bool xml_escape(struct buf *out, struct span text) MUST_USE;

#endif
