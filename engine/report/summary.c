#include "report/summary.h"

#include "base/clock.h"
#include "report/format.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NONE UINT32_MAX

void summary_init(struct summary *summary)
{
    memset(summary, 0, sizeof *summary);
    arena_init(&summary->arena);
}

void summary_free(struct summary *summary)
{
    free(summary->outcomes);
    free(summary->causes);
    free(summary->table);
    arena_free(&summary->arena);
    summary_init(summary);
}

/* Makes room for one more element; false without memory. */
static bool list_grow(void **list, size_t count, size_t *capacity, size_t element)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = reallocarray(*list, wanted, element);
    if (grown == NULL)
        return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

static uint64_t cause_hash(const struct cause *cause)
{
    uint64_t hash = XXH3_64bits_withSeed(cause->text, strlen(cause->text), cause->kind);
    hash = XXH3_64bits_withSeed(cause->advice, strlen(cause->advice), hash);
    return XXH3_64bits_withSeed(cause->type, strlen(cause->type), hash);
}

static bool cause_equal(const struct cause *a, const struct cause *b)
{
    return a->hash == b->hash && a->kind == b->kind && strcmp(a->text, b->text) == 0 &&
           strcmp(a->advice, b->advice) == 0 && strcmp(a->type, b->type) == 0;
}

/* Where the cause is in the table, or the empty place where it belongs. */
static uint32_t *table_place(const struct summary *summary, const struct cause *cause)
{
    size_t at = (size_t)cause->hash & (summary->table_size - 1);
    while (summary->table[at] != NONE && !cause_equal(&summary->causes[summary->table[at]], cause))
        at = (at + 1) & (summary->table_size - 1);
    return &summary->table[at];
}

/* Keeps the table at most half full. */
static bool table_grow(struct summary *summary)
{
    if (summary->cause_count * 2 < summary->table_size)
        return true;
    size_t size = summary->table_size == 0 ? 64 : summary->table_size * 2;
    uint32_t *table = malloc(size * sizeof *table);
    if (table == NULL)
        return false;
    memset(table, 0xff, size * sizeof *table);
    free(summary->table);
    summary->table = table;
    summary->table_size = size;
    for (uint32_t i = 0; i < summary->cause_count; i++)
        *table_place(summary, &summary->causes[i]) = i;
    return true;
}

static bool cause_find(struct summary *summary, const struct cause *wanted, uint32_t *ret_cause)
{
    TRY(table_grow(summary));
    uint32_t *place = table_place(summary, wanted);
    if (*place == NONE) {
        struct cause cause = *wanted;
        cause.text = arena_text(&summary->arena, span_of(wanted->text));
        cause.advice = arena_text(&summary->arena, span_of(wanted->advice));
        cause.type = arena_text(&summary->arena, span_of(wanted->type));
        TRY(cause.text != NULL && cause.advice != NULL && cause.type != NULL);
        TRY(list_grow((void **)&summary->causes, summary->cause_count, &summary->cause_capacity,
                      sizeof cause));
        *place = (uint32_t)summary->cause_count;
        summary->causes[summary->cause_count++] = cause;
    }
    *ret_cause = *place;
    return true;
}

static bool outcome_keep(struct summary *summary, enum outcome_kind kind, const struct news *news)
{
    TRY(summary->outcome_count < SUMMARY_KEPT_MAX);
    struct cause wanted = {
        .kind = kind,
        .text = news->text != NULL ? news->text : "",
        .advice = news->advice != NULL ? news->advice : "",
        .type = news->type != NULL ? news->type : "",
        .first = NONE,
        .last = NONE,
    };
    wanted.hash = cause_hash(&wanted);
    struct outcome outcome = {.next = NONE};
    outcome.name = arena_text(&summary->arena, span_of(news->name));
    TRY(outcome.name != NULL);
    TRY(list_grow((void **)&summary->outcomes, summary->outcome_count, &summary->outcome_capacity,
                  sizeof outcome));
    TRY(cause_find(summary, &wanted, &outcome.cause));
    uint32_t at = (uint32_t)summary->outcome_count++;
    summary->outcomes[at] = outcome;
    struct cause *cause = &summary->causes[outcome.cause];
    if (cause->count++ == 0)
        cause->first = at;
    else
        summary->outcomes[cause->last].next = at;
    cause->last = at;
    return true;
}

void summary_add(struct summary *summary, enum outcome_kind kind, const struct news *news)
{
    if (!outcome_keep(summary, kind, news))
        summary->unkept[kind]++;
}

/* The text. */

static void print_names(const struct summary *summary, const struct cause *cause, FILE *out)
{
    char count[FORMAT_MAX];
    if (cause->count > 1)
        fprintf(out, "%s: ", format_certificates(cause->count, count));
    size_t shown = 0;
    for (uint32_t at = cause->first; at != NONE; at = summary->outcomes[at].next) {
        /* "and 1 more" would be longer than most names. */
        if (shown == SUMMARY_NAMES_MAX && cause->count > SUMMARY_NAMES_MAX + 1) {
            fprintf(out, " and %s more", format_count(cause->count - shown, count));
            break;
        }
        fputs(shown++ > 0 ? ", " : "", out);
        format_printable(out, summary->outcomes[at].name);
    }
}

