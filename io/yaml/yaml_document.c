#include "io/yaml_document.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define LINE_WIDTH 100

struct yaml_document {
    yaml_document_t tree;
    bool written; /* the emitter has freed the tree */
};

static bool parse_failed(const yaml_parser_t *parser, struct error *error)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(error, ERROR_MEMORY, "no memory to read it");
    return error_set(error, ERROR_CONFIG, "line %zu, column %zu: %s", parser->problem_mark.line + 1,
                     parser->problem_mark.column + 1,
                     parser->problem != NULL ? parser->problem : "this is no YAML");
}

static bool tree_make(yaml_document_t *tree, struct error *error)
{
    if (yaml_document_initialize(tree, NULL, NULL, NULL, 1, 1) == 0)
        return error_set(error, ERROR_MEMORY, "no memory for a YAML document");
    if (yaml_document_add_mapping(tree, NULL, YAML_BLOCK_MAPPING_STYLE) != 0)
        return true;
    yaml_document_delete(tree);
    return error_set(error, ERROR_MEMORY, "no memory for a YAML document");
}

/* One document with a mapping, and the end of the text after it. */
static bool tree_load(yaml_parser_t *parser, yaml_document_t *tree, struct error *error)
{
    yaml_document_t next;
    if (yaml_parser_load(parser, tree) == 0)
        return parse_failed(parser, error);
    const yaml_node_t *root = yaml_document_get_root_node(tree);
    if (root == NULL) {
        yaml_document_delete(tree);
        return tree_make(tree, error);
    }
    bool ok = root->type == YAML_MAPPING_NODE ||
              error_set(error, ERROR_CONFIG, "line %zu: a mapping is needed here",
                        root->start_mark.line + 1);
    if (ok && yaml_parser_load(parser, &next) == 0) {
        ok = parse_failed(parser, error);
    } else if (ok) {
        ok = yaml_document_get_root_node(&next) == NULL ||
             error_set(error, ERROR_CONFIG, "a second YAML document begins in it");
        yaml_document_delete(&next);
    }
    if (!ok)
        yaml_document_delete(tree);
    return ok;
}

bool yaml_document_parse(struct span text, struct yaml_document **ret_document, struct error *error)
{
    yaml_parser_t parser;
    if (text.len > YAML_DOCUMENT_MAX)
        return error_set(error, ERROR_LIMIT, "it is longer than %zu bytes", YAML_DOCUMENT_MAX);
    struct yaml_document *document = calloc(1, sizeof *document);
    if (document == NULL || yaml_parser_initialize(&parser) == 0) {
        free(document);
        return error_set(error, ERROR_MEMORY, "no memory to read it");
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.len);
    bool ok = tree_load(&parser, &document->tree, error);
    yaml_parser_delete(&parser);
    if (!ok) {
        free(document);
        return false;
    }
    *ret_document = document;
    return true;
}

void yaml_document_free(struct yaml_document *document)
{
    if (document != NULL && !document->written)
        yaml_document_delete(&document->tree);
    free(document);
}

static yaml_node_t *node_of(struct yaml_document *document, yaml_node node, yaml_node_type_t type)
{
    yaml_node_t *found = node > 0 ? yaml_document_get_node(&document->tree, node) : NULL;
    return found != NULL && found->type == type ? found : NULL;
}

yaml_node yaml_root(struct yaml_document *document)
{
    (void)document;
    return 1;
}

struct span yaml_text(struct yaml_document *document, yaml_node text)
{
    const yaml_node_t *node = node_of(document, text, YAML_SCALAR_NODE);
    return node != NULL ? span_make((const char *)node->data.scalar.value, node->data.scalar.length)
                        : span_make("", 0);
}

static yaml_node_pair_t *pair_of(struct yaml_document *document, yaml_node mapping, const char *key)
{
    yaml_node_t *node = node_of(document, mapping, YAML_MAPPING_NODE);
    if (node == NULL)
        return NULL;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        if (span_is(yaml_text(document, pair->key), key))
            return pair;
    return NULL;
}

yaml_node yaml_get(struct yaml_document *document, yaml_node mapping, const char *key)
{
    const yaml_node_pair_t *pair = pair_of(document, mapping, key);
    return pair != NULL ? pair->value : 0;
}

bool yaml_is_list(struct yaml_document *document, yaml_node node)
{
    return node_of(document, node, YAML_SEQUENCE_NODE) != NULL;
}

yaml_node yaml_at(struct yaml_document *document, yaml_node list, size_t index)
{
    const yaml_node_t *node = node_of(document, list, YAML_SEQUENCE_NODE);
    if (node == NULL)
        return 0;
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    return index < count ? node->data.sequence.items.start[index] : 0;
}

yaml_node yaml_text_new(struct yaml_document *document, const char *text)
{
    return yaml_document_add_scalar(&document->tree, NULL, (const unsigned char *)text, -1,
                                    YAML_ANY_SCALAR_STYLE);
}

yaml_node yaml_mapping_new(struct yaml_document *document)
{
    return yaml_document_add_mapping(&document->tree, NULL, YAML_ANY_MAPPING_STYLE);
}

yaml_node yaml_list_new(struct yaml_document *document)
{
    return yaml_document_add_sequence(&document->tree, NULL, YAML_ANY_SEQUENCE_STYLE);
}

bool yaml_put(struct yaml_document *document, yaml_node mapping, const char *key, yaml_node value)
{
    yaml_node_pair_t *pair = pair_of(document, mapping, key);
    if (value == 0 || node_of(document, mapping, YAML_MAPPING_NODE) == NULL)
        return false;
    if (pair != NULL) {
        pair->value = value;
        return true;
    }
    yaml_node name = yaml_text_new(document, key);
    return name != 0 &&
           yaml_document_append_mapping_pair(&document->tree, mapping, name, value) != 0;
}

bool yaml_append(struct yaml_document *document, yaml_node list, yaml_node value)
{
    return value != 0 && node_of(document, list, YAML_SEQUENCE_NODE) != NULL &&
           yaml_document_append_sequence_item(&document->tree, list, value) != 0;
}

static int append(void *context, unsigned char *bytes, size_t size)
{
    return buf_append(context, bytes, size);
}

bool yaml_document_write(struct yaml_document *document, struct buf *out, struct error *error)
{
    yaml_emitter_t emitter;
    if (yaml_emitter_initialize(&emitter) == 0)
        return error_set(error, ERROR_MEMORY, "no memory to write YAML");
    yaml_emitter_set_output(&emitter, append, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, LINE_WIDTH);
    document->written = true;
    bool ok = yaml_emitter_open(&emitter) != 0 && yaml_emitter_dump(&emitter, &document->tree) != 0;
    if (ok)
        ok = yaml_emitter_close(&emitter) != 0;
    if (!ok)
        error_set(error, emitter.error == YAML_MEMORY_ERROR ? ERROR_MEMORY : ERROR_LIMIT,
                  "writing YAML: %s", emitter.problem != NULL ? emitter.problem : "no memory");
    yaml_emitter_delete(&emitter);
    return ok;
}
