/* engine/deploy/acm_deployer: imports into a small ACM, run after run over one state. */
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

static const char *env_get(void *context, const char *name)
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
static void profiles_open(const char *moved_account)
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

static void world_open(void)
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

static void world_close(void)
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

static void file_put(const char *name, unsigned sequence, const char *file, struct span data)
{
    char path[512];
    struct error error;
    snprintf(path, sizeof path, "%s/archive/%s/%u", scratch.path, name, sequence);
    CHECK_OK(folder_make(path, 0700, &error), error);
    snprintf(path, sizeof path, "%s/archive/%s/%u/%s", scratch.path, name, sequence, file);
    CHECK_OK(file_write(path, data, 0600, &error), error);
}

/* Issues the sequence of a certificate. `names` as openssl.cnf has them. */
static void issue_until(const char *name, unsigned sequence, const char *names, int64_t not_after)
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

static void issue(const char *name, unsigned sequence)
{
    issue_until(name, sequence, "DNS:a.example,DNS:b.example",
                clock_unix() + 86400 + (int64_t)sequence * 1000);
}

static const char *const domains[] = {"a.example", "b.example"};

static struct manifest_entry entry_of(const char *name, const struct deploy_acm *targets)
{
    return (struct manifest_entry){
        .name = name, .domains = domains, .domain_count = 2, .acm = targets};
}

static void on_done(void *context, const struct manifest_entry *entry, unsigned sequence, bool ok,
                    unsigned imports, const struct error *error)
{
    CHECK(context == &world && world.report_count < REPORTS && sequence > 0);
    struct report *report = &world.reports[world.report_count++];
    *report = (struct report){.entry = entry, .ok = ok, .imports = imports};
    snprintf(report->error, sizeof report->error, "%s", ok ? "" : error->text);
}

static void on_warn(void *context, const char *name, const char *text)
{
    CHECK(context == &world);
    size_t used = strlen(world.warnings);
    snprintf(world.warnings + used, sizeof world.warnings - used, "%s: %s\n", name, text);
}

static struct acm_deployer *deployer_open(void)
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

static void deployer_close(struct acm_deployer *deployer)
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

static bool row_see(void *context, const struct state_import *row)
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

static struct seen rows(void)
{
    struct seen seen = {0};
    struct error error;
    CHECK_OK(state_imports(world.state, row_see, &seen, &error), error);
    return seen;
}

static struct fake_held *held(size_t index)
{
    CHECK(index < world.acm.count);
    return &world.acm.held[index];
}

/* Is what ACM holds this sequence? */
static void check_held(size_t index, const char *name, unsigned sequence)
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

static void first_import_makes_one_and_notes_its_arn(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 1);
    CHECK_TEXT(held(0)->tag, "www");
    check_held(0, "www", 1);
    struct seen row = rows();
    CHECK_INT(row.rows, 1);
    CHECK_TEXT(row.arn, held(0)->arn);
    CHECK_TEXT(row.account, ACCOUNT);
    CHECK_INT(row.sequence, 1);
    CHECK_INT(world.counts.imports, 1);
    CHECK_TEXT(world.warnings, "");
}

static void renewal_keeps_the_arn(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(world.acm.count, 1);
    CHECK_INT(held(0)->imports, 2);
    check_held(0, "www", 2);
    CHECK_INT(rows().sequence, 2);
    CHECK_TEXT(rows().arn, held(0)->arn);
}

static void unchanged_content_is_not_sent(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.imports, 1);
    CHECK_INT(world.counts.unchanged, 1);
}

static void unchanged_one_is_watched_without_a_call_of_its_own(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_INT(world.acm.describes, 0);
    CHECK_INT(rows().imported_at, world.acm.now);
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_INT(world.acm.describes, 0);
    CHECK_INT(world.acm.imports, 1);
}

static void many_go_to_many_accounts_and_regions(void)
{
    struct deploy_acm fourth = {.profile = NULL, .region = NULL};
    struct deploy_acm third = {.profile = "two", .region = REGION_2, .next = &fourth};
    struct deploy_acm second = {.profile = "two", .region = REGION, .next = &third};
    struct deploy_acm first = {.profile = "one", .region = REGION_2, .next = &second};
    struct manifest_entry entries[8];
    char names[8][8];
    struct acm_deployer *deployer = deployer_open();
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "c%zu", i);
        issue(names[i], 1);
        entries[i] = entry_of(names[i], &first);
        acm_deployer_add(deployer, &entries[i], 1);
    }
    deployer_close(deployer);
    CHECK_INT(world.report_count, 8);
    for (size_t i = 0; i < 8; i++) {
        CHECK_TEXT(world.reports[i].error, "");
        CHECK_INT(world.reports[i].imports, 4);
    }
    CHECK_INT(world.acm.count, 32);
    CHECK_INT(world.acm.lists, 4);
    CHECK_INT(world.acm.identities, 3);
    CHECK_INT(rows().rows, 32);
}

