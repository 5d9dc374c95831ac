/* engine/config/accounts: what is read from an acme_accounts.yaml, and what is let pass. What is
 * refused is in tests/vectors/config. */
#include "check.h"
#include "scratch.h"

#include "config/accounts.h"
#include "io/file.h"

#include <sys/stat.h>

#define HMAC_TEXT "U0VDUkVUU0VDUkVUU0VDUkVUU0VDUkVU"

static const char sample[] =
    "accounts:\n"
    "  scm_demo:\n"
    "    -\n"
    "      acme-endpoint: \"https://acme.demo.sectigo.com\"\n"
    "      eab-hmac-key: \"cXJpUlh2OTZFcW11cEIwcFVrWWtCOFRRYWJzTnVqejhrMDd3MWR6TzBkVnpvaTVY\"\n"
    "      eab-key: \"dfd846050852841ffaaf87cfa64b53e1\"\n"
    "      email: ops@example.com\n"
    "      RenewBeforeDays: 45\n"
    "      KeyType: RSA\n"
    "      KeySize: 4096\n"
    "  scm_demo2:\n"
    "    - acme-endpoint: https://acme.sectigo.com/v2/OV\n";

struct reading {
    struct accounts accounts;
    struct diagnostics diagnostics;
};

static void reading_parse(struct reading *reading, struct span text)
{
    diagnostics_init(&reading->diagnostics);
    accounts_parse("accounts.yaml", text, &reading->accounts, &reading->diagnostics);
}

static void reading_free(struct reading *reading)
{
    accounts_free(&reading->accounts);
    diagnostics_free(&reading->diagnostics);
}

/* One account "demo" with these lines more than its endpoint. */
static void reading_of_lines(struct reading *reading, const char *lines)
{
    char text[2000];
    snprintf(text, sizeof text, "accounts:\n  demo:\n    - acme-endpoint: https://a.example\n%s",
             lines);
    reading_parse(reading, span_of(text));
    if (reading->diagnostics.errors > 0)
        fprintf(stderr, "%s\n", reading->diagnostics.items[0].text);
    CHECK_INT(reading->diagnostics.errors, 0);
    CHECK_INT(reading->accounts.count, 1);
}

static void the_sample_is_read(void)
{
    struct reading reading;
    reading_parse(&reading, span_of(sample));
    CHECK_INT(reading.diagnostics.count, 0);
    CHECK_INT(reading.accounts.count, 2);
    const struct account *account = accounts_find(&reading.accounts, "scm_demo");
    CHECK(account != NULL);
    CHECK_TEXT(account->alias, "scm_demo");
    CHECK_TEXT(account->endpoint, "https://acme.demo.sectigo.com");
    CHECK_TEXT(account->eab_key_id, "dfd846050852841ffaaf87cfa64b53e1");
    CHECK(span_is(secret_span(&account->eab_hmac),
                  "qriRXv96EqmupB0pUkYkB8TQabsNujz8k07w1dzO0dVzoi5X"));
    CHECK_TEXT(account->email, "ops@example.com");
    CHECK_INT(account->renew_before_days, 45);
    CHECK_INT(account->key.type, KEY_RSA);
    CHECK_INT(account->key.bits, 4096);
    CHECK_INT(account->line, 2);
    account = accounts_find(&reading.accounts, "scm_demo2");
    CHECK(account != NULL);
    CHECK(account->eab_key_id == NULL);
    CHECK(account->email == NULL);
    CHECK_INT(account->eab_hmac.len, 0);
    CHECK_INT(account->renew_before_days, 30);
    CHECK_INT(account->key.type, KEY_RSA);
    CHECK_INT(account->key.bits, 2048);
    CHECK(accounts_find(&reading.accounts, "scm_demo3") == NULL);
    CHECK_TEXT(reading.accounts.file, "accounts.yaml");
    reading_free(&reading);
}

static void json_bom_and_crlf_are_read(void)
{
    struct reading reading;
    reading_parse(&reading,
                  SPAN_LITERAL("{\"accounts\":{\"demo\":[{\"acme-endpoint\":\"https://a.example\","
                               "\"KeyType\":\"ECDSA\",\"KeySize\":384}]}}"));
    CHECK_INT(reading.diagnostics.count, 0);
    CHECK_INT(reading.accounts.list[0].key.bits, 384);
    reading_free(&reading);
    reading_parse(&reading, SPAN_LITERAL("\xef\xbb\xbf"
                                         "accounts:\r\n  demo:\r\n"
                                         "    acme-endpoint: https://a.example\r\n"));
    CHECK_INT(reading.diagnostics.count, 0);
    CHECK_TEXT(reading.accounts.list[0].endpoint, "https://a.example");
    reading_free(&reading);
}

