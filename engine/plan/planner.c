/* A plan is made in six steps, each over all certificates:
 *   1. select: the entries that `only` lets through become items
 *   2. facts:  the state's rows and open orders are put beside their items
 *   3. live:   live/NAME/cert.pem of each item is read in bulk and judged as it comes
 *   4. revocations: those on their issuers' lists become due
 *   5. imports: the ACM targets that lack the live certificate are found
 *   6. sort:   the due ones first, by urgency; the others behind, by the time they will be due */
#include "plan/planner.h"

#include "base/clock.h"
#include "crypto/certificate.h"
#include "crypto/crl.h"
#include "io/bulk_read.h"
#include "plan/due.h"
#include "plan/imports.h"
#include "report/near_names.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CRL_DETAIL_MAX (CRL_URL_MAX + 128)

struct planning {
    const struct manifest *manifest;
    const struct plan_options *options;
    struct arena *arena;
    struct plan_item *items;
    struct fact *facts;
    size_t count;
    struct buf der;
    struct error error; /* what stops the reading as a whole */
};

/* A mistyped name must not look as if all were done. */
static bool nothing_selected(const struct manifest *manifest, const char *only, struct error *error)
{
    struct near_names near;
    char names[NEAR_NAMES_TEXT_MAX];
    near_names_init(&near, only);
    for (size_t i = 0; i < manifest->count; i++)
        near_names_offer(&near, manifest->entries[i].name);
    return error_set(error, ERROR_NOT_FOUND, "--only %s: no certificate of the manifest matches%s",
                     only, near_names_text(&near, names));
}

static bool select_items(struct planning *planning, size_t *ret_unselected, struct error *error)
{
    const struct manifest *manifest = planning->manifest;
    const char *only = planning->options->only;
    size_t selected = manifest->count;
    if (only != NULL) {
        selected = 0;
        for (size_t i = 0; i < manifest->count; i++)
            selected += fnmatch(only, manifest->entries[i].name, 0) == 0;
    }
    struct plan_item *items = arena_alloc(planning->arena, selected * sizeof *items);
    if (items == NULL) {
        error_set(error, ERROR_MEMORY, "no memory to plan %zu certificates", selected);
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < manifest->count && count < selected; i++)
        if (only == NULL || fnmatch(only, manifest->entries[i].name, 0) == 0)
            items[count++] = (struct plan_item){.entry = (uint32_t)i, .reason = DUE_NO_CERTIFICATE};
    planning->items = items;
    planning->count = count;
    *ret_unselected = manifest->count - count;
    return selected > 0 || manifest->count == 0 || nothing_selected(manifest, only, error);
}

static void unreadable(struct planning *planning, struct plan_item *item, const char *detail)
{
    const char *kept = arena_text(planning->arena, span_of(detail));
    item->reason = DUE_UNREADABLE;
    item->detail = kept != NULL ? kept : "no memory for what is wrong";
}

static bool live_path(void *context, size_t index, char *path, size_t size)
{
    struct planning *planning = context;
    struct plan_item *item = &planning->items[index];
    const char *folder = planning->options->state_folder;
    const char *name = planning->manifest->entries[item->entry].name;
    item->sequence = store_live_sequence(folder, name);
    int length = snprintf(path, size, "%s/live/%s/cert.pem", folder, name);
    if (length > 0 && (size_t)length < size)
        return true;
    unreadable(planning, item, "its path is too long");
    return false;
}

/* An error of the system, not of the file: the next file would fail too. */
static bool is_systemic(int system_error)
{
    return system_error == EMFILE || system_error == ENFILE || system_error == ENOMEM;
}

static void live_missing(struct planning *planning, struct plan_item *item, int system_error)
{
    const char *name = planning->manifest->entries[item->entry].name;
    if (is_systemic(system_error)) {
        if (planning->error.kind == ERROR_NONE)
            error_system(&planning->error, system_error, "reading live/%s/cert.pem", name);
        return;
    }
    bool missing = system_error == ENOENT || system_error == ENOTDIR;
    if (missing && item->sequence == 0)
        return;
    struct error error;
    error_system(&error, system_error, "live/%s/cert.pem", name);
    unreadable(planning, item, error.text);
}

static void live_content(void *context, size_t index, struct span content, int system_error)
{
    struct planning *planning = context;
    struct plan_item *item = &planning->items[index];
    const struct manifest_entry *entry = &planning->manifest->entries[item->entry];
    if (system_error != 0) {
        live_missing(planning, item, system_error);
        return;
    }
    struct certificate_info info;
    struct error error;
    buf_clear(&planning->der);
    if (!certificate_read(content, &planning->der, &info, &error)) {
        unreadable(planning, item, error.text);
        return;
    }
    const struct fact *fact = &planning->facts[index];
    item->not_before = info.not_before;
    item->not_after = info.not_after;
    due_by_date(entry, fact, due_by_spec(entry, fact, item->sequence, &info),
                planning->options->now, item);
    if (planning->options->crl != NULL && !fact->revoked && item->reason != DUE_EXPIRED)
        crl_check_note(planning->options->crl, index, planning->count, entry->name, &info);
}

/* Is there a live folder? False also when it may not be read: planning on as if there were no
 * certificates would renew all of them. */
static bool live_folder_exists(const char *state_folder, bool *ret_exists, struct error *error)
{
    struct buf path;
    buf_init(&path, 4096);
    bool ok = buf_printf(&path, "%s/live", state_folder);
    if (!ok) {
        error_set(error, ERROR_LIMIT, "the path of the state folder is too long");
    } else if (access(buf_text(&path), R_OK | X_OK) == 0) {
        *ret_exists = true;
    } else if (errno == ENOENT || errno == ENOTDIR) {
        *ret_exists = false;
    } else {
        ok = error_system(error, errno, "reading %s", buf_text(&path));
    }
    buf_free(&path);
    return ok;
}

