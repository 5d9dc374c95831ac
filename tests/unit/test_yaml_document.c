/* io/yaml_document and config/enrolled: a file that is changed and written back. */
#include "check.h"

#include "config/enrolled.h"
#include "io/yaml_document.h"

static void refused(const char *text, const char *words)
{
    struct yaml_document *document = NULL;
    struct error error;
    CHECK(!yaml_document_parse(span_of(text), &document, &error));
    CHECK_CONTAINS(error.text, words);
    CHECK(document == NULL);
}

static void only_one_mapping_is_taken(void)
{
    refused("a: [", "line 2");
    refused("- a\n", "a mapping is needed");
    refused("a: 1\n---\nb: 2\n", "second YAML document");
    refused("a: 1\n---\nb: [", "line 4");
    refused("\xff\xfe", "line 1");
}

static void values_are_found_changed_and_written(void)
{
    struct yaml_document *document = NULL;
    struct error error;
    struct buf out CLEANUP(buf_free);
    buf_init(&out, 1000);
    CHECK_OK(yaml_document_parse(SPAN_LITERAL("a: 1\nlist: [x, y, z]\n'b': {c: \"2\"}\n"),
                                 &document, &error),
             error);
    yaml_node root = yaml_root(document);
    yaml_node list = yaml_get(document, root, "list");
    CHECK(yaml_is_list(document, list));
    CHECK(span_is(yaml_text(document, yaml_at(document, list, 1)), "y"));
    CHECK(yaml_at(document, list, 3) == 0 && yaml_at(document, root, 0) == 0);
    CHECK(yaml_get(document, root, "nothing") == 0 && yaml_get(document, list, "a") == 0);
    CHECK(yaml_text(document, list).len == 0 && yaml_text(document, 0).len == 0);
    CHECK(yaml_append(document, list, yaml_text_new(document, "w: #1")));
    CHECK(yaml_put(document, root, "a", yaml_text_new(document, "7")));
    CHECK(!yaml_put(document, list, "a", yaml_text_new(document, "7")));
    CHECK(!yaml_put(document, root, "a", 0) && !yaml_append(document, root, root));
    CHECK_OK(yaml_document_write(document, &out, &error), error);
    CHECK_TEXT(buf_text(&out), "a: 7\nlist: [x, y, z, 'w: #1']\n'b': {c: \"2\"}\n");
    yaml_document_free(document);
}

static void a_small_buffer_is_an_error(void)
{
    struct yaml_document *document = NULL;
    struct error error;
    struct buf out CLEANUP(buf_free);
    buf_init(&out, 8);
    CHECK_OK(yaml_document_parse(SPAN_LITERAL("name: a long text\n"), &document, &error), error);
    CHECK(!yaml_document_write(document, &out, &error));
    CHECK_INT(error.kind, ERROR_LIMIT);
    yaml_document_free(document);
}

static void put(const char *before, const struct enrolment *enrolment, bool is_new,
                const char *expected)
{
    struct error error;
    struct buf out CLEANUP(buf_free);
    bool found_new = !is_new;
    buf_init(&out, 10000);
    CHECK_OK(enrolled_put(span_of(before), enrolment, &out, &found_new, &error), error);
    CHECK_CONTAINS(buf_text(&out), expected);
    CHECK(found_new == is_new);
}

static void an_enrolment_is_put_in(void)
{
    struct enrolment enrolment = {.accounts_file = "/a.yaml",
                                  .name = "www",
                                  .account = "scm",
                                  .domains = "www.example.com, example.com",
                                  .acm = true};
    put("", &enrolment, true,
        "version: 1\naccounts: /a.yaml\ncertificates:\n- name: www\n  domains:\n"
        "  - www.example.com\n  - example.com\n  account: scm\n  deploy:\n  - acm: {}\n");
    put("version: 1\naccounts: /a.yaml\ncertificates:\n", &enrolment, true, "- name: www\n");
    /* What the call does not say stays; a target that is there is not added again. */
    enrolment.accounts_file = NULL;
    enrolment.domains = "b.example.com";
    enrolment.name_chosen = true;
    enrolment.profile = "p";
    put("version: 1\naccounts: /a.yaml\ncertificates:\n- name: www\n  challenge: http-01\n"
        "  domains: [a.example.com]\n  deploy: [{acm: {profile: p}}]\nlimits: {in-flight: 7}\n",
        &enrolment, false,
        "- name: www\n  challenge: http-01\n  domains:\n  - b.example.com\n"
        "  deploy: [{acm: {profile: p}}]\n  account: scm\nlimits: {in-flight: 7}\n");
}

/* Later runs, from a timer, have no command line that says whose the file is. */
static void the_profile_of_an_accounts_file_on_s3_is_kept(void)
{
    struct enrolment enrolment = {.accounts_file = "s3://b/k",
                                  .name = "www",
                                  .account = "scm",
                                  .domains = "a.example.com",
                                  .profile = "p"};
    put("", &enrolment, true, "accounts: s3://b/k\naws:\n  accounts-profile: p\ncertificates:\n");
    enrolment.profile = "other"; /* is ACM's then */
    put("accounts: s3://b/k\naws: {accounts-profile: p}\n", &enrolment, true,
        "aws: {accounts-profile: p}\n");
}

static void an_enrolment_that_does_not_fit_is_refused(void)
{
    struct enrolment enrolment = {.name = "www", .account = "scm", .domains = "a.example.com"};
    struct error error;
    struct buf out CLEANUP(buf_free);
    bool is_new;
    buf_init(&out, 10000);
    CHECK(!enrolled_put(span_of(""), &enrolment, &out, &is_new, &error));
    CHECK_CONTAINS(error.text, "--accounts is missing");
    enrolment.accounts_file = "/b.yaml";
    CHECK(!enrolled_put(span_of("accounts: /a.yaml\n"), &enrolment, &out, &is_new, &error));
    CHECK_CONTAINS(error.text, "it uses the accounts file /a.yaml, not /b.yaml");
    CHECK_INT(error.kind, ERROR_CONFIG);
}

static const struct test tests[] = {
    TEST(only_one_mapping_is_taken),
    TEST(values_are_found_changed_and_written),
    TEST(a_small_buffer_is_an_error),
    TEST(an_enrolment_is_put_in),
    TEST(the_profile_of_an_accounts_file_on_s3_is_kept),
    TEST(an_enrolment_that_does_not_fit_is_refused),
};

TESTS_MAIN(tests)
