#include "report/report.h"

#include "base/clock.h"
#include "report/events.h"
#include "report/format.h"
#include "report/progress.h"
#include "report/summary.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_MS       100
#define PLAIN_MS        10000
#define WAITING_MS      10000
#define FAILED_SHOWN    10  /* failures told at once; the summary has all */
#define WARNINGS_SHOWN  100 /* the events have the rest */
#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX     400
#define QUIET_TICK_MS   3600000
/* Longer than a list's URL may be. */
#define REVOKED_TEXT_MAX 2048

struct report {
    FILE *messages;
    FILE *data;
    bool json;
    bool quiet;
    bool accounts;
    bool summary_lost;
    bool progress_wanted;
    bool redraws; /* one line drawn again and again, else a plain line now and then */
    bool started;
    size_t drawn; /* width of the progress line on the screen now */
    int64_t drawn_ms;
    int64_t waiting_ms; /* when the last NEWS_WAITING was told */
    bool waiting_told;
    bool events_warned;
    size_t revoked; /* that were told */
    int64_t started_unix, started_ms;
    struct report_totals totals;
    struct progress progress;
    struct events events;
    struct summary summary;
};

static bool terminal_can_redraw(FILE *messages)
{
    int fd = fileno(messages);
    const char *terminal = getenv("TERM");
    return fd >= 0 && isatty(fd) && terminal != NULL && terminal[0] != '\0' &&
           strcmp(terminal, "dumb") != 0;
}

bool report_new(const struct report_options *options, struct report **ret_report,
                struct error *error)
{
    struct report *report = calloc(1, sizeof *report);
    if (report == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the report");
    report->messages = options->messages != NULL ? options->messages : stderr;
    report->data = options->data != NULL ? options->data : stdout;
    if (!events_open(&report->events, options->events, fileno(report->data), error)) {
        free(report);
        return false;
    }
    report->json = options->json;
    report->quiet = options->quiet;
    report->accounts = options->accounts;
    report->progress_wanted = !options->quiet && options->progress != PROGRESS_NEVER;
    report->redraws = options->progress == PROGRESS_ALWAYS || terminal_can_redraw(report->messages);
    report->started_unix = options->now_unix;
    report->started_ms = options->now_ms;
    report->drawn_ms = options->now_ms;
    progress_init(&report->progress, options->now_ms);
    summary_init(&report->summary);
    *ret_report = report;
    return true;
}

/* Blanks instead of an escape sequence: they work on every terminal and in every log. */
static void progress_clear(struct report *report)
{
    if (report->drawn == 0)
        return;
    fprintf(report->messages, "\r%*s\r", (int)report->drawn, "");
    report->drawn = 0;
}

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    progress_clear(report);
    fflush(report->messages);
    events_close(&report->events);
    summary_free(&report->summary);
    free(report);
}

