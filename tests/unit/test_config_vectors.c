/* tests/vectors/config: malformed accounts files (accounts-*.yaml) and manifests (manifest-*.yaml).
 * Beside each stands NAME.expected, whose lines are the errors that reading it must give: these,
 * and no other. */
#include "check.h"

#include "config/manifest.h"
#include "io/file.h"

#include <dirent.h>

#define FOLDER TEST_VECTORS "/config"
/* The EAB HMAC keys of all files, which no message may show. */
#define HMAC_TEXT  "U0VDUkVUU0VDUkVUU0VDUkVUU0VDUkVU"
#define HMAC_BYTES "SECRETSECRETSECRETSECRET"

static void file_diagnose(const char *name, struct diagnostics *diagnostics)
{
    char path[1024];
    struct error error;
    snprintf(path, sizeof path, "%s/%s.yaml", FOLDER, name);
    diagnostics_init(diagnostics);
    if (strncmp(name, "accounts-", 9) == 0) {
        struct accounts accounts;
        CHECK_OK(accounts_read(path, &accounts, diagnostics, &error), error);
        accounts_free(&accounts);
    } else {
        struct manifest manifest;
        struct accounts accounts;
        struct manifest_options options = {.file = path};
        CHECK_OK(manifest_read(&options, &manifest, &accounts, diagnostics, &error), error);
        manifest_free(&manifest);
        accounts_free(&accounts);
    }
}

static bool has_error(const struct diagnostics *diagnostics, struct span line)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const char *text = diagnostics->items[i].text;
        const char *at = memmem(text, strlen(text), line.data, line.len);
        if (at != NULL && !diagnostics->items[i].warning && (at == text || at[-1] == '/'))
            return true;
    }
    return false;
}

static bool messages_are_clean(const struct diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const char *text = diagnostics->items[i].text;
        if (strstr(text, HMAC_TEXT) != NULL || strstr(text, HMAC_BYTES) != NULL)
            return false;
        for (const char *at = text; *at != '\0'; at++)
            if ((unsigned char)*at < ' ' || *at == 0x7f)
                return false;
    }
    return true;
}

/* True when the file gives exactly what is expected of it; shows the difference otherwise. */
static bool file_check(const char *name)
{
    char path[1024];
    struct error error;
    struct diagnostics diagnostics;
    struct buf expected CLEANUP(buf_free);
    buf_init(&expected, 100000);
    snprintf(path, sizeof path, "%s/%s.expected", FOLDER, name);
    CHECK_OK(file_read(path, &expected, NULL, &error), error);
    file_diagnose(name, &diagnostics);
    struct span rest = span_trim(buf_span(&expected));
    size_t lines = 0;
    bool same = messages_are_clean(&diagnostics);
    while (rest.data != NULL) {
        struct span line = span_split(&rest, '\n');
        lines++;
        if (line.len == 0 || !has_error(&diagnostics, line)) {
            fprintf(stderr, "%s: missing: %.*s\n", name, SPAN_PRINTF(line));
            same = false;
        }
    }
    same = same && lines == diagnostics.errors;
    for (size_t i = 0; i < diagnostics.count && !same; i++)
        fprintf(stderr, "%s: given: %s\n", name, diagnostics.items[i].text);
    diagnostics_free(&diagnostics);
    return same;
}

static void malformed_files_give_the_expected_errors(void)
{
    DIR *folder = opendir(FOLDER);
    CHECK(folder != NULL);
    size_t accounts = 0, manifests = 0, wrong = 0;
    const struct dirent *found;
    while ((found = readdir(folder)) != NULL) {
        char name[256];
        struct span file = span_of(found->d_name);
        if (!span_ends(file, ".yaml"))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(file.len - 5), file.data);
        wrong += !file_check(name);
        accounts += strncmp(name, "accounts-", 9) == 0;
        manifests += strncmp(name, "manifest-", 9) == 0;
    }
    closedir(folder);
    CHECK_INT(wrong, 0);
    CHECK(accounts >= 45);
    CHECK(manifests >= 45);
}

static const struct test tests[] = {
    TEST(malformed_files_give_the_expected_errors),
};

TESTS_MAIN(tests)
