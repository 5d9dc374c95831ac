/* How many certificates a second the store makes durable on the file system at hand, and at what
 * cost, beside the plain way of doing it one by one:
 *
 *     bench-store [--certificates N] [--batch N] [--how HOW] [--folder DIR]
 *
 * Without --batch: 1, 8, 64, 256; without --how: all four of
 *
 *     ring, plain       the store, with io_uring and without; --batch certificates are on their way
 *                       at any time, in each batch half of them as keys, half with their chains
 *     one-by-one        each file written beside its name, fsynced, renamed, one after the other,
 *                       then the folders fsynced, the link switched, and its folder fsynced
 *     one-by-one-files  the same without the folders' fsyncs: a crash may take back what was done
 *
 * Prints a JSON object a line. The CPU time is the whole process's, with the kernel's threads of
 * its io_uring. Each measurement is made in a new folder below --folder (else the current one), and
 * the folders are left there: ext4 is slow for minutes at making files after many were removed. */
#include "io/store.h"
#include "micro.h"

#include "base/span.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define CERTIFICATES_DEFAULT 2000
#define CERTIFICATES_MAX     10000000
#define BATCH_MAX            4096
#define SEQUENCE             1

/* As large as those of a public CA for a P-256 key and two names, with one issuer. */
enum { KEY_SIZE = 241, CERTIFICATE_SIZE = 1300, CHAIN_SIZE = 1600 };
enum { FULL_SIZE = CERTIFICATE_SIZE + CHAIN_SIZE };

static char chain[CHAIN_SIZE]; /* all certificates have the same one */

struct certificate {
    char name[32];
    char key[KEY_SIZE];
    char full[FULL_SIZE]; /* the certificate, then the chain */
    struct store_job job;
};

static void text_fill(char *text, size_t size, unsigned seed)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525U + 1013904223U;
        text[i] = i % 65 == 64 || i + 1 == size ? '\n' : digits[seed >> 26];
    }
}

static void certificate_make(struct certificate *own, unsigned index)
{
    snprintf(own->name, sizeof own->name, "host-%07u.example", index);
    text_fill(own->key, KEY_SIZE, 2 * index + 1);
    text_fill(own->full, CERTIFICATE_SIZE, 2 * index + 2);
    memcpy(own->full + CERTIFICATE_SIZE, chain, CHAIN_SIZE);
}

/* --- By the store ----------------------------------------------------------------------------- */

struct fleet {
    pthread_mutex_t lock;
    pthread_cond_t over;
    struct store *store;
    struct certificate *certificates; /* `batch` of them, which are used again */
    unsigned begun;                   /* of the places in `certificates`, how many were ever used */
    unsigned batch;
    unsigned next; /* the next certificate that nobody has begun */
    unsigned count;
    unsigned done;
};

static void key_submit(struct fleet *fleet, struct certificate *own)
{
    certificate_make(own, fleet->next++);
    own->job = (struct store_job){
        .id = STORE_KEY,
        .owner = own,
        .step = STORE_KEY,
        .name = own->name,
        .sequence = SEQUENCE,
        .files = {{.name = "privkey.pem", .data = span_make(own->key, KEY_SIZE), .mode = 0600}},
        .file_count = 1,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    store_submit(fleet->store, &own->job);
}

static void chain_submit(struct fleet *fleet, struct certificate *own)
{
    own->job.step = STORE_CERTIFICATE;
    own->job.files[0] = (struct store_file){
        .name = "cert.pem", .data = span_make(own->full, CERTIFICATE_SIZE), .mode = 0644};
    own->job.files[1] = (struct store_file){
        .name = "chain.pem", .data = span_make(chain, CHAIN_SIZE), .mode = 0644, .shared = true};
    own->job.files[2] = (struct store_file){
        .name = "fullchain.pem", .data = span_make(own->full, FULL_SIZE), .mode = 0644};
    own->job.file_count = 3;
    store_submit(fleet->store, &own->job);
}

static struct fleet fleet = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};

