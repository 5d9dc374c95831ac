#include "plan/due.h"

#include "base/clock.h"

#include <string.h>

const char *due_reason_name(enum due_reason reason)
{
    static const char *const names[] = {
        [DUE_NOT] = "not-due",
        [DUE_OPEN_ORDER] = "open-order",
        [DUE_NO_CERTIFICATE] = "no-certificate",
        [DUE_UNREADABLE] = "unreadable",
        [DUE_EXPIRED] = "expired",
        [DUE_EXPIRING] = "expiring",
        [DUE_LIFETIME] = "lifetime",
        [DUE_NAMES] = "names",
        [DUE_KEY] = "key",
        [DUE_REVOKED] = "revoked",
        [DUE_FORCED] = "forced",
    };
    return (size_t)reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

struct due_time due_time_of(int renew_before_days, int64_t not_before, int64_t not_after)
{
    int64_t by_days = not_after - (int64_t)renew_before_days * SECONDS_PER_DAY;
    int64_t lifetime = not_after > not_before ? not_after - not_before : 0;
    int64_t by_lifetime = not_after - lifetime / 3;
    if (by_lifetime > by_days)
        return (struct due_time){.at = by_lifetime, .by_lifetime = true};
    return (struct due_time){.at = by_days};
}

/* Finds the name among the entry's, beginning at *next: CAs mostly keep an order of names, so that
 * the first look is mostly the last. */
static bool entry_has(const struct manifest_entry *entry, const char *name, uint32_t *next)
{
    for (uint32_t i = 0; i < entry->domain_count; i++) {
        uint32_t at = (*next + i) % entry->domain_count;
        if (strcmp(entry->domains[at], name) == 0) {
            *next = at + 1;
            return true;
        }
    }
    return false;
}

/* How the certificate's names lie to the entry's. */
struct names_match {
    bool covers; /* every name of the entry is in the certificate */
    bool equal;  /* and no other */
};

static struct names_match names_compare(const struct manifest_entry *entry,
                                        const struct certificate_info *info)
{
    /* A certificate may repeat a name, so count each of the entry's once. */
    bool seen[MANIFEST_DOMAINS_MAX] = {false};
    uint32_t found = 0;
    bool others = false;
    uint32_t next = 0;
    struct span names = info->names;
    char name[CERTIFICATE_NAME_TEXT];
    while (certificate_name_next(&names, name)) {
        if (!entry_has(entry, name, &next)) {
            others = true;
        } else if (next <= MANIFEST_DOMAINS_MAX && !seen[next - 1]) {
            seen[next - 1] = true;
            found++;
        }
    }
    bool covers = found == entry->domain_count;
    return (struct names_match){.covers = covers, .equal = covers && !others};
}

enum due_reason due_by_spec(const struct manifest_entry *entry, const struct fact *fact,
                            unsigned sequence, const struct certificate_info *info)
{
    bool digest_known = fact->digest != 0 && sequence != 0 && fact->sequence == sequence;
    if (digest_known && fact->digest == entry->digest)
        return DUE_NOT;
    struct names_match match = names_compare(entry, info);
    /* The state says that the entry has changed: a name that it no longer has must go. Without the
     * state a name too many may be one that the CA added. */
    if (!(digest_known ? match.equal : match.covers))
        return DUE_NAMES;
    if (!info->key_known || !key_spec_equal(info->key, entry->key))
        return DUE_KEY;
    return DUE_NOT;
}

void due_by_date(const struct manifest_entry *entry, const struct fact *fact, enum due_reason spec,
                 int64_t now, struct plan_item *item)
{
    struct due_time due = due_time_of(entry->renew_before_days, item->not_before, item->not_after);
    item->due_at = due.at;
    if (now >= item->not_after) {
        item->reason = DUE_EXPIRED;
    } else if (fact->revoked != 0) {
        item->reason = DUE_REVOKED;
        item->due_at = 0;
    } else if (spec != DUE_NOT) {
        item->reason = spec;
        item->due_at = 0;
    } else if (now >= due.at) {
        item->reason = due.by_lifetime ? DUE_LIFETIME : DUE_EXPIRING;
    } else {
        item->reason = DUE_NOT;
        bool deployed = fact->deployed_sequence >= item->sequence;
        item->lacks_hooks = entry->deploy != NULL && !deployed;
        item->deploy_only = (entry->deploy != NULL || entry->acm != NULL) && !deployed;
    }
}

void due_by_revocation(struct plan_item *item)
{
    item->reason = DUE_REVOKED;
    item->due_at = 0;
    item->deploy_only = false;
    item->lacks_hooks = false;
}

void due_by_wish(bool force, struct plan_item *item)
{
    if (item->order != NULL)
        item->reason = DUE_OPEN_ORDER;
    else if (force && item->reason == DUE_NOT)
        item->reason = DUE_FORCED;
    if (item->reason != DUE_NOT)
        item->deploy_only = false;
}
