/* engine/config/manifest: what is read, how defaults and accounts apply, where it ends. What is
 * refused is in tests/vectors/config. */
#include "check.h"
#include "scratch.h"

#include "config/manifest.h"
#include "io/file.h"

#include <sys/stat.h>

struct reading {
    struct scratch scratch;
    struct manifest manifest;
    struct accounts accounts;
    struct diagnostics diagnostics;
};

#define ACCOUNTS                                                        \
    "accounts:\n"                                                       \
    "  demo: {acme-endpoint: https://a.example, RenewBeforeDays: 20}\n" \
    "  curve: {acme-endpoint: https://b.example, KeyType: EC, KeySize: 384}\n"
#define ONE_ACCOUNT "accounts:\n  only: {acme-endpoint: https://a.example, KeySize: 3072}\n"

static void text_write(struct reading *reading, const char *name, const char *text)
{
    struct error error;
    CHECK_OK(file_write(scratch_path(&reading->scratch, name), span_of(text), 0600, &error), error);
}

/* Reads `text` as fleet.yaml, beside which stands accounts.yaml. */
static void reading_make(struct reading *reading, const char *accounts, const char *text)
{
    struct error error;
    scratch_make(&reading->scratch);
    diagnostics_init(&reading->diagnostics);
    text_write(reading, "accounts.yaml", accounts);
    text_write(reading, "fleet.yaml", text);
    struct manifest_options options = {.file = scratch_path(&reading->scratch, "fleet.yaml")};
    CHECK_OK(manifest_read(&options, &reading->manifest, &reading->accounts, &reading->diagnostics,
                           &error),
             error);
}

static void reading_free(struct reading *reading)
{
    manifest_free(&reading->manifest);
    accounts_free(&reading->accounts);
    diagnostics_free(&reading->diagnostics);
    scratch_remove(&reading->scratch);
}

static void check_clean(const struct reading *reading)
{
    for (size_t i = 0; i < reading->diagnostics.count; i++)
        fprintf(stderr, "%s\n", reading->diagnostics.items[i].text);
    CHECK_INT(reading->diagnostics.errors, 0);
    CHECK_INT(reading->diagnostics.warnings, 0);
}

static void check_only_error(const struct reading *reading, const char *part)
{
    CHECK_INT(reading->diagnostics.errors, 1);
    CHECK_CONTAINS(reading->diagnostics.items[0].text, part);
}

#define SETTINGS                \
    "version: 1\n"              \
    "accounts: accounts.yaml\n" \
    "state: /var/lib/certmill\n"
#define DEFAULTS                                                           \
    "defaults:\n"                                                          \
    "  account: demo\n"                                                    \
    "  challenge: dns-01\n"                                                \
    "  renew-before-days: 15\n"                                            \
    "  key: {type: ECDSA, size: 256}\n"                                    \
    "  permissions: {key: 0640, group: root}\n"                            \
    "  deploy:\n"                                                          \
    "    - hook: {command: [systemctl, reload, nginx], once: true}\n"      \
    "    - hook: {command: \"echo $CERTMILL_NAME\", timeout-seconds: 5}\n" \
    "solvers:\n"                                                           \
    "  http-01: {webroot: www}\n"                                          \
    "  dns-01: {hook: dns, propagation-seconds: 0, timeout-seconds: 60}\n" \
    "limits: {in-flight: 50, requests-per-second: 0.5, order-timeout-seconds: 90}\n"
#define CERTIFICATES                                                  \
    "certificates:\n"                                                 \
    "  - name: www\n"                                                 \
    "    domains: [WWW.example.com, example.com]\n"                   \
    "  - domains: \"*.example.com\"\n"                                \
    "    account: curve\n"                                            \
    "    challenge: none\n"                                           \
    "    key: {type: RSA}\n"                                          \
    "    renew-before-days: 7\n"                                      \
    "    deploy: []\n"                                                \
    "    permissions: {key: \"600\", certificate: 0o640, owner: 0}\n" \
    "  - mail.example.com\n"

