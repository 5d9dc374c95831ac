/* What the state knew of all imports when the run began: read once, sorted by name. */
#ifndef CERTMILL_DEPLOY_ACM_ROWS_H
#define CERTMILL_DEPLOY_ACM_ROWS_H

#include "config/manifest.h"
#include "state/state.h"

/* As struct state_import; texts are never NULL. */
struct acm_row {
    const char *name, *profile, *region, *given_arn, *account, *arn, *serial;
    uint64_t digest;
    int64_t not_after, imported_at, attempted_at;
    unsigned sequence, failures;
};

struct acm_rows {
    struct arena arena;
    struct acm_row *rows;
    const struct acm_row **by_arn; /* made when first asked for */
    size_t count, capacity;
};

bool acm_rows_read(struct state *state, struct acm_rows *ret_rows, struct error *error) MUST_USE;
void acm_rows_free(struct acm_rows *rows);

/* The target's own row, or NULL. The key is what the manifest says. */
const struct acm_row *acm_rows_find(const struct acm_rows *rows, const char *name,
                                    const struct deploy_acm *target);
/* A row of the same certificate, account and region that stands under another profile than the
 * target's, or under an ARN that the manifest gave once and gives no more, and that no other target
 * of the entry has: the profile was renamed, the ARN is known by now. NULL: none. */
const struct acm_row *acm_rows_find_renamed(const struct acm_rows *rows,
                                            const struct manifest_entry *entry,
                                            const struct deploy_acm *target, const char *account,
                                            const char *region);
/* Does its ARN lie in the region? Its key has none when the manifest leaves that to the profile. */
bool acm_row_is_in_region(const struct acm_row *row, const char *region);
bool acm_rows_hold(const struct acm_rows *rows, const char *arn);
/* The certificate of the manifest, other than `name`, one of whose targets has the ARN by the
 * state. NULL: none. */
const char *acm_rows_holder(struct acm_rows *rows, const struct manifest *manifest, const char *arn,
                            const char *name);

#endif
