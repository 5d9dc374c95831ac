#include "deploy/acm_rows.h"

#include "aws/acm.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct acm_rows *rows;
    bool no_memory;
};

/* Few profiles, regions and accounts stand in many rows, which come sorted: most equal the last's.
 */
static const char *text_keep(struct acm_rows *rows, const char *text, const char *last)
{
    if (text[0] == '\0')
        return "";
    if (last != NULL && strcmp(text, last) == 0)
        return last;
    return arena_text(&rows->arena, span_of(text));
}

static bool rows_reserve(struct acm_rows *rows)
{
    if (rows->count < rows->capacity)
        return true;
    size_t capacity = rows->capacity > 0 ? rows->capacity * 2 : 64;
    struct acm_row *grown = reallocarray(rows->rows, capacity, sizeof *grown);
    if (grown == NULL)
        return false;
    rows->rows = grown;
    rows->capacity = capacity;
    return true;
}

static bool row_add(struct acm_rows *rows, const struct state_import *from)
{
    TRY(rows_reserve(rows));
    static const struct acm_row none = {0};
    const struct acm_row *last = rows->count > 0 ? &rows->rows[rows->count - 1] : &none;
    struct acm_row row = {
        .name = text_keep(rows, from->name, last->name),
        .profile = text_keep(rows, from->profile, last->profile),
        .region = text_keep(rows, from->region, last->region),
        .given_arn = text_keep(rows, from->given_arn, last->given_arn),
        .account = text_keep(rows, from->account, last->account),
        .arn = text_keep(rows, from->arn, from->given_arn[0] != '\0' ? last->given_arn : NULL),
        .serial = text_keep(rows, from->serial, last->serial),
        .digest = from->digest,
        .not_after = from->not_after,
        .imported_at = from->imported_at,
        .attempted_at = from->attempted_at,
        .sequence = from->sequence,
        .failures = from->failures,
    };
    TRY(row.name != NULL && row.profile != NULL && row.region != NULL && row.given_arn != NULL &&
        row.account != NULL && row.arn != NULL && row.serial != NULL);
    rows->rows[rows->count++] = row;
    return true;
}

static bool row_see(void *context, const struct state_import *row)
{
    struct reading *reading = context;
    reading->no_memory = !row_add(reading->rows, row);
    return !reading->no_memory;
}

bool acm_rows_read(struct state *state, struct acm_rows *ret_rows, struct error *error)
{
    struct acm_rows rows = {0};
    arena_init(&rows.arena);
    struct reading reading = {.rows = &rows};
    bool ok = state_imports(state, row_see, &reading, error);
    if (ok && reading.no_memory)
        ok = error_set(error, ERROR_MEMORY, "no memory for what ACM holds");
    if (!ok) {
        acm_rows_free(&rows);
        return false;
    }
    *ret_rows = rows;
    return true;
}

void acm_rows_free(struct acm_rows *rows)
{
    arena_free(&rows->arena);
    free(rows->rows);
    free(rows->by_arn);
    *rows = (struct acm_rows){0};
}

/* The first row of the name, or the end. */
static size_t first_of(const struct acm_rows *rows, const char *name)
{
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(rows->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool text_is(const char *text, const char *wanted)
{
    return strcmp(text, wanted != NULL ? wanted : "") == 0;
}

static bool is_row_of(const struct acm_row *row, const struct deploy_acm *target)
{
    return text_is(row->profile, target->profile) && text_is(row->region, target->region) &&
           text_is(row->given_arn, target->arn);
}

const struct acm_row *acm_rows_find(const struct acm_rows *rows, const char *name,
                                    const struct deploy_acm *target)
{
    for (size_t i = first_of(rows, name); i < rows->count; i++) {
        const struct acm_row *row = &rows->rows[i];
        if (strcmp(row->name, name) != 0)
            break;
        if (is_row_of(row, target))
            return row;
    }
    return NULL;
}

bool acm_row_is_in_region(const struct acm_row *row, const char *region)
{
    struct acm_arn arn;
    if (row->region[0] != '\0')
        return strcmp(row->region, region) == 0;
    return acm_arn_parse(span_of(row->arn), &arn, NULL) && span_is(arn.region, region);
}

const struct acm_row *acm_rows_find_renamed(const struct acm_rows *rows,
                                            const struct manifest_entry *entry,
                                            const struct deploy_acm *target, const char *account,
                                            const char *region)
{
    for (size_t i = first_of(rows, entry->name); i < rows->count; i++) {
        const struct acm_row *row = &rows->rows[i];
        if (strcmp(row->name, entry->name) != 0)
            break;
        bool fits = strcmp(row->account, account) == 0 && row->arn[0] != '\0' &&
                    (target->arn == NULL || text_is(row->given_arn, target->arn)) &&
                    acm_row_is_in_region(row, region);
        for (const struct deploy_acm *other = entry->acm; other != NULL && fits;
             other = other->next)
            fits = !is_row_of(row, other);
        if (fits)
            return row;
    }
    return NULL;
}

bool acm_rows_hold(const struct acm_rows *rows, const char *arn)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->rows[i].arn, arn) == 0)
            return true;
    return false;
}

static int by_arn(const void *left, const void *right)
{
    const struct acm_row *const *a = left;
    const struct acm_row *const *b = right;
    return strcmp((*a)->arn, (*b)->arn);
}

static bool by_arn_make(struct acm_rows *rows)
{
    if (rows->by_arn != NULL)
        return true;
    rows->by_arn = calloc(rows->count + 1, sizeof(const struct acm_row *));
    if (rows->by_arn == NULL)
        return false;
    for (size_t i = 0; i < rows->count; i++)
        rows->by_arn[i] = &rows->rows[i];
    qsort(rows->by_arn, rows->count, sizeof(const struct acm_row *), by_arn);
    return true;
}

/* Rows stay behind when a certificate or a target is taken out of the manifest. */
static bool is_in_manifest(const struct acm_row *row, const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        if (strcmp(manifest->entries[i].name, row->name) != 0)
            continue;
        for (const struct deploy_acm *acm = manifest->entries[i].acm; acm != NULL; acm = acm->next)
            if (is_row_of(row, acm))
                return true;
    }
    return false;
}

const char *acm_rows_holder(struct acm_rows *rows, const struct manifest *manifest, const char *arn,
                            const char *name)
{
    if (!by_arn_make(rows))
        return NULL;
    size_t low = 0;
    size_t high = rows->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(rows->by_arn[middle]->arn, arn) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < rows->count && strcmp(rows->by_arn[low]->arn, arn) == 0; low++)
        if (strcmp(rows->by_arn[low]->name, name) != 0 &&
            is_in_manifest(rows->by_arn[low], manifest))
            return rows->by_arn[low]->name;
    return NULL;
}