static void key_types_and_sizes_are_taken_as_people_write_them(void)
{
    static const struct {
        const char *lines;
        enum key_type type;
        unsigned bits;
    } cases[] = {
        {"", KEY_RSA, 2048},
        {"      KeyType: rsa\n", KEY_RSA, 2048},
        {"      KeySize: 3072\n", KEY_RSA, 3072},
        {"      KeyType: ECDSA\n", KEY_ECDSA, 256},
        {"      KeyType: EC\n      KeySize: 521\n", KEY_ECDSA, 521},
        {"      KeySize: \"384\"\n      KeyType: ecdsa\n", KEY_ECDSA, 384},
        {"      KeyType: Ec\n      KeySize: P-256\n", KEY_ECDSA, 256},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        reading_of_lines(&reading, cases[i].lines);
        CHECK_INT(reading.accounts.list[0].key.type, cases[i].type);
        CHECK_INT(reading.accounts.list[0].key.bits, cases[i].bits);
        reading_free(&reading);
    }
}

static void hmac_keys_are_taken_in_every_base64(void)
{
    static const char *const cases[] = {
        "      eab-key: k\n      eab-hmac-key: -_-_-_-_-_-_-_-_-_-_-_-_-w\n",
        "      eab-key: k\n      eab-hmac-key: -_-_-_-_-_-_-_-_-_-_-_-_-w==\n",
        "      eab-key: k\n      eab-hmac-key: '+/+/+/+/+/+/+/+/+/+/+/+/+w=='\n",
        "      eab-key: k\n      eab-hmac-key: >\n        -_-_-_-_-_-_\n        -_-_-_-_-_-_-w\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        reading_of_lines(&reading, cases[i]);
        const struct secret *hmac = &reading.accounts.list[0].eab_hmac;
        CHECK_INT(hmac->len, 19);
        for (size_t j = 0; j < 18; j++)
            CHECK_INT((unsigned char)hmac->data[j], j % 3 == 0 ? 0xfb : j % 3 == 1 ? 0xff : 0xbf);
        CHECK_INT((unsigned char)hmac->data[18], 0xfb);
        CHECK_INT(reading.diagnostics.warnings, 0);
        reading_free(&reading);
    }
    struct reading reading;
    reading_of_lines(&reading, "      eab-key: k\n      eab-hmac-key: c2hvcnQ\n");
    CHECK_INT(reading.diagnostics.warnings, 1);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "has only 5 bytes");
    reading_free(&reading);
}

static void plain_http_is_for_this_machine(void)
{
    static const char *const good[] = {
        "http://localhost:14000/dir", "http://127.0.0.1/dir",
        "http://127.1.2.3:80",        "http://[::1]:14000/dir",
        "HTTPS://ca.example",         "https://192.0.2.1:8443/x?y=z",
        "https://[2001:db8::1]/dir",  "https://step_ca:9000/acme/dir",
    };
    static const char *const bad[] = {
        "http://localhost.example.com",
        "http://128.0.0.1",
        "http://[::2]/",
        "https://[::1",
        "https://[a.example]/",
        "https://a_b!c/",
        "https://",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:x",
        "https:///x",
        "https://*.example/",
        "https://?x",
        "https://a.example@b.example/",
    };
    struct reading reading;
    char text[300];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "accounts: {demo: {acme-endpoint: \"%s\"}}", good[i]);
        reading_parse(&reading, span_of(text));
        CHECK_INT(reading.diagnostics.count, 0);
        CHECK_TEXT(reading.accounts.list[0].endpoint, good[i]);
        reading_free(&reading);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "accounts: {demo: {acme-endpoint: \"%s\"}}", bad[i]);
        reading_parse(&reading, span_of(text));
        CHECK_INT(reading.diagnostics.errors, 1);
        CHECK_INT(reading.accounts.count, 0);
        reading_free(&reading);
    }
}

static void a_wrong_account_leaves_the_others(void)
{
    struct reading reading;
    reading_parse(&reading, SPAN_LITERAL("accounts:\n"
                                         "  good: {acme-endpoint: https://a.example}\n"
                                         "  bad: {acme-endpoint: https://a.example, KeySize: 7,\n"
                                         "        eab-key: k, eab-hmac-key: " HMAC_TEXT "}\n"
                                         "  also: {acme-endpoint: https://b.example}\n"));
    CHECK_INT(reading.diagnostics.errors, 1);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "accounts.yaml:3:52: accounts.bad.KeySize: ");
    CHECK_INT(reading.accounts.count, 2);
    CHECK_TEXT(reading.accounts.list[0].alias, "good");
    CHECK_TEXT(reading.accounts.list[1].alias, "also");
    reading_free(&reading);
}