static void check_fleet(const struct reading *reading)
{
    const struct manifest *manifest = &reading->manifest;
    check_clean(reading);
    CHECK_INT(manifest->count, 3);
    const struct manifest_entry *www = &manifest->entries[0];
    CHECK_TEXT(www->name, "www");
    CHECK_INT(www->domain_count, 2);
    CHECK_TEXT(www->domains[0], "www.example.com");
    CHECK_TEXT(www->domains[1], "example.com");
    CHECK_TEXT(www->account_alias, "demo");
    CHECK_TEXT(reading->accounts.list[www->account].alias, "demo");
    CHECK_INT(www->challenge, CHALLENGE_DNS_01);
    CHECK_INT(www->renew_before_days, 15);
    CHECK_TEXT(key_spec_name(www->key), "ECDSA-P256");
    CHECK_INT(www->key_mode, 0640);
    CHECK_INT(www->certificate_mode, 0644);
    CHECK_INT(www->uid, (uid_t)-1);
    CHECK_INT(www->gid, 0);
    const struct deploy_hook *hook = www->deploy;
    CHECK_TEXT(hook->command[0], "systemctl");
    CHECK_TEXT(hook->command[2], "nginx");
    CHECK(hook->command[3] == NULL);
    CHECK(hook->once);
    CHECK_INT(hook->timeout_s, 300);
    hook = hook->next;
    CHECK_TEXT(hook->command[0], "/bin/sh");
    CHECK_TEXT(hook->command[1], "-c");
    CHECK_TEXT(hook->command[2], "echo $CERTMILL_NAME");
    CHECK(hook->command[3] == NULL);
    CHECK(!hook->once);
    CHECK_INT(hook->timeout_s, 5);
    CHECK(hook->next == NULL);
    const struct manifest_entry *wildcard = &manifest->entries[1];
    CHECK_TEXT(wildcard->name, "_wildcard.example.com");
    CHECK_TEXT(wildcard->domains[0], "*.example.com");
    CHECK_TEXT(reading->accounts.list[wildcard->account].alias, "curve");
    CHECK_INT(wildcard->challenge, CHALLENGE_NONE);
    CHECK_TEXT(key_spec_name(wildcard->key), "RSA-2048");
    CHECK_INT(wildcard->renew_before_days, 7);
    CHECK(wildcard->deploy == NULL);
    CHECK_INT(wildcard->key_mode, 0600);
    CHECK_INT(wildcard->certificate_mode, 0640);
    CHECK_INT(wildcard->uid, 0);
    CHECK_INT(wildcard->gid, 0);
    const struct manifest_entry *mail = &manifest->entries[2];
    CHECK_TEXT(mail->name, "mail.example.com");
    CHECK(mail->deploy == www->deploy);
    CHECK_INT(mail->line, wildcard->line + 7);
}

static void the_whole_form_is_read(void)
{
    struct reading reading;
    reading_make(&reading, ACCOUNTS, SETTINGS DEFAULTS CERTIFICATES);
    check_fleet(&reading);
    const struct manifest *manifest = &reading.manifest;
    CHECK_INT(manifest->entries[0].line, 18);
    CHECK_TEXT(manifest->state_folder, "/var/lib/certmill");
    CHECK_TEXT(manifest->accounts_file, scratch_path(&reading.scratch, "accounts.yaml"));
    CHECK_TEXT(manifest->solvers.http_webroot, scratch_path(&reading.scratch, "www"));
    CHECK_TEXT(manifest->solvers.dns_hook, scratch_path(&reading.scratch, "dns"));
    CHECK_TEXT(manifest->solvers.http_listen, "0.0.0.0:80");
    CHECK_TEXT(manifest->solvers.alpn_listen, "0.0.0.0:443");
    CHECK_INT(manifest->solvers.dns_propagation_s, 0);
    CHECK_INT(manifest->solvers.dns_timeout_s, 60);
    CHECK_INT(manifest->limits.in_flight, 50);
    CHECK(manifest->limits.requests_per_second == 0.5);
    CHECK_INT(manifest->limits.order_timeout_s, 90);
    reading_free(&reading);
}

