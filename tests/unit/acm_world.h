/* What the tests of the ACM deployer share: a small ACM, a state, certificates issued into the
 * store's folders, and runs over them. */
#ifndef CERTMILL_TEST_ACM_WORLD_H
#define CERTMILL_TEST_ACM_WORLD_H

#include "acm_server.h"
#include "pki.h"
#include "scratch.h"
#include "state_changes.h"

#include "base/clock.h"
#include "deploy/acm_deployer.h"
#include "io/file.h"

#define ACCOUNT    "111111111111"
#define ACCOUNT_2  "222222222222"
#define REGION     "us-east-1"
#define REGION_2   "eu-west-1"
#define REPORTS    64
#define DEADLINE_S 50

static struct scratch scratch;

struct report {
    const struct manifest_entry *entry;
    bool ok;
    unsigned imports;
    char error[ERROR_TEXT_MAX];
};

/* What a test has: an ACM, a state, keys and certificates. */
static struct world {
    struct fake_acm acm;
    struct crypto_context *crypto;
    EVP_PKEY *ca_key, *key;
    X509 *ca;
    struct state *state;
    struct aws_profiles *profiles;
    struct manifest manifest;
    struct report reports[REPORTS];
    size_t report_count;
    char warnings[8192];
    struct acm_counts counts;
    char endpoint[64];
    char config[300];
    unsigned serial;
} world;

static inline const char *env_get(void *context, const char *name)
{
    (void)context;
    if (strcmp(name, "AWS_ENDPOINT_URL") == 0)
        return world.endpoint;
    if (strcmp(name, "AWS_CONFIG_FILE") == 0)
        return world.config;
    if (strcmp(name, "AWS_SHARED_CREDENTIALS_FILE") == 0)
        return "/nonexistent";
    return strcmp(name, "AWS_EC2_METADATA_DISABLED") == 0 ? "true" : NULL;
}

/* The profiles anew, "moved" of another account than before. */
static inline void profiles_open(const char *moved_account)
{
    char text[2048];
    struct error error;
    aws_profiles_free(world.profiles);
    snprintf(text, sizeof text,
             "[default]\nregion = " REGION "\naws_access_key_id = AKIA" ACCOUNT
             "\naws_secret_access_key = s\n"
             "[profile one]\naws_access_key_id = AKIA" ACCOUNT "\naws_secret_access_key = s\n"
             "[profile again]\naws_access_key_id = AKIA" ACCOUNT "\naws_secret_access_key = s\n"
             "[profile two]\naws_access_key_id = AKIA" ACCOUNT_2 "\naws_secret_access_key = s\n"
             "[profile moved]\naws_access_key_id = AKIA%s\naws_secret_access_key = s\n",
             moved_account);
    CHECK_OK(file_write(world.config, span_of(text), 0600, &error), error);
    CHECK_OK(aws_profiles_new(&(struct aws_environment){.get = env_get}, &world.profiles, &error),
             error);
}

static inline void world_open(void)
{
    world = (struct world){0};
    scratch_make(&scratch);
    fake_start(&world.acm, clock_unix());
    snprintf(world.endpoint, sizeof world.endpoint, "http://127.0.0.1:%d", world.acm.server->port);
    snprintf(world.config, sizeof world.config, "%s/aws-config", scratch.path);
    profiles_open(ACCOUNT);
    world.crypto = pki_context();
    world.ca_key = pki_key(world.crypto, KEY_ECDSA, 256);
    world.key = pki_key(world.crypto, KEY_ECDSA, 256);
    world.ca = pki_certificate(&(struct pki_wish){.common_name = "Test CA",
                                                  .key = world.ca_key,
                                                  .not_before = clock_unix() - 7200,
                                                  .not_after = clock_unix() + 9999999});
    world.state = state_started(scratch.path);
    world.manifest.aws = (struct manifest_aws){.imports_per_second = 1000,
                                               .imports_per_year = 5000,
                                               .certificates_limit = 2500,
                                               .drift = true};
    world.manifest.has_acm = true;
}

static inline void world_close(void)
{
    state_close(world.state);
    aws_profiles_free(world.profiles);
    fake_stop(&world.acm);
    X509_free(world.ca);
    EVP_PKEY_free(world.ca_key);
    EVP_PKEY_free(world.key);
    crypto_context_free(world.crypto);
    scratch_remove(&scratch);
}

static inline void file_put(const char *name, unsigned sequence, const char *file, struct span data)
{
    char path[512];
    struct error error;
    snprintf(path, sizeof path, "%s/archive/%s/%u", scratch.path, name, sequence);
    CHECK_OK(folder_make(path, 0700, &error), error);
    snprintf(path, sizeof path, "%s/archive/%s/%u/%s", scratch.path, name, sequence, file);
    CHECK_OK(file_write(path, data, 0600, &error), error);
}

/* Issues the sequence of a certificate. `names` as openssl.cnf has them. */
static inline void issue_until(const char *name, unsigned sequence, const char *names,
                               int64_t not_after)
{
    char serial[32];
    struct secret key;
    struct error error;
    struct buf pem;
    buf_init(&pem, 1 << 20);
    snprintf(serial, sizeof serial, "00c0ffee%08x", ++world.serial);
    X509 *leaf = pki_certificate(&(struct pki_wish){.common_name = "a.example",
                                                    .names = names,
                                                    .serial_hex = serial,
                                                    .key = world.key,
                                                    .issuer = world.ca,
                                                    .issuer_key = world.ca_key,
                                                    .not_before = clock_unix() - 3600,
                                                    .not_after = not_after});
    pki_append(&pem, leaf);
    X509_free(leaf);
    file_put(name, sequence, "cert.pem", buf_span(&pem));
    buf_clear(&pem);
    pki_append(&pem, world.ca);
    file_put(name, sequence, "chain.pem", buf_span(&pem));
    buf_free(&pem);
    CHECK_OK(key_to_pem(world.crypto, world.key, &key, &error), error);
    file_put(name, sequence, "privkey.pem", secret_span(&key));
    secret_free(&key);
}

