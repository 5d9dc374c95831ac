#include "aws/xml.h"

#include <expat.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)8 * 1024 * 1024)
#define DEPTH_MAX    32
#define ELEMENTS_MAX 200000
/* Between a namespace and a name; stands in neither. */
#define NAMESPACE_END '\x1f'

/* An element whose end is still to come. */
struct open_element {
    struct xml_element *element;
    struct xml_element *last_child;
    struct buf text;
};

struct reader {
    XML_Parser parser;
    struct arena *arena;
    struct xml_element *root;
    struct open_element open[DEPTH_MAX];
    size_t depth;
    size_t elements;
    const char *refused; /* why it is given up; NULL: not by us */
    bool no_memory;
};

/* expat's memory holds parts of the document, and STS answers with credentials. */

static void *memory_take(size_t size)
{
    return malloc(size);
}

static void memory_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

static void *memory_grow(void *memory, size_t size)
{
    void *larger = malloc(size);
    if (larger == NULL || memory == NULL)
        return larger;
    size_t old = malloc_usable_size(memory);
    memcpy(larger, memory, old < size ? old : size);
    memory_free(memory);
    return larger;
}

/* Building the tree. */

static void refuse(struct reader *reader, const char *why)
{
    if (reader->refused == NULL)
        reader->refused = why;
    (void)XML_StopParser(reader->parser, XML_FALSE);
}

static void out_of_memory(struct reader *reader)
{
    reader->no_memory = true;
    refuse(reader, "no memory");
}

static void element_begins(void *context, const char *name, const char **attributes)
{
    (void)attributes;
    struct reader *reader = context;
    if (reader->refused != NULL)
        return;
    if (reader->depth == DEPTH_MAX || reader->elements == ELEMENTS_MAX) {
        refuse(reader, reader->depth == DEPTH_MAX ? "too deep" : "too many elements");
        return;
    }
    const char *local = strrchr(name, NAMESPACE_END);
    struct xml_element *element = arena_alloc(reader->arena, sizeof *element);
    char *copy = arena_text(reader->arena, span_of(local != NULL ? local + 1 : name));
    if (element == NULL || copy == NULL) {
        out_of_memory(reader);
        return;
    }
    element->name = copy;
    reader->elements++;
    struct open_element *parent = reader->depth > 0 ? &reader->open[reader->depth - 1] : NULL;
    if (parent == NULL)
        reader->root = element;
    else if (parent->last_child == NULL)
        parent->element->first_child = element;
    else
        parent->last_child->next = element;
    if (parent != NULL)
        parent->last_child = element;
    struct open_element *open = &reader->open[reader->depth++];
    *open = (struct open_element){.element = element};
    buf_init_secret(&open->text, DOCUMENT_MAX);
}

static void element_ends(void *context, const char *name)
{
    (void)name;
    struct reader *reader = context;
    if (reader->refused != NULL)
        return;
    struct open_element *open = &reader->open[--reader->depth];
    struct span text = span_trim(buf_span(&open->text));
    if (text.len > 0) {
        char *copy = arena_text(reader->arena, text);
        if (copy == NULL)
            out_of_memory(reader);
        else
            open->element->text = span_make(copy, text.len);
    }
    buf_free(&open->text);
}

static void text_comes(void *context, const char *text, int len)
{
    struct reader *reader = context;
    if (reader->refused != NULL || reader->depth == 0)
        return;
    if (!buf_append(&reader->open[reader->depth - 1].text, text, (size_t)len))
        out_of_memory(reader);
}

/* Entities are what makes small documents large (and asks for files). */
static void doctype_begins(void *context, const char *name, const char *system_id,
                           const char *public_id, int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    refuse(context, "a document type declaration, which is not accepted");
}

static bool reader_run(struct reader *reader, struct span text, struct error *error)
{
    XML_SetUserData(reader->parser, reader);
    XML_SetElementHandler(reader->parser, element_begins, element_ends);
    XML_SetCharacterDataHandler(reader->parser, text_comes);
    XML_SetStartDoctypeDeclHandler(reader->parser, doctype_begins);
    if (XML_Parse(reader->parser, text.data, (int)text.len, XML_TRUE) == XML_STATUS_OK)
        return true;
    if (reader->no_memory)
        return error_set(error, ERROR_MEMORY, "no memory for an XML document");
    const char *why = reader->refused != NULL ? reader->refused
                                              : XML_ErrorString(XML_GetErrorCode(reader->parser));
    return error_set(error, ERROR_PROTOCOL, "XML, line %lu, column %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(reader->parser),
                     (unsigned long)XML_GetCurrentColumnNumber(reader->parser) + 1, why);
}

bool xml_parse(struct span text, struct arena *arena, struct xml_element **ret_root,
               struct error *error)
{
    if (text.len > DOCUMENT_MAX)
        return error_set(error, ERROR_LIMIT, "an XML document of more than 8 MiB");
    if (text.len == 0)
        return error_set(error, ERROR_PROTOCOL, "an XML document that is empty");
    static const XML_Memory_Handling_Suite memory = {memory_take, memory_grow, memory_free};
    const char separator[] = {NAMESPACE_END, '\0'};
    struct reader reader = {.parser = XML_ParserCreate_MM(NULL, &memory, separator),
                            .arena = arena};
    if (reader.parser == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an XML document");
    bool ok = reader_run(&reader, text, error);
    while (reader.depth > 0)
        buf_free(&reader.open[--reader.depth].text);
    XML_ParserFree(reader.parser);
    if (ok)
        *ret_root = reader.root;
    else
        xml_wipe(reader.root); /* nobody else can, and it may hold a secret */
    return ok;
}

void xml_wipe(struct xml_element *root)
{
    for (struct xml_element *element = root; element != NULL; element = element->next) {
        /* Ours, in the arena: a span only shows it as constant. */
        if (element->text.len > 0)
            explicit_bzero((char *)(uintptr_t)element->text.data, element->text.len);
        xml_wipe(element->first_child);
    }
}

/* Reading the tree. */

static const struct xml_element *named(const struct xml_element *element, struct span name)
{
    while (element != NULL && !span_is(name, element->name))
        element = element->next;
    return element;
}

const struct xml_element *xml_find(const struct xml_element *element, const char *path)
{
    struct span rest = span_of(path);
    while (rest.data != NULL && element != NULL)
        element = named(element->first_child, span_split(&rest, '/'));
    return element;
}

struct span xml_text(const struct xml_element *element, const char *path)
{
    const struct xml_element *found = xml_find(element, path);
    return found != NULL ? found->text : span_of(NULL);
}

const struct xml_element *xml_next(const struct xml_element *element)
{
    return named(element->next, span_of(element->name));
}

bool xml_escape(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f || strchr("&<>\"'", c) != NULL)
            TRY(buf_printf(out, "&#x%X;", c));
        else
            TRY(buf_append_char(out, (char)c));
    }
    return true;
}
