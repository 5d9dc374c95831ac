#include "plan/plan_print.h"

#include "base/clock.h"
#include "plan/forecast_print.h"
#include "plan/imports.h"
#include "report/format.h"
#include "report/output.h"

#include <inttypes.h>
#include <string.h>

#define REASON_COUNT    (DUE_FORCED + 1)
#define NAME_WIDTH_MAX  40
#define WORDS_WIDTH_MAX 100
#define HOURS_MAX       ((int64_t)240) /* a longer lifetime is told in days */

static void lifetime_words(const struct manifest_entry *entry, const struct plan_item *item,
                           char *text, size_t size)
{
    int64_t hours = (item->not_after - item->not_before + 1800) / 3600;
    bool in_days = hours > HOURS_MAX;
    snprintf(text, size,
             "2/3 of its %" PRId64 " %s lifetime are over, later than %d days before expiry",
             in_days ? (hours + 12) / 24 : hours, in_days ? "d" : "h", entry->renew_before_days);
}

static void order_words(const struct state_order *order, char *text, size_t size)
{
    char date[TIME_TEXT_MAX];
    snprintf(text, size, "goes on with the order of %.10s%s",
             time_format_rfc3339(order->placed_at, date),
             order->stage == ORDER_INTENDED ? ", which may not have reached the CA" : "");
}

#define TARGETS_SHOWN 3

struct target_words {
    char *text;
    size_t size, count;
};

static void target_say(void *context, const struct deploy_acm *target)
{
    struct target_words *words = context;
    size_t used = strlen(words->text);
    const char *separator = words->count == 0 ? ": " : ", ";
    if (words->count < TARGETS_SHOWN)
        snprintf(words->text + used, words->size - used, "%s%s%s%s", separator,
                 target->profile != NULL ? target->profile : "the default profile",
                 target->region != NULL ? " " : "", target->region != NULL ? target->region : "");
    else if (words->count == TARGETS_SHOWN)
        snprintf(words->text + used, words->size - used, ", ...");
    words->count++;
}

static void deploy_words(const struct manifest_entry *entry, const struct plan_item *item,
                         char *text, size_t size)
{
    size_t lacking = imports_of(entry, item);
    if (lacking == 0) {
        snprintf(text, size, "only to deploy: not all targets have number %u", item->sequence);
        return;
    }
    struct target_words words = {.text = text, .size = size};
    snprintf(text, size, "only to deploy%s: %zu ACM %s number %u",
             item->lacks_hooks ? ", with hooks" : "", lacking,
             lacking == 1 ? "target lacks" : "targets lack", item->sequence);
    imports_each(entry, item, target_say, &words);
}

char *plan_reason_words(const struct manifest_entry *entry, const struct plan_item *item,
                        char *text, size_t size)
{
    switch (item->reason) {
    case DUE_NOT:
        if (item->deploy_only)
            deploy_words(entry, item, text, size);
        else
            snprintf(text, size, "not due");
        break;
    case DUE_OPEN_ORDER:
        if (item->order != NULL)
            order_words(item->order, text, size);
        break;
    case DUE_NO_CERTIFICATE:
        snprintf(text, size, "there is no certificate yet");
        break;
    case DUE_UNREADABLE:
        snprintf(text, size, "the live files are damaged: %s",
                 item->detail != NULL ? item->detail : "");
        break;
    case DUE_EXPIRED:
        snprintf(text, size, "has expired");
        break;
    case DUE_EXPIRING:
        snprintf(text, size, "expires within %d days", entry->renew_before_days);
        break;
    case DUE_LIFETIME:
        lifetime_words(entry, item, text, size);
        break;
    case DUE_NAMES:
        snprintf(text, size, "the manifest has other names");
        break;
    case DUE_KEY:
        snprintf(text, size, "the manifest asks for another key: %s", key_spec_name(entry->key));
        break;
    case DUE_REVOKED:
        snprintf(text, size, "was revoked%s%s", item->detail != NULL ? ": " : "",
                 item->detail != NULL ? item->detail : "");
        break;
    case DUE_FORCED:
        snprintf(text, size, "was asked for by --force");
        break;
    }
    return text;
}

struct totals {
    size_t reasons[REASON_COUNT];
    size_t deploy_only;
};

