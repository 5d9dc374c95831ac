#include "report/list.h"

#include "base/clock.h"
#include "report/format.h"
#include "report/imports_view.h"
#include "report/output.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define SOON_DAYS 7

struct column {
    const char *title;
    size_t max;
};

enum {
    COLUMN_NAME,
    COLUMN_STATUS,
    COLUMN_EXPIRES,
    COLUMN_KEY,
    COLUMN_ISSUER,
    COLUMN_ACCOUNT,
    COLUMN_ARN, /* left out where no certificate has one */
    COLUMN_ERROR,
    COLUMN_COUNT,
};

static const struct column columns[COLUMN_COUNT] = {
    [COLUMN_NAME] = {"NAME", 40},       [COLUMN_STATUS] = {"STATUS", 8},
    [COLUMN_EXPIRES] = {"EXPIRES", 32}, [COLUMN_KEY] = {"KEY", 12},
    [COLUMN_ISSUER] = {"ISSUER", 30},   [COLUMN_ACCOUNT] = {"ACCOUNT", 20},
    [COLUMN_ARN] = {"ARN", 100},        [COLUMN_ERROR] = {"LAST ERROR", 60}};

struct list {
    FILE *out;
    const struct list_options *options;
    size_t widths[COLUMN_COUNT];
    size_t shown;
    size_t hidden;
    size_t statuses[CERTIFICATE_PENDING + 1];
    size_t expired;
    bool has_arns;
    size_t soon;
    bool first; /* no JSON element yet */
    struct state_import_cursor *imports;
    struct error error;
};

static bool is_listed(const struct list *list, const struct state_certificate *row)
{
    const struct list_options *options = list->options;
    return (options->glob == NULL || fnmatch(options->glob, row->name, 0) == 0) &&
           (options->account == NULL || strcmp(options->account, row->account) == 0);
}

struct row_texts {
    char date[OUTPUT_DATE_MAX];
    char arn[IMPORTS_CELL_MAX];
};

/* The texts live as long as the cells. False when the imports cannot be read. */
static bool cells_of(struct list *list, const struct state_certificate *row,
                     struct row_texts *texts, const char **cells)
{
    TRY(imports_cell(list->imports, row->name, row->sequence, texts->arn, &list->error));
    cells[COLUMN_NAME] = row->name;
    cells[COLUMN_STATUS] = certificate_status_name(row->status);
    cells[COLUMN_EXPIRES] = output_date(row->not_after, list->options->now, texts->date);
    cells[COLUMN_KEY] = row->key;
    cells[COLUMN_ISSUER] = row->issuer;
    cells[COLUMN_ACCOUNT] = row->account;
    cells[COLUMN_ARN] = texts->arn;
    cells[COLUMN_ERROR] = row->last_error;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (cells[i][0] == '\0')
            cells[i] = "-";
    return true;
}

/* The first walk: widths and totals. */
static bool measure_row(void *context, const struct state_certificate *row)
{
    struct list *list = context;
    if (!is_listed(list, row)) {
        list->hidden++;
        return true;
    }
    struct row_texts texts;
    const char *cells[COLUMN_COUNT];
    TRY(cells_of(list, row, &texts, cells));
    list->has_arns = list->has_arns || texts.arn[0] != '\0';
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        size_t width = output_width(cells[i]);
        if (width > columns[i].max)
            width = columns[i].max;
        if (width > list->widths[i])
            list->widths[i] = width;
    }
    list->shown++;
    list->statuses[row->status]++;
    if (row->not_after != 0 && row->not_after <= list->options->now)
        list->expired++;
    else if (row->not_after != 0 &&
             row->not_after - list->options->now <= (int64_t)SOON_DAYS * SECONDS_PER_DAY)
        list->soon++;
    return true;
}

static void print_cells(FILE *out, const size_t *widths, const char *const *cells)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (widths[i] == 0)
            continue;
        size_t width = widths[i];
        if (i == COLUMN_COUNT - 1 && output_width(cells[i]) < width)
            width = output_width(cells[i]); /* no blanks at the line's end */
        output_cell(out, cells[i], width);
        fputs(i < COLUMN_COUNT - 1 ? "  " : "\n", out);
    }
}

static bool print_row(void *context, const struct state_certificate *row)
{
    struct list *list = context;
    if (!is_listed(list, row))
        return true;
    struct row_texts texts;
    const char *cells[COLUMN_COUNT];
    TRY(cells_of(list, row, &texts, cells));
    print_cells(list->out, list->widths, cells);
    return !ferror(list->out);
}

