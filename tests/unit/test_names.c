/* engine/config/names: domain names, wildcards, addresses, names of certificates. */
#include "check.h"

#include "base/suggest.h"
#include "config/name_table.h"
#include "config/names.h"

static void good_names_are_made_identifiers(void)
{
    static const struct {
        const char *text;
        const char *expected;
        enum domain_kind kind;
    } cases[] = {
        {"example.com", "example.com", DOMAIN_NAME},
        {"WWW.Example.COM", "www.example.com", DOMAIN_NAME},
        {"example.com.", "example.com", DOMAIN_NAME},
        {"localhost", "localhost", DOMAIN_NAME},
        {"a-b--c.x1.example", "a-b--c.x1.example", DOMAIN_NAME},
        {"1.2.3.example", "1.2.3.example", DOMAIN_NAME},
        {"*.Example.com", "*.example.com", DOMAIN_WILDCARD},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", DOMAIN_NAME},
        {"B\xc3\x9c"
         "CHER.example.",
         "xn--bcher-kva.example", DOMAIN_NAME},
        {"bu\xcc\x88"
         "cher.example",
         "xn--bcher-kva.example", DOMAIN_NAME},
        {"*.b\xc3\xbc"
         "cher.example",
         "*.xn--bcher-kva.example", DOMAIN_WILDCARD},
        {"stra\xc3\x9f"
         "e.example",
         "xn--strae-oqa.example", DOMAIN_NAME},
        {"\xe4\xbe\x8b\xe3\x80\x82\xe6\xb5\x8b\xe8\xaf\x95", "xn--fsq.xn--0zwm56d", DOMAIN_NAME},
        {"XN--BCHER-KVA.example", "xn--bcher-kva.example", DOMAIN_NAME},
        {"192.0.2.1", "192.0.2.1", DOMAIN_ADDRESS},
        {"2001:DB8:0:0::1", "2001:db8::1", DOMAIN_ADDRESS},
        {"::1", "::1", DOMAIN_ADDRESS},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1", DOMAIN_ADDRESS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct domain domain;
        struct error error;
        CHECK_OK(domain_read(span_of(cases[i].text), &domain, &error), error);
        CHECK_TEXT(domain.text, cases[i].expected);
        CHECK_INT(domain.len, strlen(cases[i].expected));
        CHECK_INT(domain.kind, cases[i].kind);
        /* What was made is a fixed point. */
        struct domain again;
        CHECK_OK(domain_read(span_of(domain.text), &again, &error), error);
        CHECK_TEXT(again.text, domain.text);
    }
}

static void bad_names_are_refused_with_the_reason(void)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"", "is empty"},
        {".", "empty label"},
        {".example.com", "empty label"},
        {"a..example.com", "empty label"},
        {"example.com..", "empty label"},
        {"*.", "empty label"},
        {"*", "'*' in the wrong place"},
        {"*.*.example.com", "'*' in the wrong place"},
        {"www.*.example.com", "'*' in the wrong place"},
        {"w*.example.com", "'*' in the wrong place"},
        {"_acme.example.com", "underscore"},
        {"-a.example.com", "hyphen"},
        {"a-.example.com", "hyphen"},
        {"a!b.example.com", "no domain name has"},
        {"https://example.com", "is a URL"},
        {"example.com/path", "slash"},
        {"192.0.2.0/24", "slash"},
        {"me@example.com", "e-mail"},
        {"a.example.com b.example.com", "blank or a separator"},
        {"a.example.com,b.example.com", "blank or a separator"},
        {"example.com:443", "no port"},
        {"[2001:db8::1]", "brackets"},
        {"2001:db8::zz", "is no IPv6 address"},
        {"fe80::1%eth0", "is no IPv6 address"},
        {"192.0.2.256", "neither an IP address"},
        {"192.0.2", "neither an IP address"},
        {"192.0.02.1", "neither an IP address"},
        {"192.0.2.1.", "neither an IP address"},
        {"*.192.0.2.1", "neither an IP address"},
        {"1234", "neither an IP address"},
        {"a\tb", "blank"},
        {"a\x1b[2Jb.example", "control character"},
        {"a\x7f"
         "b.example",
         "control character"},
        {"xn--a.example", "international"},
        {"xn--bcher-kva\xc3\xbc.example", "international"},
        {"\xe2\x80\xae.example", "international"},
        {"a\xff.example", "international"},
        {"abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcdefghi.example", "63"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct domain domain = {.len = 77};
        struct error error;
        CHECK(!domain_read(span_of(cases[i].text), &domain, &error));
        CHECK_CONTAINS(error.text, cases[i].expected);
        CHECK_INT(error.kind, ERROR_CONFIG);
        CHECK_INT(domain.len, 77);
    }
}