static void entry_without_targets_is_done(void)
{
    struct manifest_entry entry = entry_of("www", NULL);
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.calls, 0);
}

static void drift_is_found_and_mended(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    issue("other", 7);
    CHECK_ADDED(&entry, 1, 1);
    CHECK(watch(&entry, 1)->entry == NULL);
    snprintf(held(0)->serial, sizeof held(0)->serial, "0b:ad");
    held(0)->not_after += 5;
    const struct report *report = watch(&entry, 1);
    CHECK(report->ok && report->entry == &entry);
    CHECK_INT(report->imports, 1);
    CHECK_CONTAINS(world.warnings, "holds another certificate (serial 0bad");
    CHECK_INT(world.counts.repaired, 1);
    check_held(0, "www", 1);
    CHECK_INT(world.acm.count, 1);
}

static void certificate_of_the_same_dates_is_told_by_when_it_was_imported(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK(watch(&entry, 1)->entry == NULL);
    snprintf(held(0)->serial, sizeof held(0)->serial, "0b:ad");
    held(0)->imported_at += 1000;
    CHECK_INT(watch(&entry, 1)->imports, 1);
    CHECK_CONTAINS(world.warnings, "0bad");
}

static void drift_is_left_alone_when_not_wanted(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    held(0)->not_after += 5;
    world.manifest.aws.drift = false;
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_INT(world.acm.imports, 1);
}

static void deleted_one_is_imported_as_new(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    held(0)->deleted = true;
    CHECK_INT(watch(&entry, 1)->imports, 1);
    CHECK_CONTAINS(world.warnings, "was deleted in ACM");
    CHECK_CONTAINS(world.warnings, held(0)->arn);
    CHECK_INT(world.acm.count, 2);
    CHECK_INT(rows().rows, 1);
    CHECK_TEXT(rows().arn, held(1)->arn);
    CHECK_TEXT(held(1)->tag, "www");
}

static void given_arn_is_adopted(void)
{
    issue("www", 1);
    struct fake_held *foreign = fake_new(&world.acm, ACCOUNT, REGION);
    snprintf(foreign->serial, sizeof foreign->serial, "01");
    snprintf(foreign->names, sizeof foreign->names, "\"a.example\",\"gone.example\"");
    struct deploy_acm target = {.profile = "one", .region = REGION, .arn = foreign->arn};
    struct manifest_entry entry = entry_of("www", &target);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 1);
    check_held(0, "www", 1);
    CHECK_CONTAINS(world.warnings, "gone.example");
    CHECK_TEXT(rows().arn, foreign->arn);
    CHECK_ADDED(&entry, 1, 0);
}

static void given_arn_that_holds_it_already_is_only_noted(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    struct deploy_acm target = {.profile = "one", .region = REGION, .arn = held(0)->arn};
    struct manifest_entry given = entry_of("www", &target);
    CHECK_ADDED(&given, 1, 0);
    CHECK_INT(rows().rows, 2);
    CHECK_INT(world.acm.imports, 1);
}

static void check_refused(const struct manifest_entry *entry, const char *words)
{
    const struct report *report = add(entry, 1);
    CHECK(!report->ok && report->entry == entry);
    CHECK_CONTAINS(report->error, words);
    CHECK(rows().error[0] != 0 && rows().failures > 0);
    CHECK_INT(world.counts.failed, 1);
    CHECK_INT(world.acm.imports, 0);
}

static void given_arn_that_cannot_be_taken_is_an_error(void)
{
    issue("www", 1);
    struct deploy_acm target = {.profile = "one",
                                .region = REGION,
                                .arn = "arn:aws:acm:us-east-1:" ACCOUNT ":certificate/none"};
    struct manifest_entry entry = entry_of("www", &target);
    check_refused(&entry, "is not there: correct `arn`");
    target.arn = "arn:aws:acm:us-east-1:" ACCOUNT_2 ":certificate/none";
    check_refused(&entry, "of account " ACCOUNT_2);
    target.arn = "arn:aws:acm:eu-west-1:" ACCOUNT ":certificate/none";
    check_refused(&entry, "of region eu-west-1");
    struct fake_held *issued = fake_new(&world.acm, ACCOUNT, REGION);
    snprintf(issued->type, sizeof issued->type, "AMAZON_ISSUED");
    target.arn = issued->arn;
    check_refused(&entry, "AMAZON_ISSUED");
}

