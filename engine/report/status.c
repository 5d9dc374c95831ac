/* `certmill status NAME`: what is known is gathered into one view, then shown as lines or JSON. */
#include "report/list.h"

#include "base/clock.h"
#include "crypto/certificate.h"
#include "io/file.h"
#include "io/store.h"
#include "report/format.h"
#include "report/imports_view.h"
#include "report/near_names.h"
#include "report/output.h"

#include <string.h>

#define PATH_LIMIT 4096

enum live_verdict {
    LIVE_NONE,       /* no live files, and the state expects none */
    LIVE_MATCHES,    /* the live certificate is the one the state describes */
    LIVE_MISSING,    /* the state describes one, but there is none */
    LIVE_UNREADABLE, /* there is one, but it cannot be read */
    LIVE_DIFFERS,    /* another one than the state describes */
    LIVE_UNNOTED,    /* the state describes none */
};

static const char *const verdict_names[] = {
    [LIVE_NONE] = "none",       [LIVE_MATCHES] = "matches",
    [LIVE_MISSING] = "missing", [LIVE_UNREADABLE] = "unreadable",
    [LIVE_DIFFERS] = "differs", [LIVE_UNNOTED] = "unnoted",
};

struct view {
    const struct status_options *options;
    struct arena arena;
    bool noted; /* the state has a row */
    struct state_certificate row;
    bool has_order;
    struct state_order order;
    json_t *imports; /* an object for each ACM target */
    enum live_verdict verdict;
    unsigned live_sequence;
    struct buf pem;
    struct buf der;
    struct certificate_info live; /* when `verdict` says that it was read */
    struct error live_error;
    struct buf next; /* what to do next */
};

static bool take_order(void *context, const struct state_order *row)
{
    struct view *view = context;
    if (strcmp(row->name, view->options->name) != 0)
        return true;
    view->order = *row;
    const char **texts[] = {&view->order.name, &view->order.account, &view->order.directory,
                            &view->order.url};
    view->has_order = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = arena_text(&view->arena, span_of(*texts[i]));
        view->has_order = view->has_order && *texts[i] != NULL;
    }
    return false;
}

static bool read_state(struct view *view, struct state *state, struct error *error)
{
    static const struct state_certificate empty = {.name = "",
                                                   .serial = "",
                                                   .issuer = "",
                                                   .key = "",
                                                   .account = "",
                                                   .directory = "",
                                                   .names = "",
                                                   .last_error = ""};
    view->row = empty;
    view->row.name = view->options->name;
    if (state == NULL)
        return true;
    struct error missing;
    view->noted =
        state_certificate_find(state, view->options->name, &view->arena, &view->row, &missing);
    if (!view->noted && missing.kind != ERROR_NOT_FOUND) {
        if (error != NULL)
            *error = missing;
        return false;
    }
    TRY(state_orders(state, take_order, view, error));
    struct state_import_cursor *cursor;
    TRY(state_import_cursor_open(state, view->options->name, &cursor, error));
    bool read =
        imports_json(cursor, view->options->name, view->row.sequence, &view->imports, error);
    state_import_cursor_close(cursor);
    return read;
}

