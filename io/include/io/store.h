/* The certificate store: durable files, and one atomic switch a certificate.
 *
 *   ROOT/archive/NAME/SEQUENCE/{privkey,cert,chain,fullchain}.pem
 *   ROOT/live/NAME -> ../archive/NAME/SEQUENCE
 *
 * Two steps. STORE_KEY writes privkey.pem; when it is done the key is durable, and finalize may be
 * sent. STORE_CERTIFICATE writes the other files, makes them durable, then switches live/NAME by
 * one rename of one symlink (or makes the first one); when it is done the switch is durable. A
 * crash in between leaves live/NAME as it was, and the same job may simply be submitted again.
 *
 * privkey.pem appears under its name when all of it is durable; a crash may leave half of another
 * file in a folder that is not live. So a key that is found in a folder may be taken up, and
 * nothing else that is found there.
 *
 * Jobs go in batches, in rounds: all files of the batch are written, then all of them and their
 * folders are fsynced, then keys are renamed to their names and links switched, then the keys'
 * folders and live are fsynced. The fsyncs of a round are in flight together, so that the file
 * system makes few commits of its journal of them: through one io_uring, or through plain system
 * calls from a few threads where there is none.
 *
 * A file that is the same for many certificates, chain.pem, is one file with many names where mode
 * and owner are the same too and the file system has hard links (store/shared.h). Whoever changes
 * it in place (there is no need to) changes it for all of them.
 *
 * Modes: ROOT (when it is missing), archive and live are made 0700, as certbot does: to let others
 * read, an operator opens archive and live (chmod, chgrp, ACL), once; they are left as found.
 * Folders below are 0755, files have their job's mode and owner, both exact from the first byte. */
#ifndef CERTMILL_IO_STORE_H
#define CERTMILL_IO_STORE_H

#include "base/mailbox.h"
#include "base/span.h"

#include <sys/types.h>

struct store;

enum store_mode { STORE_AUTO, STORE_RING, STORE_SYNC };

enum store_step { STORE_KEY, STORE_CERTIFICATE };

#define STORE_FILES_MAX     4
#define STORE_NAME_MAX      250 /* bytes of a certificate's or a file's name */
#define STORE_FILE_SIZE_MAX (1U << 20)

struct store_file {
    const char *name; /* "cert.pem" */
    struct span data;
    mode_t mode;
    bool shared; /* other certificates have the same bytes, so this may become a hard link */
};

/* The caller owns the job and all it points to until store_submit, and again when `done` is called.
 *
 * A name is one path component: not empty, no '/', no control characters, no '.' in front, at most
 * STORE_NAME_MAX bytes. STORE_CERTIFICATE may bring privkey.pem too; without it, it fails when the
 * folder holds none. What live/NAME shows is never changed in place: a job for the live sequence
 * succeeds when the files it brings are there and the same, and fails when they differ. */
struct store_job {
    struct message message; /* the store's */
    uint64_t id;            /* the caller's */
    void *owner;            /* the caller's */
    enum store_step step;
    const char *name;  /* the certificate's */
    unsigned sequence; /* the folder's number, at least 1 */
    struct store_file files[STORE_FILES_MAX];
    size_t file_count;
    uid_t uid; /* owner of the files; (uid_t)-1 and (gid_t)-1 leave them */
    gid_t gid;
    bool ok;
    struct error error; /* names the path and the system's reason */
};

/* Called on the store's thread. */
typedef void store_done(struct store_job *job);

/* Called on the store's thread, once a job, in this order:
 *   STORE_KEY:         "key-durable"    all is fsynced, `done` is not yet called
 *   STORE_CERTIFICATE: "files-written"  all but the link is fsynced
 *                      "before-switch"  the next call makes or renames the link
 *                      "after-switch"   live/NAME is the new one, not yet fsynced
 * Tests kill the process there. */
typedef void store_point(const char *name);

struct store_options {
    enum store_mode mode;
    const char *root;
    unsigned batch; /* jobs a batch at most; 0: 256, less when RLIMIT_NOFILE is low */
    store_done *done;
    store_point *point; /* or NULL */
};

/* Makes ROOT/archive and ROOT/live and starts the store's thread, which takes no signals.
 * STORE_AUTO falls back to STORE_SYNC where io_uring is missing or forbidden; STORE_RING fails
 * there and says why. One store a root at a time: the caller holds a lock (file_lock). */
bool store_new(const struct store_options *options, struct store **ret_store,
               struct error *error) MUST_USE;

/* Any thread; once store_free is called only `done` may still submit. Jobs of one certificate are
 * done in the order they were submitted. */
void store_submit(struct store *store, struct store_job *job);

/* STORE_RING or STORE_SYNC. */
enum store_mode store_mode_used(const struct store *store);

/* Of all batches that are done. */
struct store_counts {
    uint64_t jobs, failed, batches, files, links, bytes, file_syncs, folder_syncs;
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