static void the_order_of_keys_means_nothing(void)
{
    struct reading reading;
    reading_make(&reading, ACCOUNTS, CERTIFICATES DEFAULTS SETTINGS);
    check_fleet(&reading);
    uint64_t digest = reading.manifest.entries[1].digest;
    reading_free(&reading);
    reading_make(&reading, ACCOUNTS, DEFAULTS CERTIFICATES SETTINGS);
    check_fleet(&reading);
    CHECK(reading.manifest.entries[1].digest == digest);
    reading_free(&reading);
}

static void json_is_read(void)
{
    struct reading reading;
    reading_make(
        &reading, ONE_ACCOUNT,
        "{\"version\":1,\"accounts\":\"accounts.yaml\",\n"
        "\t\"defaults\":{\"deploy\":[{\"hook\":{\"command\":[\"a\\u0020b\",\"\"],\"once\":true}}]},"
        "\n"
        "\t\"limits\":{\"requests-per-second\":0,\"in-flight\":7},\n"
        "\t\"certificates\":[\"b\\u00fccher.example\",{\"name\":\"x\",\"domains\":[\"192.0.2.1\","
        "\"::1\"],\"permissions\":{\"key\":\"0600\"}}]}\n");
    check_clean(&reading);
    CHECK_INT(reading.manifest.count, 2);
    CHECK_TEXT(reading.manifest.entries[0].name, "xn--bcher-kva.example");
    CHECK_TEXT(reading.manifest.entries[0].deploy->command[0], "a b");
    CHECK_TEXT(reading.manifest.entries[0].deploy->command[1], "");
    CHECK_TEXT(reading.manifest.entries[0].account_alias, "only");
    CHECK_TEXT(key_spec_name(reading.manifest.entries[0].key), "RSA-3072");
    CHECK_TEXT(reading.manifest.entries[1].domains[1], "::1");
    CHECK(reading.manifest.limits.requests_per_second == 0);
    reading_free(&reading);
}

static void what_is_not_said_has_defaults(void)
{
    struct reading reading;
    reading_make(&reading, ONE_ACCOUNT, "version: 1\ncertificates: [www.example.com]\n");
    check_clean(&reading);
    const struct manifest_entry *entry = &reading.manifest.entries[0];
    CHECK_INT(entry->account, UINT32_MAX);
    CHECK(entry->account_alias == NULL);
    CHECK_INT(entry->renew_before_days, 30);
    CHECK_TEXT(key_spec_name(entry->key), "RSA-2048");
    CHECK_INT(entry->challenge, CHALLENGE_NONE);
    CHECK_INT(entry->key_mode, 0600);
    CHECK_INT(entry->certificate_mode, 0644);
    CHECK_INT(entry->uid, (uid_t)-1);
    CHECK_INT(entry->gid, (gid_t)-1);
    CHECK(entry->deploy == NULL);
    CHECK(reading.manifest.accounts_file == NULL);
    CHECK(reading.manifest.state_folder == NULL);
    CHECK(reading.manifest.solvers.dns_hook == NULL);
    CHECK(reading.manifest.solvers.http_webroot == NULL);
    CHECK_INT(reading.manifest.solvers.dns_propagation_s, 10);
    CHECK_INT(reading.manifest.solvers.dns_timeout_s, 300);
    CHECK_INT(reading.manifest.crypto, CRYPTO_AUTO);
    CHECK_INT(reading.manifest.limits.in_flight, 1000);
    CHECK(reading.manifest.limits.requests_per_second == 200);
    CHECK_INT(reading.manifest.limits.order_timeout_s, 600);
    reading_free(&reading);
}