/* The names come from the operator, and go into a path. */
static bool name_is_component(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

static enum live_verdict judge_live(struct view *view)
{
    const struct status_options *options = view->options;
    bool expected = view->row.sequence != 0;
    if (!name_is_component(options->name))
        return expected ? LIVE_MISSING : LIVE_NONE;
    view->live_sequence = store_live_sequence(options->state_folder, options->name);
    struct buf path;
    buf_init(&path, PATH_LIMIT);
    bool read = buf_printf(&path, "%s/live/%s/cert.pem", options->state_folder, options->name) &&
                file_read(buf_text(&path), &view->pem, NULL, &view->live_error);
    buf_free(&path);
    if (!read && view->live_error.kind == ERROR_NOT_FOUND && view->live_sequence == 0)
        return expected ? LIVE_MISSING : LIVE_NONE;
    if (!read ||
        !certificate_read(buf_span(&view->pem), &view->der, &view->live, &view->live_error))
        return LIVE_UNREADABLE;
    if (!expected)
        return LIVE_UNNOTED;
    bool same = view->live_sequence == view->row.sequence &&
                strcmp(view->live.serial, view->row.serial) == 0 &&
                view->live.not_after == view->row.not_after;
    return same ? LIVE_MATCHES : LIVE_DIFFERS;
}

static bool live_was_read(const struct view *view)
{
    return view->verdict == LIVE_MATCHES || view->verdict == LIVE_DIFFERS ||
           view->verdict == LIVE_UNNOTED;
}

/* What the live files are, in words. */
static const char *verdict_words(const struct view *view)
{
    switch (view->verdict) {
    case LIVE_NONE:
        return "there are none yet";
    case LIVE_MATCHES:
        return "are what the state describes";
    case LIVE_MISSING:
        return "are missing, though the state describes a certificate";
    case LIVE_UNREADABLE:
        return "cannot be read";
    case LIVE_DIFFERS:
        return "are another certificate than the state describes";
    case LIVE_UNNOTED:
        return "are not noted in the state";
    }
    return "";
}

static bool deploy_is_open(const struct view *view)
{
    return view->options->wants_deploy && view->row.deployed_sequence < view->row.sequence;
}

static const char *import_text(const json_t *import, const char *key)
{
    const char *text = json_string_value(json_object_get(import, key));
    return text != NULL ? text : "";
}

static bool import_is_open(const struct view *view)
{
    size_t i;
    const json_t *import;
    json_array_foreach(view->imports, i, import) if (strcmp(import_text(import, "state"),
                                                            "imported") != 0) return true;
    return false;
}

static bool describe_next(struct view *view)
{
    const char *name = view->options->name;
    struct buf *next = &view->next;
    if (view->has_order)
        return buf_append_text(next, "certmill run MANIFEST goes on with the open order");
    if (view->row.status == CERTIFICATE_FAILED)
        return buf_printf(
            next, "mend what the last error names, then: certmill run MANIFEST --only '%s'", name);
    if (view->verdict == LIVE_MISSING || view->verdict == LIVE_UNREADABLE ||
        view->verdict == LIVE_NONE)
        return buf_printf(next, "certmill run MANIFEST --only '%s' makes a new one", name);
    if (view->live.not_after <= view->options->now)
        return buf_printf(next, "it has expired: certmill run MANIFEST --only '%s'", name);
    if (import_is_open(view))
        return buf_printf(
            next, "certmill run MANIFEST --only '%s' imports it into ACM, without issuing", name);
    if (deploy_is_open(view))
        return buf_printf(next, "certmill run MANIFEST --only '%s' runs its deploy hooks", name);
    return buf_append_text(next,
                           "nothing to do now; certmill plan MANIFEST says when it will be due");
}

static void print_line(FILE *out, const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(out, "%-14s", label);
    format_printable(out, text);
    putc('\n', out);
}

static void print_time(FILE *out, const char *label, int64_t unix_seconds, int64_t now)
{
    char exact[TIME_TEXT_MAX];
    char date[OUTPUT_DATE_MAX];
    if (unix_seconds == 0)
        return;
    const char *away = strchr(output_date(unix_seconds, now, date), ' ');
    fprintf(out, "%-14s%s%s\n", label, time_format_rfc3339(unix_seconds, exact),
            away != NULL ? away : "");
}

static void print_row(FILE *out, const struct state_certificate *row, int64_t now)
{
    print_time(out, "Expires:", row->not_after, now);
    print_time(out, "Valid from:", row->not_before, now);
    print_time(out, "Issued:", row->issued_at, now);
    print_line(out, "Names:", row->names);
    print_line(out, "Key:", row->key);
    print_line(out, "Issuer:", row->issuer);
    print_line(out, "Serial:", row->serial);
    print_line(out, "Account:", row->account);
    print_line(out, "Directory:", row->directory);
    print_time(out, "Last attempt:", row->attempted_at, now);
    if (row->failures > 0)
        fprintf(out, "%-14s%u in a row\n", "Failures:", row->failures);
    print_line(out, "Last error:", row->last_error);
}

static void print_order(FILE *out, const struct state_order *order, int64_t now)
{
    print_line(out, "Open order:",
               order->stage == ORDER_PLACED ? order->url : "was about to be sent; no URL is known");
    print_time(out, "  placed:", order->placed_at, now);
    fprintf(out, "%-14s%u\n", "  key number:", order->sequence);
}

static void print_live(FILE *out, const struct view *view)
{
    const struct status_options *options = view->options;
    fprintf(out, "%-14s%s\n", "Live files:", verdict_words(view));
    if (view->verdict == LIVE_UNREADABLE)
        print_line(out, "", view->live_error.text);
    if (view->live_sequence > 0) {
        fprintf(out, "%-14s", "");
        format_printable(out, options->state_folder);
        fputs("/live/", out);
        format_printable(out, options->name);
        fprintf(out, "/{privkey,cert,chain,fullchain}.pem (number %u)\n", view->live_sequence);
    }
    if (view->verdict == LIVE_DIFFERS || view->verdict == LIVE_UNNOTED) {
        print_time(out, "  expires:", view->live.not_after, options->now);
        print_line(out, "  serial:", view->live.serial);
        print_line(out, "  issuer:", view->live.issuer);
    }
    if (view->row.deployed_sequence > 0)
        fprintf(out, "%-14snumber %u\n", "Deployed:", view->row.deployed_sequence);
    else if (deploy_is_open(view))
        fprintf(out, "%-14snot yet\n", "Deployed:");
}

static void print_import(FILE *out, const char *label, const json_t *import)
{
    const char *profile = import_text(import, "profile");
    const char *arn = import_text(import, "arn");
    fprintf(out, "%-14s", label);
    format_printable(out, profile[0] != '\0' ? profile : "default profile");
    const char *region = import_text(import, "region"); /* "": the profile's; the ARN has it */
    if (region[0] != '\0') {
        fputc(' ', out);
        format_printable(out, region);
    }
    fputs(": ", out);
    format_printable(out, arn[0] != '\0' ? arn : "no ARN yet");
    json_int_t sequence = json_integer_value(json_object_get(import, "sequence"));
    fprintf(out, ", %s", import_text(import, "state"));
    if (sequence > 0)
        fprintf(out, ", has number %" JSON_INTEGER_FORMAT, sequence);
    putc('\n', out);
    print_line(out, "", import_text(import, "last_error"));
}

static void print_imports(FILE *out, const struct view *view)
{
    size_t i;
    const json_t *import;
    json_array_foreach(view->imports, i, import) print_import(out, i == 0 ? "ACM:" : "", import);
}

static void print_view(FILE *out, const struct view *view)
{
    print_line(out, "Name:", view->options->name);
    print_line(out, "Status:",
               view->noted ? certificate_status_name(view->row.status) : "not in the state");
    print_row(out, &view->row, view->options->now);
    if (view->has_order)
        print_order(out, &view->order, view->options->now);
    print_live(out, view);
    print_imports(out, view);
    print_line(out, "Next:", buf_text(&view->next));
}

static json_t *order_json(const struct state_order *order)
{
    json_t *object = json_object();
    output_member_text(&object, "stage", order->stage == ORDER_PLACED ? "placed" : "intended");
    output_member_text(&object, "url", order->url);
    output_member_text(&object, "account", order->account);
    output_member_text(&object, "directory", order->directory);
    output_member_count(&object, "sequence", order->sequence);
    output_member_time(&object, "placed_at", order->placed_at);
    return object;
}

static json_t *live_json(const struct view *view)
{
    json_t *object = json_object();
    output_member_text(&object, "state", verdict_names[view->verdict]);
    output_member_count(&object, "sequence", view->live_sequence);
    if (view->verdict == LIVE_UNREADABLE)
        output_member_text(&object, "error", view->live_error.text);
    if (live_was_read(view)) {
        output_member_time(&object, "not_before", view->live.not_before);
        output_member_time(&object, "not_after", view->live.not_after);
        output_member_text(&object, "serial", view->live.serial);
        output_member_text(&object, "issuer", view->live.issuer);
    }
    static const char *const files[] = {"privkey", "cert", "chain", "fullchain"};
    json_t *paths = json_object();
    for (size_t i = 0; view->live_sequence > 0 && i < sizeof files / sizeof files[0]; i++) {
        struct buf path;
        buf_init(&path, PATH_LIMIT);
        bool ok = buf_printf(&path, "%s/live/%s/%s.pem", view->options->state_folder,
                             view->options->name, files[i]);
        output_member_text(&paths, files[i], ok ? buf_text(&path) : NULL);
        buf_free(&path);
    }
    output_member(&object, "files", paths);
    return object;
}

static bool print_json(FILE *out, const struct view *view, struct error *error)
{
    json_t *object = list_row_json(&view->row, view->options->now);
    output_member(&object, "noted", json_boolean(view->noted));
    output_member(&object, "order", view->has_order ? order_json(&view->order) : json_null());
    output_member(&object, "live", live_json(view));
    output_member(&object, "imports",
                  view->imports != NULL ? json_incref(view->imports) : json_array());
    output_member_text(&object, "next", buf_text(&view->next));
    if (object == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the output");
    int code = json_dumpf(object, out, JSON_INDENT(2));
    json_decref(object);
    putc('\n', out);
    return code == 0 || error_set(error, ERROR_SYSTEM, "writing the output failed");
}

static bool offer_name(void *context, const struct state_certificate *row)
{
    near_names_offer(context, row->name);
    return true;
}

static bool unknown_name(struct state *state, const char *folder, const char *name,
                         struct error *error)
{
    struct near_names near;
    if (state == NULL)
        return error_set(error, ERROR_NOT_FOUND,
                         "there is no certificate %s: no run has used the state folder %s yet",
                         name, folder);
    near_names_init(&near, name);
    TRY(state_certificates(state, offer_name, &near, error));
    char names[NEAR_NAMES_TEXT_MAX];
    return error_set(error, ERROR_NOT_FOUND, "there is no certificate %s%s", name,
                     near_names_text(&near, names));
}

static bool view_fill(struct view *view, struct state *state, struct error *error)
{
    TRY(read_state(view, state, error));
    view->verdict = judge_live(view);
    if (!view->noted && !view->has_order && view->verdict == LIVE_NONE)
        return unknown_name(state, view->options->state_folder, view->options->name, error);
    return describe_next(view) || error_set(error, ERROR_LIMIT, "the name is too long");
}

bool status_print(FILE *out, struct state *state, const struct status_options *options,
                  struct error *error)
{
    struct view view = {.options = options};
    arena_init(&view.arena);
    buf_init(&view.pem, CERTIFICATE_PEM_MAX);
    buf_init(&view.der, CERTIFICATE_DER_MAX);
    buf_init(&view.next, 1024);
    bool ok = view_fill(&view, state, error);
    if (ok && options->json)
        ok = print_json(out, &view, error);
    else if (ok)
        print_view(out, &view);
    ok = ok && output_end(out, error);
    json_decref(view.imports);
    buf_free(&view.next);
    buf_free(&view.der);
    buf_free(&view.pem);
    arena_free(&view.arena);
    return ok;
}
