/* The rule for one certificate: is it due, and why? */
#ifndef CERTMILL_PLAN_DUE_H
#define CERTMILL_PLAN_DUE_H

#include "crypto/certificate.h"
#include "plan/facts.h"

/* DUE_NAMES or DUE_KEY when the live certificate is not what the manifest's entry asks for, else
 * DUE_NOT. */
enum due_reason due_by_spec(const struct manifest_entry *entry, const struct fact *fact,
                            unsigned sequence, const struct certificate_info *info);

/* Fills item->reason, due_at and deploy_only of an item whose dates are known. `spec` is what
 * due_by_spec said. */
void due_by_date(const struct manifest_entry *entry, const struct fact *fact, enum due_reason spec,
                 int64_t now, struct plan_item *item);

/* For what is on its issuer's revocation list. */
void due_by_revocation(struct plan_item *item);

/* What goes before the certificate itself: an open order, --force. */
void due_by_wish(bool force, struct plan_item *item);

#endif
