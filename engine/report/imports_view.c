#include "report/imports_view.h"

#include "report/format.h"
#include "report/output.h"

#include <stdio.h>
#include <string.h>

static bool is_up_to_date(const struct state_import *row, unsigned sequence)
{
    return row->arn[0] != '\0' && row->failures == 0 && row->sequence != 0 &&
           row->sequence == sequence;
}

const char *import_state_name(const struct state_import *row, unsigned sequence)
{
    if (row->failures > 0)
        return "failed";
    if (row->arn[0] == '\0')
        return "intended";
    return is_up_to_date(row, sequence) ? "imported" : "behind";
}

bool imports_cell(struct state_import_cursor *cursor, const char *name, unsigned sequence,
                  char *text, struct error *error)
{
    struct state_import row;
    bool found;
    size_t count = 0;
    size_t behind = 0;
    char number[FORMAT_MAX];
    text[0] = '\0';
    for (;;) {
        TRY(state_import_cursor_next(cursor, name, &row, &found, error));
        if (!found)
            break;
        if (count++ == 0)
            snprintf(text, IMPORTS_CELL_MAX, "%.256s", row.arn[0] != '\0' ? row.arn : "no ARN yet");
        behind += !is_up_to_date(&row, sequence);
    }
    if (count > 1)
        snprintf(text, IMPORTS_CELL_MAX, "%s targets", format_count(count, number));
    size_t used = strlen(text);
    if (behind > 0 && count > 1)
        snprintf(text + used, IMPORTS_CELL_MAX - used, ", %s not up to date",
                 format_count(behind, number));
    else if (behind > 0)
        snprintf(text + used, IMPORTS_CELL_MAX - used, " (not up to date)");
    return true;
}

static json_t *import_json(const struct state_import *row, unsigned sequence)
{
    json_t *object = json_object();
    output_member_text(&object, "profile", row->profile);
    output_member_text(&object, "region", row->region);
    output_member_text(&object, "account", row->account);
    output_member_text(&object, "arn", row->arn);
    output_member_text(&object, "state", import_state_name(row, sequence));
    output_member_count(&object, "sequence", row->sequence);
    output_member_text(&object, "serial", row->serial);
    output_member_time(&object, "not_after", row->not_after);
    output_member_time(&object, "imported_at", row->imported_at);
    output_member_time(&object, "attempted_at", row->attempted_at);
    output_member_count(&object, "failures", row->failures);
    output_member_text(&object, "last_error", row->last_error);
    return object;
}

bool imports_json(struct state_import_cursor *cursor, const char *name, unsigned sequence,
                  json_t **ret_list, struct error *error)
{
    json_t *list = json_array();
    struct state_import row;
    bool found = true;
    while (list != NULL) {
        if (!state_import_cursor_next(cursor, name, &row, &found, error)) {
            json_decref(list);
            return false;
        }
        if (!found)
            break;
        if (json_array_append_new(list, import_json(&row, sequence)) != 0)
            json_release(&list);
    }
    *ret_list = list;
    return list != NULL || error_set(error, ERROR_MEMORY, "no memory for the output");
}
