/* io/yaml: items with their places, what is refused, and every ceiling. */
#include "check.h"

#include "base/buf.h"
#include "io/yaml.h"

#include <fcntl.h>
#include <unistd.h>

static const struct yaml_options usual = {
    .bytes_max = 1000000, .text_max = 100, .gap_max = 200000, .depth_max = 4, .secret = true};

/* All items as one text: "{name [a b] }" and so on. */
static bool items_join(struct span text, const struct yaml_options *options, struct buf *out,
                       struct error *error)
{
    struct yaml_reader *reader = NULL;
    struct yaml_item item;
    bool read = true;
    CHECK_OK(yaml_open_text(text, options, &reader, error), *error);
    for (;;) {
        read = yaml_next(reader, &item, error);
        if (!read || item.kind == YAML_END)
            break;
        static const char *const marks[] = {[YAML_MAPPING] = "{",
                                            [YAML_MAPPING_END] = "}",
                                            [YAML_LIST] = "[",
                                            [YAML_LIST_END] = "]"};
        if (item.kind == YAML_TEXT)
            CHECK(buf_printf(out, "%s(%zu:%zu)", item.text.data, item.line, item.column));
        else
            CHECK(buf_append_text(out, marks[item.kind]));
    }
    if (!read) {
        size_t line, column;
        struct error again;
        yaml_place(reader, &line, &column);
        CHECK(buf_printf(out, "!%zu:%zu", line, column));
        CHECK(!yaml_next(reader, &item, &again));
        CHECK_TEXT(again.text, error->text);
    } else {
        CHECK_OK(yaml_next(reader, &item, error), *error);
        CHECK_INT(item.kind, YAML_END);
    }
    yaml_close(reader);
    return read;
}

static void check_items(struct span text, const char *expected)
{
    struct error error;
    struct buf out CLEANUP(buf_free);
    buf_init(&out, 100000);
    CHECK_OK(items_join(text, &usual, &out, &error), error);
    CHECK_TEXT(buf_text(&out), expected);
}

static void check_refused(struct span text, const char *place, const char *expected)
{
    struct error error;
    struct buf out CLEANUP(buf_free);
    buf_init(&out, 4000000);
    CHECK(!items_join(text, &usual, &out, &error));
    CHECK_CONTAINS(error.text, expected);
    CHECK_TEXT(strchr(buf_text(&out), '!'), place);
}

static void items_come_in_order_with_places(void)
{
    check_items(SPAN_LITERAL("a: 1\nb:\n  - x\n  - {c: 'd e'}\n"),
                "{a(1:1)1(1:4)b(2:1)[x(3:5){c(4:6)d e(4:9)}]}");
    check_items(SPAN_LITERAL("{\"a\":1,\"b\":[true,null,\"\\u00fc\"]}"),
                "{a(1:2)1(1:6)b(1:8)[true(1:13)null(1:18)\xc3\xbc(1:23)]}");
    check_items(SPAN_LITERAL("\xef\xbb\xbfkey: value\n"), "{key(1:1)value(1:6)}");
    check_items(SPAN_LITERAL(""), "");
    check_items(SPAN_LITERAL("# nothing but this\n"), "");
    check_items(SPAN_LITERAL("---\na: |\n  two\n  lines\n...\n"), "{a(2:1)two\nlines\n(2:4)}");
}

static void null_is_what_stands_without_quotes(void)
{
    struct error error;
    struct yaml_reader *reader = NULL;
    struct yaml_item item;
    CHECK_OK(yaml_open_text(SPAN_LITERAL("[~, null, '', 'null', x, [ ]]"), &usual, &reader, &error),
             error);
    static const bool expected[] = {false, true, true, false, false, false, false, false};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        CHECK_OK(yaml_next(reader, &item, &error), error);
        CHECK_INT(yaml_is_null(&item), expected[i]);
    }
    yaml_close(reader);
}

static void skipping_ends_where_the_value_ends(void)
{
    struct error error;
    struct yaml_reader *reader = NULL;
    struct yaml_item item;
    CHECK_OK(
        yaml_open_text(SPAN_LITERAL("a: {b: [c, {d: e}], f: g}\nh: i\n"), &usual, &reader, &error),
        error);
    for (int i = 0; i < 3; i++)
        CHECK_OK(yaml_next(reader, &item, &error), error);
    CHECK_INT(item.kind, YAML_MAPPING);
    CHECK_OK(yaml_skip(reader, &item, &error), error);
    CHECK_OK(yaml_next(reader, &item, &error), error);
    CHECK(span_is(item.text, "h"));
    CHECK_OK(yaml_skip(reader, &item, &error), error);
    CHECK_OK(yaml_next(reader, &item, &error), error);
    CHECK(span_is(item.text, "i"));
    yaml_close(reader);
}