static void what_acm_would_refuse_is_not_sent(void)
{
    issue_until("www", 1, "DNS:a.example,DNS:b.example", clock_unix() - 10);
    struct manifest_entry entry = entry_of("www", &one);
    check_refused(&entry, "expired");
    CHECK_CONTAINS(world.reports[0].error, "not sent to ACM");
    CHECK_INT(rows().failures, 1);
    /* and the next try is none that was lost */
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(rows().failures, 0);
}

static void throttled_import_goes_on_later(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_THROTTLE, 0, 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.counts.throttled, 1);
    CHECK_INT(world.acm.count, 1);
}

static void lost_answer_makes_no_second_certificate(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_LOST, 0, 1);
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.count, 1);
    CHECK_INT(world.acm.imports, 1);
    CHECK_TEXT(rows().arn, held(0)->arn);
    CHECK_INT(rows().sequence, 1);
}

static void answer_that_was_an_error_is_repeated(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_ERROR, 0, 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 1);
}

/* As a run that was killed between the import and its note in the state leaves it. */
static void intend(const char *name)
{
    state_put_ok(world.state, (struct state_change){.kind = STATE_IMPORT_INTENDED,
                                                    .import = {.name = name,
                                                               .profile = "one",
                                                               .region = REGION,
                                                               .given_arn = "",
                                                               .account = ACCOUNT,
                                                               .arn = "",
                                                               .serial = "",
                                                               .last_error = "",
                                                               .attempted_at = clock_unix()}});
}

static void import_that_a_crash_lost_is_found_by_its_serial(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    issue("other", 1);
    struct manifest_entry other = entry_of("other", &one);
    CHECK_ADDED(&other, 1, 1);
    CHECK_ADDED(&entry, 1, 1);
    struct state_change gone = {.kind = STATE_IMPORT_GONE,
                                .import = {.name = "www",
                                           .profile = "one",
                                           .region = REGION,
                                           .given_arn = "",
                                           .account = "",
                                           .arn = "",
                                           .serial = "",
                                           .last_error = ""}};
    state_put_ok(world.state, gone);
    intend("www");
    CHECK_ADDED(&entry, 1, 0);
    CHECK_INT(world.acm.count, 2);
    CHECK_TEXT(rows().arn, held(1)->arn);
}

static void import_that_a_crash_lost_is_found_by_its_tag(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    state_put_ok(world.state, (struct state_change){.kind = STATE_IMPORT_GONE,
                                                    .import = {.name = "www",
                                                               .profile = "one",
                                                               .region = REGION,
                                                               .given_arn = "",
                                                               .account = "",
                                                               .arn = "",
                                                               .serial = "",
                                                               .last_error = ""}});
    intend("www");
    /* issued anew since, so that the serial is another */
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(world.acm.count, 1);
    CHECK(world.acm.tag_lists > 0);
    check_held(0, "www", 2);
}

static void certificate_of_another_name_is_not_taken_for_a_lost_one(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    struct fake_held *foreign = fake_new(&world.acm, ACCOUNT, REGION);
    snprintf(foreign->names, sizeof foreign->names, "\"a.example\",\"b.example\"");
    snprintf(foreign->serial, sizeof foreign->serial, "01");
    snprintf(foreign->tag, sizeof foreign->tag, "mail");
    issue("www", 1);
    intend("www");
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 2);
}

static void one_that_fails_stops_no_other(void)
{
    struct deploy_acm second = {.profile = "one", .region = REGION};
    struct deploy_acm first = {.profile = "two", .region = REGION, .next = &second};
    struct manifest_entry entry = entry_of("www", &first);
    issue("www", 1);
    world.acm.down_region = NULL;
    fake_fail(&world.acm, "ImportCertificate", FAKE_DENY, 0, 1);
    const struct report *report = add(&entry, 1);
    CHECK(!report->ok);
    CHECK_INT(report->imports, 1);
    CHECK_CONTAINS(report->error, "acm:ImportCertificate");
    CHECK_INT(world.counts.failed, 1);
    CHECK_INT(world.counts.imports, 1);
    /* the next run has only the one that failed to do */
    CHECK_ADDED(&entry, 1, 1);
    CHECK_INT(world.acm.count, 2);
}

