#include "check.h"

#include "base/buf.h"

#include "io/ini.h"

static struct ini *read_text(const char *text)
{
    struct ini *ini;
    struct error error;
    CHECK_OK(ini_read_text(span_of(text), "config", &ini, &error), error);
    return ini;
}

static size_t section(const struct ini *ini, const char *name)
{
    for (size_t i = 0; i < ini_section_count(ini); i++)
        if (strcmp(ini_section_name(ini, i), name) == 0)
            return i;
    fprintf(stderr, "no section %s\n", name);
    exit(1);
}

static void check_value(const char *text, const char *name, const char *key, const char *expected)
{
    struct ini *ini = read_text(text);
    const char *value = ini_value(ini, section(ini, name), key);
    if (expected == NULL)
        CHECK(value == NULL);
    else
        CHECK_TEXT(value, expected);
    ini_free(ini);
}

static void keys_and_values_are_read(void)
{
    check_value("[a]\nkey = value\n", "a", "key", "value");
    check_value("[a]\nkey=value", "a", "key", "value");
    check_value("[a]\n  Key : va lue  \r\n", "a", "key", "va lue");
    check_value("[a]\r\nkey = v\r\nother = w\r\n", "a", "other", "w");
    check_value("\xef\xbb\xbf[a]\nkey = v\n", "a", "key", "v");
    check_value("[a]\nkey = a=b:c # no comment\n", "a", "key", "a=b:c # no comment");
    check_value("# one\n[a] ; after\n; two\n  # three\nkey = v\n", "a", "key", "v");
    check_value("[a]\nkey =\n", "a", "key", "");
    check_value("[a]\nkey = v\n", "a", "other", NULL);
    check_value("[profile \"a ] b\"]\nkey = v\n", "profile \"a ] b\"", "key", "v");
    check_value("[it's]\nkey = v\n", "it's", "key", "v");
}

static void what_comes_twice_is_merged(void)
{
    const char *text = "[a]\nx = 1\ny = 2\n[b]\n[a]\ny = 3\nz = 4\nz = 5\n";
    check_value(text, "a", "x", "1");
    check_value(text, "a", "y", "3");
    check_value(text, "a", "z", "5");
    struct ini *ini = read_text(text);
    CHECK_INT(ini_section_count(ini), 2);
    CHECK_INT(ini_section_line(ini, section(ini, "b")), 4);
    ini_free(ini);
}

static void deeper_lines_go_on_with_the_value(void)
{
    check_value("[a]\nkey = one\n  two\n\n  # none\n\tthree\nnext = x\n", "a", "key",
                "one\ntwo\nthree");
    check_value("[a]\n  key = one\n  next = two\n", "a", "next", "two");
    check_value("[a]\n    key = one\n  next = two\n   more\n", "a", "next", "two\nmore");
    check_value("[a]\nkey = one\n  [b]\n", "a", "key", "one\n[b]");
}

static void values_below_an_empty_one_are_found(void)
{
    struct ini *ini = read_text("[services dev]\ns3 =\n  endpoint_url = http://s3\n"
                                "  endpoint_url=http://x:1/?a=b\n  Other = 1\nacm =\nsts = x\n");
    size_t at = section(ini, "services dev");
    CHECK(span_is(ini_nested(ini_value(ini, at, "s3"), "endpoint_url"), "http://x:1/?a=b"));
    CHECK(span_is(ini_nested(ini_value(ini, at, "s3"), "Other"), "1"));
    CHECK(ini_nested(ini_value(ini, at, "s3"), "other").data == NULL);
    CHECK(ini_nested(ini_value(ini, at, "acm"), "endpoint_url").data == NULL);
    CHECK(ini_nested(ini_value(ini, at, "sts"), "x").data == NULL);
    CHECK(ini_nested(ini_value(ini, at, "route_53"), "x").data == NULL);
    ini_free(ini);
}

static void check_error(const char *text, enum error_kind kind, const char *expected)
{
    struct ini *ini;
    struct error error;
    CHECK(!ini_read_text(span_of(text), "/etc/config", &ini, &error));
    CHECK_INT(error.kind, kind);
    CHECK_TEXT(error.text, expected);
    CHECK(strstr(error.text, "SECRET") == NULL);
}

static void errors_have_a_line_and_quote_nothing(void)
{
    check_error("aws_secret_access_key = SECRET\n", ERROR_CONFIG,
                "/etc/config:1: a line before the first [section]");
    check_error("[a]\n\nSECRET\n", ERROR_CONFIG,
                "/etc/config:3: neither [section] nor \"key = value\"");
    check_error("[a]\nx = 1\n[SECRET\n", ERROR_CONFIG,
                "/etc/config:3: a section's name does not end in ]");
    check_error("[]\n", ERROR_CONFIG, "/etc/config:1: a section without a name");
    check_error("[a]\n= SECRET\n", ERROR_CONFIG, "/etc/config:2: a value without a key");
    check_error("[a]\ns3 =\n  x = 1\n  SECRET\n", ERROR_CONFIG,
                "/etc/config:4: an indented line without \"key = value\"");
    check_error("\xff\xfe[", ERROR_CONFIG, "/etc/config: is in UTF-16: save it as UTF-8");
}

static void a_nul_is_no_text(void)
{
    struct ini *ini;
    struct error error;
    const char text[] = "[a]\nx = \0 1\n";
    CHECK(!ini_read_text(span_make(text, sizeof text - 1), "f", &ini, &error));
    CHECK_TEXT(error.text, "f:2: a NUL byte: this is no text file");
}

static void everything_has_a_ceiling(void)
{
    struct buf text CLEANUP(buf_free);
    struct ini *ini;
    struct error error;
    buf_init(&text, 2 * INI_BYTES_MAX);
    for (size_t i = 0; i <= INI_SECTIONS_MAX; i++)
        CHECK(buf_printf(&text, "[%zu]\n", i));
    CHECK(!ini_read_text(buf_span(&text), "f", &ini, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    CHECK_TEXT(error.text, "f:5001: more than 5000 sections");
    buf_clear(&text);
    CHECK(buf_append_text(&text, "[a]\n"));
    for (size_t i = 0; i <= INI_KEYS_MAX; i++)
        CHECK(buf_printf(&text, "k%zu = 1\n", i));
    CHECK(!ini_read_text(buf_span(&text), "f", &ini, &error));
    CHECK_TEXT(error.text, "f:1002: more than 1000 keys in a section");
    buf_clear(&text);
    while (text.len <= INI_BYTES_MAX)
        CHECK(buf_append_text(&text, "# much\n"));
    CHECK(!ini_read_text(buf_span(&text), "f", &ini, &error));
    CHECK_TEXT(error.text, "f: longer than 1 MiB");
}

static void an_empty_file_has_no_sections(void)
{
    struct ini *ini = read_text("\n# nothing\n");
    struct error error;
    CHECK_INT(ini_section_count(ini), 0);
    ini_free(ini);
    CHECK(!ini_read_file("/nonexistent/file", &ini, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
}

static const struct test tests[] = {
    TEST(keys_and_values_are_read),
    TEST(what_comes_twice_is_merged),
    TEST(deeper_lines_go_on_with_the_value),
    TEST(values_below_an_empty_one_are_found),
    TEST(errors_have_a_line_and_quote_nothing),
    TEST(a_nul_is_no_text),
    TEST(everything_has_a_ceiling),
    TEST(an_empty_file_has_no_sections),
};

TESTS_MAIN(tests)