static void of_a_list_the_first_entry_counts(void)
{
    struct reading reading;
    reading_parse(&reading,
                  SPAN_LITERAL("accounts:\n  demo:\n    - acme-endpoint: https://a.example\n"
                               "    - acme-endpoint: https://b.example\n"
                               "      eab-key: k\n      eab-hmac-key: " HMAC_TEXT "\n"));
    CHECK_INT(reading.diagnostics.errors, 0);
    CHECK_INT(reading.diagnostics.warnings, 1);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "only the first entry");
    CHECK_INT(reading.accounts.count, 1);
    CHECK_TEXT(reading.accounts.list[0].endpoint, "https://a.example");
    reading_free(&reading);
}

static void open_files_are_warned_about(void)
{
    struct scratch scratch;
    struct reading reading;
    struct error error;
    scratch_make(&scratch);
    const char *path = scratch_path(&scratch, "accounts.yaml");
    CHECK_OK(file_write(path, span_of(sample), 0600, &error), error);
    diagnostics_init(&reading.diagnostics);
    CHECK_OK(accounts_read(path, &reading.accounts, &reading.diagnostics, &error), error);
    CHECK_INT(reading.diagnostics.count, 0);
    CHECK_INT(reading.accounts.count, 2);
    accounts_free(&reading.accounts);
    static const mode_t modes[] = {0640, 0604, 0660};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        CHECK(chmod(path, modes[i]) == 0);
        CHECK_OK(accounts_read(path, &reading.accounts, &reading.diagnostics, &error), error);
        CHECK_INT(reading.diagnostics.warnings, i + 1);
        CHECK_INT(reading.diagnostics.errors, 0);
        CHECK_CONTAINS(reading.diagnostics.items[i].text, "chmod 600 /");
        accounts_free(&reading.accounts);
    }
    CHECK(!accounts_read(scratch_path(&scratch, "none.yaml"), &reading.accounts,
                         &reading.diagnostics, &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    reading_free(&reading);
    scratch_remove(&scratch);
}

static void there_is_a_most_of_aliases_and_errors(void)
{
    struct reading reading;
    struct buf text CLEANUP(buf_free);
    buf_init(&text, 4000000);
    CHECK(buf_append_text(&text, "accounts:\n"));
    for (int i = 0; i < 10002; i++)
        CHECK(buf_printf(&text, "  a%d: {acme-endpoint: https://a.example}\n", i));
    reading_parse(&reading, buf_span(&text));
    CHECK_INT(reading.accounts.count, 10000);
    CHECK_INT(reading.diagnostics.errors, 2);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "more than 10000 aliases");
    reading_free(&reading);
    buf_clear(&text);
    CHECK(buf_append_text(&text, "accounts:\n"));
    for (int i = 0; i < 60; i++)
        CHECK(buf_printf(&text,
                         "  s%d: {acme-endpoint: https://a.example, eab-key: k, "
                         "eab-hmac-key: c2hvcnQ}\n",
                         i));
    for (int i = 0; i < 300; i++)
        CHECK(buf_printf(&text, "  a%d: {}\n", i));
    reading_parse(&reading, buf_span(&text));
    CHECK_INT(reading.accounts.count, 60);
    CHECK_INT(reading.diagnostics.errors, 300);
    CHECK_INT(reading.diagnostics.warnings, 60);
    CHECK_INT(reading.diagnostics.count, DIAGNOSTICS_MAX);
    CHECK(reading.diagnostics.items[DIAGNOSTICS_WARNINGS_MAX - 1].warning);
    CHECK(!reading.diagnostics.items[DIAGNOSTICS_WARNINGS_MAX].warning);
    reading_free(&reading);
}

static const struct test tests[] = {
    TEST(the_sample_is_read),
    TEST(json_bom_and_crlf_are_read),
    TEST(key_types_and_sizes_are_taken_as_people_write_them),
    TEST(hmac_keys_are_taken_in_every_base64),
    TEST(plain_http_is_for_this_machine),
    TEST(a_wrong_account_leaves_the_others),
    TEST(of_a_list_the_first_entry_counts),
    TEST(open_files_are_warned_about),
    TEST(there_is_a_most_of_aliases_and_errors),
};

TESTS_MAIN(tests)