static void keys_are_inherited_by_type_and_size(void)
{
    static const struct {
        const char *defaults;
        const char *key;
        const char *expected;
    } cases[] = {
        {"{account: demo}", "{}", "RSA-2048"},
        {"{account: curve}", "{}", "ECDSA-P384"},
        {"{account: curve}", "{size: 521}", "ECDSA-P521"},
        {"{account: curve}", "{type: RSA}", "RSA-2048"},
        {"{account: curve}", "{type: EC}", "ECDSA-P256"},
        {"{account: demo, key: {size: 4096}}", "{}", "RSA-4096"},
        {"{account: demo, key: {type: EC}}", "{}", "ECDSA-P256"},
        {"{account: demo, key: {type: EC}}", "{size: P-384}", "ECDSA-P384"},
        {"{account: curve, key: {type: RSA, size: 4096}}", "{type: EC}", "ECDSA-P256"},
        {"{account: demo, key: {size: 4096}}", "{type: EC, size: 521}", "ECDSA-P521"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        char text[500];
        snprintf(text, sizeof text,
                 SETTINGS "defaults: %s\ncertificates:\n  - {domains: a.example, key: %s}\n",
                 cases[i].defaults, cases[i].key);
        reading_make(&reading, ACCOUNTS, text);
        check_clean(&reading);
        CHECK_TEXT(key_spec_name(reading.manifest.entries[0].key), cases[i].expected);
        reading_free(&reading);
    }
}

static void the_manifest_says_who_makes_keys(void)
{
    for (unsigned i = 0; crypto_way_words[i] != NULL; i++) {
        struct reading reading;
        char text[200];
        snprintf(text, sizeof text, SETTINGS "crypto: %s\ncertificates: [a.example]\n",
                 crypto_way_words[i]);
        reading_make(&reading, ONE_ACCOUNT, text);
        check_clean(&reading);
        CHECK_INT(reading.manifest.crypto, i);
        reading_free(&reading);
    }
}

static void days_come_from_entry_defaults_or_account(void)
{
    struct reading reading;
    reading_make(&reading, ACCOUNTS,
                 SETTINGS "certificates:\n  - {domains: a.example, account: demo}\n"
                          "  - {domains: b.example, account: curve}\n"
                          "  - {domains: c.example, account: demo, renew-before-days: 3}\n");
    check_clean(&reading);
    CHECK_INT(reading.manifest.entries[0].renew_before_days, 20);
    CHECK_INT(reading.manifest.entries[1].renew_before_days, 30);
    CHECK_INT(reading.manifest.entries[2].renew_before_days, 3);
    reading_free(&reading);
}

static void the_digest_never_changes(void)
{
    struct reading reading;
    reading_make(&reading, ONE_ACCOUNT,
                 SETTINGS
                 "certificates:\n"
                 "  - {name: a, domains: [www.example.com, example.com], key: {type: EC}}\n"
                 "  - {name: b, domains: [Example.com., WWW.example.com], key: {type: EC},"
                 " renew-before-days: 5, challenge: http-01}\n"
                 "  - {name: c, domains: [www.example.com, example.com]}\n"
                 "  - {name: d, domains: [www.example.com], key: {type: EC}}\n");
    check_clean(&reading);
    const struct manifest_entry *entries = reading.manifest.entries;
    /* Kept in every state database: another value here would reissue every certificate there is. */
    CHECK(entries[0].digest == UINT64_C(0xd7798989047cb3b3));
    CHECK(entries[1].digest == entries[0].digest);
    CHECK(entries[2].digest != entries[0].digest);
    CHECK(entries[3].digest != entries[0].digest);
    reading_free(&reading);
}

static void the_accounts_option_comes_first(void)
{
    struct reading reading;
    struct error error;
    reading_make(&reading, ACCOUNTS, "version: 1\ncertificates: []\n");
    CHECK_INT(reading.diagnostics.errors, 0);
    CHECK_INT(reading.diagnostics.warnings, 1);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "there is no certificate");
    manifest_free(&reading.manifest);
    accounts_free(&reading.accounts);
    text_write(&reading, "other.yaml", ONE_ACCOUNT);
    text_write(&reading, "fleet.yaml", SETTINGS "certificates: [a.example]\n");
    struct manifest_options options = {.file = scratch_path(&reading.scratch, "fleet.yaml"),
                                       .accounts_file =
                                           scratch_path(&reading.scratch, "other.yaml")};
    CHECK_OK(
        manifest_read(&options, &reading.manifest, &reading.accounts, &reading.diagnostics, &error),
        error);
    CHECK_INT(reading.diagnostics.errors, 0);
    CHECK_TEXT(reading.manifest.entries[0].account_alias, "only");
    manifest_free(&reading.manifest);
    accounts_free(&reading.accounts);
    options.accounts_file = "s3://bucket/key";
    CHECK_OK(
        manifest_read(&options, &reading.manifest, &reading.accounts, &reading.diagnostics, &error),
        error);
    CHECK_INT(reading.diagnostics.errors, 1);
    CHECK_CONTAINS(reading.diagnostics.items[1].text, "a file on S3 cannot be read here");
    CHECK_INT(reading.manifest.count, 0);
    reading_free(&reading);
}

