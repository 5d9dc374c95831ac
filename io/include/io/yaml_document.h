/* A small YAML file that the program itself keeps: read whole, changed, written back. What the
 * operator added stays, but for comments, which libyaml does not keep. A file that is only read
 * goes through io/yaml.h instead. */
#ifndef CERTMILL_IO_YAML_DOCUMENT_H
#define CERTMILL_IO_YAML_DOCUMENT_H

#include "base/buf.h"

#define YAML_DOCUMENT_MAX ((size_t)64 * 1024 * 1024)

struct yaml_document;
typedef int yaml_node; /* 0: none, or no memory; passing 0 on is harmless and gives 0 */

/* An empty text gives an empty mapping. ERROR_CONFIG with line and column for what is no YAML, has
 * more than one document, or whose root is no mapping. */
bool yaml_document_parse(struct span text, struct yaml_document **ret_document,
                         struct error *error) MUST_USE;
void yaml_document_free(struct yaml_document *document);

yaml_node yaml_root(struct yaml_document *document);
/* The value of a mapping's key; 0 when there is none or it is no mapping. */
yaml_node yaml_get(struct yaml_document *document, yaml_node mapping, const char *key);
bool yaml_is_list(struct yaml_document *document, yaml_node node);
/* A list's element from 0; 0 past the last or when it is no list. */
yaml_node yaml_at(struct yaml_document *document, yaml_node list, size_t index);
/* A text's bytes, until the document is changed; "" for what is no text. */
struct span yaml_text(struct yaml_document *document, yaml_node text);

yaml_node yaml_text_new(struct yaml_document *document, const char *text);
yaml_node yaml_mapping_new(struct yaml_document *document);
yaml_node yaml_list_new(struct yaml_document *document);
/* Sets a key in place, or adds it at the end. False without memory, or when it is no mapping. */
bool yaml_put(struct yaml_document *document, yaml_node mapping, const char *key,
              yaml_node value) MUST_USE;
bool yaml_append(struct yaml_document *document, yaml_node list, yaml_node value) MUST_USE;

/* Writes the document out and ends it: only yaml_document_free may follow. */
bool yaml_document_write(struct yaml_document *document, struct buf *out,
                         struct error *error) MUST_USE;

#endif
