/* aws/xml: a reply of STS, S3 or Route 53. */
#include "fuzz.h"

#include "aws/xml.h"

#include <stdlib.h>
#include <string.h>

void fuzz_prepare(void)
{
}

static size_t tree_is_sound(const struct xml_element *element, unsigned depth)
{
    size_t count = 0;
    REQUIRE(depth <= 32);
    for (; element != NULL; element = element->next) {
        REQUIRE(element->name[0] != '\0' && strchr(element->name, '\x1f') == NULL);
        REQUIRE(span_equal(span_trim(element->text), element->text));
        /* expat gives well-formed UTF-8 only. */
        REQUIRE(element->text.len == 0 || span_is_utf8(element->text));
        const struct xml_element *next = xml_next(element);
        REQUIRE(next == NULL || strcmp(next->name, element->name) == 0);
        count += 1 + tree_is_sound(element->first_child, depth + 1);
    }
    return count;
}

/* What is escaped must be read back, but for what XML has no way to write. */
static void text_comes_back(struct span text)
{
    struct arena arena CLEANUP(arena_free);
    struct buf buf CLEANUP(buf_free);
    struct xml_element *root;
    struct error error;
    arena_init(&arena);
    buf_init(&buf, (size_t)1 << 20);
    REQUIRE(buf_append_text(&buf, "<a>") && xml_escape(&buf, text) &&
            buf_append_text(&buf, "</a>"));
    if (xml_parse(buf_span(&buf), &arena, &root, &error))
        REQUIRE(root->first_child == NULL && span_equal(root->text, span_trim(text)));
    else
        fuzz_require_error(&error);
}

void fuzz_input(struct span input)
{
    struct arena arena CLEANUP(arena_free);
    struct xml_element *root = NULL;
    struct error error = {0};
    arena_init(&arena);
    if (xml_parse(input, &arena, &root, &error)) {
        REQUIRE(root != NULL && root->next == NULL && tree_is_sound(root, 1) <= 200000);
        (void)xml_text(root, "Error/Code");
        xml_wipe(root);
    } else {
        fuzz_require_error(&error);
        REQUIRE(root == NULL);
    }
    text_comes_back(input);
}
