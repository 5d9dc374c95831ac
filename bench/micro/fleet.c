/* Gives a fleet a past: live certificates and state rows for entries of a manifest, as if certmill
 * had issued them, so that planning over many can be measured.
 *
 *     bench-fleet MANIFEST LIVE DUE THREADS
 *
 * The first LIVE entries get a certificate, of which the first DUE end in ten days and the others
 * in 80. All certificates have one key and are signed by it. cert.pem, which the planner reads, is
 * a file of its own; the other three, which nobody reads here, are hard links to one file, so that
 * a million certificates fit a file system's inodes. */
#include "micro.h"

#include "base/clock.h"
#include "config/manifest.h"
#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS_MAX   64
#define PATH_SIZE     1024
#define LINKS_MAX     60000 /* to one file: ext4 has 65,000 */
#define NAMES_SIZE    65536
#define LIFETIME_DAYS 90
#define DUE_DAYS      10
#define LATER_DAYS    80
#define SERIAL_BASE   0x1000000000000000ULL

struct fleet {
    struct manifest manifest;
    struct accounts accounts; /* the manifest's entries borrow from them */
    EVP_PKEY *key;
    int64_t now;
    unsigned live, due;
    unsigned threads;
};

struct slice {
    struct fleet *fleet;
    unsigned number;
};

static void must(bool good, const char *what)
{
    if (!good)
        micro_fail(what, errno != 0 ? strerror(errno) : "failed");
}

static int64_t end_of(const struct fleet *fleet, unsigned entry)
{
    return fleet->now + (int64_t)(entry < fleet->due ? DUE_DAYS : LATER_DAYS) * SECONDS_PER_DAY;
}

/* Joins the entry's names with `prefix` before each. */
static void names_join(const struct manifest_entry *entry, const char *prefix, char *text)
{
    char *at = text;
    for (uint32_t i = 0; i < entry->domain_count; i++) {
        int written = snprintf(at, (size_t)(text + NAMES_SIZE - at), "%s%s%s", i > 0 ? "," : "",
                               prefix, entry->domains[i]);
        must(written > 0 && written < text + NAMES_SIZE - at, "names");
        at += written;
    }
}

/* All that is the same for every certificate. Making it once spares most of the time. */
static X509 *model_make(const struct fleet *fleet)
{
    X509 *model = X509_new();
    must(model != NULL && X509_set_version(model, X509_VERSION_3) == 1 &&
             X509_set_pubkey(model, fleet->key) == 1 &&
             X509_NAME_add_entry_by_txt(X509_get_issuer_name(model), "CN", MBSTRING_ASC,
                                        (const unsigned char *)"Load CA", -1, -1, 0) == 1,
         "certificate");
    return model;
}

static void certificate_write(const struct fleet *fleet, unsigned number, X509 *model,
                              const char *path, char *names)
{
    int64_t end = end_of(fleet, number);
    names_join(&fleet->manifest.entries[number], "DNS:", names);
    X509_EXTENSION_free(X509_delete_ext(model, 0));
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    must(extension != NULL && X509_add_ext(model, extension, 0) == 1, "names of a certificate");
    X509_EXTENSION_free(extension);
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(model), SERIAL_BASE + number) == 1 &&
             ASN1_TIME_set(X509_getm_notBefore(model),
                           end - (int64_t)LIFETIME_DAYS * SECONDS_PER_DAY) != NULL &&
             ASN1_TIME_set(X509_getm_notAfter(model), end) != NULL &&
             X509_sign(model, fleet->key, EVP_sha256()) > 0,
         "signing a certificate");
    FILE *file = fopen(path, "we");
    must(file != NULL && PEM_write_X509(file, model) == 1 && fclose(file) == 0, path);
}

static void live_make(const struct fleet *fleet, unsigned number, X509 *model, const char *shared,
                      char *names)
{
    static const char *const others[] = {"chain.pem", "fullchain.pem", "privkey.pem"};
    const char *root = fleet->manifest.state_folder;
    const char *name = fleet->manifest.entries[number].name;
    char path[PATH_SIZE];
    char target[PATH_SIZE];
    snprintf(path, sizeof path, "%s/archive/%s", root, name);
    must(mkdir(path, 0755) == 0, path);
    snprintf(path, sizeof path, "%s/archive/%s/1", root, name);
    must(mkdir(path, 0755) == 0, path);
    snprintf(path, sizeof path, "%s/archive/%s/1/cert.pem", root, name);
    certificate_write(fleet, number, model, path, names);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        snprintf(path, sizeof path, "%s/archive/%s/1/%s", root, name, others[i]);
        must(link(shared, path) == 0, path);
    }
    snprintf(path, sizeof path, "%s/live/%s", root, name);
    snprintf(target, sizeof target, "../archive/%s/1", name);
    must(symlink(target, path) == 0, path);
}