static bool read_live(struct planning *planning, struct error *error)
{
    bool exists = false;
    TRY(live_folder_exists(planning->options->state_folder, &exists, error));
    if (!exists)
        return true;
    buf_init(&planning->der, CERTIFICATE_DER_MAX);
    struct bulk_read request = {
        .mode = planning->options->mode,
        .count = planning->count,
        .file_limit = CERTIFICATE_PEM_MAX,
        .path = live_path,
        .content = live_content,
        .context = planning,
    };
    bool ok = bulk_read(&request, error);
    buf_free(&planning->der);
    if (ok && planning->error.kind != ERROR_NONE) {
        if (error != NULL)
            *error = planning->error;
        return false;
    }
    return ok;
}

static bool is_due(const struct plan_item *item)
{
    return item->reason != DUE_NOT || item->deploy_only;
}

static int compare_times(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Due before not due. Due ones by the end of their certificate, `now` where there is none, and
 * then those that have one first; the others by the time they will be due. Then as in the
 * manifest. */
static int compare_items(const void *left, const void *right, void *context)
{
    const struct plan_item *a = left;
    const struct plan_item *b = right;
    const int64_t *now = context;
    if (is_due(a) != is_due(b))
        return is_due(a) ? -1 : 1;
    int order;
    if (is_due(a)) {
        order = compare_times(a->not_after != 0 ? a->not_after : *now,
                              b->not_after != 0 ? b->not_after : *now);
        if (order == 0)
            order = (a->not_after == 0) - (b->not_after == 0);
    } else {
        order = compare_times(a->due_at, b->due_at);
    }
    return order != 0 ? order : compare_times(a->entry, b->entry);
}

static bool revoke_item(struct planning *planning, const struct crl_revocation *found,
                        struct plan_revocation *ret_revocation)
{
    char at[TIME_TEXT_MAX];
    char detail[CRL_DETAIL_MAX];
    struct plan_item *item = &planning->items[found->index];
    snprintf(detail, sizeof detail, "%s on %s, says %s", found->reason,
             time_format_rfc3339(found->at, at), found->url);
    item->detail = arena_text(planning->arena, span_of(detail));
    TRY(item->detail != NULL);
    due_by_revocation(item);
    *ret_revocation = (struct plan_revocation){
        .entry = item->entry, .at = found->at, .reason = found->reason, .url = found->url};
    return true;
}

static bool revocations_apply(struct planning *planning, struct plan *plan, struct error *error)
{
    size_t count;
    if (planning->options->crl == NULL)
        return true;
    crl_check_run(planning->options->crl);
    const struct crl_revocation *found = crl_check_found(planning->options->crl, &count);
    if (count == 0)
        return true;
    plan->revoked = arena_alloc(planning->arena, count * sizeof *plan->revoked);
    bool ok = plan->revoked != NULL;
    for (size_t i = 0; ok && i < count; i++)
        ok = revoke_item(planning, &found[i], &plan->revoked[plan->revoked_count++]);
    return ok || error_set(error, ERROR_MEMORY, "no memory for %zu revocations", count);
}

static void wishes_apply(struct planning *planning)
{
    for (size_t i = 0; i < planning->count; i++)
        due_by_wish(planning->options->force, &planning->items[i]);
}

static void finish(struct planning *planning, struct plan *plan)
{
    int64_t now = planning->options->now;
    for (size_t i = 0; i < planning->count; i++) {
        struct plan_item *item = &planning->items[i];
        if (is_due(item))
            plan->due_count++;
        else if (plan->next_due_at == 0 || item->due_at < plan->next_due_at)
            plan->next_due_at = item->due_at;
    }
    qsort_r(planning->items, planning->count, sizeof planning->items[0], compare_items, &now);
    plan->later_count = planning->count - plan->due_count;
    plan->due = planning->items;
    plan->later = planning->options->want_later ? planning->items + plan->due_count : NULL;
}

static bool plan_fill(struct planning *planning, struct state *state, struct plan *plan,
                      struct error *error)
{
    TRY(select_items(planning, &plan->unselected, error));
    planning->facts = calloc(planning->count > 0 ? planning->count : 1, sizeof *planning->facts);
    if (planning->facts == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to plan %zu certificates",
                         planning->count);
    struct item_index index CLEANUP(item_index_free) = {0};
    bool ok =
        item_index_make(planning->manifest, planning->items, planning->count, &index, error) &&
        (state == NULL || facts_read(state, &index, planning->arena, planning->facts, error)) &&
        read_live(planning, error);
    free(planning->facts);
    TRY(ok);
    TRY(revocations_apply(planning, plan, error));
    wishes_apply(planning);
    if (planning->manifest->has_acm)
        TRY(imports_read(state, &index, planning->count, plan, error));
    finish(planning, plan);
    return true;
}

bool plan_make(const struct manifest *manifest, struct state *state,
               const struct plan_options *options, struct plan *ret_plan, struct error *error)
{
    struct plan plan = {0};
    arena_init(&plan.arena);
    struct planning planning = {.manifest = manifest, .options = options, .arena = &plan.arena};
    if (!plan_fill(&planning, state, &plan, error)) {
        arena_free(&plan.arena);
        return false;
    }
    *ret_plan = plan;
    return true;
}

void plan_free(struct plan *plan)
{
    arena_free(&plan->arena);
    *plan = (struct plan){0};
}