static void job_done(struct store_job *job)
{
    struct certificate *own = job->owner;
    if (!job->ok)
        micro_fail(own->name, job->error.text);
    pthread_mutex_lock(&fleet.lock);
    if (job->step == STORE_KEY) {
        chain_submit(&fleet, own);
        /* The second half, which from now on is one step behind the first. */
        if (fleet.begun < fleet.batch && fleet.next < fleet.count)
            key_submit(&fleet, &fleet.certificates[fleet.begun++]);
    } else if (++fleet.done == fleet.count) {
        pthread_cond_signal(&fleet.over);
    } else if (fleet.next < fleet.count) {
        key_submit(&fleet, own);
    }
    pthread_mutex_unlock(&fleet.lock);
}

static void store_measure(const char *root, enum store_mode mode, unsigned count, unsigned batch)
{
    struct store_options options = {.mode = mode, .root = root, .batch = batch, .done = job_done};
    struct error error;
    micro_must(store_new(&options, &fleet.store, &error), "the store", &error);
    fleet.next = fleet.done = fleet.begun = 0;
    fleet.count = count;
    fleet.batch = batch;
    fleet.certificates = calloc(batch, sizeof *fleet.certificates);
    if (fleet.certificates == NULL)
        micro_fail("the store", "no memory");
    pthread_mutex_lock(&fleet.lock);
    while (fleet.begun < (batch + 1) / 2 && fleet.next < count)
        key_submit(&fleet, &fleet.certificates[fleet.begun++]);
    while (fleet.done < count)
        pthread_cond_wait(&fleet.over, &fleet.lock);
    pthread_mutex_unlock(&fleet.lock);
    store_free(fleet.store);
    free(fleet.certificates);
}

/* --- One by one ------------------------------------------------------------------------------- */

static void call_check(bool ok, const char *what)
{
    if (!ok)
        micro_fail(what, strerror(errno));
}

static void descriptor_sync(int fd, const char *what)
{
    call_check(fsync(fd) == 0, what);
}

static int folder_in(int folder_fd, const char *name)
{
    call_check(mkdirat(folder_fd, name, 0755) == 0, name);
    int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    call_check(fd >= 0, name);
    return fd;
}

static void file_put(int folder_fd, const char *name, const char *data, size_t size, mode_t mode)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, ".%s.tmp", name);
    int fd = openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    call_check(fd >= 0, temporary);
    call_check(write(fd, data, size) == (ssize_t)size, name);
    descriptor_sync(fd, name);
    close(fd);
    call_check(renameat(folder_fd, temporary, folder_fd, name) == 0, name);
}

static void one_put(const struct certificate *own, int archive_fd, int live_fd, bool sync_folders)
{
    int name_fd = folder_in(archive_fd, own->name);
    int sequence_fd = folder_in(name_fd, "1");
    file_put(sequence_fd, "privkey.pem", own->key, KEY_SIZE, 0600);
    if (sync_folders) {
        descriptor_sync(sequence_fd, "1");
        descriptor_sync(name_fd, own->name);
        descriptor_sync(archive_fd, "archive");
    }
    file_put(sequence_fd, "cert.pem", own->full, CERTIFICATE_SIZE, 0644);
    file_put(sequence_fd, "chain.pem", chain, CHAIN_SIZE, 0644);
    file_put(sequence_fd, "fullchain.pem", own->full, FULL_SIZE, 0644);
    if (sync_folders)
        descriptor_sync(sequence_fd, "1");
    char target[64];
    snprintf(target, sizeof target, "../archive/%s/1", own->name);
    call_check(symlinkat(target, live_fd, ".link.tmp") == 0, "live");
    call_check(renameat(live_fd, ".link.tmp", live_fd, own->name) == 0, "live");
    if (sync_folders)
        descriptor_sync(live_fd, "live");
    close(sequence_fd);
    close(name_fd);
}

