/* What certmill remembers between runs: STATE/state.db (SQLite, WAL), one writer thread that
 * commits changes in groups. Holds no secret. */
#ifndef CERTMILL_STATE_STATE_H
#define CERTMILL_STATE_STATE_H

#include "base/arena.h"
#include "base/mailbox.h"
#include "crypto/key.h"

#include <stdint.h>

struct state;

#define STATE_ERROR_MAX 1024 /* bytes of last_error that are kept */

enum certificate_status {
    CERTIFICATE_UNKNOWN, /* never tried */
    CERTIFICATE_ISSUED,  /* the live pair is the one described */
    CERTIFICATE_FAILED,  /* the last attempt failed; what is live is described if there is any */
    CERTIFICATE_PENDING, /* an order is open at the CA */
};
const char *certificate_status_name(enum certificate_status status);

/* A row of table `certificate`. Texts are "" when there is none, never NULL. */
struct state_certificate {
    const char *name;
    enum certificate_status status;
    uint64_t digest;   /* of the manifest entry it was issued for; 0: nothing issued yet */
    unsigned sequence; /* the archive folder that is live; 0: none */
    int64_t not_before, not_after, issued_at;                /* unix seconds; 0: none */
    const char *serial, *issuer, *key, *account, *directory; /* key: key_spec_name */
    const char *names;                                       /* comma-separated */
    unsigned failures;                                       /* in a row */
    int64_t attempted_at;
    const char *last_error;
    int64_t revoked_at;         /* what is live was revoked; 0: not */
    unsigned deployed_sequence; /* the last sequence that all deploy targets have */
};

enum order_stage {
    ORDER_INTENDED, /* newOrder may have been sent; no URL known */
    ORDER_PLACED,   /* url is the CA's */
};

/* A row of table `open_order`: at most one a certificate. */
struct state_order {
    const char *name;
    enum order_stage stage;
    uint64_t digest;
    unsigned sequence; /* the archive folder that holds its key */
    const char *account, *directory, *url;
    int64_t placed_at;
};

/* A DNS record that a solver has made and not yet removed. */
struct state_record {
    const char *name, *solver, *fqdn, *value;
};

/* What one ACM target of a certificate holds, a row of table `import`. Key: name, profile, region,
 * given_arn, as the manifest gives the target. Texts are "" when there is none. */
struct state_import {
    const char *name, *profile, *region, *given_arn;
    const char *account; /* AWS account id */
    const char *arn;     /* "": an import without ARN was intended and may have been sent */
    unsigned sequence;   /* the archive folder whose content it holds; 0: none yet */
    uint64_t digest;     /* XXH3 of leaf and chain that it holds; 0: none */
    const char *serial;
    int64_t not_after;
    int64_t imported_at; /* as ACM says; 0: not known */
    int64_t attempted_at;
    unsigned failures; /* in a row */
    const char *last_error;
};

/* How many imports an AWS account and region took on a day: ACM limits them over 365 days. */
struct state_import_day {
    const char *account, *region;
    int64_t day; /* since 1970-01-01 UTC */
    unsigned imports;
};

/* Opens or makes the database (0600, in a folder of 0700) and brings an older schema up to date. A
 * damaged one, or one of a newer version, is ERROR_STATE and says what to do. Does not lock out a
 * second run: the caller holds file_lock(STATE/lock). `read_only` fails with ERROR_NOT_FOUND when
 * there is none, makes no file then, and works beside a run and on a read-only file system. */
bool state_open(const char *folder, bool read_only, struct state **ret_state,
                struct error *error) MUST_USE;
void state_close(struct state *state); /* commits what was posted first */

/* Calls `each` for every row, by name. The row lives during the call. Returning false ends the
 * walk, which then counts as done. Reading is for one thread at a time; it sees what is committed,
 * also while the writer runs. */
bool state_certificates(struct state *state,
                        bool (*each)(void *context, const struct state_certificate *row),
                        void *context, struct error *error) MUST_USE;
bool state_orders(struct state *state, bool (*each)(void *context, const struct state_order *row),
                  void *context, struct error *error) MUST_USE;
