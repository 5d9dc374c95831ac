/* Replies in XML: the tree, its ceilings, and what is not accepted. */
#include "check.h"

#include "aws/xml.h"

static struct arena arena;

static const struct xml_element *parse(const char *text)
{
    struct xml_element *root;
    struct error error;
    CHECK_OK(xml_parse(span_of(text), &arena, &root, &error), error);
    return root;
}

static void check_refused(struct span text, enum error_kind kind, const char *why)
{
    struct xml_element *root = NULL;
    struct error error = {0};
    CHECK(!xml_parse(text, &arena, &root, &error));
    CHECK_INT(error.kind, kind);
    CHECK_CONTAINS(error.text, why);
    CHECK(root == NULL);
}

static void an_sts_answer_is_read(void)
{
    const struct xml_element *root = parse(
        "<?xml version=\"1.0\"?>\n<a:AssumeRoleResponse xmlns:a=\"https://sts.amazonaws.com/x/\">\n"
        " <a:AssumeRoleResult><a:Credentials>\n  <a:AccessKeyId> ASIA </a:AccessKeyId>\n"
        "<a:SecretAccessKey>a&amp;b&#x20;<![CDATA[<c>]]></a:SecretAccessKey></a:Credentials>\n"
        " </a:AssumeRoleResult></a:AssumeRoleResponse>");
    CHECK_TEXT(root->name, "AssumeRoleResponse");
    CHECK(span_is(xml_text(root, "AssumeRoleResult/Credentials/AccessKeyId"), "ASIA"));
    CHECK(span_is(xml_text(root, "AssumeRoleResult/Credentials/SecretAccessKey"), "a&b <c>"));
    CHECK(xml_find(root, "AssumeRoleResult/Nothing/AccessKeyId") == NULL);
    CHECK_INT(xml_text(root, "Credentials").len, 0);
    struct xml_element *mutable = NULL;
    struct error error;
    CHECK_OK(xml_parse(SPAN_LITERAL("<a><b>secret</b></a>"), &arena, &mutable, &error), error);
    struct span text = xml_text(mutable, "b");
    xml_wipe(mutable);
    for (size_t i = 0; i < text.len; i++)
        CHECK_INT(text.data[i], 0);
}

static void siblings_of_one_name_are_walked(void)
{
    const struct xml_element *root =
        parse("<r>t1<z>1</z>t2<y/><z>2</z><y>no</y><z><q>x</q></z>t3</r>");
    CHECK(span_is(root->text, "t1t2t3"));
    unsigned count = 0;
    const struct xml_element *each = xml_find(root, "z");
    for (; each != NULL; each = xml_next(each))
        count++;
    CHECK_INT(count, 3);
    CHECK_INT(xml_text(root, "y").len, 0);
    CHECK(span_is(xml_text(root, "z"), "1"));
}

static void broken_and_hostile_documents_are_refused(void)
{
    check_refused(SPAN_LITERAL(""), ERROR_PROTOCOL, "empty");
    check_refused(SPAN_LITERAL("<a>\n<b></a>"), ERROR_PROTOCOL, "line 2");
    check_refused(SPAN_LITERAL("<a>"), ERROR_PROTOCOL, "no element found");
    check_refused(SPAN_LITERAL("{\"a\":1}"), ERROR_PROTOCOL, "line 1");
    check_refused(SPAN_LITERAL("<x:a/>"), ERROR_PROTOCOL, "unbound prefix");
    check_refused(SPAN_LITERAL("<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>"), ERROR_PROTOCOL,
                  "document type");
    check_refused(SPAN_LITERAL("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), ERROR_PROTOCOL,
                  "document type");
    check_refused(SPAN_LITERAL("<a>\xff\xfe</a>"), ERROR_PROTOCOL, "line 1");
}

static void ceilings_hold(void)
{
    struct buf text;
    buf_init(&text, (size_t)16 << 20);
    for (size_t i = 0; i < 32; i++)
        CHECK(buf_append_text(&text, "<a>"));
    for (size_t i = 0; i < 32; i++)
        CHECK(buf_append_text(&text, "</a>"));
    parse(buf_text(&text));
    buf_clear(&text);
    for (size_t i = 0; i < 33; i++)
        CHECK(buf_append_text(&text, "<a>"));
    check_refused(buf_span(&text), ERROR_PROTOCOL, "too deep");
    buf_clear(&text);
    CHECK(buf_append_text(&text, "<a>"));
    for (size_t i = 0; i < 200000; i++)
        CHECK(buf_append_text(&text, "<b/>"));
    CHECK(buf_append_text(&text, "</a>"));
    check_refused(buf_span(&text), ERROR_PROTOCOL, "too many elements");
    buf_clear(&text);
    CHECK(buf_append_text(&text, "<a>"));
    while (text.len <= (size_t)8 << 20)
        CHECK(buf_append_text(&text, "0123456789012345678901234567890123456789"));
    check_refused(buf_span(&text), ERROR_LIMIT, "8 MiB");
    buf_free(&text);
}

static void what_is_escaped_is_read_back(void)
{
    static const char hard[] = "a&b<c>d\"e'f\tg\nh\ri \xc3\xa4";
    struct buf text;
    buf_init(&text, 1000);
    CHECK(buf_append_text(&text, "<a>") && xml_escape(&text, span_of(hard)) &&
          buf_append_text(&text, "</a>"));
    CHECK_TEXT(buf_text(&text), "<a>a&#x26;b&#x3C;c&#x3E;d&#x22;e&#x27;f&#x9;g&#xA;h&#xD;i "
                                "\xc3\xa4</a>");
    CHECK(span_is(parse(buf_text(&text))->text, hard));
    buf_free(&text);
}

static void arena_begin(void *context)
{
    arena_init(context);
}

static void arena_end(void *context)
{
    arena_free(context);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(an_sts_answer_is_read),
        TEST(siblings_of_one_name_are_walked),
        TEST(broken_and_hostile_documents_are_refused),
        TEST(ceilings_hold),
        TEST(what_is_escaped_is_read_back),
    };
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, arena_begin,
                            arena_end, &arena);
}
