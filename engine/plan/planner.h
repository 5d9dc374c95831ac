/* Which certificates are due, why, and when the others will be. */
#ifndef CERTMILL_PLAN_PLANNER_H
#define CERTMILL_PLAN_PLANNER_H

#include "config/manifest.h"
#include "crl/check.h"
#include "io/store.h"
#include "state/state.h"

enum due_reason {
    DUE_NOT,        /* not yet */
    DUE_OPEN_ORDER, /* an earlier run left an order at the CA */
    DUE_NO_CERTIFICATE,
    DUE_UNREADABLE, /* the live files are damaged: `detail` says how */
    DUE_EXPIRED,
    DUE_EXPIRING, /* within renew-before-days */
    DUE_LIFETIME, /* two thirds of a short lifetime are over */
    DUE_NAMES,    /* the manifest has other names */
    DUE_KEY,      /* the manifest has another key type or size */
    DUE_REVOKED,  /* by "certmill revoke", or on its issuer's list */
    DUE_FORCED,
};
const char *due_reason_name(enum due_reason reason); /* "expiring": for JSON */

/* When a certificate is due: at the later of `renew_before_days` before its end and two thirds of
 * its lifetime. A lifetime of 160 hours or of 47 days is shorter than what RenewBeforeDays was made
 * for: 30 days before such an end would be always. */
struct due_time {
    int64_t at; /* unix seconds */
    bool by_lifetime;
};
struct due_time due_time_of(int renew_before_days, int64_t not_before, int64_t not_after);

struct plan_item {
    uint32_t entry; /* index into the manifest's entries */
    enum due_reason reason;
    unsigned sequence;             /* live now; 0: none */
    int64_t not_before, not_after; /* of the live certificate; 0: none */
    int64_t due_at;                /* when it is (or was) due; 0: always was */
    /* From the state: an open order to go on with, or NULL. */
    const struct state_order *order;
    /* DUE_UNREADABLE: what is wrong with the live files. Also what its issuer's list says of a
     * revoked one; else NULL. */
    const char *detail;
    bool deploy_only; /* nothing to issue, but deploy targets lack the live certificate */
    bool lacks_hooks; /* its hooks were not run for the live certificate, or one failed */
    /* The ACM targets of the entry that lack the live certificate, up to a NULL; NULL: all of them,
     * as also when a new one is issued. */
    const struct deploy_acm *const *lacking;
};

/* To which AWS account a profile leads, as the state knows from the last import. */
struct plan_profile {
    const char *profile, *account;
};

/* A live certificate that the state does not know to be revoked, and its issuer's list does. */
struct plan_revocation {
    uint32_t entry; /* index into the manifest's entries */
    int64_t at;     /* unix seconds */
    const char *reason, *url;
};

struct plan {
    struct arena arena;
    /* In the order in which they shall be done: earliest expiry first; those without a certificate
     * count as ending now, so that what is broken already goes first. */
    struct plan_item *due;
    size_t due_count;
    struct plan_item *later;       /* by due_at; only with `want_later` */
    size_t later_count;            /* always right */
    size_t unselected;             /* left out by `only` */
    int64_t next_due_at;           /* the earliest of the rest; 0: none */
    struct plan_profile *profiles; /* by name */
    size_t profile_count;
    struct plan_revocation *revoked;
    size_t revoked_count;
};

struct plan_options {
    const char *state_folder;
    enum store_mode mode;
    int64_t now;      /* unix seconds */
    const char *only; /* a glob over names (fnmatch), or NULL */
    bool force;
    bool want_later;
    struct crl_check
        *crl; /* looks at revocation lists; must outlive the plan. NULL: nothing does */
};

/* Reads the live certificates (in bulk) and the state (NULL: none yet). A
 * certificate whose names and key the state knows to be the entry's (by the digest) is not compared
 * with the entry, so that a CA that adds names does not cause endless renewals. Damaged live files
 * make a certificate due; false only when `only` matches none of the manifest's names, or when the
 * live certificates cannot be read as a whole (a folder without permission, no file descriptors).
 * Free with plan_free. */
bool plan_make(const struct manifest *manifest, struct state *state,
               const struct plan_options *options, struct plan *ret_plan,
               struct error *error) MUST_USE;
void plan_free(struct plan *plan);

#endif
