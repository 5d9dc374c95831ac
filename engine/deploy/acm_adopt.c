#include "deploy/acm_adopt.h"

#include "aws/acm_search.h"
#include "config/name_table.h"
#include "deploy/acm_rows.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* While it runs: which targets share a place, and which a certificate. */
struct adopting {
    const struct adopt_options *options;
    struct adoption *adoption;
    struct acm_place *places;
    size_t place_count;
    size_t *place_of; /* a target's; SIZE_MAX: it is not looked for */
    struct acm_wanted *wanted;
    size_t wanted_count;
    size_t *wanted_of;
    size_t *first_of;         /* a wanted one's first target; the others follow it */
    struct name_table claims; /* ARNs that entries have already, to the entry's index */
    bool no_memory;
};

static size_t targets_count(const struct adopt_options *options)
{
    size_t count = 0;
    for (size_t i = 0; i < options->manifest->count; i++)
        for (const struct deploy_acm *acm = options->manifest->entries[i].acm; acm != NULL;
             acm = acm->next)
            count++;
    return count;
}

static bool text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static size_t place_take(struct adopting *adopting, const struct deploy_acm *acm)
{
    size_t i = 0;
    while (i < adopting->place_count && !(text_equal(adopting->places[i].profile, acm->profile) &&
                                          text_equal(adopting->places[i].region, acm->region)))
        i++;
    if (i == adopting->place_count)
        adopting->places[adopting->place_count++] =
            (struct acm_place){.profile = acm->profile, .region = acm->region};
    return i;
}

/* An ARN that is known needs no search. */
static bool target_known(const struct acm_rows *rows, struct adopt_target *target)
{
    const struct acm_row *row = acm_rows_find(rows, target->entry->name, target->acm);
    target->arn = target->acm->arn;
    if (target->arn == NULL && row != NULL && row->arn[0] != '\0')
        target->arn = row->arn;
    if (target->arn != NULL)
        target->outcome = ADOPT_KNOWN;
    return target->arn != NULL;
}

/* Which entry has which ARN, whether it is looked at or not: two certificates that took turns in
 * one ARN would each look like drift to the other. */
static bool entry_claim(struct adopting *adopting, const struct acm_rows *rows, size_t index)
{
    const struct manifest_entry *entry = &adopting->options->manifest->entries[index];
    for (const struct deploy_acm *acm = entry->acm; acm != NULL; acm = acm->next) {
        const struct acm_row *row = acm_rows_find(rows, entry->name, acm);
        const char *arn = acm->arn != NULL ? acm->arn : row != NULL ? row->arn : "";
        if (arn[0] == '\0' || name_table_find(&adopting->claims, span_of(arn)) != NULL)
            continue;
        TRY(name_table_put(&adopting->claims, arn, (uint32_t)index));
    }
    return true;
}

static bool has_another(const struct adopting *adopting, const struct manifest_entry *entry,
                        const char *arn)
{
    const struct name_slot *claim = name_table_find(&adopting->claims, span_of(arn));
    return claim != NULL && entry != &adopting->options->manifest->entries[claim->value];
}

static void entry_take(struct adopting *adopting, const struct acm_rows *rows,
                       const struct manifest_entry *entry)
{
    struct adoption *adoption = adopting->adoption;
    bool is_wanted = false;
    adopting->first_of[adopting->wanted_count] = adoption->count;
    for (const struct deploy_acm *acm = entry->acm; acm != NULL; acm = acm->next) {
        size_t at = adoption->count++;
        struct adopt_target *target = &adoption->targets[at];
        *target = (struct adopt_target){.entry = entry, .acm = acm};
        bool known = target_known(rows, target);
        is_wanted = is_wanted || !known;
        adopting->place_of[at] = known ? SIZE_MAX : place_take(adopting, acm);
        adopting->wanted_of[at] = adopting->wanted_count;
    }
    if (is_wanted)
        adopting->wanted[adopting->wanted_count++] =
            (struct acm_wanted){.names = entry->domains, .name_count = entry->domain_count};
}

static const char *keep(struct adopting *adopting, const char *text)
{
    const char *kept = arena_text(&adopting->adoption->arena, span_of(text));
    adopting->no_memory = adopting->no_memory || kept == NULL;
    return kept != NULL ? kept : "";
}

