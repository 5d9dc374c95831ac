/* The event stream: one JSON object a line, for programs that watch a run.
 *
 *   {"time":"2026-11-23T12:00:00Z","event":"issued","certificate":"www","sequence":3,...} */
#ifndef CERTMILL_REPORT_EVENTS_H
#define CERTMILL_REPORT_EVENTS_H

#include "base/buf.h"
#include "report/report.h"

struct events {
    int fd; /* -1: no events wanted */
    bool is_own;
    bool torn; /* the last line is not whole */
    struct buf line;
    size_t written, lost;
    struct error first_error; /* of the first line that was lost */
};

/* `path`: a file to append to (made 0600), "-" for `standard_output`, or NULL for no events. */
bool events_open(struct events *events, const char *path, int standard_output,
                 struct error *error) MUST_USE;
void events_close(struct events *events);

/* Each line goes out at once, in one write. A line that cannot be written is counted as lost; the
 * run goes on. */
void events_news(struct events *events, const struct news *news, int64_t now_unix);
void events_finished(struct events *events, const struct report_totals *totals, bool interrupted,
                     double seconds, int64_t now_unix);

#endif
