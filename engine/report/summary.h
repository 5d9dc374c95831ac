/* What went wrong in a run, kept for its end: same causes are kept once, whatever the number of
 * certificates they hit. Grows with failures only, up to a ceiling; the rest is counted. */
#ifndef CERTMILL_REPORT_SUMMARY_H
#define CERTMILL_REPORT_SUMMARY_H

#include "base/arena.h"
#include "report/report.h"

#include <stdio.h>

#define SUMMARY_KEPT_MAX  100000 /* outcomes kept, of all kinds together */
#define SUMMARY_FULL_MAX  50     /* causes of one kind that the text gives in full */
#define SUMMARY_NAMES_MAX 5      /* certificates that the text names a cause */

enum outcome_kind { OUTCOME_FAILED, OUTCOME_PARKED, OUTCOME_DEPLOY_FAILED };
#define OUTCOME_KINDS 3

/* One cause: what the text groups by. */
struct cause {
    enum outcome_kind kind;
    const char *text, *advice, *type; /* "" when not given */
    uint64_t hash;
    size_t count;   /* certificates */
    uint32_t first; /* its outcomes, linked by `next`, in the order in which they came */
    uint32_t last;
};

struct outcome {
    const char *name;
    uint32_t cause;
    uint32_t next; /* UINT32_MAX: the last */
};

struct summary {
    struct arena arena;
    struct outcome *outcomes;
    size_t outcome_count, outcome_capacity;
    struct cause *causes;
    size_t cause_count, cause_capacity;
    uint32_t *table; /* causes by hash, open addressing; UINT32_MAX: empty */
    size_t table_size;
    size_t unkept[OUTCOME_KINDS]; /* beyond the ceiling, or without memory */
};

void summary_init(struct summary *summary);
void summary_free(struct summary *summary);

void summary_add(struct summary *summary, enum outcome_kind kind, const struct news *news);

struct summary_ending {
    struct report_totals totals;
    bool interrupted;
    bool quiet;    /* text: nothing when all went well, and no figures */
    bool accounts; /* as in report_options */
    int64_t started_unix, finished_unix;
    double seconds;
    const struct report_figure *figures;
    size_t figure_count;
};
void summary_print(const struct summary *summary, const struct summary_ending *ending, FILE *out);
/* One object on one line. False when it cannot be made (no memory) or written; errno says why. */
bool summary_print_json(const struct summary *summary, const struct summary_ending *ending,
                        FILE *out) MUST_USE;

#endif
