/* engine/config: the manifest, by way of files in memory. The accounts file is always the same one:
 * a manifest that could name another would read whatever is on the machine. */
#include "fuzz.h"

#include "aws/acm.h"
#include "config/manifest.h"
#include "config/names.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int manifest_fd;
static char manifest_path[64];
static char accounts_path[64];

static int memory_file(const char *name, char *path, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    REQUIRE(fd >= 0);
    snprintf(path, size, "/proc/self/fd/%d", fd);
    return fd;
}

void fuzz_prepare(void)
{
    static const char accounts[] = "accounts:\n  demo: {acme-endpoint: https://a.example}\n"
                                   "  curve: {acme-endpoint: https://b.example, KeyType: EC}\n";
    manifest_fd = memory_file("fleet.yaml", manifest_path, sizeof manifest_path);
    int fd = memory_file("accounts.yaml", accounts_path, sizeof accounts_path);
    REQUIRE(write(fd, accounts, sizeof accounts - 1) == (ssize_t)sizeof accounts - 1);
}

static void target_is_checked(const struct deploy_acm *acm)
{
    struct acm_arn arn;
    struct error error;
    REQUIRE(acm->line > 0 && acm->tag_count < ACM_TAGS_MAX);
    if (acm->arn != NULL)
        REQUIRE(acm_arn_parse(span_of(acm->arn), &arn, &error) && span_is(arn.region, acm->region));
    for (unsigned i = 0; i < acm->tag_count; i++)
        REQUIRE(acm->tags[i].key[0] != '\0' && acm->tags[i].value != NULL);
}

static void entry_is_checked(const struct manifest_entry *entry, const struct accounts *accounts)
{
    struct error error;
    struct domain domain;
    REQUIRE(certificate_name_check(span_of(entry->name), &error));
    REQUIRE(entry->domain_count > 0 && entry->domain_count <= MANIFEST_DOMAINS_MAX);
    for (uint32_t i = 0; i < entry->domain_count; i++) {
        REQUIRE(domain_read(span_of(entry->domains[i]), &domain, &error));
        REQUIRE(strcmp(domain.text, entry->domains[i]) == 0);
        REQUIRE(domain.kind != DOMAIN_WILDCARD || entry->challenge == CHALLENGE_NONE ||
                entry->challenge == CHALLENGE_DNS_01);
    }
    REQUIRE(entry->account < accounts->count && key_spec_is_valid(entry->key));
    REQUIRE((entry->key_mode & 0007) == 0 && entry->renew_before_days > 0 && entry->line > 0);
    for (const struct deploy_hook *hook = entry->deploy; hook != NULL; hook = hook->next)
        REQUIRE(hook->command[0] != NULL && hook->timeout_s > 0);
    for (const struct deploy_acm *acm = entry->acm; acm != NULL; acm = acm->next)
        target_is_checked(acm);
}

static bool names_are_different(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        for (size_t j = i + 1; j < manifest->count && j < i + 16; j++)
            if (strcmp(manifest->entries[i].name, manifest->entries[j].name) == 0)
                return false;
    return true;
}

void fuzz_input(struct span input)
{
    struct manifest manifest;
    struct accounts accounts;
    struct diagnostics diagnostics;
    struct error error = {0};
    const struct manifest_options options = {.file = manifest_path, .accounts_file = accounts_path};
    REQUIRE(ftruncate(manifest_fd, 0) == 0);
    REQUIRE(pwrite(manifest_fd, input.data, input.len, 0) == (ssize_t)input.len);
    diagnostics_init(&diagnostics);
    REQUIRE(manifest_read(&options, &manifest, &accounts, &diagnostics, &error));
    for (size_t i = 0; i < manifest.count; i++)
        entry_is_checked(&manifest.entries[i], &accounts);
    REQUIRE(names_are_different(&manifest));
    REQUIRE(manifest.aws.imports_per_second > 0 && manifest.aws.imports_per_year > 0);
    REQUIRE(manifest.count > 0 || diagnostics.errors + diagnostics.warnings > 0);
    for (size_t i = 0; i < diagnostics.count; i++)
        fuzz_require_line(diagnostics.items[i].text);
    manifest_free(&manifest);
    accounts_free(&accounts);
    diagnostics_free(&diagnostics);
}