static struct totals total(const struct plan *plan)
{
    struct totals totals = {0};
    for (size_t i = 0; i < plan->due_count; i++) {
        if (plan->due[i].deploy_only)
            totals.deploy_only++;
        else
            totals.reasons[plan->due[i].reason]++;
    }
    return totals;
}

static void print_table(FILE *out, const struct manifest *manifest, const struct plan *plan,
                        int64_t now, size_t lines)
{
    size_t name_width = strlen("NAME");
    size_t date_width = strlen("EXPIRES");
    char date[OUTPUT_DATE_MAX];
    for (size_t i = 0; i < lines; i++) {
        size_t name = output_width(manifest->entries[plan->due[i].entry].name);
        size_t expires = output_width(output_date(plan->due[i].not_after, now, date));
        name_width = name > name_width ? name : name_width;
        date_width = expires > date_width ? expires : date_width;
    }
    if (name_width > NAME_WIDTH_MAX)
        name_width = NAME_WIDTH_MAX;
    fprintf(out, "%-*s  %-*s  %-10s  %s\n", (int)name_width, "NAME", (int)date_width, "EXPIRES",
            "DUE SINCE", "WHY");
    for (size_t i = 0; i < lines; i++) {
        const struct plan_item *item = &plan->due[i];
        const struct manifest_entry *entry = &manifest->entries[item->entry];
        char words[ERROR_TEXT_MAX * 2] = "";
        plan_reason_words(entry, item, words, sizeof words);
        output_cell(out, entry->name, name_width);
        fputs("  ", out);
        output_cell(out, output_date(item->not_after, now, date), date_width);
        bool since = item->due_at != 0 && item->due_at <= now;
        fprintf(out, "  %-10.10s  ", since ? time_format_rfc3339(item->due_at, date) : "-");
        size_t words_width = output_width(words);
        output_cell(out, words, words_width < WORDS_WIDTH_MAX ? words_width : WORDS_WIDTH_MAX);
        putc('\n', out);
    }
    char count[FORMAT_MAX];
    if (plan->due_count > lines)
        fprintf(out, "... and %s more; --json for all\n",
                format_count(plan->due_count - lines, count));
    putc('\n', out);
}

static void print_totals(FILE *out, const struct plan *plan, int64_t now)
{
    static const char *const labels[REASON_COUNT] = {
        [DUE_OPEN_ORDER] = "with an open order",
        [DUE_NO_CERTIFICATE] = "without a certificate",
        [DUE_UNREADABLE] = "with damaged files",
        [DUE_EXPIRED] = "expired",
        [DUE_EXPIRING] = "expiring",
        [DUE_LIFETIME] = "past 2/3 of a short lifetime",
        [DUE_NAMES] = "with other names",
        [DUE_KEY] = "with another key",
        [DUE_REVOKED] = "revoked",
        [DUE_FORCED] = "by --force",
    };
    struct totals totals = total(plan);
    size_t selected = plan->due_count + plan->later_count;
    char count[FORMAT_MAX];
    char all[FORMAT_MAX];
    fprintf(out, "%s of %s to issue", format_count(plan->due_count - totals.deploy_only, count),
            format_certificates(selected, all));
    const char *separator = ": ";
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (totals.reasons[i] == 0 || labels[i] == NULL)
            continue;
        fprintf(out, "%s%s %s", separator, format_count(totals.reasons[i], count), labels[i]);
        separator = ", ";
    }
    putc('\n', out);
    if (totals.deploy_only > 0)
        fprintf(out, "%s only to deploy\n", format_count(totals.deploy_only, count));
    if (plan->later_count > 0) {
        char date[OUTPUT_DATE_MAX];
        fprintf(out, "%s not due; the next will be on %s\n", format_count(plan->later_count, count),
                output_date(plan->next_due_at, now, date));
    }
    if (plan->unselected > 0)
        fprintf(out, "%s left out by --only\n", format_count(plan->unselected, count));
}

bool plan_print_text(FILE *out, const struct manifest *manifest, const struct plan *plan,
                     const struct forecast *forecast, int64_t now, size_t lines,
                     struct error *error)
{
    if (lines == 0)
        lines = PLAN_PRINT_LINES;
    if (lines > plan->due_count)
        lines = plan->due_count;
    if (lines > 0)
        print_table(out, manifest, plan, now, lines);
    print_totals(out, plan, now);
    if (forecast != NULL)
        forecast_print_text(out, forecast);
    return output_end(out, error);
}