static void print_totals(const struct list *list)
{
    char text[FORMAT_MAX];
    fprintf(list->out, "%s", format_certificates(list->shown, text));
    const char *separator = ": ";
    static const enum certificate_status order[] = {CERTIFICATE_ISSUED, CERTIFICATE_FAILED,
                                                    CERTIFICATE_PENDING, CERTIFICATE_UNKNOWN};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (list->statuses[order[i]] == 0)
            continue;
        fprintf(list->out, "%s%s %s", separator, format_count(list->statuses[order[i]], text),
                certificate_status_name(order[i]));
        separator = ", ";
    }
    if (list->expired > 0)
        fprintf(list->out, "; %s expired", format_count(list->expired, text));
    if (list->soon > 0)
        fprintf(list->out, "; %s expire%s within %d days", format_count(list->soon, text),
                list->soon == 1 ? "s" : "", SOON_DAYS);
    putc('\n', list->out);
}

/* A walk over the certificates, beside which one over the imports goes. */
static bool walk(struct list *list, struct state *state,
                 bool (*each)(void *context, const struct state_certificate *row),
                 struct error *error)
{
    TRY(state_import_cursor_open(state, NULL, &list->imports, error));
    bool ok = state_certificates(state, each, list, error);
    state_import_cursor_close(list->imports);
    if (ok && list->error.kind != ERROR_NONE) {
        if (error != NULL)
            *error = list->error;
        return false;
    }
    return ok;
}

static bool print_table(struct list *list, struct state *state, struct error *error)
{
    const char *titles[COLUMN_COUNT];
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        titles[i] = columns[i].title;
        list->widths[i] = output_width(columns[i].title);
    }
    TRY(walk(list, state, measure_row, error));
    if (!list->has_arns)
        list->widths[COLUMN_ARN] = 0;
    if (list->shown == 0) {
        fputs(list->hidden == 0                ? "no certificates yet\n"
              : list->options->account != NULL ? "no such certificate of this account\n"
                                               : "no certificate has such a name\n",
              list->out);
        return true;
    }
    print_cells(list->out, list->widths, titles);
    TRY(walk(list, state, print_row, error));
    putc('\n', list->out);
    print_totals(list);
    return true;
}

static json_t *names_json(const char *names)
{
    json_t *list = json_array();
    struct span rest = span_of(names);
    while (list != NULL && rest.data != NULL && names[0] != '\0') {
        struct span name = span_split(&rest, ',');
        char *copy = span_duplicate(name);
        json_t *text = copy != NULL ? format_json_text(copy) : NULL;
        free(copy);
        if (json_array_append_new(list, text) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *list_row_json(const struct state_certificate *row, int64_t now)
{
    json_t *object = json_object();
    output_member_text(&object, "name", row->name);
    output_member_text(&object, "status", certificate_status_name(row->status));
    output_member_time(&object, "not_before", row->not_before);
    output_member_time(&object, "not_after", row->not_after);
    output_member(&object, "seconds_left",
                  row->not_after != 0 ? json_integer(row->not_after - now) : json_null());
    output_member_time(&object, "issued_at", row->issued_at);
    output_member_text(&object, "serial", row->serial);
    output_member_text(&object, "issuer", row->issuer);
    output_member_text(&object, "key", row->key);
    output_member_text(&object, "account", row->account);
    output_member_text(&object, "directory", row->directory);
    output_member(&object, "names", names_json(row->names));
    output_member_count(&object, "sequence", row->sequence);
    output_member_count(&object, "deployed_sequence", row->deployed_sequence);
    output_member_count(&object, "failures", row->failures);
    output_member_time(&object, "attempted_at", row->attempted_at);
    output_member_text(&object, "last_error", row->last_error);
    return object;
}

static bool print_element(void *context, const struct state_certificate *row)
{
    struct list *list = context;
    json_t *imports;
    if (!is_listed(list, row))
        return true;
    TRY(imports_json(list->imports, row->name, row->sequence, &imports, &list->error));
    json_t *object = list_row_json(row, list->options->now);
    output_member(&object, "imports", imports);
    return output_element(list->out, object, &list->first, &list->error);
}

bool list_print(FILE *out, struct state *state, const struct list_options *options,
                struct error *error)
{
    struct list list = {.out = out, .options = options, .first = true};
    if (!options->json) {
        TRY(print_table(&list, state, error));
        return output_end(out, error);
    }
    putc('[', out);
    TRY(walk(&list, state, print_element, error));
    fputs(list.first ? "]\n" : "\n]\n", out);
    return output_end(out, error);
}
