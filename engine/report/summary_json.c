/* The summary as one JSON object. */
#include "report/summary.h"

#include "base/clock.h"
#include "report/format.h"

#include <errno.h>

static bool member_count(json_t *object, const char *key, size_t count)
{
    return json_object_set_new_nocheck(object, key, json_integer((json_int_t)count)) == 0;
}

static bool member_text(json_t *object, const char *key, const char *text)
{
    if (text[0] == '\0')
        return true;
    return json_object_set_new_nocheck(object, key, format_json_text(text)) == 0;
}

static bool member_time(json_t *object, const char *key, int64_t unix_seconds)
{
    char text[TIME_TEXT_MAX];
    json_t *value = json_string_nocheck(time_format_rfc3339(unix_seconds, text));
    return json_object_set_new_nocheck(object, key, value) == 0;
}

static json_t *outcome_json(const struct outcome *outcome, const struct cause *cause)
{
    json_t *object = json_object();
    if (object == NULL)
        return NULL;
    if (member_text(object, "certificate", outcome->name) &&
        member_text(object, "reason", cause->text) && member_text(object, "type", cause->type) &&
        member_text(object, "advice", cause->advice))
        return object;
    json_decref(object);
    return NULL;
}

/* All kept outcomes of a kind under `key`, and how many could not be kept under `unkept_key`. */
static bool member_outcomes(json_t *object, const struct summary *summary, enum outcome_kind kind,
                            const char *key, const char *unkept_key)
{
    json_t *list = json_array();
    TRY(json_object_set_new_nocheck(object, key, list) == 0);
    for (size_t i = 0; i < summary->outcome_count; i++) {
        const struct outcome *outcome = &summary->outcomes[i];
        const struct cause *cause = &summary->causes[outcome->cause];
        if (cause->kind == kind)
            TRY(json_array_append_new(list, outcome_json(outcome, cause)) == 0);
    }
    return summary->unkept[kind] == 0 || member_count(object, unkept_key, summary->unkept[kind]);
}

static bool member_figures(json_t *object, const struct summary_ending *ending)
{
    json_t *figures = json_object();
    TRY(json_object_set_new_nocheck(object, "figures", figures) == 0);
    for (size_t i = 0; i < ending->figure_count; i++) {
        const struct report_figure *figure = &ending->figures[i];
        if (figure->json_key != NULL && figure->json != NULL)
            TRY(json_object_set_nocheck(figures, figure->json_key, figure->json) == 0);
    }
    return true;
}

static bool summary_fill(json_t *object, const struct summary *summary,
                         const struct summary_ending *ending)
{
    const struct report_totals *totals = &ending->totals;
    return json_object_set_new_nocheck(object, "interrupted", json_boolean(ending->interrupted)) ==
               0 &&
           member_time(object, "started", ending->started_unix) &&
           member_time(object, "finished", ending->finished_unix) &&
           member_count(object, "duration_ms", (size_t)(ending->seconds * 1000.0 + 0.5)) &&
           member_count(object, "due", totals->due) &&
           member_count(object, "issued", totals->issued) &&
           member_count(object, "failed", totals->failed) &&
           member_count(object, "parked", totals->parked) &&
           member_count(object, "deploy_failed", totals->deploy_failed) &&
           member_count(object, "warnings", totals->warnings) &&
           member_outcomes(object, summary, OUTCOME_FAILED, "failures", "failures_unlisted") &&
           member_outcomes(object, summary, OUTCOME_DEPLOY_FAILED, "deploy_failures",
                           "deploy_failures_unlisted") &&
           member_outcomes(object, summary, OUTCOME_PARKED, "parked_certificates",
                           "parked_certificates_unlisted") &&
           member_figures(object, ending);
}

bool summary_print_json(const struct summary *summary, const struct summary_ending *ending,
                        FILE *out)
{
    json_t *object CLEANUP(json_release) = json_object();
    if (object == NULL || !summary_fill(object, summary, ending)) {
        errno = ENOMEM;
        return false;
    }
    TRY(json_dumpf(object, out, JSON_COMPACT) == 0);
    return fputc('\n', out) != EOF && fflush(out) == 0;
}