bool state_records(struct state *state, bool (*each)(void *context, const struct state_record *row),
                   void *context, struct error *error) MUST_USE;
/* By name, profile, region, given ARN. */
bool state_imports(struct state *state, bool (*each)(void *context, const struct state_import *row),
                   void *context, struct error *error) MUST_USE;
/* The same rows one by one, for who walks certificates by name at the same time. */
struct state_import_cursor;
/* `from` (NULL: all): names before it are left out. */
bool state_import_cursor_open(struct state *state, const char *from,
                              struct state_import_cursor **ret_cursor,
                              struct error *error) MUST_USE;
void state_import_cursor_close(struct state_import_cursor *cursor); /* NULL is allowed */
/* The next row of the name; *ret_found false: it has no more. Names must be asked for in their
 * order; rows of names between are passed over. The row lives until the next call. */
bool state_import_cursor_next(struct state_import_cursor *cursor, const char *name,
                              struct state_import *ret_row, bool *ret_found,
                              struct error *error) MUST_USE;
/* By account, region, day; of the last 366 days before each account and region's last import. */
bool state_import_days(struct state *state,
                       bool (*each)(void *context, const struct state_import_day *row),
                       void *context, struct error *error) MUST_USE;
/* One row; false with ERROR_NOT_FOUND when there is none. Texts go to the arena. */
bool state_certificate_find(struct state *state, const char *name, struct arena *arena,
                            struct state_certificate *ret_row, struct error *error) MUST_USE;

enum state_change_kind {
    STATE_ORDER_INTENDED, /* order: name, digest, sequence, account, directory, placed_at */
    STATE_ORDER_PLACED,   /* the same with url */
    STATE_ORDER_GONE,     /* order.name: the order ended without a certificate or was replaced */
    STATE_ISSUED,         /* certificate: all but deployed_sequence; clears failures and last_error;
                             also removes the order */
    STATE_FAILED,         /* certificate: name, attempted_at, last_error (cut to STATE_ERROR_MAX
                             bytes); keeps what is live, counts the failure; `keep_order` says
                             whether the open order stays */
    STATE_PENDING,        /* certificate: name, attempted_at; the order stays */
    STATE_DEPLOYED,       /* certificate: name, deployed_sequence */
    STATE_REVOKED,        /* certificate: name, revoked_at */
    STATE_RECORD_MADE,    /* record */
    STATE_RECORD_REMOVED, /* record */
    STATE_IMPORT_INTENDED, /* import: key, account, attempted_at; keeps what it holds */
    STATE_IMPORTED,        /* import: all; clears failures and last_error; counts an import of the
                              account and the ARN's region on the day of attempted_at */
    STATE_IMPORT_KEPT,     /* the same without counting: adopted, unchanged, seen */
    STATE_IMPORT_FAILED,   /* import: key, account, attempted_at, last_error (cut); keeps what it
                              holds, counts the failure */
    STATE_IMPORT_GONE,     /* import: key */
};

/* One change. The caller owns it and what it points to until state_post; the state copies nothing,
 * so all must live until `done` is called (on the writer's thread, after the commit is durable),
 * when the change is the caller's again. A failed commit (disk full) comes with ok false, and every
 * later change fails too: the run must end. */
struct state_change {
    struct message message; /* the state's */
    enum state_change_kind kind;
    bool keep_order;
    bool ok;
    union {
        struct state_certificate certificate;
        struct state_order order;
        struct state_record record;
        struct state_import import;
    };
    uint64_t id; /* the caller's */
    void *owner; /* the caller's */
    void (*done)(struct state_change *change);
    struct error error;
};

/* Starts the writer thread; call it once, before the first state_post, and not after a read-only
 * open. From the beginning of one commit to that of the next at least `gather_ms` pass, so that
 * many changes share a commit: more than 0 where many orders are in flight. */
bool state_start(struct state *state, unsigned gather_ms, struct error *error) MUST_USE;
void state_post(struct state *state, struct state_change *change);

struct state_counts {
    uint64_t changes, commits;
};
void state_count(struct state *state, struct state_counts *ret_counts);

#endif
