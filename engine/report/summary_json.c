/* The summary as one JSON object. */
#include "report/summary.h"

#include "report/output.h"

#include <errno.h>

#define REAL_DIGITS 6

static void member_text(json_t **object, const char *key, const char *text)
{
    if (text[0] != '\0')
        output_member_text(object, key, text);
}

static json_t *outcome_json(const struct outcome *outcome, const struct cause *cause)
{
    json_t *object = json_object();
    member_text(&object, "certificate", outcome->name);
    member_text(&object, "reason", cause->text);
    member_text(&object, "type", cause->type);
    member_text(&object, "advice", cause->advice);
    return object;
}

/* All kept outcomes of a kind under `key`, and how many could not be kept under `unkept_key`. */
static void member_outcomes(json_t **object, const struct summary *summary, enum outcome_kind kind,
                            const char *key, const char *unkept_key)
{
    json_t *list = json_array();
    for (size_t i = 0; i < summary->outcome_count && list != NULL; i++) {
        const struct outcome *outcome = &summary->outcomes[i];
        const struct cause *cause = &summary->causes[outcome->cause];
        if (cause->kind == kind && json_array_append_new(list, outcome_json(outcome, cause)) != 0)
            json_release(&list);
    }
    output_member(object, key, list);
    if (summary->unkept[kind] > 0)
        output_member_count(object, unkept_key, summary->unkept[kind]);
}

static void member_figures(json_t **object, const struct summary_ending *ending)
{
    json_t *figures = json_object();
    for (size_t i = 0; i < ending->figure_count; i++) {
        const struct report_figure *figure = &ending->figures[i];
        if (figure->json_key != NULL && figure->json != NULL)
            output_member(&figures, figure->json_key, json_incref(figure->json));
    }
    output_member(object, "figures", figures);
}

static json_t *summary_json(const struct summary *summary, const struct summary_ending *ending)
{
    const struct report_totals *totals = &ending->totals;
    json_t *object = json_object();
    output_member(&object, "interrupted", json_boolean(ending->interrupted));
    output_member_time(&object, "started", ending->started_unix);
    output_member_time(&object, "finished", ending->finished_unix);
    output_member_count(&object, "duration_ms", (uint64_t)(ending->seconds * 1000.0 + 0.5));
    output_member_count(&object, "due", totals->due);
    output_member_count(&object, "issued", totals->issued);
    output_member_count(&object, "failed", totals->failed);
    output_member_count(&object, "parked", totals->parked);
    output_member_count(&object, "imported", totals->imported);
    output_member_count(&object, "deployed", totals->deployed);
    output_member_count(&object, "deploy_failed", totals->deploy_failed);
    output_member_count(&object, "warnings", totals->warnings);
    member_outcomes(&object, summary, OUTCOME_FAILED, "failures", "failures_unlisted");
    member_outcomes(&object, summary, OUTCOME_DEPLOY_FAILED, "deploy_failures",
                    "deploy_failures_unlisted");
    member_outcomes(&object, summary, OUTCOME_PARKED, "parked_certificates",
                    "parked_certificates_unlisted");
    member_figures(&object, ending);
    return object;
}

bool summary_print_json(const struct summary *summary, const struct summary_ending *ending,
                        FILE *out)
{
    json_t *object CLEANUP(json_release) = summary_json(summary, ending);
    if (object == NULL) {
        errno = ENOMEM;
        return false;
    }
    TRY(json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)) == 0);
    return fputc('\n', out) != EOF && fflush(out) == 0;
}
