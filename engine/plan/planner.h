/* Which certificates are due, why, and when the others will be. */
#ifndef CERTMILL_PLAN_PLANNER_H
#define CERTMILL_PLAN_PLANNER_H

#include "config/manifest.h"
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
    DUE_FORCED,
};
const char *due_reason_name(enum due_reason reason); /* "expiring": for JSON */

struct plan_item {
    uint32_t entry; /* index into the manifest's entries */
    enum due_reason reason;
    unsigned sequence;             /* live now; 0: none */
    int64_t not_before, not_after; /* of the live certificate; 0: none */
    int64_t due_at;                /* when it is (or was) due; 0: always was */
    /* From the state: an open order to go on with, or NULL. */
    const struct state_order *order;
    bool deploy_only; /* nothing to issue, but deploy targets lack the live certificate */
};

struct plan {
    struct arena arena;
    struct plan_item *due; /* in the order in which they shall be done: earliest expiry first */
    size_t due_count;
    struct plan_item *later; /* by due_at; only with `want_later` */
    size_t later_count;      /* always right */
    size_t unselected;       /* left out by `only` */
    int64_t next_due_at;     /* the earliest of the rest; 0: none */
};

struct plan_options {
    const char *state_folder;
    enum store_mode mode;
    int64_t now;      /* unix seconds */
    const char *only; /* a glob over names (fnmatch), or NULL */
    bool force;
    bool want_later;
};

/* Reads the live certificates (in bulk) and the state (NULL: none yet). Free with plan_free. */
bool plan_make(const struct manifest *manifest, struct state *state,
               const struct plan_options *options, struct plan *ret_plan,
               struct error *error) MUST_USE;
void plan_free(struct plan *plan);

#endif