static inline void issue(const char *name, unsigned sequence)
{
    issue_until(name, sequence, "DNS:a.example,DNS:b.example",
                clock_unix() + 86400 + (int64_t)sequence * 1000);
}

static const char *const domains[] = {"a.example", "b.example"};

static inline struct manifest_entry entry_of(const char *name, const struct deploy_acm *targets)
{
    return (struct manifest_entry){
        .name = name, .domains = domains, .domain_count = 2, .acm = targets};
}

static inline void on_done(void *context, const struct manifest_entry *entry, unsigned sequence,
                           bool ok, unsigned imports, const struct error *error)
{
    CHECK(context == &world && world.report_count < REPORTS && sequence > 0);
    struct report *report = &world.reports[world.report_count++];
    *report = (struct report){.entry = entry, .ok = ok, .imports = imports};
    snprintf(report->error, sizeof report->error, "%s", ok ? "" : error->text);
}

static inline void on_warn(void *context, const char *name, const char *text)
{
    CHECK(context == &world);
    size_t used = strlen(world.warnings);
    snprintf(world.warnings + used, sizeof world.warnings - used, "%s: %s\n", name, text);
}

static inline struct acm_deployer *deployer_open(void)
{
    struct acm_deployer_options options = {.state_folder = scratch.path,
                                           .manifest = &world.manifest,
                                           .profiles = world.profiles,
                                           .state = world.state,
                                           .user_agent = "test",
                                           .done = on_done,
                                           .warn = on_warn,
                                           .context = &world};
    struct acm_deployer *deployer;
    struct error error;
    world.report_count = 0;
    world.warnings[0] = '\0';
    CHECK_OK(acm_deployer_new(&options, &deployer, &error), error);
    return deployer;
}

static inline void deployer_close(struct acm_deployer *deployer)
{
    acm_deployer_finish(deployer);
    CHECK(acm_deployer_ended(deployer));
    acm_deployer_count(deployer, &world.counts);
    acm_deployer_free(deployer);
}

/* A run that deploys the entry, or watches over it. */
static const struct report *run_one(const struct manifest_entry *entry, unsigned sequence,
                                    bool watch)
{
    static const struct report none;
    struct acm_deployer *deployer = deployer_open();
    (watch ? acm_deployer_watch : acm_deployer_add)(deployer, entry, sequence);
    deployer_close(deployer);
    CHECK(world.report_count <= 1);
    return world.report_count == 1 ? &world.reports[0] : &none;
}

static const struct report *add(const struct manifest_entry *entry, unsigned sequence)
{
    return run_one(entry, sequence, false);
}

static const struct report *watch(const struct manifest_entry *entry, unsigned sequence)
{
    return run_one(entry, sequence, true);
}

#define CHECK_ADDED(wanted, sequence, count)                \
    do {                                                    \
        const struct report *added = add(wanted, sequence); \
        CHECK_TEXT(added->error, "");                       \
        CHECK(added->ok && added->entry == (wanted));       \
        CHECK_INT(added->imports, count);                   \
    } while (0)

/* Rows of the state. */

struct seen {
    unsigned rows, failures, sequence;
    char arn[ACM_ARN_MAX + 1], account[16], profile[32], serial[80], error[STATE_ERROR_MAX + 1];
    int64_t imported_at;
};

static inline bool row_see(void *context, const struct state_import *row)
{
    struct seen *seen = context;
    seen->rows++;
    seen->failures = row->failures;
    seen->sequence = row->sequence;
    seen->imported_at = row->imported_at;
    snprintf(seen->arn, sizeof seen->arn, "%s", row->arn);
    snprintf(seen->account, sizeof seen->account, "%s", row->account);
    snprintf(seen->profile, sizeof seen->profile, "%s", row->profile);
    snprintf(seen->serial, sizeof seen->serial, "%s", row->serial);
    snprintf(seen->error, sizeof seen->error, "%s", row->last_error);
    return true;
}

static inline struct seen rows(void)
{
    struct seen seen = {0};
    struct error error;
    CHECK_OK(state_imports(world.state, row_see, &seen, &error), error);
    return seen;
}

static inline struct fake_held *held(size_t index)
{
    CHECK(index < world.acm.count);
    return &world.acm.held[index];
}

/* Is what ACM holds this sequence? */
static inline void check_held(size_t index, const char *name, unsigned sequence)
{
    char path[512];
    struct error error;
    struct buf pem;
    struct buf der;
    struct certificate_info info;
    buf_init(&pem, 1 << 20);
    buf_init(&der, 1 << 20);
    snprintf(path, sizeof path, "%s/archive/%s/%u/cert.pem", scratch.path, name, sequence);
    CHECK_OK(file_read(path, &pem, NULL, &error), error);
    CHECK_OK(certificate_read(buf_span(&pem), &der, &info, &error), error);
    CHECK_INT(held(index)->not_after, info.not_after);
    buf_free(&pem);
    buf_free(&der);
}

static const struct deploy_acm one = {.profile = "one", .region = REGION};

static inline void world_before(void *context)
{
    (void)context;
    alarm(DEADLINE_S);
    world_open();
}

static inline void world_after(void *context)
{
    (void)context;
    world_close();
}

#define WORLD_TESTS_MAIN(tests)                                                        \
    int main(int argc, char **argv)                                                    \
    {                                                                                  \
        return tests_run_around(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv, \
                                world_before, world_after, NULL);                      \
    }

#endif