static void one_by_one_measure(const char *root, bool sync_folders, unsigned count)
{
    int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    call_check(root_fd >= 0, root);
    int archive_fd = folder_in(root_fd, "archive");
    int live_fd = folder_in(root_fd, "live");
    struct certificate own;
    for (unsigned i = 0; i < count; i++) {
        certificate_make(&own, i);
        one_put(&own, archive_fd, live_fd, sync_folders);
    }
    close(live_fd);
    close(archive_fd);
    close(root_fd);
}

/* --- Measurements ----------------------------------------------------------------------------- */

static const char *const ways[] = {"ring", "plain", "one-by-one", "one-by-one-files"};
enum { WAY_RING, WAY_PLAIN, WAY_ONE, WAY_ONE_FILES, WAYS };

static bool is_store(int way)
{
    return way == WAY_RING || way == WAY_PLAIN;
}

static void measure(const char *folder, int way, unsigned batch, unsigned count)
{
    char root[PATH_MAX];
    int len = snprintf(root, sizeof root, "%s/%s-%u-XXXXXX", folder, ways[way], batch);
    if (len < 0 || (size_t)len >= sizeof root)
        micro_fail(folder, strerror(ENAMETOOLONG));
    call_check(mkdtemp(root) != NULL, root);
    /* What earlier measurements left to be written is not this one's. */
    sync();
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_SELF, &before);
    double begin_s = micro_wall_s();
    if (is_store(way))
        store_measure(root, way == WAY_RING ? STORE_RING : STORE_SYNC, count, batch);
    else
        one_by_one_measure(root, way == WAY_ONE, count);
    double wall_s = micro_wall_s() - begin_s;
    getrusage(RUSAGE_SELF, &after);
    double user_s = micro_seconds(after.ru_utime) - micro_seconds(before.ru_utime);
    double system_s = micro_seconds(after.ru_stime) - micro_seconds(before.ru_stime);
    printf("{\"how\": \"%s\", \"batch\": %u, \"certificates\": %u, \"wall_s\": %.3f, "
           "\"cpu_s\": %.3f, \"user_s\": %.3f, \"system_s\": %.3f}\n",
           ways[way], batch, count, wall_s, user_s + system_s, user_s, system_s);
    fflush(stdout);
}

static int way_read(const char *text)
{
    for (int way = 0; way < WAYS; way++)
        if (strcmp(text, ways[way]) == 0)
            return way;
    micro_fail("--how", "ring, plain, one-by-one or one-by-one-files");
}

static const char usage_text[] =
    "usage: bench-store [--certificates N] [--batch N] [--how HOW] [--folder DIR]\n"
    "HOW: ring, plain, one-by-one, one-by-one-files; without it, all of them\n";

static void measure_all(const char *folder, int only, unsigned batch, unsigned count)
{
    static const unsigned batches[] = {1, 8, 64, 256};
    for (int way = 0; way < WAYS; way++) {
        if (only >= 0 && way != only)
            continue;
        if (!is_store(way) || batch > 0) {
            measure(folder, way, is_store(way) ? batch : 1, count);
            continue;
        }
        for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
            measure(folder, way, batches[i], count);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"certificates", required_argument, NULL, 'n'},
                                            {"batch", required_argument, NULL, 'b'},
                                            {"how", required_argument, NULL, 'w'},
                                            {"folder", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    unsigned count = CERTIFICATES_DEFAULT;
    unsigned batch = 0;
    int way = -1;
    const char *folder = ".";
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            count = micro_number(optarg, CERTIFICATES_MAX);
            break;
        case 'b':
            batch = micro_number(optarg, BATCH_MAX);
            break;
        case 'w':
            way = way_read(optarg);
            break;
        case 'd':
            folder = optarg;
            break;
        case 'h':
            fputs(usage_text, stdout);
            return 0;
        default:
            fputs(usage_text, stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fputs(usage_text, stderr);
        return 2;
    }
    struct error error;
    micro_must(folder_make(folder, 0700, &error), "--folder", &error);
    text_fill(chain, CHAIN_SIZE, 0);
    measure_all(folder, way, batch, count);
    return 0;
}
