/* The load CA's JSON: the reader beside jansson, and the writer read back by jansson. */
#include "check.h"

#include "base/json.h"
#include "ca/acme/json_in.h"
#include "ca/acme/json_out.h"

static const char *const good[] = {
    "{}",
    "[]",
    " { } ",
    "{\"a\":1}",
    "{\"a\" : [ true , false , null ] , \"b\" : { \"c\" : \"d\" } }",
    "[0, -0, 1.5, -1.5e10, 1E+2, 2e-3]",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20ac\\ud83d\\ude00\"]",
    "[\"\xc3\xa4\xe2\x82\xac\"]",
};

static const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "{]",
    "[}",
    "[1,]",
    "[,1]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{\"a\":1 \"b\":2}",
    "[1 2]",
    "[01]",
    "[1.]",
    "[.5]",
    "[+1]",
    "[1e]",
    "[-]",
    "[tru]",
    "[\"a]",
    "[\"\\x\"]",
    "[\"\\u12\"]",
    "[\"\\ud800\"]",
    "[\"\\ud800\\u0041\"]",
    "[\"\\udc00\"]",
    "[\"\\u0000\"]",
    "[\"abc\377defghijk\"]",
    "[\"abc\ndefghijk\"]",
    "[\"abc\037defghijk\"]",
    "[\"abcdefgh\xc3\"]",
    "[\"abc\\xdefghijk\"]",
    "[\"\n\"]",
    "[\"\xff\"]",
    "[\"\xed\xa0\x80\"]",
    "{\"a\":1,\"a\":2}",
    "[1]]",
    "[1] x",
    "[\"\\",
    "[\"\\u",
    "[\"\\ud83d\\",
};

static bool jansson_reads(const char *text)
{
    json_t *json = NULL;
    bool ok = json_parse(span_of(text), 1 << 20, &json, NULL);
    json_decref(json);
    return ok;
}

static void reader_agrees_with_jansson(void)
{
    struct ca_json value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(jansson_reads(good[i]));
        CHECK(ca_json_read(span_of(good[i]), &value));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (jansson_reads(bad[i]) || ca_json_read(span_of(bad[i]), &value))
            fprintf(stderr, "%s\n", bad[i]);
        CHECK(!jansson_reads(bad[i]));
        CHECK(!ca_json_read(span_of(bad[i]), &value));
    }
}

static void members_are_found(void)
{
    struct ca_json object;
    struct ca_json value;
    struct span text;
    struct arena arena;
    arena_init(&arena);
    CHECK(ca_json_read(
        SPAN_LITERAL(
            "{\"a\":{\"b\":\"x\"},\"list\":[1,\"two\",[3]],\"t\":\"\\u00e4\\n\\/0123456789\","
            "\"empty\":\"\"}"),
        &object));
    CHECK_INT(object.kind, CA_JSON_OBJECT);
    CHECK_INT(ca_json_get(object, "none").kind, CA_JSON_NONE);
    CHECK_INT(ca_json_get(ca_json_get(object, "list"), "a").kind, CA_JSON_NONE);
    CHECK(span_is(ca_json_get(ca_json_get(object, "a"), "b").text, "x"));
    CHECK(ca_json_string(ca_json_get(object, "t"), &arena, &text));
    CHECK(span_is(text, "\xc3\xa4\n/0123456789"));
    CHECK(ca_json_string(ca_json_get(object, "empty"), &arena, &text));
    CHECK_INT(text.len, 0);
    CHECK(!ca_json_string(ca_json_get(object, "a"), &arena, &text));
    struct span rest = ca_json_get(object, "list").text;
    CHECK(ca_json_element(&rest, &value) && value.kind == CA_JSON_NUMBER);
    CHECK(span_is(value.text, "1"));
    CHECK(ca_json_element(&rest, &value) && span_is(value.text, "two"));
    CHECK(ca_json_element(&rest, &value) && value.kind == CA_JSON_ARRAY);
    CHECK(!ca_json_element(&rest, &value));
    arena_free(&arena);
}

static void ceilings_hold(void)
{
    struct ca_json value;
    char text[1024];
    for (size_t depth = CA_JSON_DEPTH_MAX; depth <= CA_JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CHECK(ca_json_read(span_make(text, 2 * depth), &value) == (depth == CA_JSON_DEPTH_MAX));
        char *end = text;
        for (size_t i = 1; i < depth; i++)
            end = stpcpy(end, "{\"a\":");
        memcpy(end, "{}", 2);
        memset(end + 2, '}', depth - 1);
        CHECK(ca_json_read(span_make(text, (size_t)(end - text) + 1 + depth), &value) ==
              (depth == CA_JSON_DEPTH_MAX));
    }
    for (int members = CA_JSON_MEMBERS_MAX; members <= CA_JSON_MEMBERS_MAX + 1; members++) {
        (void)snprintf(text, sizeof text, "{\"a0\":0");
        for (int i = 1; i < members; i++)
            (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",\"a%d\":0", i);
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "}");
        CHECK(ca_json_read(span_of(text), &value) == (members == CA_JSON_MEMBERS_MAX));
    }
}

static void writer_is_read_back(void)
{
    struct buf buf CLEANUP(buf_free);
    struct ca_out out;
    struct error error;
    json_t *json CLEANUP(json_release) = NULL;
    buf_init(&buf, 65536);
    ca_out_init(&out, &buf);
    ca_out_open(&out, '{');
    ca_out_pair(&out, "te\"xt", "\"\\\x01\x7f\xc3\xa4");
    ca_out_key(&out, "number");
    ca_out_number(&out, -5);
    ca_out_key(&out, "list");
    ca_out_open(&out, '[');
    ca_out_flag(&out, true);
    ca_out_open(&out, '{');
    ca_out_close(&out, '}');
    ca_out_time(&out, 0);
    ca_out_printf(&out, "%d", 7);
    ca_out_raw(&out, SPAN_LITERAL("null"));
    ca_out_close(&out, ']');
    ca_out_close(&out, '}');
    CHECK(!out.failed);
    CHECK_OK(json_parse(buf_span(&buf), 65536, &json, &error), error);
    CHECK_TEXT(json_text(json, "te\"xt", 20), "\"\\\x01\x7f\xc3\xa4");
    CHECK_INT(json_number(json, "number", 0), -5);
    CHECK_INT(json_array_size(json_object_get(json, "list")), 5);
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(json, "list"), 2)),
               "1970-01-01T00:00:00Z");
    struct buf small CLEANUP(buf_free);
    buf_init(&small, 4);
    ca_out_init(&out, &small);
    ca_out_text(&out, SPAN_LITERAL("too long"));
    CHECK(out.failed);
}

static const struct test tests[] = {
    TEST(reader_agrees_with_jansson),
    TEST(members_are_found),
    TEST(ceilings_hold),
    TEST(writer_is_read_back),
};

TESTS_MAIN(tests)
