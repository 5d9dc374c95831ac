/* The certificate store: durable files, and one atomic switch a certificate.
 *
 *   ROOT/archive/NAME/SEQUENCE/{privkey,cert,chain,fullchain}.pem
 *   ROOT/live/NAME -> ../archive/NAME/SEQUENCE
 *
 * Two steps. STORE_KEY writes privkey.pem; when it is done the key is durable, and finalize may be
 * sent. STORE_CERTIFICATE writes the other files, makes them durable, then switches live/NAME by
 * one rename of one symlink; when it is done the switch is durable. A crash in between leaves
 * live/NAME as it was. Jobs go in batches through one io_uring (open, write, fsync, close as linked
 * chains; folder fsyncs once a batch), or through plain system calls where there is no io_uring. */
#ifndef CERTMILL_IO_STORE_H
#define CERTMILL_IO_STORE_H

#include "base/span.h"

#include <sys/types.h>

struct store;

enum store_mode { STORE_AUTO, STORE_RING, STORE_SYNC };

enum store_step { STORE_KEY, STORE_CERTIFICATE };

#define STORE_FILES_MAX 4

struct store_file {
    const char *name; /* "cert.pem" */
    struct span data;
    mode_t mode;
};

/* The caller owns the job and all it points to until store_submit, and again when `done` is called.
 */
struct store_job {
    struct store_job *next; /* the store's */
    uint64_t id;            /* the caller's */
    void *owner;            /* the caller's */
    enum store_step step;
    const char *name;  /* the certificate's: one path component */
    unsigned sequence; /* the folder's number, at least 1 */
    struct store_file files[STORE_FILES_MAX];
    size_t file_count;
    uid_t uid; /* owner of the files; (uid_t)-1 and (gid_t)-1 leave them */
    gid_t gid;
    bool ok;
    struct error error;
};

/* Called on the store's thread. */
typedef void store_done(struct store_job *job);

struct store_options {
    enum store_mode mode;
    const char *root;
    unsigned batch; /* jobs a batch at most; 0: 256 */
    store_done *done;
};

/* Makes ROOT/archive and ROOT/live (0700; live and archive 0755 would show names) and starts the
 * store's thread. STORE_AUTO falls back to STORE_SYNC where io_uring is missing or forbidden;
 * STORE_RING fails there and says why. */
bool store_new(const struct store_options *options, struct store **ret_store,
               struct error *error) MUST_USE;

void store_submit(struct store *store, struct store_job *job);

/* STORE_RING or STORE_SYNC. */
enum store_mode store_mode_used(const struct store *store);

struct store_counts {
    uint64_t jobs, batches, files, bytes, file_syncs, folder_syncs;
};
void store_count(struct store *store, struct store_counts *ret_counts);

/* Finishes what was submitted, then ends the thread. */
void store_free(struct store *store);

/* The highest SEQUENCE folder of NAME that exists, 0 when there is none. */
bool store_last_sequence(const char *root, const char *name, unsigned *ret_sequence,
                         struct error *error) MUST_USE;
/* Which SEQUENCE live/NAME points to, 0 when there is none or it points elsewhere. */
unsigned store_live_sequence(const char *root, const char *name);

#endif