static size_t screen_columns(const struct report *report)
{
    struct winsize size;
    if (ioctl(fileno(report->messages), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT;
    return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

static void progress_draw(struct report *report, int64_t now_ms)
{
    char line[COLUMNS_MAX + 1];
    /* One column stays free: a full line makes some terminals wrap. */
    size_t columns = screen_columns(report) - 1;
    progress_line(&report->progress, now_ms, columns, line, sizeof line);
    size_t width = strlen(line);
    if (width > columns) {
        line[columns] = '\0';
        width = columns;
    }
    /* After the window has become narrower the old line's rest is beyond the edge. */
    size_t old = report->drawn < columns ? report->drawn : columns;
    fprintf(report->messages, "\r%s%*s", line, old > width ? (int)(old - width) : 0, "");
    fflush(report->messages);
    report->drawn = width;
    report->drawn_ms = now_ms;
}

static void progress_plain(struct report *report, int64_t now_ms)
{
    char line[COLUMNS_MAX + 1];
    progress_line(&report->progress, now_ms, COLUMNS_MAX, line, sizeof line);
    fprintf(report->messages, "certmill:%s\n", line + 1);
    fflush(report->messages);
    report->drawn_ms = now_ms;
}

/* A line of the form "certmill: KIND: NAME: TEXT", with the progress line out of its way. */
static void message_print(struct report *report, const char *kind, const char *name,
                          const char *text)
{
    progress_clear(report);
    fprintf(report->messages, "certmill: %s", kind);
    if (name != NULL) {
        fputs(": ", report->messages);
        format_printable(report->messages, name);
    }
    if (text != NULL) {
        fputs(": ", report->messages);
        format_printable(report->messages, text);
    }
    fputc('\n', report->messages);
    fflush(report->messages);
}

static void failure_tell(struct report *report, const char *kind, const struct news *news,
                         size_t told)
{
    if (told < FAILED_SHOWN)
        message_print(report, kind, news->name, news->text);
    else if (told == FAILED_SHOWN)
        message_print(report, kind, NULL, "more certificates; the summary names them at the end");
}

static void warning_tell(struct report *report, const struct news *news)
{
    if (report->totals.warnings < WARNINGS_SHOWN)
        message_print(report, "warning", news->name, news->text);
    else if (report->totals.warnings == WARNINGS_SHOWN)
        message_print(report, "warning", NULL, "more warnings follow; --events gives every one");
    report->totals.warnings++;
}

static void revoked_tell(struct report *report, const struct news *news)
{
    char at[TIME_TEXT_MAX];
    char text[REVOKED_TEXT_MAX];
    snprintf(text, sizeof text, "%s on %s, says %s", news->text, time_format_rfc3339(news->at, at),
             news->url);
    if (report->revoked++ < FAILED_SHOWN)
        message_print(report, "revoked", news->name, text);
    else if (report->revoked == FAILED_SHOWN + 1)
        message_print(report, "revoked", NULL, "more certificates; --events gives every one");
}

static void waiting_tell(struct report *report, const struct news *news, int64_t now_ms)
{
    if (report->quiet || (report->waiting_told && now_ms - report->waiting_ms < WAITING_MS))
        return;
    char duration[FORMAT_MAX];
    char kind[FORMAT_MAX + 16];
    snprintf(kind, sizeof kind, "waiting %s", format_duration(news->seconds, duration));
    message_print(report, kind, news->name, news->text);
    report->waiting_told = true;
    report->waiting_ms = now_ms;
}

static void report_take(struct report *report, const struct news *news, int64_t now_ms)
{
    struct report_totals *totals = &report->totals;
    switch (news->kind) {
    case NEWS_RUN_STARTED:
        totals->due = news->total;
        report->started = true;
        progress_init(&report->progress, now_ms);
        break;
    case NEWS_ISSUED:
        totals->issued++;
        break;
    case NEWS_FAILED:
        failure_tell(report, "failed", news, totals->failed++);
        summary_add(&report->summary, OUTCOME_FAILED, news);
        break;
    case NEWS_PARKED:
        totals->parked++;
        summary_add(&report->summary, OUTCOME_PARKED, news);
        break;
    case NEWS_DEPLOY_FAILED:
        failure_tell(report, "not deployed", news, totals->deploy_failed++);
        summary_add(&report->summary, OUTCOME_DEPLOY_FAILED, news);
        break;
    case NEWS_REVOKED:
        revoked_tell(report, news);
        break;
    case NEWS_WARNING:
        warning_tell(report, news);
        break;
    case NEWS_WAITING:
        waiting_tell(report, news, now_ms);
        break;
    case NEWS_IMPORTED:
        totals->imported += news->total;
        break;
    case NEWS_DEPLOYED:
        totals->deployed++;
        break;
    case NEWS_ACCOUNT:
        totals->issued += report->accounts;
        break;
    case NEWS_ORDER_STATE:
        break;
    }
}

static void progress_update(struct report *report, int64_t now_ms)
{
    struct progress *progress = &report->progress;
    progress->total = report->totals.due;
    progress->issued = report->totals.issued;
    progress->failed = report->totals.failed;
    progress->parked = report->totals.parked;
    progress->imported = report->totals.imported;
    progress_sample(progress, now_ms);
}

void report_news(struct report *report, const struct news *news, int64_t now_unix, int64_t now_ms)
{
    events_news(&report->events, news, now_unix);
    report_take(report, news, now_ms);
    if (news->in_flight != UINT_MAX)
        report->progress.in_flight = news->in_flight;
    progress_update(report, now_ms);
    if (report->events.lost > 0 && !report->events_warned) {
        report->events_warned = true;
        warning_tell(report,
                     &(struct news){.kind = NEWS_WARNING, .text = report->events.first_error.text});
    }
}

bool report_wants_states(const struct report *report)
{
    return report->events.fd >= 0;
}

int64_t report_tick(struct report *report, int64_t now_ms)
{
    progress_update(report, now_ms);
    if (!report->progress_wanted)
        return QUIET_TICK_MS;
    int64_t period_ms = report->redraws ? REDRAW_MS : PLAIN_MS;
    if (!report->started)
        return period_ms;
    int64_t wait_ms = report->drawn_ms + period_ms - now_ms;
    if (wait_ms > 0)
        return wait_ms;
    if (report->redraws)
        progress_draw(report, now_ms);
    else
        progress_plain(report, now_ms);
    return period_ms;
}

void report_summary(struct report *report, bool interrupted, const struct report_figure *figures,
                    size_t figure_count, int64_t now_unix, int64_t now_ms)
{
    progress_clear(report);
    if (report->events.lost > 0) {
        char lost[FORMAT_MAX];
        fprintf(report->messages, "certmill: warning: %s events could not be written\n",
                format_count(report->events.lost, lost));
    }
    struct summary_ending ending = {
        .totals = report->totals,
        .interrupted = interrupted,
        .quiet = report->quiet,
        .accounts = report->accounts,
        .started_unix = report->started_unix,
        .finished_unix = now_unix,
        .seconds = (double)(now_ms - report->started_ms) / 1000.0,
        .figures = figures,
        .figure_count = figure_count,
    };
    events_finished(&report->events, &report->totals, interrupted, ending.seconds, now_unix);
    report->progress.in_flight = 0;
    if (report->json && report->progress_wanted && report->started)
        progress_plain(report, now_ms);
    report->started = false;
    if (!report->json) {
        summary_print(&report->summary, &ending, report->messages);
    } else if (!summary_print_json(&report->summary, &ending, report->data)) {
        report->summary_lost = true;
        fprintf(report->messages, "certmill: the summary could not be written: %s\n",
                strerrordesc_np(errno));
    }
    fflush(report->messages);
}

void report_total(const struct report *report, struct report_totals *ret_totals)
{
    *ret_totals = report->totals;
    ret_totals->output_lost = report->events.lost > 0 || report->summary_lost;
}
