/* Damaged configuration: bits flipped and ends cut off, the same in every run. Nothing may crash,
 * leak or hold a value that was not checked. */
#include "check.h"
#include "scratch.h"

#include "config/manifest.h"
#include "io/file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define HMAC_TEXT "U0VDUkVUU0VDUkVUU0VDUkVUU0VDUkVU"

static const char fleet[] =
    "version: 1\n"
    "accounts: accounts.yaml\n"
    "state: /var/lib/certmill\n"
    "defaults:\n"
    "  account: demo\n"
    "  challenge: dns-01\n"
    "  renew-before-days: 15\n"
    "  key: {type: ECDSA, size: 256}\n"
    "  permissions: {key: 0640, group: root}\n"
    "  deploy:\n"
    "    - hook: {command: [systemctl, reload, nginx], once: true}\n"
    "    - hook: {command: \"echo $CERTMILL_NAME\", timeout-seconds: 5}\n"
    "solvers:\n"
    "  http-01: {webroot: www}\n"
    "  dns-01: {hook: dns, propagation-seconds: 0, timeout-seconds: 60}\n"
    "limits: {in-flight: 50, requests-per-second: 0.5, order-timeout-seconds: 90}\n"
    "certificates:\n"
    "  - name: www\n"
    "    domains: [WWW.example.com, example.com]\n"
    "  - domains: \"*.example.com\"\n"
    "    account: curve\n"
    "    challenge: none\n"
    "    key: {type: RSA}\n"
    "    renew-before-days: 7\n"
    "    deploy: []\n"
    "    permissions: {key: \"600\", certificate: 0o640, owner: 0}\n"
    "  - mail.example.com\n";

/* xorshift64*, so that every run flips the same bytes. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void damaged_accounts_neither_crash_nor_leak(void)
{
    static const char text[] = "accounts:\n  demo:\n    - acme-endpoint: \"https://a.example/d\"\n"
                               "      eab-hmac-key: " HMAC_TEXT "\n      eab-key: kid\n"
                               "      email: ops@example.com\n      KeyType: EC # or RSA\n"
                               "      KeySize: 256\n  'two': {acme-endpoint: https://b.example}\n";
    uint64_t random = 1;
    size_t faulty = 0;
    for (int round = 0; round < 40000; round++) {
        char damaged[sizeof text];
        struct accounts accounts;
        struct diagnostics diagnostics;
        size_t len = sizeof text - 1;
        memcpy(damaged, text, len);
        for (uint64_t flips = random_next(&random) % 3 + 1; flips > 0; flips--)
            damaged[random_next(&random) % len] ^= (char)(1u << random_next(&random) % 8);
        if (random_next(&random) % 4 == 0)
            len = random_next(&random) % len;
        diagnostics_init(&diagnostics);
        accounts_parse("accounts.yaml", span_make(damaged, len), &accounts, &diagnostics);
        faulty += diagnostics.errors > 0;
        for (size_t i = 0; i < accounts.count; i++)
            CHECK(accounts.list[i].endpoint != NULL && key_spec_is_valid(accounts.list[i].key));
        for (size_t i = 0; i < diagnostics.count; i++) {
            CHECK(strstr(diagnostics.items[i].text, "VUU0VDUkVU") == NULL);
            CHECK(strstr(diagnostics.items[i].text, "SECRETSECRET") == NULL);
        }
        accounts_free(&accounts);
        diagnostics_free(&diagnostics);
    }
    CHECK(faulty > 20000);
}

static void damaged_manifest_read(const struct manifest_options *options, size_t *faulty)
{
    struct manifest manifest;
    struct accounts accounts;
    struct diagnostics diagnostics;
    struct error error;
    diagnostics_init(&diagnostics);
    CHECK_OK(manifest_read(options, &manifest, &accounts, &diagnostics, &error), error);
    *faulty += diagnostics.errors > 0;
    for (size_t i = 0; i < manifest.count; i++) {
        const struct manifest_entry *entry = &manifest.entries[i];
        CHECK(entry->name != NULL && entry->name[0] != '\0' && entry->domain_count > 0);
        CHECK(entry->account < accounts.count && key_spec_is_valid(entry->key));
        CHECK((entry->key_mode & 0007) == 0 && entry->renew_before_days > 0);
        for (uint32_t j = 0; j < entry->domain_count; j++)
            CHECK(entry->domains[j][0] != '\0' && strlen(entry->domains[j]) <= 253);
    }
    for (size_t i = 0; i < diagnostics.count; i++)
        for (const char *at = diagnostics.items[i].text; *at != '\0'; at++)
            CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
    manifest_free(&manifest);
    accounts_free(&accounts);
    diagnostics_free(&diagnostics);
}

static void damaged_manifests_never_crash(void)
{
    struct scratch scratch;
    struct error error;
    scratch_make(&scratch);
    CHECK_OK(file_write(scratch_path(&scratch, "accounts.yaml"),
                        SPAN_LITERAL("accounts:\n  demo: {acme-endpoint: https://a.example}\n  "
                                     "curve: {acme-endpoint: https://b.example, KeyType: EC}\n"),
                        0600, &error),
             error);
    int memory = memfd_create("fleet.yaml", MFD_CLOEXEC);
    CHECK(memory >= 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    struct manifest_options options = {.file = path,
                                       .accounts_file = scratch_path(&scratch, "accounts.yaml")};
    uint64_t random = 1;
    size_t faulty = 0;
    for (int round = 0; round < 30000; round++) {
        char damaged[sizeof fleet];
        size_t len = sizeof fleet - 1;
        memcpy(damaged, fleet, len);
        for (uint64_t flips = random_next(&random) % 4; flips > 0; flips--)
            damaged[random_next(&random) % len] ^= (char)(1u << random_next(&random) % 8);
        if (random_next(&random) % 4 == 0)
            len = random_next(&random) % len;
        CHECK(ftruncate(memory, 0) == 0);
        CHECK(pwrite(memory, damaged, len, 0) == (ssize_t)len);
        damaged_manifest_read(&options, &faulty);
    }
    CHECK(faulty > 15000);
    CHECK(faulty < 30000);
    close(memory);
    scratch_remove(&scratch);
}

static const struct test tests[] = {
    TEST(damaged_accounts_neither_crash_nor_leak),
    TEST(damaged_manifests_never_crash),
};

TESTS_MAIN(tests)