static void region_that_is_down_slows_no_other(void)
{
    struct deploy_acm far = {.profile = "one", .region = REGION_2};
    struct manifest_entry bad = entry_of("bad", &far);
    struct manifest_entry good = entry_of("good", &one);
    issue("bad", 1);
    issue("good", 1);
    world.acm.down_region = REGION_2;
    struct acm_deployer *deployer = deployer_open();
    acm_deployer_add(deployer, &bad, 1);
    acm_deployer_add(deployer, &good, 1);
    deployer_close(deployer);
    CHECK_INT(world.report_count, 2);
    CHECK(world.reports[0].entry == &good && world.reports[0].ok);
    CHECK(world.reports[1].entry == &bad && !world.reports[1].ok);
    CHECK_CONTAINS(world.reports[1].error, REGION_2);
}

static void credentials_that_fail_are_told_and_fail_nothing_that_is_in_place(void)
{
    struct deploy_acm moved = {.profile = "moved", .region = REGION};
    struct manifest_entry entry = entry_of("www", &moved);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    world.acm.deny_identity = true;
    CHECK(watch(&entry, 1)->entry == NULL);
    CHECK_CONTAINS(world.warnings, "InvalidClientTokenId");
    CHECK_INT(rows().failures, 0);
    issue("www", 2);
    const struct report *report = add(&entry, 2);
    CHECK(!report->ok);
    CHECK_CONTAINS(report->error, "InvalidClientTokenId");
    CHECK_INT(rows().failures, 1);
    CHECK_INT(rows().sequence, 1);
}

static void quota_that_is_used_up_is_told_and_tried_no_more(void)
{
    struct manifest_entry entries[] = {entry_of("a", &one), entry_of("b", &one)};
    issue("a", 1);
    issue("b", 1);
    fake_fail(&world.acm, "ImportCertificate", FAKE_LIMIT, 0, 99);
    struct acm_deployer *deployer = deployer_open();
    acm_deployer_add(deployer, &entries[0], 1);
    acm_deployer_add(deployer, &entries[1], 1);
    deployer_close(deployer);
    CHECK_INT(world.report_count, 2);
    CHECK(!world.reports[0].ok && !world.reports[1].ok);
    CHECK_CONTAINS(world.reports[1].error, "Service Quotas");
}

static void quotas_are_warned_of(void)
{
    struct manifest_entry entries[] = {entry_of("a", &one), entry_of("b", &one),
                                       entry_of("c", &one)};
    world.manifest.aws.certificates_limit = 3;
    world.manifest.aws.imports_per_year = 2;
    for (size_t i = 0; i < 3; i++) {
        issue(entries[i].name, 1);
        CHECK_ADDED(&entries[i], 1, 1);
        if (i == 0)
            CHECK_TEXT(world.warnings, "");
    }
    CHECK_CONTAINS(world.warnings, "3 of 3 imported certificates are there: ACM may refuse more");
    CHECK_CONTAINS(world.warnings, "3 of 2 imports of 365 days");
}

static void renamed_profile_takes_its_rows_along(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    struct deploy_acm again = {.profile = "again", .region = REGION};
    struct manifest_entry renamed = entry_of("www", &again);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_ADDED(&renamed, 1, 0);
    CHECK_INT(rows().rows, 1);
    CHECK_TEXT(rows().profile, "again");
    issue("www", 2);
    CHECK_ADDED(&entry, 2, 1);
    CHECK_INT(rows().rows, 1);
    CHECK_INT(world.acm.count, 1);
}

static void profile_of_another_account_is_a_new_target(void)
{
    struct deploy_acm moved = {.profile = "moved", .region = REGION};
    struct manifest_entry entry = entry_of("www", &moved);
    issue("www", 1);
    CHECK_ADDED(&entry, 1, 1);
    profiles_open(ACCOUNT_2);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_CONTAINS(world.warnings, "was of account " ACCOUNT " and is now of " ACCOUNT_2);
    CHECK_INT(world.acm.count, 2);
    CHECK_INT(rows().rows, 1);
    CHECK_TEXT(rows().account, ACCOUNT_2);
    CHECK_TEXT(rows().arn, held(1)->arn);
}