static void print_cause(const struct summary *summary, const struct cause *cause, FILE *out)
{
    fputs("  ", out);
    print_names(summary, cause, out);
    fputc('\n', out);
    if (cause->text[0] != '\0') {
        fputs("      ", out);
        format_printable(out, cause->text);
        fputc('\n', out);
    }
    if (cause->advice[0] != '\0') {
        fputs("      What to do: ", out);
        format_printable(out, cause->advice);
        fputc('\n', out);
    }
}

/* The cause with most certificates first; among equals the one that came first. */
static int cause_compare(const void *a, const void *b, void *context)
{
    const struct cause *causes = context;
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    if (causes[first].count != causes[second].count)
        return causes[first].count > causes[second].count ? -1 : 1;
    return first < second ? -1 : first > second;
}

/* The kind's causes as they shall be printed, for the caller to free; NULL without memory. */
static uint32_t *causes_sorted(const struct summary *summary, enum outcome_kind kind,
                               size_t *ret_count)
{
    uint32_t *sorted = malloc((summary->cause_count + 1) * sizeof *sorted);
    if (sorted == NULL)
        return NULL;
    size_t count = 0;
    for (uint32_t i = 0; i < summary->cause_count; i++) {
        if (summary->causes[i].kind == kind)
            sorted[count++] = i;
    }
    if (count > 1)
        qsort_r(sorted, count, sizeof *sorted, cause_compare, summary->causes);
    *ret_count = count;
    return sorted;
}

static void print_kind(const struct summary *summary, enum outcome_kind kind, const char *title,
                       size_t total, FILE *out)
{
    if (total == 0)
        return;
    fprintf(out, "%s:\n", title);
    size_t count = 0;
    uint32_t *causes = causes_sorted(summary, kind, &count);
    size_t shown = 0;
    for (size_t i = 0; i < count && i < SUMMARY_FULL_MAX; i++) {
        const struct cause *cause = &summary->causes[causes[i]];
        print_cause(summary, cause, out);
        shown += cause->count;
    }
    free(causes);
    char text[FORMAT_MAX];
    if (total > shown)
        fprintf(out, "  and %s more: --json and --events give every one\n",
                format_certificates(total - shown, text));
}

static void print_counts(const struct summary_ending *ending, FILE *out)
{
    const struct report_totals *totals = &ending->totals;
    char issued[FORMAT_MAX];
    char due[FORMAT_MAX];
    char count[FORMAT_MAX];
    fputs(ending->interrupted ? "Interrupted: " : "Finished: ", out);
    if (ending->accounts)
        fprintf(out, "%s of %s %s registered", format_count(totals->issued, issued),
                format_count(totals->due, due), totals->due == 1 ? "account" : "accounts");
    else if (totals->due > 0)
        fprintf(out, "%s of %s issued", format_count(totals->issued, issued),
                format_certificates(totals->due, due));
    else
        fputs("no certificate is due", out);
    const struct {
        size_t count;
        const char *what;
    } parts[] = {
        {totals->failed, "failed"},
        {totals->parked, "parked"},
        {totals->deployed, "deployed"},
        {totals->deploy_failed, "not deployed"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].count > 0)
            fprintf(out, ", %s %s", format_count(parts[i].count, count), parts[i].what);
    }
    size_t ended = totals->issued + totals->failed + totals->parked;
    if (ended < totals->due)
        fprintf(out, ", %s not tried", format_count(totals->due - ended, count));
    fprintf(out, " in %s", format_duration(ending->seconds, count));
    if (totals->issued > 1 && !ending->accounts && ending->seconds >= 0.001)
        fprintf(out, " (%.1f a second)", (double)totals->issued / ending->seconds);
    fputc('\n', out);
}

void summary_print(const struct summary *summary, const struct summary_ending *ending, FILE *out)
{
    const struct report_totals *totals = &ending->totals;
    bool all_well = !ending->interrupted && totals->failed == 0 && totals->parked == 0 &&
                    totals->deploy_failed == 0;
    if (ending->quiet && all_well)
        return;
    print_kind(summary, OUTCOME_FAILED, "Failed", totals->failed, out);
    print_kind(summary, OUTCOME_DEPLOY_FAILED, "Issued, but not deployed", totals->deploy_failed,
               out);
    print_kind(summary, OUTCOME_PARKED, "Parked, the next run goes on with them", totals->parked,
               out);
    print_counts(ending, out);
    for (size_t i = 0; i < ending->figure_count && !ending->quiet; i++) {
        if (ending->figures[i].label != NULL && ending->figures[i].text != NULL)
            fprintf(out, "  %s: %s\n", ending->figures[i].label, ending->figures[i].text);
    }
    fflush(out);
}