static void target_take(struct adopting *adopting, size_t at, const struct acm_detail *detail)
{
    struct adopt_target *target = &adopting->adoption->targets[at];
    const struct acm_summary *summary = &detail->summary;
    struct acm_arn arn;
    target->arn = keep(adopting, summary->arn);
    target->serial = keep(adopting, detail->serial);
    target->not_after = summary->not_after;
    target->imported_at = summary->imported_at;
    target->in_use = detail->in_use_count > 0 || summary->in_use;
    if (acm_arn_parse(span_of(target->arn), &arn, NULL)) {
        target->account = arena_text(&adopting->adoption->arena, arn.account);
        adopting->no_memory = adopting->no_memory || target->account == NULL;
    }
}

/* The first is taken; another one instead when only it is in use. */
static void candidate_weigh(struct adopting *adopting, size_t at, const struct acm_detail *detail)
{
    struct adopt_target *target = &adopting->adoption->targets[at];
    bool imported = strcmp(detail->summary.type, "IMPORTED") == 0;
    bool in_use = detail->in_use_count > 0 || detail->summary.in_use;
    if (!imported) {
        if (target->outcome == ADOPT_NOTHING) {
            target->outcome = ADOPT_FOREIGN;
            target_take(adopting, at, detail);
        }
        return;
    }
    bool is_first = target->outcome == ADOPT_NOTHING || target->outcome == ADOPT_FOREIGN;
    if (is_first || (in_use && !target->in_use)) {
        target->candidates = 1;
        target->outcome = ADOPT_LINKED;
        target_take(adopting, at, detail);
    } else if (in_use == target->in_use) {
        target->candidates++;
        target->outcome = ADOPT_AMBIGUOUS;
    }
}

static bool found(void *context, const struct acm_found *match)
{
    struct adopting *adopting = context;
    const struct adoption *adoption = adopting->adoption;
    for (size_t i = adopting->first_of[match->wanted];
         i < adoption->count && adopting->wanted_of[i] == match->wanted; i++)
        if (adopting->place_of[i] == match->place && adoption->targets[i].outcome != ADOPT_FAILED &&
            !has_another(adopting, adoption->targets[i].entry, match->detail->summary.arn))
            candidate_weigh(adopting, i, match->detail);
    return !adopting->no_memory;
}

/* What was found before a page could not be had may not be all there is. */
static void place_failed(void *context, size_t place, const struct error *error)
{
    struct adopting *adopting = context;
    const char *problem = keep(adopting, error->text);
    for (size_t i = 0; i < adopting->adoption->count; i++) {
        if (adopting->place_of[i] != place)
            continue;
        adopting->adoption->targets[i].outcome = ADOPT_FAILED;
        adopting->adoption->targets[i].arn = NULL;
        adopting->adoption->targets[i].problem = problem;
    }
}

static bool search(struct adopting *adopting, struct error *error)
{
    const struct aws_client_options client = {.profiles = adopting->options->profiles,
                                              .user_agent = adopting->options->user_agent};
    const struct acm_search request = {
        .client = &client,
        .wanted = adopting->wanted,
        .wanted_count = adopting->wanted_count,
        .places = adopting->places,
        .place_count = adopting->place_count,
        .cancel_fd = adopting->options->cancel_fd,
        .found = found,
        .failed = place_failed,
        .context = adopting,
    };
    if (adopting->wanted_count == 0)
        return true;
    TRY(acm_search_run(&request, error));
    return !adopting->no_memory ||
           error_set(error, ERROR_MEMORY, "no memory for what was found in ACM");
}

static int by_arn(const void *left, const void *right)
{
    const struct adopt_target *const *a = left;
    const struct adopt_target *const *b = right;
    return strcmp((*a)->arn, (*b)->arn);
}

/* Targets that were linked to one ARN; those of one certificate may share it. */
static void group_check(struct adopt_target **linked, size_t count)
{
    bool shared = false;
    for (size_t i = 1; i < count; i++)
        shared = shared || linked[i]->entry != linked[0]->entry;
    for (size_t i = 0; i < count && shared; i++)
        linked[i]->outcome = ADOPT_SHARED;
}

/* Of several certificates with the names of one in ACM, the manifest has to say whose it is. */
static bool shared_find(const struct adopting *adopting)
{
    struct adoption *adoption = adopting->adoption;
    struct adopt_target **linked = calloc(adoption->count + 1, sizeof(struct adopt_target *));
    size_t count = 0;
    TRY(linked != NULL);
    for (size_t i = 0; i < adoption->count; i++)
        if (adoption->targets[i].outcome == ADOPT_LINKED)
            linked[count++] = &adoption->targets[i];
    qsort(linked, count, sizeof(struct adopt_target *), by_arn);
    size_t first = 0;
    for (size_t i = 1; i <= count; i++) {
        if (i < count && strcmp(linked[i]->arn, linked[first]->arn) == 0)
            continue;
        group_check(linked + first, i - first);
        first = i;
    }
    free(linked);
    return true;
}