static void list_that_fails_hinders_no_import(void)
{
    struct manifest_entry entry = entry_of("www", &one);
    issue("www", 1);
    fake_fail(&world.acm, "ListCertificates", FAKE_DENY, 0, 99);
    CHECK_ADDED(&entry, 1, 1);
    CHECK_CONTAINS(world.warnings, "acm:ListCertificates");
    CHECK(watch(&entry, 1)->entry == NULL);
}

static void interrupt_ends_it_and_the_next_run_goes_on(void)
{
    struct manifest_entry entries[4];
    char names[4][8];
    world.manifest.aws.imports_per_second = 0.001;
    struct acm_deployer *deployer = deployer_open();
    for (size_t i = 0; i < 4; i++) {
        snprintf(names[i], sizeof names[i], "c%zu", i);
        issue(names[i], 1);
        entries[i] = entry_of(names[i], &one);
        acm_deployer_add(deployer, &entries[i], 1);
    }
    acm_deployer_close(deployer);
    acm_deployer_interrupt(deployer);
    acm_deployer_finish(deployer);
    acm_deployer_free(deployer);
    CHECK(world.report_count <= 1);
    world.manifest.aws.imports_per_second = 1000;
    deployer = deployer_open();
    for (size_t i = 0; i < 4; i++)
        acm_deployer_add(deployer, &entries[i], 1);
    deployer_close(deployer);
    CHECK_INT(world.report_count, 4);
    CHECK_INT(world.acm.count, 4);
}

static void targets_are_checked_before_anything_is_sent(void)
{
    struct deploy_acm second = {.profile = "nobody", .region = REGION, .line = 9};
    struct deploy_acm first = {.profile = "one", .line = 8, .next = &second};
    struct manifest_entry entries[] = {entry_of("a", &first), entry_of("b", &first)};
    struct error error;
    world.manifest.entries = entries;
    world.manifest.count = 2;
    CHECK(!acm_targets_check(&world.manifest, world.profiles, &error));
    CHECK_INT(error.kind, ERROR_CONFIG);
    CHECK_CONTAINS(error.text, "line 8: ");
    CHECK_CONTAINS(error.text, "line 9: ");
    CHECK_CONTAINS(error.text, "nobody");
    entries[0].acm = entries[1].acm = &one;
    CHECK_OK(acm_targets_check(&world.manifest, world.profiles, &error), error);
    CHECK_INT(world.acm.calls, 0);
    world.manifest.entries = NULL;
}

static const struct test tests[] = {
    TEST(first_import_makes_one_and_notes_its_arn),
    TEST(renewal_keeps_the_arn),
    TEST(unchanged_content_is_not_sent),
    TEST(unchanged_one_is_watched_without_a_call_of_its_own),
    TEST(many_go_to_many_accounts_and_regions),
    TEST(entry_without_targets_is_done),
    TEST(drift_is_found_and_mended),
    TEST(certificate_of_the_same_dates_is_told_by_when_it_was_imported),
    TEST(drift_is_left_alone_when_not_wanted),
    TEST(deleted_one_is_imported_as_new),
    TEST(given_arn_is_adopted),
    TEST(given_arn_that_holds_it_already_is_only_noted),
    TEST(given_arn_that_cannot_be_taken_is_an_error),
    TEST(what_acm_would_refuse_is_not_sent),
    TEST(throttled_import_goes_on_later),
    TEST(lost_answer_makes_no_second_certificate),
    TEST(answer_that_was_an_error_is_repeated),
    TEST(import_that_a_crash_lost_is_found_by_its_serial),
    TEST(import_that_a_crash_lost_is_found_by_its_tag),
    TEST(certificate_of_another_name_is_not_taken_for_a_lost_one),
    TEST(one_that_fails_stops_no_other),
    TEST(region_that_is_down_slows_no_other),
    TEST(credentials_that_fail_are_told_and_fail_nothing_that_is_in_place),
    TEST(quota_that_is_used_up_is_told_and_tried_no_more),
    TEST(quotas_are_warned_of),
    TEST(renamed_profile_takes_its_rows_along),
    TEST(profile_of_another_account_is_a_new_target),
    TEST(list_that_fails_hinders_no_import),
    TEST(interrupt_ends_it_and_the_next_run_goes_on),
    TEST(targets_are_checked_before_anything_is_sent),
};

static void before(void *context)
{
    (void)context;
    alarm(DEADLINE_S);
    world_open();
}

static void after(void *context)
{
    (void)context;
    world_close();
}

int main(int argc, char **argv)
{
    return tests_run_around(tests, sizeof tests / sizeof tests[0], argc, argv, before, after, NULL);
}