static void only_plain_data_passes(void)
{
    check_refused(SPAN_LITERAL("a: &x 1\n"), "!1:4", "anchors");
    check_refused(SPAN_LITERAL("a: &x {}\n"), "!1:4", "anchors");
    check_refused(SPAN_LITERAL("a: *x\n"), "!1:4", "aliases");
    check_refused(SPAN_LITERAL("a: !!int 1\n"), "!1:4", "tags");
    check_refused(SPAN_LITERAL("a: ! x\n"), "!1:4", "tags");
    check_refused(SPAN_LITERAL("a: !set [b]\n"), "!1:4", "tags");
    check_refused(SPAN_LITERAL("a: 1\n---\nb: 2\n"), "!2:1", "a second YAML document");
    check_refused(SPAN_LITERAL("a: \"x\\0y\"\n"), "!1:4", "NUL");
    check_refused(SPAN_LITERAL("a: 1\n\tb: 2\n"), "!2:1", "not YAML: ");
    check_refused(SPAN_LITERAL("a: [1,\nb: 2\n"), "!3:1", "that began on line 1");
}

static void only_utf8_passes(void)
{
    check_refused(SPAN_LITERAL("\xff\xfe"
                               "a\0"),
                  "!1:1", "UTF-16: save it as UTF-8");
    check_refused(span_make("\xfe\xff\0a", 4), "!1:1", "UTF-16: save it as UTF-8");
    check_refused(span_make("a\0:\0", 4), "!1:1", "UTF-16: save it as UTF-8");
    check_refused(SPAN_LITERAL("a: b\nc: \xc3\xbc\xff\n"), "!2:5", "not plain UTF-8 text");
    check_refused(SPAN_LITERAL("a: b\nc: \xc3"), "!2:5", "not plain UTF-8 text");
    check_refused(SPAN_LITERAL("a: b\x01\n"), "!1:5", "control characters are not allowed");
    check_refused(span_make("a: b\n\0", 6), "!2:1", "control characters are not allowed");
}

static void every_size_has_a_ceiling(void)
{
    struct buf text CLEANUP(buf_free);
    buf_init(&text, 600000);
    CHECK(buf_append_text(&text, "a: "));
    for (int i = 0; i < 100; i++)
        CHECK(buf_append_char(&text, 'x'));
    struct error error;
    struct buf out CLEANUP(buf_free);
    buf_init(&out, 4000000);
    CHECK_OK(items_join(buf_span(&text), &usual, &out, &error), error);
    CHECK(buf_append_char(&text, 'x'));
    check_refused(buf_span(&text), "!1:4", "a value is longer than 100 bytes");
    CHECK_INT(items_join(SPAN_LITERAL("[[[[x]]]]"), &usual, &out, &error), true);
    check_refused(SPAN_LITERAL("[[[[[x]]]]]"), "!1:5", "nested deeper than 4");
    struct yaml_options tight = usual;
    tight.bytes_max = 50;
    CHECK_OK(items_join(SPAN_LITERAL("# 45678901234567890123456789012345678901234567890\n"), &tight,
                        &out, &error),
             error);
    CHECK(!items_join(SPAN_LITERAL("# 012345678901234567890123456789012345678901234567890\n"),
                      &tight, &out, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_CONTAINS(error.text, "longer than 50 bytes");
    /* A value that never ends is refused before it is all in memory. */
    buf_clear(&text);
    CHECK(buf_append_text(&text, "a: '"));
    while (text.len < 300000)
        CHECK(buf_append_text(&text, "0123456789012345678901234567890123456789"));
    CHECK(!items_join(buf_span(&text), &usual, &out, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_CONTAINS(error.text, "a value or comment is longer than");
}

static void files_are_streamed(void)
{
    char folder[] = "/tmp/test_yaml.XXXXXX";
    char path[64];
    struct error error;
    struct yaml_reader *reader = NULL;
    CHECK(mkdtemp(folder) != NULL);
    CHECK(!yaml_open_file(folder, &usual, &reader, &error));
    CHECK_CONTAINS(error.text, "is a folder");
    snprintf(path, sizeof path, "%s/list.yaml", folder);
    CHECK(!yaml_open_file(path, &usual, &reader, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK(reader == NULL);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    for (int i = 0; i < 50000; i++)
        fprintf(file, "- name-%d\n", i);
    fprintf(file, "- \xff\n");
    CHECK(fclose(file) == 0);
    CHECK_OK(yaml_open_file(path, &usual, &reader, &error), error);
    struct yaml_item item;
    CHECK_OK(yaml_next(reader, &item, &error), error);
    char expected[32];
    for (int i = 0; i < 40000; i++) {
        CHECK_OK(yaml_next(reader, &item, &error), error);
        snprintf(expected, sizeof expected, "name-%d", i);
        CHECK_TEXT(item.text.data, expected);
        CHECK_INT(item.line, i + 1);
    }
    while (yaml_next(reader, &item, &error))
        ;
    size_t line, column;
    yaml_place(reader, &line, &column);
    CHECK_INT(line, 50001);
    CHECK_INT(column, 3);
    yaml_close(reader);
    CHECK(unlink(path) == 0);
    CHECK(rmdir(folder) == 0);
}

static const struct test tests[] = {
    TEST(items_come_in_order_with_places),
    TEST(null_is_what_stands_without_quotes),
    TEST(skipping_ends_where_the_value_ends),
    TEST(only_plain_data_passes),
    TEST(only_utf8_passes),
    TEST(every_size_has_a_ceiling),
    TEST(files_are_streamed),
};

TESTS_MAIN(tests)