/* The state's changes, which have to live until the state is closed, are the arena's. */
static bool links_note(const struct adopting *adopting, struct error *error)
{
    struct adoption *adoption = adopting->adoption;
    for (size_t i = 0; i < adoption->count; i++) {
        struct adopt_target *target = &adoption->targets[i];
        if (target->outcome != ADOPT_LINKED)
            continue;
        struct state_change *change = arena_alloc(&adoption->arena, sizeof *change);
        if (change == NULL)
            return error_set(error, ERROR_MEMORY, "no memory to note what was found in ACM");
        const struct deploy_acm *acm = target->acm;
        *change = (struct state_change){
            .kind = STATE_IMPORT_KEPT,
            .import = {.name = target->entry->name,
                       .profile = acm->profile != NULL ? acm->profile : "",
                       .region = acm->region != NULL ? acm->region : "",
                       .given_arn = "",
                       .account = target->account != NULL ? target->account : "",
                       .arn = target->arn,
                       .serial = target->serial,
                       .not_after = target->not_after,
                       .imported_at = target->imported_at,
                       .last_error = ""},
        };
        target->noted = change;
        state_post(adopting->options->state, change);
    }
    return true;
}

static bool adopting_make(struct adopting *adopting, size_t count, struct error *error)
{
    const struct manifest *manifest = adopting->options->manifest;
    adopting->adoption->targets = calloc(count + 1, sizeof *adopting->adoption->targets);
    adopting->places = calloc(count + 1, sizeof *adopting->places);
    adopting->place_of = calloc(count + 1, sizeof *adopting->place_of);
    adopting->wanted = calloc(manifest->count + 1, sizeof *adopting->wanted);
    adopting->wanted_of = calloc(count + 1, sizeof *adopting->wanted_of);
    adopting->first_of = calloc(manifest->count + 1, sizeof *adopting->first_of);
    return (adopting->adoption->targets != NULL && adopting->places != NULL &&
            adopting->place_of != NULL && adopting->wanted != NULL && adopting->wanted_of != NULL &&
            adopting->first_of != NULL) ||
           error_set(error, ERROR_MEMORY, "no memory for %zu targets", count);
}

static bool adopt(struct adopting *adopting, struct acm_rows *rows, struct error *error)
{
    const struct manifest *manifest = adopting->options->manifest;
    const char *only = adopting->options->only;
    TRY(adopting_make(adopting, targets_count(adopting->options), error));
    TRY(acm_rows_read(adopting->options->state, rows, error));
    for (size_t i = 0; i < manifest->count; i++) {
        adopting->no_memory = adopting->no_memory || !entry_claim(adopting, rows, i);
        if (only == NULL || fnmatch(only, manifest->entries[i].name, 0) == 0)
            entry_take(adopting, rows, &manifest->entries[i]);
    }
    for (size_t i = 0; i < adopting->adoption->count; i++)
        if (adopting->adoption->targets[i].outcome == ADOPT_KNOWN)
            adopting->adoption->targets[i].arn = keep(adopting, adopting->adoption->targets[i].arn);
    TRY(search(adopting, error));
    if (adopting->no_memory || !shared_find(adopting))
        return error_set(error, ERROR_MEMORY, "no memory for what was found in ACM");
    return links_note(adopting, error);
}

bool adopt_run(const struct adopt_options *options, struct adoption *ret_adoption,
               struct error *error)
{
    struct adopting adopting = {.options = options, .adoption = ret_adoption};
    struct acm_rows rows = {0};
    *ret_adoption = (struct adoption){0};
    arena_init(&ret_adoption->arena);
    name_table_init(&adopting.claims);
    bool ok = adopt(&adopting, &rows, error);
    name_table_free(&adopting.claims); /* before the texts that it points to */
    acm_rows_free(&rows);
    free(adopting.places);
    free(adopting.place_of);
    free(adopting.wanted);
    free(adopting.wanted_of);
    free(adopting.first_of);
    return ok;
}

void adoption_free(struct adoption *adoption)
{
    free(adoption->targets);
    arena_free(&adoption->arena);
    *adoption = (struct adoption){0};
}
