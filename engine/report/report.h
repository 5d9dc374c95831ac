/* What people and programs see of a run: progress, the event stream, the summary. Called on the
 * main thread only; workers send their news through a mailbox. */
#ifndef CERTMILL_REPORT_REPORT_H
#define CERTMILL_REPORT_REPORT_H

#include "base/json.h"
#include "base/span.h"

#include <stdio.h>

struct report;

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

enum news_kind {
    NEWS_RUN_STARTED,   /* `total` certificates to order (or accounts to register) */
    NEWS_ACCOUNT,       /* an account is ready: name = alias, text = its URL */
    NEWS_ORDER_STATE,   /* name, text = the order's new state; only sent when there are events */
    NEWS_ISSUED,        /* name, sequence, not_after, seconds */
    NEWS_FAILED,        /* name, text = what failed and the CA's words, advice */
    NEWS_PARKED,        /* name, text = why: the next run goes on with it */
    NEWS_IMPORTED,      /* name, sequence, total = imports into ACM that were sent */
    NEWS_DEPLOYED,      /* name */
    NEWS_DEPLOY_FAILED, /* name, text */
    NEWS_REVOKED,       /* name, text = the reason's name, at, url = who says so */
    NEWS_WARNING,       /* text; name may be NULL */
    NEWS_WAITING,       /* the CA asked to wait: name = CA's host, text = why, seconds */
};

/* A piece of news, valid during the call. Texts hold no secret. */
struct news {
    enum news_kind kind;
    const char *name;   /* a certificate's, an alias or a host; may be NULL */
    const char *text;   /* may be NULL */
    const char *advice; /* what to do next; may be NULL or "" */
    const char *type;   /* the ACME problem type, or the error kind; may be NULL */
    size_t total;       /* NEWS_RUN_STARTED, NEWS_IMPORTED */
    unsigned sequence;
    int64_t not_after; /* unix seconds */
    int64_t at;        /* likewise */
    const char *url;   /* may be NULL */
    double seconds;
    unsigned in_flight; /* orders now, for the progress line; UINT_MAX: unchanged */
};

struct report_options {
    enum progress_mode progress;
    const char
        *events;   /* a file to append JSON lines to (0600), "-" for standard output, or NULL */
    bool json;     /* the summary as one JSON object on standard output, in place of the text */
    bool quiet;    /* no progress and no plain lines; failures and warnings still go out */
    bool accounts; /* no run: accounts are registered, and are what is counted */
    int64_t now_unix;
    int64_t now_ms;
    FILE *messages; /* borrowed; NULL: standard error */
    FILE *data;     /* borrowed; NULL: standard output */
};

/* Fails when the events file cannot be opened. */
bool report_new(const struct report_options *options, struct report **ret_report,
                struct error *error) MUST_USE;
void report_free(struct report *report);

void report_news(struct report *report, const struct news *news, int64_t now_unix, int64_t now_ms);
bool report_wants_states(const struct report *report); /* is NEWS_ORDER_STATE worth sending? */

/* Redraws the progress line at most 10 times a second, or prints a plain line every 10 s when
 * standard error is no terminal. Returns the milliseconds until it wants to be called again. */
int64_t report_tick(struct report *report, int64_t now_ms);

/* Figures for the last lines of the summary, as "label: text" in order. */
struct report_figure {
    const char *label;
    const char *text;
    const char *json_key;
    json_t *json; /* borrowed; the same for the JSON summary */
};

/* Ends the progress line, prints the summary: counts, each failure with the CA's words and what to
 * do (the first 50 in full; all are in the events and the JSON), what is parked. */
void report_summary(struct report *report, bool interrupted, const struct report_figure *figures,
                    size_t figure_count, int64_t now_unix, int64_t now_ms);

struct report_totals {
    size_t due, issued, failed, parked, deployed, deploy_failed, warnings;
    size_t imported;  /* imports that were sent, not certificates */
    bool output_lost; /* events or the summary could not be written */
};
void report_total(const struct report *report, struct report_totals *ret_totals);

#endif