static void lengths_are_those_of_dns(void)
{
    char text[2000];
    struct domain domain;
    struct error error;
    memset(text, 'a', sizeof text);
    for (size_t i = 63; i < sizeof text; i += 64)
        text[i] = '.';
    CHECK_OK(domain_read(span_make(text, 253), &domain, &error), error);
    CHECK_INT(domain.len, 253);
    CHECK(!domain_read(span_make(text, 254), &domain, &error));
    CHECK_CONTAINS(error.text, "longer than 253");
    CHECK(!domain_read(span_make(text, sizeof text), &domain, &error));
    CHECK_CONTAINS(error.text, "too long");
    CHECK(strlen(error.text) < 200);
    text[0] = '*';
    text[1] = '.';
    CHECK_OK(domain_read(span_make(text, 253), &domain, &error), error);
    CHECK(!domain_read(span_make(text, 254), &domain, &error));
    /* U-labels that pass 253 only as A-labels. */
    size_t len = 0;
    for (int i = 0; i < 50; i++) {
        snprintf(text + len, sizeof text - len, "\xc3\xbc\xc3\xb6.");
        len += 5;
    }
    CHECK(!domain_read(span_make(text, len), &domain, &error));
    CHECK_CONTAINS(error.text, "international");
}

static void messages_are_safe_to_print(void)
{
    struct domain domain;
    struct error error;
    CHECK(!domain_read(SPAN_LITERAL("a\x1b]0;owned\x07\x7f.example"), &domain, &error));
    for (const char *at = error.text; *at != '\0'; at++)
        CHECK(*at >= ' ' && *at <= '~');
    CHECK(
        !domain_read(SPAN_LITERAL("a\xc2\x9b\xe2\x80\xae/\xe2\x81\xa6.example"), &domain, &error));
    CHECK_CONTAINS(error.text, "\"a?"
                               "?/?.example\"");
}

static void certificates_have_names_that_are_folders(void)
{
    struct error error;
    CHECK_OK(certificate_name_check(SPAN_LITERAL("www_1.Example-com"), &error), error);
    static const char *const bad[] = {"",    ".",   "..",  ".www",     "-www",         "a/b",
                                      "a b", "a:b", "a\n", "\xc3\xbc", "*.example.com"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!certificate_name_check(span_of(bad[i]), &error));
    char name[300];
    memset(name, 'n', sizeof name);
    CHECK_OK(certificate_name_check(span_make(name, CERTIFICATE_NAME_MAX), &error), error);
    CHECK(!certificate_name_check(span_make(name, CERTIFICATE_NAME_MAX + 1), &error));
}

static void default_names_come_from_the_first_domain(void)
{
    static const struct {
        const char *domain;
        const char *expected;
    } cases[] = {
        {"www.example.com", "www.example.com"},
        {"*.example.com", "_wildcard.example.com"},
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "ip6-2001-db8--1"},
        {"::1", "ip6---1"},
    };
    struct error error;
    char name[CERTIFICATE_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_OK(certificate_name_default(cases[i].domain, name, &error), error);
        CHECK_TEXT(name, cases[i].expected);
        CHECK_OK(certificate_name_check(span_of(name), &error), error);
    }
    char domain[210];
    memset(domain, 'd', sizeof domain);
    domain[CERTIFICATE_NAME_MAX] = '\0';
    CHECK_OK(certificate_name_default(domain, name, &error), error);
    domain[0] = '*';
    domain[1] = '.';
    CHECK(!certificate_name_default(domain, name, &error));
    CHECK_CONTAINS(error.text, "add a name");
}

static void tables_find_what_was_put(void)
{
    static char texts[5000][8];
    struct name_table table;
    name_table_init(&table);
    CHECK(name_table_find(&table, SPAN_LITERAL("0")) == NULL);
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(texts[i], sizeof texts[i], "%u", i);
        CHECK(name_table_find(&table, span_of(texts[i])) == NULL);
        CHECK(name_table_put(&table, texts[i], i));
    }
    for (uint32_t i = 0; i < 5000; i++) {
        const struct name_slot *slot = name_table_find(&table, span_of(texts[i]));
        CHECK(slot != NULL && slot->value == i && slot->text == texts[i]);
    }
    CHECK(name_table_find(&table, SPAN_LITERAL("5000")) == NULL);
    CHECK_INT(table.count, 5000);
    name_table_free(&table);
}

static void near_words_are_suggested(void)
{
    CHECK(suggest_is_near(SPAN_LITERAL("keytype"), "KeyType"));
    CHECK(suggest_is_near(SPAN_LITERAL("key_type"), "KeyType"));
    CHECK(suggest_is_near(SPAN_LITERAL("domians"), "domains"));
    CHECK(suggest_is_near(SPAN_LITERAL("mail"), "email"));
    CHECK(suggest_is_near(SPAN_LITERAL("renew_before_days"), "renew-before-days"));
    CHECK(suggest_is_near(SPAN_LITERAL("nmae"), "name"));
    CHECK(!suggest_is_near(SPAN_LITERAL("nmea"), "name"));
    CHECK(!suggest_is_near(SPAN_LITERAL("type"), "size"));
    CHECK(!suggest_is_near(SPAN_LITERAL("endpoint"), "email"));
    CHECK(!suggest_is_near(SPAN_LITERAL("a word that is much longer than any key"), "a"));
    CHECK(!suggest_is_near(SPAN_LITERAL(""), "key"));
}

static const struct test tests[] = {
    TEST(good_names_are_made_identifiers),
    TEST(bad_names_are_refused_with_the_reason),
    TEST(lengths_are_those_of_dns),
    TEST(messages_are_safe_to_print),
    TEST(certificates_have_names_that_are_folders),
    TEST(default_names_come_from_the_first_domain),
    TEST(tables_find_what_was_put),
    TEST(near_words_are_suggested),
};

TESTS_MAIN(tests)