static json_t *order_json(const struct state_order *order)
{
    json_t *object = json_object();
    output_member_text(&object, "stage", order->stage == ORDER_PLACED ? "placed" : "intended");
    output_member_text(&object, "url", order->url);
    output_member_count(&object, "sequence", order->sequence);
    output_member_time(&object, "placed_at", order->placed_at);
    return object;
}

static void target_add(void *context, const struct deploy_acm *target)
{
    json_t **list = context;
    json_t *object = json_object();
    output_member_text(&object, "profile", target->profile);
    output_member_text(&object, "region", target->region);
    output_member_text(&object, "arn", target->arn);
    if (*list != NULL && json_array_append_new(*list, object) != 0)
        json_release(list);
}

static json_t *imports_json(const struct manifest_entry *entry, const struct plan_item *item)
{
    json_t *list = json_array();
    imports_each(entry, item, target_add, &list);
    return list;
}

static json_t *item_json(const struct manifest_entry *entry, const struct plan_item *item)
{
    json_t *object = json_object();
    output_member_text(&object, "name", entry->name);
    output_member_text(&object, "reason",
                       item->deploy_only ? "deploy" : due_reason_name(item->reason));
    output_member_text(&object, "account", entry->account_alias);
    output_member_count(&object, "sequence", item->sequence);
    output_member_time(&object, "not_before", item->not_before);
    output_member_time(&object, "not_after", item->not_after);
    output_member_time(&object, "due_at", item->due_at);
    output_member(&object, "renew_before_days", json_integer(entry->renew_before_days));
    if (item->not_after != 0) {
        struct due_time due =
            due_time_of(entry->renew_before_days, item->not_before, item->not_after);
        output_member_text(&object, "rule", due.by_lifetime ? "lifetime" : "renew-before-days");
    }
    if (item->detail != NULL)
        output_member_text(&object, "detail", item->detail);
    if (item->order != NULL)
        output_member(&object, "order", order_json(item->order));
    if (entry->acm != NULL && (item->deploy_only || item->reason != DUE_NOT))
        output_member(&object, "imports", imports_json(entry, item));
    return object;
}

static bool print_items(FILE *out, const struct manifest *manifest, const struct plan_item *items,
                        size_t count, struct error *error)
{
    bool first = true;
    for (size_t i = 0; i < count; i++)
        TRY(output_element(out, item_json(&manifest->entries[items[i].entry], &items[i]), &first,
                           error));
    return true;
}

static json_t *counts_json(const struct plan *plan)
{
    struct totals totals = total(plan);
    json_t *reasons = json_object();
    for (size_t i = 0; i < REASON_COUNT; i++)
        if (i != DUE_NOT)
            output_member_count(&reasons, due_reason_name((enum due_reason)i), totals.reasons[i]);
    json_t *counts = json_object();
    output_member_count(&counts, "due", plan->due_count);
    output_member_count(&counts, "issue", plan->due_count - totals.deploy_only);
    output_member_count(&counts, "deploy", totals.deploy_only);
    output_member_count(&counts, "later", plan->later_count);
    output_member_count(&counts, "unselected", plan->unselected);
    output_member(&counts, "reasons", reasons);
    output_member_time(&counts, "next_due_at", plan->next_due_at);
    return counts;
}

bool plan_print_json(FILE *out, const struct manifest *manifest, const struct plan *plan,
                     const struct forecast *forecast, struct error *error)
{
    fputs("{\"due\":[", out);
    TRY(print_items(out, manifest, plan->due, plan->due_count, error));
    fputs("],\n\"later\":[", out);
    TRY(print_items(out, manifest, plan->later, plan->later != NULL ? plan->later_count : 0,
                    error));
    fputs("],\n\"counts\":", out);
    bool first = true;
    TRY(output_element(out, counts_json(plan), &first, error));
    if (forecast != NULL) {
        fputs(",\n\"forecast\":", out);
        first = true;
        TRY(output_element(out, forecast_json(forecast), &first, error));
    }
    fputs("}\n", out);
    return output_end(out, error);
}