static void files_that_are_not_there_are_errors(void)
{
    struct reading reading;
    struct error error;
    reading_make(&reading, ACCOUNTS, SETTINGS "certificates: [a.example]\n");
    CHECK_INT(reading.diagnostics.errors, 1);
    manifest_free(&reading.manifest);
    accounts_free(&reading.accounts);
    struct manifest_options options = {.file = scratch_path(&reading.scratch, "none.yaml")};
    CHECK(!manifest_read(&options, &reading.manifest, &reading.accounts, &reading.diagnostics,
                         &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK_CONTAINS(error.text, "none.yaml");
    manifest_free(&reading.manifest);
    accounts_free(&reading.accounts);
    options.file = scratch_path(&reading.scratch, "fleet.yaml");
    options.accounts_file = "/nonexistent/accounts.yaml";
    CHECK(!manifest_read(&options, &reading.manifest, &reading.accounts, &reading.diagnostics,
                         &error));
    CHECK_INT(error.kind, ERROR_NOT_FOUND);
    CHECK_CONTAINS(error.text, "/nonexistent/accounts.yaml");
    CHECK_INT(reading.manifest.count, 0);
    reading_free(&reading);
}

static void standard_input_is_read(void)
{
    struct reading reading;
    struct error error;
    int pipes[2], kept = dup(STDIN_FILENO);
    static const char text[] = "version: 1\ncertificates: [a.example, {domains: b_c}]\n";
    diagnostics_init(&reading.diagnostics);
    scratch_make(&reading.scratch);
    CHECK(pipe(pipes) == 0);
    CHECK_INT(write(pipes[1], text, sizeof text - 1), sizeof text - 1);
    close(pipes[1]);
    CHECK(dup2(pipes[0], STDIN_FILENO) == STDIN_FILENO);
    close(pipes[0]);
    struct manifest_options options = {.file = "-"};
    CHECK_OK(
        manifest_read(&options, &reading.manifest, &reading.accounts, &reading.diagnostics, &error),
        error);
    CHECK(dup2(kept, STDIN_FILENO) == STDIN_FILENO);
    close(kept);
    CHECK_INT(reading.manifest.count, 1);
    check_only_error(&reading, "standard input:2:37: certificates[1].domains: \"b_c\"");
    reading_free(&reading);
}

static void wrong_entries_are_left_out(void)
{
    struct reading reading;
    reading_make(&reading, ONE_ACCOUNT,
                 SETTINGS "certificates:\n  - a.example\n  - b_b.example\n  - {domains: c.example, "
                          "account: onyl}\n  - a.example\n  - d.example\n");
    CHECK_INT(reading.diagnostics.errors, 3);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "certificates[1]: \"b_b.example\"");
    CHECK_CONTAINS(reading.diagnostics.items[1].text, ":7:35: certificates[2].account: ");
    CHECK_CONTAINS(reading.diagnostics.items[1].text,
                   "has no account \"onyl\": did you mean only?");
    CHECK_CONTAINS(reading.diagnostics.items[2].text,
                   ":8:5: certificates[3].name: \"a.example\" is already the name of the "
                   "certificate on line 5");
    CHECK_INT(reading.manifest.count, 2);
    CHECK_TEXT(reading.manifest.entries[0].name, "a.example");
    CHECK_TEXT(reading.manifest.entries[1].name, "d.example");
    reading_free(&reading);
}

static void repeated_domains_are_dropped_with_a_warning(void)
{
    struct reading reading;
    reading_make(&reading, ONE_ACCOUNT,
                 SETTINGS "certificates:\n  - domains: [a.example, b.example, A.Example.]\n");
    CHECK_INT(reading.diagnostics.errors, 0);
    CHECK_INT(reading.diagnostics.warnings, 1);
    CHECK_CONTAINS(reading.diagnostics.items[0].text, "domains[2]: a.example stands here twice");
    CHECK_INT(reading.manifest.entries[0].domain_count, 2);
    reading_free(&reading);
}

static void errors_of_the_accounts_do_not_repeat_for_each_entry(void)
{
    struct reading reading;
    reading_make(&reading, "accounts: {demo: {acme-endpoint: x}}\n",
                 SETTINGS
                 "certificates:\n  - {domains: a.example, account: demo}\n  - b.example\n");
    check_only_error(&reading, "accounts.yaml:1:34: accounts.demo.acme-endpoint: ");
    CHECK_INT(reading.manifest.count, 0);
    reading_free(&reading);
}

static void paths_and_programs_are_beside_the_manifest(void)
{
    struct reading reading;
    reading_make(&reading, ONE_ACCOUNT,
                 "version: 1\naccounts: ./accounts.yaml\nstate: state/here\n"
                 "solvers: {http-01: {listen: \"[::1]:0\"}, "
                 "tls-alpn-01: {listen: \":8443\"}, dns-01: {hook: /usr/bin/dns}}\n"
                 "defaults: {deploy: [{hook: {command: [hooks/x, hooks/y]}}]}\n"
                 "certificates: [a.example]\n");
    check_clean(&reading);
    CHECK_TEXT(reading.manifest.state_folder, scratch_path(&reading.scratch, "state/here"));
    CHECK_TEXT(reading.manifest.solvers.dns_hook, "/usr/bin/dns");
    CHECK_TEXT(reading.manifest.solvers.http_listen, "[::1]:0");
    CHECK_TEXT(reading.manifest.solvers.alpn_listen, ":8443");
    const struct deploy_hook *hook = reading.manifest.entries[0].deploy;
    CHECK_TEXT(hook->command[0], scratch_path(&reading.scratch, "hooks/x"));
    CHECK_TEXT(hook->command[1], "hooks/y");
    reading_free(&reading);
}

static void large_manifests_are_read(void)
{
    enum { ENTRIES = 20000 };
    struct reading reading;
    struct buf text CLEANUP(buf_free);
    buf_init(&text, 10000000);
    CHECK(buf_append_text(&text, SETTINGS "certificates:\n"));
    for (int i = 0; i < ENTRIES; i++)
        CHECK(
            buf_printf(&text, "  - name: n%d\n    domains: [h%d.example, w%d.example]\n", i, i, i));
    CHECK(buf_append_text(&text, "defaults: {deploy: [{hook: {command: x}}]}\n"));
    reading_make(&reading, ONE_ACCOUNT, buf_text(&text));
    check_clean(&reading);
    CHECK_INT(reading.manifest.count, ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const struct manifest_entry *entry = &reading.manifest.entries[i];
        char expected[32];
        snprintf(expected, sizeof expected, "n%u", i);
        CHECK_TEXT(entry->name, expected);
        snprintf(expected, sizeof expected, "w%u.example", i);
        CHECK_TEXT(entry->domains[1], expected);
        CHECK_INT(entry->line, 5 + 2 * i);
        CHECK(entry->deploy == reading.manifest.entries[0].deploy);
    }
    reading_free(&reading);
}

static const struct test tests[] = {
    TEST(the_whole_form_is_read),
    TEST(the_order_of_keys_means_nothing),
    TEST(json_is_read),
    TEST(what_is_not_said_has_defaults),
    TEST(keys_are_inherited_by_type_and_size),
    TEST(the_manifest_says_who_makes_keys),
    TEST(days_come_from_entry_defaults_or_account),
    TEST(the_digest_never_changes),
    TEST(the_accounts_option_comes_first),
    TEST(files_that_are_not_there_are_errors),
    TEST(standard_input_is_read),
    TEST(wrong_entries_are_left_out),
    TEST(repeated_domains_are_dropped_with_a_warning),
    TEST(errors_of_the_accounts_do_not_repeat_for_each_entry),
    TEST(paths_and_programs_are_beside_the_manifest),
    TEST(large_manifests_are_read),
};

TESTS_MAIN(tests)