static void *slice_make(void *argument)
{
    struct slice *slice = argument;
    const struct fleet *fleet = slice->fleet;
    X509 *model = model_make(fleet);
    char *names = malloc(NAMES_SIZE);
    char shared[PATH_SIZE] = "";
    unsigned links = LINKS_MAX;
    must(names != NULL, "memory");
    for (unsigned i = slice->number; i < fleet->live; i += fleet->threads) {
        if (links + 3 > LINKS_MAX) {
            snprintf(shared, sizeof shared, "%s/shared-%u", fleet->manifest.state_folder, i);
            FILE *file = fopen(shared, "we");
            must(file != NULL && fputs("not read here\n", file) >= 0 && fclose(file) == 0, shared);
            links = 0;
        }
        live_make(fleet, i, model, shared, names);
        links += 3;
    }
    free(names);
    X509_free(model);
    return NULL;
}

/* The state: one change after the other would wait for a commit each, so all are posted at once. */

struct row {
    struct state_change change;
    char serial[20];
};

static void row_done(struct state_change *change)
{
    micro_must(change->ok, "state", &change->error);
    sem_post(change->owner);
}

static void rows_write(const struct fleet *fleet, struct state *state)
{
    sem_t done;
    struct row *rows = calloc(fleet->live, sizeof *rows);
    must(rows != NULL && sem_init(&done, 0, 0) == 0, "memory");
    for (unsigned i = 0; i < fleet->live; i++) {
        const struct manifest_entry *entry = &fleet->manifest.entries[i];
        int64_t end = end_of(fleet, i);
        snprintf(rows[i].serial, sizeof rows[i].serial, "%016llx", SERIAL_BASE + i);
        rows[i].change = (struct state_change){
            .kind = STATE_ISSUED,
            .owner = &done,
            .done = row_done,
            .certificate = {.name = entry->name,
                            .status = CERTIFICATE_ISSUED,
                            .digest = entry->digest,
                            .sequence = 1,
                            .not_before = end - (int64_t)LIFETIME_DAYS * SECONDS_PER_DAY,
                            .not_after = end,
                            .issued_at = end - (int64_t)LIFETIME_DAYS * SECONDS_PER_DAY,
                            .serial = rows[i].serial,
                            .issuer = "Load CA",
                            .key = key_spec_name(entry->key),
                            .account = entry->account_alias,
                            .directory = "https://localhost/dir",
                            .names = entry->domains[0],
                            .attempted_at = fleet->now,
                            .last_error = ""},
        };
        state_post(state, &rows[i].change);
    }
    for (unsigned i = 0; i < fleet->live; i++)
        while (sem_wait(&done) != 0)
            ;
    sem_destroy(&done);
    free(rows);
}

static void manifest_take(struct fleet *fleet, const char *file)
{
    struct diagnostics diagnostics;
    struct error error;
    diagnostics_init(&diagnostics);
    micro_must(manifest_read(&(struct manifest_options){.file = file}, &fleet->manifest,
                             &fleet->accounts, &diagnostics, &error),
               file, &error);
    if (diagnostics.errors > 0)
        micro_fail("manifest", diagnostics.items[0].text);
    diagnostics_free(&diagnostics);
}

static void folders_make(const char *root)
{
    static const char *const folders[] = {"", "/archive", "/live"};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        must(mkdir(path, S_IRWXU) == 0 || errno == EEXIST, path);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5)
        micro_fail("usage", "bench-fleet MANIFEST LIVE DUE THREADS");
    struct fleet fleet = {.now = clock_unix(),
                          .key = EVP_EC_gen("P-256"),
                          .live = micro_number(argv[2], MANIFEST_ENTRIES_MAX),
                          .due = micro_number(argv[3], MANIFEST_ENTRIES_MAX),
                          .threads = micro_number(argv[4], THREADS_MAX)};
    pthread_t threads[THREADS_MAX];
    struct slice slices[THREADS_MAX];
    struct state *state = NULL;
    struct error error;
    struct micro_time start = micro_start();
    manifest_take(&fleet, argv[1]);
    if (fleet.key == NULL || fleet.live > fleet.manifest.count)
        micro_fail(argv[2], "are more than the manifest has");
    folders_make(fleet.manifest.state_folder);
    micro_must(state_open(fleet.manifest.state_folder, false, &state, &error), "state", &error);
    micro_must(state_start(state, 0, &error), "state", &error);
    for (unsigned i = 0; i < fleet.threads; i++) {
        slices[i] = (struct slice){&fleet, i};
        must(pthread_create(&threads[i], NULL, slice_make, &slices[i]) == 0, "thread");
    }
    rows_write(&fleet, state);
    for (unsigned i = 0; i < fleet.threads; i++)
        pthread_join(threads[i], NULL);
    state_close(state);
    micro_print("certificates", fleet.live, start);
    manifest_free(&fleet.manifest);
    accounts_free(&fleet.accounts);
    EVP_PKEY_free(fleet.key);
    return EXIT_SUCCESS;
}
